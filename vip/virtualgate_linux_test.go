package vip

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/vip/gate"
)

// pin makes the client believe for ever where an address is.
func (l *lan) pin(addr, mac string) {
	l.t.Helper()
	a := netip.MustParseAddr(addr)
	family := vnl.FAMILY_V6
	if a.Is4() {
		family = vnl.FAMILY_V4
	}
	must(l.t, l.client.NL.NeighSet(&vnl.Neigh{LinkIndex: l.client.Link("eth0").Attrs().Index, Family: family, State: vnl.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: macOf(l.t, mac)}))
}

// TestVirtualMACGated: when a lease ends, an address on a virtual MAC is silent at once, to those who ask where it is and to those who
// know, with nobody to close it.
func TestVirtualMACGated(t *testing.T) {
	for _, kind := range []gate.Kind{gate.KindBPF, gate.KindNFT} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			l := newLAN(t, 1)
			h := l.hosts[0]
			g := h.gate(kind)
			a := h.frozenActuator(g, "192.0.2.10", "2001:db8::10")
			for _, x := range a.Reconcile([]Wanted{virtual(51, "192.0.2.10/24"), virtual(51, "2001:db8::10/64")}).Addresses {
				if x.Err != nil {
					t.Fatal(x.Err)
				}
			}
			p4, p6 := l.client.pinger("192.0.2.10"), l.client.pinger("2001:db8::10")
			if !p4.answers() || !p6.answers() {
				t.Fatal("no answer under a lease")
			}
			must(t, g.Renew(7, 0))
			quiet := func(how string) {
				t.Helper()
				for range 10 {
					if x4, x6 := p4.once(15*time.Millisecond), p6.once(15*time.Millisecond); x4 || x6 {
						t.Errorf("an answer without a lease to one who %s: IPv4 %t, IPv6 %t", how, x4, x6)
					}
				}
			}
			quiet("knows where it is")
			l.client.forget("eth0")
			quiet("asks where it is")
			if got := l.client.neighbour("eth0", "192.0.2.10"); got != "" {
				t.Errorf("it is said to be at %s", got)
			}
			l.pin("192.0.2.10", mac4)
			l.pin("2001:db8::10", mac6)
			quiet("will never ask")
			if h.table() == "" {
				t.Error("the addresses have gone: that was not the gate")
			}
			must(t, g.Renew(7, time.Duration(1)<<62))
			if !p4.answers() || !p6.answers() {
				t.Error("no answer under a new lease")
			}
		})
	}
}

// TestVirtualMACStaysSilent: what a dead owner's kernel says by itself does not bring the switch back to it: answers to queriers of group
// memberships, and its leave of the address's group when the lifetime has ended.
func TestVirtualMACStaysSilent(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 1)
	h := l.hosts[0]
	g := h.gate("")
	a := h.frozenActuator(g, "2001:db8::10")
	put := func(life time.Duration) {
		t.Helper()
		w := virtual(51, "2001:db8::10/64")
		w.Lifetime = life
		if st := a.Reconcile([]Wanted{w}); st.Addresses[0].Err != nil {
			t.Fatal(st.Addresses[0].Err)
		}
	}
	put(time.Minute)
	if !l.client.pinger("2001:db8::10").answers() {
		t.Fatal("no answer")
	}
	put(2 * time.Second)
	must(t, g.Renew(7, 0)) // it dies here
	frames := l.client.listen("eth0", unix.ETH_P_ALL)
	h.wait("the lifetime ends", func() bool { return h.table() == "eth0 192.0.2.1/24 foreign\neth0 2001:db8::1/64 foreign\n" })
	// The kernel spreads its reports over some ticks, and repeats them after up to a second.
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	for {
		select {
		case f := <-frames:
			if len(f) > 14 && bytes.Equal(f[6:12], macOf(t, mac6)) {
				t.Errorf("a frame from the virtual MAC: %x", f)
			}
			continue
		case <-ctx.Done():
		}
		break
	}
	// The next process takes away what the dead one left, and the rules with the last link.
	b := h.virtualActuator(h.gate(""))
	b.Reconcile(nil)
	eventually(t, "the link goes", func() bool { return len(h.overlays()) == 0 })
	must(t, h.In(unquiet)) // there is none left, which is no error
}

