package integration

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/integration/lab"
)

// owned waits until each VIP is on exactly one director's kernel.
func owned(t *testing.T, bed *lab.Bed, vips ...netip.Prefix) {
	t.Helper()
	ctx := within(t, 10*time.Second)
	for _, v := range vips {
		_, err := bed.AwaitOwner(ctx, v.Addr(), nil)
		must(t, err)
	}
}

func TestClustersOfSeveralSizes(t *testing.T) {
	for _, n := range []int{1, 3, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bed := newBed(t, n, 0)
			from := lab.Now()
			form(t, bed)
			t.Logf("%d nodes formed in %s", n, lab.Millis(lab.Since(from)))
			apply(t, bed.Directors[n-1], new(lab.Config).VIP("a", lab.VIP(1)).VIP("b", lab.VIP(2)).VIP("six", lab.VIP6(1)))
			owned(t, bed, lab.VIP(1), lab.VIP(2), lab.VIP6(1))
			// Every node says the same, whichever is asked, as soon as they have heard of what the owners' kernels have.
			must(t, lab.Await(within(t, 10*time.Second), 50*time.Millisecond, func(context.Context) error {
				want := says(t, bed.Directors[0], "vip", "list")
				for _, d := range bed.Directors[1:] {
					if got := says(t, d, "vip", "list"); got != want {
						return fmt.Errorf("%s says\n%s\nand %s says\n%s", d.Name, got, bed.Directors[0].Name, want)
					}
				}
				return nil
			}))
		})
	}
}

func TestLeaveHandsOverFirst(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("a", lab.VIP(1)).VIP("b", lab.VIP(2)).VIP("c", lab.VIP(3)))
	owned(t, bed, lab.VIP(1), lab.VIP(2), lab.VIP(3))
	leaver, err := bed.AwaitOwner(within(t, 5*time.Second), lab.VIP(1).Addr(), nil)
	must(t, err)
	ping, err := bed.Client.StartProbe(lab.VIP(1).Addr(), 2*time.Millisecond)
	must(t, err)
	fence := newFence(t, bed, lab.VIP(1).Addr())
	must(t, lab.Await(within(t, 5*time.Second), time.Millisecond, answered(ping, 0)))

	from := lab.Now()
	says(t, leaver, "leave")
	_, err = bed.AwaitOwner(within(t, 5*time.Second), lab.VIP(1).Addr(), leaver)
	must(t, err)
	must(t, lab.Await(within(t, 5*time.Second), time.Millisecond, answered(ping, lab.Now())))
	window := lab.Span{From: from, To: lab.Now()}
	if gap := unanswered(ping, window); gap > 150*time.Millisecond {
		t.Errorf("the VIP was silent for %s while its owner left", lab.Millis(gap))
	}
	fence.check(t, window)
	rest := slices.DeleteFunc(slices.Clone(bed.Directors), func(d *lab.Director) bool { return d == leaver })
	members, err := rest[0].API.Members(within(t, 5*time.Second))
	must(t, err)
	if len(members.Members) != 2 || slices.ContainsFunc(members.Members, func(m api.Member) bool { return m.ID == leaver.ID() }) {
		t.Errorf("after the leave the members are %+v", members.Members)
	}
	if a, err := leaver.Addresses(); err != nil || len(a) != 2 {
		t.Errorf("the node that left carries %v, %v", a, err)
	}
	// The two that are left need each other, and no third.
	apply(t, rest[1], new(lab.Config).VIP("a", lab.VIP(1)).VIP("d", lab.VIP(4)))
	owned(t, bed, lab.VIP(4))
}

func TestRestartOfAllNodesLosesNothing(t *testing.T) {
	bed := newBed(t, 3, 2)
	form(t, bed)
	c := new(lab.Config).VIP("web", lab.VIP(1)).VIP("six", lab.VIP6(1)).Web("web", "web", bed.ServerAddr(0), bed.ServerAddr(1))
	apply(t, bed.Directors[0], c)
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	awaitServers(t, bed, 2)
	says(t, bed.Directors[1], "server", "drain", "web", bed.ServerAddr(1).String())
	before, err := bed.Status(within(t, 5*time.Second))
	must(t, err)
	export := says(t, bed.Directors[0], "export")

	for _, d := range bed.Directors {
		must(t, d.PowerOff())
	}
	for _, d := range bed.Directors {
		must(t, d.PowerOn())
	}
	from := lab.Now()
	must(t, bed.Start(within(t, 10*time.Second)))
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	t.Logf("all VIPs are back after %s", lab.Millis(lab.Since(from)))
	after, err := bed.Status(within(t, 5*time.Second))
	must(t, err)
	if after.ClusterID != before.ClusterID || after.Version != before.Version || after.Index < before.Index {
		t.Errorf("before: cluster %s, configuration %d, entry %d; after: %s, %d, %d",
			before.ClusterID, before.Version, before.Index, after.ClusterID, after.Version, after.Index)
	}
	for _, d := range bed.Directors {
		if got := says(t, d, "export"); got != export {
			t.Errorf("%s exports\n%s\nwant\n%s", d.Name, got, export)
		}
	}
	servers, err := bed.Directors[2].API.Servers(within(t, 5*time.Second), "web")
	must(t, err)
	for _, s := range servers.Servers {
		if s.Verdict != fsm.Up {
			t.Errorf("a restart took %s out: %+v", s.Address, s)
		}
		if (s.Admin == fsm.Drain) != (s.Address == bed.ServerAddr(1)) {
			t.Errorf("admin state of %s is %s", s.Address, s.Admin)
		}
	}
}

func TestCrashedNodeComesBackWithItsDirectory(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	for i, d := range bed.Directors {
		apply(t, d, new(lab.Config).VIP("a", lab.VIP(i+1)))
		must(t, d.Restart(within(t, 10*time.Second)))
		must(t, bed.AwaitReady(within(t, 20*time.Second)))
	}
	owned(t, bed, lab.VIP(3))
	if export := says(t, bed.Directors[0], "export"); export != says(t, bed.Directors[2], "export") {
		t.Errorf("the nodes differ after crashes:\n%s", export)
	}
}

func TestRejoinUnderAnotherAddress(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("a", lab.VIP(1)))
	owned(t, bed, lab.VIP(1))
	n3 := bed.Directors[2]
	must(t, n3.PowerOff())
	must(t, n3.Readdress(lab.HostPrefixes(33)...))
	must(t, n3.Reboot(within(t, 10*time.Second)))
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	must(t, bed.AwaitStatus(within(t, 10*time.Second), "n3 at its new address", func(s api.Status) error {
		for _, n := range s.Nodes {
			if n.ID == n3.ID() && n.Addr == n3.Bind() && n.Reached {
				return nil
			}
		}
		return fmt.Errorf("the nodes are %+v", s.Nodes)
	}))
	// It counts: with another node lost, it is half of the majority.
	must(t, bed.Directors[1].PowerOff())
	apply(t, n3, new(lab.Config).VIP("b", lab.VIP(2)))
	owned(t, bed, lab.VIP(2))
}
