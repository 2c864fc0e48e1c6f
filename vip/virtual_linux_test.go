package vip

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/vip/gate"
)

const mac4, mac6 = "00:00:5e:00:01:33", "00:00:5e:00:02:33"

// virtualActuator runs an actuator with a gate in a space.
func (s *space) virtualActuator(g gate.Gate, addrs ...string) *Actuator {
	s.T.Helper()
	a := s.frozenActuator(g, addrs...)
	run(s.T, a)
	return a
}

// frozenActuator is one whose Run does not run.
func (s *space) frozenActuator(g gate.Gate, addrs ...string) *Actuator {
	s.T.Helper()
	a := New(Options{Kernel: s.kernel(), Announcer: s.announcer(), Gate: g, Log: slog.New(slog.DiscardHandler)})
	var managed []netip.Addr
	for _, x := range addrs {
		managed = append(managed, netip.MustParseAddr(x))
	}
	a.Manage(managed)
	return a
}

// TestVirtualMAC: addresses on virtual MACs are found there and nowhere else, whatever the link below is.
func TestVirtualMAC(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, h *space){
		"veth": func(*testing.T, *space) {},
		"bridge": func(t *testing.T, h *space) {
			must(t, h.NL.LinkSetName(h.Link("eth0"), "port0"), h.NL.LinkAdd(&vnl.Bridge{LinkAttrs: vnl.LinkAttrs{Name: "eth0"}}),
				h.NL.LinkSetMaster(h.Link("port0"), h.Link("eth0")), h.strip("port0"))
			h.Up("port0")
		},
		"macvlan": func(t *testing.T, h *space) {
			must(t, h.NL.LinkSetName(h.Link("eth0"), "port0"), h.strip("port0"))
			h.Up("port0")
			must(t, h.NL.LinkAdd(&vnl.Macvlan{LinkAttrs: vnl.LinkAttrs{Name: "eth0", ParentIndex: h.Link("port0").Attrs().Index}, Mode: vnl.MACVLAN_MODE_BRIDGE}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t, 1)
			h := l.hosts[0]
			make(t, h)
			if name != "veth" {
				h.Up("eth0")
				h.Address("eth0", "192.0.2.1/24", "2001:db8::1:1/64")
				strict(h, "eth0")
				h.waitLink("eth0")
			}
			a := h.virtualActuator(h.gate(""), "192.0.2.10", "2001:db8::10", "fe80::10")
			want := []Wanted{virtual(51, "192.0.2.10/24"), virtual(51, "2001:db8::10/64"), virtual(51, "fe80::10/64")}
			on4, on6 := Virtual{Parent: "eth0", VRID: 51}.Name(), Virtual{Parent: "eth0", VRID: 51, IPv6: true}.Name()
			st := a.Reconcile(want)
			wantStatus(t, st, on4+" 192.0.2.10/24 wanted=true actual=true", on6+" 2001:db8::10/64 wanted=true actual=true", on6+" fe80::10/64 wanted=true actual=true")
			for _, x := range announced(t, a).Addresses {
				if x.Parent != "eth0" {
					t.Errorf("%s: parent %q", x.Prefix, x.Parent)
				}
			}
			for addr, mac := range map[string]string{"192.0.2.10": mac4, "2001:db8::10": mac6, "fe80::10": mac6} {
				ask := addr
				if addr == "fe80::10" {
					ask += "%eth0"
				}
				p := l.client.pinger(ask)
				l.client.forget("eth0")
				if !p.answers() {
					t.Fatalf("%s does not answer", addr)
				}
				if got := l.client.neighbour("eth0", addr); got != mac {
					t.Errorf("%s is at %s, want %s", addr, got, mac)
				}
			}
			// The host's own addresses are where they were, and the host asks in their name.
			h.forget("eth0")
			l.client.forget("eth0")
			if !h.pinger("192.0.2.9").answers() || !l.client.pinger("192.0.2.1").answers() {
				t.Fatal("the host's own address does not answer")
			}
			if got := l.client.neighbour("eth0", "192.0.2.1"); got != h.Link("eth0").Attrs().HardwareAddr.String() {
				t.Errorf("the host's own address is at %s", got)
			}
			// What asks from the VIP itself leaves no other MAC behind.
			h.forget("eth0")
			if !l.client.pinger("192.0.2.10").answers() || l.client.neighbour("eth0", "192.0.2.10") != mac4 {
				t.Errorf("after an answer 192.0.2.10 is at %s", l.client.neighbour("eth0", "192.0.2.10"))
			}
			// Nothing of its own making is on the links.
			all, err := h.kernel().List()
			must(t, err)
			for _, x := range all {
				if (x.Link == on4 || x.Link == on6) && !x.Ours {
					t.Errorf("%s has %s", x.Link, x.Prefix)
				}
			}
			wantStatus(t, a.Reconcile(want[:1]), on4+" 192.0.2.10/24 wanted=true actual=true")
			eventually(t, "the link of the other family goes", func() bool { return slices.Equal(h.overlays(), []string{on4}) })
			wantStatus(t, a.Clear())
			eventually(t, "both links go", func() bool { return len(h.overlays()) == 0 })
			if l.client.pinger("192.0.2.10").once(50 * time.Millisecond) {
				t.Error("it answers after it was given up")
			}
		})
	}
}

