package vrrp

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// wall is a time of day at which the signed vector is young.
var wall = time.Unix(0x68000000, 0)

// base is a virtual router that the vectors of version 3 over IPv4 are adverts of.
func base() Config {
	return Config{VRID: 51, Version: V3, Priority: 150, Interval: time.Second, Addresses: addrs("192.168.1.100"), Preempt: true,
		Source: addr("192.168.1.1"), Listed: addrs("192.168.1.10")}
}

// sent is an advert as it comes here.
func sent(t testing.TB, a Advert, e Envelope) Datagram {
	t.Helper()
	b, err := a.Append(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	return Datagram{Source: e.Source, Destination: e.Destination, TTL: 255, Payload: b}
}

// TestReceiveOrder: every reason for which an advert is dropped, and that the first check that fails names it.
func TestReceiveOrder(t *testing.T) {
	type bed struct {
		c Config
		a Advert
		e Envelope
		// spoil changes the finished datagram.
		spoil func(*Datagram)
	}
	other := key0()
	other.Secret = slices.Repeat([]byte{7}, 32)
	v2 := func(b *bed) { b.c.Version, b.a.Version = V2, V2 }
	signed := func(b *bed) {
		b.c.Keys, b.e.Keys, b.e.Sequence = keyring(t, 1, key0()), keyring(t, 1, key0()), SequenceAt(wall)
	}
	unicast := func(b *bed) { b.c.Peers, b.e.Destination = addrs("192.168.1.10"), b.c.Source }
	spoil := func(f func(*Datagram)) func(*bed) { return func(b *bed) { b.spoil = f } }
	for _, x := range []struct {
		name    string
		changes []func(*bed)
		want    Reason
		sound   bool
	}{
		{"good", nil, Accepted, true},
		{"good version 2", []func(*bed){v2}, Accepted, true},
		{"good, signed", []func(*bed){signed}, Accepted, true},
		{"good, unicast", []func(*bed){unicast}, Accepted, true},
		{"short", []func(*bed){spoil(func(d *Datagram) { d.Payload = d.Payload[:7] })}, Truncated, false},
		{"another VRID", []func(*bed){func(b *bed) { b.a.VRID = 52 }}, UnknownVRID, false},
		{"another VRID and TTL 1", []func(*bed){func(b *bed) { b.a.VRID = 52 }, spoil(func(d *Datagram) { d.TTL = 1 })}, UnknownVRID, false},
		{"our own", []func(*bed){func(b *bed) { b.e.Source = b.c.Source }}, OwnSource, false},
		{"in AH", []func(*bed){v2, spoil(func(d *Datagram) { d.AH, d.Payload = true, inAH(d.Payload) })}, InAH, true},
		{"in AH, TTL 254", []func(*bed){v2, spoil(func(d *Datagram) { d.AH, d.TTL, d.Payload = true, 254, inAH(d.Payload) })}, InAH, false},
		{"in AH, checksum", []func(*bed){v2, spoil(func(d *Datagram) { d.Payload[7]++; d.AH, d.Payload = true, inAH(d.Payload) })}, InAH, false},
		{"in AH, from a node's address", []func(*bed){v2, func(b *bed) { b.c.Fellows = addrs("192.168.1.10") }, spoil(func(d *Datagram) { d.AH, d.Payload = true, inAH(d.Payload) })}, InAH, false},
		{"version 3 in AH", []func(*bed){spoil(func(d *Datagram) { d.AH, d.Payload = true, inAH(d.Payload) })}, InAH, false},
		{"no addresses", []func(*bed){spoil(func(d *Datagram) { d.Payload[3], d.Payload = 0, d.Payload[:8] })}, NoAddresses, false},
		{"too long", []func(*bed){spoil(func(d *Datagram) { d.Payload = append(d.Payload, 0) })}, BadLength, false},
		{"too long and TTL 1", []func(*bed){spoil(func(d *Datagram) { d.Payload, d.TTL = append(d.Payload, 0), 1 })}, BadLength, false},
		{"TTL 254", []func(*bed){spoil(func(d *Datagram) { d.TTL = 254 })}, BadTTL, false},
		{"TTL 254 of another version", []func(*bed){func(b *bed) { b.a.Version = V2 }, spoil(func(d *Datagram) { d.TTL = 254 })}, BadTTL, false},
		{"unicast, TTL 254", []func(*bed){unicast, spoil(func(d *Datagram) { d.TTL = 254 })}, BadTTL, false},
		{"unicast, TTL 254 allowed", []func(*bed){unicast, func(b *bed) { b.c.MinTTL = 254 }, spoil(func(d *Datagram) { d.TTL = 254 })}, Accepted, true},
		{"another version", []func(*bed){func(b *bed) { b.a.Version = V2 }}, BadVersion, true},
		{"a version that does not exist", []func(*bed){spoil(func(d *Datagram) { d.Payload[0] = 0x51 })}, BadVersion, false},
		{"not signed", []func(*bed){signed, func(b *bed) { b.e.Keys = nil }}, Unsigned, true},
		{"not signed, and of another version", []func(*bed){signed, func(b *bed) { b.e.Keys, b.a.Version = nil, V2 }}, BadVersion, true},
		{"not signed, permissive", []func(*bed){signed, func(b *bed) { b.e.Keys, b.c.Signing = nil, Permissive }}, Accepted, true},
		{"not signed, receive-only", []func(*bed){signed, func(b *bed) { b.e.Keys, b.c.Signing = nil, ReceiveOnly }}, Accepted, true},
		{"signed for nobody", []func(*bed){signed, func(b *bed) { b.c.Keys = nil }}, UnexpectedTrailer, true},
		{"trailer of another type", []func(*bed){signed, spoil(func(d *Datagram) { d.Payload[len(d.Payload)-28] = 2 })}, BadTrailer, true},
		{"trailer's reserved bits", []func(*bed){signed, spoil(func(d *Datagram) { d.Payload[len(d.Payload)-25] = 1 })}, BadTrailer, true},
		{"key that we have not", []func(*bed){signed, func(b *bed) { b.e.Keys = keyring(t, 2, Key{2, other.Secret}) }}, UnknownKey, true},
		{"another key of the same id", []func(*bed){signed, func(b *bed) { b.e.Keys = keyring(t, 1, other) }}, BadSignature, true},
		{"badly signed, permissive", []func(*bed){signed, func(b *bed) { b.e.Keys, b.c.Signing = keyring(t, 1, other), Permissive }}, BadSignature, true},
		{"signed by another source", []func(*bed){signed, spoil(func(d *Datagram) { d.Source = addr("192.168.1.9") })}, BadSignature, false},
		{"signed 5 s ago", []func(*bed){signed, func(b *bed) { b.e.Sequence = SequenceAt(wall.Add(-5 * time.Second)) }}, Accepted, true},
		{"signed 6 s ago", []func(*bed){signed, func(b *bed) { b.e.Sequence = SequenceAt(wall.Add(-6 * time.Second)) }}, Stale, true},
		{"signed in 6 s", []func(*bed){signed, func(b *bed) { b.e.Sequence = SequenceAt(wall.Add(6 * time.Second)) }}, Stale, true},
		{"signed a year ago, monotonic", []func(*bed){signed, func(b *bed) { b.c.Monotonic, b.e.Sequence = true, SequenceAt(wall.AddDate(-1, 0, 0)) }}, Accepted, true},
		{"signed, from no peer", []func(*bed){signed, unicast, func(b *bed) { b.e.Source = addr("192.168.1.9") }}, UnknownSource, true},
		{"password for none", []func(*bed){v2, func(b *bed) { b.a.Auth, b.a.Password = AuthPassword, PasswordOf("1111") }}, BadAuthType, true},
		{"none for password", []func(*bed){v2, func(b *bed) { b.c.Auth, b.c.Password = AuthPassword, PasswordOf("1111") }}, BadAuthType, true},
		{"another password", []func(*bed){v2, func(b *bed) {
			b.c.Auth, b.c.Password, b.a.Auth, b.a.Password = AuthPassword, PasswordOf("1111"), AuthPassword, PasswordOf("1112")
		}}, BadPassword, true},
		{"the password", []func(*bed){v2, func(b *bed) {
			b.c.Auth, b.c.Password, b.a.Auth, b.a.Password = AuthPassword, PasswordOf("123456789"), AuthPassword, PasswordOf("12345678")
		}}, Accepted, true},
		{"another interval in version 2", []func(*bed){v2, func(b *bed) { b.a.Interval = 2 * time.Second }}, BadInterval, true},
		{"another interval in version 3", []func(*bed){func(b *bed) { b.a.Interval = 100 * time.Millisecond }}, Accepted, true},
		{"type 2", []func(*bed){spoil(func(d *Datagram) { d.Payload[0] = 0x32 })}, BadType, false},
		{"interval 0", []func(*bed){spoil(func(d *Datagram) { d.Payload[4], d.Payload[5] = 0, 0 })}, ZeroInterval, false},
		{"checksum", []func(*bed){spoil(func(d *Datagram) { d.Payload[7]++ })}, BadChecksum, false},
		{"checksum without pseudo header", []func(*bed){func(b *bed) { b.e.Form = MessageOnly }}, Accepted, true},
		{"checksum with the group's", []func(*bed){unicast, func(b *bed) { b.e.Form = MulticastHeader }}, Accepted, true},
		{"multicast for unicast", []func(*bed){func(b *bed) { b.c.Peers = addrs("192.168.1.10") }}, BadDestination, true},
		{"unicast for multicast", []func(*bed){func(b *bed) { b.e.Destination = b.c.Source }}, BadDestination, true},
		{"another group", []func(*bed){func(b *bed) { b.e.Destination = addr("224.0.0.19") }}, BadDestination, true},
		{"our other group", []func(*bed){func(b *bed) { b.c.Group, b.e.Destination = addr("224.0.0.19"), addr("224.0.0.19") }}, Accepted, true},
		{"other addresses", []func(*bed){func(b *bed) { b.a.Addresses = addrs("192.168.1.99") }}, Accepted, true},
		{"other addresses, and we mind", []func(*bed){func(b *bed) { b.c.CheckAddresses, b.a.Addresses = true, addrs("192.168.1.99") }}, BadAddresses, true},
		{"another order, and we mind", []func(*bed){func(b *bed) {
			b.c.CheckAddresses, b.c.Addresses, b.a.Addresses = true, addrs("192.168.1.99", "192.168.1.100"), addrs("192.168.1.100", "192.168.1.99")
		}}, Accepted, true},
		{"unicast from nobody", []func(*bed){unicast, func(b *bed) { b.e.Source = addr("192.168.1.9") }}, UnknownSource, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := bed{c: base(), a: vectors[3].advert, e: Envelope{Source: addr("192.168.1.10"), Destination: IPv4.Group()}, spoil: func(*Datagram) {}}
			for _, change := range x.changes {
				change(&b)
			}
			d := sent(t, b.a, b.e)
			b.spoil(&d)
			k := NewChecker(b.c)
			h := k.Check(d, wall)
			if h.Reason != x.want || h.Sound != x.sound {
				t.Errorf("%s, sound %t; want %s, %t", h.Reason, h.Sound, x.want, x.sound)
			}
			if n := k.Counts(); n[x.want] != 1 {
				t.Errorf("not counted: %v", n)
			}
		})
	}
}

