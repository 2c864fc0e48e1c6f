package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"quorate/config"
	"quorate/fsm"
	"quorate/lvs"
	"quorate/lvs/connsync"
	"quorate/lvs/lvstest"
)

var nodes = []fsm.NodeID{"n1", "n2", "n3"}

// split3 is a cluster of three directors with the configuration and the owners of its VIPs.
func split3(t interface{ Fatalf(string, ...any) }, c fsm.Config, owners map[string]fsm.NodeID) *fsm.State {
	s := fsm.New()
	apply := func(c fsm.Command) {
		c.Schema, c.At = fsm.MaxSchema, time.Unix(1000, 0)
		next, res := s.Apply(s.Index+1, c)
		if res.Err != nil || len(res.Refused) > 0 {
			t.Fatalf("%s: %v %v", c.Kind(), res.Err, res.Refused)
		}
		s = next
	}
	facts := fsm.Facts{Schema: fsm.MaxSchema, Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}
	for i, id := range nodes {
		n := fsm.Node{ID: id, Store: fsm.StoreID(id), Addr: fmt.Sprintf("192.0.2.%d:7300", i+1), Role: fsm.Director, Weight: 1, Facts: facts}
		if i == 0 {
			apply(fsm.Command{Init: &fsm.Init{ClusterID: "c", Settings: fsm.DefaultSettings(), Node: n}})
		} else {
			apply(fsm.Command{PutNode: &fsm.PutNode{Node: n}})
		}
	}
	apply(fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}})
	for _, name := range slices.Sorted(maps.Keys(owners)) {
		if owner := owners[name]; owner != "" {
			apply(fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: c.VIPs[name].Key(), VIP: name, Owner: owner, OwnerEpoch: s.Nodes[owner].Epoch,
				Reason: fsm.Reason{Code: fsm.ReasonPlaced, Text: "placed"}}}}})
		}
	}
	return s
}

// drawSplit draws a configuration, through its written form, and who owns the VIPs.
func drawSplit(t *rapid.T) *fsm.State {
	c := fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{}, Services: map[string]fsm.Service{}}
	owners := map[string]fsm.NodeID{}
	for i := range rapid.IntRange(1, 4).Draw(t, "vips") {
		name := fmt.Sprintf("v%d", i)
		c.VIPs[name] = fsm.VIP{Name: name, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), 24)}
		owners[name] = rapid.SampledFrom([]fsm.NodeID{"", "n1", "n2", "n3"}).Draw(t, "owner")
	}
	names := slices.Sorted(maps.Keys(c.VIPs))
	for i := range rapid.IntRange(1, 4).Draw(t, "services") {
		s := fsm.Service{Name: fmt.Sprintf("s%d", i), VIP: rapid.SampledFrom(names).Draw(t, "vip"), Port: uint16(10 * i), Scheduler: "rr", Forward: fsm.NAT,
			Protocol: rapid.SampledFrom([]fsm.Protocol{fsm.TCP, fsm.UDP}).Draw(t, "protocol"), Servers: []fsm.Server{{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 80), Weight: 1}}}
		s.Port++
		if s.Forward = rapid.SampledFrom([]fsm.Forward{fsm.NAT, fsm.NAT, fsm.DirectRouting, fsm.Tunnel}).Draw(t, "forward"); s.Forward != fsm.NAT {
			s.Servers[0].Address = netip.AddrPortFrom(s.Servers[0].Address.Addr(), s.Port)
		}
		if rapid.Bool().Draw(t, "several vips") {
			s.VIP, s.VIPs = "", rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(t, "on")
		}
		if rapid.Bool().Draw(t, "ports") {
			s.Ports, s.Port = []fsm.PortRange{{From: s.Port, To: s.Port}, {From: s.Port + 2, To: s.Port + 2 + rapid.Uint16Range(0, 5).Draw(t, "more")}}, 0
			s.Servers[0].Address = netip.AddrPortFrom(s.Servers[0].Address.Addr(), 0)
		}
		if rapid.Bool().Draw(t, "addresses") {
			s.Addresses = []fsm.AddressRange{{First: netip.AddrFrom4([4]byte{203, 0, 113, byte(rapid.IntRange(1, 3).Draw(t, "first"))}), Last: netip.AddrFrom4([4]byte{203, 0, 113, 5})}}
		}
		c.Services[s.Name] = s
	}
	doc, err := config.Parse("x.hcl", config.Format(c))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return split3(t, doc.Config, owners)
}

