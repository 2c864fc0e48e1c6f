package lease

import (
	"sync"

	"quorate/fsm"
)

// inbox holds what other goroutines tell the Machine, until the goroutine that owns it takes it. Only the latest of each kind
// is kept, so it is bounded and putting something in never waits: neither the actuator nor the fsm is ever held up here.
type inbox struct {
	wake chan struct{} // holds one token while there is something

	mu       sync.Mutex
	state    *fsm.State
	barrier  bool
	alive    [parts]Instant
	role     Input // the last Lead or Follow
	confirms map[fsm.AddressKey]uint64
}

func newInbox() inbox {
	return inbox{wake: make(chan struct{}, 1), confirms: make(map[fsm.AddressKey]uint64)}
}

// leave changes what is there, to be found when the goroutine next wakes.
func (b *inbox) leave(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// put leaves something and wakes the goroutine.
func (b *inbox) put(f func()) {
	b.leave(f)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns what has come, in the order in which the Machine should hear it: what the state is before what rests on it.
func (b *inbox) take() []Input {
	b.mu.Lock()
	defer b.mu.Unlock()
	var in []Input
	for p, at := range b.alive {
		if !at.zero() {
			in = append(in, Alive{Part: Part(p), At: at})
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
	for k, i := range b.confirms {
		in = append(in, Confirm{Key: k, ReleaseIndex: i})
	}
	clear(b.confirms)
	b.state, b.barrier, b.role, b.alive = nil, false, nil, [parts]Instant{}
	return in
}
