package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"quorate/lvs/conntrack"
)

const (
	tcpEstablished  = 3 // TCP_CONNTRACK_ESTABLISHED (linux/netfilter/nf_conntrack_tcp.h)
	sctpEstablished = 4 // SCTP_CONNTRACK_ESTABLISHED (linux/netfilter/nf_conntrack_sctp.h)
)

// flow is a tracked connection whose destination has been translated.
type flow struct {
	proto  byte
	vip    netip.AddrPort // that the client has asked for
	server netip.AddrPort // that answers
}

// tracked is a connection as the kernel lists it.
type tracked conntrack.Flow

func (t tracked) flow() flow {
	return flow{proto: t.Orig.Protocol, vip: t.Orig.Dst, server: t.Reply.Src}
}

// translated reports whether somebody has rewritten the destination.
func (t tracked) translated() bool { return t.Status&conntrack.DstNAT != 0 }

// active reports whether it is open, of a protocol that knows.
func (t tracked) active() bool {
	switch t.Orig.Protocol {
	case unix.IPPROTO_TCP:
		return t.State == tcpEstablished
	case unix.IPPROTO_SCTP:
		return t.State == sctpEstablished
	}
	return false
}

// dump is a list of the tracked connections, which the kernel gives as it is read. It is of the network namespace of the thread that has
// asked for it, whichever reads it.
type dump struct {
	fd  int
	buf []byte
}

func newDump() (*dump, error) { return dumpOf(nil) }

// dumpOf is a list of those connections that the attributes of the request ask for. An old kernel ignores what it does not know, and lists them all.
func dumpOf(attrs []byte) (*dump, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	m := make([]byte, unix.NLMSG_HDRLEN+4, unix.NLMSG_HDRLEN+4+len(attrs))
	m = append(m, attrs...)
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], conntrack.Get)
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
		case conntrack.New:
			t, err := conntrack.Decode(data)
			if err != nil {
				return false, fmt.Errorf("a tracked connection: %w", err)
			}
			f(tracked(t))
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return false, nil
}
