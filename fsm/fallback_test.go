package fsm

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// fallbackState is a cluster of directors n1… whose VIP "web" falls back to VRRP by a router of the given priority, and is n2's.
func fallbackState(t *testing.T, directors int, priority uint8, change func(*Config, *State)) *State {
	t.Helper()
	s := New()
	s.ClusterID, s.Index, s.Nodes = "c1", 100, map[NodeID]Node{}
	c := Config{Settings: DefaultSettings(), VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), QuorumLost: VRRPVIP,
		VRRP: &VirtualRouter{VRID: 51, Priority: priority}}}}
	for i := range directors {
		id := NodeID(fmt.Sprintf("n%d", i+1))
		s.Nodes[id] = Node{ID: id, Role: Director, Facts: Facts{Links: []Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}}
	}
	s.Config = c
	if change != nil {
		change(&s.Config, s)
	}
	v := s.Config.VIPs["web"]
	s.Assignments = map[AddressKey]Assignment{v.Key(): {Key: v.Key(), VIP: "web", Owner: "n2", Address: netip.MustParsePrefix("192.0.2.10/24"), Epoch: 7}}
	return s
}

func TestFallbackPriorities(t *testing.T) {
	for _, c := range []struct {
		what      string
		directors int
		priority  uint8
		change    func(*Config, *State)
		want      string
	}{
		{"the owner first, the rest by name", 3, 254, nil, "map[n1:221 n2:253 n3:189]"},
		{"left out is 254", 3, 0, nil, "map[n1:221 n2:253 n3:189]"},
		{"as preferred", 3, 254, func(c *Config, _ *State) {
			v := c.VIPs["web"]
			v.Prefer = []NodeID{"n3", "n2"}
			c.VIPs["web"] = v
		}, "map[n1:189 n2:253 n3:221]"},
		{"as the group is preferred", 3, 254, func(c *Config, _ *State) {
			v := c.VIPs["web"]
			v.Group = "g"
			c.VIPs["web"], c.Groups = v, map[string]Group{"g": {Name: "g", Prefer: []NodeID{"n3"}}}
		}, "map[n1:189 n2:253 n3:221]"},
		{"little room", 3, 32, nil, "map[n1:16 n2:31 n3:1]"},
		{"who drains, leaves, is a witness or has no such link takes no part", 5, 254, func(_ *Config, s *State) {
			for id, f := range map[NodeID]func(*Node){"n1": func(n *Node) { n.Draining = true }, "n3": func(n *Node) { n.Role = Witness }, "n4": func(n *Node) { n.Leaving = true },
				"n5": func(n *Node) { n.Facts = Facts{} }} {
				n := s.Nodes[id]
				f(&n)
				s.Nodes[id] = n
			}
		}, "map[n2:253]"},
		{"another policy", 3, 254, func(c *Config, _ *State) {
			v := c.VIPs["web"]
			v.QuorumLost = HoldVIP
			c.VIPs["web"] = v
		}, "map[]"},
		{"in shadow", 3, 254, func(c *Config, _ *State) { c.Settings.Mode = ShadowMode }, "map[]"},
		{"what was assigned is not what is configured", 3, 254, func(c *Config, _ *State) {
			v := c.VIPs["web"]
			v.Address = netip.MustParsePrefix("192.0.2.10/25")
			c.VIPs["web"] = v
		}, "map[]"},
	} {
		s := fallbackState(t, c.directors, c.priority, c.change)
		if got := fmt.Sprint(s.FallbackPriorities(s.Config.VirtualRouters()[0])); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	// However many there are, they are below the router and tell each other apart as long as there is room.
	for n := 1; n < 60; n++ {
		s := fallbackState(t, n+1, 32, nil)
		seen := map[uint8]int{}
		for _, p := range s.FallbackPriorities(s.Config.VirtualRouters()[0]) {
			if seen[p]++; p == 0 || p >= 32 || seen[p] > 1 && p > 1 {
				t.Fatalf("%d directors: priority %d", n+1, p)
			}
		}
	}
}

// An election that a change of the configuration ends is remembered, for each director, until it has said that it knows.
func TestFallbackEnds(t *testing.T) {
	for what, change := range map[string]func(*Config){
		"the policy":  func(c *Config) { v := c.VIPs["web"]; v.QuorumLost = ReleaseVIP; c.VIPs["web"] = v },
		"to hold":     func(c *Config) { v := c.VIPs["web"]; v.QuorumLost = HoldVIP; c.VIPs["web"] = v },
		"the VRID":    func(c *Config) { v := c.VIPs["web"]; v.VRRP = &VirtualRouter{VRID: 52}; c.VIPs["web"] = v },
		"the network": func(c *Config) { v := c.VIPs["web"]; v.Network = "dmz"; c.VIPs["web"] = v },
		"to shadow":   func(c *Config) { c.Settings.Mode = ShadowMode },
		"the VIP":     func(c *Config) { c.VIPs = nil },
		"its priority": func(c *Config) {
			v := c.VIPs["web"]
			v.VRRP = &VirtualRouter{VRID: 51, Priority: 100}
			c.VIPs["web"] = v
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := fallbackState(t, 3, 254, nil)
			s.Schema = MaxSchema
			k := s.Config.VIPs["web"].Key()
			a := s.Assignments[k]
			a.Holders = []Holder{{Node: "n2"}}
			s.Assignments[k] = a
			c := s.Config
			c.VIPs = map[string]VIP{"web": c.VIPs["web"]}
			change(&c)
			next, res := s.Apply(101, Command{Schema: MaxSchema, Configure: &Configure{Force: true, Config: c}})
			if res.Err != nil {
				t.Fatal(res.Err)
			}
			want := []NodeID{"n1", "n3"}
			if what == "its priority" {
				want = nil
			}
			if by := next.Suspensions().By(k, "n2"); !slices.Equal(by, want) {
				t.Fatalf("suspended by %v, want %v: %+v", by, want, next.Assignments[k])
			}
			if want == nil {
				return
			}
			if next.HoldsEnded("n1") != 101 {
				t.Errorf("n1 is asked for %d", next.HoldsEnded("n1"))
			}
			for _, id := range want {
				next, res = next.Apply(next.Index+1, Command{Schema: MaxSchema, HoldOff: &HoldOff{Node: id, Epoch: next.Nodes[id].Epoch, Index: 101}})
				if res.Err != nil {
					t.Fatal(res.Err)
				}
			}
			if x := next.Suspensions().By(k, "n2"); len(x) > 0 {
				t.Errorf("still suspended by %v", x)
			}
		})
	}
}
