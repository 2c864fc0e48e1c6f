// Package integration holds the tests of whole clusters.
//
// In this directory: the real quorate program on hosts in network namespaces (package lab), driven by its commands and
// watched from the network: a client that pings or sends requests, a bystander that notes who answers for which address.
// In matrix: every fault, judged by a capture of the network, for the tests, the documentation and
// quorate-lab alike. In sim: clusters in virtual time under random faults. In uml and qemu: the data plane on
// kernels that have IPVS, in guests, of which package guest holds what both share.
//
// A test here says what an operator relies on, and checks it where a client or an operator would see it: on the wire, in
// a kernel's list of addresses, in what a command printed. Every test looks after what it leaves on the machine.
package integration
