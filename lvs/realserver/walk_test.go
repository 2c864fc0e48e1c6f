package realserver

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// model is a kernel with a memory: devices bring sysctls along and take their addresses with them.
type model struct {
	t    *testing.T
	boot int
	h    host
	// fail makes the nth step from now fail; die ends the process before it (or, with after, once it is done).
	fail, die int
	after     bool
	taken     int
}

var errInjected = errors.New("injected")

// killed is what a process that was killed says.
type killed struct{}

func (m *model) identity() (string, error) { return fmt.Sprint("boot ", m.boot), nil }

func (m *model) read(sysctls []string, listeners bool) (host, error) {
	h := host{sysctls: map[string]string{}, links: maps.Clone(m.h.links), addresses: slices.Clone(m.h.addresses), listeners: map[string]string{}, gateways: m.h.gateways}
	for _, p := range sysctls {
		if v, ok := m.h.sysctls[p]; ok {
			h.sysctls[p] = v
		}
	}
	if listeners {
		h.listeners = maps.Clone(m.h.listeners)
	}
	return h, nil
}

func (m *model) take(s Step) error {
	m.taken++
	m.fail--
	m.die--
	if m.fail == 0 {
		return errInjected
	}
	if m.die == 0 && !m.after {
		panic(killed{})
	}
	if err := m.do(s); err != nil {
		return err
	}
	m.quiet(s)
	if m.die == 0 {
		panic(killed{})
	}
	return nil
}

func (m *model) do(s Step) error {
	switch s.Kind {
	case KindSysctl:
		if _, ok := m.h.sysctls[s.Name]; !ok {
			return fmt.Errorf("no sysctl %s", s.Name)
		}
		m.h.sysctls[s.Name] = s.To
	case KindLink:
		if s.To == "" {
			delete(m.h.links, s.Name)
			m.h.addresses = slices.DeleteFunc(m.h.addresses, func(a address) bool { return a.link == s.Name })
			maps.DeleteFunc(m.h.sysctls, func(p, _ string) bool { return strings.Contains(p, "/"+s.Name+"/") })
			return nil
		}
		if _, ok := m.h.links[s.Name]; ok {
			return errors.New("it exists")
		}
		m.h.links[s.Name] = link{kind: s.To, external: true}
		m.h.sysctls[conf4(s.Name, "rp_filter")], m.h.sysctls[conf6(s.Name, "disable_ipv6")] = "1", "1"
	case KindUp:
		l := m.h.links[s.Name]
		l.up = true
		m.h.links[s.Name] = l
	case KindListener:
		delete(m.h.listeners, s.Name)
		if s.To != "" {
			m.h.listeners[s.Name] = GUE
		}
	case KindAddress:
		p := netip.MustParsePrefix(s.Name)
		m.h.addresses = slices.DeleteFunc(m.h.addresses, func(a address) bool { return a.link == s.Link && a.prefix == p })
		if s.To != "" {
			if _, ok := m.h.links[s.Link]; !ok {
				return errors.New("no such device")
			}
			m.h.addresses = append(m.h.addresses, address{link: s.Link, prefix: p, marked: true})
		}
	}
	return nil
}

// quiet: at no moment, also between two steps, does the host answer ARP for an address that we put; another program's change of the
// settings is not ours to answer for.
func (m *model) quiet(s Step) {
	for _, a := range m.h.addresses {
		if a.marked && a.prefix.Addr().Is4() && max(m.h.sysctls[conf4("all", "arp_ignore")], m.h.sysctls[conf4("eth0", "arp_ignore")]) == "0" {
			m.t.Errorf("after %s: %s is answered for", s.Command(), a.prefix)
		}
	}
}

// text is the host in comparable form.
func (h host) text() string {
	var out []string
	for p, v := range h.sysctls {
		out = append(out, p+"="+v)
	}
	for n, l := range h.links {
		out = append(out, fmt.Sprint("link ", n, l))
	}
	for n, l := range h.listeners {
		out = append(out, "listener "+n+" "+l)
	}
	for _, a := range h.addresses {
		out = append(out, fmt.Sprint("address ", a))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// alive runs do, and says whether it was killed.
func alive(do func() error) (err error, dead bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, dead = r.(killed); !dead {
				panic(r)
			}
		}
	}()
	return do(), false
}

