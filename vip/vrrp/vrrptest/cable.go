// Package vrrptest is a link in memory, for tests of those who speak VRRP.
package vrrptest

import (
	"cmp"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quorate/vip/vrrp"
)

// Cable is a link in memory: what one end sends the others hear.
type Cable struct {
	mu   sync.Mutex
	ends []*End
	seen []Sent
	cut  error // what Send says
	bars map[netip.Addr]error
	lost bool // what is sent
}

// Sent is an advert on the cable.
type Sent struct {
	At       time.Time
	From, To netip.Addr
	VRID     vrrp.VRID
	Priority vrrp.Priority
	MAC      string // from which it was sent; "" = the link's own
}

// End is where one host is plugged in.
type End struct {
	cable    *Cable
	mu       sync.Mutex
	inbox    []vrrp.Datagram
	deadline time.Time
	woken    chan struct{}
	only     []vrrp.VRID
	wrapped  bool         // it hears what is in authentication headers, and nothing else
	hosts    []netip.Addr // of Only, where it is wrapped
	// Stuck: Send waits until it is closed, and says so in Begun; nil = it does not.
	Stuck, Begun chan struct{}
	// Batch is how many datagrams one Receive returns at most; 0 = all.
	Batch int
	// Missed is what Unread says.
	Missed atomic.Uint64
	frozen chan struct{}
}

// Scene is a test in virtual time, on a cable. ctx ends with it.
func Scene(t *testing.T, f func(ctx context.Context, t *testing.T, c *Cable)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		f(ctx, t, &Cable{})
	})
}

// Plug makes an end.
func (c *Cable) Plug() *End { return c.plug(false) }

// Open makes an end as a Conn with these options would be.
func (c *Cable) Open(o vrrp.ConnOptions) *End { return c.plug(o.AH) }

func (c *Cable) plug(wrapped bool) *End {
	e := &End{cable: c, woken: make(chan struct{}, 1), wrapped: wrapped}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, e)
	return e
}

func (e *End) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

// Receive implements vrrp.Wire.
func (e *End) Receive() ([]vrrp.Datagram, error) {
	for {
		e.mu.Lock()
		frozen := e.frozen
		e.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		e.mu.Lock()
		got, deadline := e.inbox, e.deadline
		if e.Batch > 0 && len(got) > e.Batch {
			got = got[:e.Batch:e.Batch]
		}
		e.inbox = e.inbox[len(got):]
		e.mu.Unlock()
		if len(got) > 0 {
			return got, nil
		}
		var late <-chan time.Time
		if !deadline.IsZero() {
			d := time.Until(deadline)
			if d <= 0 {
				return nil, os.ErrDeadlineExceeded
			}
			late = time.After(d)
		}
		select {
		case <-e.woken:
		case <-late:
		}
	}
}

// Freeze has Receive return nothing, and no deadline end it, until the returned function is called: the process that reads is stopped, and what is sent to it waits.
func (e *End) Freeze() (thaw func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	frozen := make(chan struct{})
	e.frozen = frozen
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.frozen = nil
		close(frozen)
	}
}

// Send implements vrrp.Wire.
func (e *End) Send(packet []byte, to netip.Addr) error { return e.send("", packet, to) }

// SendFrom implements vrrp.Wire.
func (e *End) SendFrom(mac net.HardwareAddr, packet []byte, to netip.Addr) error {
	return e.send(mac.String(), packet, to)
}

func (e *End) send(mac string, packet []byte, to netip.Addr) error {
	if e.Stuck != nil {
		select {
		case e.Begun <- struct{}{}:
		default:
		}
		<-e.Stuck
	}
	d := parse(slices.Clone(packet))
	c := e.cable
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmp.Or(c.cut, c.bars[to]); err != nil {
		return err
	}
	var a vrrp.Advert
	a.Decode(d)
	v := a.VRID
	c.seen = append(c.seen, Sent{time.Now(), d.Source, d.Destination, v, a.Priority, mac})
	for _, other := range c.ends {
		if other != e && !c.lost && other.hears(d, v) {
			other.mu.Lock()
			other.inbox = append(other.inbox, d)
			other.mu.Unlock()
			other.wake()
		}
	}
	return nil
}

// parse takes the IP header off, as a Conn does.
func parse(packet []byte) vrrp.Datagram {
	if packet[0]>>4 == 6 {
		return vrrp.Datagram{Source: netip.AddrFrom16([16]byte(packet[8:])), Destination: netip.AddrFrom16([16]byte(packet[24:])), TTL: packet[7], Payload: packet[40:]}
	}
	d, r := vrrp.ParseIPv4(packet)
	if r != vrrp.Accepted {
		panic(r)
	}
	return d
}

// Wrap wraps a packet of IPv4 in an authentication header, as version 2 had it: 96 bits of check value, which nobody verifies.
func Wrap(packet []byte) []byte {
	const header, ah = 20, 24
	out := slices.Concat(packet[:header], []byte{packet[9], ah/4 - 2}, make([]byte, ah-2), packet[header:])
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	out[9] = 51
	return out
}

// SetReadDeadline implements vrrp.Wire.
func (e *End) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deadline = t
	e.wake()
	return nil
}

// Rest is nothing: all is heard by one end.
func (e *End) Rest() vrrp.Wire { return nil }

// Join hears all groups anyway.
func (e *End) Join([]netip.Addr) error { return nil }

// Unread is what it was told: a cable has room for all.
func (e *End) Unread() uint64 { return e.Missed.Load() }

// Only hears only some virtual routers, of all hosts; one that hears what is in authentication headers has no Rest for those that are not named, and does not hear them.
func (e *End) Only(v []vrrp.VRID, hosts []netip.Addr) error {
	e.cable.mu.Lock()
	defer e.cable.mu.Unlock()
	e.only = v
	if e.wrapped {
		e.hosts = hosts
	}
	return nil
}

func (e *End) hears(d vrrp.Datagram, v vrrp.VRID) bool {
	return e.wrapped == d.AH && (e.only == nil || slices.Contains(e.only, v)) && (e.hosts == nil || slices.Contains(e.hosts, d.Source))
}

// Close plugs the end out.
func (e *End) Close() error {
	e.cable.mu.Lock()
	defer e.cable.mu.Unlock()
	e.cable.ends = slices.DeleteFunc(e.cable.ends, func(x *End) bool { return x == e })
	return nil
}

// By are the adverts of one sender since an instant.
func (c *Cable) By(from string, since time.Time) (out []Sent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seen {
		if s.From == netip.MustParseAddr(from) && !s.At.Before(since) {
			out = append(out, s)
		}
	}
	return out
}

// Count is how many adverts of a priority have been sent.
func (c *Cable) Count(p vrrp.Priority) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seen {
		if s.Priority == p {
			n++
		}
	}
	return n
}

// Cut has the cable take nothing: Send fails with err, until it is cut with nil.
func (c *Cable) Cut(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = err
}

// Bar has the cable take nothing that is sent to some hosts, as Cut does.
func (c *Cable) Bar(err error, hosts ...netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bars == nil {
		c.bars = map[netip.Addr]error{}
	}
	for _, a := range hosts {
		c.bars[a] = err
	}
}

// Lose has the cable lose all that is sent until the returned function is called.
func (c *Cable) Lose() (mend func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lost = false
	}
}
