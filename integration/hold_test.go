package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/api"
	"quorate/fsm"
	"quorate/integration/lab"
)

// holdBed is a cluster of three with its VIPs on one node: web and six are to be held without a quorum, db is not; a watch of all; and the
// directors, the owner first.
func holdBed(t *testing.T) (*lab.Bed, *lab.Watch, []*lab.Director) {
	t.Helper()
	bed := newBed(t, 3, 0)
	form(t, bed)
	owner := bed.Directors[1]
	prefer := fmt.Sprintf("prefer = [%q]", owner.Name)
	hold := `quorum_lost = "hold"`
	apply(t, bed.Directors[0], new(lab.Config).VIP("web", lab.VIP(1), prefer, hold).VIP("six", lab.VIP6(1), prefer, hold).VIP("db", lab.VIP(2), prefer))
	owned(t, bed, lab.VIP(1), lab.VIP(2), lab.VIP6(1))
	for i, k := range []netip.Addr{lab.VIP(1).Addr(), lab.VIP(2).Addr(), lab.VIP6(1).Addr()} {
		if d, err := bed.AwaitOwner(within(t, 5*time.Second), k, nil); err != nil || d != owner {
			t.Fatalf("VIP %d is on %v: %v", i+1, d, err)
		}
	}
	w, err := bed.Bystander.StartWatch(2*time.Millisecond, lab.VIP(1).Addr(), lab.VIP(2).Addr(), lab.VIP6(1).Addr())
	must(t, err)
	return bed, w, []*lab.Director{owner, bed.Directors[0], bed.Directors[2]}
}

// claimants are who claimed the address from a moment on, each once, in the order of their first claims; again says who claimed it
// after another had.
func claimants(w *lab.Watch, a netip.Addr, from lab.Instant) (who []string, again string) {
	for _, c := range w.Claims(a) {
		switch {
		case c.At < from:
		case !slices.Contains(who, c.Host):
			who = append(who, c.Host)
		case who[len(who)-1] != c.Host:
			again = c.Host
		}
	}
	return who, again
}

// state waits until a VIP is in a state by what a node says.
func state(t *testing.T, d *lab.Director, vip string, want api.VIPState) api.VIP {
	t.Helper()
	var is api.VIP
	must(t, lab.Await(within(t, 20*time.Second), 10*time.Millisecond, func(ctx context.Context) error {
		st, err := d.API.Status(ctx)
		if err != nil {
			return err
		}
		for _, v := range st.VIPs {
			if v.Name == vip {
				is = v
			}
		}
		if is.State != want {
			return fmt.Errorf("%s says that %s is %s: %s", d.Name, vip, is.State, is.Problem)
		}
		return nil
	}))
	return is
}

// tells waits until the timeline has an event with each of the words.
func tells(t *testing.T, d *lab.Director, words ...string) {
	t.Helper()
	must(t, lab.Await(within(t, 20*time.Second), 20*time.Millisecond, func(ctx context.Context) error {
		out, err := d.Quorate(ctx, "events")
		if err != nil {
			return err
		}
		for _, w := range words {
			if !strings.Contains(out, w) {
				return fmt.Errorf("no event says %q:\n%s", w, out)
			}
		}
		return nil
	}))
}

// cut takes the other directors from a host's routes: nothing of the cluster passes, while ARP on the link is as it was. It returns
// how to mend that.
func cut(t *testing.T, d *lab.Director, from ...*lab.Director) (mend func()) {
	t.Helper()
	each := func(what string, f func(*netlink.Handle, *netlink.Route) error) {
		t.Helper()
		links, err := d.Links()
		must(t, err)
		for _, p := range from {
			dst := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(32, 32)}
			if err := f(links, &netlink.Route{Dst: dst, Type: unix.RTN_BLACKHOLE}); err != nil {
				t.Fatalf("%s: %s the route to %s: %v", d.Name, what, p.Name, err)
			}
		}
	}
	each("cut", func(h *netlink.Handle, r *netlink.Route) error { return h.RouteAdd(r) })
	return func() { each("mend", func(h *netlink.Handle, r *netlink.Route) error { return h.RouteDel(r) }) }
}

