package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// VIPState is what is going on with a VIP, agreed and actual together.
type VIPState string

// The states of a VIP.
const (
	VIPHeld      VIPState = "held"      // its owner's kernel has it, and nobody else's
	VIPUnguarded VIPState = "unguarded" // its owner claims it without a quorum: another node may claim it too
	VIPMoving    VIPState = "moving"    // the owner was asked to give it up
	VIPMissing   VIPState = "missing"   // its owner does not have it: it is about to, or it holds no lease, or it cannot
	VIPUnowned   VIPState = "unowned"   // nobody owns it
	VIPUnknown   VIPState = "unknown"   // its owner does not answer this node
	VIPDuplicate VIPState = "duplicate" // more than one node reports it
	VIPShadow    VIPState = "shadow"    // nobody of the cluster has it: it is only decided who would
	VIPForeign   VIPState = "foreign"   // a router outside the cluster has it, by VRRP
	VIPReleasing VIPState = "releasing" // no longer configured; its last owner has not confirmed yet that it is gone
)

// VIP is one virtual IP: configured, agreed and actual.
type VIP struct {
	Name       string       `json:"name"`
	Address    netip.Addr   `json:"address"`
	Prefix     netip.Prefix `json:"prefix,omitzero" doc:"As configured; absent for a leftover"`
	Network    string       `json:"network,omitempty"`
	Interface  string       `json:"interface,omitempty" doc:"As configured; empty = the one that has the subnet"`
	Group      string       `json:"group,omitempty"`
	Prefer     []fsm.NodeID `json:"prefer,omitempty"`
	Preempt    bool         `json:"preempt"`
	QuorumLost string       `json:"quorum_lost,omitempty" doc:"As configured: release (absent for a leftover), hold or vrrp"`
	Suspended  []fsm.NodeID `json:"suspended_by,omitempty" doc:"Nodes that may still claim it without a quorum: the owner asks on the link before it opens it"`
	Configured bool         `json:"configured" doc:"false: a leftover that its last owner has still to confirm"`
	State      VIPState     `json:"state" enum:"held,unguarded,moving,missing,unowned,unknown,duplicate,shadow,foreign,releasing"`
	Mode       string       `json:"mode,omitempty" doc:"live or shadow, its own or the cluster's; absent for a leftover" enum:"live,shadow"`
	Shadow     string       `json:"shadow,omitempty" doc:"In shadow: who would own it, and who has it now, as far as it is known"`
	Owner      fsm.NodeID   `json:"owner,omitempty" doc:"Agreed owner, in shadow who would be; empty = nobody"`
	Epoch      fsm.Epoch    `json:"epoch,omitempty" doc:"Index of the entry that made the assignment"`
	Reason     *fsm.Reason  `json:"reason,omitempty" doc:"Why it is where it is"`
	Release    *fsm.Release `json:"release,omitempty" doc:"Set while the owner is asked to give it up"`
	Link       string       `json:"link,omitempty" doc:"Interface that carries it"`
	PresentOn  []fsm.NodeID `json:"present_on,omitempty" doc:"Nodes whose kernel has it"`
	Services   []string     `json:"services,omitempty" doc:"Services on this VIP"`
	// VirtualRouter is its own; ForeignBy may be another one of its group.
	VirtualRouter string            `json:"virtual_router,omitempty" doc:"Virtual router that it belongs to"`
	Foreign       *fsm.ForeignOwner `json:"foreign,omitempty" doc:"Router outside the cluster that has it"`
	ForeignBy     string            `json:"foreign_by,omitempty" doc:"Virtual router by which that one has it: its own, or another of its group"`
	Problem       string            `json:"problem,omitempty" doc:"What is wrong with it, and what to look at"`
}

// reports are the answers of the nodes that were asked; a node that did not answer has an error.
type reports map[fsm.NodeID]report

type report struct {
	status NodeStatus
	err    error
}

