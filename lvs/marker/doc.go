// Package marker lets a plane carry services of several ports and addresses: one service by firewall mark, and the mark for the packets that the service's
// matches take ([lvs.Service.Matches]).
//
//	packet ─► prerouting, output: table "inet quorate-marks", one map of ranges for each family ─► mark ─► the plane's service by this mark
//	          routing: what is addressed to no host, but routed to a VIP, is taken in by a route "local … dev lo proto 81"
//
// It is a plane itself, around another one, which sees services by firewall mark and nothing of their matches. A plane that has no such services, or a kernel
// whose nftables cannot do it (User-Mode Linux has no tables of family inet), goes on as it is, and services with matches are refused by name.
//
// Order: when something comes, first the service, then its marks; when it goes, first the marks. So no packet has a mark that nobody knows, which the
// director itself would answer. A match that goes from one service to another goes over in one transaction, while both services are there, and the
// first one stays until no packet with its mark is on its way.
// A service that the plane refuses, because another program has one by its mark, gets no packets marked either.
//
// What is ours: the table as a whole, and the local routes of protocol 81 (0x51, as the addresses have it). Both are compared with the kernel at each Reconcile, and put
// right. No sysctl is touched.
//
// # Routed addresses
//
// Addresses that the network routes to a VIP are on no host. The route takes the packets in as the director's own, on nftables too: there most are translated before
// they are routed, but those that no service takes, or whose service has no usable server, would be sent back to the router, and forth again until
// their hop limit is reached; now they are rejected.
//
// The kernel takes a local route for leave to answer ARP requests for all its addresses, on every interface (arp.c, arp_process, unless arp_ignore is 1 or more; not
// so neighbour discovery, ndisc.c, ndisc_recv_ns). No ownership gate holds those back. So addresses in a subnet that this host is connected to are refused:
// their neighbours would ask, and every director that has the route would answer; those are to be VIPs. Nobody asks for other ones.
//
// After the agent was killed the table and the routes stay until it is started again. They do no harm: nobody sends such packets here once the VIP has gone, which
// its lifetime sees to, and nobody announces them. The host itself does not reach those addresses on another director meanwhile.
package marker
