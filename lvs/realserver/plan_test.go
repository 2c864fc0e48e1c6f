package realserver

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// plain is a host as it comes: eth0 with 192.0.2.5/24 and a default route.
func plain() host {
	h := host{
		sysctls:   map[string]string{},
		links:     map[string]link{"lo": {up: true}, "eth0": {kind: "veth", up: true, answers: true}, "eth1": {kind: "veth", up: true, answers: true}},
		addresses: []address{{link: "lo", prefix: netip.MustParsePrefix("127.0.0.1/8")}, {link: "eth0", prefix: netip.MustParsePrefix("192.0.2.5/24")}},
		listeners: map[string]string{},
		gateways:  map[string]string{IPv4: "eth1"},
	}
	for _, l := range []string{"all", "lo", "eth0", "eth1"} {
		for _, k := range []string{"arp_ignore", "arp_announce", "rp_filter"} {
			h.sysctls[conf4(l, k)] = "0"
		}
		h.sysctls[conf6(l, "disable_ipv6")] = "0"
	}
	return h
}

func dr(addr, on string) VIP {
	return VIP{Addr: netip.MustParseAddr(addr), Forward: "dr", Interface: on}
}

func tun(t *testing.T, addr, tunnel, outer string) VIP {
	t.Helper()
	v, err := VIP{Addr: netip.MustParseAddr(addr), Forward: "tun", Tunnel: tunnel, Outer: outer, Interface: "eth0"}.complete()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func commands(steps []Step) string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Command())
	}
	return strings.Join(out, "\n")
}

const quiet4 = `sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
sysctl -w net.ipv4.conf.eth0.arp_ignore=1
sysctl -w net.ipv4.conf.eth0.arp_announce=2
`

