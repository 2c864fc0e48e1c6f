package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"quorate/fsm"
)

// op names a call.
type op string

// The calls between nodes. Each travels on its own stream: one request, one answer.
const (
	opPropose  op = "propose"  // append a command; forwarded to the leader
	opRead     op = "read"     // index that a linearizable read must have applied; forwarded to the leader
	opJoin     op = "join"     // become a member; forwarded to the leader
	opAnnounce op = "announce" // "I am back, at this address"; forwarded to the leader
	opObserve  op = "observe"  // what this node sees of the servers; leader only
	opForeign  op = "foreign"  // what this node hears of routers outside the cluster; leader only
	opProgress op = "progress" // how far a node's log is
	opAsk      op = "ask"      // the node's own status
	opNudge    op = "nudge"    // "announce these again, you are not heard"
	opLook     op = "look"     // what the node hears on the wire for addresses
	opQuery    op = "query"    // a question that only the node's own kernel answers
)

// Limits of a call.
const (
	maxRequest  = fsm.MaxCommandBytes + 1<<16
	maxResponse = 16 << 20
	maxCalls    = 128              // served at once
	callLimit   = 60 * time.Second // longest that a served call may take
	idleRequest = 10 * time.Second // to send the whole request, and to take the answer
)

// request is one call. Its form on the wire is a length of four bytes (big endian) and JSON.
type request struct {
	Op op `json:"op"`
	// Timeout is how long the caller will wait; the clocks of two machines are not compared.
	Timeout time.Duration `json:"timeout"`
	// Hops counts how often the call has been passed on towards the leader.
	Hops int             `json:"hops,omitempty"`
	Body json.RawMessage `json:"body,omitempty"`
}

// response is the answer; one of the two is set.
type response struct {
	Err  *wireError      `json:"err,omitempty"`
	Body json.RawMessage `json:"body,omitempty"`
}

// writeFrame writes v as JSON behind its length.
func writeFrame(w io.Writer, v any, limit int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > limit {
		return fmt.Errorf("message of %d bytes, at most %d are allowed", len(b), limit)
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...))
	return err
}

// readFrame reads what writeFrame wrote. It takes memory only for bytes that have come.
func readFrame(r io.Reader, v any, limit int) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if int64(n) > int64(limit) {
		return fmt.Errorf("message of %d bytes, at most %d are allowed", n, limit)
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return err
	}
	if len(b) < int(n) {
		return io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("malformed message: %w", err)
	}
	return nil
}

// caller is who asks: the server id that the other end of the stream gave. Whoever holds the cluster key is trusted, so it
// is a name, not a proof.
type caller string

// handler serves one kind of call.
type handler func(ctx context.Context, from caller, req request) (any, error)

// callServer serves calls. Its streams end with its context.
type callServer struct {
	ctx      context.Context
	handlers map[op]handler
	slots    chan struct{}

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func newCallServer(ctx context.Context, handlers map[op]handler) *callServer {
	return &callServer{ctx: ctx, handlers: handlers, slots: make(chan struct{}, maxCalls)}
}

// wait takes no more calls and returns when none is being served; call it after the context has ended.
func (s *callServer) wait() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wg.Wait()
}

// admit serves one call on conn and closes it.
func (s *callServer) admit(conn net.Conn, from caller) {
	select {
	case s.slots <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.slots
		_ = conn.Close()
		return
	}
	s.wg.Go(func() {
		defer func() { <-s.slots }()
		defer conn.Close()
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		s.serve(ctx, cancel, conn, from)
	})
}

func (s *callServer) serve(ctx context.Context, cancel context.CancelFunc, conn net.Conn, from caller) {
	_ = conn.SetDeadline(time.Now().Add(idleRequest))
	var req request
	if err := readFrame(conn, &req, maxRequest); err != nil {
		_ = writeFrame(conn, response{Err: toWire(fmt.Errorf("call not understood: %w", err))}, maxResponse)
		return
	}
	limit := callLimit
	if req.Timeout > 0 && req.Timeout < limit {
		limit = req.Timeout
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	h, ok := s.handlers[req.Op]
	var res response
	if !ok {
		res.Err = toWire(fmt.Errorf("%w: call %q; is this node's quorate older?", errors.ErrUnsupported, req.Op))
	} else {
		_ = conn.SetDeadline(time.Time{})
		hung := make(chan struct{})
		go func() { // a caller that hangs up is not worked for
			defer close(hung)
			var b [1]byte
			if _, err := conn.Read(b[:]); err != nil {
				cancel()
			}
		}()
		defer func() { _ = conn.Close(); <-hung }()
		body, err := h(ctx, from, req)
		if err == nil {
			res.Body, err = json.Marshal(body)
		}
		res.Err = toWire(err)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(idleRequest))
	if err := writeFrame(conn, res, maxResponse); err != nil {
		_ = writeFrame(conn, response{Err: toWire(err)}, maxResponse)
	}
}

// errNotSent marks a call that certainly was not carried out.
var errNotSent = errors.New("not sent")

// callOn sends one request on conn and waits for the answer. out may be nil. conn is closed.
func callOn(ctx context.Context, conn net.Conn, req request, out any) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if d, ok := ctx.Deadline(); ok {
		// The other end gives up a little earlier, so that its reason arrives.
		left := time.Until(d)
		req.Timeout = left - min(left/10, 200*time.Millisecond)
		_ = conn.SetDeadline(d)
	}
	if err := writeFrame(conn, req, maxRequest); err != nil {
		return fmt.Errorf("%w: %w", errNotSent, err)
	}
	var res response
	if err := readFrame(conn, &res, maxResponse); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("no answer: %w", err)
	}
	if res.Err != nil {
		return res.Err
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(res.Body, out)
}
