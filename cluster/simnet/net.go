// Package simnet is a network in memory that delays, loses and partitions, for clusters in virtual time.
//
// It models hosts, not sockets of one kernel: a datagram may be lost, come late or out of order; a stream keeps its order,
// stalls while the way is cut in either direction, and goes on after it is whole again, as TCP does by retransmitting.
// A host can lose power (its peers hear nothing more) or have its process killed (its peers' streams are reset).
//
// Time is Go's: inside a testing/synctest bubble it is virtual, and all of this package's goroutines belong to the bubble.
// The same seed gives the same losses and delays for the same order of calls.
//
//	net := simnet.New(1, simnet.Link{Latency: 200 * time.Microsecond})
//	a, b := net.Host("10.0.0.1"), net.Host("10.0.0.2") // each is a cluster.Network
//	net.Cut("10.0.0.1", "10.0.0.2")                    // one way; streams stall, datagrams are lost
//	net.Heal()
package simnet

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Link is one direction between two hosts.
type Link struct {
	Latency time.Duration // of everything
	Jitter  time.Duration // added to a datagram's latency, uniformly from 0 to Jitter, so that datagrams overtake each other
	Loss    float64       // of datagrams, 0 to 1
}

// retransmit is how long a stream takes to notice that its way is whole again (TCP's least retransmission timeout).
const retransmit = 200 * time.Millisecond

// Net connects hosts. It is safe for concurrent use.
type Net struct {
	mu      sync.Mutex
	rng     *rand.Rand
	usual   Link
	links   map[way]Link
	cuts    map[way]bool
	healed  map[way]time.Time // when a way was last made whole
	hosts   map[netip.Addr]*Host
	changed chan struct{} // closed when a way or a host changes
}

// way is a direction.
type way struct{ from, to netip.Addr }

// New makes a network whose links are all like usual.
func New(seed uint64, usual Link) *Net {
	return &Net{
		rng: rand.New(rand.NewPCG(seed, 0)), usual: usual,
		links: make(map[way]Link), cuts: make(map[way]bool), healed: make(map[way]time.Time),
		hosts: make(map[netip.Addr]*Host), changed: make(chan struct{}),
	}
}

// SetLink changes one direction.
func (n *Net) SetLink(from, to string, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[wayOf(from, to)] = l
}

// Cut stops everything from one host to another; the other direction stays.
func (n *Net) Cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[wayOf(from, to)] = true
	n.ring()
}

// Isolate cuts a host off from all others, both ways.
func (n *Net) Isolate(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := netip.MustParseAddr(host)
	for b := range n.hosts {
		if a != b {
			n.cuts[way{a, b}], n.cuts[way{b, a}] = true, true
		}
	}
	n.ring()
}

// Heal makes every way whole again.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for w := range n.cuts {
		n.healed[w] = now
	}
	clear(n.cuts)
	n.ring()
}

func wayOf(from, to string) way { return way{netip.MustParseAddr(from), netip.MustParseAddr(to)} }

// ring wakes whoever waits for the network to change; n.mu is held.
func (n *Net) ring() {
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *Net) wake() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

// link is the state of a way; n.mu is held.
func (n *Net) link(w way) Link {
	if l, ok := n.links[w]; ok {
		return l
	}
	return n.usual
}

// open reports whether the way is whole and since when.
func (n *Net) open(w way) (since time.Time, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.healed[w], !n.cuts[w] && n.alive(w.from) && n.alive(w.to)
}

func (n *Net) alive(a netip.Addr) bool {
	h := n.hosts[a]
	return h != nil && !h.dark
}

// datagramDelay draws a datagram's fate.
func (n *Net) datagramDelay(w way) (d time.Duration, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.link(w)
	if n.cuts[w] || !n.alive(w.from) || !n.alive(w.to) || l.Loss > 0 && n.rng.Float64() < l.Loss {
		return 0, false
	}
	d = l.Latency
	if l.Jitter > 0 {
		d += time.Duration(n.rng.Int64N(int64(l.Jitter)))
	}
	return d, true
}

func (n *Net) streamDelay(w way) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.link(w).Latency
}
