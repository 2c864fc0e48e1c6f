package lease

import (
	"testing"
	"time"

	"quorate/fsm"
)

// §3 “Grantor changes”: a majority of the current set has durably refused older sets, and the longest grant has run out;
// "the leader asks for that when all live holders have applied the current set, or after 10 s".
func TestGrantorChange(t *testing.T) {
	r := leading(t, g3, state(30))
	lagging := func(d time.Duration, set uint64) {
		for end := r.now.Raw + d; r.now.Raw < end; {
			r.alive(50 * ms)
			r.report(g4, uint64(r.now.Raw), Report{Set: set})
			none[RefuseOlderSets](r, "n2")
			noEvent[GrantorChangeAllowed](r)
		}
	}
	lagging(9900*ms, 19)
	r.report(g4, uint64(r.now.Raw+1), Report{Set: 20})
	ask := one[RefuseOlderSets](r, "n2")
	if ask != (RefuseOlderSets{Term: 5, Seq: ask.Seq, Index: 20}) {
		t.Fatalf("%+v", ask)
	}
	ok := SetAnswer{Boot: 100, Seq: ask.Seq, Term: 5, Index: 20, Cap: 3 * time.Second}
	for name, change := range map[string]func(*fsm.Grantor, *SetAnswer){
		"other boot":   func(_ *fsm.Grantor, a *SetAnswer) { a.Boot = 99 },
		"other term":   func(_ *fsm.Grantor, a *SetAnswer) { a.Term = 4 },
		"other set":    func(_ *fsm.Grantor, a *SetAnswer) { a.Index = 19 },
		"no member":    func(g *fsm.Grantor, _ *SetAnswer) { *g = g4 },
		"other store":  func(g *fsm.Grantor, _ *SetAnswer) { g.Store = "x" },
		"twice itself": func(g *fsm.Grantor, _ *SetAnswer) { *g = g3 },
	} {
		g, a := g2, ok
		change(&g, &a)
		if r.step(r.from(g, a)); r.m.fencer.change.passed != 0 {
			t.Fatalf("%s: counted", name)
		}
	}
	r.step(r.from(g2, ok))
	since := r.now.Raw
	r.now.Raw = since + grantSpan(3*time.Second) // the longest cap among the answers
	r.after(0)
	noEvent[GrantorChangeAllowed](r)
	r.after(1)
	if e := oneEvent[GrantorChangeAllowed](r); e != (GrantorChangeAllowed{Index: 20, Term: 5}) {
		t.Fatalf("%+v", e)
	}
	r.alive(time.Second)
	oneEvent[GrantorChangeAllowed](r) // said again
	r.after(0, Applied{State: state(31, set(31, g1, g2, g3, g4))})
	r.alive(time.Second)
	noEvent[GrantorChangeAllowed](r)

	// After 10 s also where somebody lags.
	r = leading(t, g3, state(30))
	lagging(9950*ms, 19)
	r.alive(100 * ms)
	if len(take[RefuseOlderSets](r, "n2")) == 0 {
		t.Fatal("not asked")
	}
}
