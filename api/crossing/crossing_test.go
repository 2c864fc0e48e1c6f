package crossing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
)

var (
	vip  = netip.MustParseAddr("192.0.2.10")
	peer = netip.MustParseAddr("192.0.2.5")
)

const theirs = "02:00:00:00:00:99"

func source(n fsm.NodeID) netip.Addr { return netip.MustParseAddr("192.0.2.1" + string(n[1])) }
func mac(n fsm.NodeID) string        { return "02:00:00:00:00:0" + string(n[1]) }

// sight is web of the virtual router VI_1 with three nodes: in shadow beside an active router of priority 150, or live on n1 with that one silent.
func sight(live bool) api.Sight {
	s := api.Sight{
		VIPs:    []api.SightVIP{{Name: "web", Address: vip, Mode: "shadow", Router: "VI_1", Owner: "n1", Shadow: true}},
		Routers: []api.RouterAside{{Name: "VI_1", VRID: 51, Priority: 254, Preempt: true, Yield: true, DownMS: 3996, SkewMS: 996, Peers: []netip.Addr{peer}}},
	}
	if live {
		s.VIPs[0].Mode, s.VIPs[0].Shadow = "live", false
	}
	for _, id := range []fsm.NodeID{"n1", "n2", "n3"} {
		n := api.NodeSight{Node: id, Able: true, MACs: []string{mac(id)}}
		web := api.HeardAddress{Address: vip, Link: "eth0", Asked: true}
		r := api.HeardRouter{Name: "VI_1", Source: source(id), Heard: []api.Rival{{Source: peer, Role: "listed", Active: !live, Priority: 150, DownMS: 3414}}}
		switch {
		case !live:
			web.MACs = []string{theirs}
		case id == "n1":
			web.Here, web.Ours, r.Speaks = true, true, true
		default:
			web.MACs = []string{mac("n1")}
			r.Heard = append(r.Heard, api.Rival{Source: source("n1"), Role: "fellow", Active: true, Priority: 254})
		}
		n.Addresses = []api.HeardAddress{web, {Address: peer, Link: "eth0", Asked: true, MACs: []string{theirs}}}
		n.Routers = []api.HeardRouter{r}
		s.Nodes = append(s.Nodes, n)
	}
	return s
}

// TestOf: what is of no part in a step neither speaks against it nor is waited for.
func TestOf(t *testing.T) {
	mixed := func(live bool) api.Sight { // and v6 has the other mode
		s := sight(live)
		second(&s)
		s.VIP, s.VIPs[1].Mode = "web", map[bool]string{true: "shadow", false: "live"}[live]
		s.Nodes[1].Routers[1].Heard[0] = api.Rival{Source: peer, Role: "stranger", Active: true, Priority: 255}
		s.Nodes[2].Routers[1].Speaks = true
		each(&s, func(n *api.NodeSight) { n.Addresses[3].MACs = nil })
		return s
	}
	for _, way := range []Way{Takeover, Giveback} {
		s := mixed(way == Giveback)
		if len(Against(way, s)) == 0 {
			t.Errorf("%s: nothing speaks against what is of no part", way)
		}
		part, rest := Part(s)
		if !slices.Equal(part, []string{"web"}) || !slices.Equal(rest, []string{"v6"}) || There(way, Of(s, part)) || !There(way, Of(s, rest)) || There(way, Of(s, nil)) {
			t.Errorf("%s: it is about %v, and not about %v", way, part, rest)
		}
		if out := Against(way, Of(s, part)); len(out) > 0 {
			t.Errorf("%s: %v", way, out)
		}
		s = mixed(way == Takeover)
		if !Done(Steps(way, Of(s, part))) || Done(Steps(way, s)) {
			t.Errorf("%s: %v", way, Steps(way, Of(s, part)))
		}
	}
}

