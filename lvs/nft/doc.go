// Package nft balances with nftables, for kernels that have no IPVS.
//
// Everything lives in one table, "inet quorate", which is ours alone; no other table is read or written. A new connection
// to a service is looked up once, whatever the number of services, and sent to a real server by destination NAT:
//
//	prerouting, output ─► marks4/marks6 [mark . protocol], then
//	                      services4/services6 [address . protocol . port], then
//	                      any4/any6 [address . protocol]                   ─► chain of the service:
//	                                           counter; label when it masquerades;
//	                                           numgen (wrr, rr) or jhash (sh, mh, dh) ─► slot ─► DNAT
//	                        with persistence:  client in the set of a server, or slot ─► chain of the server:
//	                                           client into the set; counter; DNAT
//	postrouting        ─► connection has the label                             ─► masquerade
//	input              ─► closed…, with the same keys                          ─► reject
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
// What it cannot do, and refuses by name: direct routing and tunnels (NAT is all that nftables has), thresholds, one-packet scheduling,
// persistence by SIP, and the schedulers lblc, lblcr and ovf. Those that count connections are stood in for: lc by rr; wlc, sed, nq and
// twos by wrr; [lvs.Capabilities] says so.
//
// Each server's connections are counted: by the slots, or by its chain. Those that are open are counted from connection tracking, in
// parts, when there is nothing else to do; they are some seconds old, and with 100,000 of them half a minute.
//
// The table is compared with the kernel's list, rule by rule and element by element, and only what differs is
// replaced, in one transaction: a packet sees the old table or the new one.
// See DESIGN.md for the reasons.
package nft
