package agent

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"quorate/api"
	"quorate/cluster"
	"quorate/fsm"
)

// TestStopwatch: the first times after each assignment count, and those of an earlier one do not.
func TestStopwatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStreet(t, 2)
		watch := &stopwatch{}
		view := timedView{w, "n1", watch}
		report := func() api.Address {
			x := []api.Address{{Prefix: netip.PrefixFrom(web.Addr, 24)}}
			watch.times(x)
			return x[0]
		}
		applied := func(l *lap) *time.Time { return &l.applied }
		announced := func(l *lap) *time.Time { return &l.announced }
		watch.note(web.Addr, applied) // nothing is known of it
		w.give("n1", fsm.ReasonPlaced)
		view.State()
		for range 2 { // renewals and refreshes are later
			time.Sleep(2 * time.Millisecond)
			watch.note(web.Addr, applied)
			time.Sleep(time.Millisecond)
			watch.note(web.Addr, announced)
			view.State()
		}
		epoch := w.State().Assignments[web].Epoch
		if x := report(); x.Epoch != epoch || x.AppliedUS != 2000 || x.AnnouncedUS != 3000 {
			t.Errorf("%+v", x)
		}
		w.give("n2", fsm.ReasonRequested)
		view.State()
		if x := report(); x.Epoch != 0 || x.AppliedUS != 0 {
			t.Errorf("it belongs to another node, and still %+v", x)
		}
		w.give("n1", fsm.ReasonRequested)
		view.State()
		if x := report(); x.Epoch <= epoch || x.AppliedUS != 0 || x.AnnouncedUS != 0 {
			t.Errorf("%+v", x)
		}
		for i := range 2 * keptFences {
			watch.fenced(cluster.Fenced{Index: uint64(i), Node: "n2", Silent: time.Millisecond})
		}
		if d := watch.decisions(); len(d) != keptFences || d[keptFences-1].Index != 2*keptFences-1 || d[0].SilentUS != 1000 {
			t.Errorf("%+v", d)
		}
	})
}