// TestReasonsHaveNames: each reason has a name of its own, which is a metric's label.
func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reasons {
		if s := r.String(); s == "" || strings.ContainsAny(s, " _") || seen[s] {
			t.Errorf("reason %d: %q", r, s)
		}
		seen[r.String()] = true
	}
}

// TestIPv6 over version 3, over version 2 as keepalived has it, and by unicast with the hop limit that keepalived leaves to the kernel.
func TestIPv6(t *testing.T) {
	c := Config{VRID: 51, Version: V3, Priority: 150, Interval: time.Second, Addresses: addrs("fe80::100", "2001:db8::100"), Source: addr("fe80::1"), Listed: addrs("fe80::10")}
	if h := NewChecker(c).Check(vectors[7].datagram(t), wall); h.Reason != Accepted || h.Role != Listed || h.Form != PseudoHeader {
		t.Errorf("%s, %s", h.Reason, h.Role)
	}
	two := c
	two.Version = V2
	a := two.advert(100)
	d := sent(t, a, Envelope{Source: addr("fe80::10"), Destination: IPv6.Group()})
	if len(d.Payload) != 8+32 {
		t.Errorf("%d bytes of version 2 over IPv6", len(d.Payload))
	}
	if h := NewChecker(two).Check(d, wall); h.Reason != Accepted {
		t.Errorf("version 2: %s", h.Reason)
	}
	c.Peers = addrs("fe80::10")
	for ttl, want := range map[uint8]Reason{255: Accepted, 64: Accepted, 63: BadTTL} {
		d := sent(t, c.advert(100), Envelope{Source: addr("fe80::10"), Destination: c.Source})
		d.TTL = ttl
		if h := NewChecker(c).Check(d, wall); h.Reason != want {
			t.Errorf("hop limit %d: %s, want %s", ttl, h.Reason, want)
		}
	}
}

