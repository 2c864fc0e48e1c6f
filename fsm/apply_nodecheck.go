package fsm

import (
	"fmt"
	"maps"
	"slices"
)

// SetNodeHealth commits what a node found by its own checks. Refused when the store is not the node's; checks that are gone are skipped, and
// what changes nothing makes no event. Since schema 6.
type SetNodeHealth struct {
	Node  NodeID             `json:"node"`
	Store StoreID            `json:"store"`
	Found map[string]Finding `json:"found"` // by name of the check
}

// Finding is one edge of a check of a node.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"`
}

func (e *entry) setNodeHealth(c SetNodeHealth) error {
	n, err := e.member(c.Node, c.Store)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(c.Found))
	for _, name := range names {
		f := c.Found[name]
		if f.Verdict != Up && f.Verdict != Down && f.Verdict != Unknown {
			return fmt.Errorf("verdict %q of check %s: %w", clip(string(f.Verdict), 80), clip(name, 80), ErrInvalid)
		}
	}
	var texts []string
	for _, name := range names {
		f, was := c.Found[name], n.Found(name)
		check, ok := e.next.Config.NodeChecks[name]
		if !ok || !check.On(n) || was.Verdict == f.Verdict {
			continue
		}
		st := CheckState{Verdict: f.Verdict, Since: e.at}
		if f.Verdict == Down {
			st.Detail = clip(f.Detail, 512)
		}
		n = n.withCheck(name, st)
		text := fmt.Sprintf("check %s on %s: %s → %s", name, n.ID, was.Verdict, f.Verdict)
		if st.Detail != "" {
			text += ": " + st.Detail
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil
	}
	e.nodes()[n.ID] = n
	for _, text := range texts {
		e.event(Event{Kind: EventHealth, Node: n.ID, Text: text})
	}
	return nil
}

// withCheck is the node with another state of one of its checks; what is not known is not kept.
func (n Node) withCheck(name string, st CheckState) Node {
	n.Checks = cloneMap(n.Checks)
	if st.Verdict == Unknown {
		delete(n.Checks, name)
	} else {
		n.Checks[name] = st
	}
	if len(n.Checks) == 0 {
		n.Checks = nil
	}
	return n
}

// matchNodeChecks forgets what nodes found by checks that they no longer carry out.
func (e *entry) matchNodeChecks() {
	for _, id := range slices.Sorted(maps.Keys(e.next.Nodes)) {
		n := e.next.Nodes[id]
		had := len(n.Checks)
		for name := range n.Checks {
			if c, ok := e.next.Config.NodeChecks[name]; !ok || !c.On(n) {
				n = n.withCheck(name, CheckState{Verdict: Unknown})
			}
		}
		if len(n.Checks) != had {
			e.nodes()[id] = n
		}
	}
}

// unchecked is the node after it was fenced: what it found before is worth nothing when it comes back.
func (n Node) unchecked() Node {
	n.Checks = nil
	return n
}
