package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"quorate/fsm"
	"quorate/vip/probe"
)

// ditch is a link on which claims are put by hand.
type ditch struct {
	claims chan probe.Claim
	addrs  []netip.Addr // that are watched
	fails  int
}

func (d *ditch) Watch(ctx context.Context, link string, addrs []netip.Addr, heard func(probe.Claim)) error {
	if d.fails > 0 {
		d.fails--
		return errors.New("no such link")
	}
	d.addrs = addrs
	defer func() { d.addrs = nil }()
	for {
		select {
		case c := <-d.claims:
			if slices.Contains(addrs, c.Addr) {
				heard(c)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// TestClaimsAreAnswered: an owner that hears another host announces again each time, and tells of it once; one that has been asked to
// give the address up, or holds no lease, does neither.
func TestClaimsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStreet(t, 2)
		w.give("n1", fsm.ReasonPlaced)
		d := &ditch{claims: make(chan probe.Claim), fails: 2}
		var again, counted int
		var told []fsm.Event
		live, waits := true, false
		c := &claimWatch{self: "n1", view: w, live: func(fsm.Epoch) bool { return live }, wire: d, log: slog.New(slog.DiscardHandler),
			again: func(a []netip.Addr) []netip.Addr { again++; return a },
			told:  func(e fsm.Event) { told = append(told, e) },
			count: func() { counted++ }, waits: func(fsm.AddressKey) bool { return waits }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.run(ctx) }()
		squatter := probe.Claim{Addr: web.Addr, MAC: probe.MAC{2, 0, 0, 0, 0, 0xee}}
		want := func(what string, announced, events int) {
			t.Helper()
			synctest.Wait()
			if again != announced || counted != announced || len(told) != events {
				t.Errorf("%s: announced %d times, counted %d, told %d; want %d and %d", what, again, counted, len(told), announced, events)
			}
		}
		for range 3 {
			d.claims <- squatter // it is listened to again after a link that was not there
			time.Sleep(10 * time.Second)
		}
		want("claimed three times", 3, 1)
		if e := told[0]; e.VIP != "web" || e.Reason != fsm.ReasonForeign || e.Node != "n1" {
			t.Errorf("%+v", e)
		}
		live = false
		d.claims <- squatter
		want("without a lease", 3, 1)
		live, waits = true, true
		d.claims <- squatter
		want("while it waits for the other to go", 3, 1)
		waits = false
		// What the timeline says already is not said again.
		w.apply(fsm.Command{Record: &fsm.Record{Event: told[0]}})
		time.Sleep(2 * claimQuiet)
		d.claims <- squatter
		want("after a silence, known", 4, 1)
		w.apply(fsm.Command{Record: &fsm.Record{Event: fsm.Event{VIP: "web", Reason: fsm.ReasonVerified}}})
		time.Sleep(2 * claimQuiet)
		d.claims <- squatter
		want("after a silence, and as it should be meanwhile", 5, 2)
		w.give("n2", fsm.ReasonRequested)
		synctest.Wait()
		if d.addrs != nil {
			t.Errorf("%v is watched by one who does not own it", d.addrs)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
