// Package conntrack writes and reads what Linux's connection tracking says of a connection: the message IPCTNL_MSG_CT_NEW, without the header of
// netlink. It opens no socket.
package conntrack

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"quorate/lvs/nlattr"
)

// The messages (linux/netfilter/nfnetlink_conntrack.h, IPCTNL_MSG_CT_*).
const (
	New    = unix.NFNL_SUBSYS_CTNETLINK << 8
	Get    = New | 1
	Delete = New | 2
)

// Bits of a connection's status (linux/netfilter/nf_conntrack_common.h, IPS_*).
const (
	SeenReply = 1 << 1
	Assured   = 1 << 2
	Confirmed = 1 << 3
	SrcNAT    = 1 << 4
	DstNAT    = 1 << 5
)

// Flags that a TCP window needs which was not seen from its beginning (linux/netfilter/nf_conntrack_tcp.h, IP_CT_TCP_FLAG_*).
const (
	sackPerm = 0x02
	liberal  = 0x08
)

// The attributes (linux/netfilter/nfnetlink_conntrack.h, CTA_*). All numbers are in network byte order.
const (
	tupleOrig  = 1
	tupleReply = 2
	ctaStatus  = 3
	protoInfo  = 4
	ctaTimeout = 7
	natDst     = 13
	statusMask = 26

	tupleIP    = 1
	tupleProto = 2
	ipv4Src    = 1
	ipv4Dst    = 2
	ipv6Src    = 3
	ipv6Dst    = 4
	protoNum   = 1
	srcPort    = 2
	dstPort    = 3

	infoTCP       = 1
	state         = 1 // of each protocol that has states
	tcpFlagsOrig  = 4
	tcpFlagsReply = 5

	natIPv4Min = 1
	natIPv4Max = 2
	natProto   = 3
	natIPv6Min = 4
	natIPv6Max = 5
	natPortMin = 1
	natPortMax = 2
)

// Flow is one tracked connection.
type Flow struct {
	Orig, Reply Tuple // the reply comes from the server, if the destination is translated
	Status      uint32
	Timeout     uint32 // seconds
	// State is the protocol's own (TCP_CONNTRACK_*, SCTP_CONNTRACK_*); 0 for a protocol that has none.
	State uint8
}

// Tuple is one direction of a connection.
type Tuple struct {
	Protocol uint8
	Src, Dst netip.AddrPort
}

// Decode reads a message, which begins with a struct nfgenmsg. The error is nlattr.ErrShort.
func Decode(b []byte) (f Flow, err error) {
	if len(b) < 4 {
		return f, nlattr.ErrShort
	}
	err = nlattr.Each(b[4:], func(kind uint16, v []byte) error {
		switch kind {
		case tupleOrig:
			return f.Orig.decode(v)
		case tupleReply:
			return f.Reply.decode(v)
		case ctaStatus:
			return number(&f.Status, v)
		case ctaTimeout:
			return number(&f.Timeout, v)
		case protoInfo:
			return nlattr.Each(v, func(_ uint16, v []byte) error {
				return nlattr.Each(v, func(kind uint16, v []byte) error {
					if kind == state && len(v) == 1 {
						f.State = v[0]
					}
					return nil
				})
			})
		}
		return nil
	})
	return f, err
}

func number(to *uint32, v []byte) error {
	if len(v) != 4 {
		return nlattr.ErrShort
	}
	*to = binary.BigEndian.Uint32(v)
	return nil
}

func (t *Tuple) decode(b []byte) error {
	var src, dst netip.Addr
	var from, to uint16
	err := nlattr.Each(b, func(part uint16, v []byte) error {
		if part != tupleIP && part != tupleProto { // a zone is no list
			return nil
		}
		return nlattr.Each(v, func(kind uint16, v []byte) error {
			switch {
			case part == tupleIP && (kind == ipv4Src || kind == ipv6Src):
				src, _ = netip.AddrFromSlice(v)
			case part == tupleIP && (kind == ipv4Dst || kind == ipv6Dst):
				dst, _ = netip.AddrFromSlice(v)
			case part == tupleProto && kind == protoNum && len(v) == 1:
				t.Protocol = v[0]
			case part == tupleProto && kind == srcPort && len(v) == 2:
				from = binary.BigEndian.Uint16(v)
			case part == tupleProto && kind == dstPort && len(v) == 2:
				to = binary.BigEndian.Uint16(v)
			}
			return nil
		})
	})
	t.Src, t.Dst = netip.AddrPortFrom(src, from), netip.AddrPortFrom(dst, to)
	return err
}

