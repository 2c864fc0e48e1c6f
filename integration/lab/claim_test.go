package lab

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

var (
	macA = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	ip4  = netip.MustParseAddr("192.0.2.100")
	ip6  = netip.MustParseAddr("2001:db8::100")
)

func arpFrame(t testing.TB, op arp.Operation, target netip.Addr) []byte {
	p, err := arp.NewPacket(op, macA, ip4, make(net.HardwareAddr, 6), target)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	b, err := (&ethernet.Frame{Destination: ethernet.Broadcast, Source: macA, EtherType: ethernet.EtherTypeARP, Payload: payload}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func advertisementFrame(t testing.TB, solicited bool) []byte {
	all := netip.MustParseAddr("ff02::1")
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Solicited: solicited, TargetAddress: ip6, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: macA}},
	}, ip6, all)
	if err != nil {
		t.Fatal(err)
	}
	b, err := (&ethernet.Frame{
		Destination: net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, Source: macA, EtherType: ethernet.EtherTypeIPv6,
		Payload: append(ipv6Header(ip6, all, len(body)), body...),
	}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFramesThatClaim(t *testing.T) {
	other := netip.MustParseAddr("192.0.2.7")
	for _, c := range []struct {
		name  string
		parse func([]byte) (claim, bool)
		frame []byte
		want  *claim
	}{
		{"reply", parseARP, arpFrame(t, arp.OperationReply, other), &claim{ip4, macA, false}},
		{"gratuitous request", parseARP, arpFrame(t, arp.OperationRequest, ip4), &claim{ip4, macA, true}},
		{"gratuitous reply", parseARP, arpFrame(t, arp.OperationReply, ip4), &claim{ip4, macA, true}},
		{"question", parseARP, arpFrame(t, arp.OperationRequest, other), nil},
		{"answer to a solicitation", parseNDP, advertisementFrame(t, true), &claim{ip6, macA, false}},
		{"unsolicited advertisement", parseNDP, advertisementFrame(t, false), &claim{ip6, macA, true}},
		{"cut off", parseNDP, advertisementFrame(t, false)[:60], nil},
		{"ARP as NDP", parseNDP, arpFrame(t, arp.OperationReply, other), nil},
		{"NDP as ARP", parseARP, advertisementFrame(t, true), nil},
		{"nothing", parseARP, nil, nil},
	} {
		got, ok := c.parse(c.frame)
		if ok != (c.want != nil) || ok && (got.addr != c.want.addr || got.mac.String() != c.want.mac.String() || got.unasked != c.want.unasked) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, ok, c.want)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(arpFrame(f, arp.OperationReply, ip4))
	f.Add(advertisementFrame(f, true))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := parseARP(b); ok && (!c.addr.Is4() || len(c.mac) == 0) {
			t.Errorf("claim without an address: %+v", c)
		}
		if c, ok := parseNDP(b); ok && !c.addr.Is6() {
			t.Errorf("claim without an address: %+v", c)
		}
	})
}

func FuzzTrace(f *testing.F) {
	f.Add(`{"id":"quorate-lab-1","dir":"/tmp/quorate-lab-1","pid":7}`)
	f.Add(`{"id":"quorate-lab-1","dir":"/","pid":7}`)
	f.Fuzz(func(t *testing.T, text string) {
		var trace Trace
		if json.Unmarshal([]byte(text), &trace) != nil || trace.check() != nil {
			return
		}
		// What is swept is a directory that has a lab's name, and never process 1 or a group of processes.
		if trace.PID <= 1 || !strings.HasPrefix(trace.Dir, "/") || !strings.Contains(trace.Dir, "/quorate-lab-") {
			t.Errorf("%+v would be swept", trace)
		}
	})
}
