package fsm

import (
	"cmp"
	"fmt"
)

// fenced raises the node's epoch, gives its addresses to others and clears the rest, all in one entry: with an index
// after this one the node owns nothing, and with an earlier one nobody else does.
func (e *entry) fenced(c Fenced) error {
	n, err := e.under(c.Node, c.Epoch)
	if err != nil {
		return fmt.Errorf("fence of %w", err)
	}
	if e.next.Grantors.Index != c.GrantorIndex {
		return fmt.Errorf("fence of node %s: %w: the grantor set is that of entry %d, not %d", n.ID, ErrStale, e.next.Grantors.Index, c.GrantorIndex)
	}
	n = n.unchecked()
	n.Epoch = Epoch(e.index)
	e.fencing = n.ID
	if e.counts() && !n.Flap.Away { // fenced again while it is away, it has failed once
		n.Flap = n.Flap.again(e.at)
		n.Flap.Away = true
	}
	e.nodes()[n.ID] = n

	owned := e.next.Owned(n.ID)
	text := fmt.Sprintf("%s was fenced", n.ID)
	if seen := clip(c.Text, 512); seen != "" {
		text += ": " + seen
	}
	e.event(Event{Kind: EventFence, Node: n.ID, Reason: ReasonFenced, Text: fmt.Sprintf("%s; it owned %s", text, plural(len(owned), "VIP"))})

	held := newContested(e.next)
	before := make(map[AddressKey]Assignment, len(owned))
	for _, k := range owned {
		before[k] = e.next.Assignments[k]
		if e.next.lingers(before[k]) {
			held[k.Addr]-- // it is silent now, under every name
		}
	}
	for _, m := range c.Moves {
		rec, ok := before[m.Key]
		v := e.next.Config.VIPs[m.VIP]
		switch why := cmp.Or(e.unfitOwner(m.To, m.ToEpoch), e.barred(v)); {
		case !ok:
			e.refuse(m.Key, "%s does not own it", n.ID)
		case rec.Epoch != m.Epoch:
			e.refuse(m.Key, "its assignment epoch is %d, not %d", rec.Epoch, m.Epoch)
		case v.Name == "" || v.Key() != m.Key:
			e.refuse(m.Key, "no vip %q is configured at this address", m.VIP)
		case why != "":
			e.refuse(m.Key, "%s", why)
		case held[m.Key.Addr] > 0:
			e.refuse(m.Key, "the address is still owned under an earlier configuration of another network")
		default:
			e.give(rec, v, m.To, m.Reason.clip(), contested{})
			delete(before, m.Key)
		}
	}
	for _, k := range sortedKeys(before) {
		e.clear(before[k], Reason{ReasonFenced, text}, contested{})
	}
	return nil
}

// raise answers an orphaned promise: some grantor refuses the node's epoch for ever, and no fence took anything from it.
func (e *entry) raise(c Raise) error {
	n, err := e.under(c.Node, c.Epoch)
	if err != nil {
		return fmt.Errorf("raise of %w", err)
	}
	n.Epoch = Epoch(e.index)
	e.nodes()[n.ID] = n
	e.event(Event{Kind: EventRaise, Node: n.ID,
		Text: fmt.Sprintf("%s got a new epoch, because a grantor promised to refuse its earlier one; it keeps its VIPs", n.ID)})
	return nil
}
