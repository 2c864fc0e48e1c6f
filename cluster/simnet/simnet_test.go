package simnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const (
	a = "10.0.0.1"
	b = "10.0.0.2"
)

// streams connects a to b.
func streams(t *testing.T, n *Net) (near, far net.Conn) {
	t.Helper()
	ln, err := n.Host(b).Listen(b + ":1")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	n.Host(a)
	if near, err = n.Host(a).Dial(t.Context(), b+":1"); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

func TestStreamKeepsOrderAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, Link{Latency: 10 * time.Millisecond})
		begin := time.Now()
		near, far := streams(t, n)
		if d := time.Since(begin); d != 20*time.Millisecond {
			t.Errorf("the dial took %v", d)
		}
		sent := bytes.Repeat([]byte("0123456789"), 300_000) // more than the window
		go func() {
			_, _ = near.Write(sent)
			_ = near.Close()
		}()
		got, err := io.ReadAll(far)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d of %d bytes, %v", len(got), len(sent), err)
		}
		_ = far.Close()
		if _, err := far.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
	})
}

func TestCutStreamStallsAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, Link{Latency: time.Millisecond})
		near, far := streams(t, n)
		defer near.Close()
		defer far.Close()
		n.Cut(a, b)
		if _, err := near.Write([]byte("lost?")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		_ = far.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := far.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read over a cut: %v", err)
		}
		_ = far.SetReadDeadline(time.Time{})
		if _, err := far.Write([]byte("back")); err != nil { // the other way is whole
			t.Fatal(err)
		}
		if k, err := near.Read(buf); err != nil || string(buf[:k]) != "back" {
			t.Errorf("%q, %v", buf[:k], err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Host(a).Dial(ctx, b+":1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial over a cut: %v", err)
		}
		n.Heal()
		begin := time.Now()
		k, err := far.Read(buf)
		if err != nil || string(buf[:k]) != "lost?" || time.Since(begin) != retransmit {
			t.Errorf("%q, %v after %v", buf[:k], err, time.Since(begin))
		}
	})
}

func TestKillResetsAndPowerOffIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, Link{Latency: time.Millisecond})
		near, _ := streams(t, n)
		n.Host(b).Kill()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after a kill: %v", err)
		}
		if _, err := n.Host(a).Dial(t.Context(), b+":1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial after a kill: %v", err)
		}
		near, far := streams(t, n)
		n.Host(b).PowerOff()
		_ = near.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after a power-off: %v", err)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("on the dead host: %v", err)
		}
		n.Host(b).PowerOn()
		streams(t, n)
	})
}

func TestDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(7, Link{Latency: time.Millisecond, Jitter: 10 * time.Millisecond})
		n.SetLink(a, b, Link{Latency: time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.5})
		from, err := n.Host(a).ListenPacket(a + ":9")
		if err != nil {
			t.Fatal(err)
		}
		to, err := n.Host(b).ListenPacket("0.0.0.0:9")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Host(b).ListenPacket(b + ":9"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("the port was given twice: %v", err)
		}
		if _, err := n.Host(b).ListenPacket(a + ":9"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("another host's address was given: %v", err)
		}
		for i := range 100 {
			if _, err := from.WriteTo([]byte{byte(i)}, to.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		_ = to.SetReadDeadline(time.Now().Add(time.Second))
		var got, disorder int
		last := -1
		buf := make([]byte, 10)
		for {
			_, addr, err := to.ReadFrom(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil || addr.String() != a+":9" {
				t.Fatalf("from %v: %v", addr, err)
			}
			if got++; int(buf[0]) < last {
				disorder++
			}
			last = int(buf[0])
		}
		if got < 25 || got > 75 || disorder == 0 {
			t.Errorf("%d of 100 arrived, %d out of order", got, disorder)
		}
		n.Isolate(b)
		_, _ = from.WriteTo([]byte("x"), to.LocalAddr())
		_ = to.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := to.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over a cut: %v", err)
		}
		_ = to.Close()
		if _, _, err := to.ReadFrom(buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}
