package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/notify"
	"quorate/vip"
)

// notifiedFile is the name of what notifiers of this node were told last, in the data directory.
const notifiedFile = "notified.json"

// stopLimit is how long an agent that ends waits for notifiers that are told of it.
const stopLimit = 5 * time.Second

// settling is how long a node that starts may be without its lease before that is a fault: it cannot have one at once.
const settling = 5 * time.Second

// lookPause is the least time between two looks: of states that change more often than that the last one counts.
const lookPause = 10 * time.Millisecond

// tells has the notifiers told that the leader carries out, while this node leads.
func (a *Agent) tells(ctx context.Context, term uint64) {
	c := &notify.Courier{Self: a.o.Name, View: a.node, Propose: a.node.Propose, Open: notify.Open, Log: a.log.With("term", term)}
	_ = c.Run(ctx)
}

// hasPassed is called by the actuator after each pass.
func (a *Agent) hasPassed() {
	select {
	case a.passes <- struct{}{}:
	default:
	}
}

// see compares what this node does with what its own notifiers were told, whenever that may have changed. A witness carries nothing, and so has nothing
// to tell.
func (a *Agent) see(ctx context.Context) error {
	if a.o.Role == fsm.Witness {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.teller.Ready():
	}
	var began time.Time // of the present membership's actuator
	leased, saw := false, false
	for {
		changed := a.node.Changed()
		var look <-chan time.Time
		s, act, service := a.node.State(), a.actuator.Load(), a.node.Lease()
		switch {
		case act == nil || service == nil:
			if began, leased = (time.Time{}), false; saw && !a.node.Member() {
				a.teller.Halt() // it has left the cluster
				saw = false
			}
		case act.status.Load() != nil && !errors.Is(act.status.Load().addresses.Err, vip.ErrInterrupted): // the pass after that knows more
			if began.IsZero() {
				began = time.Now()
			}
			live := service.Live(s.Nodes[a.o.Name].Epoch)
			leased = leased || live
			if !leased && time.Since(began) < settling {
				look = time.After(settling)
				break
			}
			saw = true
			a.teller.See(s, notify.Look(s, a.o.Name, a.found(s, act.status.Load(), live)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-a.passes:
		case <-look:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookPause):
		}
	}
}

// found is what this node knows of itself after a pass of the actuator.
func (a *Agent) found(s *fsm.State, c *carried, leased bool) notify.Found {
	open, refused := map[netip.Addr]bool{}, map[netip.Addr]error{}
	for _, x := range c.addresses.Addresses {
		switch {
		case !x.Wanted || x.Lingers:
		case x.Actual:
			open[x.Prefix.Addr()] = true
		case x.Err != nil:
			refused[x.Prefix.Addr()] = x.Err
		}
	}
	self := s.Nodes[a.o.Name]
	return notify.Found{
		Open: func(addr netip.Addr) bool { return open[addr] },
		Unable: func(v fsm.VIP) string {
			if _, ok := self.Facts.LinkFor(v.Address.Addr(), v.Interface); !ok {
				return "it has no interface for it"
			}
			for _, check := range s.Config.NodeChecksOf(self) {
				if check.Required && check.Concerns(v) && self.Found(check.Name).Verdict == fsm.Down {
					return "check " + check.Name + " fails"
				}
			}
			switch {
			case a.barred:
				return "it lacks the fence that it is to have"
			case !leased:
				return "it holds no lease"
			case c.addresses.Err != nil:
				return "its kernel does not say which addresses it has: " + c.addresses.Err.Error()
			case refused[v.Address.Addr()] != nil:
				return "its kernel does not take the address: " + refused[v.Address.Addr()].Error()
			}
			return ""
		},
	}
}

// tellStop tells the notifiers of this node that its agent ends.
func (a *Agent) tellStop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	a.teller.Stop(ctx)
}

func (a *Agent) notifiersStatus() (out []api.NodeNotifier) {
	for _, x := range a.teller.Status() {
		out = append(out, api.NodeNotifier{Notifier: x.Notifier, Node: a.o.Name, Waiting: x.Waiting, Told: x.Told, Failed: x.Failed, Dropped: x.Dropped, Error: x.Error, At: x.At})
	}
	return out
}

// testNotifier sends a test from this node.
func (a *Agent) testNotifier(ctx context.Context, name string) (api.NotifyTest, error) {
	s := a.node.State()
	n, ok := s.Config.Notifiers[name]
	if !ok {
		return api.NotifyTest{}, fmt.Errorf("notifier %.80q: %w", name, fsm.ErrUnknown)
	}
	began := time.Now()
	var said string
	var err error
	if n.Where() == fsm.ByNode {
		said, err = a.teller.Test(ctx, n)
	} else {
		limit, cancel := context.WithTimeout(ctx, n.Timeout())
		defer cancel()
		said, err = notify.Open(n).Send(limit, notify.Test(s, a.o.Name, name, began))
	}
	out := api.NotifyTest{Notifier: name, Node: a.o.Name, OK: err == nil, Said: said, TookMS: time.Since(began).Milliseconds()}
	if err != nil {
		out.Said = err.Error()
	}
	return out, nil
}

// TestNotifier implements api.Notifying.
func (b backend) TestNotifier(ctx context.Context, node fsm.NodeID, name string) (out api.NotifyTest, err error) {
	err = b.a.node.Query(ctx, node, question{Notify: name}, &out)
	return out, translate(err)
}
