// Package lease is the quorum lease of design §3: it decides whether this node may go on holding what the cluster has agreed
// that it owns, and it lets the leader take addresses away from a node that has fallen silent, safely and without that node's
// help.
//
// A node may claim an address (answer ARP for it, announce it) only while both hold: its applied state says that it owns the
// address, and [Service.Live] is true for the node epoch of that same state. Leases come from a majority of the grantors,
// not from the leader, so the loss of the leader disturbs no owner.
//
// The package never decides who should own what (that is fsm.Plan), never touches an address (package vip) or the Raft log
// (package cluster), and never trusts a timestamp of another machine: none crosses the wire.
//
// # Parts
//
// [Machine] is pure and holds the three roles, of which every node has all:
//
//	holder   asks every grantor each R; until when the lease is held follows from when it asked and who acknowledged
//	grantor  grants, promises to refuse, and answers a fence when its grants have run out; suspects owners that are silent,
//	         and knows when a majority does so of the leader
//	fencer   the leader's part: counts suspicions, runs fences, sees to orphaned promises, unconfirmed hand-overs and the
//	         permission to change the grantor set
//
// [Service] is the shell around it: socket, deadline, disk. The real one steps the Machine, and reads and writes the socket, on one
// thread of the kernel, which it has to itself and which the kernel runs before others where that is granted.
//
//	           Applied Alive BarrierPassed Confirm Lead Follow
//	                              │
//	socket ──► open ──► Received ─┤                    ┌─► Send ──► seal ──► socket
//	timer ──────────────── Tick ──┼──► Machine.Step ───┼─► LeaseChanged ──► Live, Changed, OnLease
//	disk ──────────── Persisted ──┘                    ├─► Persist ──► DurableStore (another goroutine)
//	                                                   └─► FenceReady, RaiseWanted, Confirmed … ──► Events
//
// # A lease, as its holder sees it
//
//	        applied: own epoch e                       majority has acknowledged
//	(none) ─────────────────────► asking under e ─────────────────────────────────► live until s + ttl
//	                                    ▲                                              │    │
//	                                    │   RAW or BOOTTIME has reached the deadline   │    │ each R: a later s
//	                                    ├──────────────────────────────────────────────┘◄───┘
//	                                    │
//	                                    └─ a refusal quotes an agreed epoch > e: closed until the log has that epoch
//
// When a newer epoch is applied, the lease under the older one stays known until its own deadline. An address that was
// opened under it may stay open until the lease under the new epoch is live; nothing new opens under an old epoch. [Opened] is
// that rule, [Lingers] the one for addresses that are handed over; the agent's actuator and integration/sim carry them out.
//
// # A fence, as the leader sees it
//
//	majority suspects,            Fence to all, each R        majority has answered            Fenced applied
//	or hand-over unconfirmed ───► (asking) ─────────────────► FenceReady, said again ────────► (none)
//	                                 ▲    set changed: ask anew      │     each T
//	                                 └───────────────────────────────┘          another leader: forgotten, then Raise
//
// and as a grantor does:
//
//	Fence ──► refuses at once ──► on disk ──► last grant has run out ──► FenceAnswer
//
// # Example
//
//	s, err := lease.NewService(lease.Options{
//		Self: fsm.Grantor{Node: "n1", Store: id.Store}, Clock: lease.SystemClock(), Conn: conn, Resolve: resolve,
//		Key: key, Store: lease.NewFileStore(filepath.Join(dir, "lease.db")), LastIndex: lastIndex, Log: log,
//	})
//	...
//	go s.Run(ctx)
//	s.Applied(state)        // each applied state, or at least the last one
//	s.BarrierPassed()       // once the start barrier is passed
//	s.Alive(lease.Actuator) // at least every T/2, and likewise lease.FSM
//	if s.Live(state.Nodes["n1"].Epoch) {
//		// may hold what the state gives n1
//	}
//
// DESIGN.md says why it is built this way.
package lease
