package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// burst questions leave together, with a pause after them, so that the answers to a thousand find room in a socket.
	burst      = 64
	burstPause = 2 * time.Millisecond
)

// Prober asks on the links of one network namespace. It keeps nothing between rounds, and several may go on at once. It
// needs NET_RAW.
type Prober struct {
	in func(func() error) error // runs a function in the network namespace of the links
}

// New returns a Prober for the links of this process's network namespace.
func New() *Prober { return &Prober{in: func(f func() error) error { return f() }} }

// Who asks once who answers for addr, and returns the MACs that did, each once; none when nobody does. It lasts as long as wait
// says.
func (p *Prober) Who(ctx context.Context, link string, addr netip.Addr, wait time.Duration) ([]MAC, error) {
	found, err := p.Ask(ctx, Question{Link: link, Addresses: []netip.Addr{addr}, Wait: wait})
	var macs []MAC
	for _, a := range found {
		macs = append(macs, a.MAC)
	}
	return macs, err
}

// Ask carries out one round and returns the answers in the order in which they came: each MAC once for each address, in no time
// longer than Wait. When ctx ends it ends too, with ctx's error. It may return answers and an error both: when one family
// could be asked and the other could not: see [Asked].
func (p *Prober) Ask(ctx context.Context, q Question) ([]Answer, error) {
	addrs := slices.DeleteFunc(slices.Clone(q.Addresses), func(a netip.Addr) bool { return !a.IsValid() || a.IsMulticast() || a.IsUnspecified() })
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	if len(addrs) > MaxAddresses {
		return nil, fmt.Errorf("probe on %s: %d addresses at once, at most %d are allowed", q.Link, len(addrs), MaxAddresses)
	}
	if len(addrs) == 0 {
		return nil, nil
	}
	r, err := p.open(q.Link, addrs)
	defer r.close()
	if len(r.sockets) == 0 {
		return nil, err
	}
	found, failed := r.run(ctx, addrs, min(q.Wait, MaxWait), q.Enough)
	if err != nil && failed != nil {
		return found, fmt.Errorf("%w; and %v", failed, err) // ErrNoSource would say that IPv4 was asked
	}
	return found, cmp.Or(failed, err)
}

// round is one Question under way.
type round struct {
	link    string
	mac     MAC
	source  netip.Addr // for IPv6
	sockets []socket
}

// socket asks and hears for one family.
type socket struct {
	conn *packet.Conn
	is4  bool
}

// open makes a socket for each family that is asked for. What it returns has to be closed, also with an error.
func (p *Prober) open(link string, addrs []netip.Addr) (*round, error) {
	r := &round{link: link}
	err := p.in(func() error {
		ifi, err := net.InterfaceByName(link)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrNoLink, link, err)
		}
		var ok bool
		if r.mac, ok = macOf(ifi.HardwareAddr); !ok || ifi.Flags&net.FlagLoopback != 0 {
			return fmt.Errorf("%w: %s is no Ethernet", ErrNoLink, link)
		}
		if ifi.Flags&net.FlagUp == 0 {
			return fmt.Errorf("%w: %s is down: ip link set %[2]s up", ErrNoLink, link)
		}
		v6 := slices.IndexFunc(addrs, netip.Addr.Is6)
		if v6 < 0 {
			v6 = len(addrs)
		}
		if err := r.listen(ifi, etherTypeARP, addrs[:v6], arpFilter); err != nil {
			return err
		}
		if v6 == len(addrs) {
			return nil
		}
		if r.source, ok = sourceOn(ifi, addrs[v6:]); !ok {
			return fmt.Errorf("%w on %s: sysctl net.ipv6.conf.%s.disable_ipv6=0, or give it an address", ErrNoSource, link, link)
		}
		return r.listen(ifi, etherTypeIPv6, addrs[v6:], naFilter)
	})
	return r, err
}

// listen opens the socket of one family, if it is asked for.
func (r *round) listen(ifi *net.Interface, etherType int, addrs []netip.Addr, filter func([]netip.Addr) ([]bpf.RawInstruction, error)) error {
	if len(addrs) == 0 {
		return nil
	}
	raw, err := filter(addrs)
	if err != nil {
		return err
	}
	conn, err := packet.Listen(ifi, packet.Raw, etherType, &packet.Config{Filter: raw})
	if errors.Is(err, unix.ENOMEM) { // the kernel has no room for so many addresses (net.core.optmem_max)
		if raw, err = filter(nil); err == nil {
			conn, err = packet.Listen(ifi, packet.Raw, etherType, &packet.Config{Filter: raw})
		}
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("probe on %s: NET_RAW is needed: %w", r.link, err)
	case err != nil:
		return fmt.Errorf("open a packet socket on %s: %w", r.link, err)
	}
	r.sockets = append(r.sockets, socket{conn, addrs[0].Is4()})
	return nil
}

