package speak

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quorate/vip"
	"quorate/vip/vrrp"
	"quorate/vip/vrrp/vrrptest"
)

const sec = time.Second

var id51 = ID{"eth0", vrrp.IPv4, 51}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func router(v vrrp.VRID, fellows ...string) Router {
	return Router{ID: ID{"eth0", vrrp.IPv4, v}, Name: "VI", Config: vrrp.Config{
		VRID: v, Version: vrrp.V3, Priority: 200, Interval: sec, Mode: vrrp.Appointed, Preempt: true,
		Addresses: addrs("192.0.2.10"), Fellows: addrs(fellows...), Listed: addrs("192.0.2.5"),
	}}
}

// host is a node on a cable.
type host struct {
	*Speakers
	link      atomic.Pointer[vip.Link]
	live      atomic.Bool
	opened    atomic.Int32
	broken    atomic.Bool // no socket can be opened
	opening   sync.Mutex  // held: no socket has been opened yet
	ends      []*vrrptest.End
	unwrapped atomic.Bool // none for what is in authentication headers
	stuck     chan struct{}
	events    chan Event
}

func newHost(ctx context.Context, c *vrrptest.Cable, source string) *host {
	h := &host{events: make(chan Event, 100)}
	h.link.Store(&vip.Link{Name: "eth0", Index: 2, Up: true, Carrier: true, Primary: netip.MustParseAddr(source)})
	h.live.Store(true)
	h.Speakers = New(Options{
		Links: func() ([]vip.Link, error) {
			if l := h.link.Load(); l != nil {
				return []vip.Link{*l}, nil
			}
			return nil, nil
		},
		Open: func(o vrrp.ConnOptions) (Wire, error) {
			h.opening.Lock()
			defer h.opening.Unlock()
			if h.broken.Load() || o.AH && h.unwrapped.Load() {
				return (*vrrp.Conn)(nil), errors.New("no socket")
			}
			if !o.AH {
				h.opened.Add(1)
			}
			end := c.Open(o)
			h.ends = append(h.ends, end)
			return end, nil
		},
		Live: func(e uint64) bool { return e == 7 && h.live.Load() },
		Tell: func(e Event) { h.events <- e },
	})
	go h.Run(ctx)
	return h
}

// legacy is a router outside the cluster.
func legacy(ctx context.Context, c *vrrptest.Cable, p vrrp.Priority) *vrrp.Speaker {
	s := vrrp.NewSpeaker(vrrp.SpeakerOptions{Wire: c.Plug()})
	r := router(51)
	r.Config.Mode, r.Config.Anyone, r.Config.Listed, r.Config.Priority, r.Config.Source = vrrp.Elected, true, nil, p, netip.MustParseAddr("192.0.2.5")
	if err := s.Add(r.Config); err != nil {
		panic(err)
	}
	go s.Run(ctx)
	return s
}

// TestHandOver: the owner speaks, another one takes over without a word of the first, and the last one says that nobody has the addresses.
func TestHandOver(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a, b := newHost(ctx, c, "192.0.2.1"), newHost(ctx, c, "192.0.2.2")
		a.Want([]Router{router(51, "192.0.2.2")})
		b.Want([]Router{router(51, "192.0.2.1")})
		time.Sleep(sec)
		a.Speak(id51, 7)
		time.Sleep(3*sec + sec/2)
		if n := len(c.By("192.0.2.1", time.Time{})); n != 4 || !b.View(id51).Fellow {
			t.Errorf("%d adverts in 3.5 s; the other sees %+v", n, b.View(id51))
		}
		turn := time.Now()
		a.Silence(id51)
		synctest.Wait()
		b.Speak(id51, 7)
		time.Sleep(3*sec + sec/2)
		if n := len(c.By("192.0.2.1", turn)); n != 0 || len(c.By("192.0.2.2", turn)) != 4 {
			t.Errorf("the first said %d more, the second %d", n, len(c.By("192.0.2.2", turn)))
		}
		turn = time.Now()
		b.LastWord(id51)
		time.Sleep(5 * sec)
		if said := c.By("192.0.2.2", turn); len(said) != 1 || said[0].Priority != 0 || !said[0].At.Equal(turn) {
			t.Errorf("at the end it said %v", said)
		}
	})
}

