package vrrp

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestParseIPv4: what is no VRRP packet is refused for what it is.
func TestParseIPv4(t *testing.T) {
	good := "45c0002800010000ff700000c0a8010ae0000012" + vectors[0].hex
	for _, x := range []struct {
		name, hex string
		want      Reason
	}{
		{"good", good, Accepted},
		{"empty", "", Truncated},
		{"half a header", good[:30], Truncated},
		{"shorter than it says", good[:len(good)-2], Truncated},
		{"longer header than packet", "4f" + good[2:40], Truncated},
		{"header length too small", "44" + good[2:], Truncated},
		{"total length too small", good[:4] + "0010" + good[8:], Truncated},
		{"another version", "65" + good[2:], NotVRRP},
		{"another protocol", good[:18] + "11" + good[20:], NotVRRP},
		{"first fragment", good[:12] + "2000" + good[16:], NotVRRP},
		{"last fragment", good[:12] + "0001" + good[16:], NotVRRP},
		{"do not fragment", good[:12] + "4000" + good[16:], Accepted},
		{"with options", "46c0002c" + good[8:40] + "94040000" + good[40:], Accepted},
		{"AH of another protocol", good[:18] + "33" + good[20:40] + "06" + strings.Repeat("00", 43), NotVRRP},
		{"AH without room", good[:18] + "33" + good[20:40] + "70" + good[42:], NotVRRP},
	} {
		if _, got := ParseIPv4(unhex(t, x.hex)); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
}

// TestDecodeRefuses: each way in which a message can be malformed has its reason, in the order of the receive checks.
func TestDecodeRefuses(t *testing.T) {
	v2, v3 := vectors[0].hex, vectors[3].hex
	for _, x := range []struct {
		name, hex string
		want      Reason
	}{
		{"empty", "", Truncated},
		{"seven bytes", v3[:14], Truncated},
		{"version 0", "01" + v3[2:], BadVersion},
		{"version 4", "41" + v3[2:], BadVersion},
		{"type 2", "32" + v3[2:], BadType},
		{"one address too few", v3[:6] + "02" + v3[8:], BadLength},
		{"one address too many", v3[:6] + "00" + v3[8:], BadLength},
		{"no addresses", v3[:6] + "00" + v3[8:16], NoAddresses},
		{"a byte too many", v3 + "00", BadLength},
		{"half a trailer", v3 + strings.Repeat("00", 14), BadLength},
		{"version 2 without its authentication data", v2[:24], BadLength},
		{"version 3 with authentication data", v3 + strings.Repeat("00", 8), BadLength},
		{"interval 0", v3[:8] + "0000" + v3[12:], ZeroInterval},
		{"interval 0, reserved bits set", v3[:8] + "f000" + v3[12:], ZeroInterval},
		{"one bit of the checksum", v3[:12] + "0618" + v3[16:], BadChecksum},
		{"one bit of version 2's checksum", v2[:12] + "b8bc" + v2[16:], BadChecksum},
		{"256 addresses' worth in a count of 255", v3[:6] + "ff" + v3[8:], BadLength},
	} {
		var a Advert
		if _, got := a.Decode(Datagram{Source: addr("192.168.1.10"), Destination: IPv4.Group(), Payload: unhex(t, x.hex)}); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
	var a Advert
	ah := Datagram{Source: addr("192.168.1.10"), Destination: IPv4.Group(), AH: true, Payload: unhex(t, "7004"+strings.Repeat("00", 22)+v2)}
	if _, got := a.Decode(ah); got != InAH || a.VRID != 51 || a.Priority != 100 || a.Auth != AuthHeader {
		t.Errorf("in an authentication header: %s, %+v", got, a)
	}
	if a.Interval != time.Second || len(a.Addresses) == 0 {
		t.Errorf("what is in an authentication header is not read: %+v", a)
	}
	for name, x := range map[string]struct {
		payload string
		want    Reason
		vrid    VRID
		whole   bool
	}{
		"with a longer check value":     {"7006" + strings.Repeat("33", 30) + v2, InAH, 51, true},
		"with a broken message":         {"7004" + strings.Repeat("33", 22) + v2[:12] + "b8bc" + v2[16:], InAH, 51, false},
		"half a message":                {"7004" + strings.Repeat("33", 22) + v2[:14], Truncated, 0, false},
		"half an authentication header": {"7004" + strings.Repeat("33", 9), Truncated, 0, false},
		"longer than its packet":        {"70ff" + strings.Repeat("33", 22) + v2, Truncated, 0, false},
		"shorter than it can be":        {"7000" + strings.Repeat("33", 22) + v2, Truncated, 0, false},
	} {
		ah.Payload = unhex(t, x.payload)
		if _, got := a.Decode(ah); got != x.want || a.VRID != x.vrid || (len(a.Addresses) > 0) != x.whole || (a.Auth == AuthHeader) != (x.want == InAH) {
			t.Errorf("%s: %s, %+v", name, got, a)
		}
	}
}

// TestReservedBits: what is reserved is ignored on reception (RFC 9568 section 5.2.6).
func TestReservedBits(t *testing.T) {
	b := unhex(t, vectors[3].hex)
	b[4] |= 0xf0
	copy(b[6:], []byte{0, 0})
	sum := checksumOf(V3, PseudoHeader, b, addr("192.168.1.10"), IPv4.Group())
	b[6], b[7] = byte(sum>>8), byte(sum)
	var a Advert
	if _, r := a.Decode(Datagram{Source: addr("192.168.1.10"), Destination: IPv4.Group(), Payload: b}); r != Accepted || a.Interval != time.Second {
		t.Errorf("%s, interval %s", r, a.Interval)
	}
}

// drawAdvert draws an advert that the wire can carry, and its envelope.
func drawAdvert(t *rapid.T) (Advert, Envelope) {
	six := rapid.Bool().Draw(t, "IPv6")
	family, width := IPv4, 4
	if six {
		family, width = IPv6, 16
	}
	host := func(label string) netip.Addr {
		b := rapid.SliceOfN(rapid.Byte(), width, width).Draw(t, label)
		if six { // an IPv4 address in IPv6 is no IPv6 address
			b[0] |= 0x20
		}
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	a := Advert{Version: rapid.SampledFrom([]Version{V2, V3}).Draw(t, "version"), VRID: VRID(rapid.IntRange(1, 255).Draw(t, "vrid")), Priority: Priority(rapid.Byte().Draw(t, "priority"))}
	a.Interval = time.Duration(rapid.IntRange(1, 4095).Draw(t, "interval")) * centisecond
	if a.Version == V2 {
		a.Interval = time.Duration(rapid.IntRange(1, 255).Draw(t, "interval")) * time.Second
		if !six && rapid.Bool().Draw(t, "password") {
			a.Auth, a.Password = AuthPassword, PasswordOf(rapid.StringN(0, 8, 8).Draw(t, "text"))
		}
	}
	for range rapid.IntRange(1, MaxAddresses(a.Version, family)).Draw(t, "addresses") {
		a.Addresses = append(a.Addresses, host("address"))
	}
	e := Envelope{Source: host("source"), Destination: host("destination"), Form: PseudoHeader}
	if rapid.Bool().Draw(t, "multicast") {
		e.Destination = family.Group()
	}
	if a.Version == V2 && !six {
		e.Form = MessageOnly
	} else if a.Version == V3 && !six {
		e.Form = rapid.SampledFrom([]Form{PseudoHeader, MessageOnly, MulticastHeader}).Draw(t, "form")
	}
	return a, e
}

// TestRoundTrip: what is written is read again, signed or not, and no bit of it can be changed unnoticed.
func TestRoundTrip(t *testing.T) {
	k := keyring(t, 1, key0())
	rapid.Check(t, func(t *rapid.T) {
		a, e := drawAdvert(t)
		if rapid.Bool().Draw(t, "signed") {
			e.Keys, e.Sequence = k, Sequence(rapid.Uint64().Draw(t, "sequence"))
		}
		b, err := a.Append(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		d := Datagram{Source: e.Source, Destination: e.Destination, TTL: 255, Payload: b}
		var got Advert
		form, r := got.Decode(d)
		if r != Accepted {
			t.Fatalf("decoded: %s", r)
		}
		// The forms are the same where the destination is the group.
		if form != e.Form && !(e.Form == MulticastHeader && e.Destination == IPv4.Group()) && !sameSum(a, e, form) {
			t.Errorf("form %s, want %s", form, e.Form)
		}
		if got.Signed != (e.Keys != nil) {
			t.Errorf("signed: %t", got.Signed)
		}
		if got.Signed {
			if r := k.verify(b, e.Source, &got.Trailer); r != Accepted || got.Trailer.Sequence != e.Sequence {
				t.Errorf("verified: %s, %+v", r, got.Trailer)
			}
		}
		sealed := got.Signed
		got.Signed, got.Trailer = false, Trailer{}
		if d := cmp.Diff(a, got, compare); d != "" {
			t.Errorf("decoded (-sent +got):\n%s", d)
		}
		bit := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
		b[bit/8] ^= 1 << (bit % 8)
		_, r = got.Decode(d)
		if r == Accepted && sealed && (bit/8 == 6 || bit/8 == 7) {
			t.Error("another checksum is as good")
		}
		if r == Accepted && got.Signed {
			r = k.verify(b, e.Source, &got.Trailer)
		}
		if r == Accepted {
			t.Errorf("bit %d can be changed", bit)
		}
	})
}

// sameSum reports whether the addresses are such that two forms have the same sum.
func sameSum(a Advert, e Envelope, other Form) bool {
	one, _ := a.Append(nil, e)
	e.Form = other
	two, _ := a.Append(nil, e)
	return bytes.Equal(one[6:8], two[6:8])
}

// TestAppendRefuses: what the wire cannot say is refused with the cure, and nothing is written.
func TestAppendRefuses(t *testing.T) {
	many := make([]netip.Addr, 0, 300)
	for a := addr("198.18.0.1"); len(many) < 300; a = a.Next() {
		many = append(many, a)
	}
	for _, x := range []struct {
		change func(*Advert, *Envelope)
		want   string
	}{
		{func(a *Advert, _ *Envelope) { a.VRID = 0 }, "use 1 to 255"},
		{func(a *Advert, _ *Envelope) { a.Addresses = nil }, "0 addresses in an advert: it has room for 1 to 255"},
		{func(a *Advert, _ *Envelope) { a.Addresses = many }, "300 addresses"},
		{func(a *Advert, _ *Envelope) { a.Addresses = addrs("2001:db8::1") }, "a virtual router has one family"},
		{func(a *Advert, _ *Envelope) { a.Auth = AuthPassword }, "or use version 2"},
		{func(a *Advert, _ *Envelope) { a.Version, a.Auth = V2, AuthHeader }, "use none or password"},
		{func(a *Advert, _ *Envelope) { a.Version, a.Password = V2, PasswordOf("x") }, "leave the password out"},
		{func(a *Advert, _ *Envelope) { a.Version, a.Interval = V2, 1500*time.Millisecond }, "use whole seconds"},
		{func(a *Advert, _ *Envelope) { a.Version, a.Interval = V2, 256*time.Second }, "use whole seconds"},
		{func(a *Advert, _ *Envelope) { a.Interval = 5 * time.Millisecond }, "use steps of 10ms"},
		{func(a *Advert, _ *Envelope) { a.Interval = 41 * time.Second }, "10ms to 40.95s"},
		{func(a *Advert, _ *Envelope) { a.Version = 4 }, "use 2 or 3"},
		{func(_ *Advert, e *Envelope) { e.Destination = addr("ff02::12") }, "different families"},
		{func(a *Advert, e *Envelope) {
			*e = Envelope{Source: addr("fe80::1"), Destination: addr("ff02::12")}
			a.Version, a.Auth, a.Addresses = V2, AuthPassword, addrs("fe80::100")
		}, "version 2 over IPv6 carries no password"},
	} {
		a := vectors[3].advert
		a.Addresses = slices.Clone(a.Addresses)
		e := Envelope{Source: addr("192.168.1.10"), Destination: IPv4.Group()}
		x.change(&a, &e)
		if b, err := a.Append(nil, e); err == nil || !strings.Contains(err.Error(), x.want) || len(b) > 0 {
			t.Errorf("want %q, got %v and %d bytes", x.want, err, len(b))
		}
	}
}

// TestLargestFits: an advert with as many addresses as there is room for fits a packet, with its trailer.
func TestLargestFits(t *testing.T) {
	k := keyring(t, 1, key0())
	for _, e := range []Envelope{{Source: addr("192.0.2.1"), Destination: IPv4.Group(), Keys: k}, {Source: addr("fe80::1"), Destination: IPv6.Group(), Keys: k}} {
		for _, v := range []Version{V2, V3} {
			a := Advert{Version: v, VRID: 1, Priority: 1, Interval: time.Second}
			for range MaxAddresses(v, FamilyOf(e.Source)) {
				a.Addresses = append(a.Addresses, e.Source)
			}
			b, err := a.Append(nil, e)
			if packet := len(appendIP(nil, e.Source, e.Destination, 1, len(b))) + len(b); err != nil || packet > maxPacket {
				t.Errorf("version %d over %s: %d bytes, %v", v, FamilyOf(e.Source), packet, err)
			}
		}
	}
}

// FuzzParse: whatever comes, nothing panics, nothing reads beyond the packet, and what is accepted is written again as it came.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		d := v.datagram(f)
		f.Add(d.Source.Is6(), v.form == MulticastHeader || v.name == "v3 unicast", append(appendIP(nil, d.Source, d.Destination, 1, len(d.Payload)), d.Payload...))
	}
	f.Add(false, false, unhex(f, "45c0003c00010000ff7000000a000001e0000012"+signedPDU+signedTrailer+signedMAC))
	k := keyring(f, 1, key0())
	f.Fuzz(func(t *testing.T, six, unicast bool, b []byte) {
		var d Datagram
		var r Reason
		if six {
			if d = (Datagram{Source: addr("fe80::10"), Destination: IPv6.Group(), TTL: 255, Payload: b}); unicast {
				d.Destination = addr("fe80::11")
			}
		} else if d, r = ParseIPv4(b); r != Accepted {
			return
		}
		c := Config{VRID: 51, Version: V3, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100"), Source: addr("192.168.1.1"), Anyone: true, Keys: k}
		NewChecker(c).Check(d, time.Unix(0x68000000, 0))
		var a Advert
		form, r := a.Decode(d)
		if r != Accepted {
			return
		}
		if len(a.Addresses) > 255 || a.Signed && len(d.Payload) < headerLen+trailerLen {
			t.Fatalf("%d addresses", len(a.Addresses))
		}
		if a.Signed || a.writable(FamilyOf(d.Source)) != nil || FamilyOf(d.Destination) != FamilyOf(d.Source) || a.Interval == 0 {
			return
		}
		again, err := a.Append(nil, Envelope{Source: d.Source, Destination: d.Destination, Form: form})
		if err != nil {
			t.Fatalf("not written again: %v", err)
		}
		same := slices.Clone(d.Payload)
		if a.Version == V3 {
			same[4] &= 0xf // reserved
		}
		// Two checksums are right where one of them is zero, and where reserved bits were set.
		copy(same[6:8], again[6:8])
		if !bytes.Equal(again, same) {
			t.Errorf("came %x, written %x", d.Payload, again)
		}
	})
}