// TestFormIsLearned from routers whose adverts count, and from nobody else; what is configured stays.
func TestFormIsLearned(t *testing.T) {
	c := base()
	a := vectors[3].advert
	from := func(source string, f Form) Datagram {
		return sent(t, a, Envelope{Source: addr(source), Destination: IPv4.Group(), Form: f})
	}
	k := NewChecker(c)
	if k.Form() != PseudoHeader {
		t.Errorf("at first: %s", k.Form())
	}
	k.Check(from("192.168.1.66", MessageOnly), wall)
	if k.Form() != PseudoHeader {
		t.Errorf("a stranger taught %s", k.Form())
	}
	k.Check(from("192.168.1.10", MessageOnly), wall)
	if k.Form() != MessageOnly {
		t.Errorf("the listed router taught %s", k.Form())
	}
	c.Fellows = addrs("192.168.1.2")
	k = NewChecker(c)
	for _, x := range []struct {
		source     string
		form, want Form
	}{
		{"192.168.1.2", PseudoHeader, PseudoHeader},
		{"192.168.1.2", MessageOnly, MessageOnly},
		{"192.168.1.2", PseudoHeader, MessageOnly}, // it may have learned nothing
		{"192.168.1.10", PseudoHeader, PseudoHeader},
		{"192.168.1.2", MessageOnly, MessageOnly}, // it has heard what this node has not
	} {
		k.Check(from(x.source, x.form), wall)
		if k.Form() != x.want {
			t.Errorf("%s in %s taught %s, want %s", x.source, x.form, k.Form(), x.want)
		}
	}
	c.Form = PseudoHeader
	k = NewChecker(c)
	k.Check(from("192.168.1.10", MessageOnly), wall)
	if k.Form() != PseudoHeader {
		t.Errorf("configured is pseudo-header, sent is %s", k.Form())
	}
}