// TestSilentAfterTheLease: the lease ends while nobody tells the Speaker, as in an agent that stands still and goes on: not one advert more, until it is held again.
func TestSilentAfterTheLease(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		a.Speak(id51, 7)
		time.Sleep(3*sec + sec/2)
		a.live.Store(false)
		turn := time.Now()
		time.Sleep(10 * sec)
		if n := len(c.By("192.0.2.1", turn)); n != 0 {
			t.Errorf("%d adverts without a lease", n)
		}
		if st := a.Status(); len(st) != 1 || st[0].Kept != 10 || st[0].Speaks {
			t.Errorf("status %+v", st)
		}
		a.Speak(id51, 8) // another epoch, which is not live
		a.live.Store(true)
		time.Sleep(2 * sec)
		if n := len(c.By("192.0.2.1", turn)); n != 0 {
			t.Errorf("%d adverts under an epoch that is not live", n)
		}
	})
}

// TestYields: a better claim silences the node within the advert; nothing is said while it lasts though the actuator wants it; when it ends, it is.
func TestYields(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		a.Speak(id51, 7)
		time.Sleep(2*sec + sec/2)
		n := legacy(ctx, c, 100)
		time.Sleep(5 * sec)
		if v := a.View(id51); v.Busy() || v.Yielded {
			t.Errorf("a backup router is seen as %+v", v)
		}
		_ = n.Tell(51, vrrp.Reprioritised, 220)
		for len(a.News()) > 0 {
			<-a.News()
		}
		time.Sleep(sec) // the backup of higher priority waits its time, and speaks
		for v := a.View(id51); !v.Yielded; v = a.View(id51) {
			<-a.News()
		}
		turn := time.Now()
		time.Sleep(10 * sec)
		if v := a.View(id51); len(c.By("192.0.2.1", turn)) > 0 || !v.Outranks || v.Active.Priority != 220 || v.Active.Source != addrs("192.0.2.5")[0] {
			t.Errorf("it said %v; it sees %+v", c.By("192.0.2.1", turn), v)
		}
		if err := n.Remove(51); err != nil {
			t.Fatal(err)
		}
		turn = time.Now()
		time.Sleep(5*sec + sec/2)
		if v := a.View(id51); v.Yielded || v.Busy() || len(c.By("192.0.2.1", turn)) != 6 {
			t.Errorf("when the other has ended it said %v, and sees %+v", c.By("192.0.2.1", turn), v)
		}
	})
}

// TestYieldWithoutSockets: a node that has yielded and hears nothing any more cannot know that the better claim is over: it counts for four intervals, as long as a
// router may be silent that is active, and then no more. One that hears again says that nobody is there when it has listened for as long.
func TestYieldWithoutSockets(t *testing.T) {
	yields := func(ctx context.Context, t *testing.T, c *vrrptest.Cable) (*host, *vrrp.Speaker) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		a.Speak(id51, 7)
		time.Sleep(5 * sec)
		n := legacy(ctx, c, 220)
		time.Sleep(5 * sec)
		if v := a.View(id51); !v.Yielded {
			t.Fatalf("it does not yield: %+v", v)
		}
		return a, n
	}
	lose := func(a *host) {
		a.broken.Store(true)
		a.link.Store(&vip.Link{Name: "eth0", Index: 3, Primary: addrs("192.0.2.1")[0]}) // a new one, on which no socket opens
		a.Look()
		synctest.Wait()
	}
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a, _ := yields(ctx, t, c)
		lose(a)
		time.Sleep(3*sec + sec/2)
		if v := a.View(id51); !v.Yielded || !v.Since.IsZero() {
			t.Errorf("just after it lost its sockets: %+v", v)
		}
		time.Sleep(2 * sec)
		if v := a.View(id51); v.Yielded {
			t.Errorf("long after it lost its sockets: %+v", v)
		}
	})
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a, n := yields(ctx, t, c)
		lose(a)
		if err := n.Remove(51); err != nil { // nobody hears that
			t.Fatal(err)
		}
		a.broken.Store(false)
		turn := time.Now()
		time.Sleep(sec + 3*sec + sec/2)
		if v := a.View(id51); !v.Yielded || v.Since.IsZero() || len(c.By("192.0.2.1", turn)) > 0 {
			t.Errorf("it listens again: %+v, and said %v", v, c.By("192.0.2.1", turn))
		}
		time.Sleep(2 * sec)
		if v := a.View(id51); v.Yielded || len(c.By("192.0.2.1", turn)) == 0 {
			t.Errorf("it has listened: %+v, and said %v", v, c.By("192.0.2.1", turn))
		}
	})
}

