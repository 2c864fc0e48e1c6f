package lvs_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"quorate/lvs"
)

func match(first, last string, from, to uint16) lvs.Match {
	return lvs.Match{First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last), Protocol: lvs.TCP, FromPort: from, ToPort: to}
}

var wide = lvs.Capabilities{Plane: "test", Forwards: []string{lvs.NAT}, Schedulers: []string{"rr"}, Protocols: []string{lvs.TCP}, Marks: true, Ports: true, Addresses: true}

func marked(mark uint32, matches ...lvs.Match) lvs.Service {
	return lvs.Service{Addr: netip.MustParseAddr("192.0.2.10"), Mark: mark, Matches: matches, Scheduler: "rr", Forward: lvs.NAT}
}

func TestCheckMatches(t *testing.T) {
	for _, c := range []struct {
		name    string
		service lvs.Service
		want    string // in the error; empty = accepted
	}{
		{"fine", marked(1, match("192.0.2.10", "192.0.2.12", 80, 89), match("192.0.2.10", "192.0.2.10", 443, 443)), ""},
		{"all ports", marked(1, match("192.0.2.10", "192.0.2.10", 0, 0)), ""},
		{"no mark", func() lvs.Service {
			s := marked(0, match("192.0.2.10", "192.0.2.10", 80, 89))
			s.Port, s.Protocol = 80, lvs.TCP
			return s
		}(), "without a firewall mark"},
		{"reversed addresses", marked(1, match("192.0.2.12", "192.0.2.10", 80, 89)), "192.0.2.12-192.0.2.10 ports 80-89"},
		{"reversed ports", marked(1, match("192.0.2.10", "192.0.2.10", 89, 80)), "want the first port not after the last"},
		{"port 0", marked(1, match("192.0.2.10", "192.0.2.10", 0, 80)), "or none of them"},
		{"families", marked(1, match("192.0.2.10", "2001:db8::1", 80, 80)), "one family"},
		{"family", marked(1, match("2001:db8::1", "2001:db8::1", 80, 80)), "make a second one"},
		{"protocol", marked(1, lvs.Match{First: netip.MustParseAddr("192.0.2.10"), Last: netip.MustParseAddr("192.0.2.10"), Protocol: "icmp"}), `protocol "icmp"`},
		{"overlap", marked(1, match("192.0.2.10", "192.0.2.12", 80, 89), match("192.0.2.12", "192.0.2.12", 89, 99)), "give each packet to one"},
	} {
		says(t, c.name, wide.Check(c.service), c.want)
	}
}

// TestAcceptGivesPacketsToOne: of two services that want the same packets the later one is refused, and the error has both.
func TestAcceptGivesPacketsToOne(t *testing.T) {
	a, b := marked(1, match("192.0.2.10", "192.0.2.12", 80, 89)), marked(2, match("192.0.2.12", "192.0.2.14", 0, 0))
	c := marked(3, match("192.0.2.13", "192.0.2.14", 80, 80))
	ok, refused := wide.Accept([]lvs.Service{c, b, a})
	if lvs.Text(ok) != lvs.Text([]lvs.Service{a}) && lvs.Text(ok) != lvs.Text([]lvs.Service{a, c}) {
		t.Errorf("accepted\n%s", lvs.Text(ok))
	}
	if err := refused[b.Key()]; err == nil || !strings.Contains(err.Error(), "fwmark 1") || !strings.Contains(err.Error(), "192.0.2.12-192.0.2.14 all ports") {
		t.Errorf("the error is %v", err)
	}
}

// TestWithMatches: what a plane gains, and how it refuses what it cannot gain.
func TestWithMatches(t *testing.T) {
	bare := wide
	bare.Ports, bare.Addresses = false, false
	routed := match("198.51.100.0", "198.51.100.9", 80, 89)
	routed.Routed = true
	s := marked(1, routed)
	if err := bare.Check(s); err == nil || !strings.Contains(err.Error(), "several ports or addresses is not possible on test") {
		t.Errorf("a plane without it says %v", err)
	}
	with := bare.WithMatches(nil)
	if err := with.Check(s); err != nil || !slices.Contains(with.Features(), "ports") || !slices.Contains(with.Features(), "addresses") {
		t.Errorf("%v, %v", err, with.Features())
	}
	without := bare.WithMatches(errNoKernel)
	if err := without.Check(s); err == nil || !strings.Contains(err.Error(), "no such kernel") || !strings.Contains(err.Error(), "a service of each port") || slices.Contains(without.Features(), "ports") {
		t.Errorf("%v, %v", err, without.Features())
	}
	if len(bare.Cures) > 0 {
		t.Error("the inner plane's cures have changed")
	}
}

type kernelError string

func (e kernelError) Error() string { return string(e) }

const errNoKernel = kernelError("no such kernel")
