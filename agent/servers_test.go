package agent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/fsm"
	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// countedPlane is a model kernel that counts connections of servers.
type countedPlane struct {
	*lvstest.Model
	mu      sync.Mutex
	batches int                             // calls that changed something
	count   map[netip.AddrPort]lvs.Counters // nil: this plane does not count
}

func (p *countedPlane) Name() string { return "ipvs" }

func (p *countedPlane) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	st, err := p.Model.Reconcile(scope, want)
	p.mu.Lock()
	defer p.mu.Unlock()
	if st.Changed > 0 {
		p.batches++
	}
	for _, s := range st.Services {
		for i := range s.Destinations {
			if p.count != nil {
				c := p.count[s.Destinations[i].Addr]
				s.Destinations[i].Counters = &c
			}
		}
	}
	return st, err
}

func (p *countedPlane) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	st, err := p.Reconcile(scope, want)
	return st.Changed, err
}

func (p *countedPlane) batch() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.batches
}

func (p *countedPlane) set(server netip.AddrPort, active, inactive int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count[server] = lvs.Counters{Active: active, Inactive: inactive}
}

// serverBed is n1, which owns a VIP with a service.
type serverBed struct {
	*world
	t          *testing.T
	plane      *countedPlane
	remembered []lvs.Connection // by the kernel, whatever it counts
	reads      int              // of those
	unreadable error
}

func (b *serverBed) remember() (iter.Seq2[lvs.Connection, error], error) {
	b.plane.mu.Lock()
	defer b.plane.mu.Unlock()
	b.reads++
	return func(yield func(lvs.Connection, error) bool) {
		for _, c := range b.remembered {
			if !yield(c, nil) {
				return
			}
		}
	}, b.unreadable
}

func (b *serverBed) remembers(err error, cs ...lvs.Connection) {
	b.plane.mu.Lock()
	defer b.plane.mu.Unlock()
	b.remembered, b.unreadable, b.reads = cs, err, 0
}

func backend80(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), 80)
}

func serverKeyOf(n int) fsm.ServerKey { return fsm.ServerKey{Service: "web", Address: backend80(n)} }

// newServerBed has three servers of weight 100, all up.
func newServerBed(t *testing.T, change func(*fsm.Service)) *serverBed {
	b := &serverBed{world: newWorld(), t: t, plane: &countedPlane{Model: &lvstest.Model{}, count: map[netip.AddrPort]lvs.Counters{}}}
	caps := b.plane.Capabilities()
	caps.Plane = "ipvs"
	b.plane.Limit(caps)
	b.model = b.plane
	b.form(t)
	svc := fsm.Service{Name: "web", VIP: "web", Port: 80, Protocol: fsm.TCP, Scheduler: "wrr", Forward: fsm.NAT,
		Checks: []fsm.Check{{Type: fsm.CheckTCP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}}}
	for n := range 3 {
		svc.Servers = append(svc.Servers, fsm.Server{Address: backend80(n + 1), Weight: 100})
	}
	change(&svc)
	cfg := b.State().Config
	b.do(fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: cfg.Settings, VIPs: cfg.VIPs, Services: map[string]fsm.Service{"web": svc}}}})
	b.assign(t, "n1", 0)
	b.lease(b.State().Nodes["n1"].Epoch, true)
	b.verdicts(fsm.Up, 1, 2, 3)
	return b
}

func (b *serverBed) do(c fsm.Command) {
	c.At = time.Now()
	b.apply(b.t, c)
}

func (b *serverBed) verdicts(v fsm.Verdict, servers ...int) {
	var vs []fsm.ServerVerdict
	for _, n := range servers {
		vs = append(vs, fsm.ServerVerdict{Server: serverKeyOf(n), Verdict: v})
	}
	b.do(fsm.Command{SetHealth: &fsm.SetHealth{Verdicts: vs}})
}

func (b *serverBed) admin(n int, a fsm.Admin) {
	b.do(fsm.Command{SetAdmin: &fsm.SetAdmin{Server: serverKeyOf(n), Admin: a}})
}

