package lvs

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// forwarding are the sysctls without which the kernel drops packets that a plane has sent on to another host
// (Documentation/networking/ip-sysctl.rst).
var forwarding = []struct {
	sysctl string
	ipv4   bool
}{
	{"net.ipv4.ip_forward", true},
	{"net.ipv6.conf.all.forwarding", false},
}

// Preflight reports what this host lacks for balancing to other hosts, each with the exact command that cures it. It
// reads the network namespace of the calling thread and changes nothing.
func Preflight() []string { return preflight(true, true) }

// PreflightFor is Preflight for what the given services need: IP forwarding of their address families, when nat or tun
// sends to a destination on another host.
func PreflightFor(want []Service) []string {
	local := LocalAddrs()
	var v4, v6 bool
	for _, s := range want {
		for _, d := range s.Destinations {
			a := d.Addr.Addr().Unmap()
			if forward, _ := s.Method(d); forward == DirectRouting || a.IsLoopback() || local[a] {
				continue // direct routing sends on from the input hook, not through the forwarding path (ip_vs_xmit.c, ip_vs_dr_xmit)
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
		out = append(out, SwitchedOff(f.sysctl, "packets to servers on other hosts are dropped")...)
	}
	return out
}

// SwitchedOff is a problem where the sysctl is 0 in the network namespace of the calling thread, with the command that cures it; so says what
// comes of it. A kernel that has no such sysctl has no such problem.
func SwitchedOff(sysctl, so string) []string { return stands(sysctl, "0", "1", so) }

// SwitchedOn is the opposite of SwitchedOff.
func SwitchedOn(sysctl, so string) []string { return stands(sysctl, "1", "0", so) }

func stands(sysctl, at, cure, so string) []string {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(sysctl, ".", "/"))
	if err != nil || strings.TrimSpace(string(b)) != at {
		return nil
	}
	return []string{fmt.Sprintf("%s is %s, so %s: run sysctl -w %s=%s and keep it in /etc/sysctl.d/", sysctl, at, so, sysctl, cure)}
}

// LocalAddrs are the host's own addresses. Where they cannot be read every server counts as remote: a needless hint.
func LocalAddrs() map[netip.Addr]bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	out := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out[ip.Unmap()] = true
			}
		}
	}
	return out
}
