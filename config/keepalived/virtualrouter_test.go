package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"quorate/fsm"
)

// pair is the files of two directors with one instance; the lines of each are added to it.
func pair(one, two string) (string, string) {
	text := func(priority int, lines string) string {
		return fmt.Sprintf("vrrp_instance V {\ninterface eth0\nvirtual_router_id 51\npriority %d\nvirtual_ipaddress {\n192.0.2.10/24\n}\n%s\n}\n", priority, lines)
	}
	return text(150, one), text(100, two)
}

func importPair(t *testing.T, one, two string, more ...string) Result {
	t.Helper()
	files := tree(append([]string{"a.conf", one, "b.conf", two}, more...)...)
	r, err := Import(Options{Files: files}, []Director{{Name: "lb1", File: "a.conf"}, {Name: "lb2", File: "b.conf"}})
	if err != nil {
		t.Fatal(err)
	}
	whole(t, r)
	return r
}

// TestVirtualRouter: what two directors say of their adverts, as our virtual router.
func TestVirtualRouter(t *testing.T) {
	const key1, key2 = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "twenty bytes are not enough, these are"
	for name, c := range map[string]struct {
		both, one, two string
		want           fsm.VirtualRouter
	}{
		"nothing":          {want: fsm.VirtualRouter{VRID: 51, Version: 2}},
		"version 3":        {both: "version 3\nadvert_int 0.25", want: fsm.VirtualRouter{VRID: 51, Interval: 250e6}},
		"whole seconds":    {both: "advert_int 2.6", want: fsm.VirtualRouter{VRID: 51, Version: 2, Interval: 3e9}},
		"centiseconds":     {both: "version 3\nadvert_int 0.314", want: fsm.VirtualRouter{VRID: 51, Interval: 310e6}},
		"password":         {both: "authentication {\nauth_type PASS\nauth_pass secret123\n}", want: fsm.VirtualRouter{VRID: 51, Version: 2, Password: "secret12"}},
		"no type":          {both: "authentication {\nauth_pass secret123\n}", want: fsm.VirtualRouter{VRID: 51, Version: 2}},
		"password of v3":   {both: "version 3\nauthentication {\nauth_type PASS\nauth_pass secret\n}", want: fsm.VirtualRouter{VRID: 51}},
		"strict":           {both: "strict_mode\nauthentication {\nauth_type PASS\nauth_pass secret\n}", want: fsm.VirtualRouter{VRID: 51, Version: 2}},
		"signed":           {both: "version 3\nauth_hmac {\nkey 1 " + key1 + "\nkey 7 \"" + key2 + "\"\nactive_key 7\nmode receive-only\n}", want: fsm.VirtualRouter{VRID: 51, HMACMode: fsm.HMACReceiveOnly, HMACKeys: []string{"7:" + fmt.Sprintf("%x", key2), "1:" + key1[4:]}}},
		"key in a file":    {both: "version 3\nauth_hmac {\nkey 3 file:secret.key\nactive_key 3\n}", want: fsm.VirtualRouter{VRID: 51, HMACKeys: []string{"3:" + key1[4:]}}},
		"no active key":    {both: "version 3\nauth_hmac {\nkey 3 file:secret.key\n}", want: fsm.VirtualRouter{VRID: 51}},
		"hmac wins":        {both: "authentication {\nauth_type PASS\nauth_pass x\n}\nauth_hmac {\nkey 1 " + key1 + "\nactive_key 1\n}", want: fsm.VirtualRouter{VRID: 51, Version: 2, HMACKeys: []string{"1:" + key1[4:]}}},
		"multicast source": {one: "mcast_src_ip 192.0.2.2", two: "mcast_src_ip 192.0.2.3", want: fsm.VirtualRouter{VRID: 51, Version: 2, Peers: addrs("192.0.2.2", "192.0.2.3")}},
		"unicast": {one: "unicast_src_ip 192.0.2.2\nunicast_peer {\n192.0.2.3\n}", two: "unicast_src_ip 192.0.2.3\nunicast_peer {\n192.0.2.2\n}",
			want: fsm.VirtualRouter{VRID: 51, Version: 2, Unicast: true, Peers: addrs("192.0.2.2", "192.0.2.3")}},
		"unicast without a source": {one: "unicast_peer {\n192.0.2.3\n}", two: "unicast_peer {\n192.0.2.2\n}", want: fsm.VirtualRouter{VRID: 51, Version: 2, Unicast: true, Peers: addrs("192.0.2.3", "192.0.2.2")}},
		"another group":            {both: "mcast_dst_ip 224.0.0.99", want: fsm.VirtualRouter{VRID: 51, Version: 2, Group: netip.MustParseAddr("224.0.0.99")}},
		"the usual group":          {both: "mcast_dst_ip 224.0.0.18", want: fsm.VirtualRouter{VRID: 51, Version: 2}},
		"a group and unicast":      {both: "mcast_dst_ip 224.0.0.99\nunicast_peer {\n192.0.2.9\n}", want: fsm.VirtualRouter{VRID: 51, Version: 2, Unicast: true, Peers: addrs("192.0.2.9")}},
		"no new checksum":          {both: "version 3\nv3_checksum_as_v2 off\nunicast_ttl 255\nuse_vmac vrrp.51 02:00:5e:00:01:33", want: fsm.VirtualRouter{VRID: 51, VMAC: true}},
		"virtual MAC":              {both: "use_vmac", want: fsm.VirtualRouter{VRID: 51, Version: 2, VMAC: true}},
		"nopreempt":                {both: "nopreempt\npreempt_delay 20", want: fsm.VirtualRouter{VRID: 51, Version: 2, NoPreempt: true}},
		"delay":                    {one: "preempt_delay 20", two: "preempt_delay 30", want: fsm.VirtualRouter{VRID: 51, Version: 2, PreemptDelay: 30e9}},
		"checksum as v2":           {both: "version 3\nv3_checksum_as_v2", want: fsm.VirtualRouter{VRID: 51, Checksum: fsm.ChecksumMessage}},
		"checksum of v2":           {both: "v3_checksum_as_v2", want: fsm.VirtualRouter{VRID: 51, Version: 2}},
		"old checksum":             {both: "version 3\nold_unicast_checksum\nunicast_peer {\n192.0.2.9\n}", want: fsm.VirtualRouter{VRID: 51, Unicast: true, Peers: addrs("192.0.2.9"), Checksum: fsm.ChecksumGroup}},
		"never the old checksum":   {both: "version 3\nold_unicast_checksum never\nunicast_peer {\n192.0.2.9\n}", want: fsm.VirtualRouter{VRID: 51, Unicast: true, Peers: addrs("192.0.2.9"), Checksum: fsm.ChecksumPseudo}},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := pair(c.both+"\n"+c.one, c.both+"\n"+c.two)
			r := importPair(t, one, two, "secret.key", key1+"\n")
			got, ok := r.Config.Routers["V"]
			if want := (fsm.Config{Routers: map[string]fsm.VirtualRouter{"V": c.want}}); !ok || !equalJSON(got, want.Routers["V"]) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if r.Config.VIPs["V"].Router != "V" {
				t.Error("the VIP does not name it")
			}
		})
	}
}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// TestDifferingAdverts: what two directors do not agree on is a mistake, with the place of both, and secrets are not shown.
func TestDifferingAdverts(t *testing.T) {
	const key1, key2 = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "hex:ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	signed := func(key, mode string) string {
		return "auth_hmac {\nkey 1 " + key + "\nactive_key 1\nmode " + mode + "\n}"
	}
	for name, c := range map[string]struct{ one, two, want string }{
		"version":   {"version 3", "", "version is 2, and 3 on lb1 (a.conf:8)"},
		"interval":  {"advert_int 1", "advert_int 2", "advert_int is 2, and 1 on lb1 (a.conf:8)"},
		"type":      {"authentication {\nauth_type PASS\nauth_pass hushhush\n}", "", "auth_type is none, and PASS on lb1 (a.conf:9)"},
		"password":  {"authentication {\nauth_type PASS\nauth_pass hushhush\n}", "authentication {\nauth_type PASS\nauth_pass whisper\n}", "auth_pass is not that of lb1 (a.conf:10)"},
		"key":       {signed(key1, "enforce"), signed(key2, "enforce"), "auth_hmac is not that of lb1 (a.conf:8)"},
		"key mode":  {signed(key1, "enforce"), signed(key1, "permissive"), "mode is permissive, and enforce on lb1 (a.conf:11)"},
		"signed":    {signed(key1, "enforce"), "", "auth_hmac is not that of lb1 (a.conf:8)"},
		"cast":      {"unicast_peer {\n192.0.2.3\n}", "", "unicast_peer is multicast, and unicast on lb1 (a.conf:8)"},
		"group":     {"mcast_dst_ip 224.0.0.99", "", "mcast_dst_ip is the usual group, and 224.0.0.99 on lb1 (a.conf:8)"},
		"checksum":  {"version 3\nv3_checksum_as_v2", "version 3", "v3_checksum_as_v2 is pseudo-header, and message-only on lb1 (a.conf:9)"},
		"MAC":       {"", "use_vmac", "use_vmac is true, and false on lb1 (a.conf:1)"},
		"stranger":  {"unicast_src_ip 192.0.2.2\nunicast_peer {\n192.0.2.4\n}", "unicast_src_ip 192.0.2.3\nunicast_peer {\n192.0.2.2\n}", "192.0.2.3, from which lb2 sends (b.conf:8), is not among its peers"},
		"VRID":      {"", "virtual_router_id 52", "virtual_router_id is 52, and 51 on lb1 (a.conf:3)"},
		"nopreempt": {"nopreempt", "", "only some directors have nopreempt"},
		"list":      {"", "virtual_ipaddress {\n192.0.2.11/24\n}", "192.0.2.11 is not among the addresses of vrrp_instance V of lb1 (a.conf:1)"},
		"prefix":    {"virtual_ipaddress {\n192.0.2.12/24\n}", "virtual_ipaddress {\n192.0.2.12/25\n}", "lb1 has it as 192.0.2.12/24 (a.conf:9)"},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := pair(c.one, c.two)
			r := importPair(t, one, two)
			if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return f.Class == Mistake && strings.Contains(f.What, c.want) && f.File != "" && f.Line > 0 && f.Node != ""
			}) {
				t.Errorf("nothing says %q:\n%s", c.want, r.Table(false))
			}
			for _, secret := range []string{"hushhush", "whisper", key1[4:], key2[4:]} {
				if strings.Contains(r.Table(true), secret) {
					t.Errorf("a finding shows the secret %s", secret)
				}
			}
		})
	}
}

