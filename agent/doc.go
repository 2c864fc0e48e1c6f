// Package agent is the composition root: it joins what the cluster agreed to what this node's kernel does, and what this
// node sees to what the cluster knows.
//
//	committed State ─► fsm.LocalOf ─► gated by the lease ─► plane (services) ─► vip (addresses, announcements)
//	health probes   ─► rise/fall   ─► cluster.Observe    ─► the leader's verdicts
//	probes on the wire ─► what other owners are heard to hold ─► events; "announce again"; a release, once
//	unix socket, HTTP ─► api ─► cluster
//
// It decides nothing about owners. Its only judgement is the order of things on one node: to take a VIP over, services
// first, then the address and its announcement; to give it up, the reverse; and to confirm a release only when the
// kernel claims the address no more: its own list does not have it, or it lingers, which means that it is there and takes
// packets, and that the gate keeps it silent (design §3 “Planned moves”). Before the agent ends or leaves it asks the leader to
// hand its VIPs over, and waits for that for a bounded time.
//
// Two policies of a VIP let a node claim an address without a lease, quorum_lost = "hold" and "vrrp": DESIGN.md says how that is kept apart from
// everything else.
//
// [New] starts nothing; [Agent.Run] owns every goroutine and ends them all.
package agent
