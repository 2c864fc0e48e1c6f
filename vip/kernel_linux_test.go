package vip

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func wanted(link, p string, life time.Duration) Wanted {
	return Wanted{Prefix: prefix(p), Link: link, Lifetime: life}
}

// node is a namespace with one Ethernet link, eth0, to a peer.
func node(t testing.TB) (s, peer *space) {
	s, peer = newSpace(t), newSpace(t)
	s.join("eth0", peer, "peer0")
	return s, peer
}

// raw is the kernel's entry for an address.
func raw(t *testing.T, k *Netlink, p string) addrEntry {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	entries, err := k.readAddresses()
	must(t, err)
	for _, e := range entries {
		if e.prefix == prefix(p) {
			return e
		}
	}
	t.Fatalf("%s is not there", p)
	return addrEntry{}
}

func TestPutCarriesMarkFlagsAndLifetime(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	must(t, k.Put(wanted("eth0", "192.0.2.10/24", 2500*time.Millisecond)), k.Put(wanted("eth0", "2001:db8::10/64", time.Second)))
	e4, e6 := raw(t, k, "192.0.2.10/24"), raw(t, k, "2001:db8::10/64")
	switch k.marks {
	case marksByProto:
		if e4.proto != ourProto || e6.proto != ourProto {
			t.Errorf("mark: %#x and %#x", e4.proto, e6.proto)
		}
	case marksByRule: // before 5.18
		if e4.proto != 0 || e6.proto != 0 {
			t.Errorf("the probe says that this kernel has no IFA_PROTO, and it kept %#x and %#x", e4.proto, e6.proto)
		}
		if e4.label != "eth0:q" {
			t.Errorf("label %q", e4.label)
		}
	default:
		t.Errorf("the probe says %d", k.marks)
	}
	if e4.valid != 3 || e6.valid != 1 {
		t.Errorf("valid lifetimes: %d s and %d s, want 3 and 1", e4.valid, e6.valid)
	}
	if want := uint32(unix.IFA_F_NOPREFIXROUTE); e4.flags != want {
		t.Errorf("IPv4 flags %#x, want %#x", e4.flags, want)
	}
	if want := uint32(unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_NODAD | unix.IFA_F_DEPRECATED); e6.flags != want {
		t.Errorf("IPv6 flags %#x, want %#x: usable at once (not tentative), and no source of the host's own connections", e6.flags, want)
	}
	routes, err := s.NL.RouteList(s.Link("eth0"), 0)
	must(t, err)
	for _, r := range routes {
		if r.Dst != nil && (r.Dst.String() == "192.0.2.0/24" || r.Dst.String() == "2001:db8::/64") {
			t.Errorf("the address brought a subnet route: %v", r)
		}
	}
}

// TestVIPIsNoSource: the host's own connections do not start from a VIP, which may leave under them.
func TestVIPIsNoSource(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	must(t, s.otherAdds(prefix("192.0.2.200/24"), "eth0"), s.otherAdds(prefix("2001:db8::ff00/64"), "eth0"))
	must(t, k.Put(wanted("eth0", "192.0.2.10/24", life)), k.Put(wanted("eth0", "2001:db8::10/64", life)))
	for to, from := range map[string]string{"192.0.2.11": "192.0.2.200", "2001:db8::11": "2001:db8::ff00"} {
		routes, err := s.NL.RouteGet(net.ParseIP(to))
		must(t, err)
		if len(routes) != 1 || routes[0].Src.String() != from {
			t.Errorf("to %s from %v, want %s", to, routes, from)
		}
	}
}

func TestLifetimeEndsWithoutUs(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	start := time.Now()
	must(t, k.Put(wanted("eth0", "192.0.2.10/24", time.Second)), k.Put(wanted("eth0", "2001:db8::10/64", time.Second)))
	s.wait("the kernel drops what nobody renews", func() bool { return s.table() == "" })
	if d := time.Since(start); d < 900*time.Millisecond || d > 3*time.Second {
		t.Errorf("a lifetime of 1 s lasted %v", d)
	}
}

func TestRemovalKeepsTheHostsAddress(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	// The VIP comes first, and so the host's own address of the same subnet becomes its secondary.
	must(t, k.Put(wanted("eth0", "192.0.2.10/24", 5*time.Second)), s.otherAdds(prefix("192.0.2.1/24"), "eth0"))
	if e := raw(t, k, "192.0.2.1/24"); e.flags&unix.IFA_F_SECONDARY == 0 {
		t.Fatal("the bed is wrong: the host's address is no secondary")
	}
	must(t, k.Remove(Address{Prefix: prefix("192.0.2.10/24"), Link: "eth0"}))
	if got, want := s.table(), "eth0 192.0.2.1/24 foreign\n"; got != want {
		t.Errorf("addresses:\n%swant:\n%s", got, want)
	}
	must(t, k.Remove(Address{Prefix: prefix("192.0.2.10/24"), Link: "eth0"})) // again: no error
}

