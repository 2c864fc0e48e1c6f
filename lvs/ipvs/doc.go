// Package ipvs balances with the kernel's IP Virtual Server (net/netfilter/ipvs), over generic netlink.
//
// Ours are the services on managed addresses. Those on other addresses and those by firewall mark are never touched.
// Services are edited in place, never deleted and added again, so that their connections and their scheduler's state
// stay. A destination with weight 0 gets no new connections. One that is removed ends its connections where the sysctl
// net.ipv4.vs.expire_nodest_conn is 1, and else has their packets dropped until it comes back, which Status.Problems says; so a
// destination that shall end gently is given weight 0 first.
//
// The kernel is listed before and after each change, and only what differs is sent, many commands in one system call.
//
// A service without a usable destination rejects new connections by itself (ICMP port unreachable, ip_vs_core.c,
// ip_vs_leave).
//
// What it never does: load the module ip_vs, set a sysctl, masquerade (see DESIGN.md), persistence, firewall marks.
package ipvs
