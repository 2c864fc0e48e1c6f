package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"quorate/agent/speak"
	"quorate/cluster"
	"quorate/fsm"
	"quorate/vip"
	"quorate/vip/vrrp"
	"quorate/vip/vrrp/vrrptest"
)

// besides is a node with a real actuator and real Speakers on a link in memory, beside a router that elects itself, which comes, ends, crashes and changes its priority.
type besides struct {
	*world
	t      *testing.T
	ctx    context.Context
	cable  *vrrptest.Cable
	log    []string
	dead   []span // when the lease was not held
	legacy *vrrp.Speaker
	crash  context.CancelFunc
	active bool // the other
}

// takesOff is how long the other takes to take the address off when it is active no more: a slow one, that anybody sees.
const takesOff = 80 * time.Millisecond

type span struct{ from, to time.Time }

func (b *besides) did(format string, args ...any) {
	b.log = append(b.log, fmt.Sprintf("%8.3f %s", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...)))
}

// start starts the other router. While it is active, it answers for the address.
func (b *besides) startLegacy(p vrrp.Priority, preempt bool) {
	ctx, cancel := context.WithCancel(b.ctx)
	b.crash = cancel
	end := b.cable.Plug()
	b.legacy = vrrp.NewSpeaker(vrrp.SpeakerOptions{Wire: end, Act: func(_ vrrp.VRID, a vrrp.Action) {
		if a.Kind != vrrp.Enter {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.active = a.State == vrrp.Active; b.active {
			b.answers[web.Addr] = "02:00:00:00:00:05"
			return
		}
		time.AfterFunc(takesOff, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if !b.active {
				delete(b.answers, web.Addr)
			}
		})
	}})
	must(b.t, b.legacy.Add(vrrp.Config{VRID: 51, Version: vrrp.V3, Priority: p, Interval: time.Second, Addresses: []netip.Addr{web.Addr}, Preempt: preempt, Source: legacyRouter, Anyone: true}))
	go func(s *vrrp.Speaker) {
		defer end.Close()
		_ = s.Run(ctx)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.active = false
		delete(b.answers, web.Addr) // the host is gone
	}(b.legacy)
}

// hold and lose change the lease. untold: the actuator does not hear of it, as in a process that stands still.
func (b *besides) lose(untold bool) {
	e := b.State().Nodes["n1"].Epoch
	b.dead = append(b.dead, span{from: time.Now()})
	if untold {
		b.mu.Lock()
		b.live[e] = false
		b.mu.Unlock()
		return
	}
	b.lease(e, false)
}

func (b *besides) hold() {
	b.dead[len(b.dead)-1].to = time.Now()
	b.lease(b.State().Nodes["n1"].Epoch, true)
}

// check is what holds at every moment, once all that is under way has been done.
func (b *besides) check() {
	synctest.Wait()
	b.mu.Lock()
	_, carried := b.have[netip.MustParsePrefix("192.0.2.10/24")]
	other := b.answers[web.Addr] != ""
	live := b.live[b.state.Nodes["n1"].Epoch]
	b.mu.Unlock()
	if carried && live && other { // without the lease the gate is closed
		b.t.Fatalf("at %v both have the address:\n%s", time.Since(b.began), b.log)
	}
}

// TestWalkBesideARouter: whatever comes in whatever order, the two never have the address at the same time, nothing is advertised after the lease, and in the end the address is served.
func TestWalkBesideARouter(t *testing.T) {
	walks := 60
	if testing.Short() {
		walks = 10
	}
	for seed := range walks {
		synctest.Test(t, func(t *testing.T) { walkBeside(t, uint64(seed)) })
	}
}

func walkBeside(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	ctx, cancel := context.WithCancel(t.Context())
	defer synctest.Wait()
	defer cancel()
	b := &besides{world: newWorld(), t: t, ctx: ctx, cable: &vrrptest.Cable{}}
	b.gated = true
	b.form(t)
	patient := rng.IntN(3) == 0
	configureRouter(t, b.world, true, func(r *fsm.VirtualRouter) { r.NoPreempt = patient })
	epoch := b.State().Nodes["n1"].Epoch
	sp := speak.New(speak.Options{
		Links: func() ([]vip.Link, error) {
			return []vip.Link{{Name: "eth0", Index: 2, Up: true, Carrier: true, Primary: netip.MustParseAddr("192.0.2.1")}}, nil
		},
		Open: func(o vrrp.ConnOptions) (speak.Wire, error) { return b.cable.Open(o), nil },
		Live: func(e uint64) bool { b.mu.Lock(); defer b.mu.Unlock(); return b.live[fsm.Epoch(e)] },
	})
	b.voices = sp
	var seen cluster.ForeignReport
	b.reports = func(r cluster.ForeignReport) { b.mu.Lock(); defer b.mu.Unlock(); seen = r }
	go sp.Run(ctx)
	b.start(t)
	b.lease(epoch, true)
	b.assign(t, "n1", 0)
	held := true
	for range 40 {
		for range 1 + rng.IntN(60) {
			time.Sleep(time.Duration(1+rng.IntN(100)) * time.Millisecond)
			b.check()
		}
		switch k := rng.IntN(6); {
		case k <= 1 && b.legacy == nil:
			p := vrrp.Priority(100 + 120*rng.IntN(2))
			b.did("a router of priority %d begins", p)
			b.startLegacy(p, rng.IntN(2) == 0)
		case k == 2 && b.legacy != nil:
			b.did("it ends")
			must(t, b.legacy.Remove(51))
			b.crash()
			b.legacy = nil
		case k == 3 && b.legacy != nil:
			b.did("it crashes")
			b.crash()
			b.legacy = nil
		case k >= 4 && held:
			untold := rng.IntN(2) == 0
			b.did("the lease ends (nobody hears of it: %t)", untold)
			b.lose(untold)
			held = false
		case k >= 4:
			b.did("the lease is held again")
			b.hold()
			held = true
		}
		b.check()
	}
	if !held {
		b.hold()
	}
	if b.legacy != nil {
		must(t, b.legacy.Remove(51))
		b.crash()
	}
	for range 200 {
		time.Sleep(50 * time.Millisecond)
		b.check()
	}
	b.mu.Lock()
	_, carried := b.have[netip.MustParsePrefix("192.0.2.10/24")]
	left := len(seen.Seen)
	b.mu.Unlock()
	if !carried || left > 0 {
		t.Fatalf("seed %d: in the end it is carried: %t, and %d reports are left:\n%s", seed, carried, left, b.log)
	}
	for _, s := range b.cable.By("192.0.2.1", time.Time{}) {
		for _, d := range b.dead {
			if s.Priority > 0 && s.At.After(d.from) && s.At.Before(d.to) {
				t.Fatalf("seed %d: an advert at %v, without a lease since %v:\n%s", seed, s.At.Sub(b.began), d.from.Sub(b.began), b.log)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
