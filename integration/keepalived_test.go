package integration

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/integration/lab"
)

// TestKeepalivedOwnPath: what two keepalived do when the path of the one that has the VIP to the servers is cut, and that of the other is not. It believes its own
// checks, takes every server out and keeps the VIP: no client is served, as long as that lasts. [TestHealth] does the same to quorate ("the owner's path is cut").
func TestKeepalivedOwnPath(t *testing.T) {
	needIPVS(t)
	version, err := lab.KeepalivedVersion(t.Context())
	if err != nil {
		t.Skip(err)
	}
	p, vip := paceOf(), lab.VIP(1)
	before, err := lab.TakeFootprint()
	must(t, err)
	bed, err := lab.NewBed(context.Background(), p.bed(lab.BedOptions{Binary: quorate, Servers: 2, Direct: []netip.Addr{vip.Addr()}}))
	must(t, err)
	t.Cleanup(func() { closeBed(t, bed, before) })
	var hosts []*lab.Host
	for i := range 2 {
		h, err := bed.AddHost(fmt.Sprintf("k%d", i+1), lab.HostPrefixes(31+i)...)
		must(t, err)
		_, err = h.StartKeepalived(within(t, 20*time.Second*p.times), lab.KeepalivedOptions{
			Instances: lab.KeepalivedVIP(vip, 100-i, 100*time.Millisecond), Servers: []netip.AddrPort{bed.ServerAddr(0), bed.ServerAddr(1)}})
		must(t, err)
		hosts = append(hosts, h)
	}
	master, backup := hosts[0], hosts[1]
	has := func(h *lab.Host, vip bool, servers int) {
		t.Helper()
		must(t, lab.Await(within(t, 20*time.Second*p.times), 50*time.Millisecond, func(context.Context) error {
			carries, err := h.Carries(lab.VIP(1).Addr())
			if n := inTable(h); err != nil || carries != vip || n != servers {
				return fmt.Errorf("%s has the VIP: %t, %d servers, %v; want %t, %d", h.Name, carries, n, err, vip, servers)
			}
			return nil
		}))
	}
	has(master, true, 2)
	has(backup, false, 2)
	load, err := bed.Client.StartLoad(t.Context(), netip.AddrPortFrom(vip.Addr(), 80), 20, p.answer)
	must(t, err)
	over := func(from lab.Instant) lab.Summary {
		t.Helper()
		<-time.After(2 * time.Second)
		to := lab.Now()
		must(t, load.Settle(t.Context()))
		return load.Summary(lab.Span{From: from, To: to})
	}
	if s := over(lab.Now()); s.Failed > 0 {
		t.Fatalf("before: %s %v", s, s.Errors)
	}
	from := lab.Now()
	for _, w := range bed.Servers {
		must(t, misdirect(master, w.Host().Addr()))
	}
	has(master, true, 0)
	out := lab.Since(from)
	s := over(lab.Now())
	has(master, true, 0)
	has(backup, false, 2)
	t.Logf("keepalived %s: the master's path to the servers is cut: its table is empty after %s, and it keeps the VIP; the backup sees both servers; then %s", version, lab.Millis(out), s)
	if s.Total == 0 || s.Failed < s.Total {
		t.Errorf("%d of %d requests were answered; say so in docs/health.md", s.Total-s.Failed, s.Total)
	}
	must(t, load.Kill())
}

// misdirect makes the host send what is for an address to a hardware address that nobody has: the way there is lost without a word, on any kernel.
func misdirect(h *lab.Host, to netip.Addr) error {
	links, err := h.Links()
	if err != nil {
		return err
	}
	eth0, err := links.LinkByName("eth0")
	if err != nil {
		return err
	}
	return links.NeighSet(&netlink.Neigh{LinkIndex: eth0.Attrs().Index, State: netlink.NUD_PERMANENT, IP: to.AsSlice(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 0xff}})
}

// inTable is how many servers the host's IPVS has; -1 = it cannot be read.
func inTable(h *lab.Host) int {
	n := -1
	_ = h.Do(func() error {
		table, err := os.ReadFile("/proc/thread-self/net/ip_vs")
		if err == nil {
			n = strings.Count(string(table), "\n  -> ") - 1 // the heading has one
		}
		return err
	})
	return n
}
