package connsync

import (
	"errors"
	"iter"
	"net/netip"
	"testing"
	"time"
)

// reader is a Plane whose table is read as a test says.
type reader struct {
	memory
	table iter.Seq2[Conn, error]
}

func (r *reader) Table() iter.Seq2[Conn, error] { return r.table }

// read has the relay read its table so.
func (n *wires) read(name string, table iter.Seq2[Conn, error]) {
	n.relays[name].o.Plane = &reader{table: table}
}

// TestTableGivenUp: a table that the sender has given up is asked for anew.
func TestTableGivenUp(t *testing.T) {
	n := newNet(t, "n1", "n2")
	for i := range uint16(2000) {
		n.planes["n1"].table = append(n.planes["n1"].table, conn4(i+1))
	}
	pieces := 0
	n.fate = func(p packet) []time.Duration {
		f, err := decodeFrame(mustOpen(t, p.data))
		if err == nil && (f.kind == kindBulk || f.kind == kindEnd) {
			if pieces++; pieces > 30 {
				return nil
			}
		}
		return []time.Duration{0}
	}
	n.pass(giveUpAfter + time.Second)
	if n.peer("n2", "n1").Synced {
		t.Fatal("nothing was lost")
	}
	n.fate = nil
	n.pass(giveUpAfter + time.Second)
	if p := n.peer("n2", "n1"); !p.Synced || p.Tables != 1 {
		t.Errorf("the table did not come: %+v", p)
	}
	if got := n.clients("n2"); len(got) < 2000 || got[len(got)-1] != 2000 {
		t.Errorf("%d connections", len(got))
	}
}

// TestTableAfterLoss: frames that are lost soon after a table has come are made up for when the next one may be asked for.
func TestTableAfterLoss(t *testing.T) {
	n := newNet(t, "n1", "n2")
	n.pass(2 * time.Second)
	n.fate = func(packet) []time.Duration { return nil }
	n.say("n1", 1)
	n.fate = nil
	n.planes["n1"].table = []Conn{conn4(1)}
	n.say("n1", 2)
	n.pass(tableAgain - 3*time.Second)
	if p := n.peer("n2", "n1"); p.Lost != 1 || p.Tables != 1 {
		t.Errorf("before its time: %+v", p)
	}
	n.pass(4 * time.Second)
	if p := n.peer("n2", "n1"); p.Tables != 2 || !n.relays["n2"].Synced(n.now) {
		t.Errorf("%+v", p)
	}
	if got := n.clients("n2"); len(got) != 2 || got[1] != 1 {
		t.Errorf("n2 has %v", got)
	}
	n.relays["n2"].Missed()
	n.pass(tableAgain + time.Second)
	if p := n.peer("n2", "n1"); p.Tables != 3 {
		t.Errorf("it is not asked for what this host has lost: %+v", p)
	}
}

// TestTableUnread: a table that cannot be read to its end is not taken for the whole.
func TestTableUnread(t *testing.T) {
	n := newNet(t, "n1", "n2")
	broken := errors.New("broken")
	n.read("n1", func(yield func(Conn, error) bool) {
		if yield(conn4(1), nil) {
			yield(Conn{}, broken)
		}
	})
	n.pass(3 * time.Second)
	if p := n.peer("n2", "n1"); p.Synced || p.Conns != 1 {
		t.Errorf("the rest is not missed: %+v", p)
	}
	n.read("n1", func(yield func(Conn, error) bool) {
		_ = yield(conn4(1), nil) && yield(Conn{}, errOne) && yield(conn4(2), nil)
	})
	n.pass(giveUpAfter)
	if p := n.peer("n2", "n1"); !p.Synced || p.Conns != 3 {
		t.Errorf("it does not come when it can be read: %+v", p)
	}
}

