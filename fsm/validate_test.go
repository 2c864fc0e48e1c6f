package fsm

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// good is a configuration without problems, which the cases below spoil.
func good() Config {
	check := Check{Type: CheckHTTP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
		HTTP: &HTTPCheck{HTTPRequest: HTTPRequest{Path: "/healthz", Host: "www.example.org", Status: []StatusRange{{200, 299}}}}}
	return Config{
		Settings: DefaultSettings(),
		VIPs: map[string]VIP{
			"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Group: "g"},
			"dns": {Name: "dns", Address: netip.MustParsePrefix("2001:db8::53/64"), Prefer: []NodeID{"n1", "n2"}, Preempt: true, Interface: "eth0"},
			"p2p": {Name: "p2p", Address: netip.MustParsePrefix("10.0.0.0/31")},
		},
		Groups: map[string]Group{"g": {Name: "g", Prefer: []NodeID{"n2"}}},
		Services: map[string]Service{
			"http": {Name: "http", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "wlc", Forward: NAT, Masquerade: true, Checks: []Check{check},
				Servers: []Server{{Address: netip.MustParseAddrPort("10.0.0.11:8080"), Weight: 1}, {Address: netip.MustParseAddrPort("10.0.0.12:8080"), Weight: 0}}},
			"dns": {Name: "dns", VIP: "dns", Port: 53, Protocol: UDP, Scheduler: "rr", Forward: DirectRouting,
				Servers: []Server{{Address: netip.MustParseAddrPort("[2001:db8::1]:53"), Weight: 1}}},
		},
	}
}

// edit changes one object of a map in place.
func edit[T any](m map[string]T, name string, change func(*T)) {
	v := m[name]
	change(&v)
	m[name] = v
}

