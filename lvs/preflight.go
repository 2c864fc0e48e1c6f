package lvs

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// forwarding are the sysctls without which the kernel drops packets that a plane has sent on to another host
// (Documentation/networking/ip-sysctl.rst).
var forwarding = []struct {
	sysctl, path string
	ipv4         bool
}{
	{"net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward", true},
	{"net.ipv6.conf.all.forwarding", "/proc/sys/net/ipv6/conf/all/forwarding", false},
}

// Preflight reports what this host lacks for balancing to other hosts, each with the exact command that cures it. It
// reads the network namespace of the calling thread and changes nothing.
func Preflight() []string { return preflight(true, true) }

// PreflightFor is Preflight for what the given services need: IP forwarding of their address families, when a
// destination is on another host and nat or tun sends to it. local are the host's own addresses.
func PreflightFor(want []Service, local []netip.Addr) []string {
	var v4, v6 bool
	for _, s := range want {
		if s.Forward == DirectRouting {
			continue // sent on from the input hook, not through the forwarding path (ip_vs_xmit.c, ip_vs_dr_xmit)
		}
		for _, d := range s.Destinations {
			a := d.Addr.Addr().Unmap()
			if a.IsLoopback() || slices.Contains(local, a) {
				continue
			}
			v4, v6 = v4 || a.Is4(), v6 || a.Is6()
		}
	}
	return preflight(v4, v6)
}

func preflight(v4, v6 bool) []string {
	var out []string
	for _, f := range forwarding {
		if f.ipv4 && !v4 || !f.ipv4 && !v6 {
			continue
		}
		b, err := os.ReadFile(f.path)
		if err != nil || strings.TrimSpace(string(b)) != "0" {
			continue // a kernel without the protocol has no such sysctl and nothing to forward
		}
		out = append(out, fmt.Sprintf("%s is 0, so packets to servers on other hosts are dropped: run sysctl -w %s=1 and keep it in /etc/sysctl.d/", f.sysctl, f.sysctl))
	}
	return out
}
