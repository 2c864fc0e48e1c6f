package agent

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"quorate/agent/speak"
	"quorate/fsm"
	"quorate/vip/vrrp"
)

// routersTold takes what the voices have to tell of other routers into the timeline: each thing once an hour at most, and from one node of those that hear it.
type routersTold struct {
	events chan speak.Event
	claims chan speak.ID // addresses that another router has claimed
}

func newRoutersTold() routersTold {
	return routersTold{events: make(chan speak.Event, 64), claims: make(chan speak.ID, 64)}
}

// tell and claimed are called by a Speaker, and do not wait.
func (t routersTold) tell(e speak.Event) {
	select {
	case t.events <- e:
	default: // a flood: what matters is said again
	}
}

func (t routersTold) claimed(id speak.ID) {
	select {
	case t.claims <- id:
	default:
	}
}

const (
	// routerQuiet is for how long nothing is told again.
	routerQuiet = time.Hour
	// maxRouterNews bounds what is remembered, and so how much a forger of ever new sources can have told in an hour.
	maxRouterNews = 256
	// maxStrangers is of how many routers that it was not told of each virtual router has something told in an hour: whoever invents more shall not push out of
	// the timeline, or of what is remembered, what is known of those that count.
	maxStrangers = 4
	// routerTurn is how much longer each node waits, in the order of their names, whether another one has told the same.
	routerTurn = 500 * time.Millisecond
)

// routerNews is what makes two events the same.
type routerNews struct {
	router     string
	kind       speak.EventKind
	cause      vrrp.Cause
	difference vrrp.Difference
	source     netip.Addr
}

// routersNews remembers what was told in the last hour.
type routersNews struct {
	told      map[routerNews]time.Time
	strangers map[routerNews]time.Time // by router and source
}

// text is what is to be told now; "" = nothing.
func (n *routersNews) text(e speak.Event, now time.Time) string {
	if n.told == nil {
		n.told, n.strangers = map[routerNews]time.Time{}, map[routerNews]time.Time{}
	}
	for _, m := range []map[routerNews]time.Time{n.told, n.strangers} {
		maps.DeleteFunc(m, func(_ routerNews, at time.Time) bool { return now.Sub(at) >= routerQuiet })
	}
	key := routerNews{e.Router, e.Kind, e.Cause, e.Difference, e.Source}
	if _, known := n.told[key]; known || len(n.told) >= maxRouterNews {
		return ""
	}
	if e.Kind == speak.Alarmed && e.Cause == vrrp.ByStranger || e.Kind == speak.Differs && e.Role == vrrp.Stranger {
		who := routerNews{router: e.Router, source: e.Source}
		if _, known := n.strangers[who]; !known {
			others := 0
			for x := range n.strangers {
				if x.router == e.Router {
					others++
				}
			}
			if others > maxStrangers {
				return ""
			}
			n.strangers[who] = now
			if others == maxStrangers {
				n.told[key] = now
				return fmt.Sprintf("virtual router %s: more than %d routers that are not among its peers advertise vrid %d: nothing is changed by it, and no more of them are told for an hour; find out who sends that", e.Router, maxStrangers, e.ID.VRID)
			}
		}
	}
	n.told[key] = now
	return routerText(e)
}

func (t routersTold) run(ctx context.Context, a *Agent) error {
	var news routersNews
	for {
		var e speak.Event
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e = <-t.events:
		}
		text := news.text(e, time.Now())
		if text == "" {
			continue
		}
		a.log.Warn(text, "router", e.Router, "link", e.ID.Link, "vrid", e.ID.VRID)
		s := a.node.State()
		wait := time.NewTimer(time.Duration(rank(s, a.o.Name)) * routerTurn)
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
		if s = a.node.State(); !toldLately(s, text, time.Now()) {
			a.report(fsm.Event{Kind: fsm.EventReported, Node: a.o.Name, VIP: firstVIP(s, e.Router), Reason: routerReason(e), Text: text})
		}
	}
}

// rank is how many nodes come before this one.
func rank(s *fsm.State, self fsm.NodeID) (n int) {
	for id, x := range s.Nodes {
		if x.Role == fsm.Director && id < self {
			n++
		}
	}
	return n
}

// toldLately reports whether the timeline has it.
func toldLately(s *fsm.State, text string, now time.Time) bool {
	return slices.ContainsFunc(s.Events, func(e fsm.Event) bool { return e.Text == text && now.Sub(e.At) < routerQuiet })
}

// firstVIP is a VIP of the virtual router, for those who look for events of VIPs.
func firstVIP(s *fsm.State, router string) string {
	for _, r := range s.Config.VirtualRouters() {
		if r.Name == router && len(r.VIPs) > 0 {
			return r.VIPs[0].Name
		}
	}
	return ""
}

func routerReason(e speak.Event) fsm.ReasonCode {
	if e.Kind == speak.Alarmed {
		return fsm.ReasonForeign
	}
	return ""
}

// routerText says it in a sentence, with the cure.
func routerText(e speak.Event) string {
	if e.Kind == speak.Differs {
		return fmt.Sprintf("virtual router %s: %s", e.Router, e.Text)
	}
	who := fmt.Sprintf("virtual router %s: router %v on %s advertises vrid %d with priority %d", e.Router, e.Source, e.ID.Link, e.ID.VRID, e.Priority)
	switch e.Cause {
	case vrrp.ByStranger:
		return who + ", and is not among its peers: nothing is changed by it; list it in peers if it may have the addresses, or find out who it is"
	case vrrp.ByFellow:
		return who + ", as a node of this cluster that does not own the addresses: nothing is changed by it; look at the agent of that node, or for somebody who uses its address"
	}
	return who + ", a better claim than ours, and yield = false: both claim the addresses; stop it there, or raise our priority"
}
