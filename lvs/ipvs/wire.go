package ipvs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/nlattr"
)

// Commands and attributes of the family "IPVS" (include/uapi/linux/ip_vs.h). Numbers are in the host's byte order, ports
// in the network's.
const (
	familyName    = "IPVS"
	familyVersion = 1

	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8

	attrService = 1
	attrDest    = 2

	svcFamily   = 1
	svcProtocol = 2
	svcAddr     = 3
	svcPort     = 4
	svcMark     = 5
	svcSched    = 6
	svcFlags    = 7
	svcTimeout  = 8
	svcNetmask  = 9
	svcEngine   = 11
	svcStats64  = 12

	dstAddr     = 1
	dstPort     = 2
	dstForward  = 3
	dstWeight   = 4
	dstUpper    = 5
	dstLower    = 6
	dstActive   = 7
	dstInactive = 8
	dstPersist  = 9
	dstFamily   = 11
	dstStats64  = 12
	dstTunType  = 13
	dstTunPort  = 14
	dstTunFlags = 15

	flagPersistent = 0x0001 // IP_VS_SVC_F_PERSISTENT
	flagHashed     = 0x0002 // IP_VS_SVC_F_HASHED: set by the kernel
	flagOnePacket  = 0x0004 // IP_VS_SVC_F_ONEPACKET
	flagSched1     = 0x0008 // IP_VS_SVC_F_SCHED1; what it means is up to the scheduler
	flagSched2     = 0x0010

	forwardMask = 0x0007 // IP_VS_CONN_F_FWD_MASK
)

var (
	forwards  = map[string]uint32{lvs.NAT: 0, lvs.Tunnel: 2, lvs.DirectRouting: 3}
	protocols = map[string]uint16{lvs.TCP: unix.IPPROTO_TCP, lvs.UDP: unix.IPPROTO_UDP, lvs.SCTP: unix.IPPROTO_SCTP,
		"ah": unix.IPPROTO_AH, "esp": unix.IPPROTO_ESP}
	tunnels = map[string]uint8{"": 0, lvs.GUE: 1, lvs.GRE: 2}                  // IP_VS_CONN_F_TUNNEL_TYPE_IPIP …
	sums    = map[string]uint16{"": 0, lvs.Checksum: 1, lvs.RemoteChecksum: 2} // IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM …
	flags   = map[string]uint32{"sh-fallback": flagSched1, "sh-port": flagSched2, "mh-fallback": flagSched1, "mh-port": flagSched2}
)

// service is one virtual service of the kernel.
type service struct {
	lvs.Service // without destinations and method; what is not known here is in its Scheduler, e.g. "rr+flags=0x40", which nobody wants
	connections uint64
	traffic     lvs.Traffic
}

// destination is one real server of a service in the kernel; its method is spelled out.
type destination struct {
	lvs.Destination
	active, inactive, persistent int
	connections                  uint64
	traffic                      lvs.Traffic
}

func nameOf[V comparable](m map[string]V, v V, unknown string) string {
	for name, x := range m {
		if x == v {
			return name
		}
	}
	return fmt.Sprintf("%s%v", unknown, v)
}

func inetFamily(a netip.Addr) uint16 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// appendService encodes what identifies a service, and with a scheduler also what it is like.
func appendService(b []byte, s lvs.Service) ([]byte, error) {
	from := len(b)
	b = nlattr.Append(b, attrService|unix.NLA_F_NESTED)
	b = append16(b, svcFamily, inetFamily(s.Addr))
	if s.Mark != 0 {
		b = append32(b, svcMark, s.Mark)
	} else {
		proto, err := protocolNumber(s.Protocol)
		if err != nil {
			return nil, err
		}
		b = append16(b, svcProtocol, proto)
		b = appendAddrPort(b, svcAddr, svcPort, netip.AddrPortFrom(s.Addr, s.Port))
	}
	if s.Scheduler != "" {
		b = appendKind(b, s)
	}
	return nest(b, from), nil
}