// memory is a directory in memory where the machine has such a place: a disk would be the slowest part of thousands of steps.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "quorate-realserver-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestWalk: setups and undos of random VIPs on one host, with steps that fail, processes that die and reboots. A setup that says it is
// ready is, a second one does nothing, and at the end the host is what it was before the first, and so is the disk.
func TestWalk(t *testing.T) {
	var pool []VIP
	for _, addr := range []string{"192.0.2.10", "192.0.2.11", "2001:db8::10"} {
		pool = append(pool, dr(addr, "eth0"))
		for _, tunnel := range []string{IPIP, GRE, GUE} {
			for _, outer := range []string{"", IPv6} {
				pool = append(pool, tun(t, addr, tunnel, outer))
			}
		}
	}
	steps := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		m := &model{t: t, h: plain()}
		m.h.sysctls[conf4("all", "rp_filter")] = fmt.Sprint(r.IntN(3))
		m.h.sysctls[conf4("eth0", "rp_filter")] = fmt.Sprint(r.IntN(3))
		m.h.sysctls[conf4("eth0", "arp_ignore")] = fmt.Sprint(r.IntN(6))
		m.h.sysctls[conf4("all", "arp_announce")] = fmt.Sprint(r.IntN(3))
		fresh := m.h
		fresh.sysctls = maps.Clone(m.h.sysctls)
		fresh.links = maps.Clone(m.h.links)
		fresh.listeners = map[string]string{}
		fresh.addresses = slices.Clone(m.h.addresses)
		dir := memory(t)
		s := &Server{path: filepath.Join(dir, "state", "r.json"), kernel: m}
		for range 12 {
			m.fail, m.die, m.after = 0, 0, r.IntN(2) == 0
			switch r.IntN(4) {
			case 0:
				m.fail = 1 + r.IntN(6)
			case 1:
				m.die = 1 + r.IntN(6)
			}
			switch pick := pool[r.IntN(len(pool))]; r.IntN(8) {
			case 0, 1:
				var addrs []netip.Addr
				if r.IntN(2) == 0 {
					addrs = []netip.Addr{pick.Addr}
				}
				if err, dead := alive(func() error { _, err := s.Undo(addrs, false); return err }); err != nil && !dead && !errors.Is(err, errInjected) {
					t.Fatalf("seed %d: undo: %v", seed, err)
				}
			case 2: // reboot
				m.boot++
				m.h.sysctls, m.h.links, m.h.listeners, m.h.addresses = maps.Clone(fresh.sysctls), maps.Clone(fresh.links), map[string]string{}, slices.Clone(fresh.addresses)
			default:
				var rep Report
				err, dead := alive(func() (err error) { rep, err = s.Setup([]VIP{pick}, false); return err })
				if err != nil && !errors.Is(err, errInjected) {
					t.Fatalf("seed %d: setup: %v", seed, err)
				}
				if err != nil && (rep.Ready || rep.Done() == len(rep.Steps)) || err == nil && !dead && rep.Done() != len(rep.Steps) {
					t.Fatalf("seed %d: %v, and the report says %+v", seed, err, rep)
				}
				if err != nil || dead {
					break
				}
				c, err := s.Check(nil)
				if err != nil || !c.Ready {
					t.Fatalf("seed %d: ready, but %v\n%s\n%v", seed, err, commands(c.Steps), c.Problems)
				}
				before := m.taken
				if again, err := s.Setup([]VIP{pick}, false); err != nil || len(again.Steps) > 0 || m.taken != before {
					t.Fatalf("seed %d: the second time: %v\n%s", seed, err, commands(again.Steps))
				}
			}
		}
		m.fail, m.die = 0, 0
		if _, err := s.Undo(nil, false); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got, want := m.h.text(), fresh.text(); got != want {
			t.Fatalf("seed %d: the host is\n%s\nwas\n%s", seed, got, want)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Fatalf("seed %d: files left: %v", seed, left)
		}
		steps += m.taken
	}
	t.Logf("%d steps", steps)
}

