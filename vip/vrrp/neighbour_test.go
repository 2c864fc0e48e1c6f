package vrrp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNeighbour: a legacy router is known by its adverts, what it does and how long it waits.
func TestNeighbour(t *testing.T) {
	r := router(t, nil)
	d := vectors[3].datagram(t)
	r.Hear(d, sec, wall)
	r.Hear(d, 2*sec, wall)
	all := r.Neighbours()
	if len(all) != 1 {
		t.Fatalf("%d neighbours", len(all))
	}
	n := all[0]
	if n.VRID != 51 || n.Source != addr("192.168.1.10") || n.Role != Listed || n.Version != V3 || n.Priority != 100 || n.Interval != sec ||
		!slices.Equal(n.Addresses, addrs("192.168.1.100")) || n.Form != PseudoHeader || n.FirstHeard != sec || n.LastHeard != 2*sec || n.Adverts != 2 || n.Differs != 0 {
		t.Errorf("%+v", n)
	}
	down := 3*sec + 156*sec/256
	for at, want := range map[time.Duration]Activity{2 * sec: Speaking, 2*sec + down: Speaking, 2*sec + down + 1: Silent} {
		if got := n.Activity(at); got != want {
			t.Errorf("at %s it is %s, want %s", at, got, want)
		}
	}
	if got := n.TakesOverAfter(100 * ms); got != 300*ms+156*100*ms/256 {
		t.Errorf("takes over after %s", got)
	}
	stop := vectors[3].advert
	stop.Priority = 0
	r.Hear(sent(t, stop, Envelope{Source: n.Source, Destination: IPv4.Group()}), 3*sec, wall)
	if n = r.Neighbours()[0]; n.Activity(3*sec) != Released || n.Priority != 100 {
		t.Errorf("after its last word: %s, priority %d", n.Activity(3*sec), n.Priority)
	}
}

// TestNeighbourIsNotForged: an advert that is dropped does not change what an accepted one said, as long as that is to be believed; nor is it hidden.
func TestNeighbourIsNotForged(t *testing.T) {
	r := router(t, func(c *Config) { c.Keys = keyring(t, 1, key0()) })
	e := Envelope{Source: addr("192.168.1.10"), Destination: IPv4.Group(), Keys: keyring(t, 1, key0()), Sequence: SequenceAt(wall)}
	r.Hear(sent(t, vectors[3].advert, e), sec, wall)
	forged := vectors[3].advert
	forged.Priority, forged.Addresses = 255, addrs("192.168.1.200")
	e.Keys = nil
	last := Advert{Version: V3, VRID: 51, Interval: sec, Addresses: forged.Addresses}
	for _, a := range []Advert{forged, last} {
		r.Hear(sent(t, a, e), 2*sec, wall)
		n := r.Neighbours()[0]
		if n.Priority != 100 || n.Released || !n.Signed || n.LastHeard != sec || n.Adverts != 1 || !slices.Equal(n.Addresses, addrs("192.168.1.100")) {
			t.Errorf("forged: %+v", n)
		}
		if n.Reason != Unsigned || n.Dropped == 0 || !n.Differs.Has(SignatureDiffers) {
			t.Errorf("hidden: %+v", n)
		}
	}
	// Nothing better is known of one that has been silent for long.
	for _, now := range []time.Duration{10 * sec, 11 * sec} {
		r.Hear(sent(t, forged, e), now, wall)
		if n := r.Neighbours()[0]; n.Priority != 255 || n.LastHeard != now {
			t.Errorf("of old: %+v", n)
		}
	}
}

