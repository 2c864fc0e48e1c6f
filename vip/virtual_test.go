package vip

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestVirtualName(t *testing.T) {
	seen := map[string]Virtual{}
	for _, parent := range []string{"eth0", "eth1", "eth0.100", "bond0", "enp129s0f0np0x"} {
		for _, vrid := range []uint8{1, 51, 255} {
			for _, six := range []bool{false, true} {
				v := Virtual{Parent: parent, VRID: vrid, IPv6: six}
				n := v.Name()
				if len(n) > 15 {
					t.Errorf("%q is %d characters: the kernel allows 15", n, len(n))
				}
				if other, is := seen[n]; is {
					t.Errorf("%q is of %v and %v", n, v, other)
				}
				seen[n] = v
				if !made(n, v.MAC()) {
					t.Errorf("%s is not recognised", v)
				}
				v.VRID--
				if made(n, v.MAC()) {
					t.Errorf("%q with %s is not ours", n, v.MAC())
				}
			}
		}
	}
	// A name is a mark that processes of other versions have to recognise, so it never changes.
	if n := (Virtual{Parent: "eth0", VRID: 51}).Name(); n != "qvr51-4-tqzkr" {
		t.Errorf("the name is %q", n)
	}
	mac := net.HardwareAddr{0, 0, 0x5e, 0, 1, 51}
	for _, n := range []string{"", "qvr", "qvr51", "qvr51-4", "qvr51-4-", "qvr51-4-abcd", "qvr51-4-abcdef", "qvr51-4-ABCDE", "qvr51-4-abc1e", "qvr51-5-abcde", "qvr0-4-abcde", "qvr307-4-abcde", "vrrp.51", "qvr51-4-abcde-x", "qvr-51-4-abcde"} {
		if made(n, mac) {
			t.Errorf("%q is not ours", n)
		}
	}
}

// A link that cannot be made says why, holds up nothing else, and is tried again.
func TestVirtualRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0")
		a, told := start(t, m, nil)
		plain, over := wanted("eth0", "192.0.2.9/24", life), wanted("eth0", "192.0.2.10/24", life)
		over.VRID = 51
		on := Virtual{Parent: "eth0", VRID: 51}.Name()
		m.set(func() { m.unmade = errors.New("no macvlan") })
		wantStatus(t, a.Reconcile([]Wanted{plain, over}), "eth0 192.0.2.9/24 wanted=true actual=true", on+" 192.0.2.10/24 wanted=true actual=false 192.0.2.10/24")
		if err := a.Status().Addresses[1].Err; !strings.Contains(err.Error(), "no macvlan") {
			t.Error(err)
		}
		m.set(func() { m.unmade = nil })
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		wantStatus(t, a.Status(), "eth0 192.0.2.9/24 wanted=true actual=true", on+" 192.0.2.10/24 wanted=true actual=true")

		// Once it is there, trouble with it is said, and takes nothing away.
		m.set(func() { m.unmade = errors.New("no nftables") })
		a.Reconcile([]Wanted{plain, over})
		for range 20 {
			time.Sleep(time.Second)
			if !a.Keep() {
				t.Fatal("lapsed")
			}
		}
		synctest.Wait()
		wantStatus(t, a.Status(), "eth0 192.0.2.9/24 wanted=true actual=true", on+" 192.0.2.10/24 wanted=true actual=true 192.0.2.10/24")
		m.set(func() { m.unmade = nil })

		// The address moves to the link itself, and the other goes.
		over.VRID = 0
		wantStatus(t, a.Reconcile([]Wanted{plain, over}), "eth0 192.0.2.9/24 wanted=true actual=true", "eth0 192.0.2.10/24 wanted=true actual=true")
		synctest.Wait()
		if _, links, _ := m.Survey(); len(links) != 1 {
			t.Error("the link is still there")
		}
		if e := told.take(); e != "" {
			t.Errorf("events: %s", e)
		}
	})
}

// A kernel that knows no such links says so.
func TestVirtualUnknown(t *testing.T) {
	w := wanted("eth0", "192.0.2.10/24", life)
	w.VRID = 51
	a := New(Options{Kernel: struct{ Kernel }{newModel("eth0")}})
	if err := a.Reconcile([]Wanted{w}).Addresses[0].Err; !errors.Is(err, ErrNoVirtual) {
		t.Error(err)
	}
}

// With a virtual MAC nothing lingers, also where a gate would make that safe.
func TestVirtualNeverLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, d := gated(t, "eth0")
		w := opened(7, "eth0", "192.0.2.10/24")
		w.VRID = 51
		on := Virtual{Parent: "eth0", VRID: 51}.Name()
		wantStatus(t, a.Reconcile([]Wanted{w}), on+" 192.0.2.10/24 wanted=true actual=true")
		w.IPUntil = time.Hour
		st := a.Reconcile([]Wanted{w})
		wantStatus(t, st)
		if !st.Absent(w.Prefix.Addr()) {
			t.Error("it is not absent")
		}
		synctest.Wait()
		if _, links, _ := d.Survey(); len(links) != 1 {
			t.Error("the link is still there")
		}
	})
}