func TestValidate(t *testing.T) {
	if ps := good().Validate(); len(ps) > 0 {
		t.Fatalf("the good one: %v", ps)
	}
	if ps := (Config{}).Validate(); len(ps) > 0 {
		t.Fatalf("the empty one: %v", ps)
	}
	vip := func(name string, change func(*VIP)) func(*Config) {
		return func(c *Config) { edit(c.VIPs, name, change) }
	}
	address := func(text string) func(*Config) {
		return vip("p2p", func(v *VIP) { v.Address = netip.MustParsePrefix(text) })
	}
	svc := func(change func(*Service)) func(*Config) {
		return func(c *Config) { edit(c.Services, "http", change) }
	}
	server := func(text string) func(*Config) {
		return svc(func(s *Service) {
			s.Servers = append(s.Servers, Server{Address: netip.MustParseAddrPort(text), Weight: 1})
		})
	}
	check := func(change func(*Check)) func(*Config) {
		return svc(func(s *Service) { change(&s.Checks[0]) })
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string // object and key of the first problem
		what   string
	}{
		{"profile", func(c *Config) { c.Settings.Profile = "slow" }, "cluster profile", "lan, fast, wan"},
		{"data plane", func(c *Config) { c.Settings.DataPlane = "ebpf" }, "cluster data_plane", "auto, ipvs, nft"},
		{"observers", func(c *Config) { c.Settings.Observers = -1 }, "cluster observers", "0 to 99"},
		{"too many VIPs", func(c *Config) { c.VIPs = vips(MaxVIPs + 1).VIPs; c.Services = nil }, "cluster ", "limit of 4096"},
		{"duplicate", address("192.0.2.10/25"), "vip.web address", `vip "p2p" has the same address`},
		{"no address", vip("p2p", func(v *VIP) { v.Address = netip.Prefix{} }), "vip.p2p address", "no address"},
		{"network address", address("192.0.2.0/24"), "vip.p2p address", "of the network itself"},
		{"broadcast", address("192.0.2.127/25"), "vip.p2p address", "broadcast"},
		{"multicast", address("224.0.0.18/24"), "vip.p2p address", "unicast"},
		{"loopback", address("127.0.0.1/8"), "vip.p2p address", "unicast"},
		{"any", address("0.0.0.0/8"), "vip.p2p address", "unicast"},
		{"all", address("255.255.255.255/32"), "vip.p2p address", "unicast"},
		{"no prefix", address("192.0.2.9/0"), "vip.p2p address", "prefix length is 0"},
		{"mapped", address("::ffff:192.0.2.9/120"), "vip.p2p address", "write 192.0.2.9"},
		{"link-local", address("fe80::1/64"), "vip.p2p address", "interface ="},
		{"name", func(c *Config) { c.VIPs["a b"] = VIP{Name: "a b", Address: netip.MustParsePrefix("192.0.2.9/24")} }, "vip.a b name", "63 characters"},
		{"other name", vip("p2p", func(v *VIP) { v.Name = "x" }), "vip.p2p name", "filed under"},
		{"network", vip("p2p", func(v *VIP) { v.Network = "a@b" }), "vip.p2p network", "63 characters"},
		{"interface", vip("p2p", func(v *VIP) { v.Interface = "eth0:1" }), "vip.p2p interface", "no name"},
		{"group", vip("p2p", func(v *VIP) { v.Group = "h" }), "vip.p2p group", `add group "h" {}`},
		{"prefer in group", vip("web", func(v *VIP) { v.Prefer = []NodeID{"n1"} }), "vip.web prefer", `group "g"`},
		{"preempt in group", vip("web", func(v *VIP) { v.Preempt = true }), "vip.web preempt", `group "g"`},
		{"prefer twice", vip("dns", func(v *VIP) { v.Prefer = []NodeID{"n1", "n1"} }), "vip.dns prefer", "twice"},
		{"prefer nobody", vip("dns", func(v *VIP) { v.Prefer = []NodeID{""} }), "vip.dns prefer", "a-z"},
		{"group's prefer", func(c *Config) { edit(c.Groups, "g", func(g *Group) { g.Prefer = []NodeID{"N1"} }) }, "group.g prefer", "a-z"},
		{"unknown vip", svc(func(s *Service) { s.VIP = "nope" }), "service.http vip", `add vip "nope"`},
		{"port", svc(func(s *Service) { s.Port = 0 }), "service.http port", "1 to 65535"},
		{"protocol", svc(func(s *Service) { s.Protocol = "dccp" }), "service.http protocol", "tcp, udp"},
		{"no scheduler", svc(func(s *Service) { s.Scheduler = "" }), "service.http scheduler", "missing"},
		{"scheduler", svc(func(s *Service) { s.Scheduler = "random" }), "service.http scheduler", "wlc"},
		{"forward", svc(func(s *Service) { s.Forward = "fullnat" }), "service.http forward", "nat, dr, tun"},
		{"masquerade", func(c *Config) { edit(c.Services, "dns", func(s *Service) { s.Masquerade = true }) }, "service.dns masquerade", `"dr"`},
		{"same port", func(c *Config) {
			s := c.Services["http"]
			s.Name = "z"
			c.Services["z"] = s
		}, "service.z port", `service "http" has the same`},
		{"dr port", func(c *Config) {
			edit(c.Services, "dns", func(s *Service) { s.Servers[0].Address = netip.MustParseAddrPort("[2001:db8::1]:5353") })
		}, "service.dns.server.[2001:db8::1]:5353 address", "cannot change the port"},
		{"server port", server("10.0.0.9:0"), "service.http.server.10.0.0.9:0 address", "1 to 65535"},
		{"server family", server("[2001:db8::9]:80"), "service.http.server.[2001:db8::9]:80 address", "families"},
		{"server zone", server("[fe80::1%eth0]:80"), "service.http.server.[fe80::1%eth0]:80 address", "zone"},
		{"server mapped", server("[::ffff:10.0.0.1]:80"), "service.http.server.[::ffff:10.0.0.1]:80 address", "write 10.0.0.1:80"},
		{"server is the VIP", server("192.0.2.10:80"), "service.http.server.192.0.2.10:80 address", "circles"},
		{"server multicast", server("224.0.0.1:80"), "service.http.server.224.0.0.1:80 address", "unicast"},
		{"server twice", server("10.0.0.11:8080"), "service.http.server.10.0.0.11:8080 address", "twice"},
		{"no server address", svc(func(s *Service) { s.Servers = []Server{{}} }), "service.http.server.invalid AddrPort address", "no address"},
		{"server weight", svc(func(s *Service) { s.Servers[0].Weight = 70000 }), "service.http.server.10.0.0.11:8080 weight", "65535"},
		{"check type", check(func(c *Check) { c.Type = "icmp" }), "service.http.check.0 type", "tcp, http"},
		{"interval", check(func(c *Check) { c.Interval = 0; c.Timeout = 0 }), "service.http.check.0 interval", "50ms"},
		{"timeout", check(func(c *Check) { c.Timeout = time.Minute }), "service.http.check.0 timeout", "longer than the interval"},
		{"fast interval", check(func(c *Check) { c.FastInterval = time.Millisecond }), "service.http.check.0 fast_interval", "50ms"},
		{"slow fast interval", check(func(c *Check) { c.FastInterval = time.Minute }), "service.http.check.0 fast_interval", "longer than the interval"},
		{"fast interval below timeout", check(func(c *Check) { c.FastInterval = c.Timeout - time.Millisecond }), "service.http.check.0 fast_interval", "shorter than the timeout"},
		{"check address", check(func(c *Check) { c.Address = netip.MustParseAddr("224.0.0.1") }), "service.http.check.0 address", "unicast"},
		{"check address zone", check(func(c *Check) { c.Address = netip.MustParseAddr("fe80::1%eth0") }), "service.http.check.0 address", "zone"},
		{"source", check(func(c *Check) { c.Source = netip.MustParseAddr("0.0.0.0") }), "service.http.check.0 source", "unicast"},
		{"source family", check(func(c *Check) { c.Source = netip.MustParseAddr("2001:db8::9") }), "service.http.check.0 source", "families"},
		{"source family of address", check(func(c *Check) {
			c.Source, c.Address = netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("2001:db8::9")
		}), "service.http.check.0 source", "families"},
		{"source mapped", check(func(c *Check) { c.Source = netip.MustParseAddr("::ffff:10.0.0.9") }), "service.http.check.0 source", "write 10.0.0.9"},
		{"check interface", check(func(c *Check) { c.Interface = "eth0/1" }), "service.http.check.0 interface", "ip link"},
		{"check mark", check(func(c *Check) { c.FwMark = FirstProbeMark }), "service.http.check.0 fwmark", "through the forwarding path"},
		{"check mark of a service", func(c *Config) {
			s := Service{Name: "m", VIP: "web", Mark: 7, Scheduler: "rr", Forward: DirectRouting}
			c.Services["m"] = s
			check(func(c *Check) { c.FwMark = 7 })(c)
		}, "service.http.check.0 fwmark", `service "m"`},
		{"way and through", func(c *Config) {
			edit(c.Services, "http", func(s *Service) { s.Forward, s.Port, s.Masquerade = DirectRouting, 8080, false })
			check(func(c *Check) { c.Through, c.Source = ThroughForwarding, netip.MustParseAddr("10.0.0.9") })(c)
		}, "service.http.check.0 source", "how the probe travels"},
		{"rise", check(func(c *Check) { c.Rise = 0 }), "service.http.check.0 rise", "1 to 100"},
		{"fall", check(func(c *Check) { c.Fall = 101 }), "service.http.check.0 fall", "1 to 100"},
		{"no path", check(func(c *Check) { c.HTTP = nil }), "service.http.check.0 type", "needs the settings of http"},
		{"tcp path", check(func(c *Check) { c.Type = CheckTCP }), "service.http.check.0 type", "no settings of http"},
		{"path", check(func(c *Check) { c.HTTP.Path = "healthz" }), "service.http.check.0 path", "begin it with"},
		{"host", check(func(c *Check) { c.HTTP.Host = "a b" }), "service.http.check.0 host", "host name"},
		{"no status", check(func(c *Check) { c.HTTP.Status = nil }), "service.http.check.0 status", "empty"},
		{"status", check(func(c *Check) { c.HTTP.Status = []StatusRange{{299, 200}} }), "service.http.check.0 status", "100 to 599"},
	} {
		cfg := good()
		c.change(&cfg)
		ps := cfg.Validate()
		if len(ps) == 0 {
			t.Errorf("%s: no problem", c.name)
			continue
		}
		if p := ps[0]; p.Object+" "+p.Key != c.want || !strings.Contains(p.String(), c.what) || p.Cure == "" {
			t.Errorf("%s: %v\nwant %s with %q and a cure", c.name, p, c.want, c.what)
		}
		if !errors.Is(ps, ErrInvalid) || errors.Is(ps, ErrStale) {
			t.Errorf("%s: it is not ErrInvalid", c.name)
		}
		if res := applied(t, cfg); !errors.Is(res.Err, ErrInvalid) {
			t.Errorf("%s: Apply says %v", c.name, res.Err)
		}
	}
}

