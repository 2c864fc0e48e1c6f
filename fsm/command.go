package fsm

import (
	"slices"
	"time"
)

// Command is one entry of the log. Exactly one of the pointers is set; a command with none is the empty entry that the
// leader appends so that followers learn the previous commit at once.
type Command struct {
	Schema Schema    `json:"schema"`
	At     time.Time `json:"at"`              // stamped by the leader that proposes
	Actor  string    `json:"actor,omitempty"` // who caused it, for the timeline

	Init          *Init          `json:"init,omitempty"`
	PutNode       *PutNode       `json:"put_node,omitempty"`
	RemoveNode    *RemoveNode    `json:"remove_node,omitempty"`
	SetFacts      *SetFacts      `json:"set_facts,omitempty"`
	SetDrain      *SetDrain      `json:"set_drain,omitempty"`
	SetGrantors   *SetGrantors   `json:"set_grantors,omitempty"`
	SetSchema     *SetSchema     `json:"set_schema,omitempty"`
	Configure     *Configure     `json:"configure,omitempty"`
	SetAdmin      *SetAdmin      `json:"set_admin,omitempty"`
	SetHealth     *SetHealth     `json:"set_health,omitempty"`
	Decide        *Decide        `json:"decide,omitempty"`
	Fenced        *Fenced        `json:"fenced,omitempty"`
	Raise         *Raise         `json:"raise,omitempty"`
	Record        *Record        `json:"record,omitempty"`
	HoldOff       *HoldOff       `json:"hold_off,omitempty"`
	EndDrain      *EndDrain      `json:"end_drain,omitempty"`
	Delivered     *Delivered     `json:"delivered,omitempty"`
	SetNodeHealth *SetNodeHealth `json:"set_node_health,omitempty"`
	SetPaths      *SetPaths      `json:"set_paths,omitempty"`
	SetForeign    *SetForeign    `json:"set_foreign,omitempty"`
	SetFresh      *SetFresh      `json:"set_fresh,omitempty"`
}

// needs is the schema that has all that the command says.
func (c Command) needs() Schema {
	need := schemaFirst
	if c.Init != nil {
		need = max(need, c.Init.Settings.needs())
	}
	if c.Configure != nil {
		need = max(need, c.Configure.Config.needs())
	}
	if c.Decide != nil && len(c.Decide.Back) > 0 {
		need = max(need, schemaMoves)
	}
	if c.Record != nil && c.Record.Event.Stages != (Stages{}) {
		need = max(need, schemaStages)
	}
	if c.HoldOff != nil {
		need = max(need, schemaHold)
	}
	if c.SetAdmin != nil && (c.SetAdmin.Admin == Disabled || c.SetAdmin.Timeout != nil) || c.EndDrain != nil ||
		c.Record != nil && c.Record.Event.Service != "" {
		need = max(need, schemaLVS)
	}
	if c.Delivered != nil || c.SetNodeHealth != nil || c.Record != nil && (c.Record.Event.Notifier != "" || c.Record.Event.N != 0) {
		need = max(need, schemaHealth)
	}
	if c.SetPaths != nil {
		need = max(need, schemaHealth)
	}
	if c.SetForeign != nil || c.SetFresh != nil {
		need = max(need, schemaVRRP)
	}
	if c.SetHealth != nil && slices.ContainsFunc(c.SetHealth.Verdicts, func(v ServerVerdict) bool { return v.Asked != Asked{} }) {
		need = max(need, schemaHealth)
	}
	return need
}

// Init is the first entry of a cluster: its id, its first node (epoch = index), the grantor set of that node, default
// settings. Refused when the cluster has an id.
type Init struct {
	ClusterID string   `json:"cluster_id"`
	Node      Node     `json:"node"`
	Settings  Settings `json:"settings"`
}

// PutNode adds a node (node epoch and Joined = index) or updates address, facts, role, zone and weight of a known one,
// keeping epoch and drain state. Refused with ErrNameTaken when the name belongs to another store, and when the store
// belongs to another name.
type PutNode struct {
	Node Node `json:"node"`
}

// RemoveNode removes a node. Refused with ErrNodeOwns while it owns an address (a released, unconfirmed one included) and
// with ErrNodeGrants while it is a grantor.
type RemoveNode struct {
	Node  NodeID  `json:"node"`
	Store StoreID `json:"store"`
}

