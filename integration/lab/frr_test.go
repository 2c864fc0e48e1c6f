package lab

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// TestFRRBesideKeepalived: the two know each other, and FRR's address is answered for only while it is the master.
func TestFRRBesideKeepalived(t *testing.T) {
	if _, err := FindKeepalived(); err != nil {
		t.Skip(err)
	}
	if err := FindFRR(); err != nil {
		t.Skip(err)
	}
	l := newLab(t)
	k1, f1 := addHost(t, l, "k1", "192.0.2.1/24", "2001:db8::1/64"), addHost(t, l, "f1", "192.0.2.2/24", "2001:db8::2/64")
	client := addHost(t, l, "client", "192.0.2.9/24", "2001:db8::9/64")
	const advert = 100 * time.Millisecond
	four, six := netip.MustParseAddr("192.0.2.101"), netip.MustParseAddr("2001:db8::101")
	capture, err := l.StartCapture(four, six)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.StartWatch(10*time.Millisecond, four, six); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	routers := []KeepalivedInstance{
		{Name: "four", VRID: 71, Version: 3, Priority: 150, Advert: advert, Addresses: []netip.Prefix{netip.PrefixFrom(four, 24)}, Preempt: true},
		{Name: "six", VRID: 72, Version: 3, Priority: 150, Advert: advert, Addresses: []netip.Prefix{netip.PrefixFrom(six, 64)}, Preempt: true},
	}
	k, err := k1.StartKeepalived(ctx, KeepalivedOptions{Instances: routers})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "keepalived is master", func() bool { return k.State("four") == "MASTER" && k.State("six") == "MASTER" })
	f, err := f1.StartFRR(ctx, FRRRouter{71, 100, advert, []netip.Addr{four}}, FRRRouter{72, 100, advert, []netip.Addr{six}})
	if err != nil {
		t.Fatal(err)
	}
	states := func(want string) bool { return f.State(71, false) == want && f.State(72, true) == want }
	eventually(t, "FRR is backup", func() bool { return states("Backup") })
	<-time.After(2 * patience)
	from := Now()
	if err := k.End(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "FRR is master", func() bool { return states("Master") })
	<-time.After(patience)
	for _, a := range []netip.Addr{four, six} {
		window := Span{from, Now()}
		began, ok := capture.Began(a, window, "f1")
		both := capture.Together(a, window, "k1", "f1")
		t.Logf("%s: FRR answers %s after keepalived was told to end; together %s", a, Millis(began.Sub(from)), Millis(both))
		if !ok || both > 0 {
			t.Errorf("%v", capture.Answering(a, window, "k1", "f1"))
		}
	}
	if err := f.End(ctx); err != nil {
		t.Fatal(err)
	}
	ended := Now()
	<-time.After(patience)
	for _, a := range []netip.Addr{four, six} {
		if all := capture.Answering(a, Span{ended.Add(20 * time.Millisecond), Now()}, "f1"); len(all) > 0 {
			t.Errorf("%s: FRR has ended, and its host answers: %v", a, all)
		}
		if both := capture.Together(a, Span{0, Now()}, "k1", "f1"); both > 0 {
			t.Errorf("%s: both answered for %s: %v", a, Millis(both), capture.Answering(a, Span{0, Now()}, "k1", "f1"))
		}
	}
	if c := append(k.Complaints(), f.Complaints()...); len(c) > 0 {
		t.Errorf("they complain: %v", c)
	}
	if t.Failed() {
		t.Logf("keepalived:\n%s\nFRR:\n%s", k.Output(), f.Journal)
	}
}
