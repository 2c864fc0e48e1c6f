// Package lab builds a multi-host network on one machine and runs real programs in it: the bed of the demo, the
// benchmarks and the integration tests.
//
// A [Host] is a network namespace with one Ethernet interface, eth0, plugged into a bridge. The bridge lives in a
// namespace of its own, so the machine that the lab runs on sees no link, address, route, rule or mount of it. Programs
// run on a host as ordinary processes; the package adds what a network has besides directors: web servers, a client that
// keeps a rate whatever happens ([Load]), a 500 Hz ping ([Probe]), a bystander that asks who owns an address ([Watch]), and a capture of every frame that a host
// sends about an address ([Capture]).
//
//	          ┌─────────────── namespace of the switch ───────────────┐
//	          │                       bridge                          │
//	          │    n1        n2        n3        w1        c1   ports │
//	          └────┼─────────┼─────────┼─────────┼─────────┼──────────┘
//	namespace:   eth0      eth0      eth0      eth0      eth0
//	            agent     agent     agent   webserver   client
//
// Faults are those of real machines: a program is killed or frozen ([Process.Signal]), a cable is pulled
// ([Host.LinkDown]), a switch port goes silent while the carrier stays ([Host.Unplug]), a machine loses power
// ([Host.PowerOff]), frames are lost in one direction ([Host.Drop]) or at random ([Host.Loss]).
//
// # What holds a namespace
//
// Namespaces have no name and no mount: a file descriptor of this process holds each of them. Programs are started by a
// thread that lives as long as the host and carry PR_SET_PDEATHSIG, so that they die with it. A lab that is killed with
// SIGKILL therefore takes its programs, namespaces, links, addresses and rules along; what is left of it is one directory
// of logs and one small file under [StateDir], by which [Sweep] (`quorate-lab down`) finds and removes the rest. Named
// namespaces under /run/netns would be friendlier to `ip netns exec`, but they are mounts, and mounts outlive a crash.
//
// The package needs root. It decides nothing about the cluster: it reports what was seen.
//
//	l, err := lab.New(ctx, lab.Options{})
//	defer l.Close()
//	a, _ := l.AddHost("a", netip.MustParsePrefix("192.0.2.1/24"))
//	b, _ := l.AddHost("b", netip.MustParsePrefix("192.0.2.2/24"))
//	w, _ := a.ServeWeb(ctx, "w1", 8080)
//	out, err := b.Run(ctx, "curl", "-s", "http://192.0.2.1:8080/")
package lab
