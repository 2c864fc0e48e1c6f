package fsm

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// QuorumLost is what becomes of a VIP when its owner loses the quorum.
type QuorumLost string

// The policies for a lost quorum. The zero value is release, so that a configuration that does not ask for more is written as
// schema 2 writes it.
const (
	ReleaseVIP QuorumLost = ""     // the owner gives it up: at any time at most one node claims it
	VRRPVIP    QuorumLost = "vrrp" // the nodes of its virtual router go on as routers of their own, by plain VRRP: the promise is suspended. Since schema 7.
	HoldVIP    QuorumLost = "hold" // the owner goes on while it sees no other claimant: the promise is suspended. Since schema 4.
)

// String is the form used in configuration files and texts.
func (q QuorumLost) String() string { return cmp.Or(string(q), "release") }

// outlasts reports whether an owner may go on without a quorum.
func (q QuorumLost) outlasts() bool { return q == HoldVIP || q == VRRPVIP }

// Holder is a node that may claim an address without a quorum, under [HoldVIP] or [VRRPVIP]. It is the owner, or was it and has not
// confirmed since that it does so no more: a node that nobody hears may hold an address of which it was fenced. As long as there is such a
// one, the VIP is suspended: its owner asks on the link whether somebody else answers before it opens the address.
type Holder struct {
	Node NodeID `json:"node"`
	// Ended is the index of the entry after which the node may hold the address no more; 0 = it is the owner and may.
	Ended uint64 `json:"ended,omitempty"`
}

// HoldOff is a node's word that it has applied Index, and claims nothing without a quorum that it may not claim by that state. It is
// refused when Epoch is not the node's: an earlier process, or one that was fenced since, says nothing of now. Since schema 4.
type HoldOff struct {
	Node  NodeID `json:"node"`
	Epoch Epoch  `json:"epoch"`
	Index uint64 `json:"index"`
}

// Suspensions are, by address, the nodes that may still claim it without a quorum though it is no longer theirs. It is by the address
// alone, because a VIP that gets another network's name stays on the same wire.
type Suspensions map[netip.Addr][]NodeID

// Suspensions of the state; nil when there are none.
func (s *State) Suspensions() Suspensions {
	var out Suspensions
	for k, a := range s.Assignments {
		for _, h := range a.Holders {
			if h.Ended == 0 || slices.Contains(out[k.Addr], h.Node) {
				continue
			}
			if out == nil {
				out = Suspensions{}
			}
			out[k.Addr] = append(out[k.Addr], h.Node)
			slices.Sort(out[k.Addr])
		}
	}
	return out
}

// By returns who else than the owner may still claim the address, sorted.
func (x Suspensions) By(k AddressKey, owner NodeID) []NodeID {
	return slices.DeleteFunc(slices.Clone(x[k.Addr]), func(n NodeID) bool { return n == owner })
}

// HoldsEnded returns the index that the node has to have applied, and HoldOff to say so, or 0 when nothing is asked of it.
func (s *State) HoldsEnded(node NodeID) uint64 {
	var last uint64
	for _, a := range s.Assignments {
		for _, h := range a.Holders {
			if h.Node == node {
				last = max(last, h.Ended)
			}
		}
	}
	return last
}

// holdersAfter are the holders of rec once next ("" = nobody) has the address, by v's policy. The slice is a new one.
func (e *entry) holdersAfter(rec Assignment, next NodeID, policy QuorumLost) []Holder {
	var out []Holder
	for _, h := range rec.Holders {
		switch {
		case h.Node == rec.Owner && rec.Owner != e.fencing:
			continue // it has confirmed that it gave the address up
		case h.Node == rec.Owner && h.Ended == 0:
			h.Ended = e.index
		}
		if h.Node != next || !policy.outlasts() {
			out = append(out, h)
		}
	}
	if next != "" && policy.outlasts() {
		out = append(out, Holder{Node: next})
	}
	return out
}

// matchHolders follows a change of the configuration: owners of VIPs that are to be held may hold them, others no more.
func (e *entry) matchHolders() {
	for _, k := range sortedKeys(e.next.Assignments) {
		a := e.next.Assignments[k]
		v, configured := e.next.VIPByKey(k)
		hold := configured && e.next.Config.Matches(a, v) && v.QuorumLost.outlasts() && !a.Shadow
		i := slices.IndexFunc(a.Holders, func(h Holder) bool { return h.Node == a.Owner })
		switch {
		case a.Owner == "":
			continue
		case hold && i < 0:
			a.Holders = append(slices.Clone(a.Holders), Holder{Node: a.Owner})
		case hold && a.Holders[i].Ended > 0:
			a.Holders = slices.Clone(a.Holders)
			a.Holders[i].Ended = 0
		case !hold && i >= 0 && a.Holders[i].Ended == 0:
			a.Holders = slices.Clone(a.Holders)
			a.Holders[i].Ended = e.index
		default:
			continue
		}
		e.assignments()[k] = a
	}
}

func (e *entry) holdOff(c HoldOff) error {
	n, err := e.under(c.Node, c.Epoch)
	if err != nil {
		return err
	}
	if names := e.dropHolders(n.ID, c.Index); len(names) > 0 {
		e.event(Event{Kind: EventNode, Node: n.ID,
			Text: fmt.Sprintf("%s has confirmed that it does not hold %s without a quorum", n.ID, strings.Join(names, ", "))})
	}
	return nil
}

// dropHolders forgets that the node may hold what it lost by the entry at index or earlier, and names the VIPs.
func (e *entry) dropHolders(id NodeID, index uint64) (names []string) {
	for _, k := range sortedKeys(e.next.Assignments) {
		a := e.next.Assignments[k]
		left := slices.DeleteFunc(slices.Clone(a.Holders), func(h Holder) bool { return h.Node == id && h.Ended > 0 && h.Ended <= index })
		if len(left) == len(a.Holders) {
			continue
		}
		names = append(names, a.VIP)
		if a.Holders = left; len(left) == 0 {
			a.Holders = nil
		}
		if _, configured := e.next.VIPByKey(k); a.Owner == "" && !configured && a.Holders == nil {
			delete(e.assignments(), k)
			continue
		}
		e.assignments()[k] = a
	}
	return names
}

// suspendedText is the end of a sentence about an assignment that somebody else may still hold; or nothing.
func (e *entry) suspendedText(a Assignment) string {
	nodes := e.next.Suspensions().By(a.Key, a.Owner)
	if len(nodes) == 0 {
		return ""
	}
	return fmt.Sprintf("; suspended: %s may still hold it without a quorum, so its owner asks on the link before it opens it", join(nodes, ", "))
}
