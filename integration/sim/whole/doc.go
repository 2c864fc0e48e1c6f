// Package whole runs whole cluster.Nodes in virtual time (testing/synctest) under random faults, and checks all the while
// that the cluster keeps what it promises.
//
// What is real: all of package cluster and cluster/lease, with hashicorp/raft and memberlist in them: elections, the log,
// the leader's duties, the start barrier, joining and leaving, forwarded proposals, reads. What is modelled: the network
// (simnet: delay, loss, ways cut in one or both directions, hosts without power), disks (cluster.Memory: slow, lost, and as
// they are at the moment of a crash), clocks (the lease's, each within ±1 % of virtual time, BOOTTIME slewed by up to 8 %
// besides; the time of day, which steps by up to an hour), and an agent's actuator, which opens and closes addresses by the
// same rules as the real one and may hang, and whose addresses stay in the kernel when the process is killed, until the lease
// ends them. Nodes lack the connections of the others for some seconds after a start, and now and then, as they say: what is served
// is not moved to them meanwhile, and what is not is.
//
// A schedule is: form a cluster and configure VIPs, break things at random for some seconds while an operator wishes for
// things and clients record events, end all faults, and wait.
//
// What is checked:
//
//	at every opening, every renewal, and every few milliseconds   at most one holder of an address
//	at every change of a node's state    epochs, the configuration's version and the grantor set only grow, and the same
//	                                     index is the same state on every node
//	at every read                        it has all that was acknowledged before it was asked
//	after the faults                     within the bound every VIP is held by the node that owns it; then all nodes are
//	                                     members again and have the same state; what was acknowledged is in it, once; what
//	                                     was said not to have happened is not
//
// The faults follow from the seed, but Raft draws its timeouts by itself, so a seed is a kind of schedule and not a replay:
//
//	go test ./integration/sim/whole -v -seed 4711
//
// In most schedules Raft's log is cut off after a few dozen entries, so that nodes which lag or join get a snapshot.
//
// A process may be frozen, as by SIGSTOP, for 0.1 to 10 s. Go cannot stop goroutines of others, so it is stopped where it deals
// with the world, at a moment at which nothing runs: it reads and writes nothing and takes no stream (its kernel's queues
// fill, within bounds), stores nothing, carries out nothing, answers no client; the datagrams that it would send and the streams
// that it would close wait, and reach the kernel when it goes on, as does a lease that it would write into the gate; the
// lease's clock all but stands still for it. Its kernel goes on: what is open there ends with the lease. What differs from the
// real thing: between those places its goroutines go on, and timers that ran out meanwhile are late only in what they
// do; so when it goes on, timers come before what waits in the queues. Raft's main goroutine, however, stops where a timer tells
// it that it has heard nothing, so that a frozen leader thinks that it leads when it goes on.
//
// The parent package is the other half: it models Raft, replays to the letter, and suspends whole machines, which is not done
// here. What a real kernel does with an address is not modelled in either: here a killed or frozen process's addresses end with
// its lease, as a gate in the kernel would end them.
package whole
