package vrrp

import "time"

// pace is how fast a socket is read, so that a flood takes little of a processor: a reader that is woken for each datagram is what costs. It is pure.
type pace struct {
	batch int           // datagrams that are read at once
	queue int           // bytes for those that wait in the kernel
	most  int           // so many in a period are read as they come
	pause time.Duration // before each further read
	per   time.Duration // the period

	wait  time.Duration // before the next read
	begin time.Time     // of the period
	count int           // read in it
	busy  bool          // there were too many in the one before
}

// paceOf is that of a socket. Whose word counts is read to the last advert, whatever else is sent in their name: what waits has room for far longer than the pause, and a batch
// for more than the pause brings, up to 128,000 a second. Of others some hundred a second are enough to know who they are.
func paceOf(w who) pace {
	if w == others {
		return pace{batch: 32, queue: 64 << 10, most: 1, pause: 50 * time.Millisecond, per: 50 * time.Millisecond}
	}
	return pace{batch: 128, queue: 1 << 20, most: 64, pause: time.Millisecond, per: 10 * time.Millisecond}
}

// read notes that n datagrams were read, and sets for how long to wait before the next read.
func (p *pace) read(n int, now time.Time) {
	if now.Sub(p.begin) >= p.per {
		p.busy = p.count >= p.most && now.Sub(p.begin) < 2*p.per
		p.begin, p.count = now, 0
	}
	p.count += n
	p.wait = 0
	if n > 0 && (p.busy || p.count >= p.most) {
		p.wait = p.pause
	}
}
