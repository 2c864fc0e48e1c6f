package lab

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// mailbox is a UDP socket on a host that counts what arrives, by sender.
func mailbox(t *testing.T, h *Host) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	err := h.Do(func() error {
		var err error
		conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: h.Addr().AsSlice(), Port: 9})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// passes reports whether one of some datagrams gets from one mailbox to the other. The hosts know each other's hardware
// address, so that only the direction asked for is needed. tries covers the second for which a host does not ask again
// for an address that it could not resolve.
func passes(t *testing.T, from, to *net.UDPConn, tries int) bool {
	t.Helper()
	want := fmt.Sprint(Now())
	buf := make([]byte, 100)
	for range tries {
		if _, err := from.WriteTo([]byte(want), to.LocalAddr()); err != nil {
			return false
		}
		for {
			if err := to.SetReadDeadline(time.Now().Add(25 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			n, _, err := to.ReadFrom(buf)
			if err != nil {
				break
			}
			if string(buf[:n]) == want {
				return true
			}
		}
	}
	return false
}

func TestFaultsLoseWhatTheySay(t *testing.T) {
	l := newLab(t)
	hosts := map[string]*Host{}
	boxes := map[string]*net.UDPConn{}
	for i, name := range []string{"a", "b", "c"} {
		hosts[name] = addHost(t, l, name, fmt.Sprintf("192.0.2.%d/24", i+1))
		boxes[name] = mailbox(t, hosts[name])
	}
	a, b := hosts["a"], hosts["b"]
	check := func(after string, lost ...string) {
		t.Helper()
		for _, way := range []string{"ab", "ba", "ac", "ca", "bc", "cb"} {
			want, tries := true, 80
			for _, w := range lost {
				want = want && w != way
			}
			if !want {
				tries = 4
			}
			if got := passes(t, boxes[way[:1]], boxes[way[1:]], tries); got != want {
				t.Errorf("after %s: %s to %s passes: %v, want %v", after, way[:1], way[1:], got, want)
			}
		}
	}
	do := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	check("nothing")
	do(a.Drop(Out, b))
	check("a.Drop(Out, b)", "ab")
	do(a.Heal(), a.Drop(In, b))
	check("a.Drop(In, b)", "ba")
	do(a.Heal(), b.Drop(Out, nil))
	check("b.Drop(Out, nil)", "ba", "bc")
	do(b.Heal(), b.Drop(In, nil))
	check("b.Drop(In, nil)", "ab", "cb")
	do(b.Heal(), a.Drop(Both, b))
	check("a.Drop(Both, b)", "ab", "ba")
	do(b.Heal()) // the fault is a's
	check("b.Heal", "ab", "ba")
	do(a.Heal(), a.LinkDown())
	check("a.LinkDown", "ab", "ba", "ac", "ca")
	do(a.LinkUp(), a.Unplug())
	check("a.Unplug", "ab", "ba", "ac", "ca")
	do(a.Plug())
	check("all is healed")
	do(a.Loss(100))
	check("a.Loss(100)", "ab", "ba", "ac", "ca")
	do(a.Heal(), a.Heal())
	check("a.Heal")
}

func TestLossIsAShare(t *testing.T) {
	l := newLab(t)
	a, b := addHost(t, l, "a", "192.0.2.1/24"), addHost(t, l, "b", "192.0.2.2/24")
	probe, err := b.StartProbe(a.Addr(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "an answer", func() bool { return probe.Answered(0) })
	if err := a.Loss(20); err != nil {
		t.Fatal(err)
	}
	from := Now()
	var window Span // up to what has had the time to be answered
	// Counted in pings, not in time: while the machine stands still none is sent.
	eventually(t, "1400 pings", func() bool {
		window = Span{from, Now().Add(-50 * time.Millisecond)}
		return probe.Sent(window) >= 1400
	})
	lost := probe.Lost(window) * 100 / probe.Sent(window)
	if lost < 26 || lost > 46 { // 1 − 0.8² = 36 %
		t.Errorf("lost %d %% of the pings, want 36 or so", lost)
	}
}

func TestCarrier(t *testing.T) {
	l := newLab(t)
	a := addHost(t, l, "a", "192.0.2.1/24")
	carrier := func() bool {
		t.Helper()
		var up bool
		if err := a.Do(func() error {
			eth0, err := net.InterfaceByName("eth0")
			up = err == nil && eth0.Flags&net.FlagRunning != 0
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return up
	}
	if !carrier() {
		t.Error("no carrier at first")
	}
	if err := a.Unplug(); err != nil || !carrier() {
		t.Errorf("Unplug: carrier %v, %v; want it to stay", carrier(), err)
	}
	if err := a.LinkDown(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "loss of carrier", func() bool { return !carrier() })
}

func TestWatchSeesTwoOwners(t *testing.T) {
	l := newLab(t)
	a, b := addHost(t, l, "a", "192.0.2.1/24", "2001:db8::1/64"), addHost(t, l, "b", "192.0.2.2/24", "2001:db8::2/64")
	c := addHost(t, l, "c", "192.0.2.3/24", "2001:db8::3/64")
	for _, vip := range []netip.Prefix{netip.MustParsePrefix("192.0.2.100/24"), netip.MustParsePrefix("2001:db8::100/64")} {
		watch, err := c.StartWatch(2*time.Millisecond, vip.Addr())
		if err != nil {
			t.Fatal(err)
		}
		owner := func(name string) func() bool {
			return func() bool {
				return slices.ContainsFunc(watch.Claims(vip.Addr()), func(c Claim) bool { return c.Host == name })
			}
		}
		from := Now()
		dual := func() time.Duration { return watch.Dual(vip.Addr(), Span{from, Now()}) }
		if err := a.AddAddress(vip); err != nil {
			t.Fatal(err)
		}
		eventually(t, "claim by a", owner("a"))
		if d := dual(); d != 0 {
			t.Errorf("%s: dual ownership of %v with one owner", vip, d)
		}
		adding := Now()
		if err := b.AddAddress(vip); err != nil {
			t.Fatal(err)
		}
		eventually(t, "claim by b", owner("b"))
		// For how long is not in this test's hands: while the watch waits for a processor, it neither asks nor hears.
		eventually(t, "dual ownership of 100 ms", func() bool { return dual() >= 100*time.Millisecond })
		if d, most := dual(), Since(adding); d > most {
			t.Errorf("%s: dual ownership of %v within %v", vip, d, most)
		}
		if err := a.RemoveAddress(vip); err != nil {
			t.Fatal(err)
		}
		alone := func(answers int) func() bool { // what a said before has been heard by then
			removed := Now()
			return func() bool { return len(watch.ClaimsSince(vip.Addr(), removed)) >= answers }
		}
		eventually(t, "answers after a's address is gone", alone(20))
		over := dual()
		eventually(t, "more answers", alone(20))
		if d := dual(); d != over {
			t.Errorf("%s: dual ownership grows from %v to %v though a's address is gone; owners %+v", vip, over, d, watch.Owners(vip.Addr()))
		}
		if err := watch.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