// vipsOf puts together what is configured, agreed and reported, sorted by name, leftovers last. A node that was not asked has no entry,
// and a VIP that it owns is in state unknown.
func vipsOf(st *fsm.State, rs reports) []VIP {
	out := make([]VIP, 0, len(st.Config.VIPs))
	suspensions := st.Suspensions()
	configured := map[fsm.AddressKey]bool{}
	for _, v := range st.Config.VIPs {
		configured[v.Key()] = true
		a, ok := st.Assignments[v.Key()]
		e := VIP{
			Name: v.Name, Address: v.Address.Addr(), Prefix: v.Address, Network: v.Network, Interface: v.Interface,
			Group: v.Group, Prefer: v.Prefer, Preempt: v.Preempt, QuorumLost: v.QuorumLost.String(), Configured: true,
			Mode: st.Config.ModeOf(v).String(), Services: servicesOn(st, v.Name), Suspended: suspensions.By(v.Key(), a.Owner),
		}
		e = e.foreign(st, v).agreed(st, a, ok)
		if st.Config.Shadows(v) && (a.Owner == "" || a.Shadow) {
			out = append(out, e.shadowed(st, v, rs))
			continue
		}
		if a.Shadow { // it has nothing yet
			e.Owner = ""
		}
		out = append(out, e.actual(v.Key(), rs))
	}
	for k, a := range st.Assignments {
		if configured[k] || a.Owner == "" {
			continue
		}
		e := VIP{Name: a.VIP, Address: k.Addr, Network: k.Network}
		out = append(out, e.agreed(st, a, true).actual(k, rs))
	}
	slices.SortFunc(out, func(a, b VIP) int {
		switch {
		case a.Configured != b.Configured && a.Configured:
			return -1
		case a.Configured != b.Configured:
			return 1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Address.Compare(b.Address), cmp.Compare(a.Network, b.Network))
	})
	return out
}

func (e VIP) agreed(st *fsm.State, a fsm.Assignment, ok bool) VIP {
	if !ok {
		return e
	}
	e.Owner, e.Epoch, e.Release = a.Owner, a.Epoch, a.Release
	if a.Reason.Code != "" {
		e.Reason = &a.Reason
	}
	if n, known := st.Nodes[a.Owner]; known {
		e.Link, _ = n.Facts.LinkFor(e.Address, e.Interface)
	}
	return e
}

// actual fills in what the kernels have and what follows from it.
func (e VIP) actual(k fsm.AddressKey, rs reports) VIP {
	var complaint string
	var unguarded fsm.NodeID
	var since time.Time
	for id, r := range rs {
		if r.err != nil {
			continue
		}
		for _, a := range r.status.Addresses {
			if a.Prefix.Addr() != k.Addr || a.Network != k.Network {
				continue
			}
			if a.Present {
				e.PresentOn = append(e.PresentOn, id)
				if id == e.Owner && a.Link != "" {
					e.Link = a.Link
				}
			}
			if !a.HeldSince.IsZero() {
				unguarded, since = id, a.HeldSince
			}
			if a.Problem != "" {
				complaint = fmt.Sprintf("%s: %s", id, a.Problem)
			}
		}
	}
	slices.Sort(e.PresentOn)
	owner, asked := rs[e.Owner]
	switch {
	case len(e.PresentOn) > 1:
		e.State = VIPDuplicate
		e.Problem = fmt.Sprintf("%s is on more than one node: %s; in a planned move that lasts milliseconds, otherwise stop the agent on the wrong one",
			e.Address, joinNodes(e.PresentOn))
	case unguarded != "":
		e.State = VIPUnguarded
		e.Problem = fmt.Sprintf("HELD WITHOUT A QUORUM by %s since %s: another node may claim it too; bring a majority of the nodes back",
			unguarded, since.UTC().Format("2006-01-02 15:04:05Z"))
	case !e.Configured:
		e.State = VIPReleasing
		e.Problem = fmt.Sprintf("no longer configured, but %s has not confirmed that it gave %s up", e.Owner, e.Address)
	case e.Owner == "" && e.Foreign != nil:
		e.State = VIPForeign
	case e.Owner == "":
		e.State = VIPUnowned
		e.Problem = "nobody owns it"
		if e.Reason != nil && e.Reason.Text != "" {
			e.Problem += ": " + e.Reason.Text
		} else {
			e.Problem += ": no node is able to carry it; look at `quorate members` and `quorate status`"
		}
	case e.Release != nil:
		e.State = VIPMoving
	case !asked || owner.err != nil:
		e.State = VIPUnknown
		e.Problem = fmt.Sprintf("%s owns it and does not answer this node", e.Owner)
	case !slices.Contains(e.PresentOn, e.Owner):
		e.State = VIPMissing
		e.Problem = fmt.Sprintf("%s owns it and does not have it on an interface", e.Owner)
		if !owner.status.Lease.Held {
			e.Problem += ", as it holds no lease"
		}
	default:
		e.State = VIPHeld
	}
	if complaint != "" {
		e.Problem = complaint
	}
	if e.Problem == "" && len(e.Suspended) > 0 {
		e.Problem = fmt.Sprintf("suspended: %s may still claim it without a quorum, and nobody has heard from it since; switch it off, or bring it back", joinNodes(e.Suspended))
	}
	return e
}

