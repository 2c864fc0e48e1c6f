package lvs

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// TestTellsOthers: arp_ignore and arp_announce are asked for where a neighbour can learn of a virtual address on the wrong link, and only there.
func TestTellsOthers(t *testing.T) {
	service := func(addr, forward, server string) Service {
		return Service{Addr: netip.MustParseAddr(addr), Port: 80, Protocol: TCP, Scheduler: "rr", Forward: forward,
			Destinations: []Destination{{Addr: netip.AddrPortFrom(netip.MustParseAddr(server), 80), Weight: 1}}}
	}
	subnet := func(ps ...string) (out []netip.Prefix) {
		for _, p := range ps {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	front, back := "192.0.2.0/24", "10.9.0.0/24"
	apart := map[string][]netip.Prefix{"eth0": subnet(front), "eth1": subnet(back)}
	local := map[netip.Addr]bool{netip.MustParseAddr("10.9.0.1"): true}
	marked := service("192.0.2.10", NAT, "10.9.0.11")
	marked.Mark = 7
	for name, x := range map[string]struct {
		want    []Service
		subnets map[string][]netip.Prefix
		why     string
	}{
		"two networks, one has it":  {[]Service{service("192.0.2.10", NAT, "10.9.0.11")}, apart, ""},
		"IPv6":                      {[]Service{service("2001:db8::10", DirectRouting, "10.9.0.1")}, apart, ""},
		"by firewall mark":          {[]Service{marked}, apart, ""},
		"itself, translated":        {[]Service{service("192.0.2.10", NAT, "10.9.0.1")}, apart, ""},
		"itself, by direct routing": {[]Service{service("192.0.2.10", DirectRouting, "10.9.0.1")}, apart, "a real server of tcp 192.0.2.10:80 besides"},
		"two cables to one network": {[]Service{service("192.0.2.10", NAT, "10.9.0.11")},
			map[string][]netip.Prefix{"eth0": subnet(front), "eth1": subnet("192.0.0.0/16")}, "eth0 and eth1 lead to the subnet of 192.0.2.10"},
		"both networks have one": {[]Service{service("192.0.2.10", NAT, "10.9.0.11"), service("10.9.0.10", NAT, "10.9.0.11")}, apart,
			"eth0 and eth1 have virtual addresses"},
	} {
		if why := tellsOthers(x.want, local, x.subnets); !strings.Contains(why, x.why) || (why == "") != (x.why == "") {
			t.Errorf("%s: %q, want %q", name, why, x.why)
		}
	}
}

// TestOfVirtualRouter: a link with a virtual router's MAC is known as one.
func TestOfVirtualRouter(t *testing.T) {
	for text, want := range map[string]bool{"00:00:5e:00:01:33": true, "00:00:5e:00:02:01": true, "00:00:5e:00:03:33": false, "00:00:5e:01:01:33": false, "02:00:5e:00:01:33": false,
		"00:00:5e:00:01:33:00:00": false} {
		mac, err := net.ParseMAC(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := ofVirtualRouter(mac); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}

// TestDefaultAdvertised: a default route that was learned from a router is told apart from one that was set.
func TestDefaultAdvertised(t *testing.T) {
	const zero = "00000000000000000000000000000000"
	route := func(flags, link string) string {
		return zero + " 00 " + zero + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 " + flags + " " + link + "\n"
	}
	for text, want := range map[string]string{
		"": "", route("00000003", "eth0"): "", "nonsense\n": "",
		route("00000003", "eth1") + route("00450003", "eth0.7"): "run sysctl -w net.ipv6.conf.eth0/7.accept_ra=2",
	} {
		if got := defaultAdvertised(text); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzDefaultAdvertised(f *testing.F) {
	f.Add("a b c d e f g h 00450003 eth0\n")
	f.Fuzz(func(t *testing.T, s string) { defaultAdvertised(s) })
}