// TestVirtualMACMoves: a client that knows the virtual MAC goes on over a move without asking anybody, because the switch learns the new
// port from the first frame. What a move without one takes is logged beside it.
func TestVirtualMACMoves(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 2)
	one, two := l.hosts[0], l.hosts[1]
	addrs := []string{"192.0.2.10", "192.0.2.11"}
	a, b := one.frozenActuator(one.gate(""), addrs...), two.frozenActuator(two.gate(""), addrs...)
	v, plain := virtual(51, "192.0.2.10/24"), opened(7, "eth0", "192.0.2.11/24")
	plain.Lifetime = v.Lifetime
	ok := func(st Status) {
		t.Helper()
		for _, x := range st.Addresses {
			if x.Wanted && x.Err != nil {
				t.Fatal(x.Err)
			}
		}
	}
	// gap is the longest time without an answer while the address moves, twice.
	gap := func(addr string, there, back, between func()) (longest time.Duration) {
		t.Helper()
		p := l.client.pinger(addr)
		if !p.answers() {
			t.Fatalf("%s does not answer", addr)
		}
		for _, move := range []func(){there, back} {
			done := make(chan struct{})
			go func() { move(); close(done) }()
			last, after := time.Now(), 0
			for after < 50 {
				if p.once(2 * time.Millisecond) {
					longest, last = max(longest, time.Since(last)), time.Now()
				}
				select {
				case <-done:
					after++
				default:
				}
				if time.Since(last) > 5*time.Second {
					t.Fatalf("%s does not answer any more", addr)
				}
			}
			<-done
			between()
		}
		return longest
	}

	// Both are ready. What Run does afterwards, when nobody waits, is done between the moves: it would hold up the other here, as they
	// share a kernel and its lock.
	a.Prepare([]Virtual{{Parent: "eth0", VRID: 51}})
	b.Prepare([]Virtual{{Parent: "eth0", VRID: 51}})
	rest := func(x *Actuator) {
		t.Helper()
		ok(x.Reconcile(nil))
		must(t, x.finishVirtual())
		ok(x.Reconcile(nil)) // the gate
	}
	rest(b)
	ok(a.Reconcile([]Wanted{v}))
	l.pin("192.0.2.10", mac4)
	arps := l.sw.listen("c", unix.ETH_P_ARP) // what the client asks
	with := gap("192.0.2.10", func() {
		if got := l.learnt(macOf(t, mac4)); got != "h0" {
			t.Errorf("the switch has it at %q", got)
		}
		a.Reconcile(nil)
		ok(b.Reconcile([]Wanted{v}))
		if got := l.learnt(macOf(t, mac4)); got != "h1" {
			t.Errorf("the switch has it at %q", got)
		}
	}, func() {
		b.Reconcile(nil)
		ok(a.Reconcile([]Wanted{v}))
		if got := l.learnt(macOf(t, mac4)); got != "h0" {
			t.Errorf("the switch has it at %q", got)
		}
	}, func() { must(t, a.finishVirtual(), b.finishVirtual()) })
	rest(a)
	for len(arps) > 0 {
		if f := <-arps; len(f) >= 42 && bytes.Equal(f[38:42], []byte{192, 0, 2, 10}) {
			t.Errorf("the client asks: %x", f)
		}
	}

	ok(a.Reconcile([]Wanted{plain}))
	lingers := plain
	lingers.IPUntil = time.Duration(1) << 61
	without := gap("192.0.2.11", func() {
		a.Reconcile([]Wanted{lingers})
		ok(b.Reconcile([]Wanted{plain}))
		a.Reconcile(nil)
	}, func() {
		b.Reconcile([]Wanted{lingers})
		ok(a.Reconcile([]Wanted{plain}))
		b.Reconcile(nil)
	}, func() {})
	t.Logf("longest gap of two moves: %v with a virtual MAC, %v without one and with a linger: %.1f to 1", with, without, float64(with)/float64(without))
}

// TestVirtualRouters: two virtual routers over one link have a MAC each.
func TestVirtualRouters(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 1)
	h := l.hosts[0]
	a := h.virtualActuator(h.gate(""), "192.0.2.10", "192.0.2.11", "192.0.2.12")
	want := []Wanted{virtual(51, "192.0.2.10/24"), virtual(52, "192.0.2.11/24"), opened(7, "eth0", "192.0.2.12/24")}
	want[2].Lifetime = time.Minute
	for _, x := range a.Reconcile(want).Addresses {
		if x.Err != nil {
			t.Fatal(x.Err)
		}
	}
	at := map[string]string{"192.0.2.10": mac4, "192.0.2.11": "00:00:5e:00:01:34", "192.0.2.12": h.Link("eth0").Attrs().HardwareAddr.String()}
	for addr, mac := range at {
		if !l.client.pinger(addr).answers() {
			t.Errorf("%s does not answer", addr)
		}
		if got := l.client.neighbour("eth0", addr); got != mac {
			t.Errorf("%s is at %s, want %s", addr, got, mac)
		}
	}
	a.Reconcile(want[1:])
	eventually(t, "one goes, the other stays", func() bool { return len(h.overlays()) == 1 })
	if !l.client.pinger("192.0.2.11").answers() || l.client.pinger("192.0.2.10").once(50*time.Millisecond) {
		t.Error("the wrong one answers")
	}
}
