package ipvs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"quorate/lvs"
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
	svcStats64  = 12

	dstAddr     = 1
	dstPort     = 2
	dstForward  = 3
	dstWeight   = 4
	dstUpper    = 5
	dstLower    = 6
	dstActive   = 7
	dstInactive = 8
	dstFamily   = 11
	dstStats64  = 12

	statsConns = 1

	flagHashed  = 0x0002 // IP_VS_SVC_F_HASHED: set by the kernel
	forwardMask = 0x0007 // IP_VS_CONN_F_FWD_MASK
)

var (
	forwards  = map[string]uint32{lvs.NAT: 0, lvs.Tunnel: 2, lvs.DirectRouting: 3}
	protocols = map[string]uint16{lvs.TCP: unix.IPPROTO_TCP, lvs.UDP: unix.IPPROTO_UDP, "sctp": unix.IPPROTO_SCTP,
		"ah": unix.IPPROTO_AH, "esp": unix.IPPROTO_ESP}
)

// service is one virtual service of the kernel.
type service struct {
	mark        uint32 // not 0: by firewall mark, and there is no key
	key         lvs.Key
	scheduler   string // with what is not ours added, e.g. "rr+flags=0x1": it differs from all that we want
	connections uint64
}

// destination is one real server of a service in the kernel.
type destination struct {
	addr             netip.AddrPort
	forward          string
	weight           int
	active, inactive int
	connections      uint64
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

// appendAttr appends one attribute, padded.
func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%unix.NLA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

func append16(b []byte, kind, v uint16) []byte {
	var value [2]byte
	binary.NativeEndian.PutUint16(value[:], v)
	return appendAttr(b, kind, value[:])
}

func append32(b []byte, kind uint16, v uint32) []byte {
	var value [4]byte
	binary.NativeEndian.PutUint32(value[:], v)
	return appendAttr(b, kind, value[:])
}

// appendAddrPort appends the attributes of an address and a port.
func appendAddrPort(b []byte, addr, port uint16, a netip.AddrPort) []byte {
	if ip := a.Addr(); ip.Is4() {
		v := ip.As4()
		b = appendAttr(b, addr, v[:])
	} else {
		v := ip.As16()
		b = appendAttr(b, addr, v[:])
	}
	return appendAttr(b, port, []byte{byte(a.Port() >> 8), byte(a.Port())})
}

// nest closes an attribute that was opened at from with appendAttr(b, kind, nil): it holds what was appended since.
func nest(b []byte, from int) []byte {
	binary.NativeEndian.PutUint16(b[from:], uint16(len(b)-from))
	return b
}

// appendService encodes what identifies a service, and with a scheduler also what it is like.
func appendService(b []byte, s service) ([]byte, error) {
	from := len(b)
	b = appendAttr(b, attrService|unix.NLA_F_NESTED, nil)
	if s.mark != 0 {
		b = append16(b, svcFamily, unix.AF_INET)
		b = append32(b, svcMark, s.mark)
	} else {
		proto, err := protocolNumber(s.key.Protocol)
		if err != nil {
			return nil, err
		}
		b = append16(b, svcFamily, inetFamily(s.key.Addr.Addr()))
		b = append16(b, svcProtocol, proto)
		b = appendAddrPort(b, svcAddr, svcPort, s.key.Addr)
	}
	if s.scheduler != "" {
		netmask := uint32(0xffffffff)
		if s.key.Addr.Addr().Is6() {
			netmask = 128 // a prefix length there (ip_vs_ctl.c, ip_vs_add_service)
		}
		b = appendAttr(b, svcSched, append([]byte(s.scheduler), 0))
		b = appendAttr(b, svcFlags, []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}) // {flags, mask}: none of all
		b = append32(b, svcTimeout, 0)
		b = append32(b, svcNetmask, netmask)
	}
	return nest(b, from), nil
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

// appendDestination encodes a destination; it has no connection limits.
func appendDestination(b []byte, forward string, d lvs.Destination) []byte {
	from := len(b)
	b = appendAttr(b, attrDest|unix.NLA_F_NESTED, nil)
	b = append16(b, dstFamily, inetFamily(d.Addr.Addr()))
	b = appendAddrPort(b, dstAddr, dstPort, d.Addr)
	b = append32(b, dstForward, forwards[forward])
	b = append32(b, dstWeight, uint32(d.Weight))
	b = append32(b, dstUpper, 0)
	b = append32(b, dstLower, 0)
	return nest(b, from)
}

var errTruncated = errors.New("truncated message")

// attributes walks a list of netlink attributes without copying: a dump of a full table has tens of thousands.
type attributes []byte

// next cuts the first attribute off. It returns false at the end of the list, and an error when the list is cut off.
func (a *attributes) next() (kind uint16, value []byte, ok bool, err error) {
	if len(*a) == 0 {
		return 0, nil, false, nil
	}
	if len(*a) < unix.SizeofNlAttr {
		return 0, nil, false, errTruncated
	}
	size := int(binary.NativeEndian.Uint16(*a))
	kind = binary.NativeEndian.Uint16((*a)[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	if size < unix.SizeofNlAttr || size > len(*a) {
		return 0, nil, false, errTruncated
	}
	value = (*a)[unix.SizeofNlAttr:size]
	*a = (*a)[min(len(*a), (size+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	return kind, value, true, nil
}

// find returns the value of the first attribute of a kind.
func (a attributes) find(want uint16) ([]byte, error) {
	for {
		kind, value, ok, err := a.next()
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, errTruncated
		case kind == want:
			return value, nil
		}
	}
}

// each calls f for every attribute inside the attribute kind of an answer, which starts with a generic netlink header.
func each(payload []byte, kind uint16, f func(kind uint16, value []byte) error) error {
	if len(payload) < 4 {
		return errTruncated
	}
	nested, err := attributes(payload[4:]).find(kind)
	if err != nil {
		return err
	}
	for list := attributes(nested); ; {
		k, v, ok, err := list.next()
		if err != nil || !ok {
			return err
		}
		if err := f(k, v); err != nil {
			return fmt.Errorf("attribute %d: %w", k, err)
		}
	}
}

// get reads a number of exactly its own size.
func get[T uint16 | uint32 | uint64](to *T, b []byte) error {
	switch p := any(to).(type) {
	case *uint16:
		if len(b) != 2 {
			return errTruncated
		}
		*p = binary.NativeEndian.Uint16(b)
	case *uint32:
		if len(b) != 4 {
			return errTruncated
		}
		*p = binary.NativeEndian.Uint32(b)
	case *uint64:
		if len(b) != 8 {
			return errTruncated
		}
		*p = binary.NativeEndian.Uint64(b)
	}
	return nil
}

func getPort(to *uint16, b []byte) error {
	if len(b) != 2 {
		return errTruncated
	}
	*to = binary.BigEndian.Uint16(b)
	return nil
}

func getCount(to *int, b []byte) error {
	var n uint32
	err := get(&n, b)
	*to = int(n)
	return err
}

// getConnections reads the number of connections out of 64-bit statistics.
func getConnections(to *uint64, b []byte) error {
	v, err := attributes(b).find(statsConns)
	if err != nil {
		return err
	}
	return get(to, v)
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
	var family, proto, port uint16
	var addr []byte
	var flags uint32
	err = each(payload, attrService, func(kind uint16, v []byte) error {
		switch kind {
		case svcFamily:
			return get(&family, v)
		case svcProtocol:
			return get(&proto, v)
		case svcAddr:
			addr = v
		case svcPort:
			return getPort(&port, v)
		case svcMark:
			return get(&s.mark, v)
		case svcSched:
			name, _, _ := bytes.Cut(v, []byte{0})
			s.scheduler = string(name)
		case svcFlags: // {flags, mask}
			return get(&flags, v[:min(len(v), 4)])
		case svcStats64:
			return getConnections(&s.connections, v)
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("service: %w", err)
	}
	if flags &^= flagHashed; flags != 0 {
		s.scheduler += fmt.Sprintf("+flags=%#x", flags)
	}
	if s.mark != 0 {
		return s, nil
	}
	a, err := decodeAddr(family, addr)
	if err != nil {
		return s, fmt.Errorf("service: %w", err)
	}
	s.key = lvs.Key{Protocol: nameOf(protocols, proto, "protocol-"), Addr: netip.AddrPortFrom(a, port)}
	return s, nil
}

// decodeDestination reads one answer of cmdGetDest.
func decodeDestination(payload []byte) (d destination, err error) {
	var family, port uint16
	var method, weight uint32
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
		case dstActive:
			return getCount(&d.active, v)
		case dstInactive:
			return getCount(&d.inactive, v)
		case dstStats64:
			return getConnections(&d.connections, v)
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
	d.addr = netip.AddrPortFrom(a, port)
	d.forward = nameOf(forwards, method&forwardMask, "method-")
	d.weight = int(int32(weight))
	return d, nil
}