// TestYieldThatNobodySaw: a claim that was over before anybody looked silences this node for no longer than that.
func TestYieldThatNobodySaw(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		a.Speak(id51, 7)
		time.Sleep(5*sec + sec/3)
		other := router(51).Config
		other.Source, other.Listed, other.Mode = addrs("192.0.2.5")[0], nil, vrrp.Elected
		r, err := vrrp.NewRouter(other)
		if err != nil {
			t.Fatal(err)
		}
		end := c.Plug()
		turn := time.Now()
		for _, p := range []vrrp.Priority{100, 220, 100} { // it looks at the first, and not again for a moment
			if err := r.Compose(p, time.Now(), end.Send); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if v := a.View(id51); !v.Yielded || v.Speaks {
			t.Fatalf("it does not yield: %+v", v)
		}
		time.Sleep(2 * lookPause)
		if v := a.View(id51); !v.Speaks || v.Yielded || len(c.By("192.0.2.1", turn)) == 0 {
			t.Errorf("it is silent: %+v", v)
		}
	})
}

// TestLostAdverts: a master of which single adverts are lost is there all the while; one that ended without a word is gone after its Active_Down_Interval.
func TestLostAdverts(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		on, stop := context.WithCancel(ctx)
		legacy(on, c, 220)
		time.Sleep(5 * sec) // its Active_Down_Interval, and some adverts
		for range 8 {
			mend := c.Lose() // the next two
			time.Sleep(2 * sec)
			mend()
			if v := a.View(id51); !v.Outranks {
				t.Fatalf("two lost adverts, and it sees %+v", v)
			}
			time.Sleep(sec + sec/10)
		}
		since := a.View(id51).ActiveSince
		if time.Since(since) < 20*sec {
			t.Errorf("it is there since %s ago", time.Since(since))
		}
		stop()
		time.Sleep(4 * sec) // three adverts and the skew of priority 220, from its last
		if v := a.View(id51); v.Busy() {
			t.Errorf("when it is gone: %+v", v)
		}
	})
}

// TestFollowsTheLink: sockets follow a link that is made anew, the source follows its address, and what the actuator said stands.
func TestFollowsTheLink(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		a.Speak(id51, 7)
		time.Sleep(sec + sec/2)
		a.link.Store(&vip.Link{Name: "eth0", Index: 2, Primary: netip.MustParseAddr("192.0.2.3")})
		a.Look()
		turn := time.Now()
		time.Sleep(sec + sec/2)
		if n := len(c.By("192.0.2.3", turn)); n != 2 || len(c.By("192.0.2.1", turn)) != 0 || a.opened.Load() != 1 {
			t.Errorf("%d adverts from the new address, %d sockets", n, a.opened.Load())
		}
		a.link.Store(nil)
		a.Look()
		turn = time.Now()
		time.Sleep(5 * sec)
		if st := a.Status(); len(c.By("192.0.2.3", turn)) != 0 || st[0].Problem != "there is no link eth0" || !a.View(id51).Since.IsZero() {
			t.Errorf("without the link: %+v, view %+v", st, a.View(id51))
		}
		a.link.Store(&vip.Link{Name: "eth0", Index: 3, Primary: netip.MustParseAddr("192.0.2.3")})
		a.Look()
		turn = time.Now()
		time.Sleep(sec + sec/2)
		if n := len(c.By("192.0.2.3", turn)); n != 2 || a.opened.Load() != 2 {
			t.Errorf("%d adverts on the new link, %d sockets", n, a.opened.Load())
		}
		a.link.Store(&vip.Link{Name: "eth0", Index: 3})
		a.Look()
		synctest.Wait()
		if st := a.Status(); st[0].Problem != "eth0 has no IPv4 address to send from: give it one" {
			t.Errorf("without an address: %+v", st)
		}
	})
}

