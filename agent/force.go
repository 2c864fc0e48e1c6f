package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quorate/api"
	"quorate/fsm"
)

// order is an operator's order on its way to the actuator.
type order struct {
	key fsm.AddressKey
	force
}

const (
	// quorumAnswersIn is how long a majority has to answer before an operator is believed that there is none.
	quorumAnswersIn = 2 * time.Second
	// forceAsks is how long it is asked whether anybody answers for an address that is to be forced.
	forceAsks = time.Second
)

// Force implements api.Forcer: break-glass, on a node without a quorum. It is this node's alone, and ends by itself.
func (b backend) Force(ctx context.Context, v fsm.VIP, by string, d time.Duration) (time.Time, error) {
	a := b.a
	act := a.actuator.Load()
	if act == nil {
		return time.Time{}, fmt.Errorf("%w: this agent has not learned yet what is agreed", api.ErrNotPossible)
	}
	limit, cancel := context.WithTimeout(ctx, quorumAnswersIn)
	_, err := a.node.Read(limit)
	cancel()
	if _, led := a.node.Leader(); err == nil || led || a.local().Lease.Held {
		return time.Time{}, fmt.Errorf("%w: there is a quorum, and it decides who owns %s: `quorate vip move %[2]s %s`", api.ErrNotPossible, v.Name, a.o.Name)
	}
	if ctx.Err() != nil {
		return time.Time{}, ctx.Err()
	}
	if a.node.State().Config.Shadows(v) {
		return time.Time{}, fmt.Errorf("%w: %s is in shadow: whoever has %s now is to keep it; take it over with `quorate vrrp takeover %[2]s` while there is a quorum", api.ErrNotPossible, v.Name, v.Address.Addr())
	}
	l, ok := carriable(a.node.State(), a.o.Name, v.Key())
	if !ok {
		return time.Time{}, fmt.Errorf("%w: %s is no director with an interface for %s", api.ErrNotPossible, a.o.Name, v.Address)
	}
	holds := false
	if c := act.status.Load(); c != nil {
		_, holds = c.held[v.Key()]
	}
	if !holds {
		macs, err := a.prober.Who(ctx, l.Link, v.Key().Addr, forceAsks)
		switch {
		case err != nil:
			return time.Time{}, fmt.Errorf("%w: nobody can be asked whether another host has %s: %w", api.ErrNotPossible, v.Address.Addr(), err)
		case len(macs) > 0:
			return time.Time{}, fmt.Errorf("%w: %s answers for %s on %s: find that host, and switch it off or take the address off it; two that answer on one link serve nobody", api.ErrNotPossible, macs[0], v.Address.Addr(), l.Link)
		}
	}
	end := time.Now().Add(d)
	select {
	case act.orders <- order{v.Key(), force{VIP: v.Name, By: by, Until: after(a.clock.Now(), d), End: end}}:
		return end, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-time.After(5 * time.Second):
		return time.Time{}, errors.New("the actuator does not answer: look at the agent's log")
	}
}