func TestPlan(t *testing.T) {
	set := func(kv ...string) func(*host) {
		return func(h *host) {
			for i := 0; i < len(kv); i += 2 {
				h.sysctls[kv[i]] = kv[i+1]
			}
		}
	}
	for _, c := range []struct {
		name string
		have func(*host)
		want []VIP
		do   string
	}{
		{"dr", nil, []VIP{dr("192.0.2.10", "eth0")}, quiet4 + "ip address add 192.0.2.10/32 dev lo scope host label lo:quorate"},
		{"dr over IPv6 needs the address alone", nil, []VIP{dr("2001:db8::10", "")}, "ip address add 2001:db8::10/128 dev lo nodad noprefixroute preferred_lft 0"},
		{"two VIPs share their settings", nil, []VIP{dr("192.0.2.10", "eth0"), dr("192.0.2.11", "eth0")}, quiet4 +
			"ip address add 192.0.2.10/32 dev lo scope host label lo:quorate\nip address add 192.0.2.11/32 dev lo scope host label lo:quorate"},
		{"stronger settings stay", set("net/ipv4/conf/all/arp_ignore", "2", "net/ipv4/conf/eth0/arp_ignore", "8", "net/ipv4/conf/all/arp_announce", "2"),
			[]VIP{dr("192.0.2.10", "eth0")}, "sysctl -w net.ipv4.conf.eth0.arp_announce=2\nip address add 192.0.2.10/32 dev lo scope host label lo:quorate"},
		{"arp_ignore 4 to 7 mean nothing to the kernel", set("net/ipv4/conf/all/arp_ignore", "5", "net/ipv4/conf/eth0/arp_ignore", "1",
			"net/ipv4/conf/all/arp_announce", "2", "net/ipv4/conf/eth0/arp_announce", "2"),
			[]VIP{dr("192.0.2.10", "eth0")}, "sysctl -w net.ipv4.conf.all.arp_ignore=1\nip address add 192.0.2.10/32 dev lo scope host label lo:quorate"},
		{"a strict rp_filter becomes loose", set("net/ipv4/conf/all/rp_filter", "1"), []VIP{dr("192.0.2.10", "eth0")},
			quiet4 + "sysctl -w net.ipv4.conf.eth0.rp_filter=2\nip address add 192.0.2.10/32 dev lo scope host label lo:quorate"},
		{"a loose one covers a strict one", set("net/ipv4/conf/all/rp_filter", "2", "net/ipv4/conf/eth0/rp_filter", "1"), []VIP{dr("192.0.2.10", "eth0")},
			quiet4 + "ip address add 192.0.2.10/32 dev lo scope host label lo:quorate"},
		{"a VIP put by hand is as good", func(h *host) {
			h.addresses = append(h.addresses, address{link: "lo", prefix: netip.MustParsePrefix("192.0.2.10/32")})
		}, []VIP{dr("192.0.2.10", "eth0")}, strings.TrimSpace(quiet4)},
		{"ipip", nil, []VIP{tun(t, "192.0.2.10", IPIP, "")}, quiet4 + `ip link add quorate-ipip type ipip external
sysctl -w net.ipv4.conf.quorate-ipip.rp_filter=2
ip link set quorate-ipip up
ip address add 192.0.2.10/32 dev quorate-ipip scope host`},
		{"ipip over IPv6", nil, []VIP{tun(t, "192.0.2.10", IPIP, IPv6), tun(t, "2001:db8::10", IPIP, "")}, quiet4 + `ip link add quorate-ip6tnl type ip6tnl external
sysctl -w net.ipv4.conf.quorate-ip6tnl.rp_filter=2
sysctl -w net.ipv6.conf.quorate-ip6tnl.disable_ipv6=0
ip link set quorate-ip6tnl up
ip address add 192.0.2.10/32 dev quorate-ip6tnl scope host
ip address add 2001:db8::10/128 dev quorate-ip6tnl nodad noprefixroute preferred_lft 0`},
		{"gre takes IPv6 in over IPv4", nil, []VIP{tun(t, "2001:db8::10", GRE, IPv4)}, `ip link add quorate-gre type gre external
sysctl -w net.ipv4.conf.quorate-gre.rp_filter=2
sysctl -w net.ipv6.conf.quorate-gre.disable_ipv6=0
ip link set quorate-gre up
ip address add 2001:db8::10/128 dev quorate-gre nodad noprefixroute preferred_lft 0`},
		{"gue", nil, []VIP{tun(t, "2001:db8::10", GUE, "")}, `ip link add quorate-ip6tnl type ip6tnl external
sysctl -w net.ipv4.conf.quorate-ip6tnl.rp_filter=2
sysctl -w net.ipv6.conf.quorate-ip6tnl.disable_ipv6=0
ip link set quorate-ip6tnl up
ip fou add port 6080 gue -6
ip address add 2001:db8::10/128 dev quorate-ip6tnl nodad noprefixroute preferred_lft 0`},
		{"a device that a killed setup left down", func(h *host) {
			h.links["quorate-ipip"] = link{kind: "ipip", external: true}
			set("net/ipv4/conf/quorate-ipip/rp_filter", "2")(h)
		}, []VIP{tun(t, "192.0.2.10", IPIP, "")}, quiet4 + "ip link set quorate-ipip up\nip address add 192.0.2.10/32 dev quorate-ipip scope host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := plain()
			if c.have != nil {
				c.have(&h)
			}
			before := maps.Clone(h.sysctls)
			p := planSetup(h, record{}, c.want)
			if got := commands(p.steps); got != c.do {
				t.Errorf("got\n%s\nwant\n%s", got, c.do)
			}
			if !maps.Equal(before, h.sysctls) {
				t.Error("planning has changed the host")
			}
		})
	}
}

func TestPlanTakesBackInReverse(t *testing.T) {
	h := plain()
	for _, p := range []string{"arp_ignore", "arp_announce"} {
		h.sysctls[conf4("all", p)] = "1"
	}
	h.links["quorate-ipip"] = link{kind: "ipip", external: true, up: true}
	h.listeners["ipv4/6080"] = GUE
	h.addresses = append(h.addresses, address{link: "quorate-ipip", prefix: netip.MustParsePrefix("192.0.2.10/32"), marked: true},
		address{link: "lo", prefix: netip.MustParsePrefix("192.0.2.11/32")}, address{link: "lo", prefix: netip.MustParsePrefix("2001:db8::10/128"), shaped: true})
	r := record{Made: []made{
		{Thing{Kind: KindSysctl, Name: conf4("all", "arp_ignore")}, "0", "1"},
		{Thing{Kind: KindSysctl, Name: conf4("all", "arp_announce")}, "0", "2"},
		{Thing{Kind: KindSysctl, Name: conf4("gone", "arp_announce")}, "0", "2"},
		{Thing: Thing{Kind: KindLink, Name: "quorate-ipip"}},
		{Thing: Thing{Kind: KindListener, Name: "ipv4/6080"}},
		{Thing: Thing{KindAddress, "192.0.2.10/32", "quorate-ipip"}},
		{Thing: Thing{KindAddress, "192.0.2.11/32", "lo"}},
		{Thing: Thing{KindAddress, "192.0.2.12/32", "lo"}},
		{Thing: Thing{KindAddress, "2001:db8::10/128", "lo"}},
	}}
	p := planUndo(h, r, nil, nil)
	want := `ip address del 192.0.2.10/32 dev quorate-ipip
ip address del 2001:db8::10/128 dev lo
ip fou del port 6080
ip link del quorate-ipip
sysctl -w net.ipv4.conf.all.arp_ignore=0`
	if got := commands(p.steps); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	wantNotes := []string{
		"net.ipv4.conf.all.arp_announce is 1, not the 2 that setup made of it: left to who changed it (it was 0 before)",
		"192.0.2.11/32 on lo does not carry the mark of setup: left to who put it there",
	}
	if !slices.Equal(p.notes, wantNotes) {
		t.Errorf("notes %q, want %q", p.notes, wantNotes)
	}
	if len(p.forget) != 4 {
		t.Errorf("forgotten: %v", p.forget)
	}
}

