// Package crossing judges the two guided steps of a migration: a takeover of VIPs from routers outside the cluster, and a giveback to them. It is pure: what the nodes
// see ([api.Sight]) goes in, what speaks against the step comes out, and afterwards how far it has come.
//
//	Sight ─► Against ─► objections: nothing is changed while one of them stands
//	mode is changed ─► Sight ─► Steps ─► all done? ─► else back, after a time
package crossing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"quorate/api"
	"quorate/fsm"
)

// Way is which of the two it is.
type Way string

// The ways.
const (
	Takeover Way = "takeover"
	Giveback Way = "giveback"
)

// Mode is that of the VIPs at its end.
func (w Way) Mode() string {
	if w == Giveback {
		return string(fsm.ShadowMode)
	}
	return fsm.LiveMode.String()
}

// Back is the other one.
func (w Way) Back() Way {
	if w == Giveback {
		return Takeover
	}
	return Giveback
}

// Refused is the code of an objection that cannot be overridden: the configuration would be refused.
const Refused = "refused"

// Objection is something that speaks against the step.
type Objection struct {
	Code string `json:"code"` // what kind it is, for programs
	Text string `json:"text"` // with the cure
	// Blocks says that it is not begun, unless it is forced; one with the code Refused not even then.
	Blocks bool `json:"blocks"`
}

// Step is one part of the way, and whether it is behind us.
type Step struct {
	Name string `json:"name"`
	Done bool   `json:"done"`
	Text string `json:"text"` // what is so, or what it waits for
}

// Done reports whether all are.
func Done(steps []Step) bool {
	return !slices.ContainsFunc(steps, func(s Step) bool { return !s.Done })
}

// Part are the VIPs that the step changes: of all that goes together those with the mode of the VIP that it was asked for. Where that one has the wanted mode already, they
// are what there is to look at. A group may have VIPs of both modes, and what has the wanted one is neither judged nor undone.
func Part(s api.Sight) (part, rest []string) {
	for _, v := range s.VIPs {
		if v.Mode == ModeOf(s) {
			part = append(part, v.Name)
		} else {
			rest = append(rest, v.Name)
		}
	}
	return part, rest
}

// ModeOf is the mode of the VIP that was asked for.
func ModeOf(s api.Sight) string {
	for _, v := range s.VIPs {
		if v.Name == s.VIP {
			return v.Mode
		}
	}
	return ""
}

// Of is what is seen of these VIPs alone, and of their virtual routers.
func Of(s api.Sight, vips []string) api.Sight {
	s.VIPs = slices.DeleteFunc(slices.Clone(s.VIPs), func(v api.SightVIP) bool { return !slices.Contains(vips, v.Name) })
	others := func(name string) bool {
		return !slices.ContainsFunc(s.VIPs, func(v api.SightVIP) bool { return v.Router == name })
	}
	s.Routers = slices.DeleteFunc(slices.Clone(s.Routers), func(r api.RouterAside) bool { return others(r.Name) })
	s.Nodes = slices.Clone(s.Nodes)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		n.Routers = slices.DeleteFunc(slices.Clone(n.Routers), func(r api.HeardRouter) bool { return others(r.Name) })
	}
	return s
}

// There reports whether nothing is to be changed: all have the mode already.
func There(w Way, s api.Sight) bool {
	return len(s.VIPs) > 0 && !slices.ContainsFunc(s.VIPs, func(v api.SightVIP) bool { return v.Mode != w.Mode() })
}

