package bfd

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// air is a Network of several hosts in memory. Datagrams wait at their listener until its reader comes, or Drain.
type air struct {
	mu    sync.Mutex
	ports map[netip.Addr]*port // by host
	cut   bool
	ttl   int
	hold  chan struct{} // open: readers stand still with what they have read
	fails error         // of Dial
}

type port struct {
	air   *air
	hear  func(Datagram)
	queue chan Datagram
	done  chan struct{}
}

func (n *air) set(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// host is the air as one host has it.
type host struct {
	*air
	addr netip.Addr
}

func (h *host) Listen(_, _ bool, hear func(Datagram)) (Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &port{air: h.air, hear: hear, queue: make(chan Datagram, 1000), done: make(chan struct{})}
	h.ports[h.addr] = p
	return p, nil
}

func (p *port) Run() {
	for {
		select {
		case <-p.done:
			return
		case d := <-p.queue:
			p.air.mu.Lock()
			hold := p.air.hold
			p.air.mu.Unlock()
			if hold != nil {
				<-hold
			}
			p.hear(d)
		}
	}
}

func (p *port) Drain() {
	for {
		select {
		case d := <-p.queue:
			p.hear(d)
		default:
			return
		}
	}
}

func (p *port) Close() error { close(p.done); return nil }

// toward is a socket of a session.
type toward struct {
	*host
	Path
}

func (h *host) Dial(p Path) (io.WriteCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails != nil {
		return nil, h.fails
	}
	return toward{h, p}, nil
}

func (w toward) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.ports[w.Peer]; p != nil && !w.cut {
		p.queue <- Datagram{Payload: append([]byte{}, b...), From: w.addr, To: w.Peer, TTL: w.ttl}
	}
	return len(b), nil
}

func (toward) Close() error { return nil }

var a, b = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

// speakers are two hosts that want a session with each other.
func speakers(t *testing.T, n *air) (sa, sb *Speaker, changes <-chan Path, stop func()) {
	t.Helper()
	news := make(chan Path, 100)
	sa = NewSpeaker(&host{air: n, addr: a}, func(p Path) { news <- p })
	sb = NewSpeaker(&host{air: n, addr: b}, func(Path) {})
	want := Want{Params: params}
	sa.Set(map[Path]Want{{Peer: b}: want})
	sb.Set(map[Path]Want{{Peer: a}: want})
	ctx, cancel := context.WithCancel(t.Context())
	var g sync.WaitGroup
	g.Go(func() { sa.Run(ctx) })
	g.Go(func() { sb.Run(ctx) })
	return sa, sb, news, func() { cancel(); g.Wait() }
}

func (x *Speaker) holds(t *testing.T, p Path, want State, why Diag) Status {
	t.Helper()
	synctest.Wait()
	st, ok := x.Status(p)
	if !ok || st.State != want || st.Diag != why {
		t.Fatalf("%+v, %v; want %v (%v)", st, ok, want, why)
	}
	return st
}

func TestSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &air{ports: map[netip.Addr]*port{}, ttl: 255}
		sa, sb, changes, stop := speakers(t, n)
		defer stop()
		pa, pb := Path{Peer: b}, Path{Peer: a}
		time.Sleep(3 * time.Second)
		if st := sa.holds(t, pa, Up, NoDiag); !st.WasUp || st.Detection != 180*time.Millisecond || st.Err != nil {
			t.Errorf("%+v", st)
		}
		sb.holds(t, pb, Up, NoDiag)
		for len(changes) > 0 {
			<-changes
		}

		cut := time.Now()
		n.set(func() { n.cut = true })
		if <-changes; time.Since(cut) > 180*time.Millisecond || time.Since(cut) < 120*time.Millisecond {
			t.Errorf("down after %v", time.Since(cut))
		}
		sa.holds(t, pa, Down, TimeExpired)
		n.set(func() { n.cut = false })
		time.Sleep(3 * time.Second)
		sa.holds(t, pa, Up, NoDiag)

		sb.Set(nil) // the neighbour switches it off, and says so
		sa.holds(t, pa, Down, NeighborDown)
		if st, _ := sa.Status(pa); st.Remote != AdminDown {
			t.Errorf("%+v", st)
		}
		sb.Set(map[Path]Want{pb: {Params: Params{Transmit: 20 * time.Millisecond, Receive: 20 * time.Millisecond, Multiplier: 5}}})
		time.Sleep(3 * time.Second)
		if st := sa.holds(t, pa, Up, NoDiag); st.Detection != 300*time.Millisecond {
			t.Errorf("%+v", st)
		}
	})
}