// applied is what Apply says of a configuration.
func applied(t *testing.T, cfg Config) Result {
	w := newWorld(t)
	w.encode = false
	w.form(1)
	return w.apply(Command{Configure: &Configure{Config: cfg}})
}

func TestTooManyServers(t *testing.T) {
	c := good()
	var servers []Server
	for i := range MaxServers + 1 {
		a := netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)})
		servers = append(servers, Server{Address: netip.AddrPortFrom(a, 80), Weight: 1})
	}
	edit(c.Services, "http", func(s *Service) { s.Servers = servers })
	if ps := c.Validate(); len(ps) != 1 || !strings.Contains(ps.Error(), "limit of 65536") {
		t.Errorf("%v", ps)
	}
}

func TestCheckNodes(t *testing.T) {
	ipvs := director("n2", 1)
	ipvs.Facts.DataPlane, ipvs.Facts.Forwards, ipvs.Facts.Schedulers = "ipvs", []Forward{NAT, DirectRouting, Tunnel}, Schedulers()
	ipvs.Facts.Planes = []Plane{{Name: "ipvs", Forwards: ipvs.Facts.Forwards, Schedulers: ipvs.Facts.Schedulers},
		{Name: "nft", Forwards: nftFacts().Forwards, Schedulers: nftFacts().Schedulers}}
	able := director("n4", 1) // uses nft, and has IPVS
	able.Facts.Planes = ipvs.Facts.Planes
	without := director("n6", 1)
	without.Facts.Planes = ipvs.Facts.Planes[1:]
	elsewhere := director("n3", 1)
	elsewhere.Facts.Links = []Link{{Name: "eth1", Prefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}}
	leaving := ipvs
	leaving.Leaving = true
	witness := Node{ID: "w1", Role: Witness}
	bare := director("n2", 1)
	bare.Facts = Facts{DataPlane: "none", Links: elsewhere.Facts.Links}
	web := Config{VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}}}
	elsewhereToo := Config{VIPs: map[string]VIP{"web": {Name: "web", Address: web.VIPs["web"].Address, Network: "dmz", Interface: "eth0"}}}
	both := Config{VIPs: map[string]VIP{"web": web.VIPs["web"], "b": {Name: "b", Address: netip.MustParsePrefix("192.0.2.11/24")}}}
	having := func(n Node, address string) Node {
		n.Facts.Addresses = []netip.Addr{netip.MustParseAddr(address)}
		return n
	}
	fast := Config{Settings: Settings{Profile: Fast}}
	quick := func(id NodeID, fence, thread string) Node {
		n := director(id, 1)
		n.Facts.Fence, n.Facts.LeaseThread = fence, thread
		return n
	}
	twins := func(a, b string) Config {
		return Config{VIPs: map[string]VIP{
			"a":   {Name: "a", Address: web.VIPs["web"].Address, Network: "dmz", Interface: a},
			"web": {Name: "web", Address: web.VIPs["web"].Address, Interface: b},
		}}
	}
	onBoth := director("n5", 1)
	onBoth.Facts.Links = append(onBoth.Facts.Links, elsewhere.Facts.Links...)
	with := func(c Config, services ...Service) Config {
		c.Services = map[string]Service{}
		for _, s := range services {
			c.Services[s.Name] = s
		}
		return c
	}
	dr := Service{Name: "s", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: DirectRouting}
	mh := Service{Name: "s", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "mh", Forward: NAT}
	masquerade := Service{Name: "s", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: NAT, Masquerade: true}
	set := func(plane string, c Config) Config {
		c.Settings.DataPlane = plane
		return c
	}
	grouped := Config{
		VIPs: map[string]VIP{
			"a": {Name: "a", Address: netip.MustParsePrefix("192.0.2.10/24"), Group: "g"},
			"b": {Name: "b", Address: netip.MustParsePrefix("203.0.113.10/24"), Group: "g"},
		},
		Groups: map[string]Group{"g": {Name: "g", Prefer: []NodeID{"w1"}}},
	}
	pair := Config{
		VIPs:   map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Group: "g"}},
		Groups: map[string]Group{"g": {Name: "g"}},
	}
	for _, c := range []struct {
		name  string
		cfg   Config
		nodes []Node
		want  []string // one for each problem
	}{
		{"fits", with(web, dr, mh), []Node{director("n1", 1), ipvs}, nil},
		{"subnet", web, []Node{elsewhere}, []string{"vip.web: address"}},
		{"only a leaving node", with(web, dr), []Node{director("n1", 1), leaving}, []string{"n1: data plane nft can do nat"}},
		{"forward", with(web, dr), []Node{director("n1", 1)}, []string{`use forward = "nat", or load ip_vs`}},
		{"scheduler", with(web, mh), []Node{director("n1", 1)}, []string{`service.s: scheduler = "mh"`}},
		{"by the plane that it could use", set("ipvs", with(web, dr, mh)), []Node{able}, nil},
		{"by the plane that it will take", set("auto", with(web, dr)), []Node{able}, nil},
		{"by the plane that it has", set("auto", with(web, masquerade)), []Node{able}, nil},
		{"not by the plane that it must not use", set("nft", with(web, dr)), []Node{able}, []string{"n4: data plane nft can do nat"}},
		{"together, by the plane that it could use", set("ipvs", with(pair, dr)), []Node{able}, nil},
		{"forward, plane set", set("nft", with(web, dr)), []Node{director("n1", 1), ipvs},
			[]string{`(n1: data plane nft can do nat; n2: data plane nft can do nat); use forward = "nat", or set data_plane = "ipvs", where ip_vs is loaded`}},
		{"masquerade", set("auto", with(web, masquerade)), []Node{ipvs}, []string{`service.s: masquerade = "true": no director that can have vip web can masquerade (n2: data plane ipvs); set data_plane = "nft"`}},
		{"masquerade somewhere", set("auto", with(web, masquerade)), []Node{director("n1", 1), ipvs}, nil},
		{"masquerade, plane set to it", set("nft", with(web, masquerade)), []Node{ipvs}, nil},
		{"masquerade, plane set against it", set("ipvs", with(web, masquerade)), []Node{able, ipvs}, []string{`service.s: masquerade = "true": the data plane ipvs cannot masquerade; set data_plane = "nft"`}},
		{"plane that nobody has", set("ipvs", with(web, dr, mh)), []Node{without}, []string{`cluster: data_plane = "ipvs": no director has it (n6 has nft); use "auto", or load ip_vs`}},
		{"plane that somebody has", set("ipvs", with(web, dr)), []Node{without, able}, nil},
		{"no data plane", with(web, mh), []Node{{ID: "n1", Role: Director, Facts: Facts{Links: nftFacts().Links}}}, []string{"data plane none can do nothing"}},
		{"prefer", Config{VIPs: map[string]VIP{"web": {Name: "web", Address: web.VIPs["web"].Address, Prefer: []NodeID{"n7", "w1"}}}},
			[]Node{director("n1", 1), witness}, []string{"no such node (members: n1, w1)", "is a witness"}},
		{"together", grouped, []Node{director("n1", 1), elsewhere, witness}, []string{"is a witness", "no director fits all of its VIPs (n1 has no interface in the subnet of 203.0.113.10; n3 has no interface in the subnet of 192.0.2.10)"}},
		{"bare", web, []Node{bare}, []string{"eth1 (203.0.113.0/24)"}},
		{"fast", fast, []Node{director("n1", 1)}, []string{`cluster: profile = "fast": leases of 40 ms are not for every node here (n1: its lease's thread is scheduled as nobody knows`}},
		{"fast, a thread that waits", fast, []Node{quick("n1", "bpf", "deadline"), quick("n2", "bpf", "nice")}, []string{"(n2: its lease's thread is scheduled as nice, not as deadline); give the agents CAP_SYS_NICE"}},
		{"fast, a weaker fence", fast, []Node{quick("n1", "nft", "deadline")}, []string{"n1: its fence is nft, not bpf"}},
		{"fast, everywhere", fast, []Node{quick("n1", "bpf", "deadline"), quick("n2", "bpf", "deadline"), {ID: "w1", Role: Witness, Facts: Facts{LeaseThread: "deadline"}}}, nil},
		{"nobody", web, nil, []string{"there are no directors"}},
		{"a node's own address", web, []Node{director("n1", 1), {ID: "w1", Role: Witness, Addr: "192.0.2.10:7300"}},
			[]string{`vip.web: address = "192.0.2.10/24": node w1 is reached at this address; use an address that no machine has`}},
		{"a node's own address in another network", elsewhereToo, []Node{{ID: "n1", Role: Director, Addr: "192.0.2.10:7300", Facts: nftFacts()}},
			[]string{"node n1 is reached at this address"}},
		{"another address of a node", web, []Node{director("n1", 1), having(Node{ID: "w1", Role: Witness}, "192.0.2.10")},
			[]string{"node w1 has this address for itself; use an address that no machine has, or remove it from w1"}},
		{"another address of a node that has the network", elsewhereToo, []Node{having(director("n1", 1), "192.0.2.10")}, []string{"node n1 has this address for itself"}},
		{"another address of a node that has not", elsewhereToo, []Node{director("n1", 1), having(elsewhere, "192.0.2.10")}, nil},
		{"one address on two networks of a node", twins("eth0", "eth1"), []Node{director("n1", 1), elsewhere, onBoth},
			[]string{"vip.web: address = \"192.0.2.10/24\": vip a has the same address on another network, and n5 could get both"}},
		{"one address on networks of different nodes", twins("eth0", "eth1"), []Node{director("n1", 1), elsewhere}, nil},
		{"a server's address", with(both, Service{Name: "s", VIP: "b", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: NAT,
			Servers: []Server{{Address: netip.MustParseAddrPort("192.0.2.10:81")}}}), []Node{director("n1", 1)},
			[]string{`vip.web: address = "192.0.2.10/24": service s has a server at this address, 192.0.2.10:81`}},
	} {
		nodes := map[NodeID]Node{}
		for _, n := range c.nodes {
			nodes[n.ID] = n
		}
		ps := c.cfg.CheckNodes(nodes)
		if len(ps) != len(c.want) {
			t.Errorf("%s: %d problems, want %d: %v", c.name, len(ps), len(c.want), ps)
			continue
		}
		for i, p := range ps {
			if !strings.Contains(p.String(), c.want[i]) || p.Cure == "" {
				t.Errorf("%s: %v\nwant %q and a cure", c.name, p, c.want[i])
			}
		}
	}
}

