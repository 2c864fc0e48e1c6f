package sim

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"quorate/fsm"
	"quorate/vip/gate"
)

// check is what must hold after every step. At most one node claims an address, whatever network's name it goes by; nobody
// answers under an epoch that was fenced; and who claims nothing takes packets for no longer than a linger.
//
// Time alone begins no claim, so that only steps after which something is different are looked at.
func (w *World) check() {
	w.steps++
	if !w.dirty {
		return
	}
	w.dirty = false
	w.checks++
	var holders [maxSlots]*node
	held := false
	for _, n := range w.nodes {
		boot := n.instant().Boot
		for s := range w.slots.used() {
			if n.claims(s, w.now, boot) {
				if o := holders[s]; o != nil {
					who := []fsm.NodeID{o.id, n.id}
					w.fail("%v has two holders: %v\n    %s", w.slots.addrs[s], who, w.explain(who))
					return
				}
				holders[s], held = n, true
			}
			w.checkGate(n, s, boot)
		}
	}
	if held {
		w.holds++
	}
}

// checkGate is what must hold for what a node's kernel answers.
func (w *World) checkGate(n *node, s int, boot time.Duration) {
	k := n.kernel
	if n.suspended || !k.has(s, w.now) || !k.passes(s, gate.IP, boot) {
		n.mute[s] = 0
		return
	}
	if e := fsm.Epoch(k.vips[s].Epoch); e <= w.fenced[n.id] && k.attached {
		w.fail("%s answers for %v under epoch %d, which was fenced", n.id, w.slots.addrs[s], e)
	}
	switch {
	case k.passes(s, gate.ARP, boot):
		n.mute[s] = 0
	case n.mute[s] == 0:
		n.mute[s] = boot
		w.happened["lingered"]++
	case boot > k.vips[s].IPUntil:
		w.fail("%s answers for %v %v after its linger", n.id, w.slots.addrs[s], boot-k.vips[s].IPUntil)
	case boot > n.mute[s]+w.longestLinger:
		w.fail("%s answers for %v %v after it ceased to claim it", n.id, w.slots.addrs[s], boot-n.mute[s])
	}
}

// maxSlots is how many addresses a schedule plays with, at most.
const maxSlots = 4

// slots number addresses.
type slots struct {
	addrs []netip.Addr
}

func (s *slots) used() int { return len(s.addrs) }

// slot is the number of an address.
func (w *World) slot(a netip.Addr) int {
	if i := slices.Index(w.slots.addrs, a); i >= 0 {
		return i
	}
	w.slots.addrs = append(w.slots.addrs, a)
	return len(w.slots.addrs) - 1
}

func (w *World) explain(who []fsm.NodeID) string {
	var b bytes.Buffer
	for _, id := range who {
		n := w.byID[id]
		fmt.Fprintf(&b, "%s's kernel: %v, deadlines %v at %v; ", id, n.kernel.vips, n.kernel.leases, n.instant().Boot)
		if n.up {
			fmt.Fprintf(&b, "%s: applied %d of %d, epoch %d, open %v, owns %v; ", id, n.applied, len(w.log), n.state.Nodes[id].Epoch, n.open, n.state.Owned(id))
		}
	}
	return b.String()
}

// checkEpochs is what must hold between an entry's state and the next: epochs only grow.
func (w *World) checkEpochs(old, s *fsm.State) {
	if s.Index != old.Index+1 {
		w.fail("entry %d: the index went from %d to %d", len(w.log), old.Index, s.Index)
	}
	for id, nd := range s.Nodes {
		if o, ok := old.Nodes[id]; ok && o.Store == nd.Store && nd.Epoch < o.Epoch || nd.Epoch > fsm.Epoch(s.Index) {
			w.fail("entry %d: node epoch of %s went from %d to %d", len(w.log), id, o.Epoch, nd.Epoch)
		}
	}
	for k, a := range s.Assignments {
		if o, ok := old.Assignments[k]; ok && (a.Epoch < o.Epoch || a.Owner != o.Owner && a.Epoch == o.Epoch) {
			w.fail("entry %d: %v went from %s at epoch %d to %s at %d", len(w.log), k, o.Owner, o.Epoch, a.Owner, a.Epoch)
		}
	}
	if s.Grantors.Index < old.Grantors.Index {
		w.fail("entry %d: the grantor set went back from %d to %d", len(w.log), old.Grantors.Index, s.Grantors.Index)
	}
}

// allowance is how long it may take after the last fault until every VIP is held: longer where somebody may still have a long lease.
func (w *World) allowance() time.Duration {
	for _, s := range w.states {
		if s.Config.Settings.Profile == fsm.WAN {
			return w.opt.Heal + 4*fsm.WAN.Timing().TTL
		}
	}
	return w.opt.Heal
}

