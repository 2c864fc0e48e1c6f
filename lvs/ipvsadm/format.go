package ipvsadm

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate/lvs"
)

// Format writes the services line by line as `ipvsadm -Sn` of version 1.31 does, sorted by key and address. One thing is more than that program saves: the
// connection thresholds (-x, -y), which it forgets and reads nevertheless. left says what of the services ipvsadm has no word for; such a service is written
// without it.
func Format(services []lvs.Service) (text string, left []string) {
	var b strings.Builder
	for _, s := range lvs.Canonical(services) {
		listener := words(s)
		fmt.Fprintf(&b, "-A %s -s %s%s\n", listener, s.Scheduler, kind(s))
		if s.Masquerade {
			left = append(left, fmt.Sprintf("service %v: ipvsadm has no masquerade: the servers' answers must come back through the director by themselves", s.Key()))
		}
		if n := len(s.Matches); n > 0 {
			left = append(left, fmt.Sprintf("service %v: ipvsadm marks no packets: quorate gives this mark to %v%s", s.Key(), s.Matches[0], more(n-1)))
		}
		for _, d := range s.Destinations {
			fmt.Fprintf(&b, "-a %s -r %v %s\n", listener, d.Addr, destination(s, d))
		}
	}
	return b.String(), left
}

// more is the rest of a list that is not shown.
func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// words name the service.
func words(s lvs.Service) string {
	option, at := "", netip.AddrPortFrom(s.Addr, s.Port).String()
	switch {
	case s.Mark != 0 && s.Addr.Is6():
		return fmt.Sprintf("-f %d -6", s.Mark)
	case s.Mark != 0:
		return fmt.Sprintf("-f %d", s.Mark)
	case s.Protocol == lvs.TCP:
		option = "-t"
	case s.Protocol == lvs.UDP:
		option = "-u"
	default:
		option = "--" + s.Protocol + "-service"
	}
	return option + " " + at
}

// kind is what follows the scheduler, each with a blank before it.
func kind(s lvs.Service) string {
	var b strings.Builder
	if p := s.Persistence; p.Timeout > 0 {
		fmt.Fprintf(&b, " -p %d", p.Timeout/time.Second)
		switch {
		case p.Prefix == 0:
		case s.Addr.Is6():
			fmt.Fprintf(&b, " -M %d", p.Prefix)
		default:
			fmt.Fprintf(&b, " -M %v", net.IP(net.CIDRMask(p.Prefix, 32)))
		}
		if p.Engine != "" {
			b.WriteString(" --pe " + p.Engine)
		}
	}
	if s.OnePacket {
		b.WriteString(" -o")
	}
	if len(s.Flags) > 0 {
		b.WriteString(" -b " + strings.Join(slices.Sorted(slices.Values(s.Flags)), ","))
	}
	return b.String()
}

// destination is what follows the server's address.
func destination(s lvs.Service, d lvs.Destination) string {
	forward, e := s.Method(d)
	w := []string{map[string]string{lvs.NAT: "-m", lvs.DirectRouting: "-g", lvs.Tunnel: "-i"}[forward], "-w", strconv.Itoa(d.Weight)}
	if forward == lvs.Tunnel {
		w = append(w, tunnel(e)...)
	}
	for _, x := range []struct {
		option string
		n      uint32
	}{{"-x", d.Upper}, {"-y", d.Lower}} {
		if x.n > 0 {
			w = append(w, x.option, strconv.FormatUint(uint64(x.n), 10))
		}
	}
	return strings.Join(w, " ")
}

func tunnel(e lvs.Encap) []string {
	switch e.Type {
	case "", lvs.IPIP:
		return []string{"--tun-type", "ipip"}
	case lvs.GUE:
		return []string{"--tun-type", "gue", "--tun-port", strconv.Itoa(int(e.Port)), checksum(e)}
	default:
		return []string{"--tun-type", e.Type, checksum(e)}
	}
}

func checksum(e lvs.Encap) string {
	switch e.Checksum {
	case "", lvs.NoChecksum:
		return "--tun-nocsum"
	default:
		return "--tun-" + e.Checksum
	}
}
