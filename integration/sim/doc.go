// Package sim runs the parts that keep the promise, the agreed state (fsm) and the quorum lease (cluster/lease), as whole
// clusters in virtual time under random faults, and checks after every step that no address has two holders, that no kernel
// answers under an epoch that was fenced, and that who has ceased to claim an address takes its packets for no longer than a linger.
//
// What is real: fsm.State.Apply, the planner, lease.Machine with its codec, lease.Opened and lease.Lingers, and the gate's rule (gate.Entry.Passes,
// which the BPF program is tested against): the same code that the agent runs. What is modelled: Raft, as one ordered log that commits where the leader reaches a majority of the voters (its leaders may be
// deposed without knowing, what they appended alone is committed later, in order, or never, its followers lag, a restart
// begins at an old snapshot); the network (delay, loss, duplication, cuts in one or both directions); disks (slow, lost);
// clocks (each within ±1 % of real time, BOOTTIME slewed by up to 10 % besides, machines that are suspended); the actuator
// and the lease's thread, as a sequence of calls into the kernel, in or before each of which the process may be held up, frozen or
// killed; a process that is asked to end (agent.yield); what checks of nodes find, and paths that are cut, in two of three schedules; and the kernel: the gate's two maps, the addresses with their lifetimes, and its clock. The kernel outlives the process
// and answers by what is in it; a reboot empties it.
//
// Every other schedule begins with a situation: a few faults in the one order in which a certain rule is all that stands
// between two nodes and the same address. After it, as in all other schedules, faults and an operator's wishes come at
// random. They end after some seconds, but for the checks of some nodes, and then every VIP must be held again, by a node whose checks pass. What happened how often is counted, and schedules
// in which something did not happen are no test: see Happenings.
//
// Everything is driven from one seed by one goroutine, so that a seed replays to the letter, with its trace:
//
//	go test ./integration/sim -run TestSchedules -v -seed 4711
//	go test ./integration/sim -run TestSchedules -v -situation grantors-forget -seed 3
//
// The mutants in package mutant are the test of this test: each undoes one rule in the code under test, and the schedules
// must find it. Package whole has the other half: whole clusters with hashicorp/raft itself, also in virtual time, whose seeds are
// kinds of schedules and no replays (Raft draws its own timeouts).
package sim