// TestDifferences: what will make two routers deaf to each other is found on the first advert, explained with its cure, and told once.
func TestDifferences(t *testing.T) {
	for _, x := range []struct {
		name   string
		config func(*Config)
		advert func(*Advert, *Envelope)
		want   Difference
		text   []string
		none   bool
	}{
		{"alike", nil, func(*Advert, *Envelope) {}, 0, nil, true},
		{"version", nil, func(a *Advert, _ *Envelope) { a.Version = V2 }, VersionDiffers, []string{"router 192.168.1.10 speaks version 2 and we 3", "set the same version"}, false},
		{"auth", version2, func(a *Advert, _ *Envelope) { a.Version, a.Auth = V2, AuthPassword }, AuthDiffers, []string{"with password and we with none"}, false},
		{"password", func(c *Config) { version2(c); c.Auth, c.Password = AuthPassword, PasswordOf("a") },
			func(a *Advert, _ *Envelope) { a.Version, a.Auth, a.Password = V2, AuthPassword, PasswordOf("b") }, AuthDiffers, []string{"or the passwords differ"}, false},
		{"signature", func(c *Config) { c.Keys = keyring(t, 1, key0()) }, func(*Advert, *Envelope) {}, SignatureDiffers, []string{"it signs: false, we: true", "permissive until all sign"}, false},
		{"signed for us", nil, func(_ *Advert, e *Envelope) { e.Keys = keyring(t, 1, key0()) }, SignatureDiffers, []string{"it signs: true, we: false"}, false},
		{"interval, version 2", version2, func(a *Advert, _ *Envelope) { a.Version, a.Interval = V2, 2*sec }, IntervalDiffers, []string{"every 2s and we every 1s", "both would be active"}, false},
		{"interval, version 3", nil, func(a *Advert, _ *Envelope) { a.Interval = 100 * ms }, IntervalDiffers, []string{"every 100ms and we every 1s", "learns the active router's interval"}, false},
		{"unicast", nil, func(_ *Advert, e *Envelope) { e.Destination = addr("192.168.1.1") }, DestinationDiffers, []string{"by unicast, and we by multicast"}, false},
		{"multicast", func(c *Config) { c.Peers = addrs("192.168.1.10") }, func(*Advert, *Envelope) {}, DestinationDiffers, []string{"by multicast, and we by unicast"}, false},
		{"one address more", nil, func(a *Advert, _ *Envelope) { a.Addresses = addrs("192.168.1.100", "192.168.1.101") }, AddressesDiffer,
			[]string{"only it: 192.168.1.101; only we: none", "before 2.3.3"}, false},
		{"collision", nil, func(a *Advert, _ *Envelope) { a.Addresses = addrs("192.168.1.200") }, VRIDCollision, []string{"uses this VRID for 192.168.1.200", "give one of them another"}, false},
		{"priority", nil, func(a *Advert, _ *Envelope) { a.Priority = 150 }, PriorityEqual, []string{"has our priority 150"}, false},
		{"owner", nil, func(a *Advert, _ *Envelope) { a.Priority = 255 }, OwnerElsewhere, []string{"priority 255", "254 or less"}, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := router(t, x.config)
			a, e := vectors[3].advert, Envelope{Source: addr("192.168.1.10"), Destination: IPv4.Group()}
			a.Addresses = slices.Clone(a.Addresses)
			x.advert(&a, &e)
			d := sent(t, a, e)
			h, fresh := r.Hear(d, sec, wall)
			if !h.Sound {
				t.Fatalf("not sound: %s", h.Reason)
			}
			if x.none {
				if fresh != 0 {
					t.Errorf("differs in %v", fresh.All())
				}
				return
			}
			if all := fresh.All(); !slices.Equal(all, []Difference{x.want}) {
				t.Errorf("differs in %v, want %s", all, x.want)
			}
			text := r.config.Explain(x.want, r.Neighbours()[0])
			for _, part := range x.text {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			for _, later := range []time.Duration{2 * sec, 2 * time.Minute, 3 * time.Minute} {
				if _, again := r.Hear(d, later, wall); again != 0 {
					t.Errorf("told again after %s: %v", later, again.All())
				}
			}
		})
	}
}

// TestDifferenceThatFlaps: a router that changes with every advert is told of once a minute.
func TestDifferenceThatFlaps(t *testing.T) {
	r := router(t, nil)
	told := 0
	for i := range 1300 {
		a := vectors[3].advert
		a.Priority = Priority(100 + 50*(i%2))
		_, fresh := r.Hear(sent(t, a, Envelope{Source: addr("192.168.1.10"), Destination: IPv4.Group()}), time.Duration(i)*100*ms, wall)
		told += len(fresh.All())
	}
	if told < 2 || told > 3 {
		t.Errorf("told %d times in 130 s", told)
	}
}

