package fsm

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Object is what it is about: "cluster", "vip.web", "group.g", "service.s", "service.s.server.10.0.0.1:80",
	// "service.s.check.0", "node_check.n", "node_check.n.check.0", "notify.ops", "notify.ops.webhook".
	Object string `json:"object"`
	Key    string `json:"key,omitempty"`   // the setting, as in a configuration file: "address", "prefer"
	Value  string `json:"value,omitempty"` // the value that is wrong
	What   string `json:"what"`            // what is wrong
	Cure   string `json:"cure,omitempty"`  // what to do
}

// String is one line: vip.web: address = "192.0.2.0/24": what; cure.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Object)
	if p.Key != "" {
		b.WriteString(": " + p.Key)
		if p.Value != "" {
			fmt.Fprintf(&b, " = %q", p.Value)
		}
	}
	b.WriteString(": " + p.What)
	if p.Cure != "" {
		b.WriteString("; " + p.Cure)
	}
	return b.String()
}

// Problems are all that is wrong with a configuration, in the order of its objects. They match ErrInvalid.
type Problems []Problem

// Error has one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Is makes errors.Is(ps, ErrInvalid) true.
func (ps Problems) Is(target error) bool { return target == ErrInvalid }

func (ps *Problems) add(object, key, value, what, cure string) {
	*ps = append(*ps, Problem{Object: object, Key: key, Value: value, What: what, Cure: cure})
}
