package connsync

import "time"

// maxLeft bounds the boots of a peer that are remembered as left.
const maxLeft = 128

// peer is another director.
type peer struct {
	name string
	boot uint64   // of its process; 0: not met yet
	left []uint64 // boots that it had before

	told     uint64 // frames for it alone
	helloed  time.Time
	answered time.Time // a hello that was not for us
	acked    uint64    // frames of kind sync that it has taken in

	heard  time.Time
	window window
	sync   *sequence // nil: not met yet

	in     tableIn
	missed bool // frames of kind sync are lost, and the table has not been asked for since
	out    *tableOut

	count PeerCounters
	// What went wrong with the last datagram to it, and with the last message from it; nil: nothing.
	sendErr, replayErr error
}

// there reports whether the peer has been heard lately.
func (p *peer) there(now time.Time) bool { return p.boot != 0 && now.Sub(p.heard) < silentAfter }

func (p *peer) heardUpTo() uint64 {
	if p.sync == nil {
		return 0
	}
	return p.sync.next - 1
}
