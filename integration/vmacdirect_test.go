package integration

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestVirtualMACDirect: IPVS takes what comes to a virtual MAC, by direct routing, and by translation with the way back through the VIP, on the owner and, after a planned move, on the next one.
func TestVirtualMACDirect(t *testing.T) {
	needIPVS(t)
	direct, nat := lab.VIP(1), lab.VIP(2)
	before, err := lab.TakeFootprint()
	must(t, err)
	bed, err := lab.NewBed(context.Background(), lab.BedOptions{Binary: quorate, Directors: 2, Servers: 2, Direct: []netip.Addr{direct.Addr()}})
	must(t, err)
	t.Cleanup(func() { closeBed(t, bed, before) })
	ctx := within(t, 4*time.Minute)
	must(t, bed.Start(ctx))
	n1, n2 := bed.Directors[0], bed.Directors[1]
	join, err := lab.JoinCommand(says(t, n1, "bootstrap", "--profile", "wan")) // a guest's only processor is too slow for the others
	must(t, err)
	says(t, n2, join...)
	must(t, bed.AwaitReady(ctx))
	config := &lab.Config{CheckInterval: 2 * time.Second}
	config.Settings(`profile = "wan"`, `set_sysctls = true`).
		VIP("web", direct, `prefer = ["n1"]`, "vrrp {\n vrid = 51\n interval = \"10s\"\n vmac = true\n }").
		VIP("nat", nat, `prefer = ["n1"]`, "vrrp {\n vrid = 52\n interval = \"10s\"\n vmac = true\n }").
		DirectWeb("web", "web", bed.ServerAddr(0), bed.ServerAddr(1)).RoutedWeb("nat", "nat", bed.ServerAddr(0), bed.ServerAddr(1))
	apply(t, n1, config)
	wayBack(t, bed, bed.Bystander, nat.Addr())
	for _, service := range []string{"web", "nat"} {
		must(t, bed.AwaitServers(within(t, time.Minute), service, 2))
	}
	rows := []struct {
		vip, mac string
		addr     netip.Addr
		client   *lab.Host
		load     *lab.Load
	}{{vip: "web", mac: "00:00:5e:00:01:33", addr: direct.Addr(), client: bed.Client}, {vip: "nat", mac: "00:00:5e:00:01:34", addr: nat.Addr(), client: bed.Bystander}}
	for _, owner := range []*lab.Director{n1, n2} {
		for i := range rows {
			r := &rows[i]
			if owner == n2 {
				says(t, n1, "vip", "move", r.vip, n2.Name)
			}
			must(t, lab.Await(within(t, time.Minute), 100*time.Millisecond, func(context.Context) error {
				if c := bed.Carriers(r.addr); len(c) != 1 || c[0] != owner {
					return fmt.Errorf("%s is on %d directors, or not on %s", r.vip, len(c), owner.Name)
				}
				return nil
			}))
			r.load, err = r.client.StartLoad(t.Context(), netip.AddrPortFrom(r.addr, 80), 4, 4*time.Second)
			must(t, err)
		}
		<-time.After(3 * time.Second)
		end := lab.Now()
		for _, r := range rows {
			must(t, r.load.Settle(ctx))
			must(t, r.load.Kill())
			s := r.load.Summary(lab.Span{From: r.load.Started, To: end})
			t.Logf("%s on %s: %s %v", r.vip, owner.Name, s, s.Errors)
			if s.Failed > 0 || len(s.Servers) != 2 {
				t.Errorf("%s is not served on %s: %s %v", r.vip, owner.Name, s, s.Errors)
			}
			if got := neighbourOf(t, r.client, r.addr); got != r.mac {
				t.Errorf("the client has %s at %q, want %s", r.vip, got, r.mac)
			}
		}
		if n, err := owner.API.Node(ctx); err != nil || n.DataPlane.Name != "ipvs" {
			t.Errorf("%s balances by %q, %v", owner.Name, n.DataPlane.Name, err)
		}
	}
}