// A node that cannot keep up with leases of 40 ms does not join a cluster that has them, and owns nothing where it is in one
// already: its agent may have been started anew without the rights.
func TestFastIsForFastNodes(t *testing.T) {
	c := Config{Settings: Settings{Profile: Fast}, VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}}}
	n := director("n9", 1)
	if err := c.CheckJoin(n); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "CAP_SYS_NICE") {
		t.Errorf("join: %v", err)
	}
	if why := n.misfit(c.needsOf()["web"]); !strings.Contains(why, "n9: its lease's thread") {
		t.Errorf("misfit: %q", why)
	}
	n.Facts.Fence, n.Facts.LeaseThread = "bpf", "deadline"
	if err := c.CheckJoin(n); err != nil {
		t.Errorf("join: %v", err)
	}
	if why := n.misfit(c.needsOf()["web"]); why != "" {
		t.Errorf("misfit: %q", why)
	}
}

func TestCheckJoin(t *testing.T) {
	c := Config{VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}}}
	n := director("n9", 1)
	n.Addr, n.Facts.Addresses = "192.0.2.9:7300", []netip.Addr{netip.MustParseAddr("192.0.2.9")}
	if err := c.CheckJoin(n); err != nil {
		t.Errorf("refused: %v", err)
	}
	reached, has := n, n
	reached.Addr = "192.0.2.10:7300"
	has.Facts.Addresses = append(has.Facts.Addresses, netip.MustParseAddr("192.0.2.10"))
	for want, n := range map[string]Node{"n9 is reached at": reached, "n9 has this address for itself": has} {
		err := c.CheckJoin(n)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "vip web has it (192.0.2.10/24)") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c.VIPs["twin"] = VIP{Name: "twin", Address: c.VIPs["web"].Address, Network: "dmz", Interface: "eth0"}
	if err := c.CheckJoin(n); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "n9 could get 192.0.2.10 twice, as vip twin and vip web") {
		t.Errorf("%v", err)
	}
}