// TestGlobalAddressOfALink: what global addresses of IPv6 a link has matters to a router alone that sends beyond the link. Any other goes on: where routers elect, one that began anew
// would be silent for three intervals.
func TestGlobalAddressOfALink(t *testing.T) {
	for name, x := range map[string]struct {
		peers  []netip.Addr
		source string // it sends from
		anew   bool   // it begins anew, from another
	}{
		"multicast":           {nil, "fe80::1", false},
		"unicast on the link": {addrs("fe80::5"), "fe80::1", false},
		"unicast beyond it":   {addrs("2001:db8::5"), "2001:db8::1", true},
	} {
		t.Run(name, func(t *testing.T) {
			vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
				a := newHost(ctx, c, "192.0.2.1")
				at := func(global string) {
					a.link.Store(&vip.Link{Name: "eth0", Index: 2, LinkLocal: netip.MustParseAddr("fe80::1"), Own: addrs("192.0.2.1", global)})
					a.Look()
					synctest.Wait()
				}
				r := router(51)
				r.ID.Family, r.Config.Addresses, r.Config.Listed, r.Config.Peers = vrrp.IPv6, addrs("fe80::10"), x.peers, x.peers
				a.Want([]Router{r})
				at("2001:db8::1")
				a.Elect(r.ID, 7, 200)
				time.Sleep(5*sec + sec/2)
				turn := time.Now()
				if n := len(c.By(x.source, time.Time{})); n == 0 {
					t.Fatalf("it does not speak: %+v", a.Status())
				}
				at("2001:db8::2")
				st := a.Status()
				if on := st[0].State == vrrp.Active; on == x.anew || a.View(r.ID).Speaks != on {
					t.Errorf("it is %s", st[0].State)
				}
				time.Sleep(2 * sec)
				if !x.anew && len(c.By(x.source, turn)) != 2 {
					t.Errorf("%d adverts from %s in 2 s", len(c.By(x.source, turn)), x.source)
				}
				time.Sleep(5 * sec)
				if st := a.Status(); x.anew && (st[0].ActiveRouter.String() != "2001:db8::2" || len(c.By("2001:db8::2", turn)) == 0) {
					t.Errorf("in the end %+v", st)
				}
			})
		})
	}
}

// TestPeerIsThisNode: a router whose only peer has this node's address has nobody to speak to, and multicasts nothing to those who were not to hear it. When the address is another's, that is told.
func TestPeerIsThisNode(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.5")
		r := router(51)
		r.Config.Peers = r.Config.Listed
		a.Want([]Router{r})
		a.Speak(id51, 7)
		time.Sleep(5*sec + sec/2)
		st := a.Status()
		if n := len(c.By("192.0.2.5", time.Time{})); n > 0 || len(st) != 1 || st[0].State != vrrp.Active || st[0].Sent != 0 || st[0].Problem != "its only peer is this node itself, so that it speaks to nobody" {
			t.Errorf("%d adverts; %+v", n, st)
		}
		a.LastWord(id51)
		time.Sleep(sec)
		a.Speak(id51, 7)
		if st := a.Status(); st[0].LastWords != 0 || len(c.By("192.0.2.5", time.Time{})) > 0 {
			t.Errorf("in the end %+v", st)
		}
		a.link.Store(&vip.Link{Name: "eth0", Index: 2, Primary: netip.MustParseAddr("192.0.2.1")})
		a.Look()
		time.Sleep(sec + sec/2)
		if said := c.By("192.0.2.1", time.Time{}); len(said) != 2 || said[0].To != addrs("192.0.2.5")[0] || a.Status()[0].Problem != "" {
			t.Errorf("said %v; %+v", said, a.Status())
		}
	})
}

