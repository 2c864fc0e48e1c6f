package agent

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

const (
	// keptFor is how long others must have answered for an address that is kept closed for it, to be news: whoever gives way is silent long before.
	keptFor = 2 * stubborn
	// maxKeptMACs is of how many MACs is told for one address in an hour: whoever answers with ever new ones shall not push out of the timeline what else is in it.
	maxKeptMACs = 4
)

// keptNews remembers, for an hour, of whom was told that answers for an address that this node would open.
type keptNews map[keptBy]time.Time

type keptBy struct {
	addr netip.Addr
	mac  string
}

// told are the events that are due by what is asked now: one an hour for each address and MAC.
func (n keptNews) told(s *fsm.State, self fsm.NodeID, asking map[fsm.AddressKey]asked, now time.Time) (out []fsm.Event) {
	maps.DeleteFunc(n, func(_ keptBy, at time.Time) bool { return now.Sub(at) >= routerQuiet })
	for _, k := range slices.SortedFunc(maps.Keys(asking), fsm.AddressKey.Compare) {
		x := asking[k]
		who := keptBy{k.Addr, x.heard.by}
		if _, known := n[who]; known || x.heard.by == "" || x.heard.until.Sub(x.heard.first) < keptFor {
			continue
		}
		others := 0
		for y := range n {
			if y.addr == k.Addr {
				others++
			}
		}
		if others >= maxKeptMACs || len(n) >= maxRouterNews {
			continue
		}
		n[who] = now
		out = append(out, fsm.Event{Kind: fsm.EventReported, Node: self, VIP: s.Assignments[k].VIP, Reason: fsm.ReasonForeign, Text: keptText(s, self, k, x)})
	}
	return out
}

// keptText says it in a sentence, with the cure.
func keptText(s *fsm.State, self fsm.NodeID, k fsm.AddressKey, x asked) string {
	text := fmt.Sprintf("%s: %s keeps it closed, as another host, %s, answers for it by ARP or neighbour discovery, and goes on", vipText(s, k), self, x.heard.by)
	if len(x.by) > 0 {
		var names []string
		for _, id := range x.by {
			names = append(names, string(id))
		}
		return text + fmt.Sprintf(": it may be %s, which may claim the address without a quorum; if it is not, find that host by its MAC and take the address off it", strings.Join(names, ", "))
	}
	return text + fmt.Sprintf(": it may be a router that does not hear virtual router %s (see `quorate vrrp show`); if it is not, find that host by its MAC and take the address off it", cmp.Or(x.router, "of the VIP"))
}

// keptClosed counts what is kept closed since others answer.
func (c *carried) keptClosed() (n int) {
	for _, x := range c.asking {
		if x.heard.by != "" {
			n++
		}
	}
	return n
}