// TestReplay: no signed advert is taken twice, whatever came between; senders are kept apart; and who has no key pushes nobody out.
func TestReplay(t *testing.T) {
	c := base()
	c.Keys = keyring(t, 1, key0())
	a := vectors[3].advert
	from := func(source string, s Sequence) Datagram {
		return sent(t, a, Envelope{Source: addr(source), Destination: IPv4.Group(), Keys: c.Keys, Sequence: s})
	}
	now := SequenceAt(wall)
	type step struct {
		from string
		s    Sequence
		at   time.Duration
		want Reason
	}
	for _, x := range []struct {
		name   string
		change func(*Config)
		steps  []step
	}{
		{"time", func(*Config) {}, []step{
			{"192.168.1.10", now, 0, Accepted},
			{"192.168.1.10", now, 0, Replayed},
			{"192.168.1.11", now, 0, Accepted},
			{"192.168.1.10", now + 1, 0, Accepted},
			{"192.168.1.10", now, 0, Replayed},
			{"192.168.1.10", now + 1, time.Minute, Stale},
			{"192.168.1.10", now + 60<<32, time.Minute, Accepted},
			{"192.168.1.10", now + 62<<32, time.Minute, Accepted},
			// The clock that was ahead has been set back: once what it said last is old, what it says now counts.
			{"192.168.1.10", now + 61<<32, time.Minute, Replayed},
			{"192.168.1.10", now + 68<<32, 68 * time.Second, Accepted},
		}},
		{"monotonic", func(c *Config) { c.Monotonic = true }, []step{
			{"192.168.1.10", 5, 0, Accepted},
			{"192.168.1.10", 5, time.Hour, Replayed},
			{"192.168.1.10", 4, time.Hour, Replayed},
			{"192.168.1.10", 6, time.Hour, Accepted},
			{"192.168.1.10", now, time.Hour, Accepted},
			{"192.168.1.10", 7, 2 * time.Hour, Replayed},
		}},
		{"wrap", func(c *Config) { c.Monotonic = true }, []step{
			{"192.168.1.10", ^Sequence(0), 0, Accepted},
			{"192.168.1.10", 0, 0, Accepted},
			{"192.168.1.10", ^Sequence(0), 0, Replayed},
		}},
		{"four senders are remembered", func(c *Config) { c.Monotonic = true }, []step{
			{"192.168.1.10", 5, 0, Accepted},
			{"192.168.1.11", 5, 0, Accepted},
			{"192.168.1.12", 5, 0, Accepted},
			{"192.168.1.13", 5, 0, Accepted},
			{"192.168.1.10", 5, 0, Replayed}, // and is the youngest by that
			{"192.168.1.14", 5, 0, Accepted},
			{"192.168.1.10", 5, 0, Replayed},
			{"192.168.1.12", 5, 0, Replayed},
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := c
			x.change(&c)
			k := NewChecker(c)
			for i, s := range x.steps {
				if h := k.Check(from(s.from, s.s), wall.Add(s.at)); h.Reason != s.want {
					t.Errorf("step %d: %s, want %s", i+1, h.Reason, s.want)
				}
			}
		})
	}
}

