package connsync

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Attributes of connection tracking (include/uapi/linux/netfilter/nfnetlink_conntrack.h). All numbers are in network byte order.
const (
	ctaTupleOrig  = 1
	ctaTupleReply = 2
	ctaStatus     = 3
	ctaProtoInfo  = 4
	ctaTimeout    = 7
	ctaNATDst     = 13

	ctaTupleIP    = 1
	ctaTupleProto = 2
	ctaIPv4Src    = 1
	ctaIPv4Dst    = 2
	ctaIPv6Src    = 3
	ctaIPv6Dst    = 4
	ctaProtoNum   = 1
	ctaSrcPort    = 2
	ctaDstPort    = 3

	ctaTCP           = 1
	ctaTCPState      = 1
	ctaTCPFlagsOrig  = 4
	ctaTCPFlagsReply = 5

	ctaNATv4Min   = 1
	ctaNATv4Max   = 2
	ctaNATProto   = 3
	ctaNATv6Min   = 4
	ctaNATv6Max   = 5
	ctaNATPortMin = 1
	ctaNATPortMax = 2
)

// Bits of a tracked connection's status (include/uapi/linux/netfilter/nf_conntrack_common.h), and the flags that a TCP window that was not
// seen from its beginning needs.
const (
	ipsSeenReply = 1 << 1
	ipsAssured   = 1 << 2
	ipsConfirmed = 1 << 3
	ipsSrcNAT    = 1 << 4
	ipsDstNAT    = 1 << 5

	tcpSackPerm = 0x02
	tcpLiberal  = 0x08
)

// TCP states by conntrack's number (nf_conntrack_tcp.h): NONE, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT,
// CLOSE, LISTEN.
var ctStates = [...]uint16{stateNone, stateSynSent, stateSynRecv, stateEstablished, stateFinWait, stateCloseWait, stateLastAck, stateTimeWait,
	stateClose, stateListen}

// ctState is the state as conntrack has it.
func ctState(ipvs uint16) byte {
	for i, s := range ctStates {
		if s == ipvs {
			return byte(i)
		}
	}
	return 3 // IPVS has SYNACK besides
}

// flow is one tracked connection.
type flow struct {
	orig, reply tuple
	status      uint32
	tcpState    uint8
	timeout     uint32
}

type tuple struct {
	protocol uint8
	src, dst netip.Addr
	from, to uint16 // ports
}

// conn is the flow as a message has it; ok is false unless it is one whose destination was translated, and nothing else.
func (f flow) conn() (c Conn, ok bool) {
	if f.status&ipsDstNAT == 0 || f.status&ipsSrcNAT != 0 || f.reply.dst != f.orig.src || f.reply.to != f.orig.from {
		return c, false
	}
	c = Conn{
		Protocol: f.orig.protocol, Timeout: max(1, f.timeout),
		Client:      netip.AddrPortFrom(f.orig.src, f.orig.from),
		Virtual:     netip.AddrPortFrom(f.orig.dst, f.orig.to),
		Destination: netip.AddrPortFrom(f.reply.src, f.reply.from),
	}
	if c.Protocol == unix.IPPROTO_TCP && int(f.tcpState) < len(ctStates) {
		c.State = ctStates[f.tcpState]
	}
	if c.Protocol != unix.IPPROTO_TCP || c.State != stateEstablished {
		c.Flags |= flagInactive
	}
	return c, f.orig.src.Is4() == f.reply.src.Is4()
}

var errAttribute = errors.New("a conntrack message is cut off")

