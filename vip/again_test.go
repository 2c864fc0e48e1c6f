package vip

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestAgain: what this host carries is announced anew when it is asked for, once a second at most; nothing else is.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := newModel("eth0"), newHorn()
		a, _ := start(t, m, h)
		ours, other := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")
		if got := a.Again([]netip.Addr{ours}); got != nil {
			t.Errorf("%v announced before anything is wanted", got)
		}
		a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", time.Hour)})
		if got := a.Again([]netip.Addr{ours}); got != nil {
			t.Errorf("%v began anew in the middle of its burst", got)
		}
		time.Sleep(10 * time.Second)
		h.take()
		for range 5 {
			a.Again([]netip.Addr{other, ours})
			synctest.Wait()
		}
		time.Sleep(6 * time.Second)
		if got := h.take(); len(got) != len(announceAt) {
			t.Errorf("announced %q, want one burst", got)
		}
		if got := a.Again([]netip.Addr{ours}); !slices.Equal(got, []netip.Addr{ours}) {
			t.Errorf("%v", got)
		}
		a.Clear()
		synctest.Wait()
		h.take()
		a.Again([]netip.Addr{ours})
		time.Sleep(time.Minute)
		if got := h.take(); got != nil {
			t.Errorf("announced %q after it was given up", got)
		}
	})
}
