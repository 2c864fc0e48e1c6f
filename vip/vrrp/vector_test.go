package vrrp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, addr(s))
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compare ignores what netip.Addr hides.
var compare = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// vector is a message that was seen on the wire, with the addresses of its IP header.
type vector struct {
	name     string
	from, to string
	advert   Advert
	form     Form
	hex      string
}

// vectors are of keepalived 2.2.7 where live is in their name, and else checked against it or computed by hand.
var vectors = []vector{
	{"v2", "192.168.1.10", "224.0.0.18", Advert{Version: V2, VRID: 51, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100")},
		MessageOnly, "213364010001b8bdc0a801640000000000000000"},
	{"v2 password", "192.168.1.10", "224.0.0.18", Advert{Version: V2, VRID: 51, Priority: 150, Interval: time.Second, Addresses: addrs("192.168.1.100"),
		Auth: AuthPassword, Password: PasswordOf("1111")}, MessageOnly, "213396010101235bc0a801643131313100000000"},
	{"v2 priority 0", "192.168.1.10", "224.0.0.18", Advert{Version: V2, VRID: 51, Interval: time.Second, Addresses: addrs("192.168.1.100")},
		MessageOnly, "2133000100011cbec0a801640000000000000000"},
	{"v3", "192.168.1.10", "224.0.0.18", Advert{Version: V3, VRID: 51, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100")},
		PseudoHeader, "3133640100640619c0a80164"},
	{"v3 without pseudo header", "192.168.1.10", "224.0.0.18", Advert{Version: V3, VRID: 51, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100")},
		MessageOnly, "313364010064a85ac0a80164"},
	{"v3 unicast", "192.168.1.10", "192.168.1.11", Advert{Version: V3, VRID: 51, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100")},
		PseudoHeader, "3133640100642478c0a80164"},
	{"v3 unicast with the group's pseudo header", "192.168.1.10", "192.168.1.11",
		Advert{Version: V3, VRID: 51, Priority: 100, Interval: time.Second, Addresses: addrs("192.168.1.100")}, MulticastHeader, "3133640100640619c0a80164"},
	{"v3 IPv6", "fe80::10", "ff02::12", Advert{Version: V3, VRID: 51, Priority: 100, Interval: time.Second, Addresses: addrs("fe80::100", "2001:db8::100")},
		PseudoHeader, "3133640200643deefe80000000000000000000000000010020010db8000000000000000000000100"},
	{"v3 live", "192.168.1.10", "224.0.0.18", Advert{Version: V3, VRID: 52, Priority: 100, Interval: 100 * time.Millisecond, Addresses: addrs("192.168.1.101")},
		PseudoHeader, "31346401000a0671c0a80165"},
	{"v3 live priority 0", "192.168.1.10", "224.0.0.18", Advert{Version: V3, VRID: 52, Interval: 100 * time.Millisecond, Addresses: addrs("192.168.1.101")},
		PseudoHeader, "31340001000a6a71c0a80165"},
}

func (v vector) datagram(t testing.TB) Datagram {
	return Datagram{Source: addr(v.from), Destination: addr(v.to), TTL: 255, Payload: unhex(t, v.hex)}
}

// TestVectors: what was seen on the wire is read and written, byte for byte.
func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			var a Advert
			form, reason := a.Decode(v.datagram(t))
			if reason != Accepted || form != v.form {
				t.Errorf("decoded: %s, %s", reason, form)
			}
			if d := cmp.Diff(v.advert, a, compare); d != "" {
				t.Errorf("decoded (-want +got):\n%s", d)
			}
			b, err := v.advert.Append([]byte("x"), Envelope{Source: addr(v.from), Destination: addr(v.to), Form: v.form})
			if err != nil || !bytes.Equal(b[1:], unhex(t, v.hex)) {
				t.Errorf("encoded: %x (%v), want %s", b[1:], err, v.hex)
			}
		})
	}
}

// key0 is the key of keepalived's own test of its signatures.
func key0() Key {
	k := Key{ID: 1}
	for i := range byte(32) {
		k.Secret = append(k.Secret, i)
	}
	return k
}

func keyring(t testing.TB, active uint8, keys ...Key) *Keyring {
	t.Helper()
	k, err := NewKeyring(active, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	signedPDU     = "3133c80100644402c0000264"
	signedTrailer = "010100006800000080000000"
	signedMAC     = "1b84bc4e8e43892dc6d98448f8ee2265"
)

// TestSignatureVector: a signature of keepalived's is found good, and made.
func TestSignatureVector(t *testing.T) {
	source, k := addr("198.51.100.10"), keyring(t, 1, key0())
	message := unhex(t, signedPDU+signedTrailer+signedMAC)
	var a Advert
	_, reason := a.Decode(Datagram{Source: source, Destination: IPv4.Group(), TTL: 255, Payload: message})
	if !a.Signed || a.Trailer.Key != 1 || a.Trailer.Sequence != 0x6800000080000000 {
		t.Fatalf("decoded %s: %+v", reason, a)
	}
	if r := k.verify(message, source, &a.Trailer); r != Accepted {
		t.Errorf("verified: %s", r)
	}
	a.Signed = false
	b, err := a.Append(nil, Envelope{Source: source, Destination: IPv4.Group(), Keys: k, Sequence: a.Trailer.Sequence})
	if err != nil || !bytes.Equal(b[len(b)-macLen:], unhex(t, signedMAC)) || !bytes.Equal(b[len(b)-trailerLen:len(b)-macLen], unhex(t, signedTrailer)) {
		t.Errorf("signed %x, %v", b, err)
	}
}

// TestFrameVector: a packet of keepalived's, from its IP header on. The kernel fills in the checksum of the header.
func TestFrameVector(t *testing.T) {
	packet := unhex(t, "45c0002800010000ff700000c0a8010ae0000012"+vectors[0].hex)
	d, r := ParseIPv4(append(packet, 0, 0, 0, 0, 0, 0)) // padded to the least size of a frame
	want := vectors[0].datagram(t)
	if r != Accepted || d.Source != want.Source || d.Destination != want.Destination || d.TTL != 255 || !bytes.Equal(d.Payload, want.Payload) {
		t.Errorf("parsed %s: %+v", r, d)
	}
	if b := append(appendIP(nil, want.Source, want.Destination, 1, len(want.Payload)), want.Payload...); !bytes.Equal(b, packet) {
		t.Errorf("built %x", b)
	}
	six := appendIP(nil, addr("fe80::10"), IPv6.Group(), 1, 40)
	if want := unhex(t, "6c000000002870ff"+"fe800000000000000000000000000010"+"ff020000000000000000000000000012"); !bytes.Equal(six, want) {
		t.Errorf("built %x, want %x", six, want)
	}
}
