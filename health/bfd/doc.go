// Package bfd is Bidirectional Forwarding Detection: it says within some tens of milliseconds that the path to a neighbour, or the neighbour, is dead.
//
// It is RFC 5880 in asynchronous mode, without authentication and echo, over one hop (RFC 5881, UDP port 3784) or several (RFC 5883, UDP port 4784).
//
// From the inside out: [Packet] is what goes over the wire; a [Session] is the state machine, to which time is an input and which sends nothing by itself; the [Speaker]
// has the sessions and the sockets. What follows from a session that is down is for the caller.
//
//	Down ── Down heard ──► Init ── Init or Up heard ──► Up
//	Down ── Init heard ───────────────────────────────► Up
//	Down ◄── AdminDown heard, detection time over ── Init
//	Down ◄── Down or AdminDown heard, detection time over ── Up
//
// There is no well-kept library for it: those for Go are given up, or parts of a router's own module that know its sockets alone.
package bfd
