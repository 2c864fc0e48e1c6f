package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"quorate/api"
)

// final marks an error that waiting does not cure.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final makes Await return err at once.
func Final(err error) error { return final{err} }

// Await calls check every interval until it returns nil, a Final error, or ctx ends; then it returns the last error of
// check.
func Await(ctx context.Context, interval time.Duration, check func(context.Context) error) error {
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if f, ok := errors.AsType[final](err); ok {
			return f.error
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return fmt.Errorf("%w (waited until: %w)", ctx.Err(), last)
		}
	}
}

// AwaitReady waits until the cluster can bear the next fault: every running director is ready, votes, grants leases and
// is reached by the others.
func (b *Bed) AwaitReady(ctx context.Context) error {
	for _, d := range b.running() {
		if err := d.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return b.AwaitStatus(ctx, "every running node a voter that the others reach", func(s api.Status) error {
		for _, d := range b.running() {
			i := slices.IndexFunc(s.Nodes, func(n api.NodeSummary) bool { return n.ID == d.ID() })
			if i < 0 || !s.Nodes[i].Voter || !s.Nodes[i].Reached {
				return fmt.Errorf("%s is no voter, or not reached, at %s", d.Name, s.Node)
			}
		}
		if !s.Quorum.OK || s.Leader == "" {
			return fmt.Errorf("no quorum: %s", s.Quorum.Reason)
		}
		grantors, err := b.grantors(ctx)
		if err == nil && grantors != len(s.Nodes) {
			err = fmt.Errorf("%d of %d nodes grant leases", grantors, len(s.Nodes))
		}
		return err
	})
}

// grantors is the size of the grantor set. A member votes first and becomes a grantor a little later; until then the loss of
// an older grantor may cost the majority of them.
func (b *Bed) grantors(ctx context.Context) (int, error) {
	err := errors.New("no agent runs")
	for _, d := range b.running() {
		var m api.Members
		if m, err = d.API.Members(ctx); err != nil {
			continue
		}
		n := 0
		for _, x := range m.Members {
			if x.Grantor {
				n++
			}
		}
		return n, nil
	}
	return 0, err
}

// running are the directors whose agent runs.
func (b *Bed) running() []*Director {
	return slices.DeleteFunc(slices.Clone(b.Directors), func(d *Director) bool {
		p := d.Agent()
		return p == nil || closed(p.Done())
	})
}

// Status asks the first running director that answers for the state of the cluster.
func (b *Bed) Status(ctx context.Context) (api.Status, error) {
	err := errors.New("no agent runs")
	for _, d := range b.running() {
		var s api.Status
		if s, err = d.API.Status(ctx); err == nil {
			return s, nil
		}
	}
	return api.Status{}, err
}

// AwaitStatus waits until the state of the cluster passes check.
func (b *Bed) AwaitStatus(ctx context.Context, what string, check func(api.Status) error) error {
	err := Await(ctx, max(b.poll, 10*time.Millisecond), func(ctx context.Context) error {
		s, err := b.Status(ctx)
		if err != nil {
			return err
		}
		return check(s)
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// AwaitServers waits until the service has that many servers in rotation.
func (b *Bed) AwaitServers(ctx context.Context, service string, want int) error {
	return b.AwaitStatus(ctx, fmt.Sprintf("%d servers of %s in rotation", want, service), func(s api.Status) error {
		for _, x := range s.Services {
			if x.Name != service {
				continue
			}
			if x.In != want {
				return fmt.Errorf("%d of %d are in rotation", x.In, x.Servers)
			}
			return nil
		}
		return fmt.Errorf("there is no service %s", service)
	})
}

// Leader is the director that leads.
func (b *Bed) Leader(ctx context.Context) (*Director, error) {
	s, err := b.Status(ctx)
	if err != nil {
		return nil, err
	}
	if d := b.Director(string(s.Leader)); d != nil {
		return d, nil
	}
	return nil, errors.New("the cluster has no leader")
}

// Carriers are the directors with power whose kernel carries the address.
func (b *Bed) Carriers(a netip.Addr) []*Director {
	return slices.DeleteFunc(slices.Clone(b.Directors), func(d *Director) bool {
		has, err := d.Carries(a)
		return err != nil || !has
	})
}

// AwaitOwner waits until exactly one director carries the address, and another one than not (nil: any).
func (b *Bed) AwaitOwner(ctx context.Context, a netip.Addr, not *Director) (*Director, error) {
	var owner *Director
	err := Await(ctx, max(b.poll, time.Millisecond), func(context.Context) error {
		c := b.Carriers(a)
		if len(c) != 1 || c[0] == not {
			var names []string
			for _, d := range c {
				names = append(names, d.Name)
			}
			return fmt.Errorf("%s is on %q", a, names)
		}
		owner = c[0]
		return nil
	})
	return owner, err
}

// Sleep waits for d, or until ctx ends, and then returns its error.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closed reports whether c is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
