package fsm

import (
	"net/netip"
	"time"
)

// Assignment is the agreed ownership of one address. It outlives the VIP that it was made for: when the configuration
// drops or renames a VIP whose address is owned, the record stays with Release set until the owner has confirmed that it
// gave the address up (the tombstone of design §3).
type Assignment struct {
	Key   AddressKey `json:"key"`
	VIP   string     `json:"vip"`   // name of the VIP it was made for
	Owner NodeID     `json:"owner"` // "" = nobody
	// Address and Interface are those of the VIP when Owner was set: what the owner has put on its link. When the
	// configuration says something else, the owner has to give the address up before anybody, itself included, gets it anew.
	Address   netip.Prefix `json:"address"`
	Interface string       `json:"interface,omitempty"`
	// Epoch is the assignment epoch: the index of the entry that set Owner. Decisions name it and are refused when it
	// has changed.
	Epoch  Epoch  `json:"epoch"`
	Reason Reason `json:"reason"`
	// Since is the time of that entry. Since schema 2.
	Since time.Time `json:"since,omitzero"`
	// Flap counts failovers and remembers the last move that nobody asked for. Since schema 2.
	Flap Flap `json:"flap,omitzero"`
	// Release is set while the owner is asked to give the address up.
	Release *Release `json:"release,omitempty"`
	// Holders may claim the address without a quorum. Since schema 4; never changed in place.
	Holders []Holder `json:"holders,omitempty"`
	// Shadow says that the VIP was in shadow when Owner was set: the owner has nothing of it in its kernel. Since schema 7.
	Shadow bool `json:"shadow,omitempty"`
	// Fresh says, of a VIP of a virtual router, since which entry it is not known that Owner, or an owner before it, has opened it: a router outside the cluster may
	// answer for it still. 0: it is known. A fence or a move of what was never opened keeps it. Since schema 7.
	Fresh uint64 `json:"fresh,omitempty"`
}

// made reports whether v has what the assignment was made for: name, address, prefix length and interface.
func (a Assignment) made(v VIP) bool {
	return a.Key == v.Key() && a.VIP == v.Name && a.Address == v.Address && a.Interface == v.Interface
}

// Release asks an owner to give an address up. Its identity is the index of the entry that made it; a confirmation is
// worth something only for that index.
type Release struct {
	Index  uint64 `json:"index"`
	To     NodeID `json:"to,omitempty"` // intended next owner; "" = nobody (VIP removed, or no candidate)
	Reason Reason `json:"reason"`
}

// ReasonCode is why a decision was made. It reaches log, metric label, API and page unchanged.
type ReasonCode string

// The reasons of decisions.
const (
	ReasonPlaced     ReasonCode = "placed"     // the VIP had no owner
	ReasonFenced     ReasonCode = "fenced"     // the owner lost its lease
	ReasonDrained    ReasonCode = "drained"    // the owner is draining or leaving
	ReasonPreempted  ReasonCode = "preempted"  // a more preferred node is able
	ReasonRequested  ReasonCode = "requested"  // an operator asked for it
	ReasonRebalanced ReasonCode = "rebalanced" // another node has less for its weight
	ReasonGrouped    ReasonCode = "grouped"    // to join the other VIPs of its group
	ReasonUnable     ReasonCode = "unable"     // the owner can no longer serve it (interface, data plane, role)
	ReasonUnhealthy  ReasonCode = "unhealthy"  // a check of the owner fails
	ReasonRemoved    ReasonCode = "removed"    // the configuration no longer has a VIP of this name at this address
	ReasonChanged    ReasonCode = "changed"    // the configuration has another prefix length or interface for it
	ReasonPath       ReasonCode = "path"       // the owner does not reach the VIP's servers, and other nodes do; since schema 6
	// ReasonForeignOwner: a router outside the cluster has it, by VRRP; since schema 7. Of events, also the code of [ReasonForeign].
	ReasonForeignOwner ReasonCode = "foreign-owner"
	ReasonNoNode       ReasonCode = "no-node"    // no node is able to own it
	ReasonSuperseded   ReasonCode = "superseded" // a pending release is no longer wanted
	ReasonUnheard      ReasonCode = "unheard"    // the owner could not be heard on the wire, and other nodes could
	ReasonRecovered    ReasonCode = "recovered"  // the cluster was made of what one node knew of a lost one
)

// What a look at the wire found; reasons of events, never of decisions.
const (
	ReasonVerified  ReasonCode = "verified"        // the owner answers for the address
	ReasonNoOwner   ReasonCode = "no-owner"        // nobody answers
	ReasonDuplicate ReasonCode = "duplicate-owner" // more than one host answers, the owner among them
	ReasonForeign   ReasonCode = "foreign-owner"   // another host claims the address
)

// What happens to services and their servers; reasons of events, never of decisions. A drain may end with ReasonDrained too: the last
// connection of the server is gone.
const (
	ReasonTimeout    ReasonCode = "timeout" // the drain of a server has lasted as long as it may
	ReasonQuorumUp   ReasonCode = "quorum-up"
	ReasonPanic      ReasonCode = "panic" // too many of a service's servers went down at once, and stay
	ReasonPanicOver  ReasonCode = "panic-over"
	ReasonQuorumDown ReasonCode = "quorum-down"
)

// asked reports whether a move for this reason goes away from the owner, whatever the preferences say, and stays where it went.
func (c ReasonCode) asked() bool { return c == ReasonRequested || c == ReasonUnheard }

// Reason is a code and a sentence for a person, e.g. {drained, "n1 is draining; n2 has the fewest VIPs for its weight"}.
type Reason struct {
	Code ReasonCode `json:"code"`
	Text string     `json:"text,omitempty"`
}
