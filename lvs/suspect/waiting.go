package suspect

import (
	"net/netip"
	"time"
)

// Connection is one that a client has asked for.
type Connection struct {
	Client, Virtual, Server netip.AddrPort
}

// Look is what was seen at one time: the connections that had no answer, and how long the kernel would remember each if nothing came.
type Look struct {
	Left map[Connection]time.Duration
	Part bool // there were more
}

// maxLook bounds the connections of a look: with more of them enough is known.
const maxLook = 1 << 13

// Add notes a connection.
func (l *Look) Add(c Connection, left time.Duration) {
	if l.Left == nil {
		l.Left = map[Connection]time.Duration{}
	}
	if _, known := l.Left[c]; !known && len(l.Left) >= maxLook {
		l.Part = true
		return
	}
	l.Left[c] = left
}

// Waiting follows connections from look to look. The zero value has seen nothing.
type Waiting struct {
	at   time.Time
	seen map[Connection]wait
}

// wait is what is known of a connection that has no answer.
type wait struct {
	until time.Time // when the kernel forgets it, as it was when news last came
	news  bool      // a packet came that was not there at the look before
}

// expiryError is by how much the end of a connection may seem to move by itself: the kernel says it in seconds, and rounds them.
const expiryError = 1500 * time.Millisecond

// Next takes a look, and says which servers it makes suspect: those with a connection that had had a new packet at the look before, that has no
// answer yet, and of whose connections without an answer at that look none has got one. A connection is gone from the look when it was answered; one that
// the kernel had to forget does not count as answered.
//
// The time between two looks is what a server is given to answer: it should be longer than the way there and back.
func (w *Waiting) Next(look Look, at time.Time) Suspects {
	out, answered := Suspects{}, map[netip.AddrPort]bool{}
	for c, was := range w.seen {
		_, waits := look.Left[c]
		switch {
		case !waits && !look.Part && was.until.After(at.Add(expiryError)):
			answered[c.Server] = true
		case waits && was.news && at.After(w.at):
			out.Add(c.Server, Unanswered)
		}
	}
	for server := range answered {
		delete(out, server)
	}
	seen := make(map[Connection]wait, len(look.Left))
	for c, left := range look.Left {
		was, known := w.seen[c]
		now := wait{until: at.Add(left), news: true}
		if known && !now.until.After(was.until.Add(expiryError)) { // no packet has come that we could tell
			now = wait{until: was.until}
		}
		seen[c] = now
	}
	w.at, w.seen = at, seen
	return out
}

// Fresh reports whether the last look had connections with new packets: whether a further look could suspect anybody.
func (w *Waiting) Fresh() bool {
	for _, x := range w.seen {
		if x.news {
			return true
		}
	}
	return false
}
