package lease

import (
	"sync"
	"sync/atomic"

	"quorate/fsm"
)

// inbox holds what other goroutines tell the Machine, until the goroutine that owns it takes it. Only the latest of each kind
// is kept, so it is bounded and putting something in never waits: neither the actuator nor the fsm is ever held up here.
type inbox struct {
	fresh atomic.Bool // there is something

	mu       sync.Mutex
	state    *fsm.State
	barrier  bool
	alive    [parts]Instant
	role     Input // the last Lead or Follow
	confirms map[fsm.AddressKey]uint64
	ending   *Ending

	taken [parts]Alive // what take returned last
	in    []Input
}

func newInbox() inbox {
	return inbox{confirms: make(map[fsm.AddressKey]uint64)}
}

// leave changes what is there, to be found when the goroutine next wakes.
func (b *inbox) leave(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	b.fresh.Store(true)
}

// take returns what has come, in the order in which the Machine should hear it: what the state is before what rests on it.
// The slice is valid until the next call.
func (b *inbox) take() []Input {
	if !b.fresh.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh.Store(false)
	clear(b.in)
	in := b.in[:0]
	for p, at := range b.alive {
		if !at.zero() {
			b.taken[p] = Alive{Part: Part(p), At: at}
			in = append(in, &b.taken[p])
		}
	}
	if b.state != nil {
		in = append(in, Applied{State: b.state})
	}
	if b.barrier {
		in = append(in, BarrierPassed{})
	}
	if b.role != nil {
		in = append(in, b.role)
	}
	if len(b.confirms) > 0 { // together, so that they leave in few datagrams
		c := Confirm{Releases: make([]Released, 0, len(b.confirms))}
		for k, i := range b.confirms {
			c.Releases = append(c.Releases, Released{Key: k, Index: i})
		}
		in = append(in, c)
		clear(b.confirms)
	}
	if b.ending != nil {
		in = append(in, *b.ending)
		b.ending = nil
	}
	b.state, b.barrier, b.role, b.alive = nil, false, nil, [parts]Instant{}
	b.in = in
	return in
}
