package fsm

import "slices"

// LocalRouter is what one node is to a virtual router.
type LocalRouter struct {
	Router ResolvedRouter
	Link   string // of its VIPs here; "" = the node has none for them, and hears nothing
	// Shadow: its VIPs are in shadow, so that the node hears, and says nothing. What it has live still, or has in shadow still, it gives up as such.
	Shadow bool
	// Part is what the node is to do, for all of its VIPs.
	Part RouterPart
	// Owner has its VIPs, released or not; "" = nobody.
	Owner NodeID
	// Reason is that of the assignment by which Owner has them, Fresh that of any of them a router outside the cluster may answer for it still, see Assignment.
	Reason ReasonCode
	Fresh  bool
	// Foreign is the router outside the cluster that has the VIPs; nil = none is known.
	Foreign *ForeignOwner
}

// RouterPart is what a node does as part of a virtual router.
type RouterPart string

// The parts.
const (
	// RouterListens: it is not this node's turn. What was its own before has been given up.
	RouterListens RouterPart = ""
	// RouterSpeaks: the node has them.
	RouterSpeaks RouterPart = "speaks"
	// RouterHandsOver: another node is to have what this one has to release: it falls silent.
	RouterHandsOver RouterPart = "hands-over"
	// RouterYields: a router outside the cluster has them: the node falls silent.
	RouterYields RouterPart = "yields"
	// RouterResigns: nobody is to have what this one has to release: once the addresses are gone, it says so to the others.
	RouterResigns RouterPart = "resigns"
)

// localRouters are the virtual routers as they concern the node, a director.
func (s *State) localRouters(n Node) []LocalRouter {
	if n.Role != Director {
		return nil
	}
	var out []LocalRouter
	for _, r := range s.Config.VirtualRouters() {
		if len(r.VIPs) == 0 {
			continue
		}
		first := r.VIPs[0]
		l := LocalRouter{Router: r, Shadow: s.Config.Shadows(first), Part: s.partOf(n.ID, r)}
		l.Link, _ = n.Facts.LinkFor(first.Key().Addr, first.Interface)
		for _, v := range r.VIPs {
			if a := s.Assignments[v.Key()]; a.Owner != "" {
				l.Owner, l.Reason, l.Fresh = a.Owner, a.Reason.Code, l.Fresh || a.Fresh != 0
				if a.Owner == n.ID {
					l.Shadow = a.Shadow
				}
			}
		}
		if f, ok := s.Foreign[r.Name]; ok {
			f.Reporters = slices.Clone(f.Reporters)
			l.Foreign = &f
		}
		out = append(out, l)
	}
	return out
}

// partOf is what the node does as part of the router. It speaks for all VIPs as soon as it has one for good and nobody else has any: silence would have the others
// take what is open here. While another node has some still it listens. Where some are to go to another node it says nothing, which is never wrong for long.
func (s *State) partOf(node NodeID, r ResolvedRouter) RouterPart {
	var has, handed, resigned, others int
	for _, v := range r.VIPs {
		a := s.Assignments[v.Key()]
		back := !a.Shadow && s.Config.Shadows(v) // to those that have it when the cluster only watches
		switch rel := a.Release; {
		case a.Owner == "":
		case a.Owner != node:
			others++
		case a.Shadow && !s.Config.Shadows(v): // it had nothing, and gets it anew
		case !back && (rel == nil || rel.To == node || a.VIP != v.Name): // the last: it gets the address anew, under another name
			has++
		case !back && (rel.To != "" || rel.Reason.Code.asked()):
			handed++
		default:
			resigned++
		}
	}
	_, foreign := s.Foreign[r.Name]
	switch {
	case has+handed+resigned == 0:
		return RouterListens
	case foreign:
		return RouterYields
	case handed > 0:
		return RouterHandsOver
	case has > 0 && others == 0:
		return RouterSpeaks
	case has > 0:
		return RouterListens
	}
	return RouterResigns
}