// TestNeighboursAreBounded: ever new sources fill no memory, and push out nobody who counts, nor each other faster than once a second.
func TestNeighboursAreBounded(t *testing.T) {
	r := router(t, nil)
	r.Hear(vectors[3].datagram(t), 0, wall)
	source := addr("198.18.0.0")
	flood := func(from, to time.Duration) {
		for now := from; now < to; now += ms {
			source = source.Next()
			r.Hear(sent(t, vectors[3].advert, Envelope{Source: source, Destination: IPv4.Group()}), now, wall)
		}
	}
	flood(sec, 2*sec)
	if len(r.Neighbours()) != MaxNeighbours || r.neighbours.find(51, addr("198.18.0.1")) == nil {
		t.Errorf("%d neighbours", len(r.Neighbours()))
	}
	flood(10*sec, 11*sec)
	if len(r.Neighbours()) != MaxNeighbours || r.neighbours.find(51, addr("192.168.1.10")) == nil || r.neighbours.find(51, addr("198.18.0.1")) != nil {
		t.Errorf("%d neighbours, the listed one or the old one among them", len(r.Neighbours()))
	}
	r.neighbours.Forget(11 * sec)
	if n := len(r.Neighbours()); n != 1 {
		t.Errorf("%d neighbours are left", n)
	}
}

// TestSurvey: a link's virtual routers are listed, and VRIDs that mean two things are found.
func TestSurvey(t *testing.T) {
	s := NewSurvey()
	say := func(source string, v VRID, list ...string) {
		t.Helper()
		a := Advert{Version: V3, VRID: v, Priority: 100, Interval: sec, Addresses: addrs(list...)}
		group := IPv4.Group()
		if addr(source).Is6() {
			group = IPv6.Group()
		}
		if r := s.Hear(sent(t, a, Envelope{Source: addr(source), Destination: group}), sec); r != Accepted {
			t.Fatalf("%s: %s", source, r)
		}
	}
	say("192.168.1.10", 51, "192.168.1.100")
	say("192.168.1.11", 51, "192.168.1.100", "192.168.1.101") // the same one, differently
	say("192.168.1.12", 7, "192.168.1.200")
	say("192.168.1.13", 7, "192.168.1.201") // another one
	say("fe80::12", 51, "fe80::100")        // IPv6 has VRIDs of its own
	bad := vectors[3].datagram(t)
	bad.TTL = 254
	if r := s.Hear(bad, sec); r != BadTTL || s.Counts()[BadTTL] != 1 {
		t.Errorf("TTL 254: %s", r)
	}
	spoiled := unhex(t, vectors[0].hex)
	spoiled[7]++
	for source, x := range map[string]struct {
		message []byte
		ttl     uint8
	}{
		"192.168.1.14": {unhex(t, vectors[0].hex), 255},
		// Nobody knows who has said these:
		"192.168.1.15": {bad.Payload, 255}, // version 3, which has no such header
		"192.168.1.16": {unhex(t, vectors[0].hex), 254},
		"192.168.1.17": {spoiled, 255},
	} {
		ah := Datagram{Source: addr(source), Destination: IPv4.Group(), TTL: x.ttl, AH: true, Payload: inAH(x.message)}
		if r := s.Hear(ah, sec); r != InAH {
			t.Errorf("%s in an authentication header: %s", source, r)
		}
	}
	all := s.Neighbours()
	var sources []netip.Addr
	for _, n := range all {
		sources = append(sources, n.Source)
	}
	if want := addrs("192.168.1.12", "192.168.1.13", "192.168.1.10", "192.168.1.11", "192.168.1.14", "fe80::12"); !slices.Equal(sources, want) {
		t.Errorf("heard %v, want %v", sources, want)
	}
	if all[4].Auth != AuthHeader {
		t.Errorf("%s authenticates with %s", all[4].Source, all[4].Auth)
	}
	if got := Collisions(all); !slices.Equal(got, []VRID{7}) {
		t.Errorf("collisions of %v", got)
	}
}
