package cluster

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"quorate/fsm"
)

// TestVerdictsThrough: a service by direct routing whose VIP n1 owns; n2 and n3 probe through the forwarding path, and n4 has no IPVS.
func TestVerdictsThrough(t *testing.T) {
	s := fsm.New()
	s.ClusterID = "c"
	s.Nodes = map[fsm.NodeID]fsm.Node{}
	nodes := []fsm.NodeID{"n1", "n2", "n3", "n4"}
	for _, n := range nodes {
		s.Nodes[n] = fsm.Node{ID: n, Store: "s", Role: fsm.Director, Facts: fsm.Facts{Features: []string{"through=forwarding"}}}
	}
	s.Nodes["n4"] = fsm.Node{ID: "n4", Store: "s", Role: fsm.Director}
	vip := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
	s.Assignments = map[fsm.AddressKey]fsm.Assignment{vip.Key(): {VIP: "web", Owner: "n1"}}
	key := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("192.0.2.51:80")}
	s.Config = fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{"web": vip}, Services: map[string]fsm.Service{
		"web": {Name: "web", VIP: "web", Port: 80, Forward: fsm.DirectRouting, Checks: []fsm.Check{{Type: fsm.CheckTCP, Through: fsm.ThroughForwarding}},
			Servers: []fsm.Server{{Address: key.Address, Weight: 1}}},
	}}
	s.Config.Settings.Observers = 4
	for _, c := range []struct {
		name  string
		is    fsm.Verdict
		sees  string // per node: + up, - down, . silent, of its own address; p up and q down through the path
		alive string // per node: y or n; l without a lease
		want  fsm.Verdict
	}{
		{"who sees its own address only has no say", fsm.Unknown, "+..+", "yyyy", ""},
		{"against those who see the VIP", fsm.Up, "+qq+", "yyyy", fsm.Down},
		{"both have to agree", fsm.Up, "+qp+", "yyyy", ""},
		{"and both to speak", fsm.Up, "+q.+", "yyyy", ""},
		{"but not the dead", fsm.Up, "+q.+", "yyny", fsm.Down},
		{"nor those without a lease, as far as others have one", fsm.Up, "+q.+", "yyly", fsm.Down},
		{"what one saw as the owner does not count for it later", fsm.Down, "q+++", "yyyy", ""},
		{"nor what one saw before", fsm.Up, "q-p.", "yyyy", ""},
		{"when none of them is alive the others are heard", fsm.Up, "-pp-", "ynny", fsm.Down},
		{"and lift what those said", fsm.Down, "+qq+", "ynny", fsm.Up},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Servers = map[fsm.ServerKey]fsm.ServerState{key: {Verdict: c.is}}
			var b book
			b.open(3)
			alive, able := map[fsm.NodeID]bool{}, map[fsm.NodeID]bool{}
			for i, n := range nodes {
				alive[n], able[n] = c.alive[i] != 'n', c.alive[i] == 'y'
				if c.sees[i] != '.' {
					o := Observation{Server: key, Up: c.sees[i] == '+' || c.sees[i] == 'p', Detail: "refused", Through: c.sees[i] == 'p' || c.sees[i] == 'q'}
					if err := b.write(n, []Observation{o}, true); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := b.verdicts(s, func(n fsm.NodeID) bool { return alive[n] }, able, time.Now())
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || got[0].Verdict != c.want) {
				t.Errorf("got %+v, want %q", got, c.want)
			}
		})
	}
}

// A leader whose gossip calls all others dead decides nothing by its own word while they hold leases.
func TestVerdictWithoutGossip(t *testing.T) {
	s, keys := verdictBed([]fsm.NodeID{"n1", "n2", "n3"}, fsm.Health{})
	for _, k := range keys {
		s.Servers[k] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled}
	}
	var b book
	b.open(3)
	if err := b.write("n1", []Observation{{Server: keys[0]}, {Server: keys[1]}, {Server: keys[2]}}, true); err != nil {
		t.Fatal(err)
	}
	alone := func(n fsm.NodeID) bool { return n == "n1" }
	if v := b.verdicts(s, alone, map[fsm.NodeID]bool{"n1": true, "n2": true, "n3": true}, verdictTime); len(v) > 0 {
		t.Errorf("alone it took out %+v", v)
	}
	if v := b.verdicts(s, alone, map[fsm.NodeID]bool{"n1": true}, verdictTime); len(v) != len(keys) {
		t.Errorf("when the others are gone: %+v", v)
	}
}

