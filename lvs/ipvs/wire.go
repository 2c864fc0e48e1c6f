package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/mdlayher/netlink"
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

// bigEndian stores a port, whose attribute is in network byte order, as bytes.
func bigEndian(port uint16) []byte { return binary.BigEndian.AppendUint16(nil, port) }

// putService encodes what identifies a service, and with scheduler != "" also what it is like.
func putService(ae *netlink.AttributeEncoder, s service) {
	ae.Nested(attrService, func(ae *netlink.AttributeEncoder) error {
		a := s.key.Addr.Addr()
		if s.mark != 0 {
			ae.Uint16(svcFamily, unix.AF_INET)
			ae.Uint32(svcMark, s.mark)
		} else {
			proto, ok := protocols[s.key.Protocol]
			if !ok {
				n, err := strconv.ParseUint(strings.TrimPrefix(s.key.Protocol, "protocol-"), 10, 16)
				if err != nil {
					return fmt.Errorf("protocol %q: %w", s.key.Protocol, err)
				}
				proto = uint16(n)
			}
			ae.Uint16(svcFamily, inetFamily(a))
			ae.Uint16(svcProtocol, proto)
			ae.Bytes(svcAddr, a.AsSlice())
			ae.Bytes(svcPort, bigEndian(s.key.Addr.Port()))
		}
		if s.scheduler == "" {
			return nil
		}
		netmask := uint32(0xffffffff)
		if a.Is6() {
			netmask = 128 // a prefix length there (ip_vs_ctl.c, ip_vs_add_service)
		}
		ae.String(svcSched, s.scheduler)
		ae.Bytes(svcFlags, binary.NativeEndian.AppendUint32(make([]byte, 4), 0xffffffff)) // {flags, mask}: none of all
		ae.Uint32(svcTimeout, 0)
		ae.Uint32(svcNetmask, netmask)
		return nil
	})
}

// putDestination encodes a destination; it has no connection limits.
func putDestination(ae *netlink.AttributeEncoder, forward string, d lvs.Destination) {
	ae.Nested(attrDest, func(ae *netlink.AttributeEncoder) error {
		ae.Uint16(dstFamily, inetFamily(d.Addr.Addr()))
		ae.Bytes(dstAddr, d.Addr.Addr().AsSlice())
		ae.Bytes(dstPort, bigEndian(d.Addr.Port()))
		ae.Uint32(dstForward, forwards[forward])
		ae.Uint32(dstWeight, uint32(d.Weight))
		ae.Uint32(dstUpper, 0)
		ae.Uint32(dstLower, 0)
		return nil
	})
}

var errTruncated = errors.New("truncated message")

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

func decodePort(b []byte) (uint16, error) {
	if len(b) != 2 {
		return 0, errTruncated
	}
	return binary.BigEndian.Uint16(b), nil
}

// attributes enters the nested attribute kind of a message's payload after the generic netlink header.
func attributes(payload []byte, kind uint16, f func(ad *netlink.AttributeDecoder) error) error {
	if len(payload) < 4 {
		return errTruncated
	}
	ad, err := netlink.NewAttributeDecoder(payload[4:])
	if err != nil {
		return err
	}
	found := false
	for ad.Next() {
		if ad.Type() == kind {
			found = true
			ad.Nested(func(n *netlink.AttributeDecoder) error {
				if err := f(n); err != nil {
					return err
				}
				return n.Err()
			})
		}
	}
	if err := ad.Err(); err != nil {
		return err
	}
	if !found {
		return errTruncated
	}
	return nil
}

// decodeService reads one answer of cmdGetService.
func decodeService(payload []byte) (s service, err error) {
	var family, proto, port uint16
	var addr []byte
	var flags uint32
	err = attributes(payload, attrService, func(ad *netlink.AttributeDecoder) (err error) {
		for ad.Next() {
			switch ad.Type() {
			case svcFamily:
				family = ad.Uint16()
			case svcProtocol:
				proto = ad.Uint16()
			case svcAddr:
				addr = ad.Bytes()
			case svcPort:
				port, err = decodePort(ad.Bytes())
			case svcMark:
				s.mark = ad.Uint32()
			case svcSched:
				s.scheduler = ad.String()
			case svcFlags:
				if b := ad.Bytes(); len(b) >= 4 {
					flags = binary.NativeEndian.Uint32(b)
				}
			case svcStats64:
				ad.Nested(decodeConnections(&s.connections))
			}
			if err != nil {
				return err
			}
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
	var addr []byte
	err = attributes(payload, attrDest, func(ad *netlink.AttributeDecoder) (err error) {
		for ad.Next() {
			switch ad.Type() {
			case dstFamily:
				family = ad.Uint16()
			case dstAddr:
				addr = ad.Bytes()
			case dstPort:
				port, err = decodePort(ad.Bytes())
			case dstForward:
				d.forward = nameOf(forwards, ad.Uint32()&forwardMask, "method-")
			case dstWeight:
				d.weight = int(int32(ad.Uint32()))
			case dstActive:
				d.active = int(ad.Uint32())
			case dstInactive:
				d.inactive = int(ad.Uint32())
			case dstStats64:
				ad.Nested(decodeConnections(&d.connections))
			}
			if err != nil {
				return err
			}
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
	return d, nil
}

func decodeConnections(to *uint64) func(*netlink.AttributeDecoder) error {
	return func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			if ad.Type() == statsConns {
				*to = ad.Uint64()
			}
		}
		return nil
	}
}