// StatusAttribute is the kind of the attribute that holds a connection's status, 32 bits.
const StatusAttribute = ctaStatus

// OfStatus are the attributes of a Get for the connections whose status has, of the bits in mask, those in bits and no others. Kernels before 5.18 do not know the
// mask and list all that have the bits, or all there are.
func OfStatus(bits, mask uint32) []byte {
	b := nlattr.Append(nil, ctaStatus, binary.BigEndian.AppendUint32(nil, bits)...)
	return nlattr.Append(b, statusMask, binary.BigEndian.AppendUint32(nil, mask)...)
}

// AppendNew appends the message by which the kernel makes the flow, with its destination translated to server: the tuples are those before the
// translation, which is told apart (nf_nat_core.c, nfnetlink_parse_nat_setup). The window of TCP is not known.
func (f Flow) AppendNew(b []byte, server netip.AddrPort) []byte {
	b = f.appendHead(b)
	b = f.Reply.append(b, tupleReply)
	return f.appendRest(appendNAT(b, server))
}

// AppendChange appends the message by which the kernel changes a flow that it has.
func (f Flow) AppendChange(b []byte) []byte { return f.appendRest(f.appendHead(b)) }

// AppendDelete appends the message by which the kernel forgets a flow.
func (f Flow) AppendDelete(b []byte) []byte { return f.appendHead(b) }

func (f Flow) appendHead(b []byte) []byte {
	family := byte(unix.AF_INET)
	if f.Orig.Src.Addr().Is6() {
		family = unix.AF_INET6
	}
	return f.Orig.append(append(b, family, unix.NFNETLINK_V0, 0, 0), tupleOrig)
}

func (f Flow) appendRest(b []byte) []byte {
	b = nlattr.Append(b, ctaStatus, binary.BigEndian.AppendUint32(nil, f.Status)...)
	b = nlattr.Append(b, ctaTimeout, binary.BigEndian.AppendUint32(nil, f.Timeout)...)
	if f.Orig.Protocol != unix.IPPROTO_TCP {
		return b
	}
	return nlattr.Nest(b, protoInfo, func(b []byte) []byte {
		return nlattr.Nest(b, infoTCP, func(b []byte) []byte {
			const flags = sackPerm | liberal
			b = nlattr.Append(b, state, f.State)
			return nlattr.Append(nlattr.Append(b, tcpFlagsOrig, flags, flags), tcpFlagsReply, flags, flags)
		})
	})
}

func (t Tuple) append(b []byte, kind uint16) []byte {
	src, dst := uint16(ipv4Src), uint16(ipv4Dst)
	if t.Src.Addr().Is6() {
		src, dst = ipv6Src, ipv6Dst
	}
	return nlattr.Nest(b, kind, func(b []byte) []byte {
		b = nlattr.Nest(b, tupleIP, func(b []byte) []byte {
			return nlattr.Append(nlattr.Append(b, src, t.Src.Addr().AsSlice()...), dst, t.Dst.Addr().AsSlice()...)
		})
		return nlattr.Nest(b, tupleProto, func(b []byte) []byte {
			b = nlattr.Append(b, protoNum, t.Protocol)
			return nlattr.Append(nlattr.Append(b, srcPort, port(t.Src)...), dstPort, port(t.Dst)...)
		})
	})
}

func appendNAT(b []byte, to netip.AddrPort) []byte {
	low, high := uint16(natIPv4Min), uint16(natIPv4Max)
	if to.Addr().Is6() {
		low, high = natIPv6Min, natIPv6Max
	}
	a := to.Addr().AsSlice()
	return nlattr.Nest(b, natDst, func(b []byte) []byte {
		b = nlattr.Append(nlattr.Append(b, low, a...), high, a...)
		return nlattr.Nest(b, natProto, func(b []byte) []byte {
			return nlattr.Append(nlattr.Append(b, natPortMin, port(to)...), natPortMax, port(to)...)
		})
	})
}

func port(a netip.AddrPort) []byte { return []byte{byte(a.Port() >> 8), byte(a.Port())} }
