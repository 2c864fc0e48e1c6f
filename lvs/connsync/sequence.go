package connsync

import "time"

// Bounds of what is kept of one peer's frames that came before their turn.
const (
	maxAhead      = 256                   // frames
	maxAheadBytes = 256 << 10             // of their bodies
	maxHole       = 50 * time.Millisecond // how long is waited for a frame that is missing
	maxSkip       = uint64(1) << 40       // a sequence that leaps further is nonsense
	replayWindow  = 64                    // of the frames for one peer, whose order does not matter
)

// sequence puts the frames of kind sync of one boot of one peer into order. What is missing is waited for, for a bounded time and with
// bounded memory, and then given up.
type sequence struct {
	next  uint64 // that is to come
	ahead map[uint64][]byte
	bytes int
	since time.Time // when the hole before the frames ahead was seen
}

func newSequence(next uint64) *sequence { return &sequence{next: next, ahead: make(map[uint64][]byte)} }

// taken is what became of a frame.
type taken struct {
	ready     [][]byte // in order
	lost      uint64   // frames that are not waited for any more
	replayed  bool     // it came before, or too late
	reordered bool     // it came before its turn
}

// take takes a frame in. The body is kept if it has to wait, as a copy.
func (s *sequence) take(now time.Time, seq uint64, body []byte) (t taken) {
	_, waits := s.ahead[seq]
	switch {
	case seq < s.next || waits || seq-s.next > maxSkip:
		t.replayed = true
		return t
	case seq == s.next:
		s.next++
		t.ready = append(t.ready, body)
		s.follow(&t)
		s.waitsSince(now)
		return t
	}
	t.reordered = true
	if len(s.ahead) == 0 {
		s.since = now
	}
	s.ahead[seq] = append([]byte(nil), body...)
	s.bytes += len(body)
	for len(s.ahead) > maxAhead || s.bytes > maxAheadBytes {
		s.skip(&t)
		s.waitsSince(now)
	}
	return t
}

// skip gives up what is missing before the first frame ahead.
func (s *sequence) skip(t *taken) {
	first := ^uint64(0)
	for seq := range s.ahead {
		first = min(first, seq)
	}
	t.lost += first - s.next
	s.next = first
	s.follow(t)
}

// follow moves what is in order now.
func (s *sequence) follow(t *taken) {
	for {
		body, ok := s.ahead[s.next]
		if !ok {
			return
		}
		delete(s.ahead, s.next)
		s.bytes -= len(body)
		s.next++
		t.ready = append(t.ready, body)
	}
}

// said is that the peer has sent frames up to last: what did not come by then is missing.
func (s *sequence) said(now time.Time, last uint64) (t taken) {
	if last < s.next || last-s.next > maxSkip || len(s.ahead) > 0 {
		return t
	}
	if s.since.IsZero() {
		s.since = now // the hello may have overtaken it
		return t
	}
	if now.Sub(s.since) >= maxHole {
		t.lost = last + 1 - s.next
		s.next, s.since = last+1, time.Time{}
	}
	return t
}

// tick gives up what has been waited for long enough, and says when to ask again; zero when nothing is missing.
func (s *sequence) tick(now time.Time) (t taken, again time.Time) {
	for len(s.ahead) > 0 && now.Sub(s.since) >= maxHole {
		s.skip(&t)
		s.waitsSince(now)
	}
	if len(s.ahead) > 0 {
		again = s.since.Add(maxHole)
	}
	return t, again
}

// waitsSince begins the waiting for the next hole, if there is one.
func (s *sequence) waitsSince(now time.Time) {
	if s.since = (time.Time{}); len(s.ahead) > 0 {
		s.since = now
	}
}

// window tells which numbers have been seen, of the last few (RFC 6479 without its rings).
type window struct {
	top  uint64
	bits uint64 // bit i: top-i was seen
}

// fresh reports whether seq is seen for the first time, and notes it.
func (w *window) fresh(seq uint64) bool {
	switch {
	case seq > w.top:
		if d := seq - w.top; d >= replayWindow {
			w.bits = 0
		} else {
			w.bits <<= d
		}
		w.top, w.bits = seq, w.bits|1
		return true
	case w.top-seq >= replayWindow || w.bits&(1<<(w.top-seq)) != 0:
		return false
	}
	w.bits |= 1 << (w.top - seq)
	return true
}
