package integration

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"quorate/fsm"
	"quorate/integration/lab"
)

// happened waits for an event of the timeline that pick takes, after an index.
func happened(t *testing.T, d *lab.Director, after uint64, limit time.Duration, what string, pick func(fsm.Event) bool) fsm.Event {
	t.Helper()
	var last []fsm.Event
	var found fsm.Event
	err := lab.Await(within(t, limit), 20*time.Millisecond, func(ctx context.Context) error {
		es, err := d.API.LastEvents(ctx, 200)
		if err != nil {
			return err
		}
		last = es.Events
		i := slices.IndexFunc(last, func(e fsm.Event) bool { return e.Index > after && pick(e) })
		if i < 0 {
			return errors.New("it is not in the timeline")
		}
		found = last[i]
		return nil
	})
	if err != nil {
		for _, e := range last {
			t.Logf("%d %s %s %s: %s", e.Index, e.Kind, e.Reason, e.VIP, e.Text)
		}
		t.Fatalf("%s: %v", what, err)
	}
	return found
}

func because(vip string, code fsm.ReasonCode) func(fsm.Event) bool {
	return func(e fsm.Event) bool { return e.VIP == vip && e.Reason == code }
}

// TestMovesAreVerified: after a planned move and after a loss of power another node hears the new owner, and the timeline says how long
// each stage took.
func TestMovesAreVerified(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("web", lab.VIP(1)).VIP("six", lab.VIP6(1)))
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	var owners []*lab.Director
	for _, v := range []netip.Addr{lab.VIP(1).Addr(), lab.VIP6(1).Addr()} {
		d, err := bed.AwaitOwner(within(t, 5*time.Second), v, nil)
		must(t, err)
		owners = append(owners, d)
	}
	next := bed.Directors[slices.IndexFunc(bed.Directors, func(d *lab.Director) bool { return !slices.Contains(owners, d) })]
	third := owners[0]
	says(t, third, "vip", "move", "web", next.Name)
	says(t, third, "vip", "move", "six", next.Name)
	for _, vip := range []string{"web", "six"} {
		e := happened(t, third, 0, 10*time.Second, "the move of "+vip+" is verified", because(vip, fsm.ReasonVerified))
		t.Log(e.Text)
		if s := e.Stages; e.Node != next.ID() || s.Suspect != 0 || s.Committed <= 0 || s.Applied < s.Committed || s.Announced < s.Applied || s.Verified < s.Applied {
			t.Errorf("%s: %s %+v", vip, e.Node, s)
		}
	}

	st, err := third.API.Status(within(t, 5*time.Second))
	must(t, err)
	must(t, next.PowerOff())
	for _, vip := range []string{"web", "six"} {
		e := happened(t, third, st.Index, 10*time.Second, "the failover of "+vip+" is verified", because(vip, fsm.ReasonVerified))
		t.Log(e.Text)
		s := e.Stages
		order := []int64{1, s.Suspect, s.Promised, s.Committed, s.Applied, s.Announced}
		if e.Node == next.ID() || !slices.IsSorted(order) || s.Verified < s.Applied || s.Verified > (3*time.Second).Microseconds() {
			t.Errorf("%s: %s %+v", vip, e.Node, s)
		}
	}
}
