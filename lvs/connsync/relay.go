package connsync

import (
	"encoding/binary"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Sealer seals datagrams with a key that all directors have. It is safe for concurrent use.
type Sealer interface {
	// Seal appends the sealed form of plain to dst.
	Seal(dst, plain []byte) []byte
	// Open appends the plain form of a sealed datagram to dst. It fails for whatever was not sealed with the key.
	Open(dst, datagram []byte) ([]byte, error)
}

// Plane is where the connections of this host are: its kernel.
type Plane interface {
	// Replay has the kernel take in a message.
	Replay(message []byte) error
	// Table yields the connections that the kernel has, as it reads them. An error ends it, but for those of one connection, which wrap errOne.
	Table() iter.Seq2[Conn, error]
}

// errOne is that a connection cannot be told of.
var errOne = errors.New("one of the kernel's connections")

// RelayOptions of a Relay. All but Log are required.
type RelayOptions struct {
	Self   string // name of this director, at most 63 bytes
	SyncID uint8
	Seal   Sealer
	Send   func(peer string, datagram []byte) error // to a peer; must not block
	Plane  Plane
	Wanted func(Conn) bool // whether a connection is of a service that is synced
	Log    *slog.Logger
}

// Times of a relay.
const (
	helloEvery  = time.Second
	seekEvery   = 200 * time.Millisecond // while a peer has not answered yet
	silentAfter = 5 * time.Second        // a peer that was not heard for so long is taken to be away
	// syncedWithin bounds how long a director that has started waits for the tables of its peers, and absentAfter for one that says nothing.
	syncedWithin = 10 * time.Second
	absentAfter  = 3 * time.Second
	// tableAgain is how soon a table is asked for again because frames were lost.
	tableAgain = 30 * time.Second
	sentRing   = 4096
)

// Relay carries sync messages between the kernels of several directors. It is the whole of the protocol, without sockets and clock: time
// comes in with each call, and never goes back. It is safe for concurrent use.
type Relay struct {
	o    RelayOptions
	boot uint64

	mu      sync.Mutex
	began   time.Time // of the first SetPeers
	settled bool      // Synced is true
	why     string    // what it did not wait for any longer
	peers   map[string]*peer
	said    uint64              // the last frame of kind sync
	sent    [sentRing]time.Time // when, by number
	plain   []byte
	sealed  []byte
	opened  []byte
	count   Counters
}

// NewRelay returns a relay that knows no peers yet.
func NewRelay(o RelayOptions) *Relay {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	r := &Relay{o: o, peers: make(map[string]*peer)}
	for r.boot == 0 {
		r.boot = rand.Uint64()
	}
	return r
}

// Close ends the tables that are being sent. Nothing is to be called after it.
func (r *Relay) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.peers {
		p.out.stop()
	}
}

// SetPeers says which other directors there are. What is known of one that stays is kept.
func (r *Relay) SetPeers(now time.Time, names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = now
	}
	for name, p := range r.peers {
		if !slices.Contains(names, name) {
			p.out.stop()
			delete(r.peers, name)
		}
	}
	for _, name := range names {
		if r.peers[name] == nil && name != r.o.Self && len(name) > 0 && len(name) <= maxName {
			r.peers[name] = &peer{name: name, in: tableIn{wanted: true}}
		}
	}
}

// Local takes a message of this host's kernel and sends what is wanted of it to all peers.
func (r *Relay) Local(now time.Time, message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, err := DecodeMessage(message)
	if err != nil {
		r.count.Malformed++
		r.o.Log.Debug("a message of the kernel cannot be read", "err", err)
		return
	}
	wanted := m.Conns[:0:0]
	for _, c := range m.Conns {
		if r.o.Wanted(c) {
			wanted = append(wanted, c)
		}
	}
	r.count.Captured += uint64(len(m.Conns))
	r.count.Unwanted += uint64(len(m.Conns) - len(wanted))
	switch {
	case len(wanted) == 0:
		return
	case len(wanted) < len(m.Conns):
		message = AppendMessage(nil, Message{SyncID: m.SyncID, Conns: wanted})
	}
	r.said++
	r.sent[r.said%sentRing] = now
	r.plain = frame{kind: kindSync, boot: r.boot, seq: r.said, from: r.o.Self, body: message}.append(r.plain[:0])
	r.sealed = r.o.Seal.Seal(r.sealed[:0], r.plain)
	for _, p := range r.peers {
		if p.there(now) || now.Sub(p.answered) < silentAfter {
			r.out(p, len(message))
		}
	}
}

// out sends what is sealed to a peer.
func (r *Relay) out(p *peer, payload int) {
	p.count.Sent++
	p.count.SentBytes += uint64(payload)
	if p.sendErr = r.o.Send(p.name, r.sealed); p.sendErr != nil {
		p.count.SendErrors++
	}
}

// tell sends a frame that is for one peer.
func (r *Relay) tell(p *peer, k kind, body []byte) {
	p.told++
	r.plain = frame{kind: k, boot: r.boot, echo: p.boot, seq: p.told, from: r.o.Self, to: p.name, body: body}.append(r.plain[:0])
	r.sealed = r.o.Seal.Seal(r.sealed[:0], r.plain)
	r.out(p, len(body))
}

