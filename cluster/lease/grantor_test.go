package lease

import (
	"fmt"
	"testing"
	"time"

	"quorate/fsm"
)

func renew(seq uint64, e fsm.Epoch) Renew {
	return Renew{Seq: seq, Epoch: e, GrantorIndex: 20, TTL: 250 * ms, Held: true}
}

// §3 Clocks: the holder's slowest count of ttl, in the fastest grantor's time, plus m.
func TestGrantSpan(t *testing.T) {
	for ttl, m := range map[time.Duration]time.Duration{
		0: ms, 40 * ms: ms, 41 * ms: 2 * ms, 250 * ms: 2 * ms, 251 * ms: 20 * ms, 3 * time.Second: 20 * ms, maxTTL: 20 * ms,
	} {
		want := time.Duration(float64(ttl)*1.01/0.99) + m
		if got := grantSpan(ttl); got < want || got > want+2 {
			t.Errorf("grantSpan(%v) = %v, want %v", ttl, got, want)
		}
		// Rounding is upwards: span·99 ≥ ttl·101, without the margin.
		if s := grantSpan(ttl) - m; s*99 < ttl*101 {
			t.Errorf("grantSpan(%v) is rounded down", ttl)
		}
	}
}

// §3 Fence: "v refuses n at epochs ≤ e from now on, makes that durable, waits until until[n] has passed, and answers."
func TestFence(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.persist = false
	r.after(0, r.from(g2, renew(1, 12)))
	one[Ack](r, "n2")

	r.after(10*ms, r.from(g3, Fence{Term: 5, Seq: 7, Node: "n2", Epoch: 12, GrantorIndex: 20}))
	p := oneEvent[Persist](r)
	if p.Durable.Floors["n2"] != 12 || p.Durable.Promises != 2 {
		t.Fatalf("%+v", p.Durable)
	}
	r.after(0, r.from(g2, renew(2, 12))) // in memory at once
	if x := one[Refuse](r, "n2"); x != (Refuse{Boot: 1000 + '2', Seq: 2, Epoch: 12, Reason: RefusedPromise, Agreed: 12}) {
		t.Fatalf("%+v", x)
	}
	r.after(0, r.from(g2, renew(3, 13))) // a later epoch is not promised away
	one[Ack](r, "n2")

	r.after(time.Second)
	none[FenceAnswer](r, "n3") // the grant has run out, the disk is not done
	r.after(0, r.from(g2, renew(4, 13)))
	granted := r.now.Raw
	r.after(0, Persisted{Seq: p.Seq})
	none[FenceAnswer](r, "n3") // the disk is done, the grant has not run out
	if at := r.m.NextTimer(); at > granted+grantSpan(250*ms)+1 {
		t.Fatalf("looks again at %v", at)
	}
	r.now.Raw = granted + grantSpan(250*ms)
	r.after(0)
	none[FenceAnswer](r, "n3")
	r.after(1)
	want := FenceAnswer{Boot: 1000 + '3', Seq: 7, Term: 5, Node: "n2", Epoch: 12, GrantorIndex: 20}
	if got := one[FenceAnswer](r, "n3"); got != want {
		t.Fatalf("%+v", got)
	}
	r.after(time.Second)
	none[FenceAnswer](r, "n3")
	r.after(0, r.from(g3, Fence{Term: 5, Seq: 8, Node: "n2", Epoch: 12, GrantorIndex: 20})) // asked again, the answer was lost
	one[FenceAnswer](r, "n3")
}

// §3 Grantor: "until is per node, never reset": a shorter grant after a longer one, or a promise, does not bring it forward.
func TestUntilNeverShrinks(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.after(0, r.from(g2, renew(1, 12)))
	granted := r.now.Raw
	short := renew(2, 12)
	short.TTL = 40 * ms
	r.after(1*ms, r.from(g2, short), r.from(g3, Fence{Term: 5, Node: "n2", Epoch: 12, GrantorIndex: 20}))
	one[Ack](r, "n2")
	r.now.Raw = granted + grantSpan(250*ms)
	r.after(0)
	none[FenceAnswer](r, "n3")
	r.after(1)
	one[FenceAnswer](r, "n3")
}

// §3 Grantor: "After a start: until[every node] = start + cap·(1+ρ)/(1−ρ) + m", and the promises of an earlier process hold.
func TestAfterAStart(t *testing.T) {
	r := newRig(t, g1, Durable{Floors: map[fsm.NodeID]fsm.Epoch{"n2": 12}, SetFloor: 20, Cap: 3 * time.Second, Promises: 9})
	start := r.now.Raw
	r.after(0, r.from(g2, renew(1, 12)))
	if x := one[Refuse](r, "n2"); x.Reason != RefusedPromise || x.Agreed != 0 {
		t.Fatalf("%+v", x)
	}
	r.after(0, r.from(g3, Fence{Term: 5, Node: "n9", Epoch: 12, GrantorIndex: 20}))
	r.now.Raw = start + grantSpan(3*time.Second)
	r.after(0)
	none[FenceAnswer](r, "n3")
	r.after(1)
	one[FenceAnswer](r, "n3")
}

