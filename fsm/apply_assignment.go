package fsm

import (
	"cmp"
	"fmt"
	"net/netip"
)

// decide carries out decisions one by one; each is judged by the state that those before it have left.
func (e *entry) decide(c Decide) {
	var held contested
	for _, a := range c.Assign {
		if held == nil {
			held = newContested(e.next)
		}
		e.assign(a, held)
	}
	begun := map[string]bool{} // units that begin to move though they are served where they are
	for _, r := range c.Release {
		if e.startRelease(r) && !r.Reason.Code.forced() {
			begun[e.unitOf(r.Key)] = true
		}
	}
	e.spend(len(begun))
	for _, c := range c.Cancel {
		e.cancel(c)
	}
	for _, b := range c.Back {
		e.back(b)
	}
}

// contested counts, for each IP address, the owned records that no longer match the configuration, but for those in shadow. Such an owner may
// still have the address on the wire, on whichever network: relabelling the network of a VIP makes another key but no
// other wire, so nobody gets the address under any key until the old record is gone.
type contested map[netip.Addr]int

func newContested(s *State) contested {
	held := contested{}
	for k, a := range s.Assignments {
		if s.lingers(a) {
			held[k.Addr]++
		}
	}
	return held
}

// beside reports whether another record than a holds a's address so; own says that a itself is counted.
func (c contested) beside(a Assignment, own bool) bool {
	n := c[a.Key.Addr]
	if own {
		n--
	}
	return n > 0
}

func (e *entry) assign(c Assign, held contested) {
	rec, exists := e.next.Assignments[c.Key]
	rec.Key = c.Key
	if rec.Epoch != c.Epoch {
		e.refuse(c.Key, "its assignment epoch is %d, not %d", rec.Epoch, c.Epoch)
		return
	}
	// The one way to take an address from a living owner: the owner has confirmed this release, and it is still wanted.
	if rec.Owner != "" && (rec.Release == nil || c.ReleaseIndex == 0 || rec.Release.Index != c.ReleaseIndex) {
		e.refuse(c.Key, "%s owns it, and release %d is not current", rec.Owner, c.ReleaseIndex)
		return
	}
	if c.Owner == "" {
		if !exists {
			e.refuse(c.Key, "there is no record of it")
			return
		}
		e.clear(rec, c.Reason.clip(), held)
		return
	}
	v, ok := e.next.Config.VIPs[c.VIP]
	if !ok || v.Key() != c.Key {
		e.refuse(c.Key, "no vip %q is configured at this address", c.VIP)
		return
	}
	if why := cmp.Or(e.unfitOwner(c.Owner, c.OwnerEpoch), e.barred(v)); why != "" {
		e.refuse(c.Key, "%s", why)
		return
	}
	if held.beside(rec, e.next.lingers(rec)) {
		e.refuse(c.Key, "the address is still owned under an earlier configuration of another network")
		return
	}
	e.give(rec, v, c.Owner, c.Reason.clip(), held)
}

// unfitOwner says why the node cannot become an owner, or nothing.
func (e *entry) unfitOwner(id NodeID, epoch Epoch) string {
	n, ok := e.next.Nodes[id]
	switch {
	case !ok:
		return fmt.Sprintf("node %q is not known", id)
	case n.Role != Director:
		return fmt.Sprintf("node %s is a %s", id, n.Role)
	case n.Epoch != epoch:
		return fmt.Sprintf("the epoch of node %s is %d, not %d", id, n.Epoch, epoch)
	}
	return ""
}

// give makes owner the owner of v's address. rec is the record as it was.
func (e *entry) give(rec Assignment, v VIP, owner NodeID, why Reason, held contested) {
	from := ""
	if rec.Owner != "" && rec.Owner != owner {
		from = string(rec.Owner) + " → "
	}
	if e.next.lingers(rec) {
		held[rec.Key.Addr]--
	}
	shadow, policy := e.next.Config.Shadows(v), v.QuorumLost
	if shadow {
		policy = ReleaseVIP // it has nothing to hold
	}
	next := Assignment{
		Key: rec.Key, VIP: v.Name, Owner: owner, Address: v.Address, Interface: v.Interface, Epoch: Epoch(e.index), Reason: why,
		Since: e.since(), Flap: e.flapOf(rec, why.Code), Holders: e.holdersAfter(rec, owner, policy),
		Shadow: shadow, Fresh: e.freshAfter(rec, v),
	}
	if rec.Owner != "" && rec.Shadow != shadow { // what did not happen is no failure
		next.Flap = Flap{}
	}
	e.assignments()[rec.Key] = next
	if shadow {
		e.wouldHave(next, shadowed(rec, owner), why)
		return
	}
	if rec.Shadow {
		from = "" // it had nothing
	}
	e.event(Event{Kind: EventAssign, Node: owner, VIP: v.Name, Reason: why.Code,
		Text: fmt.Sprintf("%s (%v): %s%s%s%s", v.Name, next.Key, from, owner, because(why), e.suspendedText(next))})
}