// appendKind encodes what a service is like.
func appendKind(b []byte, s lvs.Service) []byte {
	var set uint32
	if s.Persistence.Timeout > 0 {
		set |= flagPersistent
	}
	if s.OnePacket {
		set |= flagOnePacket
	}
	for _, f := range s.Flags {
		set |= flags[f]
	}
	b = nlattr.Append(b, svcSched, append([]byte(s.Scheduler), 0)...)
	b = nlattr.Append(b, svcFlags, binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, set), ^uint32(0))...) // {flags, mask}: no others
	b = append32(b, svcTimeout, uint32(s.Persistence.Timeout/time.Second))
	b = append32(b, svcNetmask, netmask(s))
	if s.Persistence.Engine != "" {
		b = nlattr.Append(b, svcEngine, append([]byte(s.Persistence.Engine), 0)...)
	}
	return b
}

// netmask is how much of a client's address counts for persistence: a mask in the network's byte order for IPv4, a prefix length for
// IPv6 (ip_vs_ctl.c, ip_vs_add_service).
func netmask(s lvs.Service) uint32 {
	n := s.Persistence.Prefix
	if n == 0 {
		n = s.Addr.BitLen()
	}
	if s.Addr.Is6() {
		return uint32(n)
	}
	var mask [4]byte
	binary.BigEndian.PutUint32(mask[:], ^uint32(0)<<(32-n))
	return binary.NativeEndian.Uint32(mask[:])
}

// prefixOf is the opposite of netmask; false when it is no prefix.
func prefixOf(is4 bool, mask uint32) (int, bool) {
	if !is4 {
		return int(mask), mask <= 128
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], mask)
	m := binary.BigEndian.Uint32(b[:])
	n := bits.LeadingZeros32(^m)
	return n, m == ^uint32(0)<<(32-n)
}

func protocolNumber(name string) (uint16, error) {
	if n, ok := protocols[name]; ok {
		return n, nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "protocol-"), 10, 16)
	if err != nil {
		return 0, fmt.Errorf("protocol %q: %w", name, err)
	}
	return uint16(n), nil
}

// appendDestination encodes a destination whose method is spelled out.
func appendDestination(b []byte, d lvs.Destination) []byte {
	from := len(b)
	b = nlattr.Append(b, attrDest|unix.NLA_F_NESTED)
	b = append16(b, dstFamily, inetFamily(d.Addr.Addr()))
	b = appendAddrPort(b, dstAddr, dstPort, d.Addr)
	b = append32(b, dstForward, forwards[d.Forward])
	b = append32(b, dstWeight, uint32(d.Weight))
	b = append32(b, dstUpper, d.Upper)
	b = append32(b, dstLower, d.Lower)
	if d.Encap != (lvs.Encap{}) {
		b = nlattr.Append(b, dstTunType, tunnels[d.Encap.Type])
		b = nlattr.Append(b, dstTunPort, byte(d.Encap.Port>>8), byte(d.Encap.Port))
		b = append16(b, dstTunFlags, sums[d.Encap.Checksum])
	}
	return nest(b, from)
}

// getTraffic reads 64-bit statistics (IPVS_STATS_ATTR_CONNS … IPVS_STATS_ATTR_OUTBPS).
func getTraffic(connections *uint64, t *lvs.Traffic, b []byte) error {
	fields := [...]*uint64{1: connections, &t.InPackets, &t.OutPackets, &t.InBytes, &t.OutBytes,
		&t.ConnectionRate, &t.InPacketRate, &t.OutPacketRate, &t.InByteRate, &t.OutByteRate}
	for list := attributes(b); ; {
		kind, v, ok, err := list.next()
		if err != nil || !ok {
			return err
		}
		if kind == 0 || int(kind) >= len(fields) {
			continue
		}
		if err := get(fields[kind], v); err != nil {
			return err
		}
	}
}

// decodeAddr reads an address attribute, which has 16 bytes whatever the family.
func decodeAddr(family uint16, b []byte) (netip.Addr, error) {
	switch {
	case family == unix.AF_INET && len(b) >= 4:
		return netip.AddrFrom4([4]byte(b)), nil
	case family == unix.AF_INET6 && len(b) >= 16:
		return netip.AddrFrom16([16]byte(b)), nil
	default:
		return netip.Addr{}, fmt.Errorf("address of %d bytes in family %d", len(b), family)
	}
}