// TestReplayOutlivesConfiguration: who is configured anew takes no advert again, unless keys or peers are others.
func TestReplayOutlivesConfiguration(t *testing.T) {
	c := base()
	c.Keys, c.Monotonic = keyring(t, 1, key0()), true
	two := Key{ID: 2, Secret: slices.Repeat([]byte{9}, 64)}
	d := sent(t, vectors[3].advert, Envelope{Source: addr("192.168.1.10"), Destination: IPv4.Group(), Keys: keyring(t, 1, key0()), Sequence: SequenceAt(wall)})
	for name, x := range map[string]struct {
		change func(*Config)
		want   Reason
	}{
		"priority":    {func(c *Config) { c.Priority = 200 }, Replayed},
		"another key": {func(c *Config) { c.Keys = keyring(t, 1, key0(), two) }, Accepted},
		"a window":    {func(c *Config) { c.Monotonic = false }, Accepted},
		"none before": {func(*Config) {}, Accepted},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := c, c
			after.Keys = keyring(t, 1, key0())
			x.change(&after)
			if name == "none before" {
				before.Keys, before.Monotonic = nil, false
			}
			old, err := NewRouter(before)
			must(t, err)
			old.Hear(d, sec, wall)
			r, err := NewRouter(after)
			must(t, err)
			r.inherit(old)
			if h, _ := r.Hear(d, 2*sec, wall); h.Reason != x.want {
				t.Errorf("heard again: %s, want %s", h.Reason, x.want)
			}
		})
	}
}

// TestReplayNext: the sequence of what is sent grows, and starts anew only after a clock was set back by more than others would take.
func TestReplayNext(t *testing.T) {
	r, at := newReplay(5*time.Second, nil), SequenceAt(wall)
	for _, x := range []struct {
		name string
		last Sequence
		want Sequence
	}{
		{"first", 0, at}, {"clock stands still", at, at + 1}, {"clock is behind", at + 5<<32, at + 5<<32 + 1}, {"clock was set back", at + 6<<32, at},
	} {
		if got := r.next(x.last, wall); got != x.want {
			t.Errorf("%s: %x, want %x", x.name, got, x.want)
		}
	}
	if m := newReplay(0, nil); m.next(at+600<<32, wall) != at+600<<32+1 {
		t.Error("monotonic went back")
	}
	if s := SequenceAt(time.Unix(0x68000000, 500_000_000)); s != 0x6800000080000000 {
		t.Errorf("half a second is %x", s)
	}
}

