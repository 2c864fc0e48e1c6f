// Package apitest is a small world of agents in one process, for tests of what speaks the API: the handlers, the client,
// the command line and the page.
//
// It is a model with memory, not a mock: every agent has a real [fsm.State], every write goes through fsm.Apply at the next
// index of one log, the leader commits what fsm.Plan decides, and a model kernel on each node carries out fsm.LocalOf. What
// it leaves out is what the API cannot see: Raft's messages, leases, time. It settles at once, unless a node is frozen.
//
//	w := apitest.NewWorld()
//	agents := w.Cluster("n1", "n2", "n3")
//	srv := api.NewServer(agents[0].Options())
package apitest
