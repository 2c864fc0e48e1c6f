package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate/fsm"
)

func TestErrorsOnTheWire(t *testing.T) {
	for _, c := range wireCodes {
		sent := fmt.Errorf("while doing x: %w", c.err)
		b, err := json.Marshal(toWire(sent))
		if err != nil {
			t.Fatal(err)
		}
		var got wireError
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(&got, c.err) || got.Error() != sent.Error() {
			t.Errorf("%s arrived as %v", c.code, got.Codes)
		}
		for _, other := range wireCodes {
			if other.err != c.err && errors.Is(&got, other.err) {
				t.Errorf("%s arrived as %s too", c.code, other.code)
			}
		}
	}
	seen := map[string]bool{}
	for _, c := range wireCodes {
		if seen[c.code] {
			t.Errorf("code %s is used twice", c.code)
		}
		seen[c.code] = true
	}
	if toWire(nil) != nil {
		t.Error("no error became one")
	}
	r := toWireResult(fsm.Result{Index: 7, Err: fsm.Problems{{Object: "vip.a", What: "bad"}}}).result()
	var ps fsm.Problems
	if !errors.As(r.Err, &ps) || ps[0].Object != "vip.a" || r.Index != 7 {
		t.Errorf("%+v", r)
	}
}

// served runs one call server over pipes.
func served(t *testing.T, handlers map[op]handler, f func(call func(ctx context.Context, o op, in, out any) error)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newCallServer(ctx, handlers)
		f(func(ctx context.Context, o op, in, out any) error {
			a, b := net.Pipe()
			s.admit(b, "n1/a")
			body, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			return callOn(ctx, a, request{Op: o, Body: body}, out)
		})
		cancel()
		s.wait()
	})
}

func TestCalls(t *testing.T) {
	ended := make(chan error, 8)
	handlers := map[op]handler{
		opAsk: func(_ context.Context, from caller, req request) (any, error) {
			return string(from) + " " + string(req.Body), nil
		},
		opRead: func(ctx context.Context, _ caller, _ request) (any, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil, fmt.Errorf("gave up: %w", ctx.Err())
		},
		opJoin: func(context.Context, caller, request) (any, error) { return strings.Repeat("x", maxResponse), nil },
	}
	served(t, handlers, func(call func(context.Context, op, any, any) error) {
		var got string
		if err := call(context.Background(), opAsk, 7, &got); err != nil || got != "n1/a 7" {
			t.Errorf("%q, %v", got, err)
		}
		wantErr(t, call(context.Background(), "new", nil, nil), errors.ErrUnsupported)
		// The other end gives up first, and says why.
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		err := call(ctx, opRead, nil, nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 2800*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		// A caller that hangs up is not worked for.
		ctx, cancel = context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		if err := call(ctx, opRead, nil, nil); err == nil {
			t.Error("no error after hanging up")
		}
		if first, second := <-ended, <-ended; !errors.Is(first, context.DeadlineExceeded) || !errors.Is(second, context.Canceled) {
			t.Errorf("the handlers ended with %v and %v", first, second)
		}
		if err := call(context.Background(), opJoin, nil, nil); err == nil || !strings.Contains(err.Error(), "bytes") {
			t.Errorf("an answer that is too long: %v", err)
		}
	})
}

func TestFrameLimits(t *testing.T) {
	var b bytes.Buffer
	if err := writeFrame(&b, strings.Repeat("x", 100), 50); err == nil {
		t.Error("wrote more than the limit")
	}
	if err := writeFrame(&b, "hello", 50); err != nil {
		t.Fatal(err)
	}
	var s string
	if err := readFrame(bytes.NewReader(b.Bytes()), &s, 5); err == nil {
		t.Error("read more than the limit")
	}
	if err := readFrame(bytes.NewReader(b.Bytes()[:8]), &s, 50); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut short: %v", err)
	}
	if err := readFrame(&b, &s, 50); err != nil || s != "hello" {
		t.Errorf("%q, %v", s, err)
	}
}

func FuzzCall(f *testing.F) {
	for _, v := range []any{request{Op: opPropose, Body: json.RawMessage(`{"record":{}}`)}, response{Err: toWire(fsm.ErrStale)}, "x"} {
		var b bytes.Buffer
		if err := writeFrame(&b, v, maxRequest); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, '{'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var req request
		if readFrame(bytes.NewReader(b), &req, 1<<16) == nil {
			if err := writeFrame(io.Discard, req, maxRequest); err != nil {
				t.Error(err)
			}
			var ann announceBody
			var obs observeBody
			_ = json.Unmarshal(req.Body, &ann)
			_ = json.Unmarshal(req.Body, &obs)
			_, _ = fsm.Decode(req.Body)
		}
		var res response
		if readFrame(bytes.NewReader(b), &res, 1<<16) == nil && res.Err != nil {
			_ = errors.Is(res.Err, fsm.ErrStale)
		}
	})
}
