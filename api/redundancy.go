package api

import (
	"fmt"

	"quorate/fsm"
)

// redundancy says what a cluster of so many voters cannot survive, and the cure; "" when there is nothing to say. only is the
// node of a cluster that has one, or "".
func redundancy(voters int, only fsm.NodeID) string {
	switch {
	case voters == 1:
		return fmt.Sprintf("none: without %s every VIP is off; join two more nodes", orThe(only))
	case voters == 2:
		return "two voters: the loss of either stops every VIP, on both nodes, until it is back, because a majority of two is two; " +
			"join a third node, or a witness (quorate agent --role witness: it votes and carries nothing)"
	case voters >= 4 && voters%2 == 0:
		return fmt.Sprintf("%d voters survive the loss of %d, no more than %d would", voters, (voters-1)/2, voters-1)
	default:
		return ""
	}
}

func orThe(only fsm.NodeID) string {
	if only == "" {
		return "the one node"
	}
	return string(only)
}

// redundancyOf is redundancy of the agreed nodes but one; all of them vote soon if they do not yet. That few of them carry VIPs goes
// before that few vote.
func redundancyOf(st *fsm.State, but fsm.NodeID) string {
	voters, directors, only, carries := 0, 0, fsm.NodeID(""), fsm.NodeID("")
	for id, x := range st.Nodes {
		if id == but || x.Leaving {
			continue
		}
		voters, only = voters+1, id
		if x.Role != fsm.Witness {
			directors, carries = directors+1, id
		}
	}
	switch {
	case voters > 0 && directors == 0:
		return "none: no director is left, and witnesses carry no VIP; join directors"
	case voters > 2 && directors == 1:
		return fmt.Sprintf("none: %s is the only director, and without it every VIP is off; join another", carries)
	default:
		return redundancy(voters, only)
	}
}