// clear records that nobody owns the address, or forgets it when it is not configured.
func (e *entry) clear(rec Assignment, why Reason, held contested) {
	switch {
	case rec.Owner == "":
	case rec.Shadow:
		e.wouldHave(rec, "given it up", why)
	default:
		e.event(Event{Kind: EventAssign, Node: rec.Owner, VIP: rec.VIP, Reason: why.Code,
			Text: fmt.Sprintf("%s (%v): %s no longer owns it%s", rec.VIP, rec.Key, rec.Owner, because(why))})
	}
	if e.next.lingers(rec) {
		held[rec.Key.Addr]--
	}
	v, configured := e.next.VIPByKey(rec.Key)
	holders := e.holdersAfter(rec, "", ReleaseVIP)
	switch {
	case !configured && len(holders) == 0:
		delete(e.assignments(), rec.Key)
		return
	case !configured: // remembered for whoever gets the address next
		v = VIP{Name: rec.VIP, Address: rec.Address, Interface: rec.Interface}
	}
	e.assignments()[rec.Key] = Assignment{
		Key: rec.Key, VIP: v.Name, Address: v.Address, Interface: v.Interface, Epoch: Epoch(e.index), Reason: why,
		Since: e.since(), Flap: e.flapOf(rec, why.Code), Holders: holders,
	}
}

// startRelease reports whether it was done.
func (e *entry) startRelease(c StartRelease) bool {
	rec, ok := e.next.Assignments[c.Key]
	switch {
	case !ok || rec.Owner == "":
		e.refuse(c.Key, "nobody owns it")
		return false
	case rec.Epoch != c.Epoch:
		e.refuse(c.Key, "its assignment epoch is %d, not %d", rec.Epoch, c.Epoch)
		return false
	case rec.Release != nil:
		e.refuse(c.Key, "release %d is pending already", rec.Release.Index)
		return false
	case c.To == rec.Owner:
		e.refuse(c.Key, "%s has it already", c.To)
		return false
	case c.To != "" && e.next.Nodes[c.To].Role != Director:
		e.refuse(c.Key, "%q is no director of this cluster", clip(string(c.To), 80))
		return false
	}
	why := c.Reason.clip()
	rec.Release = &Release{Index: e.index, To: c.To, Reason: why}
	e.assignments()[c.Key] = rec
	if rec.Shadow {
		return true // the owner confirms it at once, and what comes of it is told
	}
	how := fmt.Sprintf("%s gives it up", rec.Owner)
	if c.To != "" {
		how = fmt.Sprintf("%s hands it to %s", rec.Owner, c.To)
	}
	e.event(Event{Kind: EventRelease, Node: rec.Owner, VIP: rec.VIP, Reason: why.Code,
		Text: fmt.Sprintf("%s (%v): %s%s", rec.VIP, rec.Key, how, because(why))})
	return true
}

func (e *entry) cancel(c Cancel) {
	rec := e.next.Assignments[c.Key]
	switch {
	case rec.Release == nil || rec.Release.Index != c.ReleaseIndex:
		e.refuse(c.Key, "release %d is not current", c.ReleaseIndex)
		return
	case e.next.Tombstone(rec):
		// The owner would keep what the configuration no longer has.
		e.refuse(c.Key, "the configuration no longer has it as %s was given it", rec.Owner)
		return
	}
	why := c.Reason.clip()
	rec.Release = nil
	e.assignments()[c.Key] = rec
	if rec.Shadow {
		return
	}
	e.event(Event{Kind: EventCancel, Node: rec.Owner, VIP: rec.VIP, Reason: why.Code,
		Text: fmt.Sprintf("%s (%v): %s keeps it%s", rec.VIP, rec.Key, rec.Owner, because(why))})
}

// because is the second half of a sentence.
func because(r Reason) string {
	if r.Text == "" {
		return ""
	}
	return ": " + r.Text
}
