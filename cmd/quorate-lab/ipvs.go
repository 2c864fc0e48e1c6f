package main

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"quorate/integration/lab"
)

// kernel looks into the IPVS of the directors: that it is what carries the traffic.
func (s *show) kernel(ctx context.Context) error {
	if s.plane != "ipvs" {
		return nil
	}
	s.step("IPVS carries it")
	for _, d := range s.bed.Directors {
		n, err := d.API.Node(ctx)
		if err != nil {
			return err
		}
		s.promise(n.DataPlane.Name == "ipvs" && n.DataPlane.Problem == "", "the data plane of %s is %s %s", d.Name, n.DataPlane.Name, n.DataPlane.Problem)
	}
	owner, err := s.bed.AwaitOwner(ctx, s.web, nil)
	if err != nil {
		return err
	}
	if err := s.tables(owner); err != nil {
		return err
	}
	from := lab.Now()
	before, err := ipvsConnections(owner)
	if err != nil {
		return err
	}
	// The kernel adds its counters up every two seconds: what is counted may be seen later than it happened.
	need := uint64(s.rate * 2 * 9 / 10)
	after := before
	for i := 0; i < 10 && after-before < need; i++ {
		if err := lab.Sleep(ctx, time.Second); err != nil {
			return err
		}
		if after, err = ipvsConnections(owner); err != nil {
			return err
		}
	}
	sum, err := s.over(ctx, from, lab.Since(from))
	if err != nil {
		return err
	}
	s.promise(after-before >= need, "in %.0f s IPVS of %s counted %d connections; the client: %s", lab.Since(from).Seconds(), owner.Name, after-before, sum)
	return nil
}

// tables promises that the owner's IPVS has service web with all servers, and that the IPVS of others does not have it.
func (s *show) tables(owner *lab.Director, others ...*lab.Director) error {
	if s.plane != "ipvs" {
		return nil
	}
	text, err := owner.ProcNet("ip_vs")
	if err != nil {
		return err
	}
	found := ipvsServers(text, netip.AddrPortFrom(s.web, 80))
	in := 0
	for i := range s.bed.Servers {
		if found[ipvsAddr(s.bed.ServerAddr(i))] == "Route 1" { // direct routing, weight 1
			in++
		}
	}
	s.promise(len(found) == in && in == len(s.bed.Servers), "/proc/net/ip_vs of %s: tcp %s:80 with %d servers, direct routing", owner.Name, s.web, in)
	for _, d := range others {
		if text, err = d.ProcNet("ip_vs"); err != nil {
			return err
		}
		_, has := ipvsTable(text)[ipvsAddr(netip.AddrPortFrom(s.web, 80))]
		s.promise(!has, "/proc/net/ip_vs of %s: no longer", d.Name)
	}
	return nil
}

// awaitServers waits until the cluster has that many servers of service web in rotation, and the owner's IPVS too.
func (s *show) awaitServers(ctx context.Context, want int) error {
	if err := s.bed.AwaitServers(ctx, "web", want); err != nil || s.plane != "ipvs" {
		return err
	}
	return lab.Await(ctx, s.rarer(10*time.Millisecond), func(ctx context.Context) error {
		owner, err := s.bed.AwaitOwner(ctx, s.web, nil)
		if err != nil {
			return err
		}
		text, err := owner.ProcNet("ip_vs")
		if err != nil {
			return err
		}
		in := 0
		for _, how := range ipvsServers(text, netip.AddrPortFrom(s.web, 80)) {
			if !strings.HasSuffix(how, " 0") { // weight 0 gets no new connections
				in++
			}
		}
		return unless(in == want, fmt.Sprintf("the IPVS of %s has %d servers in rotation", owner.Name, in))
	})
}

// ipvsTable reads /proc/net/ip_vs: by service, by server, "METHOD WEIGHT"; addresses as in ipvsAddr. Only TCP services
// are of interest (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show).
func ipvsTable(text string) map[string]map[string]string {
	out := map[string]map[string]string{}
	var servers map[string]string
	for line := range strings.Lines(text) {
		switch f := strings.Fields(line); {
		case len(f) >= 3 && f[0] == "TCP":
			servers = map[string]string{}
			out[f[1]] = servers
		case len(f) >= 4 && f[0] == "->" && servers != nil:
			servers[f[1]] = f[2] + " " + f[3]
		default: // a heading, or another protocol
			servers = nil
		}
	}
	return out
}

// ipvsServers are those of one service.
func ipvsServers(text string, service netip.AddrPort) map[string]string {
	return ipvsTable(text)[ipvsAddr(service)]
}

// ipvsAddr is an address as the kernel writes it there: C0000265:0050, [2001:0db8:0000:0000:0000:0000:0000:0065]:0050.
func ipvsAddr(a netip.AddrPort) string {
	if a.Addr().Is4() {
		return fmt.Sprintf("%X:%04X", a.Addr().AsSlice(), a.Port())
	}
	return fmt.Sprintf("[%s]:%04X", a.Addr().StringExpanded(), a.Port())
}

// ipvsConnections is how many connections the director's IPVS has seen: the first number of /proc/net/ip_vs_stats, which
// is hexadecimal and follows two lines of headings.
func ipvsConnections(d *lab.Director) (uint64, error) {
	text, err := d.ProcNet("ip_vs_stats")
	if err != nil {
		return 0, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 3 || len(strings.Fields(lines[2])) == 0 {
		return 0, fmt.Errorf("%s: /proc/net/ip_vs_stats: no number in %q", d.Name, text)
	}
	n, err := strconv.ParseUint(strings.Fields(lines[2])[0], 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: /proc/net/ip_vs_stats: %w", d.Name, err)
	}
	return n, nil
}
