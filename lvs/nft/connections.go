package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// Attributes of a tracked connection (include/uapi/linux/netfilter/nfnetlink_conntrack.h). All numbers are in network byte order.
const (
	conntrackGet = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET
	conntrackNew = unix.NFNL_SUBSYS_CTNETLINK << 8   // IPCTNL_MSG_CT_NEW

	ctTupleOrig  = 1
	ctTupleReply = 2
	ctStatus     = 3
	ctProtoInfo  = 4
	ctTimeout    = 7

	tupleIP    = 1
	tupleProto = 2

	ipv4Source      = 1
	ipv4Destination = 2
	ipv6Source      = 3
	ipv6Destination = 4

	protoNumber      = 1
	protoSource      = 2
	protoDestination = 3

	protoInfoTCP  = 1
	protoInfoSCTP = 3
	stateOf       = 1 // CTA_PROTOINFO_TCP_STATE, CTA_PROTOINFO_SCTP_STATE

	statusReplied  = 1 << 1 // IPS_SEEN_REPLY
	statusAssured  = 1 << 2 // IPS_ASSURED
	statusBalanced = 1 << 5 // IPS_DST_NAT

	nfgenmsgLen     = 4
	conntrackBuffer = 1 << 16 // more than the kernel puts into one datagram of a dump
)

var (
	transports = map[uint8]string{unix.IPPROTO_TCP: lvs.TCP, unix.IPPROTO_UDP: lvs.UDP, unix.IPPROTO_SCTP: lvs.SCTP}
	// By number (include/uapi/linux/netfilter/nf_conntrack_tcp.h, nf_conntrack_sctp.h).
	tcpStates = []string{"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"}
	sctpState = []string{"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECEIVED", "SHUTDOWN_ACK_SENT",
		"HEARTBEAT_SENT", "HEARTBEAT_ACKED"}
)

