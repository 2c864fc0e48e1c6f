package agent

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"

	"quorate/agent/speak"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/lvs/sysctl"
	"quorate/vip"
	"quorate/vip/viptest"
)

// withVMAC is a node that owns web, of a virtual router with a virtual MAC, and plain, which has none.
func withVMAC() (local fsm.Local, webKey, plainKey fsm.AddressKey) {
	web := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
	plain := fsm.VIP{Name: "plain", Address: netip.MustParsePrefix("192.0.2.11/24")}
	local.VIPs = []fsm.LocalVIP{{VIP: plain, Key: plain.Key(), Link: "eth0"}, {VIP: web, Key: web.Key(), Link: "eth0"}}
	six := fsm.VIP{Name: "six", Address: netip.MustParsePrefix("fe80::10/64")}
	router := func(name string, v fsm.VIP, vmac bool) fsm.ResolvedRouter {
		return fsm.ResolvedRouter{Name: name, VirtualRouter: fsm.VirtualRouter{VRID: 51, VMAC: vmac}, VIPs: []fsm.VIP{v}}
	}
	local.Routers = []fsm.LocalRouter{
		{Router: router("a", web, true), Link: "eth0"},
		{Router: router("b", plain, false), Link: "eth0"},
		{Router: router("c", six, true), Link: "eth1"},
		{Router: router("d", six, true), Link: "eth2", Shadow: true},
		{Router: router("e", six, true)},
	}
	return local, web.Key(), plain.Key()
}

func TestWantedVirtualMAC(t *testing.T) {
	local, webKey, plainKey := withVMAC()
	got := map[string]uint8{}
	for _, w := range wantedAddresses(local, lease.Opened{webKey: 3, plainKey: 3}, nil, time.Second) {
		got[w.Prefix.String()+" "+w.Link] = w.VRID
	}
	if len(got) != 2 || got["192.0.2.10/24 eth0"] != 51 || got["192.0.2.11/24 eth0"] != 0 {
		t.Error(got)
	}
	ready := readyLinks(local)
	if len(ready) != 2 || ready[0] != (vip.Virtual{Parent: "eth0", VRID: 51}) || ready[1] != (vip.Virtual{Parent: "eth1", VRID: 51, IPv6: true}) {
		t.Error(ready)
	}
}

// What is on a virtual MAC does not linger when it is handed over; what is on the link itself does.
func TestVirtualMACDoesNotLinger(t *testing.T) {
	local, webKey, plainKey := withVMAC()
	open := lease.Opened{webKey: 3, plainKey: 3}
	carried := wantedAddresses(local, open, nil, time.Second)
	local.VIPs = nil
	local.Releases = []fsm.LocalRelease{{Key: webKey, HandsOver: true}, {Key: plainKey, HandsOver: true}}
	stay := lingers(nil).next(local, open, carried, fsm.LAN.Timing(), time.Minute, func(fsm.Epoch) bool { return true })
	if _, plain := stay[plainKey]; len(stay) != 1 || !plain {
		t.Error(stay)
	}
}

