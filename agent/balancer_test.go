package agent

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/lvs"
)

// TestTrafficOf: services are found in the kernel by what they take, also by firewall mark, and what no kernel has is said.
func TestTrafficOf(t *testing.T) {
	vip := netip.MustParseAddr("192.0.2.10")
	local := func(s fsm.Service) fsm.LocalService {
		return fsm.LocalService{Service: s, On: []string{s.VIP}, Addrs: []netip.Addr{vip}, Mark: s.Mark}
	}
	all := []fsm.LocalService{
		local(fsm.Service{Name: "absent", Port: 81, Protocol: fsm.TCP}),
		local(fsm.Service{Name: "marked", Mark: 7}),
		local(fsm.Service{Name: "web", Port: 80, Protocol: fsm.TCP}),
	}
	one, two := 1, 2
	web, marked := lvs.Service{Addr: vip, Port: 80, Protocol: lvs.TCP}, lvs.Service{Addr: vip, Mark: 7}
	table := lvs.Status{Services: []lvs.ServiceStatus{
		{Key: marked.Key(), Want: &marked, Have: &marked, Connections: 5},
		{Key: web.Key(), Want: &web, Have: &web, Note: "as wrr", Err: "no", Connections: 100, Traffic: lvs.Traffic{InBytes: 9, OutByteRate: 3}, Destinations: []lvs.DestinationStatus{
			{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Want: &one, Have: &two, Counters: &lvs.Counters{Active: 3, Inactive: 4, Persistent: 1, Connections: 60}},
			{Addr: netip.MustParseAddrPort("10.0.0.2:80"), Have: &one, Counters: &lvs.Counters{Active: 2, Inactive: 1, Connections: 40}},
		}},
	}}
	at := time.Unix(1000, 0)
	got := trafficOf("n1", "ipvs", at, all, []lvs.Service{web, marked}, table, api.TrafficQuery{Servers: true})
	if len(got) != 3 || got[0].Present || got[0].Wanted || got[0].Problem == "" || !got[1].Present || got[1].Connections != 5 {
		t.Fatalf("%+v", got)
	}
	w := got[2]
	if w.Node != "n1" || !w.At.Equal(at) || !w.Counted || got[1].Counted || !w.Rates || !w.Wanted || w.Note != "as wrr" || w.Problem != "no" || w.Active != 5 || w.Inactive != 5 || w.Persistent != 1 ||
		w.Connections != 100 || w.InBytes != 9 || w.OutByteRate != 3 || len(w.Servers) != 2 || *w.Servers[0].Want != 1 || *w.Servers[0].Have != 2 || w.Servers[1].Want != nil {
		t.Errorf("%+v", w)
	}
	if got := trafficOf("n1", "nft", at, all, nil, table, api.TrafficQuery{Services: []string{"web"}}); len(got) != 1 || got[0].Rates || got[0].Servers != nil || got[0].Active != 5 {
		t.Errorf("%+v", got)
	}
}