// TestSpeakerStarved is about a process that had no CPU: what waits in its sockets is heard before anyone is called dead.
func TestSpeakerStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &air{ports: map[netip.Addr]*port{}, ttl: 255}
		sa, _, changes, stop := speakers(t, n)
		defer stop()
		time.Sleep(3 * time.Second)
		sa.holds(t, Path{Peer: b}, Up, NoDiag)
		for len(changes) > 0 {
			<-changes
		}
		gate := make(chan struct{})
		n.set(func() { n.hold = gate })
		time.Sleep(time.Second)
		sa.holds(t, Path{Peer: b}, Up, NoDiag)
		n.set(func() { n.hold = nil })
		close(gate)
		time.Sleep(time.Second)
		sa.holds(t, Path{Peer: b}, Up, NoDiag)
		if len(changes) > 0 {
			t.Error("the session changed")
		}
	})
}

func TestSpeakerRefusesRouted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &air{ports: map[netip.Addr]*port{}, ttl: 254}
		sa, _, _, stop := speakers(t, n)
		defer stop()
		time.Sleep(10 * time.Second)
		if st := sa.holds(t, Path{Peer: b}, Down, NoDiag); st.WasUp || st.Detection != 0 {
			t.Errorf("a packet that has crossed a router counted: %+v", st)
		}
	})
}

func TestSpeakerTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := errors.New("no route")
		n := &air{ports: map[netip.Addr]*port{}, ttl: 255, fails: no}
		h := &host{air: n, addr: a}
		sa, sb := NewSpeaker(h, func(Path) {}), NewSpeaker(&host{air: n, addr: b}, func(Path) {})
		sa.Set(map[Path]Want{{Peer: b}: {Params: params}})
		sb.Set(map[Path]Want{{Peer: a}: {Params: params}})
		ctx, cancel := context.WithCancel(t.Context())
		var g sync.WaitGroup
		g.Go(func() { sa.Run(ctx) })
		g.Go(func() { sb.Run(ctx) })
		defer g.Wait()
		defer cancel()
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if st, _ := sa.Status(Path{Peer: b}); !errors.Is(st.Err, no) {
			t.Errorf("%+v", st)
		}
		n.set(func() { n.fails = nil })
		time.Sleep(5 * time.Second)
		if st := sa.holds(t, Path{Peer: b}, Up, NoDiag); st.Err != nil {
			t.Errorf("%+v", st)
		}
	})
}

// TestAdmits is about whose a datagram may be: RFC 5881 §5, RFC 5883 §4.
func TestAdmits(t *testing.T) {
	one := Path{Peer: b}
	well := Datagram{From: b, To: a, TTL: 255}
	link := Path{Peer: netip.MustParseAddr("fe80::2"), Interface: "eth0"}
	for _, c := range []struct {
		name string
		path Path
		min  uint8
		d    Datagram
		want bool
	}{
		{"well", one, 0, well, true},
		{"another peer", one, 0, Datagram{From: a, To: a, TTL: 255}, false},
		{"it has crossed a router", one, 0, Datagram{From: b, To: a, TTL: 254}, false},
		{"the port for several hops", one, 0, Datagram{From: b, To: a, TTL: 255, Multihop: true}, false},
		{"to another address than the source", Path{Peer: b, Source: b}, 0, well, false},
		{"to the source", Path{Peer: b, Source: a}, 0, well, true},
		{"several hops", Path{Peer: b, Multihop: true}, 250, Datagram{From: b, To: a, TTL: 250, Multihop: true}, true},
		{"too many hops", Path{Peer: b, Multihop: true}, 250, Datagram{From: b, To: a, TTL: 249, Multihop: true}, false},
		{"the link's", link, 0, Datagram{From: link.Peer, TTL: 255, Interface: "eth0"}, true},
		{"the same address on another link", link, 0, Datagram{From: link.Peer, TTL: 255, Interface: "eth1"}, false},
	} {
		if got := c.path.admits(c.d, Want{MinTTL: c.min}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestBoth(t *testing.T) {
	x := Want{Params{50 * time.Millisecond, 20 * time.Millisecond, 3, true}, 250}
	y := Want{Params{20 * time.Millisecond, 50 * time.Millisecond, 5, false}, 0}
	want := Want{Params{20 * time.Millisecond, 20 * time.Millisecond, 3, false}, 250}
	if x.Both(y) != want || y.Both(x) != want || x.Both(x) != x {
		t.Errorf("%+v, %+v", x.Both(y), y.Both(x))
	}
}
