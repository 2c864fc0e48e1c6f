package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
)

// Watch is a bystander on the network that asks, at a fixed interval, who owns some addresses, and writes down every
// hardware address that says “I do”, asked (ARP reply, neighbour advertisement) or unasked (gratuitous ARP, unsolicited
// advertisement). It sees two owners of one address where any host would: on the wire.
type Watch struct {
	Interval time.Duration

	lab   *Lab
	host  *Host
	addrs []netip.Addr
	arp   *packet.Conn
	ipv6  *packet.Conn
	stop  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup

	mu     sync.Mutex
	claims map[netip.Addr][]Claim
}

// Claim is one frame in which a host said that it owns an address.
type Claim struct {
	At      Instant
	Host    string // the name of the host with that hardware address, or the address itself
	Unasked bool
}

// StartWatch asks from the host for each of the addresses, every interval, until Stop or the end of the lab.
func (h *Host) StartWatch(interval time.Duration, addrs ...netip.Addr) (*Watch, error) {
	w := &Watch{
		Interval: interval, lab: h.lab, host: h, addrs: slices.Clone(addrs),
		stop: make(chan struct{}), claims: map[netip.Addr][]Claim{},
	}
	if err := h.Do(w.open); err != nil {
		return nil, fmt.Errorf("watch from %s: %w", h.Name, err)
	}
	h.lab.onClose(w)
	w.wg.Go(func() { w.receive(w.arp, parseARP) })
	w.wg.Go(func() { w.receive(w.ipv6, parseNDP) })
	w.wg.Go(w.ask)
	return w, nil
}

func (w *Watch) open() error {
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	if w.arp, err = packet.Listen(eth0, packet.Raw, int(ethernet.EtherTypeARP), nil); err != nil {
		return err
	}
	if w.ipv6, err = packet.Listen(eth0, packet.Raw, int(ethernet.EtherTypeIPv6), nil); err != nil {
		return errors.Join(err, w.arp.Close())
	}
	return nil
}

// Close stops the watch. What it saw stays readable.
func (w *Watch) Close() error {
	var err error
	w.once.Do(func() {
		close(w.stop)
		err = errors.Join(w.arp.Close(), w.ipv6.Close())
		w.wg.Wait()
	})
	return err
}

// ask sends one question per address and interval. A question that cannot be sent is one that nobody answers.
func (w *Watch) ask() {
	tick := time.NewTicker(w.Interval)
	defer tick.Stop()
	for {
		for _, a := range w.addrs {
			frame, err := question(w.host, a)
			if err == nil {
				_, _ = w.socket(a).WriteTo(frame, &packet.Addr{HardwareAddr: ethernet.Broadcast}) // the frame has its own
			}
		}
		select {
		case <-tick.C:
		case <-w.stop:
			return
		}
	}
}

func (w *Watch) socket(a netip.Addr) *packet.Conn {
	if a.Is4() {
		return w.arp
	}
	return w.ipv6
}

func (w *Watch) receive(conn *packet.Conn, parse func([]byte) (claim, bool)) {
	buf := make([]byte, 1<<16)
	for {
		n, _, err := conn.ReadFrom(buf)
		at := Now()
		if closed(w.stop) {
			return
		}
		if err != nil {
			continue
		}
		if c, ok := parse(buf[:n]); ok {
			w.add(at, c)
		}
	}
}

func (w *Watch) add(at Instant, c claim) {
	if !slices.Contains(w.addrs, c.addr) {
		return
	}
	entry := Claim{At: at, Host: w.lab.HostWithMAC(c.mac.String()), Unasked: c.unasked}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.claims[c.addr] = append(w.claims[c.addr], entry)
}

// Claims of an address, in the order in which they were seen.
func (w *Watch) Claims(a netip.Addr) []Claim { return w.ClaimsSince(a, 0) }

// ClaimsSince are the claims seen at or after t. It costs what is returned, however long the watch has lasted.
func (w *Watch) ClaimsSince(a netip.Addr, t Instant) []Claim {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.claims[a]
	first := len(all)
	for first > 0 && all[first-1].At >= t {
		first--
	}
	return slices.Clone(all[first:])
}