// TestVirtualMACPrepared: a link that is kept ready is down, carries the gate, and says nothing.
func TestVirtualMACPrepared(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 1)
	h := l.hosts[0]
	a := h.virtualActuator(h.gate(""), "192.0.2.10")
	ready := []Virtual{{Parent: "eth0", VRID: 51}, {Parent: "eth0", VRID: 52, IPv6: true}, {Parent: "eth7", VRID: 51}}
	state := func(i int) string {
		link, err := h.NL.LinkByName(ready[i].Name())
		switch {
		case err != nil:
			return "none"
		case link.Attrs().Flags&net.FlagUp != 0:
			return "up"
		}
		return "down"
	}
	is := func(first, second string) func() bool {
		return func() bool { return state(0) == first && state(1) == second }
	}
	frames := l.client.listen("eth0", unix.ETH_P_ALL)
	a.Prepare(ready)
	if !is("none", "none")() {
		t.Error("something is touched before the first word")
	}
	a.Reconcile(nil)
	eventually(t, "both are ready", is("down", "down"))
	eventually(t, "they carry the gate", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.fence.report != nil && a.fence.link(ready[0].Name()) == nil && a.fence.link(ready[1].Name()) == nil
	})
	for len(frames) > 0 {
		if f := <-frames; bytes.Equal(f[6:11], macOf(t, mac4)[:5]) || bytes.Equal(f[6:11], macOf(t, mac6)[:5]) {
			t.Errorf("a frame from the virtual MAC: %x", f)
		}
	}
	wantStatus(t, a.Reconcile([]Wanted{virtual(51, "192.0.2.10/24")}), ready[0].Name()+" 192.0.2.10/24 wanted=true actual=true")
	if !l.client.pinger("192.0.2.10").answers() {
		t.Error("no answer")
	}
	a.Reconcile(nil)
	eventually(t, "down again", is("down", "down"))
	a.Prepare(ready[1:])
	eventually(t, "the other stays", is("none", "down"))
	_, err := a.Retire()
	must(t, err)
	if !is("none", "none")() {
		t.Error("left")
	}
}

