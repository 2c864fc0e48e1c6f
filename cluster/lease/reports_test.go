package lease

import (
	"testing"

	"quorate/fsm"
)

// Hints: reachable (heard of within 2·T), past the barrier and holding a lease under the agreed epoch.
func TestHints(t *testing.T) {
	able := func(r *rig) (s string) {
		for _, n := range []fsm.NodeID{"n1", "n2", "n3", "n4"} {
			if r.m.Hints(r.now).Able[n] {
				s += string(n)
			}
		}
		return s
	}
	r := leading(t, g3, state(30))
	if got := able(r); got != "" {
		t.Fatal(got)
	}
	r.out = nil
	r.report(g1, 1, Report{Ready: true}).report(g2, 1, Report{}).report(g4, 1, Report{Ready: true})
	if len(events[HintsChanged](r)) == 0 {
		t.Fatal("nobody was told")
	}
	if got := able(r); got != "n1n4" {
		t.Fatal(got)
	}
	r.report(g4, 0, Report{}) // overtaken
	r.report(fsm.Grantor{Node: "n2", Store: "x"}, 9, Report{Ready: true})
	if got := able(r); got != "n1n4" {
		t.Fatal(got)
	}
	r.step(Applied{State: state(31, epoch("n4", 31))}) // fenced meanwhile: what it said was under the earlier epoch
	if got := able(r); got != "n1" {
		t.Fatal(got)
	}
	r.report(g4, 2, Report{Ready: true, Epoch: 31})
	r.suspect(g2, 1, "n1", 11).suspect(g1, 1, "n1", 11)
	if got := able(r); got != "n4" {
		t.Fatal(got)
	}
	r.now.Raw += 501 * ms
	if got := able(r); got != "" {
		t.Fatal(got)
	}
	r.after(0)
	oneEvent[HintsChanged](r)
	r.step(Follow{})
	if h := r.m.Hints(r.now); len(h.Able)+len(h.Confirmed) != 0 {
		t.Fatalf("%+v", h)
	}
}

// A node whose agent is about to end says so, and the leader is told at once; the next process of the node says otherwise.
func TestEndingIsToldAndHinted(t *testing.T) {
	r := leading(t, g3, state(30))
	r.report(g4, 1, Report{Ready: true})
	r.out = nil
	r.report(g4, 2, Report{Ready: true, Ending: true})
	oneEvent[HintsChanged](r)
	if h := r.m.Hints(r.now); !h.Able["n4"] || !h.Ending["n4"] || len(h.Ending) != 1 {
		t.Fatalf("%+v", h)
	}
	r.out = nil
	r.report(g4, 3, Report{Ready: true})
	oneEvent[HintsChanged](r)
	if h := r.m.Hints(r.now); len(h.Ending) != 0 {
		t.Fatalf("%+v", h)
	}

	r = newRig(t, g1, Durable{Cap: 250 * ms})
	r.step(Log{LastIndex: 44}, Applied{State: state(30)}, Follow{Leader: "n3"}, Alive{Part: Actuator})
	take[Report](r, "n3")
	r.step(Ending(true))
	if x := one[Report](r, "n3"); !x.Ending {
		t.Fatalf("told the leader %+v", x)
	}
	r.step(Ending(false))
	if x := one[Report](r, "n3"); x.Ending {
		t.Fatalf("told the leader %+v", x)
	}
}

// A node reports itself ready only past the barrier and with a lease under its epoch; it tells the leader at once.
func TestReport(t *testing.T) {
	r := newRig(t, g1, Durable{Cap: 250 * ms})
	r.step(Log{LastIndex: 44}, Applied{State: state(30)}, Follow{Leader: "n3"}, Alive{Part: Actuator})
	if x := one[Report](r, "n3"); x.Ready || x.Epoch != 11 || x.Set != 20 {
		t.Fatalf("%+v", x)
	}
	r.after(0, BarrierPassed{})
	ask := one[Renew](r, "n2")
	none[Report](r, "n3")
	r.after(1*ms, r.from(g2, ack(ask)))
	if x := one[Report](r, "n3"); !x.Ready || x.Reach != 2 {
		t.Fatalf("%+v", x)
	}
	for _, o := range r.out {
		if s, ok := o.(Send); ok && (s.Msg.Applied != 30 || s.Msg.Log != 44 || !s.Msg.LogKnown || s.Msg.Store != "s1") {
			t.Fatalf("%+v", s.Msg)
		}
	}
	r.after(99*ms, Alive{Part: Actuator}, Alive{Part: FSM})
	none[Report](r, "n3")
	r.after(1 * ms)
	one[Report](r, "n3")
	r.after(150 * ms) // the lease has run out
	if x := one[Report](r, "n3"); x.Ready {
		t.Fatalf("%+v", x)
	}
}

// §3 Detection: "A node that only the leader cannot reach is reported, not fenced; leadership moves to a voter that reaches more."
func TestOnlyTheLeaderDoesNotHear(t *testing.T) {
	r := leading(t, g3, state(30))
	var unreached []Unreached
	var better []BetterLeader
	for i := range uint64(40) {
		r.alive(50 * ms)
		asks := take[Renew](r, "n2")
		r.report(g2, 1+i, Report{Ready: true, Reach: 3}).report(g1, 1+i, Report{Ready: true, Reach: 2})
		for _, a := range asks {
			r.step(r.from(g2, ack(a)))
		}
		unreached = append(unreached, events[Unreached](r)...)
		better = append(better, events[BetterLeader](r)...)
		none[Fence](r, "n2")
	}
	if len(unreached) != 1 || unreached[0] != (Unreached{Node: "n1", Term: 5}) {
		t.Fatalf("%+v", unreached)
	}
	if len(better) != 2 || better[0] != (BetterLeader{To: "n2", Reach: 3, Own: 2, Term: 5}) {
		t.Fatalf("%+v", better)
	}
}

// A leader that reaches no majority says so although it hears of nobody better.
func TestLeaderWithoutAMajority(t *testing.T) {
	r := leading(t, g3, state(30))
	r.alive(600 * ms)
	if e := oneEvent[BetterLeader](r); e != (BetterLeader{Reach: 1, Own: 1, Term: 5}) {
		t.Fatalf("%+v", e)
	}
}
