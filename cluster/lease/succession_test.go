package lease

import (
	"testing"

	"quorate/fsm"
)

func TestSilentLeader(t *testing.T) {
	silent := func(self fsm.Grantor, leader fsm.NodeID, change ...func(*fsm.State)) *rig {
		r := readyRig(t, self, state(30, change...))
		r.step(Follow{Leader: leader})
		return r.alive(200 * ms) // its own grantor suspects n1 then
	}

	r := silent(g2, "n1")
	noEvent[LeaderSilent](r) // one of three
	r.suspect(g3, 1, "n1", 11)
	if e := oneEvent[LeaderSilent](r); e != (LeaderSilent{Leader: "n1", Turn: 0}) {
		t.Errorf("%+v", e)
	}
	r.suspect(g3, 2, "n1", 11)
	r.alive(100 * ms)
	noEvent[LeaderSilent](r) // it was said

	r.step(r.from(g1, Renew{Seq: 9, Epoch: 11, GrantorIndex: 20, TTL: 250 * ms, Held: true}))
	r.alive(200 * ms)
	r.suspect(g3, 3, "n1", 11)
	oneEvent[LeaderSilent](r) // another silence

	r = silent(g3, "n1")
	r.suspect(g2, 1, "n1", 11)
	if e := oneEvent[LeaderSilent](r); e.Turn != 1 {
		t.Errorf("n3 comes after n2: %+v", e)
	}

	for name, r := range map[string]*rig{
		"another leads":       silent(g2, "n3"),
		"nobody leads":        silent(g2, ""),
		"no grantor":          silent(g4, "n1"),
		"leaves the set":      silent(g2, "n1", set(20, g1, g3)),
		"it owns nothing":     silent(g2, "n1", owner(keyA, "n3", 0)),
		"it leads, and hangs": silent(g1, "n1"),
	} {
		for seq, g := range []fsm.Grantor{g1, g3} {
			r.suspect(g, uint64(seq+1), "n1", 11)
		}
		t.Log(name)
		noEvent[LeaderSilent](r)
	}

	// Others say so, this node hears it: whoever hears the leader does not stand against it.
	r = readyRig(t, g2, state(30))
	r.step(Follow{Leader: "n1"})
	r.suspect(g1, 1, "n1", 11)
	r.suspect(g3, 1, "n1", 11)
	noEvent[LeaderSilent](r)
}
