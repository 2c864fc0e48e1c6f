package cluster

import (
	"context"
	"errors"
	"fmt"

	"quorate/fsm"
)

// Why a request to the cluster failed. They survive being forwarded from node to node, as the errors of package fsm do:
// errors.Is works on what a follower returns.
var (
	// ErrNoLeader says that no leader is known or reachable: a majority of the voters is away, or an election is under way.
	// Nothing was changed.
	ErrNoLeader = errors.New("the cluster has no leader")
	// ErrUncertain says that the leader changed while the entry was being committed: it may or may not have happened. Read
	// the state before trying again.
	ErrUncertain = errors.New("it is not known whether the change was committed")
	// ErrNotMember says that the cluster has confirmed that this node with this data directory is not one of its members.
	ErrNotMember = errors.New("not a member of the cluster")
	// ErrAlreadyMember says that the node belongs to a cluster.
	ErrAlreadyMember = errors.New("already belongs to a cluster")
	// ErrNoMembership says that the node is not in a cluster.
	ErrNoMembership = errors.New(`not in a cluster: run "quorate bootstrap" or "quorate join" first`)
	// ErrOtherCluster says that the request names another cluster.
	ErrOtherCluster = errors.New("another cluster")
	// ErrUnreachable says that the leader, or for a Query this node, cannot reach the address that a node advertises.
	ErrUnreachable = errors.New("not reachable at its advertised address")
	// ErrUnknownNode says that no member has this name.
	ErrUnknownNode = errors.New("no such node")

	errNotLeader = errors.New("not the leader")
)

// wireCodes are the errors that keep their identity on the wire. A code must never change its meaning.
var wireCodes = []struct {
	code string
	err  error
}{
	{"not-init", fsm.ErrNotInit}, {"init-done", fsm.ErrInitDone}, {"name-taken", fsm.ErrNameTaken},
	{"store-taken", fsm.ErrStoreTaken}, {"node-owns", fsm.ErrNodeOwns}, {"node-grants", fsm.ErrNodeGrants},
	{"conflict", fsm.ErrConflict}, {"stale", fsm.ErrStale}, {"unknown", fsm.ErrUnknown}, {"schema", fsm.ErrSchema},
	{"invalid", fsm.ErrInvalid},
	{"no-leader", ErrNoLeader}, {"uncertain", ErrUncertain}, {"not-member", ErrNotMember},
	{"already-member", ErrAlreadyMember}, {"no-membership", ErrNoMembership}, {"other-cluster", ErrOtherCluster},
	{"unreachable", ErrUnreachable}, {"unknown-node", ErrUnknownNode}, {"not-leader", errNotLeader},
	{"other-key", ErrOtherKey}, {"no-cluster", ErrNoCluster}, {"other-server", ErrOtherServer}, {"self", ErrSelf},
	{"deadline", context.DeadlineExceeded}, {"unsupported", errors.ErrUnsupported},
}

// wireError is an error on its way between nodes: its text, and which of the known errors it is.
type wireError struct {
	Codes    []string     `json:"codes,omitempty"`
	Text     string       `json:"text"`
	Problems fsm.Problems `json:"problems,omitempty"`
}

// toWire is nil for nil.
func toWire(err error) *wireError {
	if err == nil {
		return nil
	}
	w := &wireError{Text: err.Error()}
	for _, c := range wireCodes {
		if errors.Is(err, c.err) {
			w.Codes = append(w.Codes, c.code)
		}
	}
	_ = errors.As(err, &w.Problems)
	return w
}

// Error implements error.
func (w *wireError) Error() string { return w.Text }

// Is makes errors.Is see through the wire.
func (w *wireError) Is(target error) bool {
	for _, c := range wireCodes {
		if c.err == target {
			for _, have := range w.Codes {
				if have == c.code {
					return true
				}
			}
		}
	}
	return false
}

// Unwrap gives the problems of a configuration, if that is what it is.
func (w *wireError) Unwrap() error {
	if len(w.Problems) == 0 {
		return nil
	}
	return w.Problems
}

// wireResult is fsm.Result with its error.
type wireResult struct {
	fsm.Result
	Err *wireError `json:"err,omitempty"`
}

func toWireResult(r fsm.Result) wireResult { return wireResult{Result: r, Err: toWire(r.Err)} }

func (w wireResult) result() fsm.Result {
	r := w.Result
	if w.Err != nil {
		r.Err = w.Err
	}
	return r
}

// nodeError puts the node's name before what it said.
func nodeError(n fsm.NodeID, err error) error {
	if n == "" || err == nil {
		return err
	}
	return fmt.Errorf("%s: %w", n, err)
}