// decodeService reads one answer of cmdGetService.
func decodeService(payload []byte) (s service, err error) {
	var family, proto uint16
	var addr []byte
	var set, timeout, mask uint32
	err = each(payload, attrService, func(kind uint16, v []byte) error {
		switch kind {
		case svcFamily:
			return get(&family, v)
		case svcProtocol:
			return get(&proto, v)
		case svcAddr:
			addr = v
		case svcPort:
			return getPort(&s.Port, v)
		case svcMark:
			return get(&s.Mark, v)
		case svcSched:
			s.Scheduler = text(v)
		case svcFlags: // {flags, mask}
			return get(&set, v[:min(len(v), 4)])
		case svcTimeout:
			return get(&timeout, v)
		case svcNetmask:
			return get(&mask, v)
		case svcEngine:
			s.Persistence.Engine = text(v)
		case svcStats64:
			return getTraffic(&s.connections, &s.traffic, v)
		}
		return nil
	})
	if err == nil && s.Mark == 0 {
		s.Addr, err = decodeAddr(family, addr)
		s.Protocol = nameOf(protocols, proto, "protocol-")
	} else if s.Addr = netip.IPv4Unspecified(); family == unix.AF_INET6 {
		s.Addr = netip.IPv6Unspecified()
	}
	if err != nil {
		return s, fmt.Errorf("service: %w", err)
	}
	s.setKind(set, timeout, mask)
	return s, nil
}

// setKind reads what a service is like out of its flags. What has no name here goes into the scheduler.
func (s *service) setKind(set, timeout, mask uint32) {
	if set&flagPersistent != 0 {
		s.Persistence.Timeout = time.Duration(timeout) * time.Second
		if n, ok := prefixOf(s.Addr.Is4(), mask); !ok {
			s.Scheduler += fmt.Sprintf("+netmask=%#x", mask)
		} else if n != s.Addr.BitLen() {
			s.Persistence.Prefix = n
		}
	}
	s.OnePacket = set&flagOnePacket != 0
	set &^= flagPersistent | flagHashed | flagOnePacket
	for _, name := range lvs.SchedulerFlags(s.Scheduler) {
		if f := flags[name]; set&f != 0 {
			s.Flags = append(s.Flags, name)
			set &^= f
		}
	}
	if set != 0 {
		s.Scheduler += fmt.Sprintf("+flags=%#x", set)
	}
}

// text is a string that ends with a zero.
func text(v []byte) string {
	s, _, _ := bytes.Cut(v, []byte{0})
	return string(s)
}

// decodeDestination reads one answer of cmdGetDest.
func decodeDestination(payload []byte) (d destination, err error) {
	var family, port, sum uint16
	var method, weight uint32
	var tunnel uint8
	var addr []byte
	err = each(payload, attrDest, func(kind uint16, v []byte) error {
		switch kind {
		case dstFamily:
			return get(&family, v)
		case dstAddr:
			addr = v
		case dstPort:
			return getPort(&port, v)
		case dstForward:
			return get(&method, v)
		case dstWeight:
			return get(&weight, v)
		case dstUpper:
			return get(&d.Upper, v)
		case dstLower:
			return get(&d.Lower, v)
		case dstActive:
			return getCount(&d.active, v)
		case dstInactive:
			return getCount(&d.inactive, v)
		case dstPersist:
			return getCount(&d.persistent, v)
		case dstStats64:
			return getTraffic(&d.connections, &d.traffic, v)
		case dstTunType:
			return get(&tunnel, v)
		case dstTunPort:
			return getPort(&d.Encap.Port, v)
		case dstTunFlags:
			return get(&sum, v)
		}
		return nil
	})
	if err != nil {
		return d, fmt.Errorf("destination: %w", err)
	}
	a, err := decodeAddr(family, addr)
	if err != nil {
		return d, fmt.Errorf("destination: %w", err)
	}
	d.Addr = netip.AddrPortFrom(a, port)
	d.Forward = nameOf(forwards, method&forwardMask, "method-")
	d.Weight = int(int32(weight))
	if d.Forward != lvs.Tunnel {
		d.Encap = lvs.Encap{}
		return d, nil
	}
	d.Encap.Type = nameOf(tunnels, tunnel, "type-")
	d.Encap.Checksum = nameOf(sums, sum, "flags-")
	return d, nil
}