// TestTableOfOthers: connections that are not synced are passed over in parts, so that the receiver goes on waiting and nobody reads for long.
func TestTableOfOthers(t *testing.T) {
	n := newNet(t, "n1", "n2")
	private := conn4(2)
	private.Virtual = netip.MustParseAddrPort("192.0.2.10:81")
	read, most, asked := 0, 0, map[string]bool{}
	n.read("n1", func(yield func(Conn, error) bool) {
		for i := range 100 * tableLook {
			c := private
			if i%(10*tableLook) == 0 {
				c = conn4(uint16(i / tableLook))
			}
			if read++; !yield(c, nil) {
				return
			}
		}
	})
	n.fate = func(p packet) []time.Duration {
		if f, err := decodeFrame(mustOpen(t, p.data)); err == nil && f.kind == kindRequest && f.from == "n2" {
			asked[string(f.body)] = true
		}
		most, read = max(most, read), 0
		return []time.Duration{300 * time.Millisecond} // a long way
	}
	n.pass(9 * time.Second)
	if p := n.peer("n2", "n1"); !p.Synced || p.Conns != 10 || len(asked) != 1 {
		t.Errorf("%d tables were asked for: %+v", len(asked), p)
	}
	if most > (tableWindow+1)*tableLook {
		t.Errorf("%d connections were read at a time", most)
	}
}

// TestTableIsReadUnlocked: while the kernel takes its time, the relay answers. At its end the table is closed.
func TestTableIsReadUnlocked(t *testing.T) {
	n := newNet(t, "n1", "n2")
	reading, readOn, closed := make(chan bool), make(chan bool), make(chan bool)
	n.read("n1", func(yield func(Conn, error) bool) {
		defer close(closed)
		close(reading)
		<-readOn
		for yield(conn4(1), nil) {
		}
	})
	r := n.relays["n1"]
	passed := make(chan bool)
	go func() {
		n.pass(time.Second)
		close(passed)
	}()
	<-reading
	answered := make(chan bool)
	go func() {
		r.Local(time.Unix(1001, 0), AppendMessage(nil, Message{SyncID: 81, Conns: []Conn{conn4(9)}}))
		r.Status(time.Unix(1001, 0))
		r.Close()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(20 * time.Second):
		t.Fatal("the relay waits for the kernel")
	}
	select {
	case <-closed:
		t.Error("the table was closed while it was read")
	default:
	}
	close(readOn)
	for _, c := range []chan bool{closed, passed} {
		select {
		case <-c:
		case <-time.After(20 * time.Second):
			t.Fatal("the table stays open")
		}
	}
}

// TestRecordingIsNoLife: a peer that is dead does not seem to be there because somebody says again what it has said.
func TestRecordingIsNoLife(t *testing.T) {
	n := newNet(t, "n1", "n2")
	n.pass(time.Second)
	n.say("n1", 1)
	n.pass(100 * time.Millisecond)
	recorded := n.sent
	delete(n.relays, "n1")
	n.pass(silentAfter - time.Second)
	for _, p := range recorded {
		if p.to == "n2" {
			n.relays["n2"].Receive(n.now, p.from, p.data)
		}
	}
	n.pass(2 * time.Second)
	if p := n.peer("n2", "n1"); p.There || p.Replayed == 0 {
		t.Errorf("%+v", p)
	}
}

// TestSequenceWaitsForEachHole: the time for a second hole does not begin with the first.
func TestSequenceWaitsForEachHole(t *testing.T) {
	s, now := newSequence(1), time.Unix(0, 0)
	var t1 taken
	for i := range uint64(maxAhead) {
		t1 = s.take(now, 3+i, []byte{1})
	}
	now = now.Add(maxHole - time.Millisecond)
	t1 = s.take(now, 3+maxAhead+1, []byte{1}) // too many: the first hole is given up, and there is another one
	if t1.lost != 2 || len(t1.ready) != maxAhead {
		t.Fatalf("lost %d, ready %d", t1.lost, len(t1.ready))
	}
	if t2, _ := s.tick(now.Add(2 * time.Millisecond)); t2.lost > 0 {
		t.Error("the second hole was not waited for")
	}
	if t2, _ := s.tick(now.Add(maxHole)); t2.lost != 1 {
		t.Errorf("lost %d", t2.lost)
	}
}
