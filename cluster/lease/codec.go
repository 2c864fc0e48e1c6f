package lease

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"quorate/fsm"
)

// MaxDatagram is the longest datagram, sealed, in bytes: it passes every path MTU that a cluster meets unfragmented.
const MaxDatagram = 1200

// The plain form, all integers big-endian, strings with one length byte:
//
//	kind:1  flags:1  from  store  boot:8  promises:8  applied:8  [log:8 if flags&1]  body
//
// A message has exactly one encoding: Unmarshal refuses trailing bytes, unknown flags and values out of range.

const flagLog = 1

var errMessage = errors.New("lease message")

// Marshal returns the plain form of a message from a node. It fails for values beyond the limits.
func Marshal(from fsm.NodeID, m Message) ([]byte, error) { return AppendMarshal(nil, from, m) }

// AppendMarshal is Marshal that appends to dst.
func AppendMarshal(dst []byte, from fsm.NodeID, m Message) ([]byte, error) {
	if m.Body == nil {
		return dst, fmt.Errorf("%w: no body", errMessage)
	}
	w := writer{b: dst}
	w.byte(byte(m.Body.kind()))
	if m.LogKnown {
		w.byte(flagLog)
	} else {
		w.byte(0)
	}
	w.string(string(from), 1, maxNode, "node")
	w.string(string(m.Store), 1, maxStore, "store")
	w.uint(uint64(m.Boot))
	w.uint(m.Promises)
	w.uint(m.Applied)
	if m.LogKnown {
		w.uint(m.Log)
	}
	w.body(m.Body)
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}

// Unmarshal reads a plain form. What it returns shares nothing with b.
func Unmarshal(b []byte) (fsm.NodeID, Message, error) { return unmarshal(reader{b: b}) }

func unmarshal(r reader) (fsm.NodeID, Message, error) {
	k, flags := kind(r.byte()), r.byte()
	if flags&^flagLog != 0 {
		r.fail("unknown flags %#x", flags)
	}
	from := fsm.NodeID(r.string(1, maxNode, "node"))
	m := Message{
		Store:    fsm.StoreID(r.string(1, maxStore, "store")),
		Boot:     BootID(r.uint()),
		Promises: r.uint(),
		Applied:  r.uint(),
		LogKnown: flags&flagLog != 0,
	}
	if m.LogKnown {
		m.Log = r.uint()
	}
	m.Body = r.body(k)
	if r.err == nil && len(r.b) != 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		return "", Message{}, r.err
	}
	return from, m, nil
}

func (w *writer) body(b Body) {
	switch b := b.(type) {
	case Renew:
		w.renew(&b)
	case *Renew:
		w.renew(b)
	case Ack:
		w.ack(&b)
	case *Ack:
		w.ack(b)
	case Refuse:
		w.uint(uint64(b.Boot))
		w.uint(b.Seq)
		w.uint(uint64(b.Epoch))
		w.byte(byte(b.Reason))
		w.uint(uint64(b.Agreed))
	case Fence:
		w.uint(b.Term)
		w.uint(b.Seq)
		w.string(string(b.Node), 1, maxNode, "node")
		w.uint(uint64(b.Epoch))
		w.uint(b.GrantorIndex)
	case FenceAnswer:
		w.uint(uint64(b.Boot))
		w.uint(b.Seq)
		w.uint(b.Term)
		w.string(string(b.Node), 1, maxNode, "node")
		w.uint(uint64(b.Epoch))
		w.uint(b.GrantorIndex)
	case Suspect:
		w.uint(b.Seq)
		w.string(string(b.Node), 1, maxNode, "node")
		w.uint(uint64(b.Epoch))
		w.duration(b.Silent, 0, never, "silence")
		w.bool(b.Withdrawn)
	case Report:
		w.report(&b)
	case *Report:
		w.report(b)
	case Confirmation:
		w.count(len(b.Releases), maxReleases, "releases")
		for _, x := range b.Releases {
			w.string(x.Key.Network, 0, maxNetwork, "network")
			w.addr(x.Key.Addr)
			w.uint(x.Index)
		}
	case RefuseOlderSets:
		w.uint(b.Term)
		w.uint(b.Seq)
		w.uint(b.Index)
	case SetAnswer:
		w.uint(uint64(b.Boot))
		w.uint(b.Seq)
		w.uint(b.Term)
		w.uint(b.Index)
		w.duration(b.Cap, 0, maxTTL, "cap")
	}
}

func (w *writer) renew(b *Renew) {
	w.uint(b.Seq)
	w.uint(uint64(b.Epoch))
	w.uint(b.GrantorIndex)
	w.duration(b.TTL, minTTL, maxTTL, "ttl")
	w.bool(b.Held)
}

func (w *writer) ack(b *Ack) {
	w.uint(uint64(b.Boot))
	w.uint(b.Seq)
	w.uint(uint64(b.Epoch))
}

func (w *writer) report(b *Report) {
	w.uint(b.Seq)
	w.uint(uint64(b.Epoch))
	w.byte(b.standing())
	w.uint(b.Set)
	w.byte(b.Reach)
	w.count(len(b.Orphans), maxOrphans, "orphans")
	for _, o := range b.Orphans {
		w.string(string(o.Node), 1, maxNode, "node")
		w.uint(uint64(o.Floor))
	}
}