// TestEachPacketHasItsService follows configurations from their text to the tables of three kernels: what is sent to a VIP or a routed address is taken by the
// service that the configuration says, where its VIP is owned, under one mark everywhere, and by nobody else.
func TestEachPacketHasItsService(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSplit(t)
		tables := map[fsm.NodeID][]lvs.Service{}
		for _, id := range nodes {
			tables[id] = wantedServices(fsm.LocalOf(s, id))
			if _, refused := new(lvstest.Model).Capabilities().Accept(tables[id]); len(refused) > 0 {
				t.Fatalf("%s: what the cluster takes is refused here: %v", id, refused)
			}
			for _, x := range tables[id] {
				if x.Mark == 0 && len(x.Matches) > 0 || x.Mark != 0 && (len(x.Matches) == 0 || x.Port != 0 || x.Protocol != "") {
					t.Fatalf("%s: %+v", id, x)
				}
			}
		}
		for range 40 {
			protocol := rapid.SampledFrom([]string{"tcp", "udp"}).Draw(t, "protocol")
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(10, 13).Draw(t, "vip"))}), rapid.Uint16Range(1, 45).Draw(t, "port"))
			if rapid.Bool().Draw(t, "routed") {
				to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(rapid.IntRange(1, 6).Draw(t, "host"))}), to.Port())
			}
			for _, id := range nodes {
				want := expected(s, id, protocol, to)
				got := takers(tables[id], protocol, to)
				if want == "" && len(got) > 0 || want != "" && !slices.Equal(got, []netip.AddrPort{s.Config.Services[want].Servers[0].Address}) {
					t.Fatalf("%s: %s %v is taken by those with servers %v, want %q", id, protocol, to, got, want)
				}
			}
		}
	})
}

// expected is the service that has the packet at the node, by the words of the configuration.
func expected(s *fsm.State, id fsm.NodeID, protocol string, to netip.AddrPort) string {
	for name, svc := range s.Config.Services {
		if string(svc.Protocol) != protocol || !slices.ContainsFunc(svc.PortRanges(), func(r fsm.PortRange) bool { return r.From <= to.Port() && to.Port() <= r.To }) {
			continue
		}
		routed := slices.ContainsFunc(svc.Addresses, func(r fsm.AddressRange) bool { return r.Contains(to.Addr()) })
		for _, vip := range svc.On() {
			v := s.Config.VIPs[vip]
			if s.Assignments[v.Key()].Owner == id && (routed || v.Address.Addr() == to.Addr()) {
				return name
			}
		}
	}
	return ""
}

// takers are the servers of the services of a table that take the packet.
func takers(table []lvs.Service, protocol string, to netip.AddrPort) (out []netip.AddrPort) {
	for _, x := range table {
		if _, is := lvs.NewMatchIndex(x.Matches).Find(protocol, to); is || x.Mark == 0 && x.Key() == (lvs.Key{Protocol: protocol, Addr: to}) {
			out = append(out, x.Destinations[0].Addr)
		}
	}
	return out
}

