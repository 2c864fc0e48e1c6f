// Package suspect says which servers do not answer the connections of clients, by what a director's kernel counts and remembers of them anyway.
//
// It decides nothing about a server: that traffic gets no answer is a reason to ask the server itself at once, and no more. So it may miss a dead
// server, and hardly ever names one that answers.
//
// There are two ways, both without a clock or a kernel, from what was seen then to what is seen now:
//
//	counters of the servers, then and now ──► [Counters]  connections and packets go in, and nothing comes out, or nothing but refusals
//	connections without an answer         ──► [Waiting]   one that waited then waits now, and none of the server's has been answered
//
// Neither suspects anybody without packets that came since the last time. TCP alone is looked at: a datagram need not be answered.
package suspect

import "net/netip"

// Reason is why a server is suspected.
type Reason string

// The reasons.
const (
	Unanswered Reason = "unanswered" // clients wait for its first answer
	Refused    Reason = "refused"    // it answers connections with a reset
)

// Suspects are the servers that should be asked, and why.
type Suspects map[netip.AddrPort]Reason

// Add notes a server. A refusal is said by the server's own host, and so goes before silence.
func (s Suspects) Add(server netip.AddrPort, why Reason) {
	if s[server] != Refused {
		s[server] = why
	}
}
