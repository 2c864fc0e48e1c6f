package keepalived

import (
	"cmp"
	"fmt"
	"strings"

	"quorate/fsm"
)

// name gives each director the name of its node.
func (im *importer) name() error {
	taken := map[fsm.NodeID]bool{}
	ids := map[string]int{}
	for _, b := range im.boxes {
		ids[b.global.one("router_id").arg(0)]++
	}
	for i, b := range im.boxes {
		id := b.global.one("router_id")
		if b.node == "" {
			if n := nodeID(id.arg(0)); n != "" && ids[id.arg(0)] == 1 && !taken[n] {
				b.node = n
			} else {
				b.node = fsm.NodeID(fmt.Sprintf("lb%d", i+1))
			}
			im.add(Finding{Place: Place{File: b.reader.first}, Class: Changed, What: fmt.Sprintf("the node of this file is called %s here", b.node),
				Do: "say its real name, the agent's `name`: --node NAME=FILE"})
		}
		if nodeID(string(b.node)) != b.node {
			return fmt.Errorf("%q is no name of a node: use 1 to 63 characters of a-z, 0-9, dot, dash and underscore", b.node)
		}
		if taken[b.node] {
			return fmt.Errorf("there are two files of the node %q: give each node one, which includes the others", b.node)
		}
		taken[b.node] = true
		if id != nil {
			id.settle(Ignored, fmt.Sprintf("a node has the name of its agent, %s", b.node), "")
		}
	}
	return nil
}

// nodeID makes a node's name of text; "" when nothing is left.
func nodeID(s string) fsm.NodeID {
	n := strings.ToLower(plain(s))
	if n != strings.ToLower(s) {
		return ""
	}
	return fsm.NodeID(n)
}

// plain makes a name of text: what names may not have becomes a dash.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), fsm.MaxName)]
}

// unique makes a name that is not taken.
func unique(name string, taken func(string) bool) string {
	name = cmp.Or(plain(name), "unnamed")
	for n := 2; taken(name); n++ {
		tail := fmt.Sprintf("-%d", n)
		base := strings.TrimSuffix(name, fmt.Sprintf("-%d", n-1))
		name = base[:min(len(base), fsm.MaxName-len(tail))] + tail
	}
	return name
}
