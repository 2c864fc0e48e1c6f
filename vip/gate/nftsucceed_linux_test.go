package gate

import (
	"testing"
	"time"
)

// TestNFTIsSucceeded: a stronger gate finds the tables of an earlier start. They stay the fence until it is told the addresses and
// all links carry it; then they go.
func TestNFTIsSucceeded(t *testing.T) {
	p := newPair(t)
	old, err := openNFT(Options{In: p.host.In})
	must(t, err)
	must(t, old.Set(opened(7)), old.Close())
	left := func() bool {
		n := 0
		must(t, p.host.In(func() error {
			there, err := existing()
			n = len(there)
			return err
		}))
		return n > 0
	}
	g, why, err := Open(Options{In: p.host.In, Log: quiet})
	must(t, err)
	if g.Kind() != KindBPF {
		t.Skipf("this host has no stronger gate: %v", why)
	}
	defer g.Close()
	must(t, g.Renew(7, bootNow()+time.Hour))
	if !left() || !p.silent(vip4) {
		t.Error("the old fence went before the new one was told anything")
	}
	must(t, g.Set(opened(7)))
	if !left() || !p.silent(vip4) {
		t.Error("the old fence went before the new one was on the links")
	}
	_, err = g.Check()
	must(t, err)
	if left() || !p.answers(vip4) || !p.answers(vip6) {
		t.Error("the old fence stayed")
	}
	must(t, g.Remove())
}
