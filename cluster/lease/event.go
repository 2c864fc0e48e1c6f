package lease

import (
	"time"

	"quorate/fsm"
)

// Input is what a [Machine] is told. Each is one of the types below.
type Input interface{ input() }

// Part is something that must keep ticking for a node to be trusted with a lease.
type Part uint8

// The parts.
const (
	Actuator Part = iota // what carries the wanted addresses into the kernel
	FSM                  // what applies committed entries
	parts
)

// The inputs.
type (
	// Applied hands over an applied state. Later states only; some may be left out.
	Applied struct{ State *fsm.State }
	// Received is a datagram that was opened with the cluster key.
	Received struct {
		From fsm.NodeID
		Msg  Message
	}
	// Tick says that time has passed; due at NextTimer. Every other input does the work of a Tick too.
	Tick struct{}
	// Persisted says that what Persist{Seq} asked for is on disk.
	Persisted struct{ Seq uint64 }
	// BarrierPassed says that this process has applied past a read index that a quorum confirmed after its start.
	BarrierPassed struct{}
	// Alive says that a part ticked, at At (zero = now). An idle part says so at least every T/2.
	Alive struct {
		Part Part
		At   Instant
	}
	// Log tells the last index of the Raft log as it was when the process started. It is the first input.
	Log struct{ LastIndex uint64 }
	// Lead says that this node leads Term. It acts once it has applied LastIndex, the last entry of its log when it was
	// elected.
	Lead struct {
		Term      uint64
		LastIndex uint64
	}
	// Follow says that this node does not lead; Leader is "" while none is known.
	Follow struct{ Leader fsm.NodeID }
	// Confirm says that the actuator has seen that the kernel claims the addresses no more, for the Releases of these indexes.
	Confirm struct {
		Releases []Released
	}
	// Ending says whether this process has been asked to end, and waits for others to take over what the node owns.
	Ending bool
)

func (Applied) input()       {}
func (Received) input()      {}
func (Tick) input()          {}
func (Persisted) input()     {}
func (BarrierPassed) input() {}
func (Alive) input()         {}
func (Log) input()           {}
func (Lead) input()          {}
func (Follow) input()        {}
func (Confirm) input()       {}
func (Ending) input()        {}

// Output is what a [Machine] wants done. Each is one of the types below.
type Output interface{ output() }

// LeaderEvent is an Output that is meant for the leader's duties or for an operator. One that asks for something is said
// again until the applied state shows that it was done, so that none is lost for good; acting twice is harmless, because
// Apply compares epoch, set and release.
type LeaderEvent interface {
	Output
	leaderEvent()
}

// Outputs for the shell.
type (
	// Send asks for a datagram to another node. There is none to the node itself: it takes the same way inside the Machine.
	Send struct {
		To  fsm.NodeID
		Msg Message
	}
	// Persist asks for Durable to be written, outside of whatever drives the Machine, and for Persisted{Seq} afterwards. There is
	// never more than one under way.
	Persist struct {
		Seq     uint64
		Durable Durable
	}
	// LeaseChanged says until when the lease under Epoch is held, at each renewal; Until is zero once it is lost.
	LeaseChanged struct {
		Epoch fsm.Epoch
		Until Instant
	}
)

// Outputs for the leader's duties and for operators.
type (
	// FenceReady: a majority of the set has promised and its grants have run out. The leader may commit a Fenced entry with
	// exactly these values while it leads Term.
	FenceReady struct {
		Node         fsm.NodeID
		Epoch        fsm.Epoch
		GrantorIndex uint64
		Term         uint64
		Text         string
		// How long it took, for the timeline: from the last Renew that the grantors heard until a majority suspected the node (0 where the
		// fence has another cause), and from then until a majority had promised.
		Silent, Promised time.Duration
	}
	// RaiseWanted: a promise reaches or passes the agreed epoch and no fence is under way. The leader should commit a Raise.
	RaiseWanted struct {
		Node  fsm.NodeID
		Epoch fsm.Epoch
		Term  uint64
	}
	// GrantorChangeAllowed: the set made by the entry Index may be replaced, by one that differs in one member.
	GrantorChangeAllowed struct {
		Index uint64
		Term  uint64
	}
	// Confirmed: the owner has confirmed exactly this Release, which is current in the applied state.
	Confirmed struct {
		Key          fsm.AddressKey
		ReleaseIndex uint64
		Node         fsm.NodeID
		Term         uint64
	}
	// HintsChanged: what Hints returns has changed.
	HintsChanged struct{ Term uint64 }
	// Unreached: the leader's own grantor suspects Node, the majority does not. It is reported, not fenced.
	Unreached struct {
		Node fsm.NodeID
		Term uint64
	}
	// BetterLeader: To reaches more grantors than the leader does, for some time now. To is "" when the leader reaches no
	// majority and knows of nobody who does.
	BetterLeader struct {
		To         fsm.NodeID
		Reach, Own int
		Term       uint64
	}
	// SuspicionChanged: this node's grantor began or ceased to suspect Node.
	SuspicionChanged struct {
		Node      fsm.NodeID
		Epoch     fsm.Epoch
		Silent    time.Duration
		Suspected bool
	}
	// LeaderSilent: a majority of the set suspects the leader, and this node's grantor does. Whoever is told should stand for
	// election, one after the other: Turn, from 0, counts the grantors that come before it. Said once, and again when the majority does so
	// again.
	LeaderSilent struct {
		Leader fsm.NodeID
		Turn   int
	}
	// ShutOut: the store went back behind what it had said earlier. Everything from it is ignored as long as this process
	// lives. Cure: remove the node, then add it with a new data directory.
	ShutOut struct {
		Grantor fsm.Grantor
		Why     string
	}
)

func (Send) output()                 {}
func (Persist) output()              {}
func (LeaseChanged) output()         {}
func (FenceReady) output()           {}
func (RaiseWanted) output()          {}
func (GrantorChangeAllowed) output() {}
func (Confirmed) output()            {}
func (HintsChanged) output()         {}
func (Unreached) output()            {}
func (BetterLeader) output()         {}
func (SuspicionChanged) output()     {}
func (LeaderSilent) output()         {}
func (ShutOut) output()              {}

func (FenceReady) leaderEvent()           {}
func (RaiseWanted) leaderEvent()          {}
func (GrantorChangeAllowed) leaderEvent() {}
func (Confirmed) leaderEvent()            {}
func (HintsChanged) leaderEvent()         {}
func (Unreached) leaderEvent()            {}
func (BetterLeader) leaderEvent()         {}
func (SuspicionChanged) leaderEvent()     {}
func (LeaderSilent) leaderEvent()         {}
func (ShutOut) leaderEvent()              {}
