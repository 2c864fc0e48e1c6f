package lab

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"quorate/fsm"
)

const ms = Instant(time.Millisecond)

func TestLongestGap(t *testing.T) {
	for _, c := range []struct {
		at       []Instant
		from, to Instant
	}{
		{nil, 0, 100},                         // nothing: the whole window
		{[]Instant{50}, 0, 50},                // the first of two equal halves
		{[]Instant{10, 20, 70, 90}, 20, 70},   // in the middle
		{[]Instant{60, 70, 80}, 0, 60},        // at the beginning
		{[]Instant{5, 10, 20}, 20, 100},       // at the end
		{[]Instant{-40, -20, 60, 200}, 0, 60}, // what lies outside does not shorten it
		{[]Instant{-40, 110, 150, 200}, 0, 100},
	} {
		if got := longestGap(c.at, Span{0, 100}); got != (Span{c.from, c.to}) {
			t.Errorf("%v: %v, want %d to %d", c.at, got, c.from, c.to)
		}
	}
}

func TestSummary(t *testing.T) {
	requests := []Request{
		{At: 1 * ms, Took: time.Millisecond, Server: "w1"}, // before the window
		{At: 10 * ms, Took: 2 * time.Millisecond, Server: "w1"},
		{At: 20 * ms, Took: 60 * time.Millisecond, Err: "i/o timeout"},
		{At: 30 * ms, Took: 60 * time.Millisecond, Err: "i/o timeout"},
		{At: 40 * ms, Took: 60 * time.Millisecond, Err: "connection refused"},
		{At: 70 * ms, Took: 4 * time.Millisecond, Server: "w2"},
		{At: 80 * ms, Took: 3 * time.Millisecond, Server: "w1"},
		{At: 100 * ms, Took: time.Millisecond, Server: "w2"}, // after it
	}
	s := summarize(requests, Span{10 * ms, 100 * ms})
	if got, want := s.String(), "6 requests, 3 failed (w1 2, w2 1), longest gap 62 ms: i/o timeout"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.CommonError() != "i/o timeout" || s.Median != 3*time.Millisecond || s.Slowest != 4*time.Millisecond {
		t.Errorf("%q, median %v, slowest %v", s.CommonError(), s.Median, s.Slowest)
	}
	if got, want := summarize(nil, Span{0, 5 * ms}).String(), "0 requests, 0 failed (no answers), longest gap 5.0 ms"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDecided(t *testing.T) {
	owned := func(vip, node string) fsm.Event {
		return fsm.Event{Kind: fsm.EventAssign, VIP: vip, Node: fsm.NodeID(node)}
	}
	events := []fsm.Event{owned("web", "n1"), owned("other", "n2"), owned("web", "n3"), {Kind: fsm.EventReported, VIP: "web", Node: "n2"}, owned("web", "n3")}
	if got := Decided(events, "web", "n1"); !slices.Equal(got, []string{"n1", "n3"}) {
		t.Errorf("owners %q", got)
	}
}

func TestOwnershipsAndTheirOverlap(t *testing.T) {
	var claims []Claim
	add := func(host string, from, to Instant) {
		for at := from; at <= to; at += 5 * ms {
			claims = append(claims, Claim{At: at, Host: host})
		}
	}
	add("a", 0, 100*ms)
	add("b", 200*ms, 300*ms)
	for at := 250 * ms; at <= 400*ms; at += 5 * ms { // c joins b for 50 ms; claims of both mix
		claims = append(claims, Claim{At: at, Host: "c"})
	}
	add("a", 390*ms, 395*ms)
	owners := ownerships(claims, 25*time.Millisecond)
	want := "[{a {0 100000000}} {b {200000000 300000000}} {c {250000000 400000000}} {a {390000000 395000000}}]"
	if got := fmt.Sprint(owners); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, c := range []struct {
		window Span
		want   time.Duration
	}{
		{Span{0, 200 * ms}, 0},
		{Span{0, 1000 * ms}, 55 * time.Millisecond},
		{Span{260 * ms, 280 * ms}, 20 * time.Millisecond},
		{Span{300 * ms, 350 * ms}, 0},
	} {
		if got := overlap(owners, c.window); got != c.want {
			t.Errorf("%v: overlap %v, want %v", c.window, got, c.want)
		}
	}
}

func TestMillis(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 ms", 4230 * time.Microsecond: "4.2 ms", 312499 * time.Microsecond: "312 ms",
		2900 * time.Millisecond: "2900 ms", 12340 * time.Millisecond: "12.3 s",
	} {
		if got := Millis(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestJoinCommand(t *testing.T) {
	got, err := JoinCommand("Cluster x is formed.\n\nOn each further node:\n\n  quorate join 192.0.2.11:7300 --token QT1-abc\n\nThen …\n")
	if want := "[join 192.0.2.11:7300 --token QT1-abc]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
	if got, err := JoinCommand("nothing"); err == nil {
		t.Errorf("found %v where there is none", got)
	}
}

func TestApart(t *testing.T) {
	const ms = time.Millisecond
	request := func(at, took int) Request {
		return Request{At: Instant(at) * Instant(ms), Took: time.Duration(took) * ms}
	}
	for _, c := range []struct {
		requests []Request
		want     time.Duration
	}{
		{nil, 0},
		{[]Request{request(10, 1)}, 0},
		{[]Request{request(50, 20), request(10, 100), request(52, 1)}, 0},      // all at 52 ms
		{[]Request{request(40, 1), request(0, 1), request(80, 1)}, 79 * ms},    // one after the other
		{[]Request{request(0, 100), request(0, 30), request(35, 100)}, 5 * ms}, // the second had ended
	} {
		if got := Apart(c.requests); got != c.want {
			t.Errorf("%v: %v, want %v", c.requests, got, c.want)
		}
	}
}
