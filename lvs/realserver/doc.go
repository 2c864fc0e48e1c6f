// Package realserver prepares a Linux host to be a real server for direct routing or tunnels, and takes that back.
//
// A director that forwards by direct routing or through a tunnel leaves the packet's destination alone: it is the VIP. So
// the real server must have that address, and must not let its network know. For each VIP this package sees to
//
//   - dr: the VIP on lo, and for IPv4 arp_ignore and arp_announce, so that the host answers ARP for no address that lies on
//     another interface than the asked one and names none as the sender of its own questions; and no strict rp_filter.
//     IPv6 needs no setting: neighbour discovery answers for the addresses of the interface that was asked alone
//     (RFC 4861 section 7.2.3; net/ipv6/ndisc.c, ndisc_recv_ns).
//   - tun: the same, with the VIP on a tunnel device of ours that takes packets in from any director and sends none: replies
//     go straight to the client. For gue also a UDP port at which the kernel takes the outer headers off.
//
// What is decided here is pure: what VIPs need ([VIP]), and which steps lead from a host and a [record] of what was made to
// that (plan). What is carried out are single steps, each of which is in the record, on disk, before it is taken:
//
//	want ─► needs ─┐
//	host (read) ───┼─► plan ─► for each step: record it, take it
//	record (file) ─┘
//
// So a process that is killed between any two steps leaves a host that `setup` goes on with and that `undo` gives back as it
// was. The order keeps the network undisturbed at any moment: sysctls, then devices, then the address; and the reverse.
//
// Ours is: an address with our protocol number (0x52, kernels since 5.18) or label (lo:quorate), a device with our name and
// kind, and what the record says we made. Everything else stays, also where it does the same job: a VIP that was put by
// hand is as good as ours, and remains after undo. A sysctl that another program has changed since is left to it.
//
// What is never done here: no traffic, no firewall rule, no route, no module is loaded by name. There is no daemon:
// nothing is repaired until setup runs again.
package realserver
