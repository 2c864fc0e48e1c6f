package fsm

import (
	"net/netip"
	"strings"
	"testing"
)

// A node whose kernel has no macvlan is given no VIP with a virtual MAC, and where there is no other the configuration is refused.
func TestNodeWithoutVirtualMAC(t *testing.T) {
	node := func(id NodeID, lacks string) Node {
		return Node{ID: id, Role: Director, Facts: Facts{NoVMAC: lacks, Links: []Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}}
	}
	c := Config{
		Settings: DefaultSettings(),
		Routers:  map[string]VirtualRouter{"VI_1": {VRID: 51, VMAC: true, Peers: []netip.Addr{netip.MustParseAddr("192.0.2.5")}}},
		VIPs:     map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Router: "VI_1"}},
	}
	need := c.needsOf()["web"]
	if why := node("n1", "its kernel has no macvlan").misfit(need); why != "n1 can have no virtual MAC: its kernel has no macvlan" {
		t.Error(why)
	}
	if why := node("n2", "").misfit(need); why != "" {
		t.Error(why)
	}
	found := func(nodes ...Node) string {
		var ps Problems
		c.checkRouters(&ps, map[NodeID]Node{}, nodes)
		if len(ps) == 0 {
			return ""
		}
		return ps.Error()
	}
	if text := found(node("n1", "its kernel has no macvlan"), node("n2", "")); text != "" {
		t.Error(text)
	}
	if text := found(node("n1", "its kernel has no macvlan")); !strings.Contains(text, "no director that can have its VIPs can have a virtual MAC (n1: its kernel has no macvlan)") {
		t.Error(text)
	}
	r := c.Routers["VI_1"]
	r.VMAC = false
	c.Routers["VI_1"] = r
	if text := found(node("n1", "its kernel has no macvlan")); text != "" {
		t.Error(text)
	}
	if why := node("n1", "its kernel has no macvlan").misfit(c.needsOf()["web"]); why != "" {
		t.Error(why)
	}
	for at, want := range map[Schema]string{schemaVRRP - 1: "", schemaVRRP: "x"} {
		if got := (Facts{NoVMAC: "x"}).cleaned(at).NoVMAC; got != want {
			t.Errorf("schema %d: %q", at, got)
		}
	}
}