func TestVerdicts(t *testing.T) {
	s := fsm.New()
	s.ClusterID = "c"
	s.Nodes = map[fsm.NodeID]fsm.Node{}
	for _, n := range []fsm.NodeID{"n1", "n2", "n3"} {
		s.Nodes[n] = fsm.Node{ID: n, Store: "s", Role: fsm.Director}
	}
	key := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	s.Config = fsm.Config{Settings: fsm.DefaultSettings(), Services: map[string]fsm.Service{
		"web": {Name: "web", Checks: []fsm.Check{{Type: fsm.CheckTCP}}, Servers: []fsm.Server{{Address: key.Address, Weight: 1}}},
	}}
	for _, c := range []struct {
		name  string
		is    fsm.Verdict
		sees  string // per node: + up, - down, . silent
		alive string // per node: y or n
		want  fsm.Verdict
	}{
		{"nobody has spoken", fsm.Unknown, "...", "yyy", ""},
		{"one is no majority", fsm.Unknown, "+..", "yyy", ""},
		{"two of three are", fsm.Unknown, "++.", "yyy", fsm.Up},
		{"two see it down", fsm.Up, "-+-", "yyy", fsm.Down},
		{"no edge, no entry", fsm.Up, "+++", "yyy", ""},
		{"one against one", fsm.Up, "+-.", "yyy", ""},
		{"the dead are not waited for", fsm.Up, "-..", "ynn", fsm.Down},
		{"nor heard", fsm.Up, "+--", "yyn", ""},
		{"a tie of the living changes nothing", fsm.Unknown, "+-.", "yyn", ""},
		{"nobody is alive", fsm.Up, "---", "nnn", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Servers = map[fsm.ServerKey]fsm.ServerState{key: {Verdict: c.is}}
			var b book
			b.open(3)
			alive := map[fsm.NodeID]bool{}
			for i, n := range []fsm.NodeID{"n1", "n2", "n3"} {
				alive[n] = c.alive[i] == 'y'
				if c.sees[i] != '.' {
					if err := b.write(n, []Observation{{Server: key, Up: c.sees[i] == '+', Detail: "refused"}}, true); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := b.verdicts(s, func(n fsm.NodeID) bool { return alive[n] }, nil, time.Now())
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("got %+v", got)
			case c.want != "" && (len(got) != 1 || got[0].Verdict != c.want):
				t.Errorf("got %+v, want %s", got, c.want)
			case c.want == fsm.Down && !strings.HasPrefix(got[0].Detail, "n1: refused"):
				t.Errorf("detail %q", got[0].Detail)
			}
		})
	}
	t.Run("observations die with the term", func(t *testing.T) {
		var b book
		wantErr(t, b.write("n1", nil, true), errNotLeader)
		b.open(3)
		for _, n := range []fsm.NodeID{"n1", "n2"} {
			if err := b.write(n, []Observation{{Server: key, Up: true}}, true); err != nil {
				t.Fatal(err)
			}
		}
		s.Servers = map[fsm.ServerKey]fsm.ServerState{key: {Verdict: fsm.Unknown}}
		all := func(fsm.NodeID) bool { return true }
		if len(b.verdicts(s, all, nil, time.Now())) != 1 {
			t.Error("no verdict")
		}
		b.open(4)
		if len(b.verdicts(s, all, nil, time.Now())) != 0 {
			t.Error("a verdict from an earlier term's observations")
		}
	})
}

func TestShorten(t *testing.T) {
	for n := range 12 {
		if got := shorten("äöü€xyz", n); len(got) > n || !utf8.ValidString(got) {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestObserver(t *testing.T) {
	a := fsm.ServerKey{Service: "a", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	b := fsm.ServerKey{Service: "b", Address: netip.MustParseAddrPort("10.0.0.2:80")}
	var o observer
	o.note([]Observation{{Server: a, Up: true}, {Server: b}})
	if got, _ := o.take(false); len(got) != 2 {
		t.Errorf("took %v", got)
	}
	o.note([]Observation{{Server: a, Up: true}, {Server: b, Up: true}}) // a says nothing new
	if got, _ := o.take(false); len(got) != 1 || got[0].Server != b {
		t.Errorf("took %v", got)
	}
	if got, _ := o.take(true); len(got) != 2 {
		t.Errorf("everything is %v", got)
	}
	s := fsm.New()
	s.Servers = map[fsm.ServerKey]fsm.ServerState{a: {}}
	s.ConfigVersion = 7
	o.prune(s)
	if got, _ := o.take(true); len(got) != 1 || o.count() != 1 {
		t.Errorf("after pruning: %v", got)
	}
}

// The word of a node that stopped observing a server does not count when it becomes an observer again.
func TestForgottenWords(t *testing.T) {
	s := fsm.New()
	s.ClusterID = "c"
	s.Nodes = map[fsm.NodeID]fsm.Node{"n1": {ID: "n1", Role: fsm.Director}, "n2": {ID: "n2", Role: fsm.Director}}
	a := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	b := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("10.0.0.2:80")}
	s.Config.Services = map[string]fsm.Service{"web": {Name: "web", Checks: []fsm.Check{{Type: fsm.CheckTCP}}}}
	s.Servers = map[fsm.ServerKey]fsm.ServerState{a: {Verdict: fsm.Down}, b: {Verdict: fsm.Down}}
	var leader book
	leader.open(3)
	var o observer
	report := func() {
		t.Helper()
		obs, all := o.take(false)
		for _, n := range []fsm.NodeID{"n1", "n2"} {
			if err := leader.write(n, obs, all); err != nil {
				t.Fatal(err)
			}
		}
	}
	alive := func(fsm.NodeID) bool { return true }
	up := []Observation{{Server: a, Up: true}, {Server: b, Up: true}}
	o.note(up)
	report()
	if got := leader.verdicts(s, alive, nil, time.Now()); len(got) != 2 {
		t.Fatalf("verdicts %v", got)
	}
	o.forget([]fsm.ServerKey{a})
	report()
	if got := leader.verdicts(s, alive, nil, time.Now()); len(got) != 1 || got[0].Server != b {
		t.Errorf("verdicts %v, want one of %v", got, b)
	}
	o.note(up) // looked again: the same word is news
	report()
	if got := leader.verdicts(s, alive, nil, time.Now()); len(got) != 2 {
		t.Errorf("verdicts %v, want both", got)
	}
	gone := *s
	gone.Nodes = nil
	leader.verdicts(&gone, alive, nil, time.Now())
	if got := leader.verdicts(s, alive, nil, time.Now()); len(got) != 0 {
		t.Errorf("verdicts %v by nodes that were removed and added again", got)
	}
}
