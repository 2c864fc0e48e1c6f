// Package cluster makes a process part of a cluster: it forms, joins and leaves one, replicates what is agreed (package fsm)
// with Raft, finds the members by gossip, answers and forwards requests, and carries out the leader's duties.
//
// It decides who is a member, who votes and who grants leases, and when to commit what the planner (fsm.Plan), the lease
// (package lease) and the observers of servers' health ask for. It never touches an address, a load balancer or a server:
// that is for whoever reads [Node.State] and [Node.Lease]. Gossip is a hint and a directory here; no VIP moves because of it.
//
//	                 ┌ TCP PORT ─ mux ─┬─ 'R' raft ───► consensus ─► machine ─► view ─► Node.State
//	Network (one ────┤  (HMAC opening) ├─ 'C' call ───► handlers: propose read join announce observe progress ask
//	 dial/listen     │                 └─ 'G' gossip ─► memberlist ─► directory (who is where)
//	 pair)           ├ UDP PORT ─ gossip's packets
//	                 └ UDP PORT+1 ─ lease.Service
//
// A node's data directory is in one of these standings:
//
//	(none) ──Bootstrap──► forming ──Init applied, barrier──► member ──Leave──────────► left ────┐
//	   └─────Join───────► joining ──added, barrier─────────►   │                                │ Bootstrap or Join,
//	                         └─refused, Leave─► left           └─removed while away─► removed ──┴─► as a new store
//
//	member of a lost cluster, agent stopped ──Salvage.Recover──► recovering ──start──► forming
//
// While a node leads, it plans, fences, raises, commits verdicts (duty.go) and changes the membership one step at a time
// (step.go). DESIGN.md says why things are as they are.
//
// Example, the first node of a cluster:
//
//	n, err := cluster.Open(cluster.Options{Name: "n1", Bind: "10.0.0.1:7300", DataDir: "/var/lib/quorate", Weight: 1})
//	if err != nil {
//		return err
//	}
//	go func() { errs <- n.Run(ctx) }()
//	token, err := n.Bootstrap(ctx) // on the others: n.Join(ctx, "10.0.0.1:7300", token)
//	<-n.Ready()
//	_, err = n.Propose(ctx, fsm.Command{Actor: "example", Configure: &fsm.Configure{Config: config}})
package cluster