// TestRemovedRouter: a router that is configured no more stays until its last word is said, and no longer.
func TestRemovedRouter(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51), router(52)})
		a.Speak(id51, 7)
		time.Sleep(sec + sec/2)
		a.Want([]Router{router(52)})
		time.Sleep(sec)
		a.LastWord(id51)
		time.Sleep(10 * sec)
		said := c.By("192.0.2.1", time.Time{})
		if last := said[len(said)-1]; last.Priority != 0 || len(said) != 4 {
			t.Errorf("said %v", said)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.want) != 1 || len(a.voices) != 1 || a.want[id51] != nil {
			t.Errorf("it still has %d routers", len(a.want))
		}
	})
}

// TestSocketThatHangs: nobody waits for a socket that takes nothing, but the line. In real time: who waits for a mutex is not idle in virtual time.
func TestSocketThatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &vrrptest.Cable{}
	a := &host{stuck: make(chan struct{})}
	begun := make(chan struct{}, 1)
	a.Speakers = New(Options{
		Links: func() ([]vip.Link, error) {
			return []vip.Link{{Name: "eth0", Index: 2, Primary: netip.MustParseAddr("192.0.2.1")}}, nil
		},
		Open: func(o vrrp.ConnOptions) (Wire, error) {
			e := c.Open(o)
			e.Stuck, e.Begun = a.stuck, begun
			return e, nil
		},
		Live: func(uint64) bool { return true },
	})
	ended := make(chan struct{})
	go func() { defer close(ended); a.Run(ctx) }()
	a.Want([]Router{router(51)})
	a.Speak(id51, 7)
	<-begun // its advert is stuck
	a.View(id51)
	a.Speak(id51, 8)
	a.Silence(id51)
	a.LastWord(id51)
	a.Want(nil)
	if len(c.By("192.0.2.1", time.Time{})) != 0 {
		t.Error("the test's socket does not hang")
	}
	close(a.stuck)
	cancel()
	<-ended
}

// slow is an end whose reader takes a second to see that it is to stop.
type slow struct {
	*vrrptest.End
	closed func()
}

func (s slow) Receive() ([]vrrp.Datagram, error) {
	got, err := s.End.Receive()
	if err != nil {
		time.Sleep(sec)
	}
	return got, err
}

func (s slow) Close() error {
	s.closed()
	return s.End.Close()
}

// TestLinesEndTogether: nobody waits for the sockets of one line to close before the next one is told.
func TestLinesEndTogether(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		var closed []time.Time
		var mu sync.Mutex
		names := []string{"eth0", "eth1", "eth2"}
		s := New(Options{
			Links: func() (links []vip.Link, err error) {
				for i, name := range names {
					links = append(links, vip.Link{Name: name, Index: 2 + i, Primary: addrs("192.0.2.1")[0]})
				}
				return links, nil
			},
			Open: func(o vrrp.ConnOptions) (Wire, error) {
				if o.AH {
					return nil, errors.New("no socket")
				}
				return slow{c.Open(o), func() { mu.Lock(); defer mu.Unlock(); closed = append(closed, time.Now()) }}, nil
			},
			Live: func(uint64) bool { return true },
		})
		go s.Run(ctx)
		var routers []Router
		for _, name := range names {
			r := router(51)
			r.ID.Link = name
			routers = append(routers, r)
		}
		s.Want(routers)
		time.Sleep(sec)
		turn := time.Now()
		s.Want(nil)
		time.Sleep(10 * sec)
		mu.Lock()
		defer mu.Unlock()
		if len(closed) != len(names) || closed[0].Sub(turn) != sec || closed[2].Sub(turn) != sec {
			t.Errorf("told at %v, they are closed at %v", turn, closed)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.lines) != 0 {
			t.Errorf("%d lines are left", len(s.lines))
		}
	})
}

