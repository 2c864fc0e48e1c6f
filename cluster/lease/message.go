package lease

import (
	"time"

	"quorate/fsm"
)

// BootID is drawn at random when a process starts. Answers echo it, so that one meant for an earlier process of the same
// node is recognised.
type BootID uint64

// Message is one datagram between two nodes: what the sender says of itself, and a Body.
//
// The figures that every message carries let each peer remember how far a store has come, and shut out one that goes back
// (design §3 “Grantor changes”).
type Message struct {
	Store    fsm.StoreID // the sender's
	Boot     BootID      // the sender's
	Promises uint64      // promises that the sender's store has made durable
	Applied  uint64      // index of the last entry that the sender has applied
	Log      uint64      // last index of the sender's Raft log when its process started; means nothing unless LogKnown
	LogKnown bool
	Body     Body
}

// Body is one of the message types below. They are values: a published Body is never changed.
type Body interface{ kind() kind }

// kind is a message type's number on the wire.
type kind uint8

const (
	kindRenew kind = 1 + iota
	kindAck
	kindRefuse
	kindFence
	kindFenceAnswer
	kindSuspect
	kindReport
	kindConfirmation
	kindRefuseOlderSets
	kindSetAnswer
)

// Renew asks a grantor for a lease, or for more of it. All of Epoch, GrantorIndex, TTL and Held are from one applied index
// (design §3 Holder).
type Renew struct {
	Seq          uint64 // names the sending at the sender; grows
	Epoch        fsm.Epoch
	GrantorIndex uint64
	TTL          time.Duration
	// Held says that the sender owns something and holds its lease. An owner that hears no acknowledgements sends false:
	// it "counts as silent" (design §3 Detection).
	Held bool
}

// Ack grants a Renew. It echoes the asker's boot id, sequence and epoch.
type Ack struct {
	Boot  BootID // of the asker
	Seq   uint64
	Epoch fsm.Epoch
}

// Refuse is the answer to a Renew that is not granted.
type Refuse struct {
	Boot   BootID // of the asker
	Seq    uint64
	Epoch  fsm.Epoch
	Reason Refusal
	// Agreed is the asker's node epoch in the grantor's applied state, 0 if it knows none. Only this one, never a floor that
	// was merely promised, closes a holder.
	Agreed fsm.Epoch
}

// Refusal is why a grantor refused.
type Refusal uint8

// The reasons for a refusal.
const (
	RefusedPromise Refusal = 1 + iota // the grantor has promised to refuse this epoch
	RefusedSet                        // the Renew names an older grantor set than the grantor still serves
	RefusedTTL                        // longer than the grantor's durable cap, which is being raised: ask again
	RefusedFull                       // the grantor has grants of too many nodes
)

// String is the reason as it is logged.
func (r Refusal) String() string {
	switch r {
	case RefusedPromise:
		return "promise"
	case RefusedSet:
		return "older-set"
	case RefusedTTL:
		return "ttl"
	case RefusedFull:
		return "full"
	}
	return "unknown"
}

// Fence asks a grantor to refuse Node at epochs ≤ Epoch for ever, and to say when its last grant has run out. Sent by the
// leader of Term, again and again until it is answered.
type Fence struct {
	Term         uint64
	Seq          uint64
	Node         fsm.NodeID
	Epoch        fsm.Epoch
	GrantorIndex uint64
}

// FenceAnswer says that the promise is durable and that no grant to Node at an epoch ≤ Epoch is live.
type FenceAnswer struct {
	Boot         BootID // of the asker
	Seq          uint64
	Term         uint64
	Node         fsm.NodeID
	Epoch        fsm.Epoch
	GrantorIndex uint64
}

// Suspect says that a grantor has heard no Renew with `held` from Node for Silent, or (Withdrawn) that it has again.
type Suspect struct {
	Seq       uint64 // grows at the sender, so that a late Suspect does not undo a withdrawal
	Node      fsm.NodeID
	Epoch     fsm.Epoch // of Node, in the sender's applied state
	Silent    time.Duration
	Withdrawn bool
}

// Report is what a node tells the leader of itself.
type Report struct {
	Seq   uint64
	Epoch fsm.Epoch // its own, in its applied state
	// Ready: past its start barrier, its parts tick, and it holds the lease under Epoch.
	Ready bool
	// Ending: its agent has been asked to end, and waits for a while for others to take over what it owns.
	Ending bool
	// Set is the index of the grantor set that it has applied.
	Set uint64
	// Reach is how many members of the set have granted it a lease that is still good.
	Reach uint8
	// Orphans are durable promises of this grantor that reach or pass the agreed epoch. At most maxOrphans; the rest follows
	// when those are settled.
	Orphans []Orphan
}

// Orphan is one promise in a Report.
type Orphan struct {
	Node  fsm.NodeID
	Floor fsm.Epoch
}

// Confirmation says that the sender's kernel no longer has the addresses, under exactly these releases.
type Confirmation struct {
	Releases []Released
}

// Released is one confirmed Release.
type Released struct {
	Key   fsm.AddressKey
	Index uint64 // of the Release
}

// RefuseOlderSets asks a grantor to refuse, durably, Renews that name a grantor set older than Index.
type RefuseOlderSets struct {
	Term  uint64
	Seq   uint64
	Index uint64
}

// SetAnswer says that Renews naming sets older than Index are durably refused.
type SetAnswer struct {
	Boot  BootID // of the asker
	Seq   uint64
	Term  uint64
	Index uint64
	// Cap is the longest ttl of any grant that the grantor may still have out.
	Cap time.Duration
}

// Limits of a message. They keep the longest datagram below MaxDatagram.
const (
	maxNode     = 63
	maxStore    = 64
	maxNetwork  = 63
	maxOrphans  = 8
	maxReleases = 10
)

func (Renew) kind() kind           { return kindRenew }
func (Ack) kind() kind             { return kindAck }
func (Refuse) kind() kind          { return kindRefuse }
func (Fence) kind() kind           { return kindFence }
func (FenceAnswer) kind() kind     { return kindFenceAnswer }
func (Suspect) kind() kind         { return kindSuspect }
func (Report) kind() kind          { return kindReport }
func (Confirmation) kind() kind    { return kindConfirmation }
func (RefuseOlderSets) kind() kind { return kindRefuseOlderSets }
func (SetAnswer) kind() kind       { return kindSetAnswer }
