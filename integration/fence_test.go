package integration

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/integration/lab"
	"quorate/vip/gate"
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

// TestFenceInTheKernel kills and freezes the agent of an owner. Its kernel, which has its addresses still, has to be silent
// before the next owner claims them, without a tolerance: the order of frames on the wire decides.
func TestFenceInTheKernel(t *testing.T) {
	for name, fault := range map[string]func(t *testing.T, d *lab.Director){
		"killed": func(t *testing.T, d *lab.Director) { must(t, d.Kill()) },
		"frozen": func(t *testing.T, d *lab.Director) { must(t, d.Agent().Stop()) },
	} {
		t.Run(name, func(t *testing.T) {
			bed := newBed(t, 3, 0)
			form(t, bed)
			owner, prefer := bed.Directors[0], `prefer = ["n1"]`
			apply(t, owner, new(lab.Config).VIP("v4", lab.VIP(1), prefer).VIP("v6", lab.VIP6(1), prefer))
			vips := []netip.Addr{lab.VIP(1).Addr(), lab.VIP6(1).Addr()}
			for _, d := range bed.Directors {
				n, err := d.API.Node(t.Context())
				must(t, err)
				if n.Fence.Kind != "bpf" && n.Fence.Kind != "nft" {
					t.Skipf("%s has the fence %s: %s", d.Name, n.Fence.Kind, n.Fence.Missing)
				}
			}
			w, err := bed.Bystander.StartWatch(2*time.Millisecond, vips...)
			must(t, err)
			must(t, lab.Await(within(t, 10*time.Second), 5*time.Millisecond, func(context.Context) error {
				for _, vip := range vips {
					if c := w.Claims(vip); len(c) == 0 || c[len(c)-1].Host != owner.Name {
						return fmt.Errorf("%s does not claim %s", owner.Name, vip)
					}
				}
				return nil
			}))
			from := make([]int, len(vips))
			for i, vip := range vips {
				from[i] = len(w.Claims(vip))
			}
			fault(t, owner)
			next := make([]*lab.Director, len(vips))
			for i, vip := range vips {
				next[i], err = bed.AwaitOwner(within(t, 10*time.Second), vip, owner)
				must(t, err)
			}
			<-time.After(3 * time.Second) // longer than the addresses' lifetime in the kernel
			must(t, owner.Agent().Continue())
			if name == "killed" {
				must(t, owner.Start(within(t, 10*time.Second)))
			}
			<-time.After(500 * time.Millisecond) // it comes back and learns that the addresses are another's
			for i, vip := range vips {
				taken, late, before := false, 0, 0
				for _, c := range w.Claims(vip)[from[i]:] {
					switch {
					case c.Host == next[i].Name:
						taken = true
					case c.Host == owner.Name && taken:
						late++
					case c.Host == owner.Name:
						before++
					}
				}
				t.Logf("%s: %s claimed it %d times before %s did, and %d times after", vip, owner.Name, before, next[i].Name, late)
				if !taken || late > 0 || before == 0 {
					t.Errorf("%s: the next owner claimed it: %v; the old one claimed it %d times before and %d times after", vip, taken, before, late)
				}
			}
		})
	}
}

// TestDemandedFence gives the preferred node an agent that is to have the strict gate and may not load it: it owns nothing, and says why.
func TestDemandedFence(t *testing.T) {
	bed := newBed(t, 3, 0)
	weak := bed.Directors[0]
	weak.Without = []uintptr{unix.CAP_BPF, unix.CAP_SYS_ADMIN, unix.CAP_PERFMON}
	must(t, weak.Start(within(t, 10*time.Second), "--fence", string(gate.KindBPF)))
	form(t, bed)
	_, err := bed.Directors[1].Apply(within(t, 30*time.Second), "cluster.hcl", new(lab.Config).VIP("a", lab.VIP(1), `prefer = ["n1"]`).String())
	must(t, err)
	owner, err := bed.AwaitOwner(within(t, 10*time.Second), lab.VIP(1).Addr(), nil)
	must(t, err)
	if owner == weak {
		t.Error("a node without the fence that it is to have owns a VIP")
	}
	s, err := bed.Status(within(t, 5*time.Second))
	must(t, err)
	want := `the agent's setting fence = "bpf" cannot be carried out`
	if !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "n1") && strings.Contains(p, want) }) {
		t.Errorf("the problems do not say that n1's fence cannot be had: %q", s.Problems)
	}

	// Once it is allowed another, it gets what prefers it.
	must(t, weak.End(within(t, 20*time.Second)))
	must(t, weak.Start(within(t, 10*time.Second), "--fence", "auto"))
	must(t, weak.AwaitReady(within(t, 10*time.Second)))
	says(t, bed.Directors[1], "vip", "move", "a", "n1")
	n, err := weak.API.Node(within(t, 5*time.Second))
	must(t, err)
	if n.Fence.Kind == string(gate.KindBPF) || n.Fence.Missing == "" {
		t.Errorf("n1 without the right to load a program has the fence %s, and of a stronger one it says %q", n.Fence.Kind, n.Fence.Missing)
	}
}

// TestWeakerFenceTakesOver: the gate of an agent that was killed does not silence the addresses of one that may have none.
func TestWeakerFenceTakesOver(t *testing.T) {
	bed := newBed(t, 1, 0)
	form(t, bed)
	n1, addr := bed.Directors[0], lab.VIP(1).Addr()
	apply(t, n1, new(lab.Config).VIP("a", lab.VIP(1)))
	owned(t, bed, lab.VIP(1))
	heard := func() {
		t.Helper()
		probe, err := bed.Client.StartProbe(addr, 5*time.Millisecond)
		must(t, err)
		defer probe.Close()
		must(t, lab.Await(within(t, 15*time.Second), 5*time.Millisecond, func(context.Context) error {
			if !probe.Answered(0) {
				return errors.New("the VIP does not answer")
			}
			return nil
		}))
	}
	for _, fence := range []string{"nft", "bpf", "address-lifetime", "auto"} {
		must(t, n1.Kill())
		must(t, n1.Start(within(t, 10*time.Second), "--fence", fence))
		heard()
		must(t, lab.Await(within(t, 15*time.Second), 50*time.Millisecond, func(ctx context.Context) error {
			n, err := n1.API.Node(ctx)
			if err != nil {
				return err
			}
			parts, err := n1.Gate()
			has := func(what string) bool {
				return slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(p, what) })
			}
			pins, tables := has("pin "), has("table ")
			switch {
			case err != nil:
				return err
			case fence != "auto" && n.Fence.Kind != fence:
				return lab.Final(fmt.Errorf("it has %s: %s", n.Fence.Kind, n.Fence.Missing))
			case n.Fence.Kind == "bpf" && pins && !tables, n.Fence.Kind == "nft" && tables && !pins, n.Fence.Kind == "address-lifetime" && !pins && !tables:
				return nil
			}
			return fmt.Errorf("with the fence %s the kernel has %q", n.Fence.Kind, parts)
		}))
	}
}
