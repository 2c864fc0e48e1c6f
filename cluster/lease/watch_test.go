package lease

import (
	"testing"
	"time"

	"quorate/fsm"
)

// §3 Detection: S = max(0.8 T, T − 2·promise time).
func TestSilence(t *testing.T) {
	T := 250 * ms
	for promise, want := range map[time.Duration]time.Duration{0: T, 5 * ms: 240 * ms, 25 * ms: 200 * ms, time.Second: 200 * ms} {
		if got := silence(T, promise); got != want {
			t.Errorf("silence with promises in %v is %v, want %v", promise, got, want)
		}
	}
}

// §3 Detection: "A grantor suspects n when for S no Renew of n with held came, and pushes Suspect to the leader and the nodes at
// once".
func TestSuspicion(t *testing.T) {
	r := readyRig(t, g2, state(30)) // n1 owns something since now
	r.alive(150 * ms)
	r.step(r.from(g1, renew(1, 11)))
	r.alive(195 * ms)
	noEvent[SuspicionChanged](r)
	none[Suspect](r, "n3")
	r.alive(5 * ms)
	if e := oneEvent[SuspicionChanged](r); e != (SuspicionChanged{Node: "n1", Epoch: 11, Silent: 200 * ms, Suspected: true}) {
		t.Fatalf("%+v", e)
	}
	for _, n := range []fsm.NodeID{"n1", "n3", "n4"} {
		if s := one[Suspect](r, n); s.Node != "n1" || s.Epoch != 11 || s.Withdrawn || s.Silent != 200*ms {
			t.Fatalf("%+v", s)
		}
	}
	r.alive(200 * ms) // repeated each R
	if n := len(take[Suspect](r, "n3")); n != 4 {
		t.Fatalf("repeated %d times in 200 ms", n)
	}
	// A Renew without held does not end it: its sender hears no acknowledgements.
	lost := renew(2, 11)
	lost.Held = false
	r.after(0, r.from(g1, lost))
	noEvent[SuspicionChanged](r)
	r.after(0, r.from(g1, renew(3, 11)))
	if e := oneEvent[SuspicionChanged](r); e.Suspected {
		t.Fatalf("%+v", e)
	}
	if s := one[Suspect](r, "n3"); !s.Withdrawn {
		t.Fatalf("%+v", s)
	}
	r.alive(195 * ms)
	none[Suspect](r, "n3")
}

// It counts from the moment at which the ownership was applied here.
func TestSuspicionOfAFreshOwner(t *testing.T) {
	r := readyRig(t, g2, state(30, owner(keyA, "", 0)))
	r.alive(time.Second)
	noEvent[SuspicionChanged](r)
	r.step(Applied{State: state(31)})
	r.alive(195 * ms)
	noEvent[SuspicionChanged](r)
	r.alive(5 * ms)
	oneEvent[SuspicionChanged](r)
	r.after(0, Applied{State: state(32, owner(keyA, "n3", 0))})
	r.alive(100 * ms)
	none[Suspect](r, "n4") // n1 owns nothing any more
}

// A released address counts as owned until it is assigned on: its owner may still have it.
func TestSuspicionDuringAHandOver(t *testing.T) {
	r := readyRig(t, g2, state(30, owner(keyA, "n1", 29)))
	r.alive(200 * ms)
	oneEvent[SuspicionChanged](r)
}

// Only members of the applied set have a word.
func TestNoSuspicionByANonMember(t *testing.T) {
	r := readyRig(t, g4, state(30))
	r.alive(time.Second)
	noEvent[SuspicionChanged](r)
}

// Another store under the node's name does not speak for it.
func TestSuspicionOfAReplacedStore(t *testing.T) {
	r := readyRig(t, g2, state(30))
	for i := range uint64(6) {
		r.after(50*ms, r.from(fsm.Grantor{Node: "n1", Store: "old"}, renew(i+1, 11)))
	}
	if len(r.m.Status(r.now).Suspects) != 1 {
		t.Fatal("not suspected")
	}
}

// A grantor that was frozen has heard nothing because of itself: the gap counts for one R.
func TestFrozenGrantorSuspectsNobody(t *testing.T) {
	r := readyRig(t, g2, state(30))
	r.alive(50 * ms)
	r.after(10 * time.Second)
	noEvent[SuspicionChanged](r)
	r.alive(95 * ms)
	noEvent[SuspicionChanged](r)
	r.alive(10 * ms)
	oneEvent[SuspicionChanged](r)
}

// §3 Detection: "re-pushed at leader change".
func TestSuspicionIsPushedAtLeaderChange(t *testing.T) {
	r := readyRig(t, g2, state(30))
	r.alive(200 * ms)
	r.after(1*ms, Follow{Leader: "n3"})
	one[Suspect](r, "n3")
	r.after(1*ms, Follow{Leader: "n3"})
	none[Suspect](r, "n3")
}

// The time that promises take is measured.
func TestPromiseTimeIsMeasured(t *testing.T) {
	r := readyRig(t, g2, state(30))
	r.persist = false
	r.after(0, r.from(g3, Fence{Term: 5, Node: "n4", Epoch: 14, GrantorIndex: 20}))
	p := oneEvent[Persist](r)
	r.after(8*ms, Persisted{Seq: p.Seq})
	if got := r.m.silence(); got != 234*ms {
		t.Fatalf("silence is %v", got)
	}
}