func (r *reader) body(k kind) Body {
	switch k {
	case kindRenew:
		b := Renew{Seq: r.uint(), Epoch: r.epoch(), GrantorIndex: r.uint(), TTL: r.duration(minTTL, maxTTL, "ttl"), Held: r.bool()}
		if r.keep != nil {
			r.keep.renew = b
			return &r.keep.renew
		}
		return b
	case kindAck:
		b := Ack{Boot: BootID(r.uint()), Seq: r.uint(), Epoch: r.epoch()}
		if r.keep != nil {
			r.keep.ack = b
			return &r.keep.ack
		}
		return b
	case kindRefuse:
		return Refuse{Boot: BootID(r.uint()), Seq: r.uint(), Epoch: r.epoch(), Reason: Refusal(r.byte()), Agreed: r.epoch()}
	case kindFence:
		return Fence{Term: r.uint(), Seq: r.uint(), Node: r.node(), Epoch: r.epoch(), GrantorIndex: r.uint()}
	case kindFenceAnswer:
		return FenceAnswer{Boot: BootID(r.uint()), Seq: r.uint(), Term: r.uint(), Node: r.node(), Epoch: r.epoch(), GrantorIndex: r.uint()}
	case kindSuspect:
		return Suspect{Seq: r.uint(), Node: r.node(), Epoch: r.epoch(), Silent: r.duration(0, never, "silence"), Withdrawn: r.bool()}
	case kindReport:
		b := Report{Seq: r.uint(), Epoch: r.epoch()}
		b.Ready, b.Ending = r.standing()
		b.Set, b.Reach = r.uint(), r.byte()
		for range r.count(maxOrphans, "orphans") {
			b.Orphans = append(b.Orphans, Orphan{Node: r.node(), Floor: r.epoch()})
		}
		if r.keep != nil {
			r.keep.report = b
			return &r.keep.report
		}
		return b
	case kindConfirmation:
		var b Confirmation
		for range r.count(maxReleases, "releases") {
			b.Releases = append(b.Releases, Released{Key: fsm.AddressKey{Network: r.string(0, maxNetwork, "network"), Addr: r.addr()}, Index: r.uint()})
		}
		return b
	case kindRefuseOlderSets:
		return RefuseOlderSets{Term: r.uint(), Seq: r.uint(), Index: r.uint()}
	case kindSetAnswer:
		return SetAnswer{Boot: BootID(r.uint()), Seq: r.uint(), Term: r.uint(), Index: r.uint(), Cap: r.duration(0, maxTTL, "cap")}
	}
	r.fail("unknown kind %d", k)
	return nil
}

// writer appends fields; the first error stays.
type writer struct {
	b   []byte
	err error
}

func (w *writer) fail(format string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: "+format, append([]any{errMessage}, a...)...)
	}
}

func (w *writer) byte(v byte)   { w.b = append(w.b, v) }
func (w *writer) uint(v uint64) { w.b = binary.BigEndian.AppendUint64(w.b, v) }

func (w *writer) bool(v bool) {
	if v {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

func (w *writer) count(n, limit int, what string) {
	if n > limit {
		w.fail("%d %s, at most %d fit", n, what, limit)
	}
	w.byte(byte(n))
}

func (w *writer) string(s string, least, most int, what string) {
	if len(s) < least || len(s) > most {
		w.fail("%s %q has %d bytes, want %d to %d", what, s, len(s), least, most)
		return
	}
	w.byte(byte(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) duration(d, least, most time.Duration, what string) {
	if d < least || d > most {
		w.fail("%s %v, want %v to %v", what, d, least, most)
	}
	w.uint(uint64(d))
}

func (w *writer) addr(a netip.Addr) {
	if !a.IsValid() || a.Zone() != "" {
		w.fail("address %v, want one without a zone", a)
		return
	}
	s := a.AsSlice()
	w.byte(byte(len(s)))
	w.b = append(w.b, s...)
}

// reader takes fields from b; after the first error every field is zero.
type reader struct {
	b    []byte
	err  error
	keep *parser // whose names and bodies are used again, nil = none
}

func (r *reader) fail(format string, a ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{errMessage}, a...)...)
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if len(r.b) < n {
		r.fail("cut short")
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) epoch() fsm.Epoch { return fsm.Epoch(r.uint()) }
func (r *reader) node() fsm.NodeID { return fsm.NodeID(r.string(1, maxNode, "node")) }

// The bits of a Report's standing.
const (
	standingReady  = 1
	standingEnding = 2
)

func (b *Report) standing() (bits byte) {
	if b.Ready {
		bits |= standingReady
	}
	if b.Ending {
		bits |= standingEnding
	}
	return bits
}

func (r *reader) standing() (ready, ending bool) {
	bits := r.byte()
	if bits&^(standingReady|standingEnding) != 0 {
		r.fail("unknown standing %#x", bits)
	}
	return bits&standingReady != 0, bits&standingEnding != 0
}

func (r *reader) bool() bool {
	switch v := r.byte(); v {
	case 0:
		return false
	case 1:
		return true
	default:
		r.fail("%d where 0 or 1 is wanted", v)
		return false
	}
}

func (r *reader) count(limit int, what string) int {
	n := int(r.byte())
	if n > limit {
		r.fail("%d %s, at most %d fit", n, what, limit)
		return 0
	}
	return n
}

func (r *reader) string(least, most int, what string) string {
	n := int(r.byte())
	if r.err == nil && (n < least || n > most) {
		r.fail("%s has %d bytes, want %d to %d", what, n, least, most)
		return ""
	}
	if b := r.take(n); r.keep != nil {
		return r.keep.name(b)
	} else {
		return string(b)
	}
}

func (r *reader) duration(least, most time.Duration, what string) time.Duration {
	d := time.Duration(r.uint())
	if r.err == nil && (d < least || d > most) {
		r.fail("%s %v, want %v to %v", what, d, least, most)
		return 0
	}
	return d
}

func (r *reader) addr() netip.Addr {
	n := int(r.byte())
	if r.err == nil && n != 4 && n != 16 {
		r.fail("address of %d bytes", n)
	}
	a, _ := netip.AddrFromSlice(r.take(n))
	return a
}