// second adds v6 of the virtual router VI_2 to sight: the group has both.
func second(s *api.Sight) {
	v, r := s.VIPs[0], s.Routers[0]
	v.Name, v.Address, v.Router = "v6", netip.MustParseAddr("2001:db8::10"), "VI_2"
	r.Name, r.VRID, r.Peers = "VI_2", 52, []netip.Addr{netip.MustParseAddr("fe80::5")}
	s.VIPs, s.Routers = append(s.VIPs, v), append(s.Routers, r)
	each(s, func(n *api.NodeSight) {
		a, p, h := n.Addresses[0], n.Addresses[1], n.Routers[0]
		a.Address, p.Address = v.Address, r.Peers[0]
		six := func(x netip.Addr) netip.Addr { return netip.MustParseAddr("fe80::" + x.String()[len("192.0.2."):]) }
		h.Name, h.Source, h.Heard = "VI_2", six(h.Source), slices.Clone(h.Heard)
		for i := range h.Heard {
			h.Heard[i].Source = six(h.Heard[i].Source)
		}
		n.Addresses, n.Routers = append(n.Addresses, a, p), append(n.Routers, h)
	})
}

func rival(s *api.Sight, node int) *api.Rival           { return &s.Nodes[node].Routers[0].Heard[0] }
func address0(s *api.Sight, node int) *api.HeardAddress { return &s.Nodes[node].Addresses[0] }

// each does something for every node.
func each(s *api.Sight, f func(n *api.NodeSight)) {
	for i := range s.Nodes {
		f(&s.Nodes[i])
	}
}

