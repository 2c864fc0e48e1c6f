package integration

import (
	"net/netip"
	"testing"
	"time"

	"quorate/integration/lab"
)

// fence watches that no address has two owners. An agent holds its addresses by deadlines; while the machine that all
// hosts share gives it no processor, it cannot take one away, and only the lifetime of the address in the kernel (whole
// seconds) does. So an overlap that is no longer than a wait for a processor is the machine's doing, and logged.
type fence struct {
	*lab.Watch
	strain *lab.Strain
	addrs  []netip.Addr
}

func newFence(t *testing.T, bed *lab.Bed, addrs ...netip.Addr) fence {
	t.Helper()
	w, err := bed.Bystander.StartWatch(5*time.Millisecond, addrs...)
	must(t, err)
	return fence{w, bed.StartStrain(), addrs}
}

// check fails the test if an address had two owners in the window.
func (f fence) check(t *testing.T, window lab.Span) {
	t.Helper()
	for _, a := range f.addrs {
		dual := f.Dual(a, window)
		if dual == 0 {
			continue
		}
		if wait := f.strain.Longest(window); wait.Length > 50*time.Millisecond {
			t.Logf("%s had two owners for %s, but %s", a, lab.Millis(dual), wait)
			continue
		}
		t.Errorf("%s had two owners for %s: %+v", a, lab.Millis(dual), f.Owners(a))
	}
}
