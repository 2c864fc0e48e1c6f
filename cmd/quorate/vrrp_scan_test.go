package main

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"quorate/agent/survey"
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

LINK  VRID  ROUTER          STATE     PRIORITY  VERSION  INTERVAL  AUTH    SENT                     ADDRESSES              OURS
eth0  51    192.0.2.5       active    150       3 IPv4   1s        none    multicast, message-only  192.0.2.10 192.0.2.11  VI_1
eth0  52    192.0.2.6 (n2)  released  100       2 IPv4   1s        signed  unicast                  -                      -

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