// §3 Grantor: "refuses epochs ≤ floor[n], sets older than its set floor". What the grantor has applied plays no part.
func TestWhatIsRefused(t *testing.T) {
	d := Durable{Floors: map[fsm.NodeID]fsm.Epoch{"n2": 12}, SetFloor: 20, Cap: 250 * ms, Promises: 3}
	for _, x := range []struct {
		epoch fsm.Epoch
		set   uint64
		ttl   time.Duration
		want  Refusal
	}{
		{13, 20, 250 * ms, 0},
		{13, 90, 250 * ms, 0}, // a newer set and epoch than it has applied
		{99, 20, 40 * ms, 0},
		{12, 20, 250 * ms, RefusedPromise},
		{1, 20, 250 * ms, RefusedPromise},
		{13, 19, 250 * ms, RefusedSet},
		{13, 20, 251 * ms, RefusedTTL},
	} {
		for _, s := range []*fsm.State{nil, state(30), state(30, set(25, g2, g3)), state(30, set(25, fsm.Grantor{Node: "n1", Store: "other"}, g2, g3))} {
			r := newRig(t, g1, d)
			r.step(Applied{State: s})
			r.after(0, r.from(g2, Renew{Seq: 1, Epoch: x.epoch, GrantorIndex: x.set, TTL: x.ttl}))
			if x.want == 0 {
				one[Ack](r, "n2")
			} else if got := one[Refuse](r, "n2"); got.Reason != x.want {
				t.Errorf("%+v with %+v: %v", x, s, got.Reason)
			}
		}
	}
}

// §3: "the cap is raised on disk before the first longer grant, and lowered after the old cap has passed".
func TestCapIsRaisedFirst(t *testing.T) {
	r := newRig(t, g1, Durable{})
	r.persist = false
	r.after(0, r.from(g2, renew(1, 12)))
	if x := one[Refuse](r, "n2"); x.Reason != RefusedTTL {
		t.Fatalf("%+v", x)
	}
	p := oneEvent[Persist](r)
	if p.Durable.Cap != 250*ms {
		t.Fatalf("%+v", p.Durable)
	}
	r.after(time.Second, r.from(g2, renew(2, 12)))
	one[Refuse](r, "n2")
	r.after(0, Persisted{Seq: p.Seq}, r.from(g2, renew(3, 12)))
	one[Ack](r, "n2")

	// An applied profile raises it before anybody asks.
	r = newRig(t, g1, Durable{})
	r.after(0, Applied{State: state(30, profile(fsm.WAN))})
	if p := oneEvent[Persist](r); p.Durable.Cap != 3*time.Second {
		t.Fatalf("%+v", p.Durable)
	}
}

func TestCapIsLoweredLast(t *testing.T) {
	r := newRig(t, g1, Durable{Cap: 3 * time.Second, Promises: 1})
	r.after(5*time.Second, Applied{State: state(30, profile(fsm.WAN))})
	r.after(0, Applied{State: state(31)})
	noEvent[Persist](r)
	long := renew(1, 12)
	long.TTL = 3 * time.Second
	r.after(2*time.Second, r.from(g2, long)) // has not applied it yet
	one[Ack](r, "n2")
	r.after(grantSpan(3 * time.Second))
	noEvent[Persist](r)
	r.persist = false
	r.after(1)
	p := oneEvent[Persist](r)
	if p.Durable.Cap != 250*ms {
		t.Fatalf("%+v", p.Durable)
	}
	// However the write ends, nothing longer than what may be on disk is granted, also when the cap is raised again meanwhile.
	for seq := range uint64(2) {
		long.Seq = 2 + seq
		r.after(0, r.from(g2, long))
		one[Refuse](r, "n2")
	}
	r.after(0, Persisted{Seq: p.Seq})
	p = oneEvent[Persist](r)
	long.Seq = 5
	r.after(0, r.from(g2, long))
	one[Refuse](r, "n2")
	r.after(0, Persisted{Seq: p.Seq})
	long.Seq = 6
	r.after(0, r.from(g2, long))
	one[Ack](r, "n2")
}

// §3 Fence: "v (unless it knows a higher term)".
func TestFenceOfALowerTerm(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.after(0, r.from(g3, Fence{Term: 5, Node: "n3", Epoch: 13, GrantorIndex: 20}))
	r.after(0, r.from(g2, Fence{Term: 4, Node: "n2", Epoch: 12, GrantorIndex: 20}))
	noEvent[Persist](r)
	r.after(0, r.from(g2, renew(1, 12)))
	one[Ack](r, "n2")

	// One that leads knows its own term.
	r = readyRig(t, g1, state(30))
	r.step(Lead{Term: 7})
	r.after(0, r.from(g2, Fence{Term: 6, Node: "n2", Epoch: 12, GrantorIndex: 20}))
	noEvent[Persist](r)

	// A promise that waits is not answered to a leader that was replaced; it stands nevertheless.
	r = readyRig(t, g1, state(30))
	r.after(0, r.from(g2, renew(1, 12)))
	r.after(0, r.from(g3, Fence{Term: 5, Node: "n2", Epoch: 12, GrantorIndex: 20}))
	r.after(0, r.from(g2, Fence{Term: 6, Node: "n4", Epoch: 14, GrantorIndex: 20}))
	r.after(time.Second)
	none[FenceAnswer](r, "n3")
	r.after(0, r.from(g2, renew(2, 12)))
	one[Refuse](r, "n2")
}

