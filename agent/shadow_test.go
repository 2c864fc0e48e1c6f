package agent

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"quorate/fsm"
)

// mode changes the mode of web.
func (w *world) mode(t *testing.T, m fsm.Mode) *fsm.State {
	c, _ := w.State().Config.WithMode("web", m)
	return w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}})
}

// A VIP that goes into shadow is given up as one that nobody gets, and then left to whoever has it: neither address, service nor gate entry. What is decided
// there is confirmed at once and touches nothing; and live again it is taken over like any other.
func TestShadowTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := owner(t)
		if got := managed(w.State()); !slices.Equal(got, []netip.Addr{web.Addr}) {
			t.Errorf("live: managed %v", got)
		}
		i := w.mode(t, fsm.ShadowMode).Assignments[web].Release.Index
		if got := managed(w.State()); !slices.Equal(got, []netip.Addr{web.Addr}) {
			t.Errorf("not given up yet: managed %v", got)
		}
		w.expect(t, "into shadow: it goes, and does not linger", "192.0.2.10 closed", "remove 192.0.2.10/24", fmt.Sprintf("confirm 192.0.2.10 %d", i))
		w.assign(t, "n1", i)
		time.Sleep(time.Second)
		w.expect(t, "in shadow: so do its services", "table []")
		if got := managed(w.State()); len(got) != 0 {
			t.Errorf("in shadow: managed %v: the gate would silence another program's address", got)
		}

		// keepalived of this very node gets it.
		w.mu.Lock()
		w.have[netip.MustParsePrefix("192.0.2.10/32")] = theirs
		w.mu.Unlock()
		for range 3 {
			for to, other := range map[fsm.NodeID]fsm.NodeID{"n1": "n2"} {
				i = w.release(t, other)
				w.expect(t, "a move in shadow is confirmed at once", fmt.Sprintf("confirm 192.0.2.10 %d", i))
				w.assign(t, other, i)
				time.Sleep(10 * time.Second)
				w.expect(t, "and nothing else happens")
				i = w.release(t, to)
				w.assign(t, to, i)
				time.Sleep(10 * time.Second)
				w.expect(t, "nor on the way back")
			}
		}
		w.lease(w.State().Nodes["n1"].Epoch, false)
		w.lease(w.State().Nodes["n1"].Epoch, true)
		time.Sleep(10 * time.Second)
		w.expect(t, "nor when the lease is lost")
		w.mu.Lock()
		if want := map[netip.Prefix]string{netip.MustParsePrefix("192.0.2.10/32"): theirs}; !maps.Equal(w.have, want) || len(w.gate) != 0 {
			t.Errorf("the kernel has %v, and the gate %v", w.have, w.gate)
		}
		delete(w.have, netip.MustParsePrefix("192.0.2.10/32"))
		w.mu.Unlock()

		i = w.mode(t, fsm.LiveMode).Assignments[web].Release.Index
		w.expect(t, "out of shadow: there was nothing to give up", fmt.Sprintf("confirm 192.0.2.10 %d", i))
		w.assign(t, "n1", i)
		time.Sleep(time.Second)
		w.expect(t, "live", "table [tcp 192.0.2.10:80×1]", "192.0.2.10 open", "put 192.0.2.10/24")
	})
}
