package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"quorate/api"
	"quorate/cluster"
	"quorate/fsm"
)

// backend is what the API asks of an agent.
type backend struct{ a *Agent }

// Propose implements api.Proposer.
func (b backend) Propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	r, err := b.a.node.Propose(ctx, c)
	return r, translate(err)
}

// Bootstrap implements api.Membership.
func (b backend) Bootstrap(ctx context.Context, profile fsm.Profile) (string, error) {
	t, err := b.a.node.BootstrapWith(ctx, profile)
	return t, translate(err)
}

// Join implements api.Membership.
func (b backend) Join(ctx context.Context, addr, token string) error {
	return translate(b.a.node.Join(ctx, addr, token))
}

// Leave implements api.Membership.
func (b backend) Leave(ctx context.Context, node fsm.NodeID) error {
	if node != "" && node != b.a.o.Name {
		return translate(b.a.node.Remove(ctx, node))
	}
	b.a.leaving.Store(true)
	defer b.a.leaving.Store(false)
	defer b.a.yield(ctx)() // as long as it is a member it may linger
	return translate(b.a.node.Leave(ctx))
}

// Token implements api.Membership.
func (b backend) Token() (string, error) {
	t, err := b.a.node.Token()
	return t, translate(err)
}

// Members implements api.Inspector.
func (b backend) Members() []api.Member {
	var out []api.Member
	for _, m := range b.a.node.Members() {
		x := api.Member{ID: m.ID, Addr: m.Addr, Role: m.Role, Voter: m.Voter, Leader: m.Leader, Alive: m.Alive, Applied: m.Applied}
		if !m.LastContact.IsZero() {
			x.LastContactMS = time.Since(m.LastContact).Milliseconds()
		}
		out = append(out, x)
	}
	return out
}

// Leader implements api.Inspector.
func (b backend) Leader() (fsm.NodeID, bool) { return b.a.node.Leader() }

// Hints implements api.Inspector.
func (b backend) Hints() fsm.Hints {
	if l := b.a.node.Lease(); l != nil {
		h := l.Hints()
		h.Now = time.Now()
		return h
	}
	return fsm.Hints{Now: time.Now()}
}

// Local implements api.Reporter.
func (b backend) Local() api.NodeStatus { return b.a.local() }

// Ask implements api.Reporter.
func (b backend) Ask(ctx context.Context, node fsm.NodeID) (api.NodeStatus, error) {
	raw, err := b.a.node.Ask(ctx, node)
	if err != nil {
		return api.NodeStatus{}, translate(err)
	}
	var s api.NodeStatus
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("the status of %s cannot be read: %w", node, err)
	}
	return s, nil
}

// Status implements peers.
func (b backend) Status(ctx context.Context, node fsm.NodeID) (api.NodeStatus, error) {
	if node == b.a.o.Name {
		return b.a.local(), nil
	}
	return b.Ask(ctx, node)
}

// Nudge implements peers.
func (b backend) Nudge(ctx context.Context, node fsm.NodeID, addrs []netip.Addr) error {
	return b.a.node.Nudge(ctx, node, addrs)
}

// Look implements peers.
func (b backend) Look(ctx context.Context, node fsm.NodeID, keys []fsm.AddressKey) ([]cluster.Sight, error) {
	return b.a.node.Look(ctx, node, keys)
}

// Alive implements peers.
func (b backend) Alive(node fsm.NodeID) bool {
	return slices.ContainsFunc(b.a.node.Members(), func(m cluster.Member) bool { return m.ID == node && m.Alive })
}

// translate gives the cluster's errors the names that the API has for them.
func translate(err error) error {
	for _, t := range []struct{ is, as error }{
		{cluster.ErrNoMembership, api.ErrNoCluster},
		{cluster.ErrNoCluster, api.ErrUnreachable},
		{cluster.ErrAlreadyMember, api.ErrAlreadyMember},
		{cluster.ErrToken, api.ErrBadToken},
		{cluster.ErrOtherKey, api.ErrBadToken},
		{cluster.ErrNoLeader, api.ErrNoQuorum},
		{cluster.ErrUnreachable, api.ErrUnreachable},
		{errors.ErrUnsupported, api.ErrNotPossible}, // it keeps its identity between nodes
	} {
		if errors.Is(err, t.is) {
			return named{err, t.as}
		}
	}
	return err
}

// named is an error that is also another one, without that one's text.
type named struct {
	error
	as error
}

func (n named) Unwrap() []error { return []error{n.error, n.as} }
