package cluster

import (
	"context"
	"sync"
	"sync/atomic"

	"quorate/fsm"
)

// view publishes the applied state. Reading it takes no lock.
type view struct {
	state atomic.Pointer[fsm.State]
	bell
}

func newView() *view {
	v := &view{}
	v.state.Store(fsm.New())
	return v
}

func (v *view) set(s *fsm.State) {
	v.state.Store(s)
	v.ring()
}

// wait returns the first state that ok accepts.
func (v *view) wait(ctx context.Context, ok func(*fsm.State) bool) (*fsm.State, error) {
	for {
		changed := v.wake() // before the state, so that no change is missed
		s := v.state.Load()
		if ok(s) {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
	}
}

// bell wakes everybody who waits for the next change. The zero value is ready.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// wake returns a channel that is closed at the next ring.
func (b *bell) wake() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
	b.mu.Unlock()
}