func TestHoldWithoutTheMajority(t *testing.T) {
	bed, w, ds := holdBed(t)
	owner, lost := ds[0], ds[1:]
	web, db := lab.VIP(1).Addr(), lab.VIP(2).Addr()
	from := lab.Now()
	for _, d := range lost {
		must(t, d.PowerOff())
	}
	gone(t, db, 2*time.Second, owner)
	is := state(t, owner, "web", api.VIPUnguarded)
	if !strings.Contains(is.Problem, "WITHOUT A QUORUM") || is.QuorumLost != "hold" {
		t.Errorf("%+v", is)
	}
	if out := says(t, owner, "status"); !strings.Contains(out, "HELD WITHOUT A QUORUM by "+owner.Name) || !strings.Contains(out, "NO QUORUM") {
		t.Errorf("status does not say it:\n%s", out)
	}
	<-time.After(3 * time.Second)
	longest, when, last := time.Duration(0), from, from
	for _, c := range w.Claims(web) {
		if c.At < from {
			continue
		}
		if silent := c.At.Sub(last); silent > longest {
			longest, when = silent, last
		}
		last = c.At
	}
	t.Logf("held for %s; the longest silence was %s, after %s", lab.Millis(lab.Since(from)), lab.Millis(longest), lab.Millis(when.Sub(from)))
	if lab.Since(last) > time.Second || longest > 500*time.Millisecond {
		t.Errorf("web was silent for %s", lab.Millis(max(longest, lab.Since(last))))
	}
	for _, d := range lost {
		must(t, d.Reboot(within(t, 10*time.Second)))
	}
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	state(t, owner, "web", api.VIPHeld)
	state(t, lost[0], "db", api.VIPHeld)
	tells(t, lost[0], "is HELD WITHOUT A QUORUM since", "was held without a quorum from")
	for _, a := range []netip.Addr{web, lab.VIP6(1).Addr()} {
		if who, _ := claimants(w, a, from); !slices.Equal(who, []string{owner.Name}) {
			t.Errorf("%s was claimed by %v, want %s alone", a, who, owner.Name)
		}
	}
}

// A frozen agent falls silent, and does not take up again what others may have by then.
func TestHoldOfAFrozenAgent(t *testing.T) {
	bed, _, ds := holdBed(t)
	web := lab.VIP(1).Addr()
	for _, d := range ds[1:] {
		must(t, d.PowerOff())
	}
	state(t, ds[0], "web", api.VIPUnguarded)
	n, err := ds[0].API.Node(within(t, 5*time.Second))
	must(t, err)
	if n.Fence.Kind != "bpf" && n.Fence.Kind != "nft" {
		t.Skipf("%s has the fence %s: %s", ds[0].Name, n.Fence.Kind, n.Fence.Missing)
	}
	// The kernel's own stamps count: this process may stand still, too, and read late what came in time.
	capture, err := bed.StartCapture(web)
	must(t, err)
	claims := func(in lab.Span) []lab.Frame {
		return slices.DeleteFunc(capture.Frames(web, in, ds[0].Name), func(f lab.Frame) bool { return !f.Kind.Claims() })
	}
	must(t, ds[0].Agent().Stop())
	from := lab.Now()
	last := from
	must(t, lab.Await(within(t, 10*time.Second), 5*time.Millisecond, func(context.Context) error {
		now := lab.Now()
		if all := claims(lab.Span{From: from, To: now}); len(all) > 0 {
			last = all[len(all)-1].At
		}
		if now.Sub(last) < 300*time.Millisecond {
			return errors.New("it is still claimed")
		}
		return nil
	}))
	t.Logf("a frozen agent fell silent after %s", lab.Millis(last.Sub(from)))
	if late := last.Sub(from); late > 300*time.Millisecond {
		t.Errorf("a frozen agent claimed it for another %s", lab.Millis(late))
	}
	must(t, ds[0].Agent().Continue())
	gone(t, web, 5*time.Second, ds[0])
	must(t, lab.Await(within(t, 5*time.Second), 10*time.Millisecond, func(ctx context.Context) error {
		out, err := ds[0].Quorate(ctx, "status")
		if err != nil || !strings.Contains(out, "stood still") {
			return fmt.Errorf("status does not say why: %v\n%s", err, out)
		}
		return nil
	}))
	if late := claims(lab.Span{From: last.Add(1), To: lab.Now()}); len(late) > 0 {
		t.Errorf("it claimed it again, %s after it fell silent", lab.Millis(late[0].At.Sub(last)))
	}
	must(t, capture.Err())
}

