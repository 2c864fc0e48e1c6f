package lease

import (
	"strings"
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

// §3 Planned moves: confirmations are bound to their Release, and "an owner that does not confirm in time is fenced".
func TestHandOver(t *testing.T) {
	r := leading(t, g3, state(30, owner(keyA, "n1", 29), owner(keyB, "n2", 30)))
	for name, c := range map[string]Received{
		"earlier release":   r.from(g1, Confirmation{Releases: []Released{{keyA, 28}}}),
		"later release":     r.from(g1, Confirmation{Releases: []Released{{keyA, 30}}}),
		"not the owner":     r.from(g2, Confirmation{Releases: []Released{{keyA, 29}}}),
		"another store":     r.from(fsm.Grantor{Node: "n1", Store: "x"}, Confirmation{Releases: []Released{{keyA, 29}}}),
		"another's address": r.from(g1, Confirmation{Releases: []Released{{keyB, 30}}}),
	} {
		r.step(c)
		if len(events[Confirmed](r)) != 0 || len(r.m.Hints(r.now).Confirmed) != 0 {
			t.Fatalf("%s: counted", name)
		}
	}
	r.step(r.from(g1, Confirmation{Releases: []Released{{keyA, 29}}}))
	if e := oneEvent[Confirmed](r); e != (Confirmed{Key: keyA, ReleaseIndex: 29, Node: "n1", Term: 5}) {
		t.Fatalf("%+v", e)
	}
	if h := r.m.Hints(r.now); len(h.Confirmed) != 1 || h.Confirmed[keyA] != 29 {
		t.Fatalf("%+v", h)
	}
	// Cancelled and released again: another index, to be confirmed anew.
	r.after(0, Applied{State: state(31, owner(keyA, "n1", 31), owner(keyB, "n2", 30))})
	if h := r.m.Hints(r.now); len(h.Confirmed) != 0 {
		t.Fatalf("%+v", h)
	}
}

func TestUnconfirmedHandOverIsFenced(t *testing.T) {
	for p, within := range map[fsm.Profile]time.Duration{fsm.LAN: time.Second, fsm.WAN: 12 * time.Second} {
		r := leading(t, g3, state(30, owner(keyA, "n1", 29), owner(keyB, "n1", 29), profile(p)))
		r.step(r.from(g1, Confirmation{Releases: []Released{{keyB, 29}}}))
		for seq := uint64(1); r.now.Raw < 1300*ms+within-50*ms; seq++ {
			r.alive(50*ms).step(r.from(g1, renew(seq, 11)), r.from(g2, Suspect{Seq: seq, Node: "n1", Epoch: 11, Withdrawn: true}))
			none[Fence](r, "n2")
		}
		r.alive(50 * ms)
		if len(take[Fence](r, "n2")) == 0 {
			t.Fatalf("%s: no fence after %v", p, within)
		}
		x := r.m.fencer.fences["n1"]
		if !strings.Contains(x.text, "did not confirm release 29 of 192.0.2.1") {
			t.Fatal(x.text)
		}
	}
}

// The owner repeats its confirmation, each R, until its applied state no longer has that release current.
func TestConfirmationIsRepeated(t *testing.T) {
	r := readyRig(t, g1, state(30, owner(keyA, "n1", 29)))
	r.step(Follow{Leader: "n3"})
	r.after(0, Confirm{Key: keyA, ReleaseIndex: 29})
	want := Released{Key: keyA, Index: 29}
	if c := one[Confirmation](r, "n3"); len(c.Releases) != 1 || c.Releases[0] != want {
		t.Fatalf("%+v", c)
	}
	r.alive(100 * ms)
	if n := len(take[Confirmation](r, "n3")); n != 2 {
		t.Fatalf("%d", n)
	}
	r.after(1*ms, Follow{Leader: "n2"})
	one[Confirmation](r, "n2")
	r.after(0, Confirm{Key: keyA, ReleaseIndex: 28}) // of an earlier release
	r.after(0, Applied{State: state(31, owner(keyA, "n1", 31))})
	r.alive(200 * ms)
	none[Confirmation](r, "n2")
	r.after(0, Confirm{Key: keyA, ReleaseIndex: 29}, Confirm{Key: keyB, ReleaseIndex: 31})
	none[Confirmation](r, "n2")

	// Many fit into several datagrams.
	many := state(40)
	r.after(0, Applied{State: many})
	for i := range 25 {
		k := fsm.AddressKey{Network: strings.Repeat("x", maxNetwork), Addr: keyB.Addr}
		k.Network = k.Network[:maxNetwork-1] + string(rune('a'+i))
		owner(k, "n1", 39)(many)
		r.step(Confirm{Key: k, ReleaseIndex: 39})
	}
	r.after(50 * ms)
	n := 0
	for _, c := range take[Confirmation](r, "n2") {
		n += len(c.Releases)
		if b, err := Marshal("n1", Message{Store: "s1", Body: c}); err != nil || len(b)+SealOverhead > MaxDatagram {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
	}
	if n != 25 {
		t.Fatalf("%d confirmations", n)
	}
}

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
