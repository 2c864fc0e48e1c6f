package integration

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/integration/lab"
	"quorate/lvs/ipvs"
)

// traces are what agents put into a kernel for a service, each as a line: addresses, tables of nftables, local routes, and, on IPVS, services and sync daemons.
func traces(t *testing.T, d *lab.Director) (out []string) {
	t.Helper()
	addrs, err := d.Addresses()
	must(t, err)
	for _, a := range addrs {
		out = append(out, fmt.Sprint("address ", a))
	}
	tables, err := d.Tables()
	must(t, err)
	for _, x := range tables {
		out = append(out, "nftables "+x)
	}
	links, err := d.Links()
	must(t, err)
	ours := &netlink.Route{Table: unix.RT_TABLE_LOCAL, Protocol: 0x51} // see lvs/marker
	routes, err := links.RouteListFiltered(netlink.FAMILY_ALL, ours, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
	must(t, err)
	for _, r := range routes {
		out = append(out, fmt.Sprint("route ", r))
	}
	if !ipvsHere() {
		return out
	}
	table, err := d.ProcNet("ip_vs")
	must(t, err)
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		if i >= 3 { // after the heading
			out = append(out, "ip_vs "+line)
		}
	}
	must(t, d.Do(func() error {
		daemons, err := ipvs.OpenDaemons()
		if err != nil {
			return err
		}
		defer daemons.Close()
		list, err := daemons.List()
		for _, x := range list {
			out = append(out, fmt.Sprint("daemon ", x))
		}
		return err
	}))
	return out
}

// ipvsHere reports whether this kernel has IPVS, which agents prefer to nftables.
func ipvsHere() bool {
	_, err := os.Stat("/proc/net/ip_vs")
	return err == nil
}

// needIPVS skips a test that is of IPVS alone where the kernel has none.
func needIPVS(t *testing.T) {
	t.Helper()
	if !ipvsHere() {
		t.Skip("needs a kernel that has IPVS: integration/uml runs it on one")
	}
}

// cleared waits until a kernel has no more than before.
func cleared(t *testing.T, d *lab.Director, has string, p pace, before []string) {
	t.Helper()
	must(t, lab.Await(within(t, 5*time.Second*p.times), 100*time.Millisecond, func(context.Context) error {
		if now := traces(t, d); !slices.Equal(now, before) {
			return fmt.Errorf("the agent of %s has %s, and its kernel has\n%s\nwas before\n%s", d.Name, has, strings.Join(now, "\n"), strings.Join(before, "\n"))
		}
		return nil
	}))
}
