// Package whole runs whole cluster.Nodes in virtual time (testing/synctest) under random faults, and checks all the while
// that the cluster keeps what it promises.
//
// What is real: all of package cluster and cluster/lease, with hashicorp/raft and memberlist in them: elections, the log,
// the leader's duties, the start barrier, joining and leaving, forwarded proposals, reads. What is modelled: the network
// (simnet: delay, loss, ways cut in one or both directions, hosts without power), disks (cluster.Memory: slow, lost, and
// frozen at the moment of a crash), clocks (the lease's, each within ±1 % of virtual time, BOOTTIME slewed by up to 8 %
// besides), and an agent's actuator, which opens and closes addresses by the same rules as the real one and may hang, and
// whose addresses stay in the kernel when the process is killed, until the lease ends them.
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
// The parent package is the other half: it models Raft, replays to the letter, freezes processes and machines, steps wall
// clocks and loads snapshots, none of which is done here. What a real kernel does with an address is not modelled in either:
// here a killed process's addresses end with its lease, as a gate in the kernel would end them.
package whole