// The link below a virtual MAC is made to keep to its own addresses where that is allowed, and is as before afterwards; else it is said what to do.
func TestParentsOfVirtualMACs(t *testing.T) {
	h := viptest.New(t)
	for _, name := range []string{"eth0", "eth0.100"} {
		viptest.Must(t, h.NL.LinkAdd(&vnl.Veth{LinkAttrs: vnl.LinkAttrs{Name: name}, PeerName: "to" + name}))
	}
	file := filepath.Join(t.TempDir(), "sysctls.json")
	ready := []vip.Virtual{{Parent: "eth0", VRID: 51}, {Parent: "eth0.100", VRID: 51}, {Parent: "eth7", VRID: 52, IPv6: true}}
	viptest.Must(t, h.In(func() error {
		expect := func(what string, values ...string) {
			t.Helper()
			for i, link := range []string{"eth0", "eth0/100"} {
				for j, name := range []string{"arp_ignore", "arp_announce"} {
					if got, err := sysctl.Read("net.ipv4.conf." + link + "." + name); err != nil || got != values[2*i+j] {
						t.Errorf("%s: %s of %s is %q, %v; want %q", what, name, link, got, err, values[2*i+j])
					}
				}
			}
		}
		book, err := sysctl.Open(file)
		if err != nil {
			return err
		}
		p := &parents{book: book, log: slog.New(slog.DiscardHandler)}
		loose := p.follow(ready, false)
		if len(loose) != 2 || !strings.Contains(loose["eth0.100"], "sysctl -w net.ipv4.conf.eth0/100.arp_ignore=1") || !strings.Contains(loose["eth0"], "arp_announce=2") {
			t.Errorf("%q", loose)
		}
		expect("not allowed", "0", "0", "0", "0")
		if loose := p.follow(ready, true); len(loose) > 0 {
			t.Errorf("%q", loose)
		}
		expect("allowed", "1", "2", "1", "2")
		p.follow(ready[1:], true)
		expect("one is needed no more", "0", "0", "1", "2")

		// Another process goes on where that one died.
		if book, err = sysctl.Open(file); err != nil {
			return err
		}
		p = &parents{book: book, log: slog.New(slog.DiscardHandler)}
		p.follow(ready, true)
		expect("another process", "1", "2", "1", "2")
		p.follow(ready, false)
		expect("allowed no more", "0", "0", "0", "0")
		p.follow(ready, true)
		err = p.release()
		expect("the end", "0", "0", "0", "0")
		return err
	}))
}

// carriers are voices that note what is said to be here.
type carriers struct {
	noVoices
	here map[speak.ID]bool
}

func (c carriers) Carries(id speak.ID, here bool) { c.here[id] = here }

// The virtual MAC is spoken from only while the kernel has an address of its router on it.
func TestSpeaksFromVirtualMAC(t *testing.T) {
	local, webKey, plainKey := withVMAC()
	local.Routers[1].Router.VRID = 52 // as no two are on one link
	web, _ := routerID(local.Routers[0])
	plain, _ := routerID(local.Routers[1])
	on := func(p, parent string, actual bool) vip.AddressStatus {
		return vip.AddressStatus{Prefix: netip.MustParsePrefix(p), Link: "x", Parent: parent, Wanted: true, Actual: actual}
	}
	for what, x := range map[string]struct {
		next   lease.Opened
		status vip.AddressStatus
		spoken *spoken
		want   string
	}{
		"open":                     {lease.Opened{webKey: 3, plainKey: 3}, on("192.0.2.10/24", "eth0", true), &spoken{}, "true"},
		"not in the kernel":        {lease.Opened{webKey: 3}, on("192.0.2.10/24", "eth0", false), &spoken{}, "false"},
		"another program's":        {lease.Opened{webKey: 3}, on("192.0.2.10/24", "", true), &spoken{}, "false"},
		"asked for":                {lease.Opened{plainKey: 3}, on("192.0.2.10/24", "eth0", true), &spoken{}, "false"},
		"not spoken for":           {lease.Opened{webKey: 3}, on("192.0.2.10/24", "eth0", true), nil, "untold"},
		"the last word is to come": {lease.Opened{}, on("192.0.2.10/24", "eth0", true), &spoken{last: true}, "untold"},
	} {
		v := carriers{here: map[speak.ID]bool{}}
		s := &speech{voices: v, spoken: map[speak.ID]spoken{plain: {}}}
		if x.spoken != nil {
			s.spoken[web] = *x.spoken
		}
		s.carry(speechInput{local: local}, x.next, vip.Status{Addresses: []vip.AddressStatus{x.status, on("192.0.2.11/24", "", true)}})
		got := "untold"
		if here, told := v.here[web]; told {
			got = fmt.Sprint(here)
		}
		if _, told := v.here[plain]; got != x.want || told {
			t.Errorf("%s: %s, want %s; of one without a virtual MAC it is told: %t", what, got, x.want, told)
		}
	}
}

// The adverts of a router with vmac have the MAC of its family.
func TestRouterHasVirtualMAC(t *testing.T) {
	local, _, _ := withVMAC()
	for i, want := range []string{"00:00:5e:00:01:33", "", "00:00:5e:00:02:33"} {
		id, _ := routerID(local.Routers[i])
		if got := wantedRouter(id, local.Routers[i].Router, nil).MAC.String(); got != want {
			t.Errorf("%s has %q, want %q", id, got, want)
		}
	}
}
