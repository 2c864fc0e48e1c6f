package api

import (
	"fmt"
	"strconv"
	"strings"

	"quorate/fsm"
)

// Cursor is a place in the timeline: after all events of entry Index, or, with N above 0, after the first N events of it.
// One entry may make several events (a fence makes one for each VIP), so an index alone would lose the rest of them when a
// stream breaks between two. Its text form is "123" or "123.2"; it is the id of a streamed event. It stays true when the timeline forgets the
// first events of that entry.
type Cursor struct {
	Index uint64
	N     int
}

// maxPerEntry bounds N. An entry may have more events than the timeline keeps: one for each of many servers.
const maxPerEntry = 1<<31 - 1

// String is the text form.
func (c Cursor) String() string {
	s := strconv.FormatUint(c.Index, 10)
	if c.N > 0 {
		s += "." + strconv.Itoa(c.N)
	}
	return s
}

// ParseCursor reads the text form; empty is the beginning.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	wrong := func() (Cursor, error) {
		return Cursor{}, fmt.Errorf("%.40q is not a place in the timeline: it is written like 123 or 123.2", s)
	}
	head, tail, some := strings.Cut(s, ".")
	i, err := strconv.ParseUint(head, 10, 64)
	if err != nil {
		return wrong()
	}
	c := Cursor{Index: i}
	if some {
		n, err := strconv.ParseUint(tail, 10, 32)
		if err != nil || n == 0 || n > maxPerEntry {
			return wrong()
		}
		c.N = int(n)
	}
	return c, nil
}

// step is an event with the place just after it.
type step struct {
	fsm.Event
	after Cursor
}

// since lists what comes after c, at most limit events (0 = all).
func since(t fsm.Timeline, c Cursor, limit int) []step {
	var out []step
	n := 0
	for i, e := range t {
		if i == 0 || t[i-1].Index != e.Index {
			n = 0
		}
		// Its own number counts those before it that are forgotten. Before schema 6 events have none.
		n = max(n, e.N) + 1
		if e.Index < c.Index || e.Index == c.Index && (c.N == 0 || n <= c.N) {
			continue
		}
		at := Cursor{Index: e.Index, N: n}
		if i == len(t)-1 || t[i+1].Index != e.Index {
			at.N = 0 // the last of its entry
		}
		out = append(out, step{e, at})
		if len(out) == limit {
			break
		}
	}
	return out
}

// forgotten reports whether events after c have dropped out of the bounded timeline. The beginning misses nothing: it asks
// for what there is.
func forgotten(t fsm.Timeline, c Cursor) bool {
	if c == (Cursor{}) || len(t) < fsm.MaxEvents {
		return false
	}
	return c.Index < t[0].Index || c.Index == t[0].Index && c.N > 0 && c.N < t[0].N
}
