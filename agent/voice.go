package agent

import (
	"context"
	"net/netip"
	"time"

	"quorate/agent/speak"
	"quorate/fsm"
)

// lastWords is how long the end of an agent waits for its last words on links that take nothing.
const lastWords = 200 * time.Millisecond

// speak runs the voices until the returned function is called: after the actuator has ended, which has the last words.
func (a *Agent) speak(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = a.voices.Run(ctx)
	}()
	return func() {
		limit, stop := context.WithTimeout(ctx, lastWords)
		a.voices.Flush(limit)
		stop()
		cancel()
		<-done
	}
}

// announces announces again the addresses of virtual routers that another router has claimed, until ctx ends: announcing waits for the kernel, and the
// voices do not.
func (a *Agent) announces(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case id := <-a.told.claims:
			a.vips.Again(a.routerAddrs(id))
		}
	}
}

// routerAddrs are the addresses of a virtual router of this node.
func (a *Agent) routerAddrs(id speak.ID) []netip.Addr {
	for _, r := range fsm.LocalOf(a.node.State(), a.o.Name).Routers {
		if x, ok := routerID(r); ok && x == id {
			return r.Router.Addrs()
		}
	}
	return nil
}
