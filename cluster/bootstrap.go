package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// Bootstrap makes the node the first member of a new cluster and returns the token with which others join. It is refused
// (ErrAlreadyMember) when the node is in a cluster.
func (n *Node) Bootstrap(ctx context.Context) (token string, err error) {
	return n.BootstrapWith(ctx, fsm.DefaultSettings().Profile)
}

// BootstrapWith is Bootstrap with the timing profile that the cluster has from its first entry on, until a configuration
// names another: over long links, nodes that join could else not keep up until there is one.
func (n *Node) BootstrapWith(ctx context.Context, profile fsm.Profile) (token string, err error) {
	done, err := n.change()
	if err != nil {
		return "", err
	}
	defer done()
	n.mu.Lock()
	id := n.identity
	n.mu.Unlock()
	if id.active() {
		return "", n.alreadyMember(id, "bootstrapping another")
	}
	id = identity{Node: n.o.Name, Store: newStoreID(), Cluster: newClusterID(), Key: newKey(), Standing: standingForming, Profile: profile}
	if err := n.checkEmpty(id); err != nil {
		return "", err
	}
	if err := saveIdentity(n.o.Store.Identity(), id); err != nil {
		return "", err
	}
	n.begin(id)
	n.mu.Lock()
	ready := n.ready
	n.mu.Unlock()
	select {
	case <-ready:
		return n.Token()
	case <-ctx.Done():
		return "", fmt.Errorf("cluster %s is being formed, but is not ready: %w; the agent goes on by itself", id.Cluster, context.Cause(ctx))
	}
}

// Token is what another node needs to join: ErrNoMembership when this one is in no cluster.
func (n *Node) Token() (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.identity.active() {
		return "", ErrNoMembership
	}
	return token{cluster: n.identity.Cluster, key: n.identity.Key}.String(), nil
}

// change lets one Bootstrap or Join run at a time.
func (n *Node) change() (done func(), err error) {
	if !n.changing.TryLock() {
		return nil, errors.New("another bootstrap or join of this node is under way")
	}
	return n.changing.Unlock, nil
}

func (n *Node) alreadyMember(id identity, wish string) error {
	return fmt.Errorf("%s %w: %s; run \"quorate leave\" on it before %s; where that cluster has lost "+
		"its majority for good, and was recovered without this node, stop the agent and move its data directory away", id.Node, ErrAlreadyMember, id.Cluster, wish)
}

// checkEmpty refuses a store that holds a log though nobody knows whose.
func (n *Node) checkEmpty(id identity) error {
	n.mu.Lock()
	past := n.past
	n.mu.Unlock()
	if past.Standing != "" {
		if err := n.o.Store.Retire(); err != nil {
			return err
		}
	}
	s, err := n.o.Store.Open(true)
	if err != nil {
		return err
	}
	defer s.Close()
	has, err := raft.HasExistingState(s.Log, s.Stable, s.Snapshots)
	if err != nil {
		return fmt.Errorf("look into the data directory: %w", err)
	}
	if has {
		return fmt.Errorf("the data directory holds the log of a member, but %s is missing: restore that file from a backup of this node, "+
			"or move the directory away, have another member remove the node, and join again",
			n.o.Store.Identity())
	}
	return nil
}

// begin tells Run that there is an identity.
func (n *Node) begin(id identity) {
	n.mu.Lock()
	n.identity = id
	n.mu.Unlock()
	select {
	case n.enter <- struct{}{}:
	default: // told already
	}
}

// forget takes an identity back that came to nothing.
func (n *Node) forget(id identity) error {
	id.Standing, id.Key = standingLeft, nil
	if err := saveIdentity(n.o.Store.Identity(), id); err != nil {
		return err
	}
	return n.o.Store.Retire()
}

// wanted is this node, with the given store, as it wants to be known.
func (n *Node) wanted(store fsm.StoreID) fsm.Node {
	facts := n.o.Facts()
	if facts.Schema == 0 {
		facts.Schema = fsm.MaxSchema
	}
	return fsm.Node{
		ID: n.o.Name, Store: store, Addr: n.addr.advertise.String(),
		Role: n.o.Role, Zone: n.o.Zone, Weight: n.o.Weight, Facts: facts,
	}
}
