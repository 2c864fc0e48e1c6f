package vrrp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ConnOptions say what a [Conn] hears.
type ConnOptions struct {
	Link   string
	Family Family
	// VRIDs are the virtual routers whose adverts reach this process; nil is all. See [Conn.Only].
	VRIDs []VRID
	// Apart reads what comes from anybody but the hosts that [Conn.Only] names from a socket of its own: see [Conn.Rest].
	Apart bool
	// Groups are joined; nil is the family's own.
	Groups []netip.Addr
	// AH hears what is wrapped in the IP authentication header instead (IPv4), to name who does that. It is read as slowly as what [Conn.Rest] hears, and nothing is sent.
	AH bool
	// Log is told (Warn) when [Conn.Only] cannot keep adverts apart, and (Info) when it can again; nil is nobody.
	Log *slog.Logger
}

// Conn hears and sends VRRP on one link, for one family. It needs CAP_NET_RAW. Sending is safe for concurrent use, and beside one receiver; it never waits.
//
// What it sends has the IP header that the caller made: any source address, whether this host has it or not. It does not hear what it sends. A link that
// is deleted and made again needs a new Conn.
type Conn struct {
	*ear
	rest   *ear         // nil unless asked for
	begun  []netip.Addr // groups that it was opened with
	more   []netip.Addr // groups besides those
	link   string
	index  int
	log    *slog.Logger
	mixed  bool         // what counts and what does not is heard by one socket: see Only
	out    *os.File     // nil: it only hears
	frames *packet.Conn // sends what has another MAC than the link's; nil as out is
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
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Conn{link: o.Link, index: ifi.Index, log: o.Log, begun: o.Groups}
	c.ear, err = listen(o, ifi, theirs)
	if err == nil && o.Apart {
		c.rest, err = listen(o, ifi, others)
	}
	if err == nil && !o.AH {
		c.out, err = speak(o.Family, ifi)
	}
	if err == nil && !o.AH {
		c.frames, err = packet.Listen(ifi, packet.Raw, 0, nil) // protocol 0: it hears nothing
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("vrrp on %s: %w", o.Link, err), c.Close())
	}
	return c, nil
}

// sendBuffer is how much may wait in the kernel. What is sent to a peer that is not there waits until ARP gives up, which keeps up to 208 KiB for each, and what the
// socket has room for by default would be used up by one.
const sendBuffer = 4 << 20

// speak opens the socket that sends packets with their headers.
func speak(f Family, ifi *net.Interface) (*os.File, error) {
	return open(f, unix.IPPROTO_RAW, ifi, func(fd int) error {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil { // it needs CAP_NET_ADMIN
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
		}
		if f == IPv6 {
			return set(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0, unix.IPV6_MULTICAST_IF, ifi.Index)
		}
		return errors.Join(set(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi.Index)}))
	})
}

// open makes a raw socket on a link. The runtime does not wait for it: see [ear].
func open(f Family, protocol int, ifi *net.Interface, prepare func(fd int) error) (*os.File, error) {
	domain := unix.AF_INET
	if f == IPv6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("raw socket: %w (it needs CAP_NET_RAW: run as root, or give the service that capability)", err)
	}
	err = attach(fd, nobody())
	if err == nil {
		err = unix.BindToDevice(fd, ifi.Name)
	}
	if err == nil {
		err = prepare(fd)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("raw socket: %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "vrrp"), nil
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
	return member(fd, f, group, index, unix.IP_ADD_MEMBERSHIP, unix.IPV6_JOIN_GROUP)
}

// member changes whether a socket is a member of a group.
func member(fd int, f Family, group netip.Addr, index, option4, option6 int) error {
	if f == IPv6 {
		return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, option6, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)})
	}
	return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, option4, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(index)})
}

// nobody is the filter that passes nothing.
func nobody() []bpf.RawInstruction {
	raw, _ := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	return raw
}