// TestPlanFindsMarks: without a record, what carries a mark goes, and nothing else.
func TestPlanFindsMarks(t *testing.T) {
	h := plain()
	h.sysctls[conf4("all", "arp_ignore")] = "1"
	h.links["quorate-gre"] = link{kind: "gre", external: true, up: true}
	h.links["quorate-ipip"] = link{kind: "ipip", up: true} // somebody else's
	h.addresses = append(h.addresses, address{link: "lo", prefix: netip.MustParsePrefix("192.0.2.10/32"), marked: true},
		address{link: "lo", prefix: netip.MustParsePrefix("192.0.2.11/32"), marked: true},
		address{link: "lo", prefix: netip.MustParsePrefix("2001:db8::10/128"), shaped: true})
	if got, want := commands(planUndo(h, record{}, nil, nil).steps), "ip address del 192.0.2.10/32 dev lo\nip address del 192.0.2.11/32 dev lo\nip link del quorate-gre"; got != want {
		t.Errorf("all: got\n%s\nwant\n%s", got, want)
	}
	one := []netip.Addr{netip.MustParseAddr("192.0.2.11")}
	if got, want := commands(planUndo(h, record{}, nil, one).steps), "ip address del 192.0.2.11/32 dev lo"; got != want {
		t.Errorf("one: got\n%s\nwant\n%s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	on := func(link, prefix string) func(*host) {
		return func(h *host) {
			h.addresses = append(h.addresses, address{link: link, prefix: netip.MustParsePrefix(prefix)})
		}
	}
	for _, c := range []struct {
		name string
		have func(*host)
		vip  VIP
		says string
	}{
		{"the VIP on an interface", on("eth0", "192.0.2.10/24"), dr("192.0.2.10", "eth0"), "ip address del 192.0.2.10/24 dev eth0"},
		{"a subnet on lo", on("lo", "192.0.2.10/24"), dr("192.0.2.10", "eth0"), "192.0.2.10/24 on lo makes all of 192.0.2.0/24 this host's own"},
		{"no IPv6 on lo", func(h *host) { h.sysctls[conf6("lo", "disable_ipv6")] = "1" }, dr("2001:db8::10", ""), "sysctl -w net.ipv6.conf.lo.disable_ipv6=0"},
		{"no IPv6", func(h *host) { delete(h.sysctls, conf6("lo", "disable_ipv6")) }, dr("2001:db8::10", ""), "this kernel has no IPv6"},
		{"lo is down", func(h *host) { h.links["lo"] = link{} }, dr("192.0.2.10", "eth0"), "ip link set lo up"},
		{"our name is taken", func(h *host) { h.links["quorate-ipip"] = link{kind: "dummy"} }, tun(t, "192.0.2.10", IPIP, ""), "ip link del quorate-ipip"},
		{"our name, and not for everybody's packets", func(h *host) { h.links["quorate-ipip"] = link{kind: "ipip"} }, tun(t, "192.0.2.10", IPIP, ""), "kind ipip that is none of ours"},
		{"the port is taken", func(h *host) { h.listeners["ipv4/6080"] = "fou" }, tun(t, "192.0.2.10", GUE, ""), "UDP port 6080 takes in fou, not gue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := plain()
			if p := refusals(h, []VIP{c.vip}); len(p) > 0 {
				t.Fatalf("refused on a plain host: %v", p)
			}
			c.have(&h)
			p := refusals(h, []VIP{c.vip, c.vip})
			if len(p) != 1 || !strings.Contains(p[0].String(), c.says) {
				t.Errorf("got %q, want %q in it, once", p, c.says)
			}
		})
	}
	h := plain()
	on("dummy0", "192.0.2.10/32")(&h)
	h.links["dummy0"] = link{kind: "dummy", up: true}
	if p := refusals(h, []VIP{dr("192.0.2.10", "eth0")}); len(p) > 0 {
		t.Errorf("a VIP on a device without ARP does no harm: %v", p)
	}
}