// TestForeignChangesStay: what another program makes, or makes of ours, is neither undone nor taken for ours.
func TestForeignChangesStay(t *testing.T) {
	m := &model{t: t, h: plain()}
	s := &Server{path: filepath.Join(t.TempDir(), "r.json"), kernel: m}
	byHand := address{link: "lo", prefix: netip.MustParsePrefix("192.0.2.11/32")}
	m.h.addresses = append(m.h.addresses, byHand)
	if _, err := s.Setup([]VIP{dr("192.0.2.10", ""), dr("192.0.2.11", "")}, false); err != nil {
		t.Fatal(err)
	}
	m.h.sysctls[conf4("all", "arp_ignore")] = "2"
	m.h.addresses = append(m.h.addresses, address{link: "lo", prefix: netip.MustParsePrefix("192.0.2.12/32")})
	rep, err := s.Undo(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if m.h.sysctls[conf4("all", "arp_ignore")] != "2" || m.h.sysctls[conf4("all", "arp_announce")] != "0" {
		t.Errorf("sysctls: %v", m.h.sysctls)
	}
	if _, ok := m.h.find("lo", byHand.prefix.Addr()); !ok || len(m.h.addresses) != 4 {
		t.Errorf("addresses: %v", m.h.addresses)
	}
	if len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "is 2, not the 1 that setup made of it") {
		t.Errorf("notes: %q", rep.Notes)
	}
}

// TestRebootForgets: a value that the host has since it was booted again is its own, also when it is the one that setup had set.
func TestRebootForgets(t *testing.T) {
	m := &model{t: t, h: plain()}
	s := &Server{path: filepath.Join(t.TempDir(), "r.json"), kernel: m}
	if _, err := s.Setup([]VIP{dr("192.0.2.10", "")}, false); err != nil {
		t.Fatal(err)
	}
	m.boot++
	m.h = plain()
	m.h.sysctls[conf4("all", "arp_ignore")] = "1" // the operator keeps it in /etc/sysctl.d/ now
	if c, err := s.Check(nil); err != nil || c.Ready || len(c.Steps) != 4 {
		t.Errorf("after the reboot: %v %v", err, commands(c.Steps))
	}
	if _, err := s.Setup(nil, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Undo(nil, false); err != nil {
		t.Fatal(err)
	}
	want := plain()
	want.sysctls[conf4("all", "arp_ignore")] = "1"
	if m.h.text() != want.text() {
		t.Errorf("the host is\n%s\nwant\n%s", m.h.text(), want.text())
	}
}

// TestDryRunAndRefusalChangeNothing: neither the host nor the disk.
func TestDryRunAndRefusalChangeNothing(t *testing.T) {
	m := &model{t: t, h: plain()}
	dir := t.TempDir()
	s := &Server{path: filepath.Join(dir, "state", "r.json"), kernel: m}
	if rep, err := s.Setup([]VIP{dr("192.0.2.10", "")}, true); err != nil || len(rep.Steps) != 5 || rep.Done() != 0 || rep.Ready {
		t.Errorf("dry run: %v %+v", err, rep)
	}
	if _, err := s.Setup(nil, false); err == nil || !strings.Contains(err.Error(), "which VIP?") {
		t.Errorf("no VIP: %v", err)
	}
	if _, err := s.Setup([]VIP{{Addr: netip.MustParseAddr("192.0.2.5"), Forward: "dr"}}, false); !errors.Is(err, ErrRefused) {
		t.Errorf("the host's own address: %v", err)
	}
	if _, err := s.Setup([]VIP{dr("192.0.2.10", "eth7")}, false); err == nil || !strings.Contains(err.Error(), "eth7") {
		t.Errorf("no such interface: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 || m.taken > 0 {
		t.Errorf("%d steps were taken, left %v", m.taken, left)
	}
}
