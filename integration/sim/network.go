package sim

import (
	"time"

	"quorate/fsm"
)

// network says which datagram arrives, and when.
type network struct {
	w      *World
	cut    map[[2]fsm.NodeID]bool // from, to
	loss   float64
	dup    float64
	spread time.Duration // extra delay, uniform
}

func (n *network) latency() time.Duration {
	d := 100*time.Microsecond + time.Duration(n.w.rng.Int63n(int64(400*time.Microsecond)))
	if n.spread > 0 && n.w.rng.Intn(4) == 0 {
		d += time.Duration(n.w.rng.Int63n(int64(n.spread)))
	}
	return d
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
