package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Messages and attributes of connection tracking (linux/netfilter/nfnetlink_conntrack.h). Numbers are in network byte order.
const (
	ctGet = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET
	ctNew = unix.NFNL_SUBSYS_CTNETLINK << 8   // IPCTNL_MSG_CT_NEW

	ctaTupleOrig, ctaTupleReply, ctaStatus, ctaProtoInfo, ctaTimeout = 1, 2, 3, 4, 7

	ctaTupleIP, ctaTupleProto                      = 1, 2
	ctaIPv4Src, ctaIPv4Dst, ctaIPv6Src, ctaIPv6Dst = 1, 2, 3, 4
	ctaProtoNum, ctaProtoSrcPort, ctaProtoDstPort  = 1, 2, 3
	ctaProtoInfoTCP, ctaProtoInfoSCTP, ctaState    = 1, 3, 1

	statusReplied   = 1 << 1 // IPS_SEEN_REPLY (linux/netfilter/nf_conntrack_common.h)
	statusAssured   = 1 << 2 // IPS_ASSURED
	statusDNAT      = 1 << 5 // IPS_DST_NAT
	tcpEstablished  = 3      // TCP_CONNTRACK_ESTABLISHED
	sctpEstablished = 4      // SCTP_CONNTRACK_ESTABLISHED
)

// flow is a tracked connection whose destination has been translated.
type flow struct {
	proto  byte
	vip    netip.AddrPort // that the client has asked for
	server netip.AddrPort // that answers
}

// tracked is a flow as the kernel lists it.
type tracked struct {
	flow
	dnat, active bool
	client       netip.AddrPort
	status       uint32
	state        byte   // of its protocol's
	timeout      uint32 // seconds
}

var errAttribute = errors.New("an attribute is cut short")

// attributes calls f for each attribute in b.
func attributes(b []byte, f func(kind uint16, value []byte) error) error {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return errAttribute
		}
		if err := f(binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[4:n]); err != nil {
			return err
		}
		b = b[min(len(b), (n+3)&^3):]
	}
	return nil
}

// parseTracked decodes one IPCTNL_MSG_CT_NEW message: struct nfgenmsg, then attributes.
func parseTracked(data []byte) (t tracked, err error) {
	if len(data) < 4 {
		return t, errShort
	}
	err = attributes(data[4:], func(kind uint16, v []byte) error {
		switch kind {
		case ctaTupleOrig:
			src, dst, proto, err := parseTuple(v)
			t.client, t.vip, t.proto = src, dst, proto
			return err
		case ctaTupleReply:
			src, _, _, err := parseTuple(v)
			t.server = src
			return err
		case ctaStatus:
			if len(v) != 4 {
				return errAttribute
			}
			t.status = binary.BigEndian.Uint32(v)
			t.dnat = t.status&statusDNAT != 0
		case ctaTimeout:
			if len(v) != 4 {
				return errAttribute
			}
			t.timeout = binary.BigEndian.Uint32(v)
		case ctaProtoInfo:
			return attributes(v, func(kind uint16, v []byte) error {
				return attributes(v, func(state uint16, v []byte) error {
					if state == ctaState && len(v) == 1 {
						t.state = v[0]
						t.active = kind == ctaProtoInfoTCP && v[0] == tcpEstablished || kind == ctaProtoInfoSCTP && v[0] == sctpEstablished
					}
					return nil
				})
			})
		}
		return nil
	})
	return t, err
}

func parseTuple(b []byte) (src, dst netip.AddrPort, proto byte, err error) {
	var from, to netip.Addr
	var sport, dport uint16
	err = attributes(b, func(part uint16, v []byte) error {
		return attributes(v, func(kind uint16, v []byte) error {
			switch {
			case part == ctaTupleIP && (kind == ctaIPv4Src || kind == ctaIPv6Src):
				from, _ = netip.AddrFromSlice(v)
			case part == ctaTupleIP && (kind == ctaIPv4Dst || kind == ctaIPv6Dst):
				to, _ = netip.AddrFromSlice(v)
			case part == ctaTupleProto && kind == ctaProtoNum && len(v) == 1:
				proto = v[0]
			case part == ctaTupleProto && kind == ctaProtoSrcPort && len(v) == 2:
				sport = binary.BigEndian.Uint16(v)
			case part == ctaTupleProto && kind == ctaProtoDstPort && len(v) == 2:
				dport = binary.BigEndian.Uint16(v)
			}
			return nil
		})
	})
	return netip.AddrPortFrom(from, sport), netip.AddrPortFrom(to, dport), proto, err
}

// dump is a list of the tracked connections, which the kernel gives as it is read. It is of the network namespace of the thread that has
// asked for it, whichever reads it.
type dump struct {
	fd  int
	buf []byte
}

func newDump() (*dump, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	m := make([]byte, unix.NLMSG_HDRLEN+4)
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], ctGet)
	binary.NativeEndian.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("asking for the tracked connections: %w", err)
	}
	return &dump{fd: fd, buf: make([]byte, 64<<10)}, nil
}

func (d *dump) close() { unix.Close(d.fd) }

// next reads what the kernel gives at a time, some hundred connections, and reports whether it was the last.
func (d *dump) next(f func(tracked)) (done bool, err error) {
	n, _, err := unix.Recvfrom(d.fd, d.buf, unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("listing the tracked connections: %w", err)
	}
	for b := d.buf[:n]; len(b) >= unix.NLMSG_HDRLEN; {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, errShort
		}
		data := b[unix.NLMSG_HDRLEN:size]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(data) < 4 {
				return false, errShort
			}
			return false, fmt.Errorf("listing the tracked connections: %w", unix.Errno(-int32(binary.NativeEndian.Uint32(data))))
		case ctNew:
			t, err := parseTracked(data)
			if err != nil {
				return false, fmt.Errorf("a tracked connection: %w", err)
			}
			f(t)
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return false, nil
}