// TestTellsDifferences with what they lead to, and the cure.
func TestTellsDifferences(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		r := router(51)
		r.Config.Version = vrrp.V2
		a.Want([]Router{r})
		legacy(ctx, c, 100)
		time.Sleep(10 * sec)
		e := <-a.events
		if e.Kind != Differs || e.Difference != vrrp.VersionDiffers || e.Role != vrrp.Listed || e.Text != "vrid 51: router 192.0.2.5 speaks version 3 and we 2: each is deaf to the other, and both would be active; set the same version" {
			t.Errorf("told %+v", e)
		}
		if v := a.View(id51); v.Deaf != addrs("192.0.2.5")[0] || v.Active.Source.IsValid() || !v.Busy() {
			t.Errorf("it sees %+v", v)
		}
		st := a.Status()
		if len(st) != 1 || len(st[0].Explained) != 1 || len(st[0].Explained[0]) != 1 || time.Since(st[0].Heard[0]) > sec {
			t.Errorf("status %+v", st)
		}
	})
}

// TestExplainsAsItTells: status says of a router that does not sign what the event said, and that we do.
func TestExplainsAsItTells(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		r := router(51)
		r.Keys = []vrrp.Key{{ID: 7, Secret: bytes.Repeat([]byte{0x5a}, 32)}}
		a.Want([]Router{r})
		legacy(ctx, c, 100)
		time.Sleep(10 * sec)
		e := <-a.events
		st := a.Status()
		if len(st) != 1 || len(st[0].Explained) != 1 || !slices.Equal(st[0].Explained[0], []string{e.Text}) || !strings.Contains(e.Text, "(it signs: false, we: true;") {
			t.Errorf("told %q, status %+v", e.Text, st)
		}
	})
}

// TestStatusOfWhoCannotSend: of two routers on a link the status names the one whose adverts do not leave, and counts those of the other.
func TestStatusOfWhoCannotSend(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		c.Bar(errors.New("no route to 192.0.2.5"), addrs("192.0.2.5")...)
		a := newHost(ctx, c, "192.0.2.1")
		works, fails := router(51), router(52)
		works.Name, fails.Name, fails.Config.Peers = "A", "B", addrs("192.0.2.5")
		a.Want([]Router{works, fails})
		a.Speak(works.ID, 7)
		a.Speak(fails.ID, 7)
		time.Sleep(3*sec + sec/2)
		st := a.Status()
		if len(st) != 2 || st[0].Problem != "" || st[1].Problem != "no route to 192.0.2.5" || st[0].Sent != 4 || st[1].Sent != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

// TestUnread: what the sockets of a line could not take is counted, also of the one that only names others, and of those that it had before.
func TestUnread(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		synctest.Wait()
		unread := func(want uint64) {
			t.Helper()
			if st := a.Status(); len(st) != 1 || st[0].Unread != want {
				t.Errorf("unread are %d, want %d", st[0].Unread, want)
			}
		}
		unread(0)
		a.ends[0].Missed.Store(3)
		unread(3)
		a.ends[1].Missed.Store(40) // in authentication headers
		unread(43)
		a.link.Store(&vip.Link{Name: "eth0", Index: 3, Primary: addrs("192.0.2.1")[0]})
		a.Look()
		synctest.Wait()
		if len(a.ends) != 4 {
			t.Fatalf("%d sockets", len(a.ends))
		}
		unread(43)
		a.ends[3].Missed.Store(500)
		unread(543)
		a.link.Store(nil)
		a.Look()
		synctest.Wait()
		unread(543)
	})
}