// TestKeyring: what cannot be a key is refused with the cure.
func TestKeyring(t *testing.T) {
	k := key0()
	for _, x := range []struct {
		active uint8
		keys   []Key
		want   string
	}{
		{1, nil, "the active key 1 is not among the keys"},
		{2, []Key{k}, "the active key 2"},
		{0, []Key{{0, k.Secret}}, "use 1 to 255"},
		{1, []Key{k, k}, "twice"},
		{1, []Key{{1, k.Secret[:31]}}, "key 1 has 31 bytes: use 32 to 64"},
		{1, []Key{{1, make([]byte, 65)}}, "use 32 to 64"},
	} {
		if _, err := NewKeyring(x.active, x.keys...); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v, want %q", err, x.want)
		}
	}
}

// TestKeyRotation: a new key is given to all, made active one by one, and the old one taken away, and at no time is an advert dropped.
func TestKeyRotation(t *testing.T) {
	one, two := key0(), Key{ID: 2, Secret: slices.Repeat([]byte{9}, 64)}
	stages := []func() *Keyring{
		func() *Keyring { return keyring(t, 1, one) },
		func() *Keyring { return keyring(t, 1, one, two) },
		func() *Keyring { return keyring(t, 2, one, two) },
		func() *Keyring { return keyring(t, 2, two) },
	}
	for i := range len(stages) - 1 {
		for _, pair := range [][2]int{{i, i + 1}, {i + 1, i}} {
			c := base()
			c.Keys = stages[pair[1]]()
			d := sent(t, vectors[3].advert, Envelope{Source: addr("192.168.1.10"), Destination: IPv4.Group(), Keys: stages[pair[0]](), Sequence: SequenceAt(wall)})
			if h := NewChecker(c).Check(d, wall); h.Reason != Accepted {
				t.Errorf("stage %d to %d: %s", pair[0], pair[1], h.Reason)
			}
		}
	}
}

// TestValidate: what cannot be is said with its cure.
func TestValidate(t *testing.T) {
	c := base()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Source = netip.Addr{} }, "give the address that adverts are sent from"},
		{func(c *Config) { c.Priority = 0 }, "use 1 to 254"},
		{func(c *Config) { c.Priority, c.Mode = Owner, Appointed }, "use 1 to 254"},
		{func(c *Config) { c.VRID = 0 }, "use 1 to 255"},
		{func(c *Config) { c.Interval = 0 }, "use steps of 10ms"},
		{func(c *Config) { c.DownAdverts = 101 }, "use 1 to 100"},
		{func(c *Config) { c.PreemptDelay = -1 }, "use 0s to 1000s"},
		{func(c *Config) { c.Preempt, c.PreemptDelay = false, 1 }, "without preemption"},
		{func(c *Config) { c.Group = addr("192.168.1.3") }, "no IPv4 multicast address"},
		{func(c *Config) { c.Group, c.Peers = addr("224.0.0.19"), addrs("192.168.1.2") }, "leave one of them out"},
		{func(c *Config) { c.Peers = addrs("fe80::1") }, "router fe80::1 has no IPv4 address"},
		{func(c *Config) { c.Fellows = addrs("224.0.0.18") }, "router 224.0.0.18"},
		{func(c *Config) { c.Peers = addrs("192.168.1.1") }, "is the source itself"},
		{func(c *Config) { c.Version, c.Auth, c.Keys = V2, AuthPassword, keyring(t, 1, key0()) }, "leave the password out"},
		{func(c *Config) { c.Signing = Permissive }, "without keys"},
		{func(c *Config) { c.Keys, c.Signing = keyring(t, 1, key0()), 9 }, "use enforce, permissive or receive-only"},
		{func(c *Config) { c.Keys, c.Window = keyring(t, 1, key0()), 301*time.Second }, "1s to 5m0s"},
		{func(c *Config) { c.Form = 9 }, "use learn,"},
	} {
		c := base()
		x.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), "vrid ") {
			t.Errorf("want %q, got %v", x.want, err)
		}
		if _, err := NewRouter(c); err == nil {
			t.Errorf("%q: a router of it is made", x.want)
		}
	}
	c.VRID, c.Priority, c.Form = 0, 0, 9
	if err, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](c.Validate()); !ok || len(err.Unwrap()) != 3 {
		t.Errorf("not all is said: %v", c.Validate())
	}
}