// TestOutranked: a director that the cluster's priority is not above is named.
func TestOutranked(t *testing.T) {
	for name, c := range map[string]struct{ lines, more, want string }{
		"below":         {"", "", "which come to 150 at most"},
		"the same":      {"priority 100", "", "lb1 has the same priority, 100"},
		"with a weight": {"track_script {\ns\n}", "vrrp_script s {\nscript /bin/true\nweight 20\n}\n", "which come to 170 at most"},
		"reversed":      {"track_script {\ns weight -20 reverse\n}", "vrrp_script s {\nscript /bin/true\n}\n", "which come to 170 at most"},
		"losing":        {"track_script {\ns weight -20\n}", "vrrp_script s {\nscript /bin/true\n}\n", "which come to 150 at most"},
		"a file":        {"track_file {\nf\n}", "track_file f {\nfile /run/f\n}\n", "comes to as much"},
		"the top":       {"priority 254", "", "comes to as much"},
		"an owner":      {"priority 255", "", "never gives way"},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := pair(c.lines, "")
			r := importPair(t, one+c.more, two)
			if table := r.Table(false); !strings.Contains(table, c.want) {
				t.Errorf("nothing says %q:\n%s", c.want, table)
			}
			if p := r.Config.Routers["V"].Whole().Priority; p != 254 {
				t.Errorf("priority %d", p)
			}
		})
	}
}