// §3 “Grantor changes”: refusing older sets is durable before it is answered.
func TestRefuseOlderSets(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.persist = false
	r.after(0, r.from(g3, RefuseOlderSets{Term: 5, Seq: 3, Index: 30}))
	p := oneEvent[Persist](r)
	r.after(0, r.from(g2, renew(1, 12)))
	if x := one[Refuse](r, "n2"); x.Reason != RefusedSet {
		t.Fatalf("%+v", x)
	}
	none[SetAnswer](r, "n3")
	r.after(0, Persisted{Seq: p.Seq})
	want := SetAnswer{Boot: 1000 + '3', Seq: 3, Term: 5, Index: 30, Cap: 250 * ms}
	if got := one[SetAnswer](r, "n3"); got != want {
		t.Fatalf("%+v", got)
	}
	r.after(0, r.from(g3, RefuseOlderSets{Term: 5, Seq: 4, Index: 20})) // never taken back
	noEvent[Persist](r)
	r.after(0, r.from(g2, renew(2, 12)))
	one[Refuse](r, "n2")
}

// One write at a time; what changes meanwhile is in the next one.
func TestWritesAreOneAtATime(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.persist = false
	r.after(0, r.from(g3, Fence{Term: 5, Node: "n2", Epoch: 12, GrantorIndex: 20}))
	first := oneEvent[Persist](r)
	r.after(0, r.from(g3, Fence{Term: 5, Node: "n4", Epoch: 14, GrantorIndex: 20}), r.from(g3, RefuseOlderSets{Term: 5, Index: 20}))
	noEvent[Persist](r)
	r.after(0, Persisted{Seq: first.Seq + 7})
	noEvent[Persist](r)
	r.after(0, Persisted{Seq: first.Seq})
	second := oneEvent[Persist](r)
	if d := second.Durable; d.Floors["n2"] != 12 || d.Floors["n4"] != 14 || d.SetFloor != 20 || d.Promises != 4 {
		t.Fatalf("%+v", d)
	}
	if len(first.Durable.Floors) != 1 {
		t.Fatalf("what was handed over has changed: %+v", first.Durable)
	}
}

// A copy, or a Renew that was overtaken, neither extends a grant nor shows that its sender is there.
func TestRenewThatWasOvertaken(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.after(0, r.from(g2, renew(5, 12)))
	one[Ack](r, "n2")
	until := r.m.grantor.until["n2"]
	r.after(50*ms, r.from(g2, renew(5, 12)), r.from(g2, renew(4, 12)))
	none[Ack](r, "n2")
	if r.m.grantor.until["n2"] != until {
		t.Fatal("it extended the grant")
	}
}

// §3 “Orphaned promises”: floors that reach the agreed epoch are reported once they are durable.
func TestOrphansAreReported(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.persist = false
	r.step(Follow{Leader: "n3"})
	r.after(0, r.from(g3, Fence{Term: 5, Node: "n2", Epoch: 12, GrantorIndex: 20}))
	p := oneEvent[Persist](r)
	r.after(100 * ms)
	if x := one[Report](r, "n3"); len(x.Orphans) != 0 {
		t.Fatalf("%+v", x)
	}
	r.after(0, Persisted{Seq: p.Seq})
	x := one[Report](r, "n3") // at once, as it has changed
	if len(x.Orphans) != 1 || x.Orphans[0] != (Orphan{Node: "n2", Floor: 12}) {
		t.Fatalf("%+v", x)
	}
	r.after(0, Applied{State: state(31, epoch("n2", 31))})
	if x := one[Report](r, "n3"); len(x.Orphans) != 0 {
		t.Fatalf("%+v", x)
	}
}

func TestGrantorIsBounded(t *testing.T) {
	r := readyRig(t, g1, state(30))
	for i := range 3 * maxNodes {
		g := fsm.Grantor{Node: fsm.NodeID(fmt.Sprintf("x%d", i)), Store: "s"}
		r.step(r.from(g, renew(1, 12)), r.from(g2, Fence{Term: 5, Node: g.Node, Epoch: 1, GrantorIndex: 20}))
		r.out = nil
	}
	m := r.m
	for what, n := range map[string]int{"until": len(m.grantor.until), "asked": len(m.grantor.asked), "fences": len(m.grantor.fences),
		"floors": len(m.grantor.memory.Floors), "stores": len(m.peers.stores)} {
		if n > maxNodes {
			t.Errorf("%d %s", n, what)
		}
	}
	r.after(0, r.from(g2, renew(1, 12)))
	one[Refuse](r, "n2") // full
	r.after(time.Second, r.from(g2, renew(2, 12)))
	one[Ack](r, "n2") // what has run out makes room
}
