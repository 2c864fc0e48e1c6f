package integration

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/integration/lab"
)

// awaitServers waits until so many servers of service web are in rotation.
func awaitServers(t *testing.T, bed *lab.Bed, want int) {
	t.Helper()
	must(t, bed.AwaitServers(within(t, 10*time.Second), "web", want))
}

// TestTraffic sends requests through a VIP over IPv4 and one over IPv6, while things happen.
func TestTraffic(t *testing.T) {
	bed := newBed(t, 3, 2)
	form(t, bed)
	var servers, servers6 []netip.AddrPort
	for i, w := range bed.Servers {
		servers = append(servers, bed.ServerAddr(i))
		servers6 = append(servers6, netip.AddrPortFrom(w.Host().Prefixes[1].Addr(), bed.ServerAddr(i).Port()))
	}
	c := new(lab.Config).VIP("web", lab.VIP(1)).VIP("six", lab.VIP6(1)).Web("web", "web", servers...).Web("web6", "six", servers6...)
	apply(t, bed.Directors[0], c)
	awaitServers(t, bed, 2)
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	vips := []netip.Addr{lab.VIP(1).Addr(), lab.VIP6(1).Addr()}
	fence := newFence(t, bed, vips...)
	began := lab.Now()

	for _, vip := range vips {
		load, err := bed.Client.StartLoad(t.Context(), netip.AddrPortFrom(vip, 80), 200, time.Second)
		must(t, err)
		over := func(from lab.Instant) lab.Summary {
			t.Helper()
			to := lab.Now()
			must(t, load.Settle(t.Context()))
			return load.Summary(lab.Span{From: from, To: to})
		}
		t.Run(fmt.Sprintf("%s steady", vip), func(t *testing.T) {
			from := lab.Now()
			<-time.After(time.Second)
			if s := over(from); s.Failed > 0 || s.Servers["w1"] < s.Total/3 || s.Servers["w2"] < s.Total/3 {
				t.Errorf("%s %v", s, s.Errors)
			}
		})
		t.Run(fmt.Sprintf("%s server drained", vip), func(t *testing.T) {
			from := lab.Now()
			says(t, bed.Directors[0], "server", "drain", "web", servers[0].String())
			says(t, bed.Directors[0], "server", "drain", "web6", servers6[0].String())
			<-time.After(300 * time.Millisecond)
			drained := lab.Now()
			<-time.After(500 * time.Millisecond)
			if s := over(from); s.Failed > 0 {
				t.Errorf("%s %v", s, s.Errors)
			}
			if s := over(drained); s.Servers["w1"] > 0 {
				t.Errorf("a drained server gets new connections: %s", s)
			}
			says(t, bed.Directors[0], "server", "enable", "web", servers[0].String())
			says(t, bed.Directors[0], "server", "enable", "web6", servers6[0].String())
		})
		t.Run(fmt.Sprintf("%s owner lost", vip), func(t *testing.T) {
			owner, err := bed.AwaitOwner(within(t, 5*time.Second), vip, nil)
			must(t, err)
			must(t, owner.PowerOff())
			from := lab.Now()
			next, err := bed.AwaitOwner(within(t, 5*time.Second), vip, owner)
			must(t, err)
			<-time.After(time.Second)
			s := over(from)
			t.Logf("from %s to %s: %s", owner.Name, next.Name, s)
			if gap := s.Gap.Duration(); gap > time.Second {
				t.Errorf("%s", s)
			}
			must(t, owner.Reboot(within(t, 10*time.Second)))
			must(t, bed.AwaitReady(within(t, 20*time.Second)))
		})
		must(t, load.Kill())
	}
	fence.check(t, lab.Span{From: began, To: lab.Now()})
}

func TestRemovedAddressComesBack(t *testing.T) {
	bed := newBed(t, 1, 0)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("a", lab.VIP(1)).VIP("six", lab.VIP6(1)))
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	must(t, bed.AwaitStatus(within(t, 5*time.Second), "agent that has seen its addresses", func(s api.Status) error {
		if !s.Healthy {
			return fmt.Errorf("problems: %q", s.Problems)
		}
		return nil
	}))
	n1 := bed.Directors[0]
	for _, v := range []netip.Prefix{lab.VIP(1), lab.VIP6(1)} {
		must(t, n1.RemoveAddress(v))
		must(t, lab.Await(within(t, 2*time.Second), time.Millisecond, func(context.Context) error {
			if has, err := n1.Carries(v.Addr()); err != nil || !has {
				return fmt.Errorf("%s is not back: %w", v, err)
			}
			return nil
		}))
		must(t, lab.Await(within(t, 5*time.Second), 20*time.Millisecond, func(ctx context.Context) error {
			out, err := n1.Quorate(ctx, "events")
			if err == nil && !strings.Contains(out, "another program") {
				err = fmt.Errorf("no event tells of it:\n%s", out)
			}
			return err
		}))
	}
}

// TestEndedAgentLeavesNothing: an agent that is asked to end gives up its addresses and its table.
func TestEndedAgentLeavesNothing(t *testing.T) {
	bed := newBed(t, 1, 1)
	n1 := bed.Directors[0]
	before, err := n1.Addresses()
	must(t, err)
	form(t, bed)
	apply(t, n1, new(lab.Config).VIP("web", lab.VIP(1)).VIP("six", lab.VIP6(1)).Web("web", "web", bed.ServerAddr(0)))
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	awaitServers(t, bed, 1)
	must(t, n1.End(within(t, 10*time.Second)))
	after, err := n1.Addresses()
	must(t, err)
	if !slices.Equal(before, after) {
		t.Errorf("the agent left addresses: %v, before it was %v", after, before)
	}
	tables, err := n1.Tables()
	must(t, err)
	if len(tables) > 0 {
		t.Errorf("the agent left tables: %q", tables)
	}
}
