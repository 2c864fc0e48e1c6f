package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"quorate/cluster/simnet"
)

// muxPair is a listening node and a dialling one on a simulated network.
func muxPair(t *testing.T, f func(ctx context.Context, dialer, listener *mux, addr string)) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1, simnet.Link{Latency: time.Millisecond})
		const addr = "10.0.0.2:7300"
		ln, err := n.Host("10.0.0.2").Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		dialer, listener := newMux(n.Host("10.0.0.1"), log), newMux(n.Host("10.0.0.2"), log)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- listener.serve(ctx, ln) }()
		f(ctx, dialer, listener, addr)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// echoFace answers with what it is sent, behind the name of who asks.
func echoFace(key []byte, self string) *face {
	return &face{key: key, self: self, accept: func(k streamKind, c net.Conn, h hello) {
		go func() {
			defer c.Close()
			_, _ = io.WriteString(c, string(k)+h.from+" ")
			_, _ = io.Copy(c, io.LimitReader(c, 5))
		}()
	}}
}

func TestStreamOpening(t *testing.T) {
	key, other := newKey(), newKey()
	muxPair(t, func(ctx context.Context, d, l *mux, addr string) {
		me := &face{key: key, self: "n1/a"}
		dial := func(f *face, to string) error {
			c, err := d.dial(ctx, f, streamCall, addr, to)
			if err != nil {
				return err
			}
			defer c.Close()
			_, _ = io.WriteString(c, "hello")
			b, err := io.ReadAll(c)
			if err == nil && string(b) != "Cn1/a hello" {
				t.Errorf("read %q", b)
			}
			return err
		}
		wantErr(t, dial(me, ""), ErrNoCluster)
		l.show(echoFace(key, "n2/b"))
		for _, to := range []string{"", "n2/b"} {
			if err := dial(me, to); err != nil {
				t.Errorf("to %q: %v", to, err)
			}
		}
		wantErr(t, dial(me, "n3/c"), ErrOtherServer)
		wantErr(t, dial(me, "n2/other"), ErrOtherServer)
		wantErr(t, dial(&face{key: other, self: "n1/a"}, ""), ErrOtherKey)
		d.instance = l.instance
		wantErr(t, dial(me, ""), ErrSelf)
	})
}

// Whoever cannot prove the key gets nothing, whatever it says, and does not stay.
func TestStreamStrangers(t *testing.T) {
	muxPair(t, func(ctx context.Context, d, l *mux, addr string) {
		l.show(&face{key: newKey(), self: "n2/b", accept: func(streamKind, net.Conn, hello) { t.Error("a stranger was admitted") }})
		for _, sent := range [][]byte{nil, []byte("GET / HTTP/1.1\r\n\r\n"), {byte(streamRaft), 99}, bytes.Repeat([]byte{'C', 1}, 5000), {byte(streamCall), 1}} {
			c, err := d.network.Dial(ctx, addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write(sent)
			begin := time.Now()
			_, _ = io.ReadAll(c)
			if time.Since(begin) > handshakeTimeout+time.Second {
				t.Errorf("%q was let wait for %v", sent, time.Since(begin))
			}
			_ = c.Close()
		}
		// Openings that stall do not keep others out for longer than their limit.
		var idle []net.Conn
		for range maxPending + 10 {
			c, err := d.network.Dial(ctx, addr)
			if err != nil {
				t.Fatal(err)
			}
			idle = append(idle, c)
		}
		time.Sleep(handshakeTimeout + time.Second)
		l.show(echoFace(l.current().key, "n2/b"))
		c, err := d.dial(ctx, &face{key: l.current().key, self: "n1/a"}, streamCall, addr, "")
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		for _, c := range idle {
			_ = c.Close()
		}
	})
}

// A dialer does not talk to a listener that cannot prove the key either.
func TestStreamFalseListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1, simnet.Link{Latency: time.Millisecond})
		ln, err := n.Host("10.0.0.2").Listen("10.0.0.2:7300")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			h, _ := readHello(c)
			out := append([]byte{0}, h.nonce[:]...) // reflects the dialer's own challenge
			_, _ = c.Write(append(out, streamMAC(newKey(), "listener", h.encode(), out)...))
			_, _ = io.Copy(io.Discard, c)
		}()
		d := newMux(n.Host("10.0.0.1"), slog.New(slog.DiscardHandler))
		_, err = d.dial(t.Context(), &face{key: newKey(), self: "n1/a"}, streamRaft, "10.0.0.2:7300", "")
		wantErr(t, err, ErrOtherKey)
	})
}

func TestDialGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1, simnet.Link{Latency: time.Millisecond})
		n.Host("10.0.0.2").PowerOff()
		d := newMux(n.Host("10.0.0.1"), slog.New(slog.DiscardHandler))
		begin := time.Now()
		_, err := d.dial(t.Context(), &face{key: newKey()}, streamRaft, "10.0.0.2:7300", "")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != handshakeTimeout {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add(hello{kind: streamRaft, from: "n1/a", to: "n2/b"}.encode())
	f.Add(hello{kind: streamCall}.encode())
	f.Add([]byte{'R', 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHello(bytes.NewReader(b))
		if err == nil && !bytes.HasPrefix(b, h.encode()) {
			t.Errorf("%x reads as %+v", b, h)
		}
	})
}
