package connsync

import (
	"encoding/binary"
	"errors"
	"iter"
	"math/rand/v2"
	"time"
)

// Bounds of the sending of a table.
const (
	tableWindow = 16                     // frames under way
	resendAfter = 100 * time.Millisecond // without an acknowledgement
	askAgain    = 400 * time.Millisecond // for a table of which nothing comes
	giveUpAfter = 5 * time.Second
	tableEvery  = time.Second // no table is begun sooner after the last one for the same peer
	tableBody   = 1280        // bytes of a message of the table
	// tableLook bounds the connections that are looked at for one message: it goes, empty if need be, also where they are of services that are not
	// synced, so that the receiver knows that the table is coming, and nobody waits long for a piece.
	tableLook = 2048
)

// tableIn is the receiving side of a table.
type tableIn struct {
	wanted bool // and not there yet
	again  bool // it was there once
	id     uint64
	index  uint32                // that is to come
	ahead  map[uint32]tablePiece // that came before their turn, fewer than tableWindow
	asked  time.Time
	moved  time.Time // the last progress
	ended  time.Time
}

type tablePiece struct {
	body []byte
	end  bool
}

// ask asks the peer for its table, unless it is coming. It says when to ask again. A table of which nothing has come for long was given up by
// the sender, too, which takes the same number for one that it has sent: it is asked for under a new one.
func (r *Relay) ask(now time.Time, p *peer) time.Time {
	if p.in.id == 0 || now.Sub(p.in.moved) > giveUpAfter {
		p.in = tableIn{wanted: true, again: p.in.again, id: rand.Uint64() | 1, asked: p.in.asked, moved: now}
	}
	if now.Sub(p.in.asked) >= askAgain {
		p.in.asked = now
		r.tell(p, kindRequest, binary.BigEndian.AppendUint64(nil, p.in.id))
	}
	return p.in.asked.Add(askAgain)
}

// takePiece takes a part of the table in, or its end, replays what is in its turn, and says which one is to come.
func (r *Relay) takePiece(now time.Time, p *peer, x piece, body []byte, end bool) {
	if x.id != p.in.id || x.id == 0 {
		return
	}
	if p.in.wanted && x.index >= p.in.index && x.index-p.in.index < tableWindow {
		p.in.asked, p.in.moved = now, now
		if p.in.ahead == nil {
			p.in.ahead = make(map[uint32]tablePiece)
		}
		p.in.ahead[x.index] = tablePiece{append([]byte(nil), body...), end}
		for p.in.wanted {
			next, ok := p.in.ahead[p.in.index]
			if !ok {
				break
			}
			delete(p.in.ahead, p.in.index)
			p.in.index++
			if next.end {
				r.tableEnds(now, p, binary.BigEndian.Uint64(next.body))
			} else {
				r.replay(p, next.body)
			}
		}
	}
	state := byte(0)
	if !p.in.wanted {
		state = 1
	}
	r.tell(p, kindAck, append(piece{p.in.id, p.in.index}.append(nil), state))
}

func (r *Relay) tableEnds(now time.Time, p *peer, conns uint64) {
	p.in.wanted, p.in.again, p.in.ended, p.in.ahead = false, false, now, nil
	p.count.Tables++
	r.o.Log.Info("connection sync: a peer's connections are here", "peer", p.name, "conns", conns)
	r.settle(now)
}

// tableOut is the sending side. It holds what is under way, and no more of the table.
type tableOut struct {
	id      uint64
	next    func() ([]byte, bool) // body, with its kind in the first byte
	close   func()
	pulling bool // next is being called
	stopped bool // nothing is sent any more
	began   time.Time
	moved   time.Time // the last progress
	base    uint32    // the first that is not acknowledged
	bodies  [][]byte  // from base on
	sent    int       // of bodies, since the last resend
	resent  time.Time
	end     bool // next has given the end, or has nothing more
}

// stop ends it; the table is closed as soon as nobody reads it.
func (t *tableOut) stop() {
	if t == nil || t.stopped {
		return
	}
	if t.stopped = true; !t.pulling {
		t.close()
	}
}