// Addresses that are routed to a VIP are no machine's, and on no network of a director: it would answer who asks there, beside the others.
func TestRoutedAddressesAreNobodys(t *testing.T) {
	c := Config{VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}}, Services: map[string]Service{
		"s": {Name: "s", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: NAT, Addresses: []AddressRange{rangeOf(netip.MustParsePrefix("203.0.113.0/28"))}}}}
	fine := director("n1", 1)
	fine.Addr = "192.0.2.9:7300"
	reached, has, near := fine, fine, fine
	reached.Addr = "203.0.113.15:7300"
	has.Facts.Addresses = []netip.Addr{netip.MustParseAddr("203.0.113.0")}
	near.Facts.Links = append(slices.Clone(near.Facts.Links), Link{Name: "eth1", Prefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/30")}})
	apart := near
	apart.Role = Witness
	for _, x := range []struct {
		n      Node
		join   string // "" = may
		misfit string
	}{
		{fine, "", ""},
		{apart, "", "is a witness"},
		{reached, "node n1 is reached at 203.0.113.15, and service s takes what is sent to 203.0.113.0/28", ""},
		{has, "node n1 has 203.0.113.0 for itself", ""},
		{near, "node n1 has the network 203.0.113.0/30 on eth1", "n1 cannot do service s: its eth1 has 203.0.113.0/30"},
	} {
		err := c.CheckJoin(x.n)
		ps := c.CheckNodes(map[NodeID]Node{"n1": x.n, "n2": director("n2", 1)})
		if x.join == "" && (err != nil || len(ps) > 0) || x.join != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), x.join) || len(ps) != 1 || ps[0].Key != "addresses" ||
			!strings.HasPrefix(x.join, ps[0].What[:20])) {
			t.Errorf("want %q: %v; %v", x.join, err, ps)
		}
		if why := x.n.misfit(c.needsOf()["web"]); x.misfit == "" && why != "" || !strings.Contains(why, x.misfit) {
			t.Errorf("misfit %q, want %q", why, x.misfit)
		}
	}
}