// SetFacts replaces what a node reported of itself; refused when the store is not the node's.
type SetFacts struct {
	Node  NodeID  `json:"node"`
	Store StoreID `json:"store"`
	Facts Facts   `json:"facts"`
}

// SetDrain starts or ends draining. Leaving implies Draining and cannot be taken back: to resume a leaving node is refused
// with ErrConflict.
type SetDrain struct {
	Node     NodeID `json:"node"`
	Draining bool   `json:"draining"`
	Leaving  bool   `json:"leaving,omitempty"`
}

// SetGrantors replaces the grantor set. Refused unless the current set's index is Prev, exactly one member differs (one
// added or one removed), every member is a known node with that store, and the set is not empty. Members' new Index = index.
type SetGrantors struct {
	Prev    uint64    `json:"prev"`
	Members []Grantor `json:"members"`
}

// SetSchema moves to a newer schema; refused unless every node's facts say that it understands it, and never backwards.
type SetSchema struct {
	Schema Schema `json:"schema"`
}

// Configure replaces the whole configuration as one transaction. Refused with ErrConflict when Base is not the current
// ConfigVersion (Force skips that), and with the problems when Config.Validate finds any. A VIP whose address is owned and
// that is dropped, renamed or re-addressed, or gets another prefix length or interface, leaves its assignment behind with
// Release set (the tombstone); a release that was pending keeps its index. Server states are kept for servers that stay and
// made for new ones (unknown, or up when the service has no checks). A configuration that is equal to the current one changes
// nothing, its version included.
type Configure struct {
	Base   uint64 `json:"base"`
	Force  bool   `json:"force,omitempty"`
	Config Config `json:"config"`
}

// SetAdmin sets a server's admin state. Refused when the server is not configured. To drain a server that is drained already changes nothing
// but its limit, if there is a Timeout.
type SetAdmin struct {
	Server ServerKey `json:"server"`
	Admin  Admin     `json:"admin"` // Disabled since schema 5
	// Timeout is how long a drain may last; 0 = as long as there are connections, nil = as the service's DrainTimeout says. Since schema 5.
	Timeout *time.Duration `json:"timeout,omitempty"`
}

// SetHealth commits edges of verdicts, and of the weights that servers ask for. Servers that are gone or whose service has no checks any more are skipped, and
// verdicts that do not change anything make no event.
type SetHealth struct {
	Verdicts []ServerVerdict `json:"verdicts"`
}

// ServerVerdict is one edge.
type ServerVerdict struct {
	Server  ServerKey `json:"server"`
	Verdict Verdict   `json:"verdict"`
	Detail  string    `json:"detail,omitempty"`
	Asked   Asked     `json:"asked,omitzero"` // the weight that it asks for, with Up; since schema 6
}

// Decide carries the planner's and operators' decisions. Each is checked by itself; the ones that are stale are refused and
// named in the Result, the others happen.
type Decide struct {
	Assign  []Assign       `json:"assign,omitempty"`
	Release []StartRelease `json:"release,omitempty"`
	Cancel  []Cancel       `json:"cancel,omitempty"`
	Back    []Back         `json:"back,omitempty"` // since schema 2
}

// Assign gives an address an owner, or (Owner "") records that its owner has given it up.
//
// It is refused unless the record's assignment epoch is Epoch (0 = no record), and either nobody owns the address, or a
// Release with index ReleaseIndex is still current; a proposer sends that only after the owner confirmed exactly that index
// (design §3 “Planned moves”). The new owner must be a known director whose node epoch is OwnerEpoch, and a VIP named VIP
// must be configured at this address; with Owner "" neither is asked, and a record whose address is no longer configured is
// deleted. The same address on another network, owned by an earlier configuration that its owner has not released yet, is
// in the way too: another label makes no other wire. Nobody gets a VIP that a router outside the cluster has, see ForeignOwner.
type Assign struct {
	Key          AddressKey `json:"key"`
	VIP          string     `json:"vip"`
	Owner        NodeID     `json:"owner"`
	OwnerEpoch   Epoch      `json:"owner_epoch,omitempty"`
	Epoch        Epoch      `json:"epoch"`
	ReleaseIndex uint64     `json:"release_index,omitempty"`
	Reason       Reason     `json:"reason"`
}

