package whole

import (
	"context"
	"maps"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// act is what an agent does with a node: during each membership, from the start barrier on, it carries out the state.
func (p *process) act(ctx context.Context) {
	for ctx.Err() == nil {
		changed := p.node.Membership()
		ready, service := p.node.Ready(), p.node.Lease()
		if service == nil {
			ready = nil // of the next membership, or of one that has ended
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-ready:
			p.actuate(ctx, service)
		}
	}
}

// actuate is agent's actuator, over a model of the kernel. One goroutine: addresses have one serial writer.
func (p *process) actuate(ctx context.Context, service *lease.Service) {
	var (
		open  lease.Opened
		first = true
		timer = time.NewTimer(0)
	)
	defer timer.Stop()
	for {
		over, changed, leased := p.node.Membership(), p.node.Changed(), service.Changed()
		if p.node.Lease() != service {
			p.set(nil)
			return
		}
		s := p.node.State()
		local := fsm.LocalOf(s, p.m.id)
		keys := make([]fsm.AddressKey, 0, len(local.VIPs))
		for _, v := range local.VIPs {
			keys = append(keys, v.Key)
		}
		next := open.Next(keys, local.NodeEpoch, service.Live)
		if hang := p.m.hang.Swap(0); hang > 0 {
			time.Sleep(time.Duration(hang))
			p.wait()
		}
		if first || !maps.Equal(open, next) {
			// To give up comes first. The first pass finds in the kernel what an earlier process left.
			p.syscall()
			p.set(both(open, next))
			p.syscall()
			p.set(next)
			open, first = next, false
		}
		for _, r := range local.Releases {
			if _, is := open[r.Key]; !is {
				service.Confirm(lease.Released{Key: r.Key, Index: r.ReleaseIndex})
			}
		}
		// Only here, after a pass that came to its end: an actuator that hangs in the kernel must lose the lease.
		service.Alive(lease.Actuator)
		timer.Reset(lease.UntilTick(p.m.clock.Now(), s.Config.Settings.Profile.Timing().TTL))
		select {
		case <-ctx.Done():
			return
		case <-over:
		case <-changed:
		case <-leased:
		case <-timer.C:
		}
	}
}

// syscall is the time that the kernel takes.
func (p *process) syscall() {
	time.Sleep(time.Duration(p.rng.Int64N(int64(time.Millisecond))))
	p.wait()
}

// set changes what is in the kernel. A process that is dead changes nothing.
func (p *process) set(open lease.Opened) {
	p.wait()
	w := p.m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return
	}
	p.m.ghosts, p.open = nil, open
	w.check()
}

// both are the entries of next whose address is open already.
func both(open, next lease.Opened) lease.Opened {
	out := lease.Opened{}
	for k, e := range next {
		if _, was := open[k]; was {
			out[k] = e
		}
	}
	return out
}
