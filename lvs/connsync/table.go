package connsync

import (
	"encoding/binary"
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
)

// tableIn is the receiving side of a table.
type tableIn struct {
	wanted bool // and not there yet
	again  bool // it was there once
	id     uint64
	index  uint32                // that is to come
	ahead  map[uint32]tablePiece // that came before their turn, fewer than tableWindow
	asked  time.Time
	ended  time.Time
}

type tablePiece struct {
	body []byte
	end  bool
}

// ask asks the peer for its table, unless it is coming. It says when to ask again.
func (r *Relay) ask(now time.Time, p *peer) time.Time {
	if p.in.id == 0 {
		p.in.id = rand.Uint64() | 1
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
		p.in.asked = now
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
	id     uint64
	pull   func() ([]byte, bool) // the next body, with its kind in the first byte
	close  func()
	began  time.Time
	moved  time.Time // the last progress
	base   uint32    // the first that is not acknowledged
	bodies [][]byte  // from base on
	sent   int       // of bodies, since the last resend
	resent time.Time
	end    bool // pull has given the end
}

func (t *tableOut) stop() {
	if t != nil && t.close != nil {
		t.close()
		t.close = nil
	}
}

// requested begins to send the table.
func (r *Relay) requested(now time.Time, p *peer, id uint64) {
	if t := p.out; t != nil && (t.id == id || now.Sub(t.began) < tableEvery) {
		return // it comes
	}
	p.out.stop()
	next, stop := iter.Pull(r.pieces())
	t := &tableOut{id: id, pull: next, close: stop, began: now, moved: now, resent: now}
	p.out = t
	r.push(now, p)
}

// pieces are the bodies of the table's frames, each after its kind.
func (r *Relay) pieces() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		m := Message{SyncID: r.o.SyncID}
		size, total := messageHeader, uint64(0)
		for c, err := range r.o.Plane.Table() {
			if err != nil {
				r.o.Log.Warn("connection sync: the kernel's connections cannot be read to the end", "err", err)
				break
			}
			if !r.o.Wanted(c) {
				continue
			}
			if size+c.size() > tableBody || len(m.Conns) == maxConns {
				if !yield(AppendMessage([]byte{byte(kindBulk)}, m)) {
					return
				}
				m.Conns, size = m.Conns[:0], messageHeader
			}
			m.Conns = append(m.Conns, c)
			size += c.size()
			total++
		}
		if len(m.Conns) > 0 && !yield(AppendMessage([]byte{byte(kindBulk)}, m)) {
			return
		}
		yield(binary.BigEndian.AppendUint64([]byte{byte(kindEnd)}, total))
	}
}

// push sends what may be under way, and again what was not acknowledged in time. It says when to look again; zero when nothing is under way.
func (r *Relay) push(now time.Time, p *peer) time.Time {
	t := p.out
	if t == nil || t.close == nil {
		return time.Time{}
	}
	if now.Sub(t.moved) > giveUpAfter {
		t.stop()
		return time.Time{}
	}
	if now.Sub(t.resent) >= resendAfter {
		t.sent, t.resent = 0, now
	}
	for len(t.bodies) < tableWindow && !t.end {
		body, ok := t.pull()
		if !ok {
			break
		}
		t.bodies = append(t.bodies, body)
		t.end = kind(body[0]) == kindEnd
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
	if t == nil || t.close == nil || x.id != t.id || x.index < t.base || x.index-t.base > uint32(len(t.bodies)) {
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
