package crossing

import (
	"fmt"
	"slices"

	"quorate/api"
	"quorate/fsm"
)

// Steps say how far it has come, in the order in which they come about.
func Steps(w Way, s api.Sight) []Step {
	if w == Giveback {
		return []Step{decided(w, s), gone(s), master(s), answersElsewhere(s)}
	}
	return []Step{decided(w, s), spoken(s), silence(s), answers(s)}
}

// step says what it waits for, and what is already so. It is done where it waits for nothing.
func step(name string, waits []string, is ...string) Step {
	return Step{Name: name, Done: len(waits) == 0, Text: few(append(waits, is...), "; ", mostParts)}
}

// speaks says that a router is heard to speak.
func speaks(x api.Rival, router string) string {
	return fmt.Sprintf("%v (priority %d) speaks for %s", x.Source, x.Priority, router)
}

// decided: the cluster has agreed on it.
func decided(w Way, s api.Sight) Step {
	var owners, waits []string
	for _, v := range s.VIPs {
		switch {
		case v.Mode != w.Mode():
			waits = append(waits, fmt.Sprintf("the mode of %s is %s", v.Name, v.Mode))
		case w == Takeover && v.Owner == "" && v.Why != "":
			waits = append(waits, fmt.Sprintf("%s has no owner yet: %s", v.Name, v.Why))
		case w == Takeover && (v.Owner == "" || v.Shadow || v.Moving):
			waits = append(waits, v.Name+" has no owner yet")
		case w == Giveback && v.Owner != "" && !v.Shadow:
			waits = append(waits, fmt.Sprintf("%s has not given %s up yet", v.Owner, v.Name))
		}
		if v.Owner != "" && !slices.Contains(owners, string(v.Owner)) {
			owners = append(owners, string(v.Owner))
		}
	}
	switch {
	case len(waits) > 0:
		return step("agreed", waits)
	case w == Takeover:
		return step("agreed", nil, fmt.Sprintf("%s is live, and %s owns it", names(s), few(owners, ", ", mostNodes)))
	}
	return step("agreed", nil, names(s)+" is in shadow")
}

// ownerOf is the node that owns the VIPs of a virtual router.
func ownerOf(s api.Sight, name string) fsm.NodeID {
	for _, v := range s.VIPs {
		if v.Router == name && !v.Shadow {
			return v.Owner
		}
	}
	return ""
}

// spoken: the owner's adverts are heard by the other nodes.
func spoken(s api.Sight) Step {
	if len(s.Routers) == 0 {
		return step("adverts", nil, "there is no virtual router, and so nothing to be heard")
	}
	var is, waits []string
	for _, r := range s.Routers {
		owner := ownerOf(s, r.Name)
		from := s.Nodes[:0:0]
		var source api.HeardRouter
		for _, n := range s.Nodes {
			if n.Node == owner {
				source, _ = router(n, r.Name)
			} else if h, ok := router(n, r.Name); ok && h.Problem == "" {
				from = append(from, n)
			}
		}
		if owner == "" || !source.Speaks {
			waits = append(waits, fmt.Sprintf("nobody speaks for %s yet", r.Name))
			continue
		}
		if r.Unicast {
			is = append(is, fmt.Sprintf("%s speaks for %s to its peers; no other node can hear it", owner, r.Name))
			continue
		}
		var by, not []string
		for _, n := range from {
			h, _ := router(n, r.Name)
			if slices.ContainsFunc(h.Heard, func(x api.Rival) bool { return x.Source == source.Source && x.Role == "fellow" && x.Active }) {
				by = append(by, string(n.Node))
			} else {
				not = append(not, string(n.Node))
			}
		}
		switch {
		case len(not) > 0:
			waits = append(waits, fmt.Sprintf("%s not hear %s speak for %s", fewDo(not), owner, r.Name))
		case len(by) > 0:
			is = append(is, fmt.Sprintf("%s speaks for %s, as %s", owner, r.Name, hear(by)))
		default:
			is = append(is, fmt.Sprintf("%s speaks for %s; there is no other node that could hear it", owner, r.Name))
		}
	}
	return step("adverts", waits, is...)
}