// TestAgainst: each thing that is wrong, and what is said of it; "!" blocks.
func TestAgainst(t *testing.T) {
	for _, x := range []struct {
		name string
		way  Way
		do   func(s *api.Sight)
		want string
	}{
		{"all is well", Takeover, func(*api.Sight) {}, ""},
		{"a higher priority", Takeover, func(s *api.Sight) { rival(s, 1).Priority = 255 }, "!outranked"},
		{"the same", Takeover, func(s *api.Sight) {
			rival(s, 1).Priority = 254
			rival(s, 1).Differs = []api.Differs{{What: "equal-priority"}}
		}, "!outranked"},
		{"that is silent", Takeover, func(s *api.Sight) {
			each(s, func(n *api.NodeSight) {
				n.Routers[0].Heard[0].Active, n.Routers[0].Heard[0].Priority = false, 255
				n.Addresses[0].MACs = nil
			})
		}, "no-master"},
		{"preempt is off", Takeover, func(s *api.Sight) { s.Routers[0].Preempt = false }, "!no-preempt"},
		{"yield is off", Takeover, func(s *api.Sight) { s.Routers[0].Yield = false }, ""},
		{"yield is off and another outranks us", Takeover, func(s *api.Sight) { s.Routers[0].Yield, rival(s, 1).Priority = false, 254 }, "!contested"},
		{"a higher priority, and preempt is off", Takeover, func(s *api.Sight) {
			s.Routers[0].Preempt = false
			each(s, func(n *api.NodeSight) { n.Routers[0].Heard[0].Priority = 255 })
		}, "!outranked !no-preempt"},
		{"preempt is off, and nobody is active", Takeover, func(s *api.Sight) {
			s.Routers[0].Preempt = false
			each(s, func(n *api.NodeSight) { n.Routers[0].Heard[0].Active, n.Addresses[0].MACs = false, nil })
		}, "no-master"},
		{"a delay that is not over, as one hears it", Takeover, func(s *api.Sight) {
			s.Routers[0].PreemptDelayMS = 30_000
			each(s, func(n *api.NodeSight) { n.Routers[0].ActiveMS = 30_000 })
			s.Nodes[1].Routers[0].ActiveMS = 18_000
		}, "!preempt-delay"},
		{"a delay that is over", Takeover, func(s *api.Sight) {
			s.Routers[0].PreemptDelayMS = 30_000
			each(s, func(n *api.NodeSight) { n.Routers[0].ActiveMS = 30_000 })
		}, ""},
		{"another version", Takeover, func(s *api.Sight) { rival(s, 2).Differs = []api.Differs{{What: "version", Text: "x"}} }, "!mismatch-version"},
		{"another interval that is learned", Takeover, func(s *api.Sight) {
			rival(s, 2).Differs = []api.Differs{{What: "interval", Text: "x", Harmless: true}}
		}, "mismatch-interval"},
		{"said by all nodes, told once", Takeover, func(s *api.Sight) {
			each(s, func(n *api.NodeSight) { n.Routers[0].Heard[0].Differs = []api.Differs{{What: "version", Text: "x"}} })
		}, "!mismatch-version"},
		{"a stranger", Takeover, func(s *api.Sight) {
			s.Nodes[1].Routers[0].Heard = append(s.Nodes[1].Routers[0].Heard, api.Rival{Source: source("n9"), Role: "stranger", Active: true, Priority: 100})
		}, "!unlisted"},
		{"one who answers and is not heard", Takeover, func(s *api.Sight) {
			each(s, func(n *api.NodeSight) { n.Routers[0].Heard = nil })
		}, "!unheard no-master"},
		{"on the owner's host", Takeover, func(s *api.Sight) { address0(s, 0).Here = true }, "!address-here"},
		{"on another director", Takeover, func(s *api.Sight) { address0(s, 2).Here = true }, "address-here"},
		{"the owner is deaf", Takeover, func(s *api.Sight) { s.Nodes[0].Routers[0].Problem = "x" }, "!deaf"},
		{"another is", Takeover, func(s *api.Sight) { s.Nodes[1].Routers[0].Problem = "x" }, "deaf"},
		{"a node is silent", Takeover, func(s *api.Sight) { s.Nodes[2] = api.NodeSight{Node: "n3", Problem: "x"} }, "node-silent"},
		{"none is ready", Takeover, func(s *api.Sight) { each(s, func(n *api.NodeSight) { n.Able = false }) }, "!no-node node-not-ready"},
		{"no virtual router, somebody answers", Takeover, func(s *api.Sight) { s.Routers, s.VIPs[0].Router = nil, "" }, "!answered"},
		{"no virtual router, nobody answers", Takeover, func(s *api.Sight) {
			s.Routers, s.VIPs[0].Router = nil, ""
			each(s, func(n *api.NodeSight) { n.Addresses[0].MACs = nil })
		}, ""},
		{"no link", Takeover, func(s *api.Sight) { address0(s, 0).Link = "" }, "!no-link"},

		{"what is live may not be so", Takeover, func(s *api.Sight) {
			s.Refused = fsm.Problems{{Object: "virtual_router.VI_1", Key: "peers", Value: "192.0.2.5", What: "this is node n3", Cure: "take it out"}}
		}, "!refused"},
		{"unicast, and its peer tells no node", Takeover, func(s *api.Sight) {
			s.Routers[0].Unicast = true
			each(s, func(n *api.NodeSight) { n.Routers[0].Heard, n.Addresses[0].MACs = nil, nil })
		}, "no-master"},
		{"unicast, its peer tells no node and answers", Takeover, func(s *api.Sight) {
			s.Routers[0].Unicast = true
			each(s, func(n *api.NodeSight) { n.Routers[0].Heard = nil })
		}, "!unheard no-master"},
		{"two routers", Takeover, func(s *api.Sight) { second(s) }, ""},
		{"two routers, the second outranked", Takeover, func(s *api.Sight) {
			second(s)
			s.Nodes[1].Routers[1].Heard[0].Priority = 255
		}, "!outranked"},
		{"two routers, the second's delay is not over", Takeover, func(s *api.Sight) {
			second(s)
			s.Routers[1].PreemptDelayMS, s.Nodes[2].Routers[1].ActiveMS = 10_000, 1
		}, "!preempt-delay"},
		{"two routers, a node hears but the first", Takeover, func(s *api.Sight) {
			second(s)
			s.Nodes[2].Routers[1].Problem = "x"
		}, "deaf"},

		{"back: all is well", Giveback, func(*api.Sight) {}, ""},
		{"back: what is live may not be so", Giveback, func(s *api.Sight) { s.Refused = fsm.Problems{{Object: "x"}} }, ""},
		{"back: two routers, the second's peer is gone", Giveback, func(s *api.Sight) {
			second(s)
			each(s, func(n *api.NodeSight) { n.Addresses[3].MACs = nil })
		}, "!nobody-left"},
		{"back: two routers, and the second's peer is there on the link of the first alone", Giveback, func(s *api.Sight) {
			second(s)
			each(s, func(n *api.NodeSight) {
				there := n.Addresses[3]
				n.Addresses[3].Router, there.Router = "VI_1", "VI_2"
				there.MACs = nil
				n.Addresses = append(n.Addresses, there)
			})
		}, "!nobody-left"},
		{"back: two routers with peers of one link-local address, the first's is gone", Giveback, func(s *api.Sight) {
			second(s)
			s.Routers[0].Peers = s.Routers[1].Peers
			each(s, func(n *api.NodeSight) {
				gone := n.Addresses[3]
				n.Addresses[3].Router, gone.Router, gone.MACs = "VI_2", "VI_1", nil
				n.Addresses[1] = gone
			})
		}, "!nobody-left"},
		{"back: no peer was ever heard", Giveback, func(s *api.Sight) { each(s, func(n *api.NodeSight) { n.Routers[0].Heard = nil }) }, "never-heard"},
		{"back: no peers", Giveback, func(s *api.Sight) { s.Routers[0].Peers = nil }, "!no-peers"},
		{"back: no virtual router", Giveback, func(s *api.Sight) { s.Routers, s.VIPs[0].Router = nil, "" }, "!no-router"},
		{"back: the peer is gone", Giveback, func(s *api.Sight) { each(s, func(n *api.NodeSight) { n.Addresses[1].MACs = nil }) }, "!nobody-left"},
		{"back: one node hears it", Giveback, func(s *api.Sight) {
			each(s, func(n *api.NodeSight) { n.Addresses[1].MACs = nil })
			s.Nodes[2].Addresses[1].MACs = []string{theirs}
		}, ""},
		{"back: it is a director itself", Giveback, func(s *api.Sight) {
			each(s, func(n *api.NodeSight) { n.Addresses[1].MACs = nil })
			s.Nodes[2].Addresses[1].Here = true
		}, ""},
	} {
		s := sight(x.way == Giveback)
		x.do(&s)
		var got []string
		for _, o := range Against(x.way, s) {
			code := o.Code
			if o.Blocks {
				code = "!" + code
			}
			got = append(got, code)
			if strings.Contains(o.Text, "%!") || o.Text == "" {
				t.Errorf("%s: %q", x.name, o.Text)
			}
		}
		if strings.Join(got, " ") != x.want {
			t.Errorf("%s: %v, want %s", x.name, Against(x.way, s), x.want)
		}
	}
}

