package cluster

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"quorate/fsm"
)

// TestSimFenceIsTimed: the leader says how long each stage of a fence took, and the times add up to what passed.
func TestSimFenceIsTimed(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		configure(c.t, c.nodes[1].testNode, vips(3))
		c.owned(10 * time.Second)
		leader := c.leader()
		gone := c.other(leader)
		lost := time.Now()
		gone.crash()
		c.rid(leader, gone.name, 5*time.Second)
		c.until(time.Second, "the leader tells of its fence", func() bool { return leader.fenced.Load() != nil })
		f := *leader.fenced.Load()
		ttl := 250 * time.Millisecond
		if f.Node != gone.name || leader.State().Nodes[gone.name].Epoch == 0 || f.Index != uint64(leader.State().Nodes[gone.name].Epoch) {
			c.t.Errorf("%+v, but %s was fenced by entry %d", f, gone.name, leader.State().Nodes[gone.name].Epoch)
		}
		if f.Silent < ttl/2 || f.Silent > 2*ttl || f.Promised <= 0 || f.Promised > ttl {
			c.t.Errorf("%+v: want about %v of silence, and the rest of the lease until the promises", f, ttl*8/10)
		}
		// The last Renew was up to a fifth of the lease before the crash.
		if sum, took := f.Silent+f.Promised+f.Committed, time.Since(lost); sum > took+ttl/5+20*time.Millisecond {
			c.t.Errorf("%+v adds up to %v, but only %v have passed since the crash", f, sum, took)
		}
	})
}

// TestSimLostLink: an owner that says at once that it has lost its link is rid of its VIPs a moment later.
func TestSimLostLink(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		configure(c.t, c.nodes[1].testNode, vips(3))
		c.owned(10 * time.Second)
		time.Sleep(factsInterval / 3)
		x := c.other(c.leader())
		facts := x.opts.Facts()
		facts.Links = nil
		x.facts.Store(&facts)
		for range 10 { // however often it is told
			x.Refresh()
		}
		if took := c.rid(c.leader(), x.name, time.Second); took > 200*time.Millisecond {
			c.t.Errorf("took %v", took)
		}
	})
}

func TestSimNudgeAndLook(t *testing.T) {
	simulate(t, 2, func(c *simCluster) {
		c.form()
		want := []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}
		if err := c.nodes[0].Nudge(c.within(time.Second), "n2", want); err != nil {
			c.t.Fatal(err)
		}
		if got := c.nodes[1].nudged.Load(); got == nil || !slices.Equal(*got, want) {
			c.t.Errorf("n2 was asked for %v, want %v", got, want)
		}
		key := fsm.AddressKey{Network: "dmz", Addr: want[1]}
		got, err := c.nodes[0].Look(c.within(time.Second), "n2", []fsm.AddressKey{key})
		if err != nil || len(got) != 1 || got[0].Key != key || len(got[0].MACs) != 1 || !got[0].Hears {
			c.t.Errorf("n2 hears %+v (%v)", got, err)
		}
		wantErr(c.t, c.nodes[0].Nudge(c.within(time.Second), "n9", want), ErrUnknownNode)
	})
}
