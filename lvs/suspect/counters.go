package suspect

import "net/netip"

// Count is what the kernel has counted of one server since it has it, where all packets in both directions pass the director.
type Count struct {
	Connections uint64
	In, Out     uint64 // packets: of clients, of the server
}

// Counts are those of the servers.
type Counts map[netip.AddrPort]Count

// Add counts something besides what is there: one server may serve several services.
func (c Counts) Add(server netip.AddrPort, n Count) {
	had := c[server]
	c[server] = Count{had.Connections + n.Connections, had.In + n.In, had.Out + n.Out}
}

// lonePackets are so many packets of established connections that may well remain without an answer for a look: the client's last
// acknowledgements.
const lonePackets = 2

// Silent compares two looks. A server is suspected
//
//   - of silence when packets went to it and none came from it, and they were more than the last words of clients;
//   - of refusing when connections went to it and no client said anything after its first packet: who gets an answer to it says at least one
//     more, who gets a reset falls silent.
//
// A look that falls between the first packet of a client and its second takes the one for all that there is; that costs a probe. A server
// that is new, or whose counters have begun anew, is not judged.
func Silent(then, now Counts) Suspects {
	out := Suspects{}
	for server, n := range now {
		was, known := then[server]
		if !known || n.Connections < was.Connections || n.In < was.In || n.Out < was.Out {
			continue
		}
		connections, in, back := n.Connections-was.Connections, n.In-was.In, n.Out-was.Out
		switch {
		case in == 0:
		case back == 0 && (connections > 0 || in > lonePackets):
			out.Add(server, Unanswered)
		case back > 0 && in <= connections && back <= connections:
			out.Add(server, Refused)
		}
	}
	return out
}
