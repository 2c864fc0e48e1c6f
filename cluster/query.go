package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"quorate/fsm"
)

// Query puts a question, which is sent as JSON, to a member's Options.OnQuery and fills answer in; a question to this node itself stays here. What is asked
// means nothing to this package. A build that does not know the call says errors.ErrUnsupported, and a member that cannot be called is
// ErrUnreachable. Without a deadline of ctx it may take as long as a call may (a minute), and longer if the member is frozen.
func (n *Node) Query(ctx context.Context, peer fsm.NodeID, question, answer any) error {
	m := n.current.Load()
	if m == nil {
		return ErrNoMembership
	}
	if peer == m.self.Node {
		raw, err := json.Marshal(question)
		if err != nil {
			return err
		}
		out, err := m.serveQuery(ctx, "", request{Body: raw})
		if err == nil {
			raw, err = json.Marshal(out)
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, answer)
	}
	x, ok := m.view.state.Load().Nodes[peer]
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknownNode, peer)
	}
	err := m.callMember(ctx, member(x), request{Op: opQuery}, question, answer)
	if errors.Is(err, errNotSent) {
		return unreached{err}
	}
	return err
}

// unreached is ErrUnreachable in the words of what went wrong.
type unreached struct{ error }

func (u unreached) Unwrap() []error { return []error{u.error, ErrUnreachable} }

func (m *membership) serveQuery(ctx context.Context, _ caller, req request) (any, error) {
	if m.node.o.OnQuery == nil {
		return nil, fmt.Errorf("%w: this node answers no questions", errors.ErrUnsupported)
	}
	return m.node.o.OnQuery(ctx, req.Body)
}