// TestPeersGiven: addresses from outside the files go to the virtual routers that they may be on the link of.
func TestPeersGiven(t *testing.T) {
	const conf = `vrrp_instance four {
virtual_router_id 1
interface eth0
virtual_ipaddress {
192.0.2.1/24
}
}
vrrp_instance other {
virtual_router_id 2
interface eth1
virtual_ipaddress {
198.51.100.1/24
}
}
vrrp_instance bare {
virtual_router_id 3
interface eth1
virtual_ipaddress {
203.0.113.1
}
}
vrrp_instance six {
virtual_router_id 4
interface eth0
virtual_ipaddress {
fe80::1/64
}
}
`
	r, err := Import(Options{Files: tree("k.conf", conf), Shadow: true, Peers: addrs("192.0.2.2", "fe80::2", "2001:db8::2")}, []Director{{Name: "lb1", File: "k.conf"}})
	if err != nil {
		t.Fatal(err)
	}
	whole(t, r)
	for name, want := range map[string][]netip.Addr{"four": addrs("192.0.2.2"), "other": nil, "bare": addrs("192.0.2.2"), "six": addrs("fe80::2")} {
		if got := r.Config.Routers[name].Peers; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if r.Config.Settings.Mode != fsm.ShadowMode || !strings.Contains(string(r.Format()), `mode       = "shadow"`) {
		t.Error("it would not only rehearse")
	}
}

// TestPasswordWithoutText: eight octets may end within a character, which no configuration can say.
func TestPasswordWithoutText(t *testing.T) {
	one, two := pair("authentication {\nauth_type PASS\nauth_pass sieben7ü\n}", "authentication {\nauth_type PASS\nauth_pass sieben7ü\n}")
	r := importPair(t, one, two)
	if len(r.Config.Routers) > 0 || r.Count(Unsupported) == 0 {
		t.Errorf("a virtual router that says another password\n%s", r.Format())
	}
}

// TestPasswordOverIPv6: no advert of ours is taken by a keepalived that announces a password over IPv6, where there is no room for one.
func TestPasswordOverIPv6(t *testing.T) {
	text := "vrrp_instance V {\ninterface eth0\nversion 2\nvirtual_router_id 51\npriority %d\nvirtual_ipaddress {\nfe80::51/64\n2001:db8::10/64\n}\nauthentication {\nauth_type PASS\nauth_pass secret12\n}\n}\n"
	r := importPair(t, fmt.Sprintf(text, 150), fmt.Sprintf(text, 100))
	if len(r.Config.Routers) > 0 || r.Count(Unsupported) == 0 {
		t.Errorf("a virtual router that no keepalived hears\n%s\n%s", r.Format(), r.Table(true))
	}
}
