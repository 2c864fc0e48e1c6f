package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/api"
	"quorate/integration/lab"
)

// The profile "fast" is for nodes that can keep up with it, and profiles change while VIPs are owned.
func TestProfiles(t *testing.T) {
	bed := newBed(t, 3, 0)
	n1, slow := bed.Directors[0], bed.Directors[2]
	slow.Without = []uintptr{unix.CAP_SYS_NICE}
	form(t, bed)
	text := func(profile string) *lab.Config {
		return new(lab.Config).Settings(fmt.Sprintf("profile = %q", profile)).VIP("a", lab.VIP(1)).VIP("b", lab.VIP6(1))
	}
	apply(t, n1, text("lan"))
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	node, err := slow.API.Node(within(t, 5*time.Second))
	must(t, err)
	st, err := n1.API.Node(within(t, 5*time.Second))
	must(t, err)
	if st.Fence.Kind != "bpf" || st.Lease.Thread != "deadline" || node.Lease.Thread == "deadline" {
		t.Skipf("needs a kernel with a BPF gate and SCHED_DEADLINE: this one has fence %s, thread %s, without CAP_SYS_NICE %s",
			st.Fence.Kind, st.Lease.Thread, node.Lease.Thread)
	}
	if _, err := n1.Apply(within(t, 10*time.Second), "fast.hcl", text("fast").String()); err == nil {
		t.Fatal("fast was not refused")
	}
	refused(t, n1, 1, []string{"fast.hcl:2:", `profile = "fast"`, "n3: its lease's thread is scheduled as " + node.Lease.Thread, "CAP_SYS_NICE", `"lan"`},
		"plan", n1.Dir+"/fast.hcl")

	slow.Without = nil
	must(t, slow.Restart(within(t, 10*time.Second)))
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	must(t, bed.AwaitStatus(within(t, 10*time.Second), "n3 says that it is fast", func(s api.Status) error {
		for _, n := range s.Nodes {
			if n.ID == slow.ID() && n.Lease.Thread != "deadline" {
				return fmt.Errorf("n3 has a thread of class %s", n.Lease.Thread)
			}
		}
		return nil
	}))
	must(t, lab.Await(within(t, 10*time.Second), 50*time.Millisecond, func(ctx context.Context) error {
		_, err := n1.Apply(ctx, "fast.hcl", text("fast").String()) // the others hear of n3's new facts in a moment
		return err
	}))
	owned(t, bed, lab.VIP(1), lab.VIP6(1))

	capture, err := bed.StartCapture(lab.VIP(1).Addr(), lab.VIP6(1).Addr())
	must(t, err)
	before, err := bed.Status(within(t, 5*time.Second))
	must(t, err)
	window := lab.Span{From: lab.Now()}
	owner, err := bed.AwaitOwner(within(t, 5*time.Second), lab.VIP(1).Addr(), nil)
	must(t, err)
	from := lab.Now()
	must(t, owner.PowerOff())
	next, err := bed.AwaitOwner(within(t, 5*time.Second), lab.VIP(1).Addr(), owner)
	must(t, err)
	t.Logf("%s is lost, %s has the VIP after %s", owner.Name, next.Name, lab.Millis(lab.Since(from)))
	window.To = lab.Now()
	must(t, capture.Err())
	// A node that gets no processor for 32 ms is taken for lost, too: the owners are those that were agreed upon.
	es, err := next.API.Events(within(t, 5*time.Second), fmt.Sprint(before.Index), 0)
	must(t, err)
	owners := lab.Decided(es.Events, "a", string(vipIn(before, "a").Owner))
	if o := capture.Overlap(lab.VIP(1).Addr(), window, owners, 0, "n1", "n2", "n3"); o.Frames > 0 {
		t.Errorf("%s; it was %q's", o, owners)
	}
	must(t, owner.Reboot(within(t, 10*time.Second)))
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	for _, profile := range []string{"wan", "fast", "lan"} {
		apply(t, next, text(profile))
		owned(t, bed, lab.VIP(1), lab.VIP6(1))
		must(t, bed.AwaitReady(within(t, 20*time.Second)))
	}
}