// hiccup is how long at most a VIP may be without a holder although all is well: a process that is slow for a moment lets a
// short lease run out now and then.
const hiccup = 300 * time.Millisecond

// checkServed is what must hold some time after the faults have stopped: every VIP is held by the node that owns it.
func (w *World) checkServed() {
	missing := w.missing()
	for end := w.now + hiccup; missing != "" && w.violation == nil && w.next(end); missing = w.missing() {
		w.check()
	}
	if missing != "" {
		w.fail("%v after the last fault nobody holds VIP %s (leader %v, grantors %+v)%s", w.allowance(), missing, w.leader() != nil, w.states[len(w.log)].Grantors, w.census())
	}
}

// awaitCalm ends the schedule when for half a second nothing has been left to be done: what would follow is renewals.
func (w *World) awaitCalm(calm time.Duration) {
	const every, enough = 50 * time.Millisecond, 500 * time.Millisecond
	if !w.settled() || slices.ContainsFunc(w.nodes, func(n *node) bool { return len(n.lingers) > 0 || n.state.Nodes[n.id].Draining }) {
		calm = -every
	}
	w.calm = calm >= enough
	w.after(every, func() { w.awaitCalm(calm + every) })
}

// settled reports whether all is as it should be: everybody is a member, and everything is agreed, applied and held.
func (w *World) settled() bool {
	s := w.states[len(w.log)]
	if w.now < 300*time.Millisecond || w.leader() == nil || len(w.limbo)+len(w.joining)+len(w.removing) > 0 ||
		len(w.voters) != len(w.nodes) || len(s.Grantors.Members) != len(w.nodes) {
		return false
	}
	for _, n := range w.nodes {
		if !n.up || !n.ready || n.applied != len(w.log) || w.checked && len(n.news(s)) > 0 {
			return false
		}
	}
	for _, a := range s.Assignments {
		if a.Release != nil {
			return false
		}
	}
	return w.missing() == ""
}

// missing is a VIP that its owner does not hold, and what is agreed of it; "" = none. Nobody has to hold one while all nodes drain.
func (w *World) missing() string {
	s := w.states[len(w.log)]
	able := 0
	for _, nd := range s.Nodes {
		if !nd.Draining && !nd.Leaving {
			able++
		}
	}
	if able == 0 {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(s.Config.VIPs)) {
		v := s.Config.VIPs[name]
		a := s.Assignments[v.Key()]
		if !eligible(s, name) {
			continue
		}
		if n := w.byID[a.Owner]; n == nil || !n.holds(v.Key()) {
			return fmt.Sprintf("%s, %+v", name, a)
		}
		if why := barred(s, name, a.Owner); why != "" {
			return fmt.Sprintf("%s but %s, although %s and others may have it", name, a.Owner, why)
		}
	}
	return ""
}

func (w *World) census() string {
	var b bytes.Buffer
	for _, n := range w.nodes {
		fmt.Fprintf(&b, "\n    %s up %v store %s voter %v lead %d ready %v have %d applied %d of %d", n.id, n.up, n.disk.store, w.isVoter(n.member()), n.lead, n.ready, n.disk.have, n.applied, len(w.log))
		fmt.Fprintf(&b, " kernel %v expires %v deadlines %v at %v", n.kernel.vips, n.kernel.expires, n.kernel.leases, n.instant().Boot)
		if n.up {
			fmt.Fprintf(&b, " epoch %d live %v open %v", n.state.Nodes[n.id].Epoch, n.m.Live(n.state.Nodes[n.id].Epoch, n.instant()), n.open)
			if n.lead != 0 {
				fmt.Fprintf(&b, " hints %+v busy %v allowed %+v", n.m.Hints(n.instant()), n.busy, n.allowed)
			}
		}
	}
	return b.String()
}

// checkReplay is what makes a replicated state machine one: the same entries give the same state again, also by way of a
// snapshot in the middle.
func (w *World) checkReplay() {
	s := fsm.New()
	half := len(w.log) / 2
	for i, c := range w.log {
		s, _ = s.Apply(uint64(i+1), c)
		if i == half {
			var b bytes.Buffer
			if err := s.Snapshot(&b); err != nil {
				w.fail("snapshot: %v", err)
				return
			}
			r, err := fsm.Restore(&b)
			if err != nil {
				w.fail("restore: %v", err)
				return
			}
			s = r
		}
	}
	if want := w.states[len(w.log)]; !reflect.DeepEqual(encoded(s), encoded(want)) {
		w.fail("replaying the log through a snapshot gives another state")
	}
}

func encoded(s *fsm.State) string {
	var b bytes.Buffer
	_ = s.Snapshot(&b)
	return b.String()
}
