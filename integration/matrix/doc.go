// Package matrix does to a whole cluster of the real program everything that goes wrong with one, and says what came of it:
// the rows of docs/guarantees.md, of the tests of package integration, and of `quorate-lab bench matrix` and `soak`, which
// are the same.
//
// A [Trial] is a cluster of three in network namespaces with two VIPs, IPv4 and IPv6, that are always on one node; a
// client that pings one of them every 2 ms, a bystander that asks every 5 ms who has them, and a capture of every frame
// that any host sends about them. [Trial.Once] makes one fault of the list [Rows], lets it last, heals it, waits until the
// cluster is whole, and returns a [Result]: what the client noticed, what overlapped on the wire, and what is not as it
// should be.
//
// What must hold in every row is the same: once a new owner has sent its first frame, an earlier one sends none, but for
// those in flight and, in a planned move, packets that still came to its own hardware address. After the healing every
// address is where the cluster says and nowhere else, and no agent has grown.
package matrix
