package lease

import (
	"testing"
	"time"

	"quorate/fsm"
)

// leading is a rig that leads term 5 in the state.
func leading(t *testing.T, self fsm.Grantor, s *fsm.State) *rig {
	r := readyRig(t, self, s)
	r.after(0, Lead{Term: 5, LastIndex: s.Index})
	return r
}

func (r *rig) suspect(by fsm.Grantor, seq uint64, n fsm.NodeID, e fsm.Epoch) *rig {
	return r.step(r.from(by, Suspect{Seq: seq, Node: n, Epoch: e, Silent: 210 * ms}))
}

// fenceOf asks until a Fence of n goes to g, and returns it.
func (r *rig) fenceOf(n fsm.NodeID, to fsm.NodeID) Fence {
	r.t.Helper()
	f := one[Fence](r, to)
	if f.Node != n {
		r.t.Fatalf("%+v", f)
	}
	return f
}

func answer(f Fence) FenceAnswer {
	return FenceAnswer{Boot: 100, Seq: f.Seq, Term: f.Term, Node: f.Node, Epoch: f.Epoch, GrantorIndex: f.GrantorIndex}
}

// §3 Fence: "the leader may ask early: it does when a majority suspects"; its own grantor's view counts as one.
func TestFenceStartsWithAMajority(t *testing.T) {
	r := leading(t, g3, state(30))
	r.suspect(g2, 1, "n1", 11)
	none[Fence](r, "n2")
	r.suspect(g4, 1, "n1", 11) // no member
	none[Fence](r, "n2")
	r.suspect(fsm.Grantor{Node: "n1", Store: "other"}, 1, "n1", 11) // no member
	none[Fence](r, "n2")
	r.suspect(g1, 1, "n1", 11) // a node that hears no acknowledgements suspects itself
	f := r.fenceOf("n1", "n2")
	if f != (Fence{Term: 5, Seq: f.Seq, Node: "n1", Epoch: 11, GrantorIndex: 20}) {
		t.Fatalf("%+v", f)
	}
	r.fenceOf("n1", "n1")
	none[Fence](r, "n4")
	r.alive(50 * ms)
	r.fenceOf("n1", "n2") // again, each R

	r = leading(t, g3, state(30))
	r.alive(200 * ms) // its own grantor suspects
	none[Fence](r, "n2")
	r.suspect(g2, 1, "n1", 11)
	r.fenceOf("n1", "n2")
}

func TestSuspicionsThatDoNotCount(t *testing.T) {
	for name, do := range map[string]func(*rig){
		"withdrawn": func(r *rig) {
			r.step(r.from(g2, Suspect{Seq: 2, Node: "n1", Epoch: 11, Withdrawn: true}))
			r.suspect(g2, 1, "n1", 11) // came late
		},
		"not repeated for T": func(r *rig) { r.after(251 * ms) },
		"of another epoch":   func(r *rig) { r.step(Applied{State: state(31, epoch("n1", 31))}) },
		"owns nothing":       func(r *rig) { r.step(Applied{State: state(31, owner(keyA, "", 0))}) },
		"other set":          func(r *rig) { r.step(Applied{State: state(31, set(31, g1, g3, g4))}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := leading(t, g3, state(30))
			r.suspect(g2, 1, "n1", 11)
			do(r)
			r.suspect(g1, 1, "n1", 11)
			none[Fence](r, "n1")
		})
	}
}

// A node that does not lead counts, but does nothing; once it leads it need not wait for the next push.
func TestFollowerFencesNobody(t *testing.T) {
	r := readyRig(t, g3, state(30))
	r.step(Follow{Leader: "n2"})
	r.suspect(g1, 1, "n1", 11).suspect(g2, 1, "n1", 11)
	none[Fence](r, "n2")
	r.after(1*ms, Lead{Term: 5, LastIndex: 31})
	none[Fence](r, "n2") // has not applied all that it had when elected
	r.after(1*ms, Applied{State: state(31)})
	r.fenceOf("n1", "n2")
}