func TestErrorsSayWhatAndHow(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	if err := k.Put(wanted("eth9", "192.0.2.10/24", time.Second)); !errors.Is(err, ErrNoLink) {
		t.Errorf("missing link: %v", err)
	}
	must(t, k.Remove(Address{Prefix: prefix("192.0.2.10/24"), Link: "eth9"}))
	must(t, s.In(func() error { return writeSysctl("net/ipv6/conf/eth0/disable_ipv6", "1") }))
	err := k.Put(wanted("eth0", "2001:db8::10/64", time.Second))
	if err == nil || !strings.Contains(err.Error(), "disable_ipv6=0") {
		t.Errorf("IPv6 switched off: %v", err)
	}
	// Another link under the same name: the index that the last list saw is stale.
	must(t, k.Put(wanted("eth0", "192.0.2.10/24", time.Second)))
	must(t, s.NL.LinkDel(s.Link("eth0")))
	s.join("eth0", newSpace(t), "peer0")
	must(t, k.Put(wanted("eth0", "192.0.2.10/24", time.Second)))
}

// TestFallbackMarks runs the rule for kernels without IFA_PROTO on this one, by telling the adapter that it has none; the
// attribute is then still sent, and not looked at.
func TestFallbackMarks(t *testing.T) {
	s, _ := node(t)
	before, k := s.kernel(), s.kernel() // of the process before, and of the one that comes after it and has put nothing
	before.marks, k.marks = marksByRule, marksByRule
	life := 5 * time.Second
	check := func(want string) {
		t.Helper()
		have, err := k.List()
		must(t, err)
		if got := table(visible(have)); got != want {
			t.Errorf("addresses:\n%swant:\n%s", got, want)
		}
	}
	must(t, s.otherAdds(prefix("192.0.2.1/24"), "eth0"), s.otherAdds(prefix("2001:db8::1/64"), "eth0"))
	must(t, before.Put(wanted("eth0", "192.0.2.10/24", life)), before.Put(wanted("eth0", "2001:db8::10/64", life)))
	if e := raw(t, k, "192.0.2.10/24"); e.label != "eth0:q" {
		t.Errorf("label %q", e.label)
	}
	check("eth0 192.0.2.1/24 foreign\neth0 192.0.2.10/24 ours\neth0 2001:db8::1/64 foreign\neth0 2001:db8::10/64 foreign\n")
	_, links, err := k.Survey()
	must(t, err)
	for _, l := range links {
		if slices.Contains(l.Own, netip.MustParseAddr("2001:db8::10")) {
			t.Error("what may be ours counts as the host's own before the cluster's addresses are known")
		}
	}
	k.Manage([]netip.Addr{netip.MustParseAddr("2001:db8::10"), netip.MustParseAddr("2001:db8::1")})
	check("eth0 192.0.2.1/24 foreign\neth0 192.0.2.10/24 ours\neth0 2001:db8::1/64 foreign\neth0 2001:db8::10/64 ours\n")
	must(t, k.Put(wanted("eth0", "192.0.2.1/24", life))) // taken over: label and flags need a new entry
	check("eth0 192.0.2.1/24 ours\neth0 192.0.2.10/24 ours\neth0 2001:db8::1/64 foreign\neth0 2001:db8::10/64 ours\n")
}

// TestFallbackGivesUp: also without IFA_PROTO, what is ours is removed when the cluster has given up the address, or the node
// the cluster, before the owner is told to give it up.
func TestFallbackGivesUp(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	k.marks = marksByRule
	v4, v6 := wanted("eth0", "192.0.2.10/24", life), wanted("eth0", "2001:db8::10/64", life)
	for what, give := range map[string]func(a *Actuator){
		"each with a Put": func(*Actuator) { must(t, k.Put(v4), k.Put(v6)) },
		"all with PutAll": func(*Actuator) { must(t, k.PutAll([]Wanted{v4, v6})...) },
		"by the actuator": func(a *Actuator) { a.Reconcile([]Wanted{v4, v6}) },
		"adopted by it":   func(a *Actuator) { must(t, s.kernel().Put(v6)); a.Reconcile([]Wanted{v4, v6}) },
	} {
		t.Run(what, func(t *testing.T) {
			a, _ := start(t, k, nil) // ends here: it would remove what is put below
			a.Manage([]netip.Addr{v4.Prefix.Addr(), v6.Prefix.Addr()})
			give(a)
			a.Manage(nil)
			a.Reconcile(nil)
			if got := s.table(); got != "" {
				t.Errorf("left:\n%s", got)
			}
		})
	}
	// What is gone is forgotten: an equal entry may be another program's.
	must(t, k.Put(v6))
	_, err := k.List()
	must(t, err, s.otherRemoves(v6.Prefix, "eth0"))
	_, err = k.List()
	other := s.kernel()
	other.marks = marksByRule
	must(t, err, other.Put(v6))
	have, err := k.List()
	must(t, err)
	if got, want := table(visible(have)), "eth0 2001:db8::10/64 foreign\n"; got != want {
		t.Errorf("put by another after ours was removed:\n%swant:\n%s", got, want)
	}
}

