// Package lvs says what a node's kernel should balance and compares that with what it does balance.
//
// A [Plane] is one way to carry a load-balancing table into the kernel: lvs/ipvs programs IPVS, lvs/nft programs
// nftables on kernels that have no IPVS; lvs/marker, around either, marks the packets of services of several ports and addresses. Both are level-triggered. They take the whole wanted set, list the kernel,
// apply the difference and report what is really there:
//
//	want ──► Capabilities.Check ──► Diff(kernel's list, want) ──► kernel ──► list again ──► Status
//
// What is decided here: which services a plane can do ([Capabilities.Check]), which changes lead from one table to
// another and in which order ([Diff]), and how wanted and actual are shown side by side ([Compare]). All of it is pure.
//
// What is never done here: no health check, no address, no choice between planes, and no change of a sysctl. What the
// host lacks is reported ([Preflight], [Status.Needs]) together with the command that cures it.
//
// Established connections outlive every change: services are edited in place, never removed and added again; a
// destination with weight 0 gets no new connections and keeps those it has.
//
//	plane, err := ipvs.New()
//	status, err := plane.Reconcile(
//		lvs.Scope{Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.10")}},
//		[]lvs.Service{{
//			Addr: netip.MustParseAddr("192.0.2.10"), Port: 80, Protocol: "tcp", Scheduler: "wlc", Forward: "nat",
//			Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("10.0.0.11:8080"), Weight: 1}},
//		}})
package lvs