// shadowed says what would be done with it.
func (e VIP) shadowed(st *fsm.State, v fsm.VIP, rs reports) VIP {
	e.State, e.Release = VIPShadow, nil
	foreign, has := st.Foreign[v.RouterName()]
	switch {
	case e.Owner != "":
		e.Shadow = fmt.Sprintf("%s would own it", e.Owner)
	case has:
		e.Shadow = "nobody of the cluster would own it"
	case e.Reason != nil && e.Reason.Text != "":
		e.Shadow = "nobody of the cluster would own it: " + e.Reason.Text
	default:
		e.Shadow = "nobody of the cluster would own it yet"
	}
	if has {
		e.Shadow += fmt.Sprintf("; %v has it", foreign)
	} else if m := masterOf(v.RouterName(), rs); m != "" {
		e.Shadow += "; the master is " + m
	}
	return e
}

// masterOf is the router outside the cluster that any node hears speak for a virtual router, of several the one of the highest priority.
func masterOf(router string, rs reports) string {
	var best RouterNeighbour
	for _, id := range slices.Sorted(maps.Keys(rs)) {
		for _, r := range rs[id].status.Routers {
			for _, n := range r.Neighbours {
				if rs[id].err == nil && r.Name == router && n.Role == "listed" && n.State == "active" && (!best.Source.IsValid() || n.Priority > best.Priority) {
					best = n
				}
			}
		}
	}
	if !best.Source.IsValid() {
		return ""
	}
	return fmt.Sprintf("%v (priority %d)", best.Source, best.Priority)
}

func servicesOn(st *fsm.State, vip string) []string {
	var out []string
	for name, svc := range st.Config.Services {
		if slices.Contains(svc.On(), vip) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func joinNodes(ids []fsm.NodeID) string {
	s := make([]string, len(ids))
	for i, id := range ids {
		s[i] = string(id)
	}
	return strings.Join(s, ", ")
}

// findVIP finds a VIP by name, or by address ("192.0.2.10", "192.0.2.10@dmz").
func findVIP(st *fsm.State, name string) (fsm.VIP, error) {
	if v, ok := st.Config.VIPs[name]; ok {
		return v, nil
	}
	for _, v := range st.Config.VIPs {
		if v.Key().String() == name || v.Address.String() == name {
			return v, nil
		}
	}
	return fsm.VIP{}, notFound("no VIP %.80q: %s", name, have("VIPs", st.Config.VIPs))
}

// agreedVIP is the state applied here, and a VIP of it by name or by address.
func (s *Server) agreedVIP(name string) (*fsm.State, fsm.VIP, error) {
	st, err := s.agreed()
	return vipIn(st, err, name)
}

// freshVIP is the state that a majority has agreed on by now, and a VIP of it by name or by address.
func (s *Server) freshVIP(ctx context.Context, name string) (*fsm.State, fsm.VIP, error) {
	st, err := s.fresh(ctx)
	return vipIn(st, err, name)
}

func vipIn(st *fsm.State, err error, name string) (*fsm.State, fsm.VIP, error) {
	if err != nil {
		return nil, fsm.VIP{}, err
	}
	v, err := findVIP(st, name)
	return st, v, err
}

// have lists what there is, for the message about what there is not.
func have[T any](noun string, m map[string]T) string {
	if len(m) == 0 {
		return "the configuration has no " + noun
	}
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	if len(names) > 10 {
		names = append(names[:10], "…")
	}
	if len(names) == 1 {
		return "there is only " + names[0]
	}
	return "there are " + strings.Join(names, ", ")
}