// Connections lists the tracked connections whose destination somebody has rewritten, in the network namespace of the calling thread; which of them are of a
// service, [lvs.ConnectionsOf] tells. It reads as it goes, a datagram at a time, so that its memory does not grow with the table. It ends at the first error.
func Connections() iter.Seq2[lvs.Connection, error] {
	return func(yield func(lvs.Connection, error) bool) {
		fd, err := askConntrack()
		if err != nil {
			yield(lvs.Connection{}, fmt.Errorf("listing the tracked connections: %w", err))
			return
		}
		defer unix.Close(fd)
		buf := make([]byte, conntrackBuffer)
		for {
			n, _, err := unix.Recvfrom(fd, buf, unix.MSG_TRUNC)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err == nil && n > len(buf) {
				err = fmt.Errorf("a datagram of %d bytes", n)
			}
			more := true
			if err == nil {
				more, err = readConntrack(buf[:n], func(c lvs.Connection) bool { return yield(c, nil) })
			}
			if err != nil {
				yield(lvs.Connection{}, fmt.Errorf("listing the tracked connections: %w", err))
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// askConntrack opens a socket on which the kernel then answers with all that it tracks.
func askConntrack() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return 0, err
	}
	// The kernel answers inside the call that asks or reads; the limit is for the impossible.
	limit := unix.Timeval{Sec: 5}
	b := make([]byte, 0, unix.NLMSG_HDRLEN+nfgenmsgLen)
	b = binary.NativeEndian.AppendUint32(b, uint32(cap(b)))
	b = binary.NativeEndian.AppendUint16(b, conntrackGet)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b = append(b, 1, 0, 0, 0, 0, 0, 0, 0)                  // sequence, port: the kernel's
	b = append(b, unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0) // struct nfgenmsg
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	)
	if err == nil {
		err = unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

var errConntrack = errors.New("a truncated message")

// readConntrack gives the connections of one datagram to give. more is false after the last message, and when give has enough.
func readConntrack(b []byte, give func(lvs.Connection) bool) (more bool, err error) {
	for len(b) > 0 {
		if len(b) < unix.NLMSG_HDRLEN {
			return false, errConntrack
		}
		size, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, errConntrack
		}
		payload := b[unix.NLMSG_HDRLEN:size]
		switch kind {
		case unix.NLMSG_DONE:
			return false, nil
		case unix.NLMSG_ERROR:
			if len(payload) < 4 {
				return false, errConntrack
			}
			if errno := int32(binary.NativeEndian.Uint32(payload)); errno < 0 {
				return false, unix.Errno(-errno)
			}
		case conntrackNew:
			if len(payload) < nfgenmsgLen {
				return false, errConntrack
			}
			c, balanced, err := parseTracked(payload[nfgenmsgLen:])
			if err != nil {
				return false, err
			}
			if balanced && !give(c) {
				return false, nil
			}
		}
		b = b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return true, nil
}

// tuple is one direction of a tracked connection.
type tuple struct {
	protocol uint8
	from, to netip.Addr
	fromPort uint16
	toPort   uint16
}

// parseTracked reads the attributes of one tracked connection. balanced is false for those that nobody balances.
func parseTracked(b []byte) (c lvs.Connection, balanced bool, err error) {
	ad, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return c, false, err
	}
	ad.ByteOrder = binary.BigEndian
	var orig, reply tuple
	var status uint32
	state := -1
	for ad.Next() {
		switch ad.Type() {
		case ctTupleOrig:
			ad.Nested(orig.parse)
		case ctTupleReply:
			ad.Nested(reply.parse)
		case ctStatus:
			status = ad.Uint32()
		case ctTimeout:
			c.Expires = time.Duration(ad.Uint32()) * time.Second
		case ctProtoInfo:
			ad.Nested(func(nad *netlink.AttributeDecoder) error { return parseState(nad, &state) })
		}
	}
	if err := ad.Err(); err != nil {
		return c, false, err
	}
	if status&statusBalanced == 0 || transports[orig.protocol] == "" || !orig.from.IsValid() || !orig.to.IsValid() || !reply.from.IsValid() {
		return c, false, nil
	}
	c.Protocol = transports[orig.protocol]
	c.Client = netip.AddrPortFrom(orig.from, orig.fromPort)
	c.Virtual = netip.AddrPortFrom(orig.to, orig.toPort)
	c.Server = netip.AddrPortFrom(reply.from, reply.fromPort)
	c.State = stateText(orig.protocol, state, status)
	return c, true, nil
}

func (t *tuple) parse(ad *netlink.AttributeDecoder) error {
	ad.ByteOrder = binary.BigEndian
	for ad.Next() {
		switch ad.Type() {
		case tupleIP:
			ad.Nested(func(nad *netlink.AttributeDecoder) error {
				for nad.Next() {
					a, ok := netip.AddrFromSlice(nad.Bytes())
					if !ok {
						return fmt.Errorf("an address of %d bytes", nad.Len())
					}
					switch nad.Type() {
					case ipv4Source, ipv6Source:
						t.from = a
					case ipv4Destination, ipv6Destination:
						t.to = a
					}
				}
				return nad.Err()
			})
		case tupleProto:
			ad.Nested(func(nad *netlink.AttributeDecoder) error {
				nad.ByteOrder = binary.BigEndian
				for nad.Next() {
					switch nad.Type() {
					case protoNumber:
						t.protocol = nad.Uint8()
					case protoSource:
						t.fromPort = nad.Uint16()
					case protoDestination:
						t.toPort = nad.Uint16()
					}
				}
				return nad.Err()
			})
		}
	}
	return ad.Err()
}

func parseState(ad *netlink.AttributeDecoder, state *int) error {
	for ad.Next() {
		if t := ad.Type(); t != protoInfoTCP && t != protoInfoSCTP {
			continue
		}
		ad.Nested(func(nad *netlink.AttributeDecoder) error {
			for nad.Next() {
				if nad.Type() == stateOf {
					*state = int(nad.Uint8())
				}
			}
			return nad.Err()
		})
	}
	return ad.Err()
}

// stateText names a state as conntrack(8) does; a protocol without states is as far as its packets tell.
func stateText(protocol uint8, state int, status uint32) string {
	names := map[uint8][]string{unix.IPPROTO_TCP: tcpStates, unix.IPPROTO_SCTP: sctpState}[protocol]
	switch {
	case state >= 0 && state < len(names):
		return names[state]
	case state >= 0:
		return fmt.Sprintf("STATE-%d", state)
	case status&statusAssured != 0:
		return "ASSURED"
	case status&statusReplied != 0:
		return "REPLIED"
	default:
		return "UNREPLIED"
	}
}