// StartRelease asks the owner to give the address up. Refused unless the record's epoch is Epoch, it has an owner and no
// release is pending, and To is "" or another director. The release's Index = index.
type StartRelease struct {
	Key    AddressKey `json:"key"`
	Epoch  Epoch      `json:"epoch"`
	To     NodeID     `json:"to,omitempty"`
	Reason Reason     `json:"reason"`
}

// Cancel withdraws a pending release: the owner keeps the address. Refused unless that release is current, and when
// the configuration no longer has the VIP as the owner was given it.
type Cancel struct {
	Key          AddressKey `json:"key"`
	ReleaseIndex uint64     `json:"release_index"`
	Reason       Reason     `json:"reason"`
}

// Back records that a node that was fenced is able again, which is when its hold-down begins. Refused unless the node is
// away and its epoch is Epoch.
type Back struct {
	Node  NodeID `json:"node"`
	Epoch Epoch  `json:"epoch"`
}

// Fenced is the one entry that takes VIPs from a node that a majority of grantors promised to refuse, after their grants
// had run out. Refused unless the node's epoch is still Epoch and the grantor set still the one of GrantorIndex. Raises the
// node's epoch to this index, moves each address in Moves whose assignment epoch still matches to its new owner, and
// clears the owner of whatever else the node owned (design §3 “Fence”).
type Fenced struct {
	Node         NodeID `json:"node"`
	Epoch        Epoch  `json:"epoch"`
	GrantorIndex uint64 `json:"grantor_index"`
	Moves        []Move `json:"moves,omitempty"`
	Text         string `json:"text,omitempty"` // what was seen, e.g. "silent for 0.21 s at n2, n3"
}

// Move is one address that a Fenced entry gives to another node; To's node epoch must be ToEpoch.
type Move struct {
	Key     AddressKey `json:"key"`
	VIP     string     `json:"vip"`
	Epoch   Epoch      `json:"epoch"` // assignment epoch it was planned on
	To      NodeID     `json:"to"`
	ToEpoch Epoch      `json:"to_epoch"`
	Reason  Reason     `json:"reason"`
}

// Raise gives a node a new epoch and moves nothing: the answer to an orphaned promise. Refused unless the node's epoch is
// Epoch.
type Raise struct {
	Node  NodeID `json:"node"`
	Epoch Epoch  `json:"epoch"`
}

// Record adds an event that a node reported.
type Record struct {
	Event Event `json:"event"`
}

// Result is what Apply says of a command.
type Result struct {
	Index uint64 `json:"index"`
	// Err is why the whole command was refused; the state has not changed but for its index.
	Err error `json:"-"`
	// Refused lists the decisions of a Decide or the moves of a Fenced that were stale. The rest was applied.
	Refused []Refusal `json:"refused,omitempty"`
}

// Refusal says which decision was refused and why.
type Refusal struct {
	Key AddressKey `json:"key"`
	Why string     `json:"why"`
}

// Delivered says what came of telling notifiers, in order. Each is judged by itself: one that is stale is skipped, since the leader that
// tells next goes on where the state says. Since schema 6.
type Delivered struct {
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is what came of one attempt at one notifier. It is stale unless From is where the notifier is.
type Delivery struct {
	Notifier string  `json:"notifier"`
	From     Place   `json:"from"`
	To       Place   `json:"to,omitzero"` // behind the last event that is done; of a failure and a summary it is not read
	Outcome  Outcome `json:"outcome"`
	Error    string  `json:"error,omitempty"`
	// Untold is what a summary said.
	Untold Untold `json:"untold,omitzero"`
}

// Outcome is what came of telling a notifier.
type Outcome string

// The outcomes.
const (
	OutcomeTold       Outcome = "told"
	OutcomeSummarized Outcome = "summarized" // it was told how much it was not told; with an Error: it could not be, and will not be
	OutcomeSuppressed Outcome = "suppressed" // beyond its limit: only counted
	OutcomeGivenUp    Outcome = "given_up"   // it refused them, or RetryFor has passed
	OutcomeFailed     Outcome = "failed"     // is tried again
)