// §3 Fence: "With a majority of answers of its own term the leader commits one entry Fenced{n, e, grantorIndex}".
func TestFenceIsReadyWithAMajorityOfAnswers(t *testing.T) {
	r := leading(t, g3, state(30))
	r.suspect(g2, 1, "n1", 11).suspect(g1, 1, "n1", 11)
	good := answer(r.fenceOf("n1", "n2"))
	r.after(1 * ms) // its own grantor answers: it has granted nothing
	for name, change := range map[string]func(*fsm.Grantor, *FenceAnswer){
		"other boot":   func(_ *fsm.Grantor, a *FenceAnswer) { a.Boot = 99 },
		"other term":   func(_ *fsm.Grantor, a *FenceAnswer) { a.Term = 4 },
		"other epoch":  func(_ *fsm.Grantor, a *FenceAnswer) { a.Epoch = 10 },
		"other set":    func(_ *fsm.Grantor, a *FenceAnswer) { a.GrantorIndex = 19 },
		"other node":   func(_ *fsm.Grantor, a *FenceAnswer) { a.Node = "n2" },
		"no member":    func(g *fsm.Grantor, _ *FenceAnswer) { *g = g4 },
		"other store":  func(g *fsm.Grantor, _ *FenceAnswer) { g.Store = "x" },
		"twice itself": func(g *fsm.Grantor, _ *FenceAnswer) { *g = g3 },
	} {
		g, a := g2, good
		change(&g, &a)
		r.step(r.from(g, a))
		if len(events[FenceReady](r)) != 0 {
			t.Fatalf("%s: counted", name)
		}
	}
	r.step(r.from(g2, good))
	e := oneEvent[FenceReady](r)
	if e.Node != "n1" || e.Epoch != 11 || e.GrantorIndex != 20 || e.Term != 5 || e.Text != "silent for 0.21 s at n1, n2" {
		t.Fatalf("%+v", e)
	}
	r.alive(249 * ms)
	noEvent[FenceReady](r)
	r.alive(1 * ms)
	oneEvent[FenceReady](r) // until the entry is applied
	r.after(0, Applied{State: state(31, epoch("n1", 31), owner(keyA, "n2", 0))})
	r.alive(time.Second)
	noEvent[FenceReady](r)
	none[Fence](r, "n2")
}

// §3: "Answers die with the leader's term".
func TestAnswersDieWithTheTerm(t *testing.T) {
	r := leading(t, g3, state(30))
	r.suspect(g2, 1, "n1", 11).suspect(g1, 1, "n1", 11)
	good := answer(r.fenceOf("n1", "n2"))
	r.step(r.from(g1, good))
	r.after(1*ms, Follow{Leader: "n2"})
	r.after(1*ms, Lead{Term: 6, LastIndex: 30}, r.from(g2, good))
	noEvent[FenceReady](r)
	r.suspect(g2, 2, "n1", 11).suspect(g1, 2, "n1", 11)
	f := r.fenceOf("n1", "n2")
	if f.Term != 6 {
		t.Fatalf("%+v", f)
	}
}

// §3 Fence: the set must be "still that one": another set is asked anew.
func TestFenceAsksTheNewSet(t *testing.T) {
	r := leading(t, g3, state(30))
	r.suspect(g2, 1, "n1", 11).suspect(g1, 1, "n1", 11)
	old := answer(r.fenceOf("n1", "n2"))
	r.step(r.from(g2, old))
	r.after(1*ms, Applied{State: state(31, set(31, g1, g2, g3, g4))})
	f := r.fenceOf("n1", "n4")
	if f.GrantorIndex != 31 {
		t.Fatalf("%+v", f)
	}
	r.step(r.from(g2, old), r.from(g1, old))
	noEvent[FenceReady](r)
	r.step(r.from(g2, answer(f)), r.from(g4, answer(f)))
	if e := oneEvent[FenceReady](r); e.GrantorIndex != 31 {
		t.Fatalf("%+v", e)
	}
}