// Receive takes a datagram that came from the network. from names the peer whose address it came from, for the count of what does not open;
// it may be empty.
func (r *Relay) Receive(now time.Time, from string, datagram []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	if r.opened, err = r.o.Seal.Open(r.opened[:0], datagram); err != nil {
		r.count.Forged++
		if p := r.peers[from]; p != nil {
			p.count.Forged++
		}
		return
	}
	f, err := decodeFrame(r.opened)
	if err != nil {
		r.count.Malformed++
		return
	}
	p := r.peers[f.from]
	if p == nil || f.to != "" && f.to != r.o.Self {
		r.count.Strange++
		return
	}
	if f.boot != p.boot && !r.meet(now, p, f) {
		return
	}
	p.count.Received++
	p.count.ReceivedBytes += uint64(len(f.body))
	if f.kind == kindSync {
		t := p.sync.take(now, f.seq, f.body)
		if !t.replayed { // a recording is no sign of life
			p.heard = now
		}
		r.takeSync(now, p, t)
		return
	}
	if f.echo != r.boot || !p.window.fresh(f.seq) {
		p.count.Replayed++
		return
	}
	p.heard = now
	switch f.kind {
	case kindHello:
		h := helloOf(f.body)
		p.acked = max(p.acked, min(h.heard, r.said))
		r.takeSync(now, p, p.sync.said(now, h.said))
	case kindRequest:
		r.requested(now, p, binary.BigEndian.Uint64(f.body))
	case kindBulk:
		r.takePiece(now, p, pieceOf(f.body), f.body[bulkHeader:], false)
	case kindEnd:
		r.takePiece(now, p, pieceOf(f.body), f.body[bulkHeader:], true)
	case kindAck:
		r.acknowledged(now, p, pieceOf(f.body), f.body[bulkHeader] == 1)
	}
}

// meet decides about a frame of another boot than the peer's known one: that of a process that has started since, or a recording of an
// earlier one. Only a hello that names our own boot shows that it is new, and a boot that was left is never taken up again.
func (r *Relay) meet(now time.Time, p *peer, f frame) bool {
	if f.kind != kindHello || slices.Contains(p.left, f.boot) {
		p.count.Replayed++
		return false
	}
	if f.echo != r.boot {
		if now.Sub(p.answered) >= seekEvery/2 { // it does not know us yet; say who we are, to whom it is
			p.answered = now
			known := p.boot
			p.boot = f.boot
			r.tell(p, kindHello, hello{said: r.said}.body())
			p.boot = known
		}
		return false
	}
	if p.boot != 0 {
		p.left = append(p.left, p.boot)
		if len(p.left) > maxLeft {
			p.left = p.left[1:]
		}
	}
	p.boot, p.window, p.sync = f.boot, window{}, newSequence(helloOf(f.body).said+1)
	p.acked = r.said
	p.out.stop()
	p.out = nil
	p.in, p.missed = tableIn{wanted: true}, false
	r.o.Log.Info("connection sync: a peer is there", "peer", p.name)
	r.ask(now, p)
	r.tell(p, kindHello, hello{heard: p.sync.next - 1, said: r.said}.body())
	p.helloed = now
	return true
}

// takeSync replays what has come into its turn, and counts.
func (r *Relay) takeSync(now time.Time, p *peer, t taken) {
	p.count.Lost += t.lost
	p.missed = p.missed || t.lost > 0
	if p.missed && !p.in.wanted && now.Sub(p.in.ended) >= tableAgain {
		p.in, p.missed = tableIn{wanted: true, again: true}, false
	}
	if t.replayed {
		p.count.Replayed++
	}
	if t.reordered {
		p.count.Reordered++
	}
	for _, body := range t.ready {
		r.replay(p, body)
	}
}

// replay hands a message to the kernel, if it is one.
func (r *Relay) replay(p *peer, message []byte) {
	m, err := DecodeMessage(message)
	if err == nil && m.SyncID != r.o.SyncID {
		err = errSyncID
	}
	if err == nil && len(m.Conns) > 0 {
		err = r.o.Plane.Replay(message)
	}
	if p.replayErr = err; err != nil {
		p.count.Dropped++
		return
	}
	p.count.Conns += uint64(len(m.Conns))
}

var errSyncID = errors.New("a message of another sync id")

// Tick does what is due, and says when the next thing is.
func (r *Relay) Tick(now time.Time) (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next = now.Add(helloEvery)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	for _, p := range r.peers {
		every := helloEvery
		if !p.there(now) || p.in.wanted {
			every = seekEvery
		}
		if now.Sub(p.helloed) >= every {
			p.helloed = now
			r.tell(p, kindHello, hello{heard: p.heardUpTo(), said: r.said}.body())
		}
		sooner(p.helloed.Add(every))
		if p.sync != nil {
			t, again := p.sync.tick(now)
			r.takeSync(now, p, t)
			sooner(again)
		}
		if p.in.wanted && p.there(now) {
			sooner(r.ask(now, p))
		}
		sooner(r.push(now, p))
	}
	r.settle(now)
	return next
}
