package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestBesideKeepalived: a cluster of three as one virtual router above a keepalived, in one life: the owner speaks before it opens and the keepalived stays a
// backup, through a planned move and the death of an owner; all agents end at once, and it takes over as fast as it can; they come back, and have the
// address again; it gets a better claim, and has it until it ends.
func TestBesideKeepalived(t *testing.T) {
	if _, err := lab.FindKeepalived(); err != nil {
		t.Skip(err)
	}
	bed := newBed(t, 3, 0)
	vip, p := lab.VIP(1), paceOf()
	form(t, bed)
	h, err := bed.AddHost("k1", lab.HostPrefixes(31)...)
	must(t, err)
	start := func(priority int) *lab.Keepalived {
		t.Helper()
		instances := lab.KeepalivedVIP(vip, priority, time.Second)
		instances[0].Preempt = true
		k, err := h.StartKeepalived(within(t, 20*time.Second*p.times), lab.KeepalivedOptions{Instances: instances})
		must(t, err)
		return k
	}
	k := start(100)
	has := func(who string) {
		t.Helper()
		must(t, lab.Await(within(t, 20*time.Second*p.times), 2*time.Millisecond, func(context.Context) error {
			var on []string
			for _, x := range append([]*lab.Host{h}, hosts(bed)...) {
				if carries, err := x.Carries(vip.Addr()); err != nil {
					return err
				} else if carries {
					on = append(on, x.Name)
				}
			}
			if got := strings.Join(on, " "); got != who && (who != "the cluster" || got == "" || strings.Contains(got, h.Name) || len(on) != 1) {
				return fmt.Errorf("the address is on %q, not on %s", got, who)
			}
			return nil
		}))
	}
	has("k1")
	apply(t, bed.Directors[0], new(lab.Config).VIP("web", vip, fmt.Sprintf(`vrrp {
    vrid     = 51
    priority = 200
    peers    = [%q]
  }`, h.Addr())))
	has("the cluster")
	masters := func() (n int) {
		for _, l := range k.States("lab") {
			if strings.Contains(l.Text, "MASTER") {
				n++
			}
		}
		return n
	}
	was := masters()
	owner := func() *lab.Director {
		t.Helper()
		d, err := bed.AwaitOwner(within(t, 10*time.Second*p.times), vip.Addr(), nil)
		must(t, err)
		return d
	}
	first := owner()
	says(t, first, "node", "drain", first.Name)
	second, err := bed.AwaitOwner(within(t, 10*time.Second*p.times), vip.Addr(), first)
	must(t, err)
	must(t, second.Kill())
	_, err = bed.AwaitOwner(within(t, 10*time.Second*p.times), vip.Addr(), second)
	must(t, err)
	if n := masters(); n != was {
		t.Errorf("while the cluster served, keepalived became master %d times:\n%s", n-was, k.Output())
	}

	// All agents are asked to end at once: the last word of the owner comes after its address has gone, and the other waits for its skew alone.
	var ended sync.WaitGroup
	limit := within(t, 30*time.Second*p.times)
	for _, d := range bed.Directors {
		if d != second {
			ended.Go(func() {
				if err := d.End(limit); err != nil {
					t.Error(err)
				}
			})
		}
	}
	ended.Wait()
	has("k1")
	released := slices.IndexFunc(k.Journal.Lines(0), func(l lab.Line) bool {
		return strings.Contains(l.Text, "received priority 0") || strings.Contains(l.Text, "priority 0 advert")
	})
	if released < 0 {
		t.Errorf("keepalived heard no last word:\n%s", k.Output())
	}

	// They come back, and take over; then it gets a better claim.
	for _, d := range bed.Directors {
		must(t, d.Start(within(t, 20*time.Second*p.times)))
	}
	has("the cluster")
	must(t, k.End(within(t, 20*time.Second)))
	k = start(220)
	has("k1")
	tells(t, bed.Directors[0], h.Addr().String()+" (priority 220) has it, and outranks the cluster")
	must(t, k.End(within(t, 20*time.Second)))
	has("the cluster")
	if c := k.Complaints(); len(c) > 0 {
		t.Errorf("keepalived complains: %v", c)
	}
}

func hosts(bed *lab.Bed) (out []*lab.Host) {
	for _, d := range bed.Directors {
		out = append(out, d.Host)
	}
	return out
}
