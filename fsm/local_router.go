package fsm

import "slices"

// LocalRouter is what one node is to a virtual router.
type LocalRouter struct {
	Router ResolvedRouter
	Link   string // of its VIPs here; "" = the node has none for them, and hears nothing
	Shadow bool   // its VIPs are in shadow: the node hears, and says nothing
	// Part is what the node is to do, of all its VIPs: they are of one unit.
	Part RouterPart
	// Owner has its VIPs, released or not; "" = nobody.
	Owner NodeID
	// Reason is that of the assignment by which Owner has them, the last one. By it, and by what is heard, the node knows whether a fellow or somebody else
	// may answer for them still.
	Reason ReasonCode
	// Foreign is the router outside the cluster that has the VIPs; nil = none is known.
	Foreign *ForeignOwner
}

// RouterPart is what a node does as part of a virtual router.
type RouterPart string

// The parts.
const (
	// RouterListens: it is not this node's turn. What was its own before has been given up.
	RouterListens RouterPart = ""
	// RouterSpeaks: the node owns all VIPs, and has been asked to release none.
	RouterSpeaks RouterPart = "speaks"
	// RouterHandsOver: another node is to have what this one has to release, or this one anew: it falls silent, and says nothing.
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
			if a := s.Assignments[v.Key()]; a.Owner != "" && a.VIP == v.Name {
				l.Owner, l.Reason = a.Owner, a.Reason.Code
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

// partOf is what the node does as part of the router. While some of the VIPs are on their way here the node listens: half of a virtual router cannot
// speak. Where some are to go one way and some another, it says nothing, which is never wrong.
func (s *State) partOf(node NodeID, r ResolvedRouter) RouterPart {
	var owned, handed, resigned int
	for _, v := range r.VIPs {
		switch a := s.Assignments[v.Key()]; {
		case a.Owner != node:
		case a.Release == nil && s.Config.Matches(a, v):
			owned++
		case a.Release == nil || a.Release.To != "" || a.Release.Reason.Code.asked():
			handed++
		default:
			resigned++
		}
	}
	_, foreign := s.Foreign[r.Name]
	switch {
	case owned+handed+resigned == 0:
		return RouterListens
	case foreign:
		return RouterYields
	case handed > 0:
		return RouterHandsOver
	case resigned > 0:
		return RouterResigns
	case owned == len(r.VIPs):
		return RouterSpeaks
	}
	return RouterListens
}
