// Package gate closes a cluster address in the kernel, without help from user space, as soon as the lease under which it
// was opened has run out: also when the daemon is dead, frozen, or gets no processor.
//
// It decides nothing about ownership. It is told three things and keeps them apart, because they come from different
// goroutines at different rates:
//
//	the lease's thread ── Renew(epoch, until) ──► lease: epoch → until, absolute, CLOCK_BOOTTIME
//	the actuator ─────── Set(entries) ──────────► vip: address → {epoch, arp, ip, ipUntil}
//	the actuator ─────── Check() ───────────────► every Ethernet link carries the program, in and out
//
//	a frame in or out:  concerns no cluster address            ─► passes, untouched, to whatever else looks at it
//	                    entry open and now < lease[its epoch]  ─► passes
//	                    otherwise                              ─► dropped
//
// No entry of the lease means closed. So a renewal opens nothing that the actuator has closed, a new epoch opens nothing
// that was not opened under it, and a write that comes late carries a deadline that has passed.
//
// # What passes
//
// Of a closed address nothing is claimed: no ARP that asks for it or is sent in its name, no neighbour solicitation or
// advertisement likewise, no IP packet to it (for this host) or from it. In a linger (see [Entry]) IP passes and claims do
// not: frames that are still sent to this node's MAC reach it, but it says no more that the address is here. What
// another node does with the address passes: asking for it, and hearing from its owner.
//
// # What it never does
//
// It never touches what others have attached to a link, and decides nothing about frames of other addresses. It opens
// nothing by itself. It starts no goroutine. The kernel is read, not remembered: Set and Check compare with what is there.
//
// [Open] takes the strongest variant that this kernel offers and says why it is not a better one.
package gate