// TestSteps: what is missing is named, and no step is done that is not.
func TestSteps(t *testing.T) {
	for _, x := range []struct {
		name string
		way  Way
		do   func(s *api.Sight)
		want string // steps that are not done
	}{
		{"all is so", Takeover, func(*api.Sight) {}, ""},
		{"no owner yet", Takeover, func(s *api.Sight) { s.VIPs[0].Owner, s.VIPs[0].Shadow = "", false }, "agreed adverts answers"},
		{"its owner has it in shadow still", Takeover, func(s *api.Sight) { s.VIPs[0].Shadow = true }, "agreed adverts"},
		{"the mode is another", Takeover, func(s *api.Sight) { s.VIPs[0].Mode = "shadow" }, "agreed"},
		{"the owner says nothing", Takeover, func(s *api.Sight) { s.Nodes[0].Routers[0].Speaks = false }, "adverts"},
		{"one does not hear it", Takeover, func(s *api.Sight) { s.Nodes[2].Routers[0].Heard = nil }, "adverts"},
		{"that is silent altogether", Takeover, func(s *api.Sight) { s.Nodes[2] = api.NodeSight{Node: "n3", Problem: "x"} }, ""},
		{"the other speaks on", Takeover, func(s *api.Sight) { rival(s, 1).Active = true }, "silence"},
		{"a stranger does", Takeover, func(s *api.Sight) { rival(s, 1).Active, rival(s, 1).Role = true, "stranger" }, "silence"},
		{"the owner's kernel has it not", Takeover, func(s *api.Sight) { address0(s, 0).Here = false }, "answers"},
		{"another program's is there", Takeover, func(s *api.Sight) { address0(s, 0).Ours = false }, "answers"},
		{"two answer", Takeover, func(s *api.Sight) { address0(s, 1).MACs = []string{mac("n1"), theirs} }, "answers"},
		{"another answers", Takeover, func(s *api.Sight) { address0(s, 1).MACs = []string{theirs} }, "answers"},
		{"nobody hears it", Takeover, func(s *api.Sight) { address0(s, 1).MACs, address0(s, 2).MACs = nil, nil }, "answers"},
		{"alone in the cluster", Takeover, func(s *api.Sight) { s.Nodes = s.Nodes[:1] }, ""},
		{"unicast: no other node can hear it", Takeover, func(s *api.Sight) {
			s.Routers[0].Unicast = true
			each(s, func(n *api.NodeSight) { n.Routers[0].Heard = nil })
		}, ""},
		{"unicast: nobody speaks", Takeover, func(s *api.Sight) { s.Routers[0].Unicast, s.Nodes[0].Routers[0].Speaks = true, false }, "adverts"},
		{"unicast: its peer speaks on", Takeover, func(s *api.Sight) { s.Routers[0].Unicast, rival(s, 2).Active = true, true }, "silence"},
		{"two routers", Takeover, func(s *api.Sight) { second(s) }, ""},
		{"two routers, nobody speaks for the second", Takeover, func(s *api.Sight) {
			second(s)
			s.Nodes[0].Routers[1].Speaks = false
		}, "adverts"},
		{"two routers, the second's peer speaks on", Takeover, func(s *api.Sight) {
			second(s)
			s.Nodes[1].Routers[1].Heard[0].Active = true
		}, "silence"},
		{"two routers, the second's VIP has no owner", Takeover, func(s *api.Sight) {
			second(s)
			s.VIPs[1].Owner = ""
		}, "agreed adverts answers"},
		{"two routers, the second's VIP is answered by another", Takeover, func(s *api.Sight) {
			second(s)
			s.Nodes[2].Addresses[2].MACs = []string{theirs}
		}, "answers"},

		{"back: all is so", Giveback, func(*api.Sight) {}, ""},
		{"back: two routers, nobody speaks for the second", Giveback, func(s *api.Sight) {
			second(s)
			each(s, func(n *api.NodeSight) { n.Routers[1].Heard[0].Active = false })
		}, "master"},
		{"back: two routers, nobody answers for the second's", Giveback, func(s *api.Sight) {
			second(s)
			each(s, func(n *api.NodeSight) { n.Addresses[2].MACs = nil })
		}, "answers"},
		{"back: the owner has it still", Giveback, func(s *api.Sight) { s.VIPs[0].Shadow = false }, "agreed"},
		{"back: in its kernel", Giveback, func(s *api.Sight) { address0(s, 0).Here, address0(s, 0).Ours = true, true }, "gone"},
		{"back: it speaks", Giveback, func(s *api.Sight) { s.Nodes[0].Routers[0].Speaks = true }, "gone"},
		{"back: nobody speaks", Giveback, func(s *api.Sight) { each(s, func(n *api.NodeSight) { n.Routers[0].Heard[0].Active = false }) }, "master"},
		{"back: a stranger speaks", Giveback, func(s *api.Sight) { each(s, func(n *api.NodeSight) { n.Routers[0].Heard[0].Role = "stranger" }) }, "master"},
		{"back: nobody answers", Giveback, func(s *api.Sight) { each(s, func(n *api.NodeSight) { n.Addresses[0].MACs = nil }) }, "answers"},
		{"back: a director's keepalived has it", Giveback, func(s *api.Sight) { address0(s, 2).Here, address0(s, 2).MACs = true, nil }, ""},
	} {
		s := sight(x.way == Takeover)
		x.do(&s)
		var got []string
		steps := Steps(x.way, s)
		for _, st := range steps {
			if !st.Done {
				got = append(got, st.Name)
			}
			if st.Text == "" || strings.Contains(st.Text, "%!") {
				t.Errorf("%s: %s says %q", x.name, st.Name, st.Text)
			}
		}
		if strings.Join(got, " ") != x.want || Done(steps) != (x.want == "") {
			t.Errorf("%s: not done are %v of %+v, want %s", x.name, got, steps, x.want)
		}
	}
}