func TestVIPMistakes(t *testing.T) {
	a := netip.MustParseAddr
	for _, c := range []struct {
		vip  VIP
		says string
	}{
		{VIP{Forward: "dr"}, "no VIP"},
		{VIP{Addr: a("127.0.0.1"), Forward: "dr"}, "no address that clients can reach"},
		{VIP{Addr: a("224.0.0.1"), Forward: "dr"}, "no address that clients can reach"},
		{VIP{Addr: a("255.255.255.255"), Forward: "dr"}, "no address that clients can reach"},
		{VIP{Addr: a("fe80::1%eth0"), Forward: "dr"}, "leave out %eth0"},
		{VIP{Addr: a("fe80::1"), Forward: "dr"}, "no address that clients can reach"},
		{VIP{Addr: a("::ffff:192.0.2.10"), Forward: "dr"}, "write an IPv4 address as such"},
		{VIP{Addr: a("192.0.2.10"), Forward: "nat"}, "needs no preparation"},
		{VIP{Addr: a("192.0.2.10"), Forward: "fly"}, "want dr or tun"},
		{VIP{Addr: a("192.0.2.10"), Forward: "dr", Tunnel: IPIP}, "go with forward tun"},
		{VIP{Addr: a("192.0.2.10"), Forward: "tun", Tunnel: "vxlan"}, "want ipip, gre or gue"},
		{VIP{Addr: a("192.0.2.10"), Forward: "tun", Port: 1}, "only gue has a port"},
		{VIP{Addr: a("192.0.2.10"), Forward: "tun", Outer: "ipx"}, "want ipv4 or ipv6"},
		{VIP{Addr: a("2001:db8::10"), Forward: "tun", Outer: IPv4}, "use tunnel gre"},
		{VIP{Addr: a("192.0.2.10"), Forward: "dr", Interface: "../../vs"}, "interface \"../../vs\""},
		{VIP{Addr: a("192.0.2.10"), Forward: "dr", Interface: "lo"}, "interface \"lo\""},
	} {
		if _, err := c.vip.complete(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.vip, err, c.says)
		}
	}
}

func TestChoose(t *testing.T) {
	h := plain()
	for _, c := range []struct{ vip, on, want string }{
		{"192.0.2.10", "", "eth0"},     // has a subnet of it
		{"203.0.113.1", "", "eth1"},    // default route
		{"192.0.2.10", "eth1", "eth1"}, // named
		{"2001:db8::1", "", ""},        // needs none
		{"192.0.2.10", "eth9", "!there is no interface eth9"},
	} {
		got, err := h.choose(dr(c.vip, c.on))
		if err != nil {
			got = "!" + err.Error()
		}
		if got != c.want && (c.want == "" || c.want[0] != '!' || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s on %q: got %q, want %q", c.vip, c.on, got, c.want)
		}
	}
	h.addresses = append(h.addresses, address{link: "eth1", prefix: netip.MustParsePrefix("192.0.2.6/24")})
	if _, err := h.choose(dr("192.0.2.10", "")); err == nil || !strings.Contains(err.Error(), "[eth0 eth1] have a subnet") {
		t.Errorf("two interfaces in the subnet: %v", err)
	}
	h.gateways = nil
	if _, err := h.choose(dr("203.0.113.1", "")); err == nil || !strings.Contains(err.Error(), "--interface") {
		t.Errorf("no way to tell: %v", err)
	}
}

func TestUnit(t *testing.T) {
	got := Unit([]string{"/opt/my tools/quorate", "realserver", "setup", "--vip", "192.0.2.10", "--interface", "a%b$c"})
	if want := "ExecStart=\"/opt/my tools/quorate\" realserver setup --vip 192.0.2.10 --interface a%%b$$c\n"; !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant in it\n%s", got, want)
	}
}