// TestVirtualMACWithoutParent: what the link below lacks is said, and mends itself.
func TestVirtualMACWithoutParent(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 1)
	h := l.hosts[0]
	a := h.virtualActuator(h.gate(""), "192.0.2.10")
	want := []Wanted{virtual(51, "192.0.2.10/24")}
	on := Virtual{Parent: "eth0", VRID: 51}.Name()
	good, here := on+" 192.0.2.10/24 wanted=true actual=true", func() bool {
		st := a.Status()
		return len(st.Addresses) == 1 && st.Addresses[0].Actual && st.Addresses[0].Err == nil
	}
	is := func(what error) func() bool {
		return func() bool {
			a.Keep()
			st := a.Status()
			return len(st.Addresses) == 1 && errors.Is(st.Addresses[0].Err, what)
		}
	}
	keep := func() bool { a.Keep(); return here() }
	wantStatus(t, a.Reconcile(want), good)

	must(t, l.sw.NL.LinkSetDown(l.sw.Link("h0")))
	eventually(t, "no carrier", is(ErrNoCarrier))
	must(t, l.sw.NL.LinkSetUp(l.sw.Link("h0")))
	eventually(t, "carrier", keep)

	must(t, h.NL.LinkSetDown(h.Link("eth0")))
	eventually(t, "parent down", is(ErrNoCarrier))
	must(t, h.NL.LinkSetUp(h.Link("eth0")))
	eventually(t, "parent up", keep)

	must(t, h.NL.LinkSetDown(h.Link(on)))
	eventually(t, "set up again", keep)

	must(t, h.NL.LinkDel(h.Link(on)))
	eventually(t, "made again", keep)

	must(t, h.NL.LinkDel(h.Link("eth0")))
	eventually(t, "no parent", is(ErrNoLink))
	l.plug(h, "eth0", "h0")
	h.Address("eth0", "192.0.2.1/24")
	strict(h, "eth0")
	eventually(t, "the parent is there again", keep)
	if p := l.client.pinger("192.0.2.10"); !p.answers() {
		t.Error("no answer over the new parent")
	}
	st, err := a.Retire()
	wantStatus(t, st)
	must(t, err)
	if left := h.overlays(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestVirtualMACOfADeadProcess: links that a killed process left are ours, and go; those of others stay.
func TestVirtualMACOfADeadProcess(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 1)
	h := l.hosts[0]
	dead := h.kernel()
	for _, v := range []Virtual{{Parent: "eth0", VRID: 51}, {Parent: "eth0", VRID: 52, IPv6: true}} {
		if did, err := dead.MakeVirtual(v, true); err != nil || !did {
			t.Fatal(did, err)
		}
		if did, err := dead.MakeVirtual(v, true); err != nil || did {
			t.Fatal("made twice", did, err)
		}
	}
	theirs := func(name, mac string) {
		m := &vnl.Macvlan{LinkAttrs: vnl.LinkAttrs{Name: name, ParentIndex: h.Link("eth0").Attrs().Index}, Mode: vnl.MACVLAN_MODE_PRIVATE}
		if mac != "" {
			m.HardwareAddr = macOf(t, mac)
		}
		must(t, h.NL.LinkAdd(m))
	}
	theirs("vrrp.53", "00:00:5e:00:01:35")      // keepalived's
	theirs("qvr54-4-k3f9x", "")                 // another MAC than its name says
	theirs("qvr55-4-eth0", "00:00:5e:00:01:37") // another name
	must(t, h.NL.LinkAdd(&vnl.Veth{LinkAttrs: vnl.LinkAttrs{Name: "qvr56-4-aaaaa", HardwareAddr: macOf(t, "00:00:5e:00:01:38")}, PeerName: "other"}))
	a := h.virtualActuator(h.gate(""))
	if n := len(h.overlays()); n != 2 { // nothing is touched before the first word
		t.Fatalf("%d links", n)
	}
	on := Virtual{Parent: "eth0", VRID: 51}.Name()
	wantStatus(t, a.Reconcile([]Wanted{virtual(51, "192.0.2.10/24")}), on+" 192.0.2.10/24 wanted=true actual=true")
	eventually(t, "the other goes", func() bool { return slices.Equal(h.overlays(), []string{on}) })
	wantStatus(t, a.Reconcile(nil))
	eventually(t, "both have gone", func() bool { return len(h.overlays()) == 0 })
	for _, name := range []string{"vrrp.53", "qvr54-4-k3f9x", "qvr55-4-eth0", "qvr56-4-aaaaa"} {
		h.Link(name)
	}
	// Another's link has the MAC, or the name.
	h.Up("vrrp.53")
	for vrid, cure := range map[uint8]string{53: "does keepalived run on this host?"} {
		st := a.Reconcile([]Wanted{virtual(vrid, "192.0.2.10/24")})
		if err := st.Addresses[0].Err; !errors.Is(err, ErrNoVirtual) || !strings.Contains(err.Error(), cure) {
			t.Errorf("VRID %d: %v", vrid, err)
		}
	}
}

func TestProbeVirtual(t *testing.T) {
	s := newSpace(t)
	must(t, s.In(func() error {
		must(t, ProbeVirtual())
		list, err := s.NL.LinkList()
		if len(list) != 1 {
			t.Errorf("%d links: it made one", len(list))
		}
		return err
	}))
}
