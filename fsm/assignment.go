package fsm

// Assignment is the agreed ownership of one address. It outlives the VIP that it was made for: when the configuration
// drops or renames a VIP whose address is owned, the record stays with Release set until the owner has confirmed that it
// gave the address up (the tombstone of design §3).
type Assignment struct {
	Key   AddressKey `json:"key"`
	VIP   string     `json:"vip"`   // name of the VIP it was made for
	Owner NodeID     `json:"owner"` // "" = nobody
	// Epoch is the assignment epoch: the index of the entry that set Owner. Decisions name it and are refused when it
	// has changed.
	Epoch  Epoch  `json:"epoch"`
	Reason Reason `json:"reason"`
	// Release is set while the owner is asked to give the address up.
	Release *Release `json:"release,omitempty"`
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
	ReasonGrouped    ReasonCode = "grouped"    // to join the other VIPs of its group
	ReasonUnable     ReasonCode = "unable"     // the owner can no longer serve it (interface, data plane, role)
	ReasonPathFault  ReasonCode = "path-fault" // only the owner cannot reach servers that the others reach
	ReasonRemoved    ReasonCode = "removed"    // the configuration no longer has the VIP at this address
	ReasonNoNode     ReasonCode = "no-node"    // no node is able to own it
	ReasonSuperseded ReasonCode = "superseded" // a pending release is no longer wanted
)

// Reason is a code and a sentence for a person, e.g. {drained, "n1 is draining; n2 has the fewest VIPs for its weight"}.
type Reason struct {
	Code ReasonCode `json:"code"`
	Text string     `json:"text,omitempty"`
}