// What a service asks of a data plane beyond a scheduler and a method is all named: what is not would be promised by a director that cannot do it.
func TestFeatures(t *testing.T) {
	at := netip.MustParseAddrPort("10.0.0.1:80")
	for feature, s := range map[string]Service{
		"fwmark":                  {Mark: 1},
		"port=0":                  {},
		"protocol=sctp":           {Port: 80, Protocol: SCTP},
		"one_packet":              {Port: 80, OnePacket: true},
		"persistence":             {Port: 80, Persistence: Persistence{Timeout: time.Minute}},
		"persistence_engine=sip":  {Port: 80, Persistence: Persistence{Engine: "sip"}},
		"scheduler_flags=sh-port": {Port: 80, Flags: []string{"sh-port"}},
		"tunnel=gue":              {Port: 80, Forward: Tunnel, Encap: Encap{Type: "gue"}, Servers: []Server{{Address: at}}},
		"tunnel=gre,forward=tun":  {Port: 80, Forward: NAT, Servers: []Server{{Address: at, Forward: Tunnel, Encap: Encap{Type: "gre"}}}},
		"forward=dr":              {Port: 80, Forward: NAT, Sorry: &Server{Address: at, Forward: DirectRouting}},
		"on_down=shutdown":        {Port: 80, Health: Health{OnDown: ShutdownConns}},
		"fwmark,on_down=shutdown,on_down=shutdown with fwmark": {Mark: 1, Health: Health{OnDown: ShutdownConns}},
		"upper_threshold":            {Port: 80, Servers: []Server{{Address: at, Upper: 1}}},
		"upper_threshold,forward=dr": {Port: 80, Forward: NAT, Servers: []Server{{Address: at}}, Sorry: &Server{Address: at, Forward: DirectRouting, Upper: 1}},
		"":                           {Port: 80, Forward: Tunnel, Encap: Encap{Type: "ipip"}, Servers: []Server{{Address: at, Forward: Tunnel}}},
	} {
		want := slices.Sorted(slices.Values(strings.FieldsFunc(feature, func(r rune) bool { return r == ',' })))
		if got := s.Features(); !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
		if f := (Facts{DataPlane: "ipvs", Forwards: []Forward{s.Forward}, Schedulers: []string{s.Scheduler}, Features: want}); f.cannot(s) != "" {
			t.Errorf("%q is not enough: %s", want, f.cannot(s))
		} else if f.Features = nil; len(want) > 0 && !strings.Contains(f.cannot(s), want[0]) {
			t.Errorf("without %q: %q", want, f.cannot(s))
		}
	}
}
