package config

import (
	"net/netip"
	"testing"
	"time"

	"quorate/fsm"
)

// TestParseVRRP: every key of a virtual router, in a block of its own and in a VIP, as HCL and as JSON.
func TestParseVRRP(t *testing.T) {
	legacy := netip.MustParseAddr("192.0.2.5")
	want := fsm.Config{
		Settings: fsm.DefaultSettings(),
		Groups:   map[string]fsm.Group{"front": {Name: "front", Prefer: []fsm.NodeID{"lb1", "lb2"}}},
		Routers: map[string]fsm.VirtualRouter{
			"VI_1": {VRID: 51, Version: 2, Priority: 254, Interval: 2 * time.Second, Password: "secret12", Peers: []netip.Addr{legacy, netip.MustParseAddr("192.0.2.6")},
				Unicast: true, Source: netip.MustParseAddr("192.0.2.250"), VMAC: true, PreemptDelay: 30 * time.Second, NoYield: true},
			"VI_6": {VRID: 51, HMACKeys: []string{"1:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"}, HMACMode: fsm.HMACPermissive,
				Peers: []netip.Addr{netip.MustParseAddr("fe80::5")}, NoPreempt: true},
		},
		VIPs: map[string]fsm.VIP{
			"web":   {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Group: "front", Router: "VI_1"},
			"web6":  {Name: "web6", Address: netip.MustParsePrefix("2001:db8::10/64"), Interface: "eth0", Group: "front", Router: "VI_6"},
			"link6": {Name: "link6", Address: netip.MustParsePrefix("fe80::10/64"), Interface: "eth0", Group: "front", Router: "VI_6"},
			"db":    {Name: "db", Address: netip.MustParsePrefix("192.0.2.20/24"), VRRP: &fsm.VirtualRouter{VRID: 52, Priority: 200, Checksum: fsm.ChecksumMessage, Peers: []netip.Addr{legacy}}},
		},
	}
	want.Settings.Mode = fsm.ShadowMode
	for _, name := range []string{"vrrp.hcl", "vrrp.json"} {
		doc, err := Parse(name, read(t, "testdata/good/"+name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		equal(t, doc.Config, want)
		again, err := Parse("x.hcl", Format(doc.Config))
		if err != nil {
			t.Fatalf("%v\n%s", err, Format(doc.Config))
		}
		equal(t, again.Config, want)
	}
}
