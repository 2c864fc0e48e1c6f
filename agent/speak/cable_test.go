package speak

import (
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"quorate/vip/vrrp"
)

// cable is a link in memory: what one end sends the others hear.
type cable struct {
	mu   sync.Mutex
	ends []*end
	seen []sent
}

// sent is an advert on the cable.
type sent struct {
	at       time.Time
	from     netip.Addr
	vrid     vrrp.VRID
	priority vrrp.Priority
}

type end struct {
	cable    *cable
	mu       sync.Mutex
	inbox    []vrrp.Datagram
	deadline time.Time
	woken    chan struct{}
	only     []vrrp.VRID
	stuck    chan struct{} // Send waits until it is closed, and says so in begun; nil = it does not
	begun    chan struct{}
}

func (c *cable) plug() *end {
	e := &end{cable: c, woken: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, e)
	return e
}

func (e *end) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

func (e *end) Receive() ([]vrrp.Datagram, error) {
	for {
		e.mu.Lock()
		got, deadline := e.inbox, e.deadline
		e.inbox = nil
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

func (e *end) Send(packet []byte, _ netip.Addr) error {
	if e.stuck != nil {
		select {
		case e.begun <- struct{}{}:
		default:
		}
		<-e.stuck
	}
	d, r := vrrp.ParseIPv4(slices.Clone(packet))
	if r != vrrp.Accepted {
		panic(r)
	}
	c := e.cable
	c.mu.Lock()
	defer c.mu.Unlock()
	v := vrrp.VRID(d.Payload[1])
	c.seen = append(c.seen, sent{time.Now(), d.Source, v, vrrp.Priority(d.Payload[2])})
	for _, other := range c.ends {
		if other != e && (other.only == nil || slices.Contains(other.only, v)) {
			other.mu.Lock()
			other.inbox = append(other.inbox, d)
			other.mu.Unlock()
			other.wake()
		}
	}
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deadline = t
	e.wake()
	return nil
}

func (e *end) Only(v []vrrp.VRID) error {
	e.cable.mu.Lock()
	defer e.cable.mu.Unlock()
	e.only = v
	return nil
}

func (e *end) Close() error {
	e.cable.mu.Lock()
	defer e.cable.mu.Unlock()
	e.cable.ends = slices.DeleteFunc(e.cable.ends, func(x *end) bool { return x == e })
	return nil
}

// by are the adverts of one sender since an instant.
func (c *cable) by(from string, since time.Time) (out []sent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seen {
		if s.from == netip.MustParseAddr(from) && !s.at.Before(since) {
			out = append(out, s)
		}
	}
	return out
}
