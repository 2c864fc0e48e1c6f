package connsync

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
)

// sealer seals with a key of one byte.
type sealer struct{ cipher.AEAD }

func seal(key byte) sealer {
	b, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCMWithRandomNonce(b)
	if err != nil {
		panic(err)
	}
	return sealer{a}
}

func (s sealer) Seal(dst, b []byte) []byte { return s.AEAD.Seal(dst, nil, b, nil) }

func (s sealer) Open(dst, b []byte) ([]byte, error) { return s.AEAD.Open(dst, nil, b, nil) }

// memory is a Plane without a kernel.
type memory struct {
	table    []Conn
	replayed []Conn
	fail     error
}

func (m *memory) Replay(b []byte) error {
	x, err := DecodeMessage(bytes.Clone(b))
	m.replayed = append(m.replayed, x.Conns...)
	return errors.Join(err, m.fail)
}

func (m *memory) Table() iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		for _, c := range m.table {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// wires is relays and the datagrams between them, in virtual time.
type wires struct {
	t      *testing.T
	now    time.Time
	relays map[string]*Relay
	planes map[string]*memory
	queue  []packet
	// fate says how often a datagram comes, and how much later; nil: once, at once.
	fate func(packet) []time.Duration
	sent []packet // all that was ever sent
}

type packet struct {
	at       time.Time
	from, to string
	data     []byte
}

func newNet(t *testing.T, names ...string) *wires {
	n := &wires{t: t, now: time.Unix(1000, 0), relays: map[string]*Relay{}, planes: map[string]*memory{}}
	for _, name := range names {
		n.start(name, 1, names)
	}
	return n
}

// start starts a relay, or starts it again with nothing remembered.
func (n *wires) start(name string, key byte, names []string) *Relay {
	n.planes[name] = &memory{}
	n.relays[name] = NewRelay(RelayOptions{Self: name, SyncID: 81, Seal: seal(key), Log: slog.New(slog.DiscardHandler), Plane: n.planes[name], Wanted: func(c Conn) bool { return c.Virtual.Port() != 81 },
		Send: func(to string, b []byte) error {
			p := packet{n.now, name, to, bytes.Clone(b)}
			n.sent = append(n.sent, p)
			delays := []time.Duration{0}
			if n.fate != nil {
				delays = n.fate(p)
			}
			for _, d := range delays {
				p.at = n.now.Add(d + time.Millisecond)
				n.queue = append(n.queue, p)
			}
			return nil
		}})
	n.relays[name].SetPeers(n.now, names)
	return n.relays[name]
}

// pass lets time go by.
func (n *wires) pass(d time.Duration) {
	for end := n.now.Add(d); n.now.Before(end); n.now = n.now.Add(time.Millisecond) {
		var due []packet
		n.queue = slices.DeleteFunc(n.queue, func(p packet) bool {
			if p.at.After(n.now) {
				return false
			}
			due = append(due, p)
			return true
		})
		for _, p := range due {
			if r := n.relays[p.to]; r != nil {
				r.Receive(n.now, p.from, p.data)
			}
		}
		if n.now.UnixMilli()%10 == 0 {
			for _, r := range n.relays {
				r.Tick(n.now)
			}
		}
	}
}

func (n *wires) say(from string, clients ...uint16) {
	for _, c := range clients {
		n.relays[from].Local(n.now, AppendMessage(nil, Message{SyncID: 81, Conns: []Conn{conn4(c)}}))
	}
}

func (n *wires) clients(at string) (out []uint16) {
	for _, c := range n.planes[at].replayed {
		out = append(out, c.Client.Port())
	}
	return out
}

func (n *wires) peer(at, of string) PeerStatus {
	n.t.Helper()
	for _, p := range n.relays[at].Status(n.now).Peers {
		if p.Peer == of {
			return p
		}
	}
	n.t.Fatalf("%s does not know %s", at, of)
	return PeerStatus{}
}

func upTo(n uint16) (out []uint16) {
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

func TestRelay(t *testing.T) {
	n := newNet(t, "n1", "n2", "n3")
	n.planes["n1"].table = []Conn{conn4(501), conn4(502)}
	n.pass(2 * time.Second)
	for _, r := range n.relays {
		if !r.Synced(n.now) {
			t.Errorf("%s is not synced: %+v", r.o.Self, r.Status(n.now))
		}
	}
	n.say("n1", upTo(100)...)
	n.pass(2 * time.Second)
	for _, at := range []string{"n2", "n3"} {
		if got := n.clients(at); !slices.Equal(got, append([]uint16{501, 502}, upTo(100)...)) {
			t.Errorf("%s has %v", at, got)
		}
		if p := n.peer("n1", at); p.Lag != 0 || !p.There || !p.Synced {
			t.Errorf("%s: %+v", at, p)
		}
	}
	delete(n.relays, "n2") // dead
	n.say("n1", 1)
	n.pass(700 * time.Millisecond)
	if p := n.peer("n1", "n2"); p.Lag < 500*time.Millisecond {
		t.Errorf("lag of a dead peer: %v", p.Lag)
	}
}

// TestRelayProblems: what goes wrong is said until it goes right.
func TestRelayProblems(t *testing.T) {
	n := newNet(t, "n1", "n2")
	n.pass(time.Second)
	problem := func(want string) {
		t.Helper()
		n.say("n1", 1)
		n.pass(100 * time.Millisecond)
		if p := n.peer("n2", "n1"); p.Problem != want {
			t.Errorf("problem %q, want %q", p.Problem, want)
		}
	}
	problem("")
	n.planes["n2"].fail = errors.New("no")
	problem("no")
	send := n.relays["n2"].o.Send
	n.relays["n2"].o.Send = func(string, []byte) error { return errors.New("full") }
	n.pass(helloEvery)
	problem("full; no")
	n.planes["n2"].fail, n.relays["n2"].o.Send = nil, send
	n.pass(helloEvery)
	problem("")
	if p := n.peer("n2", "n1"); p.Dropped != 2 || p.SendErrors == 0 {
		t.Errorf("%+v", p)
	}
}

// TestRelayFilters: what is not wanted is not sent, also out of the middle of a message.
func TestRelayFilters(t *testing.T) {
	n := newNet(t, "n1", "n2")
	n.pass(time.Second)
	private := conn4(2)
	private.Virtual = netip.MustParseAddrPort("192.0.2.10:81")
	n.relays["n1"].Local(n.now, AppendMessage(nil, Message{SyncID: 81, Conns: []Conn{conn4(1), private, conn4(3)}}))
	n.planes["n1"].table = []Conn{private, conn4(4)}
	n.relays["n2"].Resync(n.now)
	n.pass(2 * time.Second)
	if got := n.clients("n2"); !slices.Equal(got, []uint16{1, 3, 4}) {
		t.Errorf("n2 has %v", got)
	}
	if st := n.relays["n1"].Status(n.now); st.Captured != 3 || st.Unwanted != 1 {
		t.Errorf("%+v", st)
	}
}

// TestRelayOrders: what comes in another order, twice or not at all is put into order, taken once and counted.
func TestRelayOrders(t *testing.T) {
	n := newNet(t, "n1", "n2")
	n.pass(time.Second)
	r := rand.New(rand.NewPCG(1, 2))
	lost := 0
	n.fate = func(p packet) []time.Duration {
		d := time.Duration(r.IntN(30)) * time.Millisecond
		switch r.IntN(10) {
		case 0:
			lost++
			return nil
		case 1:
			return []time.Duration{d, d + 5*time.Millisecond}
		}
		return []time.Duration{d}
	}
	for i := range uint16(500) {
		n.say("n1", i)
		n.pass(time.Millisecond)
	}
	said := n.clients("n2")
	n.fate = nil
	n.pass(2 * time.Second)
	got := n.clients("n2")
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("out of order or twice: %v", got)
	}
	p := n.peer("n2", "n1")
	if p.Lost == 0 || int(p.Lost) > lost || p.Lost+uint64(len(got)) != 500 || p.Reordered == 0 || p.Replayed == 0 {
		t.Errorf("%d lost on the way, %d came (%d early): %+v", lost, len(got), len(said), p)
	}
}

// TestRelayTableOverLoss: the whole table comes although every third datagram is lost, once and in order.
func TestRelayTableOverLoss(t *testing.T) {
	n := newNet(t, "n1", "n2")
	for i := range uint16(5000) {
		n.planes["n1"].table = append(n.planes["n1"].table, conn4(i+1))
	}
	r := rand.New(rand.NewPCG(3, 4))
	n.fate = func(packet) []time.Duration {
		if r.IntN(3) == 0 {
			return nil
		}
		return []time.Duration{time.Duration(r.IntN(5)) * time.Millisecond}
	}
	for i := 0; !n.relays["n2"].Synced(n.now); i++ {
		if n.pass(100 * time.Millisecond); i > 600 {
			t.Fatalf("never synced: %+v", n.relays["n2"].Status(n.now))
		}
	}
	n.pass(20 * time.Second)
	if got := n.clients("n2"); !slices.Equal(got, upTo(5000)) {
		t.Errorf("%d connections, in order %v", len(got), slices.IsSorted(got))
	}
}

// TestSyncedWaitsForThoseThatAreThere, and not for ever.
func TestSyncedWaits(t *testing.T) {
	n := newNet(t, "n1", "n2")
	alone := n.start("n3", 1, []string{"gone"})
	if n.pass(absentAfter - 100*time.Millisecond); alone.Synced(n.now) {
		t.Error("a peer that may still be there is not waited for")
	}
	if n.pass(200 * time.Millisecond); !alone.Synced(n.now) {
		t.Error("a peer that is not there is waited for")
	}
	// A peer that says hello and never sends its table.
	mute := n.start("n1", 1, []string{"n2"})
	n.fate = func(p packet) []time.Duration {
		if f, err := decodeFrame(mustOpen(t, p.data)); err == nil && (f.kind == kindBulk || f.kind == kindEnd) {
			return nil
		}
		return []time.Duration{0}
	}
	if n.pass(syncedWithin - time.Second); mute.Synced(n.now) {
		t.Error("synced without the table")
	}
	n.pass(2 * time.Second)
	if st := mute.Status(n.now); !st.Synced || st.Waived == "" {
		t.Errorf("%+v", st)
	}
}

func mustOpen(t *testing.T, b []byte) []byte {
	t.Helper()
	out, err := seal(1).Open(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRelayRestarts: a peer that starts again is met again and given the table; recordings of its earlier process are worth nothing.
func TestRelayRestarts(t *testing.T) {
	n := newNet(t, "n1", "n2")
	n.pass(time.Second)
	n.say("n1", upTo(10)...)
	n.planes["n2"].table = []Conn{conn4(600)}
	n.pass(time.Second)
	recorded := slices.Clone(n.sent)
	old := n.relays["n1"].boot
	n.start("n1", 1, []string{"n1", "n2"})
	n.pass(2 * time.Second)
	if got := n.clients("n1"); !slices.Equal(got, []uint16{600}) || !n.relays["n1"].Synced(n.now) {
		t.Errorf("the new n1 has %v", got)
	}
	before, st := len(n.clients("n2")), n.peer("n2", "n1")
	for _, p := range recorded {
		n.relays[p.to].Receive(n.now, p.from, p.data)
	}
	n.pass(time.Second)
	if got := n.clients("n2"); len(got) != before {
		t.Errorf("a recording was replayed: %v", got[before:])
	}
	if n.relays["n2"].peers["n1"].boot == old {
		t.Error("a recording brought the old process back")
	}
	if now := n.peer("n2", "n1"); now.Replayed <= st.Replayed || now.Lost != st.Lost {
		t.Errorf("before %+v\nafter  %+v", st, now)
	}
	n.say("n1", 77)
	n.pass(time.Second)
	if got := n.clients("n2"); got[len(got)-1] != 77 {
		t.Errorf("after the recording nothing comes any more: %v", got)
	}
}

// TestRelayRefuses: forged, cut off and misdirected datagrams are dropped and counted, and change nothing.
func TestRelayRefuses(t *testing.T) {
	n := newNet(t, "n1", "n2", "n3")
	n.pass(time.Second)
	r := n.relays["n2"]
	good := n.sent[len(n.sent)-1].data
	before := n.peer("n2", "n1")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		r.Receive(n.now, "n1", bad)
		r.Receive(n.now, "n1", good[:i])
	}
	forger := n.start("n4", 2, []string{"n2"}) // another key
	forger.Tick(n.now)
	n.pass(300 * time.Millisecond)
	st := r.Status(n.now)
	if st.Forged < uint64(2*len(good)+1) || n.peer("n2", "n1").Forged != uint64(2*len(good)) {
		t.Errorf("%+v", st)
	}
	// Somebody who has the key and is no peer; a frame for another one; one that makes no sense.
	count := st.Strange
	for _, f := range []frame{
		{kind: kindHello, boot: 9, seq: 1, from: "n9", to: "n2", body: hello{}.body()},
		{kind: kindHello, boot: n.relays["n1"].boot, echo: r.boot, seq: 1 << 40, from: "n1", to: "n3", body: hello{}.body()},
	} {
		r.Receive(n.now, "", seal(1).Seal(nil, f.append(nil)))
	}
	r.Receive(n.now, "", seal(1).Seal(nil, []byte("nonsense")))
	r.Receive(n.now, "", seal(1).Seal(nil, frame{kind: 9, boot: 1, seq: 1, from: "n1", to: "n2"}.append(nil)))
	if now := r.Status(n.now); now.Strange != count+2 || now.Malformed != st.Malformed+2 {
		t.Errorf("%+v", now)
	}
	// A message that no kernel should see.
	seq := r.peers["n1"].sync.next
	r.Receive(n.now, "", seal(1).Seal(nil, frame{kind: kindSync, boot: n.relays["n1"].boot, seq: seq, from: "n1", body: []byte("junk")}.append(nil)))
	other := AppendMessage(nil, Message{SyncID: 80, Conns: []Conn{conn4(1)}})
	r.Receive(n.now, "", seal(1).Seal(nil, frame{kind: kindSync, boot: n.relays["n1"].boot, seq: seq + 1, from: "n1", body: other}.append(nil)))
	if p := n.peer("n2", "n1"); p.Dropped != before.Dropped+2 || len(n.clients("n2")) > 0 {
		t.Errorf("%+v, %v", p, n.clients("n2"))
	}
}

// TestRelayFlood: a peer with the key that sends whatever it likes makes nobody's memory grow.
func TestRelayFlood(t *testing.T) {
	n := newNet(t, "n1", "n2")
	n.pass(time.Second)
	r, boot := n.relays["n2"], n.relays["n1"].boot
	n.planes["n2"].table = make([]Conn, 10000)
	for i := range n.planes["n2"].table {
		n.planes["n2"].table[i] = conn4(uint16(i))
	}
	n.fate = func(packet) []time.Duration { return nil }
	message := AppendMessage(nil, Message{SyncID: 81, Conns: slices.Repeat([]Conn{conn4(1)}, 30)})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	next := r.peers["n1"].sync.next
	for i := range uint64(50_000) {
		f := frame{kind: kindSync, boot: boot, seq: next + 2*i + 1, from: "n1", body: message} // every other one is missing
		switch i % 5 {
		case 1:
			f = frame{kind: kindRequest, boot: boot, echo: r.boot, seq: 1000 + i, from: "n1", to: "n2", body: make([]byte, 8)}
			f.body[7], f.body[6] = byte(i), byte(i>>8)
		case 2:
			f = frame{kind: kindHello, boot: i + 1, seq: 1, from: "n1", to: "n2", body: hello{}.body()} // strangers' boots
		}
		r.Receive(n.now, "n1", seal(1).Seal(nil, f.append(nil)))
		n.planes["n2"].replayed = nil
		n.sent = nil
		if i%100 == 0 {
			n.now = n.now.Add(time.Millisecond)
			r.Tick(n.now)
		}
		if s := r.peers["n1"].sync; len(s.ahead) > maxAhead || s.bytes > maxAheadBytes {
			t.Fatalf("%d frames of %d bytes are kept", len(s.ahead), s.bytes)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if p := r.peers["n1"]; len(p.left) > maxLeft || p.out != nil && len(p.out.bodies) > tableWindow {
		t.Errorf("%d boots, %d frames under way", len(p.left), len(p.out.bodies))
	}
}

// FuzzFrame: what is decoded is encoded to the same.
func FuzzFrame(f *testing.F) {
	f.Add(frame{kind: kindHello, boot: 1, echo: 2, seq: 3, from: "n1", to: "n2", body: hello{4, 5}.body()}.append(nil))
	f.Add(frame{kind: kindSync, boot: 1, seq: 3, from: "n1", body: []byte("x")}.append(nil))
	f.Add(frame{kind: kindEnd, boot: 1, seq: 3, from: "n1", to: "n2", body: make([]byte, endSize)}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeFrame(b)
		if err == nil && !bytes.Equal(x.append(nil), b) {
			t.Fatalf("%x became %x", b, x.append(nil))
		}
	})
}

// FuzzReceive: whatever a holder of the key sends, nothing panics and nothing but messages reaches the kernel.
func FuzzReceive(f *testing.F) {
	for k := kindHello; k <= kindAck; k++ {
		f.Add(uint8(k), uint64(1), uint64(1), []byte("0123456789abcdefghij"))
	}
	f.Fuzz(func(t *testing.T, k uint8, seq, echo uint64, body []byte) {
		n := newNet(t, "n1", "n2")
		n.pass(300 * time.Millisecond)
		r := n.relays["n2"]
		for i := range uint64(3) {
			x := frame{kind: kind(k), boot: n.relays["n1"].boot, echo: r.boot, seq: seq + i, from: "n1", to: "n2", body: body}
			if x.kind == kindSync {
				x.to, x.echo = "", 0
			}
			r.Receive(n.now, "n1", seal(1).Seal(nil, x.append(nil)))
		}
		n.pass(300 * time.Millisecond)
		if len(r.peers) != 1 {
			t.Fatalf("%d peers", len(r.peers))
		}
	})
}