// weights are those in the kernel, like "1:100 2:10".
func (b *serverBed) weights() string {
	synctest.Wait()
	var out []string
	for _, s := range b.plane.Table() {
		for _, d := range s.Destinations {
			out = append(out, fmt.Sprintf("%d:%d", d.Addr.Addr().As4()[3], d.Weight))
		}
	}
	return strings.Join(out, " ")
}

func (b *serverBed) want(what, weights string) {
	b.t.Helper()
	if got := b.weights(); got != weights {
		b.t.Fatalf("%s: the kernel has %q, want %q", what, got, weights)
	}
}

// A server that comes back gets its weight second by second.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newServerBed(t, func(s *fsm.Service) { s.SlowStart = 10 * time.Second })
		b.start(t)
		time.Sleep(100 * time.Millisecond)
		b.want("the first ones come at once", "1:100 2:100 3:100")
		b.verdicts(fsm.Down, 3)
		time.Sleep(time.Second)
		b.want("it is down", "1:100 2:100")
		b.verdicts(fsm.Up, 3)
		for i := range 10 {
			b.want(fmt.Sprint("step ", i), fmt.Sprintf("1:100 2:100 3:%d", 10+9*i))
			time.Sleep(time.Second - time.Millisecond)
			b.want(fmt.Sprint("just before the end of step ", i), fmt.Sprintf("1:100 2:100 3:%d", 10+9*i))
			time.Sleep(time.Millisecond)
		}
		b.want("it is over", "1:100 2:100 3:100")
		b.plane.Changes()
		time.Sleep(time.Minute)
		if more := b.plane.Changes(); len(more) > 0 {
			t.Errorf("and then: %v", more)
		}
	})
}

// It goes on where it was after a restart of the agent, and neither another server nor another configuration begins it anew.
func TestSlowStartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newServerBed(t, func(s *fsm.Service) { s.SlowStart = 10 * time.Second })
		b.verdicts(fsm.Down, 3)
		stop := b.start(t)
		time.Sleep(time.Second)
		b.verdicts(fsm.Up, 3)
		time.Sleep(2500 * time.Millisecond)
		b.want("at first", "1:100 2:100 3:28")
		stop()
		time.Sleep(time.Second)
		b.start(t)
		time.Sleep(100 * time.Millisecond)
		b.want("after a restart", "1:100 2:100 3:37")
		b.verdicts(fsm.Down, 2)
		b.want("another one is down", "1:100 3:37")
		cfg := b.State().Config
		svc := cfg.Services["web"]
		svc.Scheduler = "wlc"
		b.do(fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: cfg.Settings, VIPs: cfg.VIPs, Services: map[string]fsm.Service{"web": svc}}}})
		b.want("configured", "1:100 3:37")
		time.Sleep(time.Second)
		b.verdicts(fsm.Up, 2)
		b.want("another one is back", "1:100 2:10 3:46")
		b.verdicts(fsm.Down, 1, 2)
		b.want("nobody else is left", "3:100")
		b.verdicts(fsm.Up, 1)
		b.want("the next one is", "1:10 3:46")
	})
}

// The clocks of the leader and of this node may differ by any time: what comes back while this node looks comes back now. Only a restart
// goes by the clock on the wall, and makes it no longer than once more.
func TestSlowStartWithOtherClocks(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			b := newServerBed(t, func(s *fsm.Service) { s.SlowStart = 10 * time.Second })
			stop := b.start(t)
			b.verdicts(fsm.Down, 3)
			time.Sleep(time.Second)
			b.apply(t, fsm.Command{At: time.Now().Add(off), SetHealth: &fsm.SetHealth{Verdicts: []fsm.ServerVerdict{{Server: serverKeyOf(3), Verdict: fsm.Up}}}})
			b.want("back", "1:100 2:100 3:10")
			time.Sleep(5 * time.Second)
			b.want("on its way", "1:100 2:100 3:55")
			stop()
			b.start(t)
			time.Sleep(100 * time.Millisecond)
			want := map[bool]string{true: "1:100 2:100 3:10", false: "1:100 2:100 3:100"}[off > 0]
			b.want("after a restart", want)
			time.Sleep(10 * time.Second)
			b.want("at the end", "1:100 2:100 3:100")
		})
	}
}

