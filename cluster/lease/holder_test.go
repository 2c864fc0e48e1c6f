package lease

import (
	"testing"
	"time"

	"quorate/fsm"
)

// §3 Holder: "No Renew before the start barrier, nor while the actuator or the fsm has not ticked for T."
func TestNoRenewBeforeBarrier(t *testing.T) {
	r := newRig(t, g1, Durable{})
	r.alive(time.Second)
	r.step(Applied{State: state(30)}).alive(time.Second)
	none[Renew](r, "n2")
	r.after(0, BarrierPassed{})
	one[Renew](r, "n2")
}

func TestNoRenewWhileAPartIsSilent(t *testing.T) {
	for _, silent := range []Part{Actuator, FSM} {
		r := readyRig(t, g1, state(30))
		ticks := Alive{Part: 1 - silent}
		for range 4 {
			r.after(50*ms, ticks)
			one[Renew](r, "n2") // up to 200 ms
		}
		for range 20 {
			r.after(50*ms, ticks)
			none[Renew](r, "n2") // from T on
		}
		r.after(0, Alive{Part: silent})
		one[Renew](r, "n2")

		// A suspended machine's parts have not ticked either, whatever RAW says.
		r.now.Boot += time.Hour
		r.after(50 * ms)
		none[Renew](r, "n2")
	}
}

// An Alive that waited in a queue is worth its own time.
func TestAliveCountsFromWhenItWasSaid(t *testing.T) {
	r := readyRig(t, g1, state(30))
	said := r.now
	r.after(249*ms, Alive{Part: Actuator, At: said}, Alive{Part: FSM, At: said})
	one[Renew](r, "n2")
	r.after(50*ms, Alive{Part: Actuator, At: said}, Alive{Part: FSM, At: said})
	none[Renew](r, "n2")
}

