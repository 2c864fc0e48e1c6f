package gate

import (
	"encoding/binary"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"pgregory.net/rapid"
)

// bench is the programs over maps of their own, attached to nothing.
type bench struct {
	*bpf
	model model
}

func newBench(t testing.TB) *bench {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to load BPF programs")
	}
	_ = rlimit.RemoveMemlock()
	b := &bench{bpf: &bpf{}, model: model{vip: map[netip.Addr]Entry{}, lease: Leases{}}}
	if err := loadObjectObjects(&b.objects, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.objects.Close() })
	return b
}

func (b *bench) set(t testing.TB, entries ...Entry) {
	t.Helper()
	if err := b.Set(entries); err != nil {
		t.Fatal(err)
	}
	clear(b.model.vip)
	for _, e := range entries {
		b.model.vip[e.Addr] = e
	}
}

func (b *bench) renew(t testing.TB, epoch uint64, until time.Duration) {
	t.Helper()
	if err := b.Renew(epoch, until); err != nil {
		t.Fatal(err)
	}
	b.model.lease[epoch] = until
	if until == 0 {
		delete(b.model.lease, epoch)
	}
}

// passes runs the program on a frame.
func (b *bench) passes(t testing.TB, d Direction, frame []byte) bool {
	t.Helper()
	verdict, err := programs{b.objects.QuorateIn, b.objects.QuorateOut}.of(d).Run(&ebpf.RunOptions{Data: frame})
	if err != nil {
		t.Fatalf("run %d bytes: %v", len(frame), err)
	}
	switch int32(verdict) {
	case -1:
		return true
	case 2:
		return false
	}
	t.Fatalf("verdict %d: neither next nor drop", int32(verdict))
	return false
}

// refused says whether the kernel would run no program on the frame for a test: it is too short for its header, or for the
// IP header that it announces (bpf_prog_test_run_skb, net/bpf/test_run.c). Behind a tag it does not look.
func refused(frame []byte) bool {
	if len(frame) < 14 {
		return true
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		return len(frame) < 14+20
	case 0x86dd:
		return len(frame) < 14+40
	}
	return len(frame) == 14
}

