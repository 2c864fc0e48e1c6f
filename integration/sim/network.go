package sim

import (
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// network says which datagram arrives, and when.
type network struct {
	w      *World
	cut    map[[2]fsm.NodeID]bool // from, to
	loss   float64
	dup    float64
	spread time.Duration // extra delay, uniform

	// What a situation does to single datagrams of the lease.
	treat func(from, to fsm.NodeID, b lease.Body) treatment
}

// treatment is what happens to one datagram, besides everything else that may happen to it. A network may do any of it.
type treatment struct {
	lose  bool
	delay time.Duration
	copy  func(deliver func()) // is given a copy, to be delivered whenever it likes
}

func (n *network) latency() time.Duration {
	d := 100*time.Microsecond + time.Duration(n.w.rng.Int63n(int64(400*time.Microsecond)))
	if n.spread > 0 && n.w.rng.Intn(4) == 0 {
		d += time.Duration(n.w.rng.Int63n(int64(n.spread)))
	}
	return d
}

// datagram sends one of the lease.
func (n *network) datagram(from, to fsm.NodeID, b lease.Body, f func()) {
	if n.treat != nil && n.reaches(from, to) {
		t := n.treat(from, to, b)
		if t.copy != nil {
			t.copy(f)
		}
		if t.lose {
			return
		}
		if t.delay > 0 {
			n.w.after(t.delay, f)
			return
		}
	}
	n.send(from, to, f)
}

// reaches reports whether a packet sent now goes through.
func (n *network) reaches(from, to fsm.NodeID) bool {
	return from == to || !n.cut[[2]fsm.NodeID{from, to}]
}

// both reports whether two nodes reach each other: what a TCP connection needs.
func (n *network) both(a, b fsm.NodeID) bool { return n.reaches(a, b) && n.reaches(b, a) }

// send delivers f after some delay, perhaps twice, perhaps never.
func (n *network) send(from, to fsm.NodeID, f func()) {
	if !n.reaches(from, to) || n.w.rng.Float64() < n.loss {
		return
	}
	n.w.after(n.latency(), f)
	if n.w.rng.Float64() < n.dup {
		n.w.after(n.latency()*3, f)
	}
}