func TestLinks(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	must(t, s.otherAdds(prefix("192.0.2.1/24"), "eth0"), s.otherAdds(prefix("2001:db8::1/64"), "eth0"))
	must(t, k.Put(wanted("eth0", "192.0.2.10/24", 5*time.Second)), k.Put(wanted("eth0", "198.51.100.10/24", 5*time.Second)))
	var links []Link
	must(t, s.In(func() (err error) { links, err = Links(); return err }))
	if len(links) != 1 || links[0].Name != "eth0" || len(links[0].MAC) != 6 || !links[0].Up || !links[0].Carrier {
		t.Fatalf("links: %+v", links)
	}
	if got := links[0].Prefixes; len(got) != 2 || got[0] != prefix("192.0.2.0/24") || got[1] != prefix("2001:db8::/64") {
		t.Errorf("prefixes %v: want the host's own subnets alone", got)
	}
	far := slices.DeleteFunc(slices.Clone(links[0].Own), netip.Addr.IsLinkLocalUnicast)
	if got := far; !slices.Equal(got, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}) {
		t.Errorf("own addresses %v: want the host's alone", got)
	}
	if got := links[0].Primary; got != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("primary address %v", got)
	}
	must(t, s.otherAdds(prefix("192.0.2.0/24"), "eth0"), s.otherAdds(prefix("fe80::5/64"), "eth0")) // 192.0.2.0 sorts first, and came second
	must(t, s.In(func() (err error) { links, err = Links(); return err }))
	if l := links[0]; l.Primary != netip.MustParseAddr("192.0.2.1") || !l.LinkLocal.IsLinkLocalUnicast() {
		t.Errorf("sends from %v and %v", l.Primary, l.LinkLocal)
	}
	if l := links[0]; !slices.Contains(l.Own, l.LinkLocal) || !slices.Contains(l.Own, netip.MustParseAddr("fe80::5")) {
		t.Errorf("own addresses %v: want all link-local ones, too", l.Own)
	}
}

// TestManyAtOnce: what cannot be done for one address is its error alone, more than one call's worth of addresses are there, and gone.
func TestManyAtOnce(t *testing.T) {
	s, _ := node(t)
	k := s.kernel()
	_, err := k.List()
	must(t, err)
	var list []Wanted
	for i := range 3 * batchCommands {
		list = append(list, wanted("eth0", netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 16).String(), life))
	}
	const unlinked, loopback, six = 5, 70, 130
	list[unlinked].Link = "eth9"
	list[loopback].Prefix = prefix("127.0.0.5/8")
	list[six].Prefix = prefix("2001:db8::9/64")
	errs := k.PutAll(list)
	var have []Address
	for i, err := range errs {
		switch {
		case i == unlinked:
			if !errors.Is(err, ErrNoLink) {
				t.Errorf("%s: %v", list[i], err)
			}
		case i == loopback:
			if err == nil || !strings.Contains(err.Error(), "unicast") {
				t.Errorf("%s: %v", list[i], err)
			}
		default:
			must(t, err)
			have = append(have, Address{Prefix: list[i].Prefix, Link: "eth0", Ours: true})
		}
	}
	count := func() (n int) {
		got, err := k.List()
		must(t, err)
		for _, x := range got {
			if x.Ours {
				n++
			}
		}
		return n
	}
	if n := count(); n != len(list)-2 {
		t.Errorf("%d addresses, want %d", n, len(list)-2)
	}
	// A link of the same name and another index, of which the kernel's list does not know yet.
	must(t, s.NL.LinkDel(s.Link("eth0")))
	peer := newSpace(t)
	s.join("eth0", peer, "peer0")
	for i, err := range k.PutAll(list[:3]) {
		if err != nil {
			t.Errorf("%s on a new link of that name: %v", list[i], err)
		}
	}
	for _, err := range k.RemoveAll(have) { // most have gone with the link
		must(t, err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
}
