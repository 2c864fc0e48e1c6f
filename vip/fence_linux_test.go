package vip

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/vip/gate"
)

// TestGateOnTheWire: announcements go out through the kernel's gate while the lease lasts, and not without one.
func TestGateOnTheWire(t *testing.T) {
	s, peer := node(t)
	g, why, err := gate.Open(gate.Options{In: s.In, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Skip(why)
	}
	t.Cleanup(func() { g.Close() })
	must(t, s.In(func() error {
		name, err := gate.PinsOf()
		t.Cleanup(func() { must(t, gate.RemoveStale([]string{name})) })
		return err
	}))
	heard := peer.listen("peer0", unix.ETH_P_ARP)
	a := New(Options{Kernel: s.kernel(), Announcer: s.announcer(), Gate: g, Log: slog.New(slog.DiscardHandler)})
	w := opened(7, "eth0", "192.0.2.10/24")
	a.Manage([]netip.Addr{w.Prefix.Addr()})

	wantStatus(t, a.Reconcile([]Wanted{w}), there+" announce") // the kernel says that it was dropped
	select {
	case f := <-heard:
		t.Errorf("heard without a lease: %x", f)
	case <-time.After(100 * time.Millisecond):
	}
	wantStatus(t, a.Clear())
	must(t, g.Renew(7, time.Duration(1)<<62))
	wantStatus(t, a.Reconcile([]Wanted{w}), there)
	select {
	case <-heard:
	case <-time.After(3 * time.Second):
		t.Error("not announced under a lease")
	}
	// A link that came since has the gate before an address is put there.
	s.join("eth1", peer, "peer1")
	w.Link = "eth1"
	s1 := a.Reconcile([]Wanted{w})
	wantStatus(t, s1, "eth1 192.0.2.10/24 wanted=true actual=true")
	if _, err := a.Retire(); err != nil {
		t.Error(err)
	}
	must(t, s.In(func() error {
		name, err := gate.PinsOf()
		if left, _ := filepath.Glob("/sys/fs/bpf/quorate/" + name); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		return err
	}))
}
