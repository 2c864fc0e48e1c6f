package gate

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// model is the rule of the gate over a frame, as plain as it can be said: Entry.Passes, asked of what the frame concerns. It knows
// nothing of how the program does it.
type model struct {
	vip   map[netip.Addr]Entry
	lease Leases
}

// open says whether the address may be claimed, or its traffic pass, at now.
func (m model) open(a netip.Addr, p Protocol, now time.Duration) bool {
	e, ok := m.vip[a]
	return !ok || e.Passes(p, m.lease, now)
}

// passes is the verdict on a frame. ours: an incoming frame is for this host's MAC, for a group, or for all.
func (m model) passes(frame []byte, d Direction, ours bool, now time.Duration) bool {
	if d == In && !ours {
		return true
	}
	typ, rest := etherType(frame)
	switch typ {
	case 0x0806:
		return m.arp(rest, d, now)
	case 0x0800:
		if len(rest) < 20 {
			return true
		}
		if d == In {
			return m.open(netip.AddrFrom4([4]byte(rest[16:20])), IP, now)
		}
		return m.open(netip.AddrFrom4([4]byte(rest[12:16])), IP, now)
	case 0x86dd:
		return m.ipv6(rest, d, now)
	}
	return true
}

// etherType skips up to two tags.
func etherType(frame []byte) (uint16, []byte) {
	for at := 12; at <= 20; at += 4 {
		if len(frame) < at+2 {
			return 0, nil
		}
		t := binary.BigEndian.Uint16(frame[at:])
		if t != 0x8100 && t != 0x88a8 || at == 20 {
			return t, frame[at+2:]
		}
	}
	return 0, nil
}

func (m model) arp(p []byte, d Direction, now time.Duration) bool {
	if len(p) < 28 || binary.BigEndian.Uint16(p[2:]) != 0x0800 || p[4] != 6 || p[5] != 4 {
		return true
	}
	sender, target := netip.AddrFrom4([4]byte(p[14:18])), netip.AddrFrom4([4]byte(p[24:28]))
	if d == Out {
		return m.open(sender, ARP, now)
	}
	return sender == target || m.open(target, ARP, now)
}

func (m model) ipv6(p []byte, d Direction, now time.Duration) bool {
	if len(p) < 40 {
		return true
	}
	source, destination := netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
	icmp := chain(p[6], p[40:])
	nd := len(icmp) > 0 && icmp[0] >= 133 && icmp[0] <= 137
	if nd && len(icmp) >= 24 {
		target, ns, na := netip.AddrFrom16([16]byte(icmp[8:24])), icmp[0] == 135, icmp[0] == 136
		switch {
		case d == In && ns && !m.open(target, NDP, now):
			return false
		case d == Out && na && !m.open(target, NDP, now):
			return false
		case d == Out && ns && source == netip.IPv6Unspecified() && !m.open(target, NDP, now):
			return false
		}
	}
	switch {
	case d == In:
		return m.open(destination, IP, now)
	case nd:
		return m.open(source, NDP, now)
	default:
		return m.open(source, IP, now)
	}
}

// chain returns the ICMPv6 message behind at most nine extension headers, or nothing.
func chain(next byte, p []byte) []byte {
	for range 10 {
		n := 0
		switch next {
		case 58:
			return p
		case 0, 43, 60, 135, 139, 140:
			if len(p) < 2 {
				return nil
			}
			n = (int(p[1]) + 1) * 8
		case 51:
			if len(p) < 2 {
				return nil
			}
			n = (int(p[1]) + 2) * 4
		case 44:
			if len(p) < 4 || binary.BigEndian.Uint16(p[2:])&0xfff8 != 0 {
				return nil
			}
			n = 8
		default:
			return nil
		}
		next = p[0]
		if len(p) < n {
			return nil
		}
		p = p[n:]
	}
	return nil
}