// sourceOn is an address of this host in whose name can be asked: a link-local one, which is no VIP, else another that is not asked for. If
// that is a VIP which this host carries, asking in its name is a claim that it may make while it owns it; after that the gate drops it.
func sourceOn(ifi *net.Interface, asked []netip.Addr) (best netip.Addr, ok bool) {
	addrs, err := ifi.Addrs()
	if err != nil {
		return netip.Addr{}, false
	}
	for _, x := range addrs {
		n, is := x.(*net.IPNet)
		if !is {
			continue
		}
		a, _ := netip.AddrFromSlice(n.IP)
		if a.Unmap().Is4() || slices.Contains(asked, a) {
			continue
		}
		if !ok || a.IsLinkLocalUnicast() && !best.IsLinkLocalUnicast() {
			best, ok = a, true
		}
	}
	return best, ok
}

func (r *round) close() {
	for _, s := range r.sockets {
		s.conn.Close()
	}
}

// run asks, hears, and asks those again that were silent.
func (r *round) run(ctx context.Context, addrs []netip.Addr, wait time.Duration, enough func(Answer) bool) ([]Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	deadline := time.Now().Add(wait)
	heard := make(chan Answer, burst)
	readers := make(chan error, len(r.sockets))
	for _, s := range r.sockets {
		if err := s.conn.SetReadDeadline(deadline); err != nil {
			return nil, fmt.Errorf("probe on %s: %w", r.link, err)
		}
		go func() { readers <- r.read(ctx, s, heard) }()
	}
	sent := make(chan error, 1)
	go func() { sent <- r.send(ctx, addrs) }()

	found := newAnswers(addrs)
	again := time.NewTimer(wait / 2)
	defer again.Stop()
	var errs []error
	ended, sending, more := 0, true, false
	for done := false; !done; {
		select {
		case a := <-heard:
			if found.add(a) && enough != nil && enough(a) {
				done = true
			}
		case err := <-sent:
			errs, sending = append(errs, err), false
			if err != nil {
				done = true
			}
		case <-again.C:
			more = true
		case err := <-readers:
			errs = append(errs, err)
			ended++
			done = ended == len(r.sockets)
		case <-ctx.Done():
			errs, done = append(errs, ctx.Err()), true
		}
		if more && !sending {
			more = false
			if silent := found.silent(addrs); len(silent) > 0 {
				sending = true
				go func() { sent <- r.send(ctx, silent) }()
			}
		}
	}
	// Nothing of ours goes on after the return.
	cancel()
	for _, s := range r.sockets {
		_ = s.conn.SetDeadline(time.Now())
	}
	for ; ended < len(r.sockets); ended++ {
		errs = append(errs, <-readers)
	}
	if sending {
		<-sent
	}
	for { // what the readers had put in before the end
		select {
		case a := <-heard:
			found.add(a)
			continue
		default:
		}
		break
	}
	return found.list, errors.Join(errs...)
}

// send asks for each address for which there is a socket.
func (r *round) send(ctx context.Context, addrs []netip.Addr) error {
	n := 0
	for _, a := range addrs {
		i := slices.IndexFunc(r.sockets, func(s socket) bool { return s.is4 == a.Is4() })
		if i < 0 {
			continue
		}
		frame, to, err := question(r.mac, r.source, a)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", a, r.link, err)
		}
		if _, err := r.sockets[i].conn.WriteTo(frame, &packet.Addr{HardwareAddr: to[:]}); err != nil {
			return fmt.Errorf("ask for %s on %s: %w", a, r.link, err)
		}
		if n++; n%burst == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(burstPause):
			}
		}
	}
	return nil
}

// read hears until the deadline.
func (r *round) read(ctx context.Context, s socket, heard chan<- Answer) error {
	b := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFrom(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("hear answers on %s: %w", r.link, err)
		}
		c, ok := ParseClaim(b[:n])
		if !ok || c.MAC == r.mac { // a switch that sends our own frames back
			continue
		}
		select {
		case heard <- Answer{Claim: c, At: time.Now()}:
		case <-ctx.Done():
			return nil
		}
	}
}
