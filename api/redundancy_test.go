package api

import (
	"strings"
	"testing"

	"quorate/fsm"
)

func TestRedundancy(t *testing.T) {
	for voters, want := range map[int]string{
		1: "without n1 every VIP is off", 2: "the loss of either stops every VIP", 3: "", 4: "4 voters survive the loss of 1, no more than 3 would",
		5: "", 6: "6 voters survive the loss of 2, no more than 5 would",
	} {
		got := redundancy(voters, "n1")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%d voters: %q, want %q", voters, got, want)
		}
	}
}

// Who is to leave, or leaves already, does not count; and witnesses vote, but carry nothing.
func TestRedundancyOfDirectors(t *testing.T) {
	for _, c := range []struct {
		roles map[fsm.NodeID]fsm.Role
		but   fsm.NodeID
		want  string
	}{
		{map[fsm.NodeID]fsm.Role{"n1": fsm.Director, "w1": fsm.Witness}, "n1", "no director is left"},
		{map[fsm.NodeID]fsm.Role{"n1": fsm.Director, "w1": fsm.Witness}, "", "two voters"},
		{map[fsm.NodeID]fsm.Role{"n1": fsm.Director, "n2": fsm.Director, "w1": fsm.Witness}, "", ""},
		{map[fsm.NodeID]fsm.Role{"n1": fsm.Director, "w1": fsm.Witness, "w2": fsm.Witness}, "", "n1 is the only director"},
		{map[fsm.NodeID]fsm.Role{}, "", ""},
	} {
		st := &fsm.State{Nodes: map[fsm.NodeID]fsm.Node{"gone": {Leaving: true, Role: fsm.Director}}}
		for id, r := range c.roles {
			st.Nodes[id] = fsm.Node{ID: id, Role: r}
		}
		if got := redundancyOf(st, c.but); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%v but %q: %q, want %q", c.roles, c.but, got, c.want)
		}
	}
}