func attach(fd int, raw []bpf.RawInstruction) error {
	program := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		program[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// Only changes whose adverts reach this process: those of some virtual routers, nil is all. hosts are whose adverts count; what others send is for [Conn.Rest],
// if there is one, and else is dropped. nil is everybody's. It is not for concurrent use.
//
// Where the kernel has no room to tell so many hosts apart, everybody's adverts are heard with those that count: to hear nobody would be worse. Where it has no room for so many virtual
// routers, those of all are, and whoever reads them knows which are its own.
func (c *Conn) Only(vrids []VRID, hosts []netip.Addr) error {
	hosts = distinct(c.family, hosts)
	var reason error
	if len(hosts) > maxHosts {
		reason = fmt.Errorf("%d addresses are more than a packet filter tells apart, %d: name fewer peers", len(hosts), maxHosts)
	}
	err := c.only(vrids, hosts)
	if errors.Is(err, unix.ENOMEM) {
		reason = fmt.Errorf("%d addresses and %d virtual routers are more than the kernel has room for in a packet filter: raise net.core.optmem_max (%w)", len(hosts), len(vrids), err)
		if err = c.only(vrids, nil); errors.Is(err, unix.ENOMEM) {
			err = c.only(nil, nil)
		}
	}
	if err != nil {
		return err
	}
	if mixed := reason != nil; mixed != c.mixed {
		c.mixed = mixed
		if mixed {
			c.log.Warn("adverts of strangers are heard with those that count, so a flood of them costs more", "reason", reason)
		} else {
			c.log.Info("adverts of strangers are heard apart again")
		}
	}
	return nil
}

// only changes the filters of all sockets that hear.
func (c *Conn) only(vrids []VRID, hosts []netip.Addr) error {
	err := c.filter(vrids, hosts)
	if c.rest != nil {
		err = errors.Join(err, c.rest.filter(vrids, hosts))
	}
	return err
}

// Join hears multicast groups besides those that it was opened with: these, and no others. It is not for concurrent use.
func (c *Conn) Join(groups []netip.Addr) error {
	var errs []error
	change := func(what string, list, but []netip.Addr, option4, option6 int) {
		for _, g := range list {
			if slices.Contains(but, g) || slices.Contains(c.begun, g) {
				continue
			}
			for _, e := range []*ear{c.ear, c.rest} {
				if e == nil {
					continue
				}
				if err := control(e.socket, func(fd int) error { return member(fd, c.family, g, c.index, option4, option6) }); err != nil {
					errs = append(errs, fmt.Errorf("vrrp on %s: %s %s: %w", c.link, what, g, err))
				}
			}
		}
	}
	change("leave", c.more, groups, unix.IP_DROP_MEMBERSHIP, unix.IPV6_LEAVE_GROUP)
	change("join", groups, c.more, unix.IP_ADD_MEMBERSHIP, unix.IPV6_JOIN_GROUP)
	c.more = slices.Clone(groups)
	return errors.Join(errs...)
}

// Rest hears what comes from other hosts than those that [Conn.Only] has named: nil unless [ConnOptions.Apart] was set. It reads no more than some hundred
// datagrams a second, and what is too much is dropped in the kernel; so a flood from anywhere neither takes the processor nor the place of what counts.
func (c *Conn) Rest() Wire {
	if c.rest == nil {
		return nil
	}
	return mute{c.rest}
}

// mute is an ear as a Wire: who is heard by it is answered by the Conn.
type mute struct{ *ear }

// Send implements [Wire]; nobody sends where the rest is heard.
func (mute) Send([]byte, netip.Addr) error { return errors.ErrUnsupported }

// SendFrom implements [Wire].
func (mute) SendFrom(net.HardwareAddr, []byte, netip.Addr) error { return errors.ErrUnsupported }

// Unread is how many datagrams were dropped since there was no room for them: they came faster than they are read.
func (c *Conn) Unread() uint64 {
	n := c.unread()
	if c.rest != nil {
		n += c.rest.unread()
	}
	return n
}

// Send sends a packet with its IP header, or says at once that the kernel does not take it: an advert that had to wait would be old when it is sent.
func (c *Conn) Send(packet []byte, to netip.Addr) error {
	if c.out == nil {
		return errors.ErrUnsupported
	}
	var at unix.Sockaddr
	if to.Is4() {
		at = &unix.SockaddrInet4{Addr: to.As4()}
	} else {
		at = &unix.SockaddrInet6{Addr: to.As16(), ZoneId: uint32(c.index)}
	}
	return c.sent(to, control(c.out, func(fd int) error { return unix.Sendto(fd, packet, unix.MSG_DONTWAIT, at) }))
}

// sent says of a packet why it was not sent.
func (c *Conn) sent(to netip.Addr, err error) error {
	switch {
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("vrrp on %s: send to %s: too much waits to be sent, so the link takes nothing, or peers are not there: %w", c.link, to, err)
	case err != nil:
		return fmt.Errorf("vrrp on %s: send to %s: %w", c.link, to, err)
	}
	return nil
}

// SendFrom sends a packet with its IP header from a MAC that need not be the link's, as a virtual router's adverts are to come from its virtual MAC (RFC 9568
// section 7.2). Unicast leaves from the link's own all the same: only the kernel knows the next hop. It is safe for concurrent use, as Send is.
func (c *Conn) SendFrom(mac net.HardwareAddr, p []byte, to netip.Addr) error {
	if !to.IsMulticast() {
		return c.Send(p, to)
	}
	if c.frames == nil {
		return errors.ErrUnsupported
	}
	group := groupMAC(to)
	at := &unix.SockaddrLinklayer{Ifindex: c.index, Halen: uint8(len(group))}
	copy(at.Addr[:], group[:])
	frame := appendFrame(make([]byte, 0, etherHeader+len(p)), mac, to, p)
	return c.sent(to, control(c.frames, func(fd int) error { return unix.Sendto(fd, frame, unix.MSG_DONTWAIT, at) }))
}

// Close closes the sockets.
func (c *Conn) Close() error {
	var errs []error
	for _, e := range []*ear{c.ear, c.rest} {
		if e != nil {
			errs = append(errs, e.close())
		}
	}
	if c.out != nil {
		errs = append(errs, c.out.Close())
	}
	if c.frames != nil {
		errs = append(errs, c.frames.Close())
	}
	return errors.Join(errs...)
}
