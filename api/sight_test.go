package api_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"quorate/api"
	"quorate/fsm"
)

// TestSightOfMany: however many VIPs and peers go together, all of them are seen, each once.
func TestSightOfMany(t *testing.T) {
	s, _ := cluster(t)
	for _, n := range []struct{ vips, peers int }{{1, 1}, {2, api.MaxSight - 2}, {api.MaxSight, 1}, {api.MaxSight + 1, 0}, {1100, 33}} {
		c := fsm.Config{Settings: fsm.DefaultSettings(), Groups: map[string]fsm.Group{"g": {Name: "g"}}, VIPs: map[string]fsm.VIP{}, Routers: map[string]fsm.VirtualRouter{}}
		at := netip.MustParseAddr("2001:db8::1")
		want := map[netip.Addr]bool{}
		for i := range n.vips {
			name := fmt.Sprintf("v%d", i)
			c.VIPs[name] = fsm.VIP{Name: name, Address: netip.PrefixFrom(at, 64), Group: "g"}
			want[at] = true
			at = at.Next()
		}
		for vrid := 1; n.peers > 0; vrid++ { // each has but so many
			r := fsm.VirtualRouter{VRID: uint8(vrid)}
			for ; n.peers > 0 && len(r.Peers) < fsm.MaxPeers; n.peers-- {
				r.Peers = append(r.Peers, at)
				want[at] = true
				at = at.Next()
			}
			name, v := fmt.Sprintf("r%d", vrid), c.VIPs[fmt.Sprintf("v%d", vrid%n.vips)]
			c.Routers[name] = r
			if v.Router != "" {
				v = fsm.VIP{Name: name, Address: netip.PrefixFrom(at, 64), Group: "g"}
				want[at] = true
				at = at.Next()
			}
			v.Router = name
			c.VIPs[v.Name] = v
		}
		if _, err := s.unix.Apply(t.Context(), c, 0, true); err != nil {
			t.Fatal(n, err)
		}
		sight, err := s.unix.Sight(t.Context(), "v0")
		if err != nil {
			t.Fatal(n, err)
		}
		for _, x := range sight.Nodes {
			seen := map[netip.Addr]bool{}
			for _, a := range x.Addresses {
				if seen[a.Address] {
					t.Errorf("%v: %s says %v twice", n, x.Node, a.Address)
				}
				seen[a.Address] = true
			}
			if len(seen) != len(want) || x.Problem != "" || len(x.Routers) != len(c.Routers) {
				t.Errorf("%v: %s has seen %d addresses of %d and %d routers: %s", n, x.Node, len(seen), len(want), len(x.Routers), x.Problem)
			}
		}
	}
}

// TestSightOfLinkLocalPeers: a peer with a link-local address is looked for where the VIPs of its own virtual router are, once for each virtual router that has it.
func TestSightOfLinkLocalPeers(t *testing.T) {
	s, _ := cluster(t)
	c := fsm.Config{Settings: fsm.DefaultSettings(), Groups: map[string]fsm.Group{"g": {Name: "g"}}, Routers: map[string]fsm.VirtualRouter{}, VIPs: map[string]fsm.VIP{}}
	for i, peers := range [][]netip.Addr{{netip.MustParseAddr("fe80::5")}, {netip.MustParseAddr("fe80::5"), netip.MustParseAddr("fe80::6")}} {
		name := fmt.Sprintf("r%d", i)
		c.Routers[name] = fsm.VirtualRouter{VRID: uint8(i + 1), Peers: peers}
		c.VIPs[name] = fsm.VIP{Name: name, Address: netip.MustParsePrefix(fmt.Sprintf("2001:db8::1%d/64", i)), Group: "g", Router: name}
	}
	if _, err := s.unix.Apply(t.Context(), c, 0, true); err != nil {
		t.Fatal(err)
	}
	sight, err := s.unix.Sight(t.Context(), "r0")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range sight.Nodes {
		var got []string
		for _, h := range n.Addresses {
			if h.Router != "" {
				got = append(got, h.Router+" "+h.Address.String())
			}
		}
		if want := []string{"r0 fe80::5", "r1 fe80::5", "r1 fe80::6"}; !slices.Equal(got, want) || n.Problem != "" {
			t.Errorf("%s was asked for %q, want %q: %s", n.Node, got, want, n.Problem)
		}
	}
}
