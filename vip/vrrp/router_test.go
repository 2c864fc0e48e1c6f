package vrrp

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// TestNothingAllocated: judging an advert costs no memory, whatever it is: a flood makes no garbage.
func TestNothingAllocated(t *testing.T) {
	c := Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.1"),
		Listed: addrs("192.168.1.10", "198.51.100.10"), Keys: keyring(t, 1, key0()), Signing: Permissive, Monotonic: true}
	r, err := NewRouter(c)
	if err != nil {
		t.Fatal(err)
	}
	r.Step(Event{Kind: Startup})
	signed := Datagram{Source: addr("198.51.100.10"), Destination: IPv4.Group(), TTL: 255, Payload: unhex(t, signedPDU+signedTrailer+signedMAC)}
	bad := vectors[3].datagram(t)
	bad.TTL = 1
	wall := time.Unix(0x68000000, 0)
	for _, d := range []Datagram{vectors[3].datagram(t), vectors[0].datagram(t), bad, signed} {
		act := func([]Action) {}
		one := func() {
			r.Hear(d, 0, wall)
			r.Deliver(act)
		}
		one()
		if n := testing.AllocsPerRun(100, one); n != 0 {
			t.Errorf("%v: %v allocations", d.Source, n)
		}
	}
}

// BenchmarkHear is what one advert of a flood costs.
func BenchmarkHear(b *testing.B) {
	c := Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.1"), Anyone: true}
	r, err := NewRouter(c)
	if err != nil {
		b.Fatal(err)
	}
	packet := append(appendIP(nil, addr("192.168.1.10"), IPv4.Group(), 1, 12), unhex(b, vectors[3].hex)...)
	for b.Loop() {
		d, _ := ParseIPv4(packet)
		r.Hear(d, 0, time.Time{})
		r.Deliver(func([]Action) {})
	}
}

// router is the base router, started.
func router(t *testing.T, change func(*Config)) *Router {
	t.Helper()
	c := base()
	if change != nil {
		change(&c)
	}
	r, err := NewRouter(c)
	if err != nil {
		t.Fatal(err)
	}
	r.Step(Event{Kind: Startup})
	return r
}

// does is what the router does once it has been delivered what it heard.
func (r *Router) does() (list []string) {
	r.Deliver(func(actions []Action) {
		for _, a := range actions {
			list = append(list, a.String())
		}
	})
	return list
}

// TestBatch: of what one batch of datagrams brings, each sender's last advert counts, and whoever counts displaces whoever does not.
func TestBatch(t *testing.T) {
	r := router(t, func(c *Config) { c.Mode, c.Listed, c.Fellows = Appointed, addrs("192.168.1.10"), addrs("192.168.1.2") })
	r.Step(Event{Kind: Appoint})
	say := func(source string, p Priority) {
		a := vectors[3].advert
		a.Priority = p
		r.Hear(sent(t, a, Envelope{Source: addr(source), Destination: IPv4.Group()}), sec, wall)
	}
	for i := range 40 { // strangers, each with an address of its own
		say(netip.AddrFrom4([4]byte{192, 168, 1, byte(100 + i)}).String(), 255)
	}
	say("192.168.1.10", 200)
	say("192.168.1.10", 100)
	say("192.168.1.2", 10)
	got := r.does()
	if len(got) < 3 || got[0] != "send 150" || got[1] != "announce: lower-priority" {
		t.Errorf("did %q", got)
	}
	n := r.Counts()
	if n[Accepted] != maxInbox || n[Accepted]+n[Surplus] != 43 {
		t.Errorf("accepted %d, surplus %d", n[Accepted], n[Surplus])
	}
	if got := r.does(); got != nil {
		t.Errorf("delivered again: %q", got)
	}
}

// TestCompose: an advert goes to the group once, or to each peer; the copies are signed alike; the sequence grows from one advert to the next.
func TestCompose(t *testing.T) {
	compose := func(r *Router) (to []netip.Addr, list []Datagram) {
		err := r.Compose(150, wall, func(packet []byte, a netip.Addr) error {
			d, reason := ParseIPv4(slices.Clone(packet))
			if reason != Accepted || d.Destination != a || d.TTL != 255 {
				t.Errorf("composed %s: %+v", reason, d)
			}
			to, list = append(to, a), append(list, d)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return to, list
	}
	if to, _ := compose(router(t, nil)); !slices.Equal(to, addrs("224.0.0.18")) {
		t.Errorf("sent to %v", to)
	}
	if to, _ := compose(router(t, func(c *Config) { c.Group = addr("224.0.0.19") })); !slices.Equal(to, addrs("224.0.0.19")) {
		t.Errorf("sent to %v", to)
	}
	r := router(t, func(c *Config) { c.Peers, c.Keys = addrs("192.168.1.10", "192.168.1.11"), keyring(t, 1, key0()) })
	to, first := compose(r)
	_, second := compose(r)
	if !slices.Equal(to, r.config.Peers) {
		t.Errorf("sent to %v", to)
	}
	trailer := func(d Datagram) []byte { return d.Payload[len(d.Payload)-trailerLen:] }
	if !bytes.Equal(trailer(first[0]), trailer(first[1])) || bytes.Equal(trailer(first[0]), trailer(second[0])) {
		t.Errorf("signed %x, %x, then %x", trailer(first[0]), trailer(first[1]), trailer(second[0]))
	}
	// What one composes another takes, and takes once.
	peer := base()
	peer.Source, peer.Peers, peer.Keys = addr("192.168.1.10"), addrs("192.168.1.1"), keyring(t, 1, key0())
	k := NewChecker(peer)
	for i, want := range []Reason{Accepted, Replayed} {
		if h := k.Check(first[0], wall); h.Reason != want {
			t.Errorf("hearing %d: %s, want %s", i+1, h.Reason, want)
		}
	}
	if h := k.Check(second[0], wall); h.Reason != Accepted {
		t.Errorf("the next: %s", h.Reason)
	}
	quiet := router(t, func(c *Config) { c.Keys, c.Signing = keyring(t, 1, key0()), ReceiveOnly })
	if _, list := compose(quiet); len(list[0].Payload) != 12 {
		t.Errorf("receive-only signs: %d bytes", len(list[0].Payload))
	}
	broken := errors.New("no route")
	n := 0
	if err := r.Compose(0, wall, func([]byte, netip.Addr) error { n++; return broken }); !errors.Is(err, broken) || n != 2 {
		t.Errorf("%d tries, %v", n, err)
	}
}

// TestSharedSource: nodes that send from one address hear each other as fellows.
func TestSharedSource(t *testing.T) {
	r := router(t, func(c *Config) { c.SharedSource, c.Mode = true, Appointed })
	d := sent(t, vectors[3].advert, Envelope{Source: addr("192.168.1.1"), Destination: IPv4.Group()})
	if h, _ := r.Hear(d, sec, wall); h.Reason != Accepted || h.Role != Fellow || !h.Sound {
		t.Errorf("%s, %s", h.Reason, h.Role)
	}
	r.Deliver(func([]Action) {})
	if due, _ := r.Machine().Deadline(); due != sec+down150 {
		t.Errorf("timer at %s", due)
	}
}
