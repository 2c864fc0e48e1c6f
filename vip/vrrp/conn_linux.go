package vrrp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// batchLen is how many datagrams are read in one system call.
const batchLen = 32

// ConnOptions say what a [Conn] hears.
type ConnOptions struct {
	Link   string
	Family Family
	// VRIDs are the virtual routers whose adverts reach this process; nil is all. See [Conn.Only].
	VRIDs []VRID
	// Groups are joined; nil is the family's own.
	Groups []netip.Addr
	// AH hears what is wrapped in the IP authentication header instead (IPv4), to name who does that.
	AH bool
}

// Conn hears and sends VRRP on one link, for one family. It needs CAP_NET_RAW. Sending is safe for concurrent use, and beside one receiver.
//
// What it sends has the IP header that the caller made: any source address, whether this host has it or not. It does not hear what it sends. A link that
// is deleted and made again needs a new Conn.
type Conn struct {
	family   Family
	ah       bool
	link     string
	in       net.PacketConn
	out      net.PacketConn
	batch4   *ipv4.PacketConn
	batch6   *ipv6.PacketConn
	messages []ipv4.Message // ipv6.Message is the same type
	heard    []Datagram
}

// Open opens the sockets, in the network namespace of the calling thread.
func Open(o ConnOptions) (*Conn, error) {
	ifi, err := net.InterfaceByName(o.Link)
	if err != nil {
		return nil, fmt.Errorf("vrrp on %s: %w", o.Link, err)
	}
	if o.AH && o.Family != IPv4 {
		return nil, fmt.Errorf("vrrp on %s: the authentication header is heard over IPv4 only", o.Link)
	}
	if o.Groups == nil {
		o.Groups = []netip.Addr{o.Family.Group()}
	}
	c := &Conn{family: o.Family, ah: o.AH, link: o.Link, heard: make([]Datagram, 0, batchLen), messages: make([]ipv4.Message, batchLen)}
	if c.in, err = listen(o, ifi); err == nil {
		c.out, err = speak(o.Family, ifi)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("vrrp on %s: %w", o.Link, err), c.Close())
	}
	oob := 0
	if o.Family == IPv6 {
		c.batch6 = ipv6.NewPacketConn(c.in)
		oob = len(ipv6.NewControlMessage(ipv6.FlagHopLimit | ipv6.FlagDst))
	} else {
		c.batch4 = ipv4.NewPacketConn(c.in)
	}
	for i := range c.messages {
		c.messages[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 2048)}, OOB: make([]byte, oob)}
	}
	return c, nil
}

// listen opens the socket that hears. Nothing gets in before it is bound to its link.
func listen(o ConnOptions, ifi *net.Interface) (net.PacketConn, error) {
	raw, err := filter(o.Family, o.AH, o.VRIDs)
	if err != nil {
		return nil, err
	}
	protocol := Protocol
	if o.AH {
		protocol = protocolAH
	}
	return open(o.Family, protocol, ifi, func(fd int) error {
		for _, g := range o.Groups {
			if err := join(fd, o.Family, g, ifi.Index); err != nil {
				return fmt.Errorf("join %s: %w", g, err)
			}
		}
		if o.Family == IPv6 {
			if err := set(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0, unix.IPV6_RECVHOPLIMIT, 1, unix.IPV6_RECVPKTINFO, 1); err != nil {
				return err
			}
		} else if err := set(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0); err != nil {
			return err
		}
		return attach(fd, raw)
	})
}

// speak opens the socket that sends packets with their headers.
func speak(f Family, ifi *net.Interface) (net.PacketConn, error) {
	return open(f, unix.IPPROTO_RAW, ifi, func(fd int) error {
		if f == IPv6 {
			return set(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0, unix.IPV6_MULTICAST_IF, ifi.Index)
		}
		return errors.Join(set(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi.Index)}))
	})
}

// open makes a raw socket on a link that the runtime can wait for.
func open(f Family, protocol int, ifi *net.Interface, prepare func(fd int) error) (net.PacketConn, error) {
	domain := unix.AF_INET
	if f == IPv6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("raw socket: %w (it needs CAP_NET_RAW: run as root, or give the service that capability)", err)
	}
	file := os.NewFile(uintptr(fd), "vrrp")
	defer file.Close() // FilePacketConn has its own copy
	none, _ := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	err = attach(fd, none)
	if err == nil {
		err = unix.BindToDevice(fd, ifi.Name)
	}
	if err == nil {
		err = prepare(fd)
	}
	if err != nil {
		return nil, fmt.Errorf("raw socket: %w", err)
	}
	return net.FilePacketConn(file)
}

// set sets options of one level, given as pairs.
func set(fd, level int, pairs ...int) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := unix.SetsockoptInt(fd, level, pairs[i], pairs[i+1]); err != nil {
			return fmt.Errorf("socket option %d/%d: %w", level, pairs[i], err)
		}
	}
	return nil
}

func join(fd int, f Family, group netip.Addr, index int) error {
	if f == IPv6 {
		return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)})
	}
	return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(index)})
}

func attach(fd int, raw []bpf.RawInstruction) error {
	program := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		program[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// Only changes whose adverts reach this process; nil is all.
func (c *Conn) Only(vrids []VRID) error {
	raw, err := filter(c.family, c.ah, vrids)
	if err != nil {
		return err
	}
	if c.batch6 != nil {
		return c.batch6.SetBPF(raw)
	}
	return c.batch4.SetBPF(raw)
}

// Receive waits for datagrams and returns what has come, up to 32. They are valid until the next Receive. What is no VRRP at all is left out, so that there may be
// none. It ends with os.ErrDeadlineExceeded at the time that SetReadDeadline has set.
func (c *Conn) Receive() ([]Datagram, error) {
	var n int
	var err error
	if c.batch6 != nil {
		n, err = c.batch6.ReadBatch(c.messages, 0)
	} else {
		n, err = c.batch4.ReadBatch(c.messages, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("vrrp on %s: %w", c.link, err)
	}
	c.heard = c.heard[:0]
	for i := range c.messages[:n] {
		m := &c.messages[i]
		b := m.Buffers[0][:m.N]
		if c.family == IPv4 {
			if d, r := ParseIPv4(b); r == Accepted {
				c.heard = append(c.heard, d)
			}
			continue
		}
		var cm ipv6.ControlMessage
		from, ok := m.Addr.(*net.IPAddr)
		if !ok || cm.Parse(m.OOB[:m.NN]) != nil {
			continue
		}
		source, _ := netip.AddrFromSlice(from.IP)
		destination, _ := netip.AddrFromSlice(cm.Dst)
		if FamilyOf(source) == IPv6 && FamilyOf(destination) == IPv6 {
			c.heard = append(c.heard, Datagram{Source: source, Destination: destination, TTL: uint8(cm.HopLimit), Payload: b})
		}
	}
	return c.heard, nil
}

// Send sends a packet with its IP header.
func (c *Conn) Send(packet []byte, to netip.Addr) error {
	// A link-local address needs no zone: the socket is bound to the link.
	if _, err := c.out.WriteTo(packet, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return fmt.Errorf("vrrp on %s: %w", c.link, err)
	}
	return nil
}

// SetReadDeadline makes Receive end, the one that waits too.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.in.SetReadDeadline(t) }

// Close closes the sockets.
func (c *Conn) Close() error {
	var errs []error
	for _, p := range []net.PacketConn{c.in, c.out} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}
