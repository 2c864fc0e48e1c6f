package agent

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"quorate/fsm"
	"quorate/notify"
	"quorate/vip"
)

// TestFaultsOfANode: what keeps this node from owning a VIP is its state FAULT, of the VIPs that it is about alone; what it holds is MASTER, whatever else.
func TestFaultsOfANode(t *testing.T) {
	web, six := netip.MustParsePrefix("192.0.2.10/24"), netip.MustParsePrefix("2001:db8::a/64")
	base := func() (*fsm.State, *carried) {
		s := fsm.New()
		s.Config.VIPs = map[string]fsm.VIP{"web": {Name: "web", Address: web, Group: "pair"}, "db": {Name: "db", Address: netip.MustParsePrefix("192.0.2.11/24"), Group: "pair"}, "six": {Name: "six", Address: six}}
		s.Config.NodeChecks = map[string]fsm.NodeCheck{
			"haproxy": {Name: "haproxy", Required: true, VIPs: []string{"web"}}, "all": {Name: "all", Required: true}, "lighter": {Name: "lighter", Weight: -10}, "elsewhere": {Name: "elsewhere", Required: true, Nodes: []fsm.NodeID{"n2"}},
		}
		links := []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{web.Masked()}}, {Name: "eth1", Prefixes: []netip.Prefix{six.Masked()}}}
		s.Nodes = map[fsm.NodeID]fsm.Node{"n1": {ID: "n1", Role: fsm.Director, Facts: fsm.Facts{Links: links}}}
		return s, &carried{}
	}
	find := func(s *fsm.State, v fsm.Verdict, checks ...string) {
		n := s.Nodes["n1"]
		n.Checks = map[string]fsm.CheckState{}
		for _, c := range checks {
			n.Checks[c] = fsm.CheckState{Verdict: v}
		}
		s.Nodes["n1"] = n
	}
	address := func(p netip.Prefix, x vip.AddressStatus) []vip.AddressStatus {
		x.Prefix, x.Link, x.Wanted = p, "eth0", true
		return []vip.AddressStatus{x}
	}
	for name, tt := range map[string]struct {
		change func(s *fsm.State, c *carried, a *Agent)
		lost   bool // its lease
		want   string
	}{
		"all is well": {want: "db BACKUP, pair BACKUP, six BACKUP, web BACKUP"},
		"it owns one": {func(_ *fsm.State, c *carried, _ *Agent) {
			c.addresses.Addresses = address(web, vip.AddressStatus{Actual: true})
		}, false, "db BACKUP, pair BACKUP, six BACKUP, web MASTER"},
		"one lingers": {func(_ *fsm.State, c *carried, _ *Agent) {
			c.addresses.Addresses = address(web, vip.AddressStatus{Actual: true, Lingers: true})
		}, false, "db BACKUP, pair BACKUP, six BACKUP, web BACKUP"},
		"a check of one VIP":     {func(s *fsm.State, _ *carried, _ *Agent) { find(s, fsm.Down, "haproxy") }, false, "db BACKUP, pair FAULT, six BACKUP, web FAULT"},
		"a check of all":         {func(s *fsm.State, _ *carried, _ *Agent) { find(s, fsm.Down, "all") }, false, "db FAULT, pair FAULT, six FAULT, web FAULT"},
		"checks that pass":       {func(s *fsm.State, _ *carried, _ *Agent) { find(s, fsm.Up, "all", "haproxy") }, false, "db BACKUP, pair BACKUP, six BACKUP, web BACKUP"},
		"not known yet":          {func(s *fsm.State, _ *carried, _ *Agent) { find(s, fsm.Unknown, "all", "haproxy") }, false, "db BACKUP, pair BACKUP, six BACKUP, web BACKUP"},
		"a weight, another node": {func(s *fsm.State, _ *carried, _ *Agent) { find(s, fsm.Down, "lighter", "elsewhere") }, false, "db BACKUP, pair BACKUP, six BACKUP, web BACKUP"},
		"a check, and it owns it": {func(s *fsm.State, c *carried, _ *Agent) {
			find(s, fsm.Down, "haproxy")
			c.addresses.Addresses = address(web, vip.AddressStatus{Actual: true})
		}, false, "db BACKUP, pair BACKUP, six BACKUP, web MASTER"},
		"no link": {func(s *fsm.State, _ *carried, _ *Agent) {
			n := s.Nodes["n1"]
			n.Facts.Links = n.Facts.Links[:1]
			s.Nodes["n1"] = n
		}, false, "db BACKUP, pair BACKUP, six FAULT, web BACKUP"},
		"no fence": {func(_ *fsm.State, _ *carried, a *Agent) { a.barred = true }, false, "db FAULT, pair FAULT, six FAULT, web FAULT"},
		"no lease": {nil, true, "db FAULT, pair FAULT, six FAULT, web FAULT"},
		"kernel mute": {func(_ *fsm.State, c *carried, _ *Agent) {
			c.addresses.Err = errors.New("list addresses: operation not permitted")
		}, false, "db FAULT, pair FAULT, six FAULT, web FAULT"},
		"kernel refuses": {func(_ *fsm.State, c *carried, _ *Agent) {
			c.addresses.Addresses = address(web, vip.AddressStatus{Err: errors.New("operation not permitted")})
		}, false, "db BACKUP, pair FAULT, six BACKUP, web FAULT"},
		"not put yet": {func(_ *fsm.State, c *carried, _ *Agent) { c.addresses.Addresses = address(web, vip.AddressStatus{}) }, false, "db BACKUP, pair BACKUP, six BACKUP, web BACKUP"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := base()
			s.Config.Notifiers = map[string]fsm.Notifier{"run": {Name: "run", Script: &fsm.Script{Command: []string{"/bin/true"}}}}
			a := &Agent{o: Options{Name: "n1"}}
			if tt.change != nil {
				tt.change(s, c, a)
			}
			var got []string
			scene := notify.Look(s, a.o.Name, a.found(s, c, !tt.lost))
			for _, x := range slices.SortedFunc(maps.Keys(scene), func(a, b notify.Subject) int { return strings.Compare(a.Name, b.Name) }) {
				got = append(got, fmt.Sprintf("%s %s", x.Name, scene[x]))
			}
			if text := strings.Join(got, ", "); text != tt.want {
				t.Errorf("%s, want %s", text, tt.want)
			}
		})
	}
}