// TestSyncOfSplitServices: of each connection exactly one director tells, where it is owned, and all of them know its service and mark.
func TestSyncOfSplitServices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSplit(t)
		here := map[string][]fsm.NodeID{}
		for _, id := range nodes {
			seen := map[string]uint32{}
			for _, x := range syncServices(s, fsm.LocalOf(s, id)) {
				for _, m := range x.Matches {
					k := m.String()
					if _, twice := seen[k]; twice || x.Mark == 0 || x.Addr.IsValid() || x.Protocol != connsync.IPProtocol(m.Protocol) {
						t.Fatalf("%s: %+v", id, x)
					}
					if seen[k] = x.Mark; x.Here {
						here[k] = append(here[k], id)
					}
				}
			}
			for _, l := range s.Table() {
				for _, m := range listener(l).Matches {
					if seen[m.String()] != s.Marks[l.Service.Name] {
						t.Fatalf("%s: %v of %s has the mark %d, want %d", id, m, l.Service.Name, seen[m.String()], s.Marks[l.Service.Name])
					}
				}
			}
		}
		for _, l := range s.Table() {
			owned := slices.ContainsFunc(l.Service.On(), func(vip string) bool { return s.Assignments[s.Config.VIPs[vip].Key()].Owner != "" })
			for _, m := range listener(l).Matches {
				tell := here[m.String()]
				if want := owned && m.Routed; len(tell) > 1 || want && len(tell) == 0 {
					t.Fatalf("%v of %s is told of by %v", m, l.Service.Name, tell)
				}
				if i := slices.Index(l.Addrs, m.First); !m.Routed {
					owner := s.Assignments[s.Config.VIPs[l.On[i]].Key()].Owner
					if owner == "" && len(tell) > 0 || owner != "" && !slices.Equal(tell, []fsm.NodeID{owner}) {
						t.Fatalf("%v of %s is told of by %v, owned by %q", m, l.Service.Name, tell, owner)
					}
				}
			}
		}
	})
}

// TestListenerInWords is one example of it, to look at.
func TestListenerInWords(t *testing.T) {
	doc, err := config.Parse("x.hcl", []byte(`
vip "a" { address = "192.0.2.10/24" }
vip "b" { address = "192.0.2.11/24" }
service "web" {
  vips      = ["b", "a"]
  ports     = [443, "8000-8099"]
  addresses = ["203.0.113.0/28"]
  forward   = "nat"
  scheduler = "rr"
  server "10.0.0.11:0" {}
  health { on_down = "shutdown" }
}`))
	if err != nil {
		t.Fatal(err)
	}
	s := split3(t, doc.Config, map[string]fsm.NodeID{"a": "n1", "b": "n2"})
	var got []string
	for _, id := range nodes {
		for _, x := range wantedServices(fsm.LocalOf(s, id)) {
			if !x.Ends {
				t.Errorf("%v: connections do not end with their server", x.Key())
			}
			got = append(got, fmt.Sprintf("%s %v", id, x.Key()))
			for _, m := range x.Matches {
				got = append(got, "  "+m.String())
			}
		}
	}
	want := `n1 fwmark 1358954496
  tcp 192.0.2.10 port 443
  tcp 192.0.2.10 ports 8000-8099
  tcp 203.0.113.0-203.0.113.15 port 443 routed
  tcp 203.0.113.0-203.0.113.15 ports 8000-8099 routed
n2 fwmark 1358954496
  tcp 192.0.2.11 port 443
  tcp 192.0.2.11 ports 8000-8099
  tcp 203.0.113.0-203.0.113.15 port 443 routed
  tcp 203.0.113.0-203.0.113.15 ports 8000-8099 routed`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	if all := syncServices(s, fsm.LocalOf(s, "n2")); len(all) != 2 || all[0].Protocol != unix.IPPROTO_TCP || all[0].Here == all[1].Here {
		t.Errorf("%+v", all)
	}
}

