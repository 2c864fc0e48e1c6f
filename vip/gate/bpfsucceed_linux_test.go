package gate

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestNFTSucceedsBPF: a start that can have no BPF finds the program of an earlier one on the links. It stays until the gate in
// nftables is told the addresses and is seen to be in place, and as long as its agent runs; then it goes, and the addresses answer.
func TestNFTSucceedsBPF(t *testing.T) {
	for _, how := range []string{"tcx", "clsact"} {
		t.Run(how, func(t *testing.T) {
			p := newPair(t)
			old, err := openBPFAs(Options{In: p.host.In, Log: quiet}, how)
			if err != nil {
				t.Skipf("this host has no gate by %s: %v", how, err)
			}
			must(t, old.Set(opened(7)))
			check(t, old)
			left := func() bool { _, err := os.Stat(p.host.pins); return err == nil }

			g, err := succeedBPF(openNFT)(Options{In: p.host.In, Log: quiet})
			must(t, err)
			defer g.Close()
			must(t, g.Renew(7, bootNow()+time.Hour), g.Set(opened(7)))
			if _, err := g.Check(); err == nil || !strings.Contains(err.Error(), "an agent that runs holds it") {
				t.Errorf("beside an agent that runs: %v", err)
			}
			must(t, old.Close())
			if !left() || !p.silent(vip4) {
				t.Error("the gate of an agent that runs was taken off")
			}
			_, err = g.Check()
			must(t, err)
			if left() || !p.answers(vip4) || !p.answers(vip6) {
				t.Error("the old gate is still there")
			}
			must(t, g.Renew(7, bootNow()-time.Second))
			if !p.silent(vip4) {
				t.Error("the new gate is none")
			}
			must(t, g.Remove())
		})
	}
}

// TestNFTThatIsToldNothingTakesNothingOff: a gate that is not told anything takes nothing off.
func TestNFTThatIsToldNothingTakesNothingOff(t *testing.T) {
	p := newPair(t)
	old, err := openBPFAs(Options{In: p.host.In, Log: quiet}, "")
	if err != nil {
		t.Skipf("this host has no gate in BPF: %v", err)
	}
	must(t, old.Set(opened(7)))
	check(t, old)
	must(t, old.Close())
	g, err := succeedBPF(openNFT)(Options{In: p.host.In, Log: quiet})
	must(t, err)
	must(t, g.Renew(7, bootNow()+time.Hour))
	_, err = g.Check()
	must(t, err)
	if _, err := os.Stat(p.host.pins); err != nil || !p.silent(vip4) {
		t.Errorf("the old gate went before the new one was told anything: %v", err)
	}
	must(t, g.Remove())
	if _, err := os.Stat(p.host.pins); err == nil {
		t.Error("Remove left the old gate")
	}
	must(t, g.Close())
}
