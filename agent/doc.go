// Package agent is the composition root: it joins what the cluster agreed to what this node's kernel does, and what this
// node sees to what the cluster knows.
//
//	committed State ─► fsm.LocalOf ─► gated by the lease ─► plane (services) ─► vip (addresses, announcements)
//	health probes   ─► rise/fall   ─► cluster.Observe    ─► the leader's verdicts
//	unix socket, HTTP ─► api ─► cluster
//
// It decides nothing about owners. Its only judgement is the order of things on one node: to take a VIP over, services
// first, then the address and its announcement; to give it up, the reverse; and to confirm a release only when the
// kernel's own list no longer has the address (design §3 “Planned moves”).
//
// [New] starts nothing; [Agent.Run] owns every goroutine and ends them all.
package agent
