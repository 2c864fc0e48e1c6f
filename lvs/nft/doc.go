// Package nft balances with nftables, for kernels that have no IPVS.
//
// Everything lives in one table, "inet quorate", which is ours alone; no other table is read or written. A new connection
// to a service is looked up once, whatever the number of services, and sent to a real server by destination NAT:
//
//	prerouting, output ─► services4/services6 [address . protocol . port] ─► chain of the service:
//	                                           counter; label when it masquerades;
//	                                           numgen (wrr, rr) or jhash of the source (sh) ─► slot ─► DNAT
//	postrouting        ─► connection has the label                             ─► masquerade
//	input              ─► closed4/closed6 [address . protocol . port]          ─► reject
//
// NAT chains see the first packet of a connection only; the rest follows the conntrack entry. So a change of the table
// never disturbs an established connection, and this package never flushes conntrack. A server that is taken out or
// has weight 0 keeps the connections that it has. The other side of this: a client that keeps one UDP socket busy stays
// with its server, also when that one is gone, until it is silent for the conntrack timeout (30 to 120 s).
//
// A service without a usable server is rejected in the input hook (TCP reset, ICMP port unreachable), where its packets
// arrive because nothing translated them: the VIP is an address of this host, and passing them on would let any local
// program that listens on the wildcard address answer in the name of the service, e.g. a management page on port 80.
// Connections that were established before live on, since conntrack translates them ahead of the input hook.
//
// Connections from the director itself go through the output hook to the same servers.
//
// What it cannot do, and refuses: direct routing and tunnels (NAT is all that nftables has), schedulers that must know
// the number of connections. wlc works as wrr, lc as rr, mh as sh; [lvs.Capabilities] says so.
//
// The table is compared with the kernel's list, rule by rule and element by element, and only what differs is
// replaced, in one transaction: a packet sees the old table or the new one.
// See DESIGN.md for the reasons.
package nft
