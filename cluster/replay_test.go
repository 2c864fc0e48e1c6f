package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// Nothing reaches the machine from a Raft that is being stopped: it may be what comes after something that was dropped.
func TestTenureIsOver(t *testing.T) {
	m := newMachine(newView(), nil)
	old, next := &tenure{machine: m}, &tenure{machine: m}
	entry := func(i uint64) *raft.Log {
		b, err := fsm.Encode(note("x"))
		if err != nil {
			t.Fatal(err)
		}
		return &raft.Log{Index: i, Data: b}
	}
	old.Apply(entry(1))
	old.over.Store(true) // 2 is dropped
	if r := old.Apply(entry(3)).(fsm.Result); !errors.Is(r.Err, ErrUncertain) || m.view.state.Load().Index != 1 {
		t.Errorf("entry 3: %v, the state is of %d", r.Err, m.view.state.Load().Index)
	}
	if _, err := old.Snapshot(); err == nil { // Raft would file it under entry 3
		t.Error("a snapshot was taken though an entry was dropped")
	}
	for i := range uint64(3) {
		next.Apply(entry(i + 1))
	}
	if s := m.view.state.Load(); s.Index != 3 {
		t.Errorf("the state is of %d", s.Index)
	}
}

// A node that is up to date starts Raft anew at each change of the timing profile; one that applies its log anew does not, for
// those that it finds there. No entry may be left out on the way, though reading the log takes time.
func TestSimReplayAcrossProfiles(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		lead := c.leader()
		x := c.other(lead)
		var last fsm.Result
		cfg := vips(1)
		const each, changes = 150, 3
		for i := range changes {
			cfg.Settings.Profile = []fsm.Profile{fsm.WAN, fsm.LAN}[i%2]
			configure(c.t, lead.testNode, cfg)
			for _, y := range c.nodes { // what is asked for while Raft starts anew may be uncertain
				c.until(20*time.Second, "the profile at "+string(y.name), func() bool {
					return *y.current.Load().consensus.running.Load() == cfg.Settings.Profile
				})
			}
			c.leader()
			for range each {
				var err error
				if last, err = lead.Propose(c.within(20*time.Second), note("x")); err != nil {
					c.t.Fatal(err)
				}
			}
		}
		x.read = 20 * time.Microsecond
		for range 5 {
			x.crash()
			x.boot()
			starts := map[*raft.Raft]bool{}
			c.until(3*time.Minute, "it has applied all", func() bool {
				if m := x.current.Load(); m != nil && m.consensus.raft.Load() != nil {
					starts[m.consensus.raft.Load()] = true
				}
				return x.State().Index >= last.Index && isReady(x.Ready())
			})
			if len(starts) != 1 {
				c.t.Errorf("Raft was started %d times", len(starts))
			}
			if n := reported(x.State()); n != each*changes {
				c.t.Errorf("%d of %d events after a restart", n, each*changes)
			}
		}
		if n := reported(lead.State()); n != each*changes {
			c.t.Errorf("%d of %d events where Raft was started anew", n, each*changes)
		}
	})
}

func reported(s *fsm.State) (n int) {
	for _, e := range s.Events {
		if e.Kind == fsm.EventReported {
			n++
		}
	}
	return n
}