func now(t testing.TB) time.Duration {
	t.Helper()
	n, err := boottime()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const (
	vip4, vip6     = "192.0.2.10", "2001:db8::10"
	own4, own6     = "192.0.2.1", "2001:db8::1"
	peer4, peer6   = "192.0.2.9", "fe80::9"
	group6, none6  = "ff02::1:ff00:10", "::"
	none4, every4  = "0.0.0.0", "255.255.255.255"
	pad, dst, frag = 60, 60, 44
)

// Whether a frame passes, by the state of the address.
type fate struct{ closed, linger, open bool }

var (
	always = fate{true, true, true}
	claim  = fate{false, false, true}
	data   = fate{false, true, true}
)

var rules = []struct {
	name  string
	d     Direction
	frame []byte
	fate  fate
}{
	{"a neighbour asks for it", In, arpFrame(request, peer4, vip4), claim},
	{"a neighbour asks for it, unicast", In, ether(macOurs, 0x0806, arpPacket(request, peer4, vip4)), claim},
	{"a probe for it (RFC 5227)", In, arpFrame(request, none4, vip4), claim},
	{"a reply to it", In, arpFrame(reply, peer4, vip4), claim},
	{"the owner announces it, as a request", In, arpFrame(request, vip4, vip4), always},
	{"the owner announces it, as a reply", In, arpFrame(reply, vip4, vip4), always},
	{"the owner asks for us", In, arpFrame(request, vip4, own4), always},
	{"the owner answers us", In, arpFrame(reply, vip4, own4), always},
	{"the owner answers our probe", In, ether(macOurs, 0x0806, arpPacket(reply, vip4, none4)), always},
	{"others among themselves, arp", In, arpFrame(request, peer4, own4), always},

	{"we answer for it", Out, arpFrame(reply, vip4, peer4), claim},
	{"we ask in its name", Out, arpFrame(request, vip4, peer4), claim},
	{"we announce it, as a request", Out, arpFrame(request, vip4, vip4), claim},
	{"we announce it, as a reply", Out, arpFrame(reply, vip4, vip4), claim},
	{"we ask for it", Out, arpFrame(request, own4, vip4), always},
	{"we probe for it", Out, arpFrame(request, none4, vip4), always},
	{"we answer for ourselves", Out, arpFrame(reply, own4, vip4), always},

	{"ipv4 to it", In, ether(macOurs, 0x0800, ip4(peer4, vip4)), data},
	{"ipv4 to it, broadcast", In, ether(macAll, 0x0800, ip4(peer4, vip4)), data},
	{"ipv4 to it, for another host", In, ether(macOther, 0x0800, ip4(peer4, vip4)), always},
	{"ipv4 from it", In, ether(macOurs, 0x0800, ip4(vip4, own4)), always},
	{"ipv4 to others", In, ether(macOurs, 0x0800, ip4(peer4, own4)), always},
	{"we send ipv4 from it", Out, ether(macOther, 0x0800, ip4(vip4, peer4)), data},
	{"we send ipv4 to it", Out, ether(macOther, 0x0800, ip4(own4, vip4)), always},
	{"we send ipv4 from ourselves", Out, ether(macOther, 0x0800, ip4(own4, peer4)), always},

	{"a neighbour solicits it", In, ether(macAll, 0x86dd, ip6(peer6, group6, 58, nd(135, vip6))), claim},
	{"a probe for it (DAD)", In, ether(macAll, 0x86dd, ip6(none6, group6, 58, nd(135, vip6))), claim},
	{"a neighbour solicits it, unicast", In, ether(macOurs, 0x86dd, ip6(peer6, vip6, 58, nd(135, vip6))), claim},
	{"the owner advertises it", In, ether(macAll, 0x86dd, ip6(vip6, "ff02::1", 58, nd(136, vip6))), always},
	{"the owner answers our solicitation", In, ether(macOurs, 0x86dd, ip6(vip6, own6, 58, nd(136, vip6))), always},
	{"the owner solicits us", In, ether(macAll, 0x86dd, ip6(vip6, group6, 58, nd(135, own6))), always},
	{"an answer to what we asked in its name", In, ether(macOurs, 0x86dd, ip6(peer6, vip6, 58, nd(136, peer6))), data},

	{"we advertise it", Out, ether(macAll, 0x86dd, ip6(vip6, "ff02::1", 58, nd(136, vip6))), claim},
	{"we advertise it from another address", Out, ether(macOther, 0x86dd, ip6("fe80::1", peer6, 58, nd(136, vip6))), claim},
	{"we mean to have it (DAD)", Out, ether(macAll, 0x86dd, ip6(none6, group6, 58, nd(135, vip6))), claim},
	{"we solicit in its name", Out, ether(macAll, 0x86dd, ip6(vip6, group6, 58, nd(135, peer6))), claim},
	{"we solicit it", Out, ether(macAll, 0x86dd, ip6(own6, group6, 58, nd(135, vip6))), always},
	{"we solicit routers in its name", Out, ether(macAll, 0x86dd, ip6(vip6, "ff02::2", 58, []byte{133, 0, 0, 0, 0, 0, 0, 0})), claim},
	{"we redirect in its name", Out, ether(macAll, 0x86dd, ip6(vip6, peer6, 58, nd(137, own6))), claim},
	{"we redirect to it", Out, ether(macAll, 0x86dd, ip6(own6, peer6, 58, nd(137, vip6))), always},
	{"we ping in its name", Out, ether(macOther, 0x86dd, ip6(vip6, peer6, 58, []byte{128, 0, 0, 0})), data},

	{"ipv6 to it", In, ether(macOurs, 0x86dd, ip6(peer6, vip6, 17, nil)), data},
	{"ipv6 to it, for another host", In, ether(macOther, 0x86dd, ip6(peer6, vip6, 17, nil)), always},
	{"ipv6 from it", In, ether(macOurs, 0x86dd, ip6(vip6, own6, 17, nil)), always},
	{"we send ipv6 from it", Out, ether(macOther, 0x86dd, ip6(vip6, peer6, 6, make([]byte, 20))), data},
	{"we send ipv6 to it", Out, ether(macOther, 0x86dd, ip6(own6, vip6, 6, make([]byte, 20))), always},

	{"one tag in the frame", In, arpFrame(request, peer4, vip4, 0x8100), claim},
	{"two tags in the frame", Out, arpFrame(reply, vip4, peer4, 0x88a8, 0x8100), claim},
	{"ipv4 behind two tags", Out, ether(macOther, 0x0800, ip4(vip4, peer4), 0x8100, 0x8100), data},
	{"ipv6 behind a tag", In, ether(macAll, 0x86dd, ip6(peer6, group6, 58, nd(135, vip6)), 0x8100), claim},
	{"three tags: the VLAN's own link sees it", In, arpFrame(request, peer4, vip4, 0x88a8, 0x8100, 0x8100), always},

	{"behind a hop-by-hop header", In, ether(macAll, 0x86dd, ip6(peer6, group6, 0, extend(nd(135, vip6), 58))), claim},
	{"behind two destination headers", Out, ether(macAll, 0x86dd, ip6(none6, group6, dst, extend(nd(135, vip6), 58, dst))), claim},
	{"behind an authentication header", Out, ether(macAll, 0x86dd, ip6("fe80::1", peer6, 51, append([]byte{58, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, nd(136, vip6)...))), claim},
	{"in a first fragment", In, ether(macAll, 0x86dd, ip6(peer6, group6, frag, append([]byte{58, 0, 0, 1, 0, 0, 0, 5}, nd(135, vip6)...))), claim},
	{"in a later fragment, which is no message", In, ether(macAll, 0x86dd, ip6(peer6, group6, frag, append([]byte{58, 0, 0, 8, 0, 0, 0, 5}, nd(135, vip6)...))), always},
	{"a later fragment to it", In, ether(macOurs, 0x86dd, ip6(peer6, vip6, frag, append([]byte{17, 0, 0, 8, 0, 0, 0, 5}, nd(135, vip6)...))), data},
	{"behind nine headers", In, ether(macAll, 0x86dd, ip6(peer6, group6, pad, extend(nd(135, vip6), 58, pad, pad, pad, pad, pad, pad, pad, pad))), claim},
	{"behind more headers than are read", In, ether(macAll, 0x86dd, ip6(peer6, group6, pad, extend(nd(135, vip6), 58, pad, pad, pad, pad, pad, pad, pad, pad, pad, pad))), always},
	{"behind more headers than are read, to it", In, ether(macOurs, 0x86dd, ip6(peer6, vip6, pad, extend(nd(135, vip6), 58, pad, pad, pad, pad, pad, pad, pad, pad, pad, pad))), data},

	{"arp cut short", Out, arpFrame(reply, vip4, peer4)[:40], always},
	{"arp of another hardware", Out, ether(macAll, 0x0806, append([]byte{0, 1, 8, 0, 8, 4}, arpPacket(reply, vip4, peer4)[6:]...)), always},
	{"ipv4 cut short", Out, ether(macOther, 0x0800, ip4(vip4, peer4)[:19], 0x8100), always},
	{"ipv6 cut short", Out, ether(macOther, 0x86dd, ip6(vip6, peer6, 17, nil)[:39], 0x8100), always},
	{"another protocol", Out, ether(macOther, 0x88cc, ip4(vip4, peer4)), always},
}

// extend puts destination options before p: the first of next names p, each other one the header behind it.
func extend(p []byte, next ...byte) []byte {
	for _, n := range next {
		p = append([]byte{n, 0, 1, 4, 0, 0, 0, 0}, p...)
	}
	return p
}

func TestRules(t *testing.T) {
	b := newBench(t)
	n := now(t)
	b.renew(t, 7, n+time.Hour)
	b.renew(t, 6, n-1) // has run out
	open := func(epoch uint64) []Entry {
		return []Entry{{Addr: ip(vip4), Epoch: epoch, ARP: true, IP: true}, {Addr: ip(vip6), Epoch: epoch, ARP: true, IP: true}}
	}
	linger := func(until time.Duration) []Entry {
		return []Entry{{Addr: ip(vip4), Epoch: 7, IP: true, IPUntil: until}, {Addr: ip(vip6), Epoch: 7, IP: true, IPUntil: until}}
	}
	for _, s := range []struct {
		name    string
		entries []Entry
		want    func(fate) bool
	}{
		{"closed", []Entry{{Addr: ip(vip4)}, {Addr: ip(vip6)}}, func(f fate) bool { return f.closed }},
		{"open", open(7), func(f fate) bool { return f.open }},
		{"open, its lease has run out", open(6), func(f fate) bool { return f.closed }},
		{"open, under an epoch without a lease", open(8), func(f fate) bool { return f.closed }},
		{"in a linger", linger(n + time.Hour), func(f fate) bool { return f.linger }},
		{"in a linger that is over", linger(n - 1), func(f fate) bool { return f.closed }},
		{"no cluster address", nil, func(fate) bool { return true }},
	} {
		b.set(t, s.entries...)
		for _, r := range rules {
			if got := b.passes(t, r.d, r.frame); got != s.want(r.fate) {
				t.Errorf("%s: %s %s: passes is %v, want %v", s.name, r.d, r.name, got, s.want(r.fate))
			}
			if m := b.model.passes(r.frame, r.d, [6]byte(r.frame) != macOther, n); m != s.want(r.fate) {
				t.Errorf("%s: %s %s: the model is of another opinion than the table", s.name, r.d, r.name)
			}
		}
	}
}

// TestDeadline: nobody does anything, and the address closes.
func TestDeadline(t *testing.T) {
	b := newBench(t)
	b.set(t, Entry{Addr: ip(vip4), Epoch: 7, ARP: true, IP: true})
	until := now(t) + 30*time.Millisecond
	b.renew(t, 7, until)
	answer := arpFrame(reply, vip4, peer4)
	for {
		before := now(t)
		pass := b.passes(t, Out, answer)
		after := now(t)
		if after < until && !pass {
			t.Fatal("dropped before the deadline")
		}
		if before >= until {
			if pass {
				t.Fatal("passes after the deadline")
			}
			break
		}
	}
	for _, c := range []struct {
		what string
		do   func()
		pass bool
	}{
		{"a late renewal with a deadline that has passed", func() { b.renew(t, 7, until+1) }, false},
		{"a renewal of another epoch", func() { b.renew(t, 8, now(t)+time.Hour) }, false},
		{"a renewal in time", func() { b.renew(t, 7, now(t)+time.Hour) }, true},
		{"the end of the lease", func() { b.renew(t, 7, 0) }, false},
		{"opened under the other epoch", func() { b.set(t, Entry{Addr: ip(vip4), Epoch: 8, ARP: true, IP: true}) }, true},
		{"closed, and renewed after that", func() { b.set(t, Entry{Addr: ip(vip4)}); b.renew(t, 8, now(t)+time.Hour) }, false},
	} {
		if c.do(); b.passes(t, Out, answer) != c.pass {
			t.Errorf("%s: passes is %v", c.what, !c.pass)
		}
	}
	drops, err := b.Drops()
	if err != nil {
		t.Fatal(err)
	}
	// One at the deadline, or two when it passed on the way to the program.
	if n := sum(drops, Out, ARP, Expired); sum(drops, Out, ARP, Closed) != 1 || n != 4 && n != 5 {
		t.Errorf("drops: %v; want 4 expired and 1 closed", drops)
	}
}

func sum(drops []Drops, d Direction, p Protocol, r Reason) uint64 {
	n := uint64(0)
	for _, x := range drops {
		if x.Direction == d && x.Protocol == p && x.Reason == r {
			n += x.Frames
		}
	}
	return n
}

// TestProgramIsTheModel compares verdicts on random frames near the rules.
func TestProgramIsTheModel(t *testing.T) {
	b := newBench(t)
	n := now(t)
	b.renew(t, 7, n+time.Hour)
	b.renew(t, 6, n-1)
	addrs := []netip.Addr{ip(vip4), ip(vip6), ip(own4), ip(own6), ip(none4), ip(none6), ip(peer4), ip(peer6)}
	rapid.Check(t, func(r *rapid.T) {
		var entries []Entry
		for _, a := range addrs {
			switch rapid.IntRange(0, 4).Draw(r, "state of "+a.String()) {
			case 1:
				entries = append(entries, Entry{Addr: a})
			case 2:
				entries = append(entries, Entry{Addr: a, Epoch: uint64(rapid.IntRange(6, 8).Draw(r, "epoch")), ARP: true, IP: true})
			case 3:
				end := rapid.SampledFrom([]time.Duration{n - 1, n + time.Hour}).Draw(r, "end")
				epoch := uint64(rapid.IntRange(6, 8).Draw(r, "epoch"))
				entries = append(entries, Entry{Addr: a, Epoch: epoch, IP: rapid.Bool().Draw(r, "ip"), IPUntil: end})
			}
		}
		b.set(t, entries...)
		for range 20 {
			frame := drawFrame(r)
			if refused(frame) {
				continue
			}
			d := rapid.SampledFrom(directions).Draw(r, "direction")
			got, want := b.passes(t, d, frame), b.model.passes(frame, d, [6]byte(frame) != macOther, n)
			if got != want {
				r.Fatalf("%s %x: passes is %v, the model says %v, with %+v", d, frame, got, want, entries)
			}
		}
	})
}

// drawFrame is a frame of any kind that the gate reads, whole, damaged or cut.
func drawFrame(r *rapid.T) []byte {
	v4 := rapid.SampledFrom([]string{vip4, own4, none4, peer4})
	v6 := rapid.SampledFrom([]string{vip6, own6, none6, peer6, group6})
	var typ uint16
	var payload []byte
	switch rapid.IntRange(0, 3).Draw(r, "kind") {
	case 0:
		typ, payload = 0x0806, arpPacket(rapid.Byte().Draw(r, "op"), v4.Draw(r, "sender"), v4.Draw(r, "target"))
	case 1:
		typ, payload = 0x0800, ip4(v4.Draw(r, "source"), v4.Draw(r, "destination"))
	default:
		next, p := byte(58), nd(rapid.SampledFrom([]byte{128, 133, 134, 135, 136, 137}).Draw(r, "type"), v6.Draw(r, "target"))
		for range rapid.IntRange(0, 11).Draw(r, "headers") {
			h := rapid.SampledFrom([]byte{0, 43, 44, 51, 60, 135, 139, 140}).Draw(r, "header")
			x := make([]byte, 8)
			x[0] = next
			if h == 51 {
				x = append(x, 0, 0, 0, 0)
				x[1] = 1
			}
			if h == 44 && rapid.Bool().Draw(r, "later") {
				binary.BigEndian.PutUint16(x[2:], 8)
			}
			next, p = h, append(x, p...)
		}
		typ, payload = 0x86dd, ip6(v6.Draw(r, "source"), v6.Draw(r, "destination"), next, p)
	}
	to := rapid.SampledFrom([][6]byte{macOurs, macOther, macAll}).Draw(r, "to")
	tags := rapid.SliceOfN(rapid.SampledFrom([]uint16{0x8100, 0x88a8}), 0, 3).Draw(r, "tags")
	f := ether(to, typ, payload, tags...)
	if rapid.IntRange(0, 3).Draw(r, "damage") == 0 {
		f[rapid.IntRange(12, len(f)-1).Draw(r, "at")] = rapid.Byte().Draw(r, "with")
	}
	if rapid.IntRange(0, 3).Draw(r, "cut") == 0 {
		f = f[:rapid.IntRange(14, len(f)).Draw(r, "length")]
	}
	return f
}

// FuzzProgram: whatever the frame, there is a verdict, the model's; and without a cluster address it is to pass.
func FuzzProgram(f *testing.F) {
	for _, r := range rules {
		f.Add(r.frame, r.d == In)
	}
	b, free := newBench(f), newBench(f)
	n := now(f)
	b.renew(f, 7, n+1000*time.Hour)
	b.set(f, Entry{Addr: ip(vip4)}, Entry{Addr: ip(own4), Epoch: 7, ARP: true, IP: true}, Entry{Addr: ip(vip6), Epoch: 7, IP: true, IPUntil: n + 1000*time.Hour})
	f.Fuzz(func(t *testing.T, frame []byte, in bool) {
		if len(frame) > 2000 || refused(frame) {
			return
		}
		d := Out
		if in {
			d = In
		}
		if !free.passes(t, d, frame) {
			t.Error("dropped, though there is no cluster address")
		}
		got := b.passes(t, d, frame)
		// The kernel takes a group's frame as ours, as it does its own MAC.
		ours := [6]byte(frame) == macOurs || frame[0]&1 == 1
		if want := b.model.passes(frame, d, ours, n); got != want {
			t.Errorf("passes is %v, the model says %v", got, want)
		}
	})
}
