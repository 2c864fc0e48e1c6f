// Package probepath leads a probe's connection to one real server as a client's would come there: addressed to the VIP, forwarded by the
// server's own method. A server that answers at its own address, but has no VIP on lo, no tunnel device, or drops what comes out of that, is seen so.
//
// The way is the kernel's own. A [Path] is a service by firewall mark with that server alone; a socket with the mark ([Dial]) connects to the VIP,
// and IPVS takes its packets at the local output hook:
//
//	socket, mark 0x51800003 ──► IPVS: fwmark 0x51800003 ──► 10.0.0.11 by dr ──► frame to its MAC, addressed to 192.0.2.10:80
//	                       ◄─────────────────────────────────────────────────── answer from 192.0.2.10:80
//
// What is decided here: which mark a path has ([Table]), and what a connection through it has to be like. What is never done here: the services
// are put into the kernel by an lvs.Plane, and what an answer means is for who asked.
//
// It works on a director that does not have the VIP: on the owner the answer would come from one of its own addresses. See DESIGN.md.
package probepath