// TestSpeakAfterAFreeze: the lease is gone and back within a moment, and in that moment a better router is heard, of which whoever gave the order does not know yet. Nothing is said
// beside it; once it is silent, what was ordered is done.
func TestSpeakAfterAFreeze(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		time.Sleep(sec)
		a.Speak(id51, 7)
		time.Sleep(3*sec + sec/2)
		better := router(51).Config
		better.Mode, better.Anyone, better.Listed, better.Source = vrrp.Elected, true, nil, netip.MustParseAddr("192.0.2.5")
		r, err := vrrp.NewRouter(better)
		if err != nil {
			t.Fatal(err)
		}
		turn := time.Now()
		a.Silence(id51)
		synctest.Wait()
		if err := r.Compose(250, time.Now(), c.Plug().Send); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		a.Speak(id51, 7)
		time.Sleep(2 * sec)
		if said := c.By("192.0.2.1", turn); len(said) != 0 || !a.View(id51).Outranks {
			t.Errorf("beside a better router it said %v, and sees %+v", said, a.View(id51))
		}
		time.Sleep(4 * sec)
		if len(c.By("192.0.2.1", turn)) == 0 {
			t.Error("after the other has fallen silent it says nothing")
		}
	})
}

// saying sends the adverts of a router in authentication headers, until ctx ends.
func saying(ctx context.Context, t *testing.T, c *vrrptest.Cable, config vrrp.Config) {
	t.Helper()
	r, err := vrrp.NewRouter(config)
	if err != nil {
		t.Fatal(err)
	}
	end := c.Plug()
	go func() {
		for ctx.Err() == nil {
			_ = r.Compose(config.Priority, time.Now(), func(packet []byte, to netip.Addr) error { return end.Send(vrrptest.Wrap(packet), to) })
			select {
			case <-ctx.Done():
			case <-time.After(config.Interval):
			}
		}
	}()
}

// TestNamesThoseInAuthenticationHeaders, listed or not, once and with the cure. Whatever they claim, the owner goes on: nobody verifies who says it.
func TestNamesThoseInAuthenticationHeaders(t *testing.T) {
	for name, x := range map[string]struct {
		source  string
		version vrrp.Version
		role    vrrp.Role
		deaf    string
	}{
		"listed":                          {"192.0.2.5", vrrp.V2, vrrp.Listed, "192.0.2.5"},
		"listed, where version 3 is ours": {"192.0.2.5", vrrp.V3, vrrp.Listed, "192.0.2.5"},
		"a stranger":                      {"192.0.2.66", vrrp.V2, vrrp.Stranger, ""},
	} {
		t.Run(name, func(t *testing.T) {
			vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
				a := newHost(ctx, c, "192.0.2.1")
				r := router(51, "192.0.2.2")
				r.Config.Version = x.version
				a.Want([]Router{r})
				a.Speak(id51, 7)
				time.Sleep(sec / 2)
				theirs := router(51).Config
				theirs.Version, theirs.Priority, theirs.Source = vrrp.V2, 254, netip.MustParseAddr(x.source)
				saying(ctx, t, c, theirs)
				theirs.VRID = 52 // of no router of ours
				saying(ctx, t, c, theirs)
				theirs.VRID, theirs.Source = 51, netip.MustParseAddr("192.0.2.2") // in the name of another node
				saying(ctx, t, c, theirs)
				time.Sleep(10*sec + sec/4)
				v := a.View(id51)
				if v.Active.Source.IsValid() || v.Outranks || v.Yielded || v.Fellow || !v.Led.IsZero() || !v.Speaks || len(c.By("192.0.2.1", time.Time{})) != 11 {
					t.Errorf("it sees %+v, and said %v", v, c.By("192.0.2.1", time.Time{}))
				}
				if deaf := v.Deaf; deaf.IsValid() != (x.deaf != "") || deaf.IsValid() && deaf.String() != x.deaf {
					t.Errorf("deaf to us is %s", deaf)
				}
				var told []Event
				for len(a.events) > 0 {
					if e := <-a.events; e.Kind == Alarmed || e.Difference == vrrp.AuthDiffers {
						told = append(told, e)
					}
				}
				cure := "vrid 51: router " + x.source + " wraps its adverts in the IP authentication header, which we do not speak: each is deaf to the other, and both would be active; set auth_type PASS there, or none, and the same here"
				if len(told) != 1 || told[0].Role != x.role || told[0].Text != cure {
					t.Errorf("told %+v", told)
				}
				st := a.Status()
				if len(st) != 1 || st[0].Counts[vrrp.InAH] != 22 || st[0].Counts[vrrp.Accepted] != 0 || len(st[0].Neighbours) != 1 || st[0].Neighbours[0].Auth != vrrp.AuthHeader ||
					st[0].Neighbours[0].Interval != sec || st[0].Heeded[0] || !slices.Contains(st[0].Explained[0], cure) {
					t.Errorf("status %+v", st)
				}
			})
		})
	}
}