// A quorum that is lost and met again is one batch each, in the order that never leaves the service without a usable server.
func TestQuorumIsOneBatch(t *testing.T) {
	for _, inhibit := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newServerBed(t, func(s *fsm.Service) {
				s.Quorum, s.Inhibit, s.Sorry = 200, inhibit, &fsm.Server{Address: backend80(9), Weight: 7}
			})
			b.start(t)
			time.Sleep(100 * time.Millisecond)
			b.want("met", "1:100 2:100 3:100")
			b.admin(3, fsm.Disabled)
			b.want("disabled", "1:100 2:100")
			for _, x := range []struct {
				verdict fsm.Verdict
				plain   string
				inhibit string
			}{{fsm.Down, "9:1", "1:0 2:0 9:1"}, {fsm.Up, "1:100 2:100", "1:100 2:100"}} {
				before := b.plane.Table()
				synctest.Wait()
				b.plane.Changes()
				batch := b.plane.batch()
				b.verdicts(x.verdict, 2)
				b.want(string(x.verdict), map[bool]string{false: x.plain, true: x.inhibit}[inhibit])
				time.Sleep(10 * time.Second)
				if n := b.plane.batch() - batch; n != 1 {
					t.Errorf("it took %d batches", n)
				}
				var kernel lvstest.Model
				kernel.Put(before[0])
				for _, c := range b.plane.Changes() {
					if kernel.Carry(c); !kernel.Table()[0].Usable() {
						t.Errorf("after %v nobody takes new connections", c)
					}
				}
			}
		})
	}
}

// watch runs n1's drainWatch.
func (b *serverBed) watch() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	w := &drainWatch{self: "n1", view: worldView{b.world}, live: worldLease{b.world}.Live, look: b.actuator.plane.found, list: b.remember,
		propose: func(_ context.Context, c fsm.Command) (fsm.Result, error) { b.do(c); return fsm.Result{}, nil }, log: slog.New(slog.DiscardHandler)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	b.t.Cleanup(stop)
	return stop
}

// drained waits until server n is disabled, and fails unless that is after d, give or take two looks.
func (b *serverBed) drained(n int, d time.Duration) {
	b.t.Helper()
	began := time.Now()
	for b.State().Servers[serverKeyOf(n)].Admin == fsm.Drain && time.Since(began) < time.Hour {
		time.Sleep(100 * time.Millisecond)
	}
	st := b.State().Servers[serverKeyOf(n)]
	if took := time.Since(began); took < d || took > d+2*drainLook+200*time.Millisecond || st.Admin != fsm.Disabled || st.Why != fsm.ReasonDrained {
		b.t.Fatalf("the drain ended after %v, want %v: %+v", took, d, st)
	}
}

// A drain ends when the last connection has been gone for five seconds, on whatever agent looks then; what is not established any more does not
// count for TCP.
func TestDrainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newServerBed(t, func(*fsm.Service) {})
		stop := b.start(t)
		b.watch()
		b.plane.set(backend80(2), 2, 5)
		b.admin(2, fsm.Drain)
		b.want("drained", "1:100 2:0 3:100")
		time.Sleep(time.Minute)
		b.want("it has connections", "1:100 2:0 3:100")
		b.plane.set(backend80(2), 0, 5)
		time.Sleep(3 * time.Second)
		b.plane.set(backend80(2), 1, 5) // one that came over from another director
		time.Sleep(3 * time.Second)
		stop()
		b.start(t)
		b.watch()
		b.plane.set(backend80(2), 0, 5)
		b.drained(2, drainQuiet)
		b.want("it is out", "1:100 3:100")
		b.admin(2, fsm.Enabled)
		b.want("and back", "1:100 2:100 3:100")
		b.admin(2, fsm.Drain) // without any connection
		b.drained(2, drainQuiet)
	})
}

