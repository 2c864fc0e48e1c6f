package vrrp

import (
	"net/netip"
	"time"
)

// Router is one virtual router on one host, without its socket: what it hears is judged, remembered and handed to its machine; what it says is put into bytes.
// It is not safe for concurrent use.
type Router struct {
	config     Config
	checker    *Checker
	machine    *Machine
	neighbours *Neighbours
	signed     Sequence // of the last signed advert
	id         uint16   // of the last IPv4 packet
	packet     []byte
	inbox      []Event
	surplus    uint64
	sent       uint64
	lastWords  uint64
	kept       uint64
	failing    error // of the last advert
	unheard    bool  // it went to nobody
}

// maxInbox is how many routers are heard in one batch of datagrams: one advert of each.
const maxInbox = 4

// NewRouter makes a router, or says what is wrong with its configuration.
func NewRouter(c Config) (*Router, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Router{config: c, checker: NewChecker(c), machine: NewMachine(c), neighbours: NewNeighbours(MaxNeighbours)}, nil
}

// inherit takes over what the same router knew before it got another configuration: who is heard does not change by it, nor what they take.
func (r *Router) inherit(old *Router) {
	r.checker.inherit(old.checker)
	r.neighbours, r.signed, r.id = old.neighbours, old.signed, old.id
	r.surplus, r.sent, r.lastWords, r.kept = old.surplus, old.sent, old.lastWords, old.kept
	r.failing, r.unheard = old.failing, old.unheard
}

// listener is what those who listen to a router want to know of it.
func (r *Router) listener(source netip.Addr, now time.Duration) (x struct {
	activity Activity
	heeded   bool
	priority Priority
}) {
	if n := r.neighbours.find(r.config.VRID, source); n != nil {
		x.activity, x.heeded, x.priority = n.Activity(now), n.Heeded(now), n.Priority
	}
	return x
}

// Config is the router's.
func (r *Router) Config() Config { return r.config }

// Machine is the router's, to look at. It is stepped by Step and Deliver only.
func (r *Router) Machine() *Machine { return r.machine }

// Neighbours are the routers that were heard.
func (r *Router) Neighbours() []Neighbour { return r.neighbours.All() }

// Counts is how many datagrams ended with each reason.
func (r *Router) Counts() [Reasons]uint64 {
	c := r.checker.Counts()
	c[Accepted] -= r.surplus
	c[Surplus] = r.surplus
	return c
}

// Hear judges a datagram. An accepted advert waits for Deliver; of several of one router the last one counts. fresh is in what its sender differs newly from us.
func (r *Router) Hear(d Datagram, at time.Duration, wall time.Time) (h Heard, fresh Differences) {
	h = r.checker.Check(d, wall)
	if h.Sound {
		fresh = r.neighbours.Hear(h, d.Destination, at)
	}
	if h.Reason == Accepted {
		a := h.Advert
		r.keep(Event{Kind: Advertised, At: at, Source: h.Source, Role: h.Role, Priority: a.Priority, Interval: a.Interval})
	}
	return h, fresh
}

// keep puts an event into the inbox: in the place of an older one of the same sender, else in its own, else in that of a sender who matters less.
func (r *Router) keep(e Event) {
	least := -1
	for i := range r.inbox {
		old := &r.inbox[i]
		if old.Source == e.Source {
			*old = e
			r.surplus++
			return
		}
		if old.Role < e.Role && (least < 0 || old.Role < r.inbox[least].Role) {
			least = i
		}
	}
	switch {
	case len(r.inbox) < maxInbox:
		r.inbox = append(r.inbox, e)
		return
	case least >= 0:
		r.inbox[least] = e
	}
	r.surplus++
}

// Deliver steps the machine with what has been heard since the last Deliver. act gets the actions of each step.
func (r *Router) Deliver(act func([]Action)) {
	for _, e := range r.inbox {
		act(r.machine.Step(e))
	}
	r.inbox = r.inbox[:0]
}

// Step steps the machine.
func (r *Router) Step(e Event) []Action { return r.machine.Step(e) }

// Compose puts an advert into packets with their IP headers, one for the group or for each peer. A packet is valid during its call of send. The first error
// of send is returned after all were tried.
func (r *Router) Compose(p Priority, wall time.Time, send func(packet []byte, to netip.Addr) error) error {
	c := &r.config
	a := c.advert(p)
	e := Envelope{Source: c.Source, Form: r.checker.Form()}
	if c.Keys != nil && c.Signing != ReceiveOnly {
		r.signed = r.checker.replay.next(r.signed, wall)
		e.Keys, e.Sequence = c.Keys, r.signed
	}
	var first error
	one := func(to netip.Addr) {
		e.Destination = to
		if r.id++; r.id == 0 {
			r.id = 1
		}
		err := r.compose(&a, e)
		if err == nil {
			err = send(r.packet, to)
		}
		if first == nil {
			first = err
		}
	}
	if !c.Unicast() {
		one(c.group())
	}
	for _, to := range c.Peers {
		one(to)
	}
	return first
}

// compose leaves the packet in r.packet: the message first, as the header has its length.
func (r *Router) compose(a *Advert, e Envelope) error {
	header := ipv4Header
	if e.Source.Is6() {
		header = ipv6Header
	}
	var room [ipv6Header]byte
	b, err := a.Append(append(r.packet[:0], room[:header]...), e)
	if err != nil {
		return err
	}
	appendIP(b[:0], e.Source, e.Destination, r.id, len(b)-header)
	r.packet = b
	return nil
}