// §3 Holder: every R, to every grantor, all of one applied index.
func TestRenewNamesOneState(t *testing.T) {
	r := readyRig(t, g1, state(30))
	want := Renew{Seq: 1, Epoch: 11, GrantorIndex: 20, TTL: 250 * ms}
	for _, n := range []fsm.NodeID{"n2", "n3"} {
		if got := one[Renew](r, n); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
	none[Renew](r, "n4") // no member of the set
	r.after(49 * ms)
	none[Renew](r, "n2")
	r.after(1 * ms)
	if got := one[Renew](r, "n2"); got.Seq != 2 {
		t.Fatalf("sequence %d", got.Seq)
	}
	r.after(10*ms, Applied{State: state(31, set(31, g1, g2, g3, g4), epoch("n1", 31), profile(fsm.WAN))})
	if got := one[Renew](r, "n4"); got.Epoch != 31 || got.GrantorIndex != 31 || got.TTL != 3*time.Second {
		t.Fatalf("%+v", got)
	}
}

// A state that knows this name with another store is not about this node.
func TestNoRenewForAnotherStore(t *testing.T) {
	r := readyRig(t, fsm.Grantor{Node: "n1", Store: "replaced"}, state(30))
	r.alive(time.Second)
	none[Renew](r, "n2")
}

// §3 Holder: "It holds until s + ttl for the latest s such that a majority of the set has acknowledged a Renew sent at s or
// later", "inside that on RAW and inside s + 0.9·ttl on BOOTTIME". The reply's time counts for nothing.
func TestLeaseCountsFromTheSending(t *testing.T) {
	r := readyRig(t, g1, state(30))
	r.live(11, false) // its own grant alone is no majority
	s := r.now
	ask := one[Renew](r, "n2")
	r.after(120*ms, r.from(g2, ack(ask)))
	c := oneEvent[LeaseChanged](r)
	if c.Epoch != 11 || c.Until.Raw != s.Raw+250*ms || c.Until.Boot != s.Boot+225*ms {
		t.Fatalf("%+v, sent at %+v", c, s)
	}
	r.now = Instant{Raw: s.Raw + 225*ms - 1, Boot: s.Boot + 225*ms - 1}
	r.live(11, true)
	r.now.Boot++
	r.live(11, false)                                              // BOOTTIME: a suspend, or slewed fast
	r.now = Instant{Raw: s.Raw + 250*ms - 1, Boot: s.Boot + 10*ms} // BOOTTIME slewed slow
	r.live(11, true)
	r.now.Raw++
	r.live(11, false)
}

func TestLeaseIsTheMajoritysLatest(t *testing.T) {
	r := readyRig(t, g1, state(30, set(20, g1, g2, g3, g4, fsm.Grantor{Node: "n5", Store: "s5"})))
	s1 := r.now
	first := one[Renew](r, "n2")
	r.after(50*ms, r.from(g2, ack(first)))
	second := one[Renew](r, "n2")
	s2 := r.now
	r.live(11, false) // two of five
	r.step(r.from(g3, ack(first)))
	if got := r.m.holder.leases[0].until.Raw; got != s1.Raw+250*ms {
		t.Fatalf("until %v", got)
	}
	r.step(r.from(g3, ack(second)))
	if got := r.m.holder.leases[0].until.Raw; got != s1.Raw+250*ms {
		t.Fatalf("two have acknowledged the second, until %v", got)
	}
	r.step(r.from(g2, ack(second)))
	if got := r.m.holder.leases[0].until.Raw; got != s2.Raw+250*ms {
		t.Fatalf("three have acknowledged the second, until %v", got)
	}
	r.step(r.from(g4, ack(first))) // late, and worth less
	if got := r.m.holder.leases[0].until.Raw; got != s2.Raw+250*ms {
		t.Fatalf("a late acknowledgement moved it to %v", got)
	}
}

func TestAcknowledgementsThatCountForNothing(t *testing.T) {
	for name, change := range map[string]func(*fsm.Grantor, *Ack){
		"earlier boot":    func(_ *fsm.Grantor, a *Ack) { a.Boot = 99 },
		"unknown seq":     func(_ *fsm.Grantor, a *Ack) { a.Seq += 1 },
		"seq of no round": func(_ *fsm.Grantor, a *Ack) { a.Seq = 0 },
		"reused slot":     func(_ *fsm.Grantor, a *Ack) { a.Seq += maxSends },
		"other epoch":     func(_ *fsm.Grantor, a *Ack) { a.Epoch++ },
		"not a member":    func(g *fsm.Grantor, _ *Ack) { *g = g4 },
		"other store":     func(g *fsm.Grantor, _ *Ack) { g.Store = "replaced" },
	} {
		t.Run(name, func(t *testing.T) {
			r := readyRig(t, g1, state(30))
			g, a := g2, ack(one[Renew](r, "n2"))
			good := a
			change(&g, &a)
			r.step(r.from(g, a))
			r.live(11, false)
			r.step(r.from(g2, good))
			r.live(11, true)
		})
	}
}

// §3: "T may change at any time: it travels in each Renew". A longer T lengthens nothing that was asked for before.
func TestTTLIsTheOneSent(t *testing.T) {
	r := readyRig(t, g1, state(30))
	s := r.now
	a := ack(one[Renew](r, "n2"))
	r.after(10*ms, Applied{State: state(31, profile(fsm.WAN))}, r.from(g2, a))
	if c := oneEvent[LeaseChanged](r); c.Until.Raw != s.Raw+250*ms {
		t.Fatalf("until %v after the sending", c.Until.Raw-s.Raw)
	}
}

// §3: "The lease under the previous epoch stays known until its own deadline"; acknowledgements count only for the epoch
// they were asked under.
func TestPreviousEpochStaysKnown(t *testing.T) {
	r := readyRig(t, g1, state(30))
	a := ack(one[Renew](r, "n2"))
	r.step(r.from(g2, a))
	r.after(10*ms, Applied{State: state(31, epoch("n1", 31))})
	next := one[Renew](r, "n2") // at once, not after R
	if next.Epoch != 31 || !next.Held {
		t.Fatalf("%+v", next)
	}
	r.live(11, true)
	r.live(31, false)
	r.step(r.from(g3, a)) // of the earlier epoch
	r.live(31, false)
	r.step(r.from(g2, ack(next)))
	r.live(31, true)
	r.after(215 * ms) // 225 ms since the first sending
	r.live(11, false)
	r.live(31, true)
	if c := oneEvent[LeaseChanged](r); c != (LeaseChanged{Epoch: 11}) {
		t.Fatalf("%+v", c)
	}
}

// §3: "One refusal that quotes an agreed higher epoch closes everything at once; a mere promise does not." "An epoch is
// learned from the log only."
func TestRefusalThatQuotesAnAgreedEpoch(t *testing.T) {
	r := readyRig(t, g1, state(30))
	ask := one[Renew](r, "n2")
	r.step(r.from(g2, ack(ask)))
	refuse := Refuse{Boot: 100, Seq: ask.Seq, Epoch: 11, Reason: RefusedPromise, Agreed: 11}
	r.after(1*ms, r.from(g3, refuse))
	r.live(11, true)
	noEvent[LeaseChanged](r)

	refuse.Agreed = 40
	old := refuse
	old.Boot = 99
	r.step(r.from(g3, old))
	r.live(11, true)
	r.step(r.from(g3, refuse))
	r.live(11, false)
	if c := oneEvent[LeaseChanged](r); c != (LeaseChanged{Epoch: 11}) {
		t.Fatalf("%+v", c)
	}
	r.alive(500 * ms)
	none[Renew](r, "n2")
	r.step(r.from(g2, ack(ask)))
	r.live(11, false)

	r.after(0, Applied{State: state(39, epoch("n1", 39))}) // newer, but not what was quoted
	none[Renew](r, "n2")
	r.after(0, Applied{State: state(41, epoch("n1", 40))})
	ask = one[Renew](r, "n2")
	r.step(r.from(g2, ack(ask)))
	r.live(40, true)
}

// What this node has applied itself closes nothing: it knows then whether it still owns.
func TestRefusalOfAnEpochThatIsApplied(t *testing.T) {
	r := readyRig(t, g1, state(30))
	ask := one[Renew](r, "n2")
	r.step(r.from(g2, ack(ask)))
	r.step(Applied{State: state(31, epoch("n1", 31))})
	r.step(r.from(g3, Refuse{Boot: 100, Seq: ask.Seq, Epoch: 11, Reason: RefusedPromise, Agreed: 31}))
	r.live(11, true)
}

// §3 Detection: "n cut off from its acknowledgements counts as silent".
func TestHeld(t *testing.T) {
	r := readyRig(t, g1, state(30))
	ask := one[Renew](r, "n2")
	if ask.Held {
		t.Fatal("held before it has a lease")
	}
	r.step(r.from(g2, ack(ask)))
	r.alive(50 * ms)
	if !one[Renew](r, "n2").Held {
		t.Fatal("not held with a lease")
	}
	r.alive(200 * ms) // no acknowledgement of another for more than 225 ms
	asks := take[Renew](r, "n2")
	if last := asks[len(asks)-1]; last.Held {
		t.Fatalf("held without a lease: %+v", last)
	}

	r = readyRig(t, g2, state(30)) // owns nothing
	r.step(r.from(g1, ack(one[Renew](r, "n1"))))
	r.alive(50 * ms)
	if one[Renew](r, "n1").Held {
		t.Fatal("held by a node that owns nothing")
	}
}

// Members of the set counted are those of the applied set. A lease that was won under the set before stays.
func TestGrantorSetChange(t *testing.T) {
	r := readyRig(t, g1, state(30))
	ask := one[Renew](r, "n2")
	r.step(r.from(g2, ack(ask)))
	until := r.m.holder.leases[0].until
	r.after(10*ms, Applied{State: state(31, set(31, g1, g3))})
	r.live(11, true)
	next := one[Renew](r, "n3")
	if next.GrantorIndex != 31 {
		t.Fatalf("%+v", next)
	}
	none[Renew](r, "n2")
	r.step(r.from(g2, Ack{Boot: 100, Seq: next.Seq, Epoch: 11}))
	if r.m.holder.leases[0].until != until {
		t.Fatal("an acknowledgement of one that is no member counted")
	}
	r.step(r.from(g3, ack(next)))
	if r.m.holder.leases[0].until.Raw != r.now.Raw+250*ms {
		t.Fatal("the new set's majority does not count")
	}
}

// The bounds of what is remembered.
func TestHolderIsBounded(t *testing.T) {
	r := readyRig(t, g1, state(30))
	for i := range uint64(100) {
		r.after(1*ms, Applied{State: state(31+i, epoch("n1", fsm.Epoch(31+i)))}, Alive{Part: Actuator})
	}
	if n := len(r.m.holder.leases); n > maxLeases {
		t.Fatalf("%d leases", n)
	}
}