// What was found before the last connection went, or by one and the same look, ends nothing.
func TestDrainTakesTwoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newServerBed(t, func(*fsm.Service) {})
		b.admin(2, fsm.Drain)
		zero := 0
		key := lvs.Service{Addr: web.Addr, Port: 80, Protocol: lvs.TCP}.Key()
		found, pass := lvs.Status{Services: []lvs.ServiceStatus{{Key: key, Destinations: []lvs.DestinationStatus{
			{Addr: backend80(2), Want: &zero, Have: &zero, Counters: &lvs.Counters{}}}}}}, uint64(7)
		w := &drainWatch{self: "n1"}
		over := func() int {
			s := b.State()
			return len(w.over(s, s.DrainingOn("n1"), found, pass))
		}
		for range 3 {
			if n := over(); n != 0 {
				t.Fatalf("%d drains end by one look", n)
			}
			time.Sleep(drainQuiet)
		}
		pass++
		if n := over(); n != 1 {
			t.Errorf("%d drains end after another look", n)
		}
	})
}

// Of UDP every connection counts that the kernel remembers.
func TestDrainOfUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newServerBed(t, func(s *fsm.Service) { s.Protocol = fsm.UDP })
		b.start(t)
		b.watch()
		b.plane.set(backend80(1), 0, 1)
		b.admin(1, fsm.Drain)
		time.Sleep(time.Minute)
		b.want("it has a connection", "1:0 2:100 3:100")
		b.plane.set(backend80(1), 0, 0)
		b.drained(1, drainQuiet)
	})
}

// A connection that came from another director is not counted by the kernel until a packet of it comes: it is found among those that the kernel
// remembers, and keeps the server in the table. What has ended does not, nor what is another server's or service's.
func TestDrainWaitsForWhatIsNotCounted(t *testing.T) {
	virtual := netip.MustParseAddrPort("192.0.2.10:80")
	conn := lvs.Connection{Protocol: "tcp", Client: netip.MustParseAddrPort("198.51.100.1:5000"), Virtual: virtual, Server: backend80(2), State: "ESTABLISHED", Origin: lvs.OriginSync}
	ended, other, elsewhere, bound := conn, conn, conn, conn
	ended.State, other.Server, elsewhere.Virtual, bound.Template = "TIME_WAIT", backend80(1), netip.MustParseAddrPort("192.0.2.10:81"), true
	synctest.Test(t, func(t *testing.T) {
		b := newServerBed(t, func(*fsm.Service) {})
		b.start(t)
		b.remembers(nil, ended, other, elsewhere, bound, conn)
		b.watch()
		b.admin(2, fsm.Drain)
		time.Sleep(time.Minute)
		b.want("it has a connection that nobody counts", "1:100 2:0 3:100")
		if b.reads < 5 || b.reads > 12 {
			t.Errorf("the connections were read %d times in a minute", b.reads)
		}
		b.remembers(errors.New("no /proc"), ended)
		time.Sleep(time.Minute)
		b.want("nobody knows", "1:100 2:0 3:100")
		b.remembers(nil, ended, other, elsewhere, bound)
		time.Sleep(drainQuiet + 2*drainLook)
		b.want("it is out", "1:100 3:100")
	})
}

// Nobody ends a drain who does not know: a node without its lease, one that was asked to release the VIP, a data plane that does not count.
func TestDrainIsEndedByWhoKnows(t *testing.T) {
	for name, spoil := range map[string]func(b *serverBed){
		"no lease":  func(b *serverBed) { b.lease(b.State().Nodes["n1"].Epoch, false) },
		"released":  func(b *serverBed) { b.release(b.t, "n2") },
		"uncounted": func(b *serverBed) { b.plane.mu.Lock(); defer b.plane.mu.Unlock(); b.plane.count = nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newServerBed(t, func(*fsm.Service) {})
				b.start(t)
				b.watch()
				time.Sleep(time.Second)
				spoil(b)
				b.admin(2, fsm.Drain)
				time.Sleep(time.Minute)
				if st := b.State().Servers[serverKeyOf(2)]; st.Admin != fsm.Drain {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}