// A grantor counts once, however often it answers.
func TestAnswersAreCountedByGrantor(t *testing.T) {
	g5 := fsm.Grantor{Node: "n5", Store: "s5"}
	r := leading(t, g3, state(30, set(20, g1, g2, g3, g4, g5)))
	r.suspect(g1, 1, "n1", 11).suspect(g2, 1, "n1", 11).suspect(g4, 1, "n1", 11)
	good := answer(r.fenceOf("n1", "n2")) // its own grantor, which has granted nothing, is the first to answer
	for range 3 {
		r.step(r.from(g2, good))
	}
	noEvent[FenceReady](r)
	r.step(r.from(g4, good))
	oneEvent[FenceReady](r)

	r.alive(time.Second)
	ask := one[RefuseOlderSets](r.after(0, Applied{State: state(31, set(31, g1, g2, g3, g4, g5))}).alive(501*ms), "n2")
	ok := SetAnswer{Boot: 100, Seq: ask.Seq, Term: 5, Index: 31}
	for range 3 {
		r.step(r.from(g2, ok))
	}
	if r.m.fencer.change.passed != 0 {
		t.Fatal("two of five have answered")
	}
	if r.step(r.from(g4, ok)); r.m.fencer.change.passed == 0 {
		t.Fatal("three of five have answered")
	}
}

// A fence that has begun goes on although the node is heard again: its promises stand.
func TestFenceRunsToItsEnd(t *testing.T) {
	r := leading(t, g3, state(30))
	r.suspect(g2, 1, "n1", 11).suspect(g1, 1, "n1", 11)
	r.fenceOf("n1", "n2")
	r.step(r.from(g2, Suspect{Seq: 2, Node: "n1", Epoch: 11, Withdrawn: true}))
	r.alive(50 * ms)
	r.fenceOf("n1", "n2")
}

// report is what g says of itself.
func (r *rig) report(g fsm.Grantor, seq uint64, b Report) *rig {
	b.Seq = seq
	if b.Epoch == 0 {
		b.Epoch = fsm.Epoch(10 + g.Node[1] - '0')
	}
	if b.Set == 0 {
		b.Set = 20
	}
	return r.step(r.from(g, b))
}

// §3 “Orphaned promises”: "Grantors report floors ≥ the agreed epoch. The leader commits Raise{n, e} … or runs a whole fence."
func TestRaise(t *testing.T) {
	orphan := Report{Orphans: []Orphan{{Node: "n2", Floor: 12}, {Node: "n4", Floor: 13}}}
	r := leading(t, g3, state(30))
	r.report(g1, 1, orphan)
	noEvent[RaiseWanted](r) // first it is seen whether the node is suspected
	r.alive(100 * ms)
	if e := oneEvent[RaiseWanted](r); e != (RaiseWanted{Node: "n2", Epoch: 12, Term: 5}) {
		t.Fatalf("%+v", e) // n4's floor is below its epoch
	}
	r.alive(900 * ms)
	noEvent[RaiseWanted](r)
	r.alive(100 * ms)
	oneEvent[RaiseWanted](r)
	r.after(0, Applied{State: state(31, epoch("n2", 31))})
	r.alive(2 * time.Second)
	noEvent[RaiseWanted](r)

	// A whole fence, where the majority suspects.
	r = leading(t, g3, state(30))
	r.report(g1, 1, Report{Orphans: []Orphan{{Node: "n1", Floor: 11}}})
	r.suspect(g2, 1, "n1", 11).suspect(g1, 1, "n1", 11)
	r.alive(2 * time.Second)
	noEvent[RaiseWanted](r)
	if len(take[Fence](r, "n2")) == 0 {
		t.Fatal("no fence")
	}

	// A minority's suspicion delays it.
	r = leading(t, g3, state(30))
	r.report(g1, 1, Report{Orphans: []Orphan{{Node: "n1", Floor: 11}}})
	for i := range uint64(10) {
		r.suspect(g2, 1+i, "n1", 11)
		r.step(r.from(g1, renew(1+i, 11)))
		r.alive(100 * ms)
		none[Fence](r, "n2")
		if raised := len(events[RaiseWanted](r)) > 0; raised != (i == 9) {
			t.Fatalf("raise wanted at %d00 ms: %v", i+1, raised)
		}
	}
}