// ctAttributes calls f for each attribute of a list.
func ctAttributes(b []byte, f func(kind uint16, v []byte) error) error {
	for len(b) > 0 {
		if len(b) < unix.SizeofNlAttr {
			return errAttribute
		}
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofNlAttr || size > len(b) {
			return errAttribute
		}
		kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		if err := f(kind, b[unix.SizeofNlAttr:size]); err != nil {
			return err
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return nil
}

// decodeFlow reads the payload of one message of conntrack, which starts with a struct nfgenmsg.
func decodeFlow(b []byte) (f flow, err error) {
	if len(b) < 4 {
		return f, errAttribute
	}
	err = ctAttributes(b[4:], func(kind uint16, v []byte) error {
		switch kind {
		case ctaTupleOrig:
			return f.orig.decode(v)
		case ctaTupleReply:
			return f.reply.decode(v)
		case ctaStatus:
			return ctNumber(&f.status, v)
		case ctaTimeout:
			return ctNumber(&f.timeout, v)
		case ctaProtoInfo:
			return ctAttributes(v, func(kind uint16, v []byte) error {
				if kind != ctaTCP {
					return nil
				}
				return ctAttributes(v, func(kind uint16, v []byte) error {
					if kind == ctaTCPState && len(v) == 1 {
						f.tcpState = v[0]
					}
					return nil
				})
			})
		}
		return nil
	})
	return f, err
}

func ctNumber(to *uint32, v []byte) error {
	if len(v) != 4 {
		return errAttribute
	}
	*to = binary.BigEndian.Uint32(v)
	return nil
}

func (t *tuple) decode(b []byte) error {
	return ctAttributes(b, func(kind uint16, v []byte) error {
		return ctAttributes(v, func(inner uint16, v []byte) error {
			switch {
			case kind == ctaTupleIP && (inner == ctaIPv4Src || inner == ctaIPv6Src):
				t.src, _ = netip.AddrFromSlice(v)
			case kind == ctaTupleIP && (inner == ctaIPv4Dst || inner == ctaIPv6Dst):
				t.dst, _ = netip.AddrFromSlice(v)
			case kind == ctaTupleProto && inner == ctaProtoNum && len(v) == 1:
				t.protocol = v[0]
			case kind == ctaTupleProto && inner == ctaSrcPort && len(v) == 2:
				t.from = binary.BigEndian.Uint16(v)
			case kind == ctaTupleProto && inner == ctaDstPort && len(v) == 2:
				t.to = binary.BigEndian.Uint16(v)
			}
			return nil
		})
	})
}

// ctNest appends an attribute that holds what inner appends.
func ctNest(b []byte, kind uint16, inner func([]byte) []byte) []byte {
	from := len(b)
	b = inner(append(b, 0, 0, 0, 0))
	binary.NativeEndian.PutUint16(b[from:], uint16(len(b)-from))
	binary.NativeEndian.PutUint16(b[from+2:], kind|unix.NLA_F_NESTED)
	return b
}

func ctAttr(b []byte, kind uint16, v ...byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(v)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, v...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func port(p uint16) []byte { return []byte{byte(p >> 8), byte(p)} }

func (t tuple) append(b []byte, kind uint16) []byte {
	src, dst := uint16(ctaIPv4Src), uint16(ctaIPv4Dst)
	if t.src.Is6() {
		src, dst = ctaIPv6Src, ctaIPv6Dst
	}
	return ctNest(b, kind, func(b []byte) []byte {
		b = ctNest(b, ctaTupleIP, func(b []byte) []byte {
			return ctAttr(ctAttr(b, src, t.src.AsSlice()...), dst, t.dst.AsSlice()...)
		})
		return ctNest(b, ctaTupleProto, func(b []byte) []byte {
			return ctAttr(ctAttr(ctAttr(b, ctaProtoNum, t.protocol), ctaSrcPort, port(t.from)...), ctaDstPort, port(t.to)...)
		})
	})
}

// appendFlow encodes a connection for the kernel. With create it has the tuples as they were before the translation, and the translation apart
// (nf_nat_core.c, nfnetlink_parse_nat_setup); a connection that is there is changed without either.
func appendFlow(b []byte, c Conn, create bool) []byte {
	family := byte(unix.AF_INET)
	if c.Client.Addr().Is6() {
		family = unix.AF_INET6
	}
	b = append(b, family, unix.NFNETLINK_V0, 0, 0)
	orig := tuple{c.Protocol, c.Client.Addr(), c.Virtual.Addr(), c.Client.Port(), c.Virtual.Port()}
	b = orig.append(b, ctaTupleOrig)
	if create {
		b = tuple{c.Protocol, orig.dst, orig.src, orig.to, orig.from}.append(b, ctaTupleReply)
		b = appendNAT(b, c.Destination)
	}
	status := uint32(ipsConfirmed | ipsSeenReply)
	if c.State == stateEstablished || c.Protocol != unix.IPPROTO_TCP {
		status |= ipsAssured
	}
	b = ctAttr(b, ctaStatus, binary.BigEndian.AppendUint32(nil, status)...)
	b = ctAttr(b, ctaTimeout, binary.BigEndian.AppendUint32(nil, c.Timeout)...)
	if c.Protocol != unix.IPPROTO_TCP {
		return b
	}
	return ctNest(b, ctaProtoInfo, func(b []byte) []byte {
		return ctNest(b, ctaTCP, func(b []byte) []byte {
			const flags = tcpSackPerm | tcpLiberal
			b = ctAttr(b, ctaTCPState, ctState(c.State))
			return ctAttr(ctAttr(b, ctaTCPFlagsOrig, flags, flags), ctaTCPFlagsReply, flags, flags)
		})
	})
}

func appendNAT(b []byte, to netip.AddrPort) []byte {
	low, high := uint16(ctaNATv4Min), uint16(ctaNATv4Max)
	if to.Addr().Is6() {
		low, high = ctaNATv6Min, ctaNATv6Max
	}
	a := to.Addr().AsSlice()
	return ctNest(b, ctaNATDst, func(b []byte) []byte {
		b = ctAttr(ctAttr(b, low, a...), high, a...)
		return ctNest(b, ctaNATProto, func(b []byte) []byte {
			return ctAttr(ctAttr(b, ctaNATPortMin, port(to.Port())...), ctaNATPortMax, port(to.Port())...)
		})
	})
}
