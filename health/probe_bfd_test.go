package health

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/health/bfd"
)

var neighbour = netip.MustParseAddr("192.0.2.1")

// bfdPeer is a Network with one neighbour, whose end of the session answers what it hears.
type bfdPeer struct {
	mu      sync.Mutex
	session *bfd.Session
	silent  bool
	answers chan bfd.Datagram
	done    chan struct{}
	hear    func(bfd.Datagram)
	taken   error // the port
}

func (n *bfdPeer) Listen(_, _ bool, hear func(bfd.Datagram)) (bfd.Listener, error) {
	n.hear = hear
	return n, n.taken
}
func (n *bfdPeer) Dial(bfd.Path) (io.WriteCloser, error) { return bfdWire{n}, nil }
func (n *bfdPeer) Drain()                                {}
func (n *bfdPeer) Close() error                          { close(n.done); return nil }
func (n *bfdPeer) Run() {
	for {
		select {
		case d := <-n.answers:
			n.hear(d)
		case <-n.done:
			return
		}
	}
}

type bfdWire struct{ *bfdPeer }

func (bfdWire) Close() error { return nil }
func (n bfdWire) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, err := bfd.Parse(b)
	if err != nil || n.silent {
		return len(b), err
	}
	for n.session.Receive(p, time.Now()); ; {
		p, ok := n.session.Packet(time.Now())
		if !ok {
			return len(b), nil
		}
		n.answers <- bfd.Datagram{Payload: p.Append(nil), From: neighbour, TTL: 255}
	}
}

// TestBFDSession has an engine and its Watch follow a session: up, silent, and taken by another program.
func TestBFDSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := Target{ID: "router", Type: TypeBFD, Addr: netip.AddrPortFrom(neighbour, 0), Protocols: Protocols{BFD: BFDQuery{Transmit: 50 * time.Millisecond, Receive: 50 * time.Millisecond}}}
		n := &bfdPeer{session: bfd.NewSession(bfd.Params{Transmit: 50 * time.Millisecond, Receive: 50 * time.Millisecond, Multiplier: 3}, 7, func() float64 { return 0 }),
			answers: make(chan bfd.Datagram, 1000), done: make(chan struct{})}
		w := NewWatch(nil)
		w.network = n
		news := make(chan Transition, 10)
		e := New(Options{Local: Local{Watch: w}, OnTransition: func(tr Transition) { news <- tr }, Dial: dialTarget})
		e.Set([]Target{x})
		w.Want([]Target{x})
		ctx, stop := context.WithCancel(t.Context())
		var g sync.WaitGroup
		g.Go(func() { _ = w.Run(ctx, func(id string) { e.Hint(id) }) })
		g.Go(func() { _ = e.Run(ctx) })
		defer g.Wait()
		defer stop()
		if tr := <-news; !tr.Up || !strings.HasPrefix(tr.Detail, "session is up") {
			t.Fatalf("%+v", tr)
		}
		time.Sleep(5 * time.Second)
		n.mu.Lock()
		n.silent = true
		n.mu.Unlock()
		began := time.Now()
		if tr := <-news; tr.Up || tr.Detail != "192.0.2.1 has been silent for longer than 150ms" || time.Since(began) > 170*time.Millisecond {
			t.Fatalf("%+v after %v", tr, time.Since(began))
		}
		n.mu.Lock()
		n.silent = false
		n.session = bfd.NewSession(bfd.Params{Transmit: 50 * time.Millisecond, Receive: 50 * time.Millisecond, Multiplier: 3}, 8, func() float64 { return 0 })
		n.mu.Unlock()
		if tr := <-news; !tr.Up {
			t.Fatalf("%+v", tr)
		}
	})
}

func TestBFDAnswer(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	x := Target{Type: TypeBFD, Addr: netip.AddrPortFrom(neighbour, 0)}
	lack := errors.New("the port is taken")
	for _, c := range []struct {
		name string
		st   bfd.Status
		want string
	}{
		{"up", bfd.Status{State: bfd.Up, Detection: 150 * time.Millisecond}, "up: session is up, silence is noticed within 150ms"},
		{"new", bfd.Status{State: bfd.Down, Remote: bfd.Down, Since: now.Add(-4 * time.Second)}, "not asked: the session with 192.0.2.1 is not up yet"},
		{"never up", bfd.Status{State: bfd.Down, Remote: bfd.Down, Since: now.Add(-5 * time.Second)}, "192.0.2.1 does not speak BFD with this machine"},
		{"cannot be had", bfd.Status{State: bfd.Down, Remote: bfd.Down, Since: now, Err: lack}, "not asked: the port is taken"},
		{"was up, and cannot be had", bfd.Status{State: bfd.Down, Remote: bfd.Down, Since: now, WasUp: true, Err: lack}, "no session with 192.0.2.1: the port is taken"},
		{"silent", bfd.Status{State: bfd.Down, Diag: bfd.TimeExpired, Remote: bfd.Up, Since: now, WasUp: true, Detection: time.Second}, "192.0.2.1 has been silent for longer than 1s"},
		{"ended", bfd.Status{State: bfd.Down, Diag: bfd.NeighborDown, Remote: bfd.Down, RemoteDiag: bfd.TimeExpired, Since: now, WasUp: true}, "192.0.2.1 has ended the session (control detection time expired)"},
		{"switched off", bfd.Status{State: bfd.Down, Diag: bfd.NeighborDown, Remote: bfd.AdminDown, Since: now, WasUp: true}, "192.0.2.1 has switched the session off (AdminDown)"},
		{"heard only", bfd.Status{State: bfd.Init, Remote: bfd.Down, Since: now.Add(-time.Minute)}, "192.0.2.1 is heard, and does not hear this machine"},
	} {
		a, err := bfdAnswer(x, c.st, now)
		got := "up: " + a.Detail
		if err != nil {
			got = err.Error()
		}
		if got != c.want || strings.HasPrefix(c.want, "not asked") != errors.Is(err, ErrNotAsked) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