func TestHoldGivesWayToAnotherClaimant(t *testing.T) {
	bed, _, ds := holdBed(t)
	web := lab.VIP(1).Addr()
	for _, d := range ds[1:] {
		must(t, d.PowerOff())
	}
	state(t, ds[0], "web", api.VIPUnguarded)
	from := lab.Now()
	must(t, lab.Await(within(t, 2*time.Second), 50*time.Millisecond, func(context.Context) error {
		if has, err := ds[0].Carries(web); err != nil || !has {
			return err
		}
		if err := bed.Bystander.Announce(web); err != nil { // between two rounds nobody listens, for a moment
			return lab.Final(err)
		}
		return errors.New("it holds web still")
	}))
	t.Logf("given up %s after another host claimed it", lab.Millis(lab.Since(from)))
	for _, d := range ds[1:] {
		must(t, d.Reboot(within(t, 10*time.Second)))
	}
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	state(t, ds[1], "web", api.VIPHeld)
	tells(t, ds[1], bed.Bystander.MAC.String()+" claims it")
}

// An owner that the others cannot reach goes on as long as it is heard on the link: its successor asks, and waits.
func TestHoldSuspendsTheSuccessor(t *testing.T) {
	for _, end := range []string{"it comes back", "it dies"} {
		t.Run(end, func(t *testing.T) {
			bed, w, ds := holdBed(t)
			owner, next := ds[0], ds[1]
			web, six, db := lab.VIP(1).Addr(), lab.VIP6(1).Addr(), lab.VIP(2).Addr()
			from := lab.Now()
			mend := cut(t, owner, ds[1:]...)
			_, err := bed.AwaitOwner(within(t, 5*time.Second), db, owner)
			must(t, err)
			t.Logf("db was on another node after %s", lab.Millis(lab.Since(from)))
			is := state(t, next, "web", api.VIPMissing)
			if is.Owner == "" || string(is.Owner) == owner.Name || !slices.Equal(is.Suspended, nodeIDs(owner)) {
				t.Fatalf("web: %+v", is)
			}
			<-time.After(2 * time.Second)
			for _, a := range []netip.Addr{web, six} {
				if who, _ := claimants(w, a, from); !slices.Equal(who, []string{owner.Name}) {
					t.Fatalf("%s was claimed by %v while %s answered for it", a, who, owner.Name)
				}
			}
			if out := says(t, next, "status"); !strings.Contains(out, "suspended: "+owner.Name) || !strings.Contains(out, owner.MAC.String()+" answers for it") {
				t.Errorf("status does not say it:\n%s", out)
			}
			since := lab.Now()
			if end == "it dies" {
				must(t, owner.PowerOff())
			} else {
				mend()
			}
			state(t, next, "web", api.VIPHeld)
			for _, c := range w.Claims(web) {
				if c.Host == string(is.Owner) {
					t.Logf("%s claimed web %s later", is.Owner, lab.Millis(c.At.Sub(since)))
					break
				}
			}
			last := state(t, next, "six", api.VIPHeld)
			for a, to := range map[netip.Addr]fsm.NodeID{web: is.Owner, six: last.Owner} {
				who, again := claimants(w, a, from)
				if !slices.Equal(who, []string{owner.Name, string(to)}) || again != "" {
					t.Errorf("%s was claimed by %v, and again by %q", a, who, again)
				}
			}
			if end == "it dies" {
				says(t, next, "node", "remove", owner.Name)
			}
			tells(t, next, "suspended: "+owner.Name)
			must(t, lab.Await(within(t, 10*time.Second), 10*time.Millisecond, func(ctx context.Context) error {
				if v, err := next.API.VIP(ctx, "web"); err != nil || len(v.Suspended) > 0 {
					return fmt.Errorf("still suspended by %v: %v", v.Suspended, err)
				}
				return nil
			}))
		})
	}
}

// nodeIDs are the names of directors.
func nodeIDs(ds ...*lab.Director) (out []fsm.NodeID) {
	for _, d := range ds {
		out = append(out, d.ID())
	}
	return out
}
