package vrrp

import (
	"testing"
	"time"
)

// TestPace: what a link of routers sends is read as it comes; a flood is read in batches, all of it where its senders' word counts and little of it where it does not.
func TestPace(t *testing.T) {
	// flood has a socket read for a second, while so many datagrams a second come. A read takes no time.
	flood := func(w who, rate int) (reads, read, late int) {
		p := paceOf(w)
		begin := time.Unix(1000, 0)
		room := p.queue * 2 / 1024 // a small packet takes up less than that, and the kernel doubles what is asked for
		for now := begin; now.Sub(begin) < time.Second; {
			came := int(now.Sub(begin).Seconds()*float64(rate)) - read - late
			if came > room {
				late += came - room
				came = room
			}
			n := min(came, p.batch)
			if n == 0 {
				now = now.Add(time.Second / time.Duration(rate))
				continue
			}
			p.read(n, now)
			reads, read = reads+1, read+n
			now = now.Add(p.wait)
		}
		return reads, read, late
	}
	for _, x := range []struct {
		who  who
		rate int
		// at most so many reads; at least and at most so many datagrams are read, and some are lost
		reads, least, most int
		lost               bool
	}{
		{theirs, 100, 100, 95, 100, false},
		{theirs, 5000, 5000, 4900, 5000, false}, // 50 virtual routers at the shortest interval
		{theirs, 50000, 1100, 49000, 50000, false},
		{theirs, 120000, 1100, 110000, 120000, false},
		{theirs, 1000000, 1100, 100000, 140000, true},
		{others, 10, 10, 9, 10, false},
		{others, 500, 25, 400, 500, false},
		{others, 50000, 25, 300, 700, true},
	} {
		reads, read, late := flood(x.who, x.rate)
		if reads > x.reads || read < x.least || read > x.most || (late > 0) != x.lost {
			t.Errorf("%d of %d a second: %d reads of %d, %d lost; want %+v", x.who, x.rate, reads, read, late, x)
		}
	}
}