// TestSpeaksWithoutAuthenticationHeaders: a socket that only names others is no condition of the rest.
func TestSpeaksWithoutAuthenticationHeaders(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.unwrapped.Store(true)
		a.Want([]Router{router(51)})
		a.Speak(id51, 7)
		time.Sleep(2*sec + sec/2)
		if n := len(c.By("192.0.2.1", time.Time{})); n != 3 {
			t.Errorf("it said %d, and %+v", n, a.Status())
		}
	})
}

// TestInvalidAnew: a router that is stated anew so that it cannot be does not go on as it was, says no last word, for its address may be open still, and is heard no
// more; when it can be again, it speaks as before.
func TestInvalidAnew(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.Want([]Router{router(51)})
		a.Speak(id51, 7)
		time.Sleep(sec + sec/2)
		if h := a.Heard(); len(h) != 1 || h[0].Problem != "" || len(c.By("192.0.2.1", time.Time{})) == 0 {
			t.Fatalf("it does not speak: %+v", h)
		}
		bad := router(51)
		bad.Config.Priority = vrrp.Owner
		a.Want([]Router{bad})
		time.Sleep(5 * sec)
		if h := a.Heard(); len(c.By("192.0.2.1", time.Time{})) != 2 || len(h) != 1 || !strings.Contains(h[0].Problem, "priority 255") || !a.View(id51).Since.IsZero() || a.View(id51).Speaks {
			t.Errorf("when it cannot be: it said %v, hears %+v, view %+v", c.By("192.0.2.1", time.Time{}), h, a.View(id51))
		}
		a.Want([]Router{router(51)})
		time.Sleep(sec + sec/2)
		for len(a.News()) > 0 {
			<-a.News()
		}
		a.Want([]Router{bad})
		synctest.Wait()
		if len(a.News()) != 1 {
			t.Error("nobody is told that it is not heard any more")
		}
		turn := time.Now()
		a.Want([]Router{router(51)})
		time.Sleep(sec + sec/2)
		if h := a.Heard(); len(c.By("192.0.2.1", turn)) != 2 || h[0].Problem != "" || a.opened.Load() != 1 {
			t.Errorf("when it can: %d adverts, hears %+v", len(c.By("192.0.2.1", turn)), h)
		}
		a.Want([]Router{bad})
		synctest.Wait()
		a.LastWord(id51)
		synctest.Wait()
		if a.unsaid() {
			t.Error("a last word waits that nobody can say")
		}
		a.Want(nil)
		time.Sleep(sec)
		if st := a.Status(); len(st) > 0 {
			t.Errorf("it is not forgotten: %+v", st)
		}
	})
}

// TestHeard: why a router is neither heard nor spoken for, or nothing.
func TestHeard(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		a := newHost(ctx, c, "192.0.2.1")
		a.broken.Store(true)
		a.opening.Lock()
		a.Want([]Router{router(51)})
		if h := a.Heard(); len(h) != 1 || h[0].Problem != opening || h[0].ID != id51 {
			t.Errorf("at first: %+v", h)
		}
		a.opening.Unlock()
		time.Sleep(5 * sec)
		if h := a.Heard(); h[0].Problem != "no socket" {
			t.Errorf("without sockets: %+v", h)
		}
		a.broken.Store(false)
		time.Sleep(2 * sec)
		if h := a.Heard(); h[0].Problem != "" {
			t.Errorf("with sockets: %+v", h)
		}
		a.Want(nil)
		if h := a.Heard(); len(h) != 0 {
			t.Errorf("nothing wanted: %+v", h)
		}
	})
}