// silence: nobody outside the cluster speaks any more.
func silence(s api.Sight) Step {
	var who heard
	for _, n := range s.Nodes {
		for _, h := range n.Routers {
			for _, x := range h.Heard {
				if x.Active && x.Role != "fellow" {
					who.add(speaks(x, h.Name), n.Node)
				}
			}
		}
	}
	if len(who.texts) > 0 {
		return step("silence", who.list())
	}
	return step("silence", nil, "no router outside the cluster speaks")
}

// answers: the owner has the address, and it alone answers for it.
func answers(s api.Sight) Step {
	var is, waits []string
	for _, v := range s.VIPs {
		has, macs := false, []string(nil)
		for _, n := range s.Nodes {
			h, _ := address(n, v.Address)
			if n.Node == v.Owner {
				has, macs = h.Here && h.Ours, n.MACs
			} else if h.Here && h.Ours {
				waits = append(waits, fmt.Sprintf("%s has %v as well", n.Node, v.Address))
			}
		}
		if v.Owner == "" {
			waits = append(waits, fmt.Sprintf("%v has no owner that could open it", v.Address))
			continue
		}
		if !has {
			waits = append(waits, fmt.Sprintf("%v is not open yet on its owner %s (`quorate vip show %s` says why)", v.Address, v.Owner, v.Name))
			continue
		}
		var by []string
		var others heard
		could := false
		for _, n := range s.Nodes {
			h, ok := address(n, v.Address)
			if !ok || n.Node == v.Owner || !h.Asked {
				continue
			}
			could = true
			for _, m := range h.MACs {
				if !slices.Contains(macs, m) {
					others.add(fmt.Sprintf("%s answers for %v beside %s", m, v.Address, v.Owner), n.Node)
				} else if !slices.Contains(by, string(n.Node)) {
					by = append(by, string(n.Node))
				}
			}
		}
		waits = append(waits, others.list()...)
		switch {
		case len(by) > 0:
			is = append(is, fmt.Sprintf("%s answers for %v, as %s", v.Owner, v.Address, hear(by)))
		case could:
			waits = append(waits, fmt.Sprintf("no other node hears %s answer for %v", v.Owner, v.Address))
		default:
			is = append(is, fmt.Sprintf("%s has %v; there is no other node that could ask", v.Owner, v.Address))
		}
	}
	return step("answers", waits, is...)
}

// gone: no node has the addresses any more.
func gone(s api.Sight) Step {
	var who []string
	for _, n := range s.Nodes {
		for _, v := range s.VIPs {
			if h, ok := address(n, v.Address); ok && h.Here && h.Ours {
				who = append(who, fmt.Sprintf("%s still has %v", n.Node, v.Address))
			}
		}
		for _, h := range n.Routers {
			if h.Speaks {
				who = append(who, fmt.Sprintf("%s still speaks for %s", n.Node, h.Name))
			}
		}
	}
	if len(who) > 0 {
		return step("gone", who)
	}
	return step("gone", nil, "no node of the cluster has it any more")
}

// master: a listed router outside the cluster speaks for each virtual router.
func master(s api.Sight) Step {
	if len(s.Routers) == 0 {
		return step("master", nil, "there is no virtual router that anybody could have")
	}
	var is, waits []string
	for _, r := range s.Routers {
		var who heard
		for _, n := range s.Nodes {
			h, _ := router(n, r.Name)
			for _, x := range h.Heard {
				if x.Active && x.Role == "listed" {
					who.add(speaks(x, r.Name), n.Node)
				}
			}
		}
		if len(who.texts) == 0 {
			waits = append(waits, fmt.Sprintf("none of its peers speaks for %s yet", r.Name))
		}
		is = append(is, who.list()...)
	}
	return step("master", waits, is...)
}

// answersElsewhere: somebody has the addresses who is not the cluster.
func answersElsewhere(s api.Sight) Step {
	var is, waits []string
	for _, v := range s.VIPs {
		var who heard
		for _, n := range s.Nodes {
			h, ok := address(n, v.Address)
			switch {
			case !ok:
			case len(h.MACs) > 0:
				who.add(fmt.Sprintf("%s answers for %v", few(h.MACs, ", ", mostNodes), v.Address), n.Node)
			case h.Here && !h.Ours && len(s.Nodes) == 1:
				who.add(fmt.Sprintf("another program has %v", v.Address), n.Node)
			}
		}
		if len(who.texts) == 0 {
			waits = append(waits, fmt.Sprintf("nobody answers for %v yet", v.Address))
		}
		is = append(is, who.list()...)
	}
	return step("answers", waits, is...)
}