// TestPick: a page is bounded, pages follow each other without a gap, and an error ends it.
func TestPick(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:80")
	read := 0
	list := func(n int, end error) iter.Seq2[lvs.Connection, error] {
		return func(yield func(lvs.Connection, error) bool) {
			for i := range n {
				read++
				c := lvs.Connection{Protocol: "tcp", Client: netip.AddrPortFrom(netip.MustParseAddr("198.51.100.1"), uint16(i)), Server: a, Expires: 90 * time.Second, Origin: lvs.OriginSync}
				if i%2 == 1 {
					c.Server = b
				}
				if !yield(c, nil) {
					return
				}
			}
			if end != nil {
				yield(lvs.Connection{}, end)
			}
		}
	}
	every := func(c lvs.Connection) bool { return c.Client.Port()%5 != 0 }
	q, seen := api.ConnectionQuery{Limit: 100}, 0
	for pages := 1; ; pages++ {
		got, next, err := pick(t.Context(), list(1000, nil), every, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range got {
			if seen++; c.ExpiresIn != 90 || c.Origin != "sync" || c.Client.Port()%5 == 0 {
				t.Fatalf("%+v", c)
			}
		}
		if q.Skip = next; next == 0 {
			if pages != 8 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if seen != 800 {
		t.Errorf("%d connections, want 800", seen)
	}
	if got, next, _ := pick(t.Context(), list(1000, nil), every, api.ConnectionQuery{Limit: 1000, Server: b}); len(got) != 400 || next != 0 {
		t.Errorf("%d to one server, %d", len(got), next)
	}
	read = 0
	if got, next, _ := pick(t.Context(), list(1<<20, nil), every, api.ConnectionQuery{Limit: 1 << 30}); len(got) != api.MaxConnections || next == 0 || read > 2*api.MaxConnections {
		t.Errorf("%d connections in one answer, %d read", len(got), read)
	}
	broken := errors.New("broken")
	if _, _, err := pick(t.Context(), list(10, broken), every, api.ConnectionQuery{Limit: 1000}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	gone, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := pick(gone, list(1<<20, nil), func(lvs.Connection) bool { return false }, api.ConnectionQuery{Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("one who hangs up is worked for: %v", err)
	}
}

// dearPlane takes long to look at the kernel, as for a large table, and counts how often it does.
type dearPlane struct {
	lvs.Plane
	looks *atomic.Int64
}

func (p dearPlane) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	p.looks.Add(1)
	time.Sleep(tableAge / 5)
	return p.Plane.Reconcile(scope, want)
}

// TestFresh: who asks gets what the kernel counted at most a second ago, also where the worker looks seldom; many who ask at once make it look once.
func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPlaneBed("nft")
		var looks atomic.Int64
		b.wrap(func(p lvs.Plane) lvs.Plane { return dearPlane{p, &looks} })
		before := time.Now()
		if _, _, at := b.fresh(t.Context()); !at.IsZero() || time.Since(before) > 0 {
			t.Errorf("a table of %v after %v, before anything was said", at, time.Since(before))
		}
		b.carry("auto")
		stop := b.work(t)
		began := looks.Load()
		time.Sleep(3 * tableAge) // by itself it looks again only after ten seconds
		asked := time.Now()
		for range 5 {
			go func() {
				if _, _, at := b.fresh(t.Context()); at.Before(asked) {
					t.Errorf("what was counted %v ago", asked.Sub(at))
				}
			}()
		}
		time.Sleep(tableAge / 2)
		if _, _, at := b.fresh(t.Context()); at.Before(asked) || looks.Load() != began+1 {
			t.Errorf("%d looks for all who asked; read at %v", looks.Load()-began, at.Sub(asked))
		}
		stop()
		// Nobody reads any more: who asks does not wait for ever.
		time.Sleep(time.Minute)
		before = time.Now()
		if _, _, at := b.fresh(t.Context()); at.IsZero() || time.Since(before) != freshLimit {
			t.Errorf("waited for %v, %v", time.Since(before), at)
		}
	})
}

// TestLooksThoughMuchChanges: where a look is dear and one change comes after the other, the worker still looks when it is time, and no sooner: what other
// programs did is put right, and drains are counted.
func TestLooksThoughMuchChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPlaneBed("nft")
		var looks atomic.Int64
		b.wrap(func(p lvs.Plane) lvs.Plane { return dearPlane{p, &looks} })
		b.carry("auto", bedService(false))
		stop := b.work(t)
		began, s := looks.Load(), bedService(false)
		const often = compareEvery / 2
		every := compareShare * tableAge / 5 // by what a look takes
		for n := range int(6 * every / often) {
			s.Destinations = []lvs.Destination{{Addr: s.Destinations[0].Addr, Weight: 2 + n}}
			b.want(wantedTable{setting: "auto", services: []lvs.Service{s}})
			time.Sleep(often)
		}
		stop()
		if n := looks.Load() - began; n < 5 || n > 6 {
			t.Errorf("%d looks in %v, want one every %v", n, 6*every, every)
		}
	})
}

// glancePlane sees at a glance what another program did.
type glancePlane struct {
	dearPlane
	differs func() (differs, known bool)
}

func (p glancePlane) Differs() (bool, bool) { return p.differs() }

// TestGlance: a table that is dear to look at is put right within a second of what another program did to it, where a glance shows it, and is otherwise
// looked at as seldom as without.
func TestGlance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPlaneBed("nft")
		var looks atomic.Int64
		var glances atomic.Int64
		var blind, foreign atomic.Bool
		var right []lvs.Service
		b.wrap(func(p lvs.Plane) lvs.Plane {
			return glancePlane{dearPlane{p, &looks}, func() (bool, bool) {
				glances.Add(1)
				return !blind.Load() && (foreign.Load() || !lvs.Equal(right, b.nft.Table())), !blind.Load()
			}}
		})
		b.carry("auto", bedService(false))
		right = b.nft.Table()
		stop := b.work(t)
		began := looks.Load()
		step := func(what string, d time.Duration, wantLooks int64, repaired bool) {
			t.Helper()
			glances.Store(0)
			time.Sleep(d)
			synctest.Wait()
			if looks.Load()-began != wantLooks || lvs.Equal(right, b.nft.Table()) != repaired || glances.Load() == 0 {
				t.Errorf("%s: %d looks and %d glances, the table is %s", what, looks.Load()-began, glances.Load(), lvs.Text(b.nft.Table()))
			}
			began = looks.Load()
		}
		step("unchanged", 5*compareEvery, 0, true)
		b.nft.Delete(right[0].Key())
		step("another program was there", compareEvery+tableAge, 1, true)
		foreign.Store(true)
		step("another program changes its own all the time", 5*compareEvery, 1, true)
		foreign.Store(false)
		time.Sleep(compareShare * tableAge / 5)
		synctest.Wait()
		began = looks.Load()
		blind.Store(true)
		b.nft.Delete(right[0].Key())
		step("a glance does not tell", 3*compareEvery, 0, false)
		step("the next look", compareShare*tableAge/5, 1, true)
		stop()
	})
}
