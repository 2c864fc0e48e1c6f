// Package fsm is what the cluster has agreed: one [State] value, the [Command]s that change it, and the pure planner
// that proposes the next decisions.
//
// It imports the standard library only. There is no I/O, clock, goroutine, log or dependence on map order in it: two
// replicas that apply the same commands at the same indexes hold equal states, whatever machine they run on. Time enters
// as a value that the leader stamped on the command.
//
// A State is immutable once it is published. [State.Apply] returns a new State that shares what did not change, so
// readers on other goroutines keep a consistent view without a lock.
//
//	Command ──► Apply (compare-and-set) ──► State ──► LocalOf(State, self): what one node has to carry out
//	                                          │
//	                                          ├────► Plan(State, Hints): what the leader should commit next
//	                                          ├────► PlanFence: the same when a node has to lose all it has
//	                                          ├────► Explain: why a VIP is where it is, and what would move it
//	                                          └────► PreviewConfig: what applying a configuration would change and move
//
// What is committed are decisions (Assign this VIP to that node), never observations plus an algorithm, so that two
// versions whose planners differ can live in one cluster. Apply checks each decision again and refuses stale ones. It never
// takes an address from its owner but by a release that the owner confirmed, or by a fence.
//
// The package never says whether a node may claim an address now: for that it needs a live lease besides (cluster/lease).
// DESIGN.md says why all this is so.
package fsm
