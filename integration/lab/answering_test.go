package lab

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// TestTogether: whoever answers for an address, and what does not count as an answer.
func TestTogether(t *testing.T) {
	const ms = time.Millisecond
	at := func(d time.Duration, host string, kind FrameKind) Frame { return Frame{Instant(d), host, kind} }
	every := func(from, to time.Duration, host string, kind FrameKind) (out []Frame) {
		for d := from; d <= to; d += 10 * ms {
			out = append(out, at(d, host, kind))
		}
		return out
	}
	window := Span{0, Instant(time.Second)}
	for _, x := range []struct {
		name   string
		frames []Frame
		want   time.Duration
	}{
		{"nobody", nil, 0},
		{"one after the other", append(every(0, 300*ms, "a", FrameARP), every(301*ms, 600*ms, "b", FrameARP)...), 0},
		{"an answer under way", append(every(0, 300*ms, "a", FrameARP), every(300*ms-inFlight/2, 600*ms, "b", FrameARP)...), 0},
		{"in turn", append(every(0, 300*ms, "a", FrameARP), every(105*ms, 205*ms, "b", FrameNDP)...), 100 * ms},
		{"forth and back", append(append(every(0, 100*ms, "a", FrameARP), every(105*ms, 205*ms, "b", FrameARP)...), every(500*ms, 600*ms, "a", FrameARP)...), 0},
		{"packets and adverts", append(every(0, 300*ms, "a", FrameARP), append(every(105*ms, 205*ms, "b", FrameIP), every(105*ms, 205*ms, "b", FrameAdvert)...)...), 0},
	} {
		slices.SortStableFunc(x.frames, func(a, b Frame) int { return cmp.Compare(a.At, b.At) })
		if got := together(answering(x.frames), window); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
}