// Against lists what speaks against the step, what blocks it first.
func Against(w Way, s api.Sight) []Objection {
	var out []Objection
	say := func(blocks bool, code, format string, args ...any) {
		o := Objection{code, fmt.Sprintf(format, args...), blocks}
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	able := 0
	var unready []string
	for _, n := range s.Nodes {
		switch {
		case n.Problem != "":
			say(false, "node-silent", "%s does not say what it sees: %s", n.Node, n.Problem)
		case !n.Able:
			unready = append(unready, string(n.Node))
		default:
			able++
		}
	}
	if len(unready) > 0 {
		say(false, "node-not-ready", "not ready: %s: look at `quorate status`", few(unready, ", ", mostNodes))
	}
	if w == Takeover {
		if able == 0 {
			say(true, "no-node", "no director is ready to have %s: look at `quorate status`", names(s))
		}
		againstTakeover(s, say)
	} else {
		againstGiveback(s, say)
	}
	slices.SortStableFunc(out, func(a, b Objection) int { return rank(a) - rank(b) })
	return out
}

func rank(o Objection) int {
	if o.Blocks {
		return 0
	}
	return 1
}

func againstTakeover(s api.Sight, say func(bool, string, string, ...any)) {
	for _, p := range s.Refused {
		say(true, Refused, "%s", p)
	}
	for _, v := range s.VIPs {
		if v.Owner == "" && v.Mode == string(fsm.ShadowMode) && v.Router == "" {
			say(true, "no-owner", "nobody of the cluster would own %s: `quorate explain vip %s` says why", v.Name, v.Name)
		}
		var answer heard
		for _, n := range s.Nodes {
			h, ok := address(n, v.Address)
			switch {
			case !ok:
			case h.Link == "" && n.Node == v.Owner:
				say(true, "no-link", "%s, who would own %s, has no interface for %v", n.Node, v.Name, v.Address)
			case h.Here && !h.Ours:
				say(n.Node == v.Owner, "address-here", "%s has %v in its own kernel, put there by another program: end that program there first, so that another router takes over, "+
					"or the two fight for the address on one host", n.Node, v.Address)
			}
			if v.Router == "" && ok && len(h.MACs) > 0 {
				answer.add(fmt.Sprintf("%s answers for %v on %s", few(h.MACs, ", ", mostNodes), v.Address, h.Link), n.Node)
			}
		}
		for _, text := range answer.list() {
			say(true, "answered", "%s, and %s has no virtual router by which it could be asked to give way: switch that host off first, or give the vip a virtual router", text, v.Name)
		}
	}
	for _, r := range s.Routers {
		active, delay := false, time.Duration(0)
		var delaying api.Rival
		for _, n := range s.Nodes {
			h, ok := router(n, r.Name)
			if !ok {
				continue
			}
			if h.Problem != "" {
				say(owns(s, r.Name, n.Node), "deaf", "virtual router %s on %s: %s", r.Name, n.Node, h.Problem)
			}
			for _, x := range h.Heard {
				if x.Role == "fellow" || !x.Active {
					continue
				}
				if x.Role == "stranger" {
					say(true, "unlisted", "virtual router %s: %v is active with priority %d and is not among its peers, so it would go on beside the cluster: list it, or find out who it is", r.Name, x.Source, x.Priority)
				} else {
					active = true
					switch {
					case x.Priority >= r.Priority && r.Yield:
						say(true, "outranked", "virtual router %s: %v is active with priority %d and ours is %d: the cluster would yield at once; give it a higher one, up to 254, or that router a lower one",
							r.Name, x.Source, x.Priority, r.Priority)
					case x.Priority >= r.Priority:
						say(true, "contested", "virtual router %s: %v is active with priority %d and ours is %d, and yield is off: neither would give way, and both would claim the addresses; "+
							"give the cluster a higher one, up to 254, or that router a lower one", r.Name, x.Source, x.Priority, r.Priority)
					}
					if !r.Preempt {
						say(true, "no-preempt", "virtual router %s: preempt is off, so %v (priority %d) would be left what it has: take preempt = false out, or end that router", r.Name, x.Source, x.Priority)
					}
					if d := delayed(r, h); d > delay {
						delay, delaying = d, x
					}
				}
				for _, d := range x.Differs {
					if d.What != "equal-priority" { // said above
						say(!d.Harmless, "mismatch-"+d.What, "virtual router %s: %s", r.Name, d.Text)
					}
				}
			}
		}
		if delay > 0 {
			say(true, "preempt-delay", "virtual router %s: preempt_delay leaves %v (priority %d) what it has for another %v: wait until then, or take preempt_delay out",
				r.Name, delaying.Source, delaying.Priority, delay.Round(time.Second/10))
		}
		if !active {
			say(false, "no-master", "virtual router %s: none of its peers is heard as active: it may be that nobody has its VIPs now, or that it speaks to others by unicast (`quorate vrrp show %s` has what is heard)", r.Name, r.Name)
			unheard(s, r, say)
		}
	}
}

// unheard says who answers for the VIPs of a router though nobody speaks for it.
func unheard(s api.Sight, r api.RouterAside, say func(bool, string, string, ...any)) {
	for _, v := range s.VIPs {
		if v.Router != r.Name {
			continue
		}
		var answer heard
		for _, n := range s.Nodes {
			if h, ok := address(n, v.Address); ok && len(h.MACs) > 0 && v.Mode == string(fsm.ShadowMode) {
				answer.add(fmt.Sprintf("%s answers for %v (%s)", few(h.MACs, ", ", mostNodes), v.Address, v.Name), n.Node)
			}
		}
		for _, text := range answer.list() {
			say(true, "unheard", "%s, and no router is heard to speak for it: it would not give way; compare its settings (`quorate vrrp scan` on its link), or switch it off", text)
		}
	}
}

func againstGiveback(s api.Sight, say func(bool, string, string, ...any)) {
	for _, v := range s.VIPs {
		if v.Router == "" {
			say(true, "no-router", "%s has no virtual router: nobody outside the cluster would hear that it may have it", v.Name)
		}
	}
	for _, r := range s.Routers {
		if len(r.Peers) == 0 {
			say(true, "no-peers", "virtual router %s has no peers: nobody outside the cluster is known who could have its VIPs", r.Name)
			continue
		}
		if !slices.ContainsFunc(r.Peers, func(p netip.Addr) bool { return lives(s, r.Name, p) }) {
			var peers []string
			for _, p := range r.Peers {
				peers = append(peers, p.String())
			}
			say(true, "nobody-left", "virtual router %s: none of its peers (%s) is heard, or answers for its own address: nobody would have its VIPs; start one of them", r.Name, strings.Join(peers, ", "))
		} else if !slices.ContainsFunc(s.Nodes, func(n api.NodeSight) bool {
			h, _ := router(n, r.Name)
			return slices.ContainsFunc(h.Heard, func(x api.Rival) bool { return x.Role == "listed" })
		}) {
			say(false, "never-heard", "virtual router %s: no advert of any of its peers was ever heard here: make sure that VRRP runs on one of them, since nobody has the VIPs until that shows", r.Name)
		}
	}
}

// lives reports whether any node hears a router outside the cluster: its adverts, or an answer for its own address. Whether VRRP runs on it shows only once it has to take over.
func lives(s api.Sight, name string, peer netip.Addr) bool {
	for _, n := range s.Nodes {
		if slices.ContainsFunc(n.Addresses, func(h api.HeardAddress) bool {
			return h.Address == peer && (h.Router == "" || h.Router == name) && (len(h.MACs) > 0 || h.Here)
		}) {
			return true
		}
		if h, ok := router(n, name); ok && slices.ContainsFunc(h.Heard, func(x api.Rival) bool { return x.Source == peer && x.Active }) {
			return true
		}
	}
	return false
}

func names(s api.Sight) string {
	var out []string
	for _, v := range s.VIPs {
		out = append(out, v.Name)
	}
	return few(out, ", ", mostParts)
}

func owns(s api.Sight, name string, node fsm.NodeID) bool {
	return slices.ContainsFunc(s.VIPs, func(v api.SightVIP) bool { return v.Router == name && v.Owner == node })
}

func address(n api.NodeSight, a netip.Addr) (api.HeardAddress, bool) {
	i := slices.IndexFunc(n.Addresses, func(h api.HeardAddress) bool { return h.Address == a })
	if i < 0 {
		return api.HeardAddress{}, false
	}
	return n.Addresses[i], true
}

func router(n api.NodeSight, name string) (api.HeardRouter, bool) {
	i := slices.IndexFunc(n.Routers, func(r api.HeardRouter) bool { return r.Name == name })
	if i < 0 {
		return api.HeardRouter{}, false
	}
	return n.Routers[i], true
}
