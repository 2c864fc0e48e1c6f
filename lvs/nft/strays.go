package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/conntrack"
)

// strays are the tracked connections of services with [lvs.Service.Ends] to servers that they do not have. They are ended when a server leaves, when such a service comes, and
// when the census finds some, which another director has told this one of for instance.
type strays struct {
	left []lvs.Service // of which none is left, canonical
}

// due reports whether there may be some: a server has left one of the services, or one of them has come.
func (s *strays) due(want []lvs.Service) bool {
	had := make(map[lvs.Key]lvs.Service, len(s.left))
	for _, l := range s.left {
		had[l.Key()] = l
	}
	for _, w := range want {
		l, known := had[w.Key()]
		if !known {
			return true
		}
		here := make(map[netip.AddrPort]bool, len(w.Destinations))
		for _, d := range w.Destinations {
			here[d.Addr] = true
		}
		for _, d := range l.Destinations {
			if !here[d.Addr] {
				return true
			}
		}
	}
	return false
}

// ending are those of the services whose connections end with their server.
func ending(services []lvs.Service) (out []lvs.Service) {
	for _, s := range services {
		if s.Ends {
			out = append(out, s)
		}
	}
	return out
}

// endStrays ends them, once the servers that have left get no new ones.
func (p *Plane) endStrays(services []lvs.Service) error {
	want := ending(services)
	suspected := p.census.suspects
	p.census.suspects = false
	if len(want) == 0 {
		p.strays.left = nil
		return nil
	}
	r := p.census.rosters(services)
	if !p.strays.due(want) && !(suspected && r.anyStray(p.census.last)) {
		return nil
	}
	p.strays.left = nil
	awaitPassing() // what was on its way to a server that has left is tracked from then on
	if err := r.end(); err != nil {
		return fmt.Errorf("ending the connections of servers that are gone: %w", err)
	}
	p.strays.left = want
	return nil
}

// rosters tell which services have which servers.
type rosters struct {
	of    map[lvs.Key]roster
	taken *lvs.MatchIndex
	by    []lvs.Key
}

// roster are the servers of a service.
type roster struct {
	ends  bool
	exact map[netip.AddrPort]bool
	any   map[netip.Addr]bool // those to whom clients come at the port that they have asked for
}

func (c *census) rosters(services []lvs.Service) *rosters {
	if c.taken == nil {
		c.takes(nil)
	}
	r := &rosters{of: make(map[lvs.Key]roster, len(services)), taken: c.taken, by: c.takenBy}
	for _, s := range services {
		have := roster{ends: s.Ends}
		if s.Ends {
			have.exact, have.any = make(map[netip.AddrPort]bool), make(map[netip.Addr]bool)
			for _, d := range s.Destinations {
				if have.exact[d.Addr] = true; d.Addr.Port() == 0 || s.Persistence.Timeout > 0 {
					have.any[d.Addr.Addr()] = true
				}
			}
		}
		r.of[s.Key()] = have
	}
	return r
}

// stray reports whether the connection is of a service that has not its server and whose connections end with it. A connection of a service whose packets others mark does not
// say so: it is none.
func (r *rosters) stray(f flow) bool {
	proto := transports[f.proto]
	key := lvs.Key{Protocol: proto, Addr: f.vip}
	if i, ok := r.taken.Find(proto, f.vip); ok {
		key = r.by[i] // the mark goes before the address
	} else if _, ok := r.of[key]; !ok {
		key.Addr = netip.AddrPortFrom(f.vip.Addr(), 0)
	}
	have := r.of[key]
	return have.ends && !have.exact[f.server] && !have.any[f.server.Addr()]
}

func (r *rosters) anyStray(flows map[flow]count) bool {
	for f := range flows {
		if r.stray(f) {
			return true
		}
	}
	return false
}

// end has the kernel forget the stray connections, as it lists them. The next packet of each is one that belongs to none: see DESIGN.md.
func (r *rosters) end() error {
	list, err := dumpOf(conntrack.OfStatus(conntrack.DstNAT, conntrack.DstNAT))
	if err != nil {
		return err
	}
	defer list.close()
	e, err := newEraser()
	if err != nil {
		return err
	}
	defer e.close()
	for done := false; !done && err == nil; {
		done, err = list.next(func(t tracked) {
			if t.translated() && t.Orig.Src.IsValid() && r.stray(t.flow()) {
				e.add(conntrack.Flow(t))
			}
		})
		err = errors.Join(err, e.flush())
	}
	return err
}

// eraser removes tracked connections, in the network namespace of the thread that has made it.
type eraser struct {
	fd  int
	buf []byte
}

func newEraser() (*eraser, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	return &eraser{fd: fd}, nil
}

func (e *eraser) close() { unix.Close(e.fd) }

// add is for the next flush.
func (e *eraser) add(f conntrack.Flow) {
	at := len(e.buf)
	e.buf = f.AppendDelete(append(e.buf, make([]byte, unix.NLMSG_HDRLEN)...))
	h := e.buf[at:]
	binary.NativeEndian.PutUint32(h, uint32(len(h)))
	binary.NativeEndian.PutUint16(h[4:], conntrack.Delete)
	binary.NativeEndian.PutUint16(h[6:], unix.NLM_F_REQUEST) // only what fails is answered
}

// flush has the kernel remove what was added; what has gone meanwhile is no error.
func (e *eraser) flush() error {
	if len(e.buf) == 0 {
		return nil
	}
	err := unix.Sendto(e.fd, e.buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	e.buf = e.buf[:0]
	if err != nil {
		return fmt.Errorf("removing tracked connections: %w", err)
	}
	answer := make([]byte, 16<<10)
	for {
		n, _, err := unix.Recvfrom(e.fd, answer, 0) // all has been done when it was sent
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return fmt.Errorf("removing tracked connections: %w", err)
		}
		if err := failure(answer[:n]); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("removing a tracked connection: %w", err)
		}
	}
}

// failure is what the kernel says in an answer, which is a message of its own for each request.
func failure(b []byte) error {
	if len(b) < unix.NLMSG_HDRLEN+4 || binary.NativeEndian.Uint16(b[4:]) != unix.NLMSG_ERROR {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(b[unix.NLMSG_HDRLEN:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// probeEnds says why tracked connections cannot be removed here, or nil: the kernel has to say that there is none to a server that nobody has.
func probeEnds() error {
	e, err := newEraser()
	if err != nil {
		return err
	}
	defer e.close()
	a := netip.MustParseAddrPort("192.0.2.1:1") // TEST-NET-1
	list, err := dumpOf(conntrack.OfStatus(conntrack.DstNAT, conntrack.DstNAT))
	if err != nil {
		return err
	}
	defer list.close()
	if _, err := list.next(func(tracked) {}); err != nil {
		return err
	}
	e.add(conntrack.Flow{Orig: conntrack.Tuple{Protocol: unix.IPPROTO_TCP, Src: a, Dst: a}})
	return e.flush()
}
