package vrrp

import (
	"sync"
	"time"
)

// pause is how a reader waits before it looks at its socket again: not beyond its deadline, nor after the end. wait is for one reader, the rest for anybody.
type pause struct {
	mu       sync.Mutex
	deadline time.Time // zero: there is none
	ended    bool
	news     chan struct{} // a token when one of them has changed
}

func newPause() *pause { return &pause{news: make(chan struct{}, 1)} }

// until sets the deadline.
func (p *pause) until(t time.Time) { p.set(func() { p.deadline = t }) }

// end ends this wait and all later ones.
func (p *pause) end() { p.set(func() { p.ended = true }) }

func (p *pause) set(change func()) {
	p.mu.Lock()
	change()
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// wait waits for d.
func (p *pause) wait(d time.Duration) {
	select {
	case <-p.news: // of before
	default:
	}
	for end := time.Now().Add(d); ; {
		left := p.left(end)
		if left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-p.news:
			timer.Stop()
		}
	}
}

// left is how long a wait that would end at an instant goes on.
func (p *pause) left(end time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return 0
	case !p.deadline.IsZero() && p.deadline.Before(end):
		end = p.deadline
	}
	return time.Until(end)
}