func TestWays(t *testing.T) {
	if Takeover.Back() != Giveback || Giveback.Back() != Takeover || Takeover.Mode() != "live" || Giveback.Mode() != "shadow" {
		t.Error("the ways do not lead where they should")
	}
	s := sight(true)
	if !There(Takeover, s) || There(Giveback, s) || !slices.Equal([]string{"web"}, []string{names(s)}) {
		t.Error("where it is is not known")
	}
}

// TestPatience: what a step takes by the timers of others is their longest, as configured and as heard, and what preempt_delay leaves them.
func TestPatience(t *testing.T) {
	for _, x := range []struct {
		name string
		way  Way
		do   func(s *api.Sight)
		want time.Duration
	}{
		{"as configured", Takeover, func(*api.Sight) {}, 33996 * time.Millisecond},
		{"one that is heard is slower", Takeover, func(s *api.Sight) { rival(s, 2).DownMS = 41_000 }, 71 * time.Second},
		{"it is silent already", Takeover, func(s *api.Sight) { rival(s, 2).DownMS, rival(s, 2).Active = 41_000, false }, 33996 * time.Millisecond},
		{"a stranger says what it likes", Takeover, func(s *api.Sight) { rival(s, 2).DownMS, rival(s, 2).Role = 1_021_000, "stranger" }, 33996 * time.Millisecond},
		{"255 s", Takeover, func(s *api.Sight) { s.Routers[0].DownMS = 766_000 }, 796 * time.Second},
		{"the slowest of two", Takeover, func(s *api.Sight) { s.Routers = append(s.Routers, api.RouterAside{Name: "VI_2", DownMS: 20_000}) }, 50 * time.Second},
		{"a delay", Takeover, func(s *api.Sight) { s.Routers[0].PreemptDelayMS, s.Nodes[1].Routers[0].ActiveMS = 30_000, 18_000 }, 45996 * time.Millisecond},
		{"back: its skew alone", Giveback, func(s *api.Sight) {
			s.Routers[0].DownMS, s.Routers[0].PreemptDelayMS, s.Nodes[1].Routers[0].ActiveMS = 766_000, 30_000, 18_000
		}, 15996 * time.Millisecond},
		{"no virtual router", Takeover, func(s *api.Sight) { s.Routers = nil }, 30 * time.Second},
	} {
		s := sight(x.way == Giveback)
		x.do(&s)
		if got := Patience(x.way, s); got != x.want {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
	}
}

// TestFiftyDirectors: however many hear it, and however many VIPs go together, what is said of them stays short, and each thing is said once.
func TestFiftyDirectors(t *testing.T) {
	s := sight(false)
	s.Nodes, s.VIPs = nil, nil
	for i := range 255 {
		s.VIPs = append(s.VIPs, api.SightVIP{Name: fmt.Sprintf("web%d", i), Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Mode: "shadow", Router: "VI_1"})
	}
	for i := range 50 {
		n := api.NodeSight{Node: fsm.NodeID(fmt.Sprintf("n%d", i))}
		n.Routers = []api.HeardRouter{{Name: "VI_1", Heard: []api.Rival{{Source: peer, Role: "listed", Active: true, Priority: 150}}}}
		for _, v := range s.VIPs {
			n.Addresses = append(n.Addresses, api.HeardAddress{Address: v.Address, Link: "eth0", Asked: true, MACs: []string{theirs}})
		}
		s.Nodes = append(s.Nodes, n)
	}
	all := append(Steps(Takeover, s), Steps(Giveback, s)...)
	for _, o := range append(Against(Takeover, s), Against(Giveback, s)...) {
		all = append(all, Step{Name: o.Code, Text: o.Text})
	}
	for _, st := range all {
		if len(st.Text) > 1000 {
			t.Errorf("%s has %d characters: %.300s", st.Name, len(st.Text), st.Text)
		}
	}
	if n := len(Against(Takeover, s)); n != 2 {
		t.Errorf("%d objections: %v", n, Against(Takeover, s))
	}
}
