package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"quorate/agent/survey"
	"quorate/api"
	"quorate/fsm"
	"quorate/vip/vrrp"
)

// TestWriteScan: what is shown of what was heard; nothing of it reaches the terminal as a command.
func TestWriteScan(t *testing.T) {
	var out bytes.Buffer
	(&app{out: &out}).writeScan(&out, &survey.Report{
		ForMS: 5003,
		Links: []survey.Link{
			{Link: "eth0", Family: "IPv4", Free: "1-50, 52-255", Heard: 12, Dropped: map[string]uint64{"ttl": 2, "checksum": 1}},
			{Link: "eth0", Family: "IPv6", Free: "1-255", Problem: "vrrp on eth0: network is down"},
		},
		Routers: []survey.Router{
			{Link: "eth0", Family: "IPv4", VRID: 51, Ours: "VI_1", Source: netip.MustParseAddr("192.0.2.5"), Activity: vrrp.Speaking, Version: 3, Priority: 150, IntervalMS: 1000,
				Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")}, Sent: "multicast", Auth: "none", Checksum: "message-only", Adverts: 5},
			{Link: "eth0", Family: "IPv4", VRID: 52, Node: "n2", Source: netip.MustParseAddr("192.0.2.6"), Activity: vrrp.Released, Version: 2, Priority: 100, IntervalMS: 1000, Sent: "unicast", Auth: "password", Signed: true},
		},
		Findings: []survey.Finding{{Kind: survey.Differs, Link: "eth0", VRID: 51, Text: "vrid 51: \x1b[2J set the same"}},
	}, errors.New("no agent\nanswers"))
	want := `2 routers heard on eth0 in 5s:

LINK  VRID  ROUTER          STATE     PRIORITY  VERSION  INTERVAL  AUTH    SENT                     ADDRESSES               OURS
eth0  51    192.0.2.5       active    150       3 IPv4   1s        none    multicast, message-only  192.0.2.10, 192.0.2.11  VI_1
eth0  52    192.0.2.6 (n2)  released  100       2 IPv4   1s        signed  unicast                  -                       -

mismatch: vrid 51:  [2J set the same

LINK  FAMILY  FREE VRIDS    DATAGRAMS  DROPPED            PROBLEM
eth0  IPv4    1-50, 52-255  12         1 checksum, 2 ttl  -
eth0  IPv6    1-255         0          -                  vrrp on eth0: network is down

Nothing was compared with a cluster's configuration: no agent answers
`
	if out.String() != want {
		t.Errorf("shown:\n%s\nwant:\n%s", out.String(), want)
	}
}

// TestManyRouters: with 50 directors and 255 virtual routers what is shown stays so narrow and short that a person can read it.
func TestManyRouters(t *testing.T) {
	var vips []string
	var addrs []netip.Addr
	for i := range 20 {
		vips, addrs = append(vips, fmt.Sprintf("vip%d", i)), append(addrs, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
	}
	r := api.Router{RouterStatus: api.RouterStatus{Name: "VI_1", VRID: 51, VIPs: vips[:5], Addresses: addrs[:5]}}
	for n := range 50 {
		x := api.NodeRouter{Node: fsm.NodeID(fmt.Sprintf("n%d", n)), Link: "eth0", Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), State: "backup"}
		for o := range 32 {
			x.Neighbours = append(x.Neighbours, api.RouterNeighbour{Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + o)}), Role: "listed", State: "silent", Version: 3, Auth: "none", HeardMS: int64(n * o), Addresses: addrs})
		}
		r.Nodes = append(r.Nodes, x)
	}
	rs := make([]api.Router, 255)
	scan := &survey.Report{ForMS: 5000}
	var list []api.RouterStatus
	free := "1"
	for i := range rs {
		rs[i] = r
		rs[i].Name, rs[i].VIPs, rs[i].Addresses = fmt.Sprintf("VI_%d", i), vips, addrs
		list = append(list, rs[i].RouterStatus)
		for o := range 2 {
			scan.Routers = append(scan.Routers, survey.Router{Link: "eth0", Family: "IPv4", VRID: vrrp.VRID(i), Source: addrs[o], Addresses: addrs, Sent: "multicast", Auth: "none"})
			scan.Findings = append(scan.Findings, survey.Finding{Kind: survey.Collides, Link: "eth0", Text: "vrid on eth0 is used by two virtual routers"})
		}
		if i > 0 && i%2 == 0 {
			free += fmt.Sprintf(", %d", i)
		}
	}
	scan.Links = []survey.Link{{Link: "eth0", Family: "IPv4", Free: free}}
	a := &app{}
	for _, x := range []struct {
		name  string
		write func(w io.Writer)
		lines int
	}{
		{"show", func(w io.Writer) { a.routerDetail(w, r) }, 50 + 32 + 12},
		{"list", func(w io.Writer) { a.routerTable(list).write(w, "") }, 255 + 1},
		{"status", func(w io.Writer) { a.speechTable(rs).write(w, "") }, 255 + 1},
		{"scan", func(w io.Writer) { a.writeScan(w, scan, nil) }, 510 + 30 + 10},
	} {
		var out bytes.Buffer
		x.write(&out)
		lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		if len(lines) > x.lines {
			t.Errorf("%s has %d lines, want %d at most", x.name, len(lines), x.lines)
		}
		for _, l := range lines {
			if len(l) > 250 {
				t.Errorf("%s: a line of %d columns: %s", x.name, len(l), l)
				break
			}
		}
	}
}
