package vip

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"

	"quorate/vip/viptest"
)

// TestActuatorOnLinux runs the same life as on the model on the real kernel.
func TestActuatorOnLinux(t *testing.T) {
	s, peer := node(t)
	s.join("eth1", peer, "peer1")
	testActuator(t, s, s.kernel())
}

// TestKilledAgentLosesItsAddresses: an actuator that is no more renews nothing, and the kernel cleans up.
func TestKilledAgentLosesItsAddresses(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	a := New(Options{Kernel: k, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	must(t, s.otherAdds(prefix("192.0.2.1/24"), "eth0"))
	const life = time.Second
	want := []Wanted{wanted("eth0", "192.0.2.10/24", life), wanted("eth0", "2001:db8::10/64", life)}
	said := time.Now()
	a.Reconcile(want)
	keep := func() {
		t.Helper()
		now := time.Now()
		if !a.Keep() {
			if d := time.Since(said); d < life {
				t.Fatalf("lapsed %v after the last word", d)
			}
			a.Reconcile(want) // this process had no processor for so long
		}
		said = now
	}
	for begun := time.Now(); time.Since(begun) < 3*life; keep() {
		time.Sleep(50 * time.Millisecond)
	}
	eventually(t, "they are there", func() bool {
		keep()
		return s.table() == "eth0 192.0.2.1/24 foreign\neth0 192.0.2.10/24 ours\neth0 2001:db8::10/64 ours\n"
	})
	cancel()
	must(t, <-done)
	list, err := s.NL.AddrList(s.Link("eth0"), vnl.FAMILY_ALL)
	must(t, err)
	for _, x := range list { // the kernel's own word for how long they last
		if addr, _ := netip.AddrFromSlice(x.IP); (addr.Unmap() == netip.MustParseAddr("192.0.2.10") || addr == netip.MustParseAddr("2001:db8::10")) && x.ValidLft > 1 {
			t.Errorf("%s lasts %d s after the last word", addr, x.ValidLft)
		}
	}
	s.wait("the kernel drops them", func() bool { return s.table() == "eth0 192.0.2.1/24 foreign\n" })
}

// thousand is a thousand addresses of both families.
func thousand() []Wanted {
	var want []Wanted
	for i := range 500 {
		v4 := netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)})
		v6 := netip.MustParseAddr(fmt.Sprintf("2001:db8::1:%x", i))
		want = append(want,
			Wanted{Prefix: netip.PrefixFrom(v4.Next(), 16), Link: "eth0", Lifetime: 30 * time.Second},
			Wanted{Prefix: netip.PrefixFrom(v6, 64), Link: "eth0", Lifetime: 30 * time.Second})
	}
	return want
}

func TestThousandAddresses(t *testing.T) {
	s, _ := node(t)
	a, _ := start(t, s.kernel(), s.announcer())
	quick := func(what string, begin time.Time) {
		t.Helper()
		d := time.Since(begin)
		t.Logf("%s: %v", what, d)
		if d > 20*time.Second { // it takes a fraction of a second: this is for what grows with the square
			t.Errorf("%s took %v", what, d)
		}
	}
	begin := time.Now()
	a.Reconcile(thousand())
	st := announced(t, a)
	quick("put and announced", begin)
	if st.Err != nil || len(st.Addresses) != 1000 || slices.ContainsFunc(st.Addresses, func(x AddressStatus) bool { return x.Err != nil }) {
		t.Fatalf("not all is well: %v", st.Err)
	}
	begin = time.Now()
	a.Reconcile(thousand())
	quick("nothing to do", begin)
	begin = time.Now()
	st = a.Clear()
	quick("cleared", begin)
	if len(st.Addresses) != 0 {
		t.Fatalf("left: %d", len(st.Addresses))
	}
}

// TestOverflow: when the kernel's messages do not fit, nothing is missed for long.
func TestOverflow(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	wakes := make(chan struct{}, 1)
	hold, held := make(chan struct{}), make(chan struct{})
	first := true
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- k.Watch(ctx, func() {
			if first { // stop reading until the buffer has run over
				first = false
				close(held)
				<-hold
			}
			select {
			case wakes <- struct{}{}:
			default:
			}
		})
	}()
	<-held
	for i := range 12000 { // 1 MB of messages
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, byte(i % 8), 1}), 32)
		if err := s.otherAdds(p, "eth0"); err != nil {
			must(t, s.otherRemoves(p, "eth0"))
		}
	}
	close(hold)
	<-wakes // of the buffer, or of the new subscription
	must(t, s.NL.AddrAdd(s.Link("eth0"), &vnl.Addr{IPNet: viptest.Addr(prefix("192.0.2.77/24")).IPNet}))
	<-wakes
	cancel()
	must(t, <-done)
}

func BenchmarkThousand(b *testing.B) {
	s, _ := node(b)
	a := New(Options{Kernel: s.kernel(), Announcer: s.announcer(), Log: slog.New(slog.DiscardHandler)})
	want := thousand()
	b.Run("put-announce-clear", func(b *testing.B) {
		for b.Loop() {
			a.Reconcile(want)
			a.Clear()
		}
	})
	a.Reconcile(want)
	b.Run("nothing-to-do", func(b *testing.B) {
		for b.Loop() {
			a.Reconcile(want)
		}
	})
	b.Run("renew", func(b *testing.B) {
		life := 30 * time.Second
		for b.Loop() {
			life = 71*time.Second - life // another lifetime each time, so that all are due
			for i := range want {
				want[i].Lifetime = life
			}
			a.Reconcile(want)
		}
	})
	a.Clear()
}

func BenchmarkDiffThousand(b *testing.B) {
	v := view{Want: thousand()}
	for _, w := range v.Want {
		v.Have = append(v.Have, Address{Prefix: w.Prefix, Link: w.Link, Ours: true})
	}
	for b.Loop() {
		if p := diff(v); len(p.Steps) != 0 {
			b.Fatal(p)
		}
	}
}