// pull reads the next piece. The lock is not held meanwhile: with a long table the kernel takes its time, and the counters, the other peers and the
// kernel's messages shall not wait for that.
func (r *Relay) pull(t *tableOut) (body []byte, ok bool) {
	t.pulling = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		if t.pulling = false; t.stopped {
			t.close()
		}
	}()
	return t.next()
}

// requested begins to send the table.
func (r *Relay) requested(now time.Time, p *peer, id uint64) {
	if t := p.out; t != nil && (t.id == id || now.Sub(t.began) < tableEvery) {
		return // it comes
	}
	p.out.stop()
	next, stop := iter.Pull(r.pieces())
	t := &tableOut{id: id, next: next, close: stop, began: now, moved: now, resent: now}
	p.out = t
	r.push(now, p)
}

// pieces are the bodies of the table's frames, each after its kind. A table that cannot be read to its end has none: the peer must not take
// it for the whole.
func (r *Relay) pieces() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		m := Message{SyncID: r.o.SyncID}
		size, looked, total, left := messageHeader, 0, uint64(0), 0
		send := func() bool {
			body := AppendMessage([]byte{byte(kindBulk)}, m)
			m.Conns, size, looked = m.Conns[:0], messageHeader, 0
			return yield(body)
		}
		for c, err := range r.o.Plane.Table() {
			if errors.Is(err, errOne) {
				if left++; left == 1 {
					r.o.Log.Warn("connection sync: a connection is not told of; others like it are not named", "err", err)
				}
				continue
			}
			if err != nil {
				r.o.Log.Warn("connection sync: the kernel's connections cannot be read to the end", "err", err)
				if len(m.Conns) > 0 {
					send()
				}
				return
			}
			wanted := r.o.Wanted(c)
			if full := wanted && (size+c.size() > tableBody || len(m.Conns) == maxConns); (full || looked == tableLook) && !send() {
				return
			}
			if looked++; wanted {
				m.Conns = append(m.Conns, c)
				size += c.size()
				total++
			}
		}
		if len(m.Conns) > 0 && !send() {
			return
		}
		yield(binary.BigEndian.AppendUint64([]byte{byte(kindEnd)}, total))
	}
}

// push sends what may be under way, and again what was not acknowledged in time. It says when to look again; zero when nothing is under way.
func (r *Relay) push(now time.Time, p *peer) time.Time {
	t := p.out
	if t == nil || t.stopped {
		return time.Time{}
	}
	if now.Sub(t.moved) > giveUpAfter {
		t.stop()
		return time.Time{}
	}
	if now.Sub(t.resent) >= resendAfter {
		t.sent, t.resent = 0, now
	}
	for len(t.bodies) < tableWindow && !t.end && !t.pulling {
		body, ok := r.pull(t)
		if t.stopped {
			return time.Time{}
		}
		if t.end = !ok || kind(body[0]) == kindEnd; ok {
			t.bodies = append(t.bodies, body)
		}
	}
	for ; t.sent < len(t.bodies); t.sent++ {
		body := t.bodies[t.sent]
		r.tell(p, kind(body[0]), append(piece{t.id, t.base + uint32(t.sent)}.append(nil), body[1:]...))
	}
	return t.resent.Add(resendAfter)
}

// acknowledged is that all before x.index have come.
func (r *Relay) acknowledged(now time.Time, p *peer, x piece, done bool) {
	t := p.out
	if t == nil || t.stopped || x.id != t.id || x.index < t.base || x.index-t.base > uint32(len(t.bodies)) {
		return
	}
	if n := int(x.index - t.base); n > 0 {
		t.base, t.moved, t.resent = x.index, now, now
		t.bodies = append(t.bodies[:0], t.bodies[n:]...)
		t.sent = max(0, t.sent-n)
	}
	if done || t.end && len(t.bodies) == 0 {
		t.stop()
		return
	}
	r.push(now, p)
}
