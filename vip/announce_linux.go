package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

const (
	// sendWait bounds how long one frame may wait for room in the link's queue.
	sendWait = 50 * time.Millisecond
	// portAge is how long a link's index and MAC are believed; looking them up for each frame would cost more than the
	// frame.
	portAge = time.Second
)

// Frames announces with frames of its own making over AF_PACKET sockets, one per link. It needs NET_RAW. Its methods may be
// called from several goroutines.
type Frames struct {
	in func(func() error) error // runs a function in the network namespace of the links

	mu    sync.Mutex
	ports map[string]*port
}

// port is the way out of one link.
type port struct {
	conn  *packet.Conn
	index int
	mac   net.HardwareAddr
	at    time.Time
}

// NewAnnouncer returns an Announcer for the links of this process's network namespace. Nothing is opened before the first
// frame, so a missing NET_RAW shows as the error of Announce; see also [Preflight].
func NewAnnouncer() *Frames { return newAnnouncer(here) }

func newAnnouncer(in func(func() error) error) *Frames {
	return &Frames{in: in, ports: map[string]*port{}}
}

// here runs f where it is: in the network namespace of the process.
func here(f func() error) error { return f() }

// Announce implements [Announcer].
func (f *Frames) Announce(link string, addr netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.announce(link, addr)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) { // another link under the same name since it was looked up
		err = f.announce(link, addr)
	}
	return err
}

func (f *Frames) announce(link string, addr netip.Addr) error {
	p, err := f.port(link)
	if err != nil {
		return err
	}
	frame, to, err := announcement(p.mac, addr)
	if err != nil {
		return fmt.Errorf("%s on %s: %w", addr, link, err)
	}
	if err := p.conn.SetWriteDeadline(time.Now().Add(sendWait)); err != nil {
		f.drop(link)
		return fmt.Errorf("%s on %s: %w", addr, link, err)
	}
	if _, err := p.conn.WriteTo(frame, &packet.Addr{HardwareAddr: to}); err != nil {
		f.drop(link) // the link may be another one under the same name by now
		return fmt.Errorf("%s on %s: %w", addr, link, explain(err, link))
	}
	return nil
}

// Close closes the sockets; a later Announce opens them again.
func (f *Frames) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, p := range f.ports {
		errs = append(errs, p.conn.Close())
	}
	clear(f.ports)
	return errors.Join(errs...)
}

// port returns the way out of link, fresh enough to be believed.
func (f *Frames) port(link string) (*port, error) {
	p := f.ports[link]
	if p != nil && time.Since(p.at) < portAge {
		return p, nil
	}
	var links []net.Interface
	err := f.in(func() (err error) {
		links, err = net.Interfaces()
		return err
	})
	if err != nil {
		f.drop(link)
		return nil, fmt.Errorf("list the links, to announce on %s: %w", link, err)
	}
	f.keep(links)
	if p = f.ports[link]; p != nil {
		return p, nil
	}
	i := slices.IndexFunc(links, func(l net.Interface) bool { return l.Name == link })
	if i < 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoLink, link)
	}
	ifi := &links[i]
	if err := announceable(ifi); err != nil {
		return nil, err
	}
	p = &port{index: ifi.Index, mac: ifi.HardwareAddr, at: time.Now()}
	err = f.in(func() (err error) {
		// Protocol 0: the socket only sends. Bound to ARP or IPv6 it would get a copy of every such frame of a busy link.
		p.conn, err = packet.Listen(ifi, packet.Raw, 0, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open a packet socket on %s: %w", link, explain(err, link))
	}
	f.ports[link] = p
	return p, nil
}

// keep takes in how the links are: the ways out of those that are as they were are believed anew, and the others are closed, as where a link is gone, or another one under the same name.
func (f *Frames) keep(links []net.Interface) {
	byName := make(map[string]*net.Interface, len(links))
	for i := range links {
		byName[links[i].Name] = &links[i]
	}
	for name, p := range f.ports {
		l := byName[name]
		if l == nil || l.Index != p.index || announceable(l) != nil {
			f.drop(name)
			continue
		}
		p.mac, p.at = l.HardwareAddr, time.Now()
	}
}

// announceable says why nothing can be announced on a link.
func announceable(l *net.Interface) error {
	switch {
	case len(l.HardwareAddr) != 6 || l.Flags&net.FlagLoopback != 0:
		return fmt.Errorf("%w: %s", ErrNoNeighbours, l.Name)
	case l.Flags&net.FlagUp == 0:
		return fmt.Errorf("%w: %s: ip link set %[2]s up", ErrLinkDown, l.Name)
	}
	return nil
}

// drop closes the way out of link.
func (f *Frames) drop(link string) {
	if p := f.ports[link]; p != nil {
		p.conn.Close()
		delete(f.ports, link)
	}
}

// explain turns the kernel's error numbers into ours where they have a cure.
func explain(err error, link string) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: NET_ADMIN and NET_RAW are needed (%w): %s", ErrPermission, err, howToGrant)
	case errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: %s (%w)", ErrNoLink, link, err)
	case errors.Is(err, unix.ENETDOWN):
		return fmt.Errorf("%w: %s (%w): ip link set %[2]s up", ErrLinkDown, link, err)
	case errors.Is(err, unix.ENOBUFS):
		return fmt.Errorf("%w: %s dropped it: its queue is full, or the gate is closed because the lease has run out", err, link)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: IPv6 is switched off there: sysctl net.ipv6.conf.%s.disable_ipv6=0", err, link)
	}
	return err
}
