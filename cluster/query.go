package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"quorate/fsm"
)

// Query puts a question, which is sent as JSON, to a member's Options.OnQuery and fills answer in; a question to this node itself stays here. What is asked
// means nothing to this package. A build that does not know the call says errors.ErrUnsupported.
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
	return m.callMember(ctx, member(x), request{Op: opQuery}, question, answer)
}

func (m *membership) serveQuery(ctx context.Context, _ caller, req request) (any, error) {
	if m.node.o.OnQuery == nil {
		return nil, fmt.Errorf("%w: this node answers no questions", errors.ErrUnsupported)
	}
	return m.node.o.OnQuery(ctx, req.Body)
}
