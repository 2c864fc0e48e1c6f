package lease

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"quorate/fsm"
)

const ms = time.Millisecond

var (
	g1 = fsm.Grantor{Node: "n1", Store: "s1"}
	g2 = fsm.Grantor{Node: "n2", Store: "s2"}
	g3 = fsm.Grantor{Node: "n3", Store: "s3"}
	g4 = fsm.Grantor{Node: "n4", Store: "s4"}

	keyA = fsm.AddressKey{Addr: netip.MustParseAddr("192.0.2.1")}
	keyB = fsm.AddressKey{Network: "dmz", Addr: netip.MustParseAddr("2001:db8::1")}
)

// state is one of index with nodes n1 to n4 at epochs 11 to 14, of which the first three grant (set 20); n1 owns keyA.
func state(index uint64, change ...func(*fsm.State)) *fsm.State {
	s := fsm.New()
	s.ClusterID, s.Index, s.Schema = "c", index, 1
	s.Config.Settings = fsm.DefaultSettings()
	s.Nodes = map[fsm.NodeID]fsm.Node{}
	for i, g := range []fsm.Grantor{g1, g2, g3, g4} {
		s.Nodes[g.Node] = fsm.Node{ID: g.Node, Store: g.Store, Role: fsm.Director, Epoch: fsm.Epoch(11 + i)}
	}
	s.Grantors = fsm.GrantorSet{Index: 20, Members: []fsm.Grantor{g1, g2, g3}}
	s.Assignments = map[fsm.AddressKey]fsm.Assignment{keyA: {Key: keyA, VIP: "a", Owner: "n1", Epoch: 21}}
	for _, f := range change {
		f(s)
	}
	return s
}

func epoch(n fsm.NodeID, e fsm.Epoch) func(*fsm.State) {
	return func(s *fsm.State) {
		x := s.Nodes[n]
		x.Epoch = e
		s.Nodes[n] = x
	}
}

func set(index uint64, members ...fsm.Grantor) func(*fsm.State) {
	return func(s *fsm.State) { s.Grantors = fsm.GrantorSet{Index: index, Members: members} }
}

func profile(p fsm.Profile) func(*fsm.State) {
	return func(s *fsm.State) { s.Config.Settings.Profile = p }
}

func owner(k fsm.AddressKey, n fsm.NodeID, release uint64) func(*fsm.State) {
	return func(s *fsm.State) {
		a := fsm.Assignment{Key: k, Owner: n, Epoch: 21}
		if release != 0 {
			a.Release = &fsm.Release{Index: release}
		}
		s.Assignments[k] = a
	}
}

// rig drives one Machine by hand.
type rig struct {
	t       *testing.T
	m       *Machine
	self    fsm.Grantor
	now     Instant
	out     []Output
	persist bool // finish each Persist at once
}

// newRig starts n at RAW 1 s, BOOTTIME 1 h.
func newRig(t *testing.T, self fsm.Grantor, d Durable) *rig {
	r := &rig{t: t, self: self, now: Instant{Raw: time.Second, Boot: time.Hour}, persist: true}
	r.m = NewMachine(self, 100, d, r.now)
	return r
}

// ready has applied s, is past its barrier and ticks.
func readyRig(t *testing.T, self fsm.Grantor, s *fsm.State) *rig {
	r := newRig(t, self, Durable{Cap: fsm.LAN.Timing().TTL, Promises: 1})
	r.after(300*ms, Applied{State: s}) // grants of an earlier process have run out
	r.step(BarrierPassed{}, Alive{Part: Actuator}, Alive{Part: FSM})
	return r
}

// step feeds inputs at the present time and gathers what they lead to.
func (r *rig) step(in ...Input) *rig {
	r.t.Helper()
	for _, i := range in {
		for _, o := range slices.Clone(r.m.Step(r.now, i)) {
			r.out = append(r.out, o)
			if p, ok := o.(Persist); ok && r.persist {
				r.step(Persisted{Seq: p.Seq})
			}
		}
	}
	return r
}

// after lets both clocks run for d, then feeds inputs; without any, a Tick.
func (r *rig) after(d time.Duration, in ...Input) *rig {
	r.t.Helper()
	r.now.Raw += d
	r.now.Boot += d
	if len(in) == 0 {
		in = []Input{Tick{}}
	}
	r.out = nil
	return r.step(in...)
}

// alive lets d pass in steps of 5 ms with both parts ticking, and gathers what comes of it.
func (r *rig) alive(d time.Duration) *rig {
	r.t.Helper()
	var all []Output
	for end := r.now.Raw + d; r.now.Raw < end; {
		r.after(min(5*ms, end-r.now.Raw), Alive{Part: Actuator}, Alive{Part: FSM})
		all = append(all, r.out...)
	}
	r.out = all
	return r
}

// from is a message of g.
func (r *rig) from(g fsm.Grantor, b Body) Received {
	return Received{From: g.Node, Msg: Message{Store: g.Store, Boot: 1000 + BootID(g.Node[1]), Promises: 1, Applied: 30, Log: 30, LogKnown: true, Body: b}}
}

// take returns the bodies of one type that were sent to a node since the last after, and forgets them.
func take[B Body](r *rig, to fsm.NodeID) []B {
	var bodies []B
	r.out = slices.DeleteFunc(r.out, func(o Output) bool {
		if s, ok := o.(Send); ok && s.To == to {
			if b, ok := s.Msg.Body.(B); ok {
				bodies = append(bodies, b)
				return true
			}
		}
		return false
	})
	return bodies
}

// one is take where exactly one is wanted.
func one[B Body](r *rig, to fsm.NodeID) B {
	r.t.Helper()
	b := take[B](r, to)
	if len(b) != 1 {
		var none B
		r.t.Fatalf("%d times %T to %s, want one; outputs %+v", len(b), none, to, r.out)
	}
	return b[0]
}

func none[B Body](r *rig, to fsm.NodeID) {
	r.t.Helper()
	if b := take[B](r, to); len(b) != 0 {
		r.t.Fatalf("%+v to %s, want none", b, to)
	}
}

// events returns the outputs of one type.
func events[O Output](r *rig) []O {
	var out []O
	for _, o := range r.out {
		if x, ok := o.(O); ok {
			out = append(out, x)
		}
	}
	return out
}

func oneEvent[O Output](r *rig) O {
	r.t.Helper()
	e := events[O](r)
	if len(e) != 1 {
		var none O
		r.t.Fatalf("%d times %T, want one; outputs %+v", len(e), none, r.out)
	}
	return e[0]
}

func noEvent[O Output](r *rig) {
	r.t.Helper()
	if e := events[O](r); len(e) != 0 {
		r.t.Fatalf("%+v, want none", e)
	}
}

func ack(r Renew) Ack { return Ack{Boot: 100, Seq: r.Seq, Epoch: r.Epoch} }

func (r *rig) live(e fsm.Epoch, want bool) {
	r.t.Helper()
	if got := r.m.Live(e, r.now); got != want {
		r.t.Fatalf("Live(%d) is %v, want %v", e, got, want)
	}
}
