package suspect

import (
	"net/netip"
	"time"
)

// Count is what the kernel has counted of one server since it has it, where all packets in both directions pass the director.
type Count struct {
	Connections uint64
	In, Out     uint64 // packets: of clients, of the server
}

// since is what came after an earlier count; ok is false when the counters have begun anew.
func (c Count) since(was Count) (Count, bool) {
	return Count{c.Connections - was.Connections, c.In - was.In, c.Out - was.Out}, c.Connections >= was.Connections && c.In >= was.In && c.Out >= was.Out
}

// Counts are those of the servers.
type Counts map[netip.AddrPort]Count

// Add counts something besides what is there: one server may serve several services.
func (c Counts) Add(server netip.AddrPort, n Count) {
	had := c[server]
	c[server] = Count{had.Connections + n.Connections, had.In + n.In, had.Out + n.Out}
}

const (
	// few packets of clients may well have no answer yet when the kernel adds up: the first ones of connections, or the last words of clients.
	few = 2
	// settle is the time after which the kernel has added up again, and the answers are there: it does so every two seconds (ip_vs_est.c), and a look takes its time.
	settle = 3 * time.Second
)

// judge says what is suspicious in what came between two looks:
//
//   - silence: packets went to the server and none came from it, and they were more than the last words of clients;
//   - refusals: connections went to it and no client said anything after its first packet. Who gets an answer to it says at least one more, who gets a
//     reset falls silent.
func (c Count) judge() Reason {
	switch {
	case c.In == 0:
	case c.Out == 0 && (c.Connections > 0 || c.In > few):
		return Unanswered
	case c.Out > 0 && c.In <= c.Connections && c.Out <= c.Connections:
		return Refused
	}
	return ""
}

// Counters follows the counters of servers from look to look. The zero value has seen nothing.
type Counters struct {
	seen map[netip.AddrPort]counted
}

// counted is what is known of a server's counters.
type counted struct {
	last  Count
	doubt bool      // what came was suspicious, but little: the kernel may have added up in the midst of a greeting
	from  Count     // before it came
	at    time.Time // when it was seen
}

// Next takes a look, and says which servers it makes suspect. A server that is new, or whose counters have begun anew, is not judged.
func (c *Counters) Next(now Counts, at time.Time) Suspects {
	out, seen := Suspects{}, make(map[netip.AddrPort]counted, len(now))
	for server, n := range now {
		was, known := c.seen[server]
		came, grew := n.since(was.last)
		if !known || !grew {
			seen[server] = counted{last: n}
			continue
		}
		from, first := was.last, at
		if was.doubt {
			if all, _ := n.since(was.from); all.judge() != "" {
				came, from, first = all, was.from, was.at
			}
		}
		next := counted{last: n}
		switch why := came.judge(); {
		case why == "":
		case came.In > few || at.Sub(first) >= settle:
			out.Add(server, why)
		default:
			next.doubt, next.from, next.at = true, from, first
		}
		seen[server] = next
	}
	c.seen = seen
	return out
}
