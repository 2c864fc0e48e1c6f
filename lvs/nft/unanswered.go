package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"quorate/lvs/conntrack"
	"quorate/lvs/suspect"
)

const (
	tcpSynSent = 1 // TCP_CONNTRACK_SYN_SENT (linux/netfilter/nf_conntrack_tcp.h): the server has said nothing
	tcpClose   = 8 // TCP_CONNTRACK_CLOSE: a reset came; older kernels leave a connection that it ends as it was
)

// Unanswered looks at the TCP connections whose destination somebody has rewritten and whose server has not answered, in the network namespace of the calling thread.
// The kernel walks its whole table, but lists those alone.
func Unanswered() (look suspect.Look, err error) {
	d, err := dumpOf(conntrack.OfStatus(conntrack.DstNAT, conntrack.DstNAT|conntrack.SeenReply))
	if err != nil {
		return look, err
	}
	defer d.close()
	for done := false; !done && err == nil && !look.Part; {
		done, err = d.next(func(t tracked) {
			if t.mute() && t.State == tcpSynSent {
				look.Add(suspect.Connection{Client: t.Orig.Src, Virtual: t.Orig.Dst, Server: t.Reply.Src}, time.Duration(t.Timeout)*time.Second)
			}
		})
	}
	return look, err
}

// mute reports whether it is a connection of TCP to a server that has not said a word, but a reset perhaps.
func (t tracked) mute() bool {
	return t.translated() && t.Status&conntrack.SeenReply == 0 && t.Orig.Protocol == unix.IPPROTO_TCP
}

// Refusals hears of TCP connections that their server has refused. The kernel forgets such a connection at once (nf_conntrack_proto_tcp.c,
// nf_conntrack_tcp_packet), so that no list has it; it tells who listens. A filter in the kernel lets nothing else through to this socket: of the connections that end
// as they should the kernel writes a message each, which nobody reads.
type Refusals struct {
	fd  int
	buf []byte
}

// groupDestroy is the group of the events of connections that have ended (NFNLGRP_CONNTRACK_DESTROY).
const groupDestroy = 3

// OpenRefusals listens in the network namespace of the calling thread. Connections that the kernel knew before may not be told of.
func OpenRefusals() (*Refusals, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	r := &Refusals{fd: fd, buf: make([]byte, 16<<10)}
	err = filterNoReply(fd)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, groupDestroy)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("events of connection tracking: %w", err), r.Close())
	}
	return r, nil
}

// filterNoReply lets only connections through whose destination is rewritten and that never had a reply.
func filterNoReply(fd int) error {
	const attrs = unix.NLMSG_HDRLEN + 4 // behind struct nfgenmsg
	raw, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadConstant{Dst: bpf.RegX, Val: conntrack.StatusAttribute},
		bpf.LoadConstant{Dst: bpf.RegA, Val: attrs},
		bpf.LoadExtension{Num: bpf.ExtNetlinkAttr}, // A = where the attribute begins
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 4},
		bpf.TAX{},
		bpf.LoadIndirect{Off: unix.NLA_HDRLEN, Size: 4},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: conntrack.DstNAT | conntrack.SeenReply},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: conntrack.DstNAT, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 1 << 16},
	})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, p := range raw {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// maxRefusals bounds how many messages one Next reads: who is refused more often is heard of in the next one.
const maxRefusals = 1 << 12

// Next names the servers that have refused a connection since the last time. It does not wait.
func (r *Refusals) Next(refused func(server netip.AddrPort)) error {
	for range maxRefusals {
		n, _, err := unix.Recvfrom(r.fd, r.buf, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOBUFS): // what did not fit would have said the same
			continue
		case err != nil:
			return fmt.Errorf("events of connection tracking: %w", err)
		}
		if err := refusalsIn(r.buf[:n], refused); err != nil {
			return err
		}
	}
	return nil
}

// refusalsIn reads a datagram of the kernel's.
func refusalsIn(b []byte, refused func(server netip.AddrPort)) error {
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return errShort
		}
		if binary.NativeEndian.Uint16(b[4:]) == conntrack.Delete {
			f, err := conntrack.Decode(b[unix.NLMSG_HDRLEN:size])
			if err != nil {
				return fmt.Errorf("an event of connection tracking: %w", err)
			}
			// One that ended because its time was over has none left.
			if t := tracked(f); t.mute() && t.Timeout > 0 && (t.State == tcpClose || t.State == tcpSynSent) {
				refused(t.Reply.Src)
			}
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return nil
}

// Close ends it.
func (r *Refusals) Close() error { return unix.Close(r.fd) }