// TestDrainOfSplitService: each director watches its own connections, and the drain ends when the last has seen the last one go.
func TestDrainOfSplitService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newServerBed(t, func(s *fsm.Service) { s.Port, s.Ports = 0, []fsm.PortRange{{From: 80, To: 89}} })
		cfg := b.State().Config
		svc := cfg.Services["web"]
		svc.VIP, svc.VIPs = "", []string{"web", "web2"}
		second := fsm.VIP{Name: "web2", Address: netip.MustParsePrefix("192.0.2.11/24")}
		b.do(fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: cfg.Settings, VIPs: map[string]fsm.VIP{"web": cfg.VIPs["web"], "web2": second},
			Services: map[string]fsm.Service{"web": svc}}}})
		b.do(fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: second.Key(), VIP: "web2", Owner: "n2", OwnerEpoch: b.State().Nodes["n2"].Epoch, Reason: fsm.Reason{Code: fsm.ReasonPlaced}}}}})
		b.start(t)
		proposals := 0
		ctx, cancel := context.WithCancel(t.Context())
		w := &drainWatch{self: "n1", view: worldView{b.world}, live: worldLease{b.world}.Live, look: b.actuator.plane.found, list: b.remember, log: slog.New(slog.DiscardHandler),
			propose: func(_ context.Context, c fsm.Command) (fsm.Result, error) {
				proposals++
				b.do(c)
				return fsm.Result{}, nil
			}}
		var wg sync.WaitGroup
		wg.Go(func() { _ = w.run(ctx) })
		t.Cleanup(func() { cancel(); wg.Wait() })
		b.plane.set(backend80(2), 1, 0)
		b.admin(2, fsm.Drain)
		time.Sleep(time.Minute)
		b.want("n1 has a connection", "1:100 2:0 3:100")
		b.plane.set(backend80(2), 0, 0)
		time.Sleep(time.Minute)
		st := b.State().Servers[serverKeyOf(2)]
		if st.Admin != fsm.Drain || len(st.Quiet) != 1 || st.Quiet[0].VIP != "web" || proposals != 1 {
			t.Fatalf("n1 has none, and n2 has not said so: %+v after %d proposals", st, proposals)
		}
		b.do(fsm.Command{EndDrain: &fsm.EndDrain{Drains: []fsm.DrainOver{{Server: serverKeyOf(2), Index: st.Drain, Reason: fsm.ReasonDrained, Node: "n2"}}}})
		if st := b.State().Servers[serverKeyOf(2)]; st.Admin != fsm.Disabled || st.Why != fsm.ReasonDrained || st.Quiet != nil {
			t.Fatalf("both have none: %+v", st)
		}
		b.want("it is out", "1:100 3:100")
	})
}

// TestProbesOfEachVIP: a check through the forwarding path goes to each VIP of the service that is not this node's, and only then is a server up.
func TestProbesOfEachVIP(t *testing.T) {
	doc, err := config.Parse("x.hcl", []byte(`
vip "a" { address = "192.0.2.10/24" }
vip "b" { address = "192.0.2.11/24" }
vip "c" { address = "192.0.2.12/24" }
service "web" {
  vips      = ["a", "b", "c"]
  ports     = [443, "8000-8099"]
  forward   = "dr"
  scheduler = "rr"
  check "tcp" {
    port    = 443
    through = "forwarding"
  }
  server "10.0.0.11:0" {}
}`))
	if err != nil {
		t.Fatal(err)
	}
	s := split3(t, doc.Config, map[string]fsm.NodeID{"a": "n1", "b": "n2"})
	for _, id := range nodes {
		n := s.Nodes[id]
		n.Facts.DataPlane, n.Facts.Features = "ipvs", []string{"through=forwarding"}
		next, res := s.Apply(s.Index+1, fsm.Command{Schema: fsm.MaxSchema, SetFacts: &fsm.SetFacts{Node: id, Store: n.Store, Facts: n.Facts}})
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		s = next
	}
	for id, want := range map[fsm.NodeID]string{"n1": "192.0.2.11:443 192.0.2.12:443", "n2": "192.0.2.10:443 192.0.2.12:443", "n3": "192.0.2.10:443 192.0.2.11:443 192.0.2.12:443"} {
		var got []string
		for _, x := range newObserver(id, nil, nil).targets(s) {
			got = append(got, x.Addr.String())
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s probes %v, want %s", id, got, want)
		}
	}
}
