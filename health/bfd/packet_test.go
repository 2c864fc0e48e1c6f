package bfd

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// wire is a packet as FRR sends it: Up, 300 ms both ways, no echo, my discriminator 1, yours 2.
const wire = "20c003180000000100000002000493e0000493e000000000"

func decoded(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPacket(t *testing.T) {
	want := Packet{State: Up, Multiplier: 3, Mine: 1, Yours: 2, DesiredMinTx: 300 * time.Millisecond, RequiredMinRx: 300 * time.Millisecond}
	got, err := Parse(decoded(t, wire))
	if err != nil || got != want {
		t.Errorf("Parse = %+v, %v; want %+v", got, err, want)
	}
	if b := want.Append(nil); !bytes.Equal(b, decoded(t, wire)) {
		t.Errorf("Append = %x, want %s", b, wire)
	}
	for bit, p := range map[byte]Packet{bitPoll: {Poll: true}, bitFinal: {Final: true}, bitIndependent: {Independent: true}, bitDemand: {Demand: true}} {
		p.Multiplier, p.Mine, p.State, p.Diag = 1, 9, Down, 31
		b := p.Append(nil)
		if b[1] != byte(Down)<<6|bit || b[0] != 0x3f {
			t.Errorf("%+v begins with %x", p, b[:2])
		}
		if back, err := Parse(b); err != nil || back != p {
			t.Errorf("%+v came back as %+v, %v", p, back, err)
		}
	}
	if _, err := Parse(append(decoded(t, wire), "what else the datagram has"...)); err != nil {
		t.Errorf("what follows the packet was minded: %v", err)
	}
}

// TestParseRefuses has one case for each sentence of RFC 5880 §6.8.6 that needs no session.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func([]byte) []byte
		want error
	}{
		{"cut off", func(b []byte) []byte { return b[:23] }, ErrShort},
		{"nothing", func([]byte) []byte { return nil }, ErrShort},
		{"version 0", func(b []byte) []byte { b[0] = 0; return b }, ErrVersion},
		{"version 2", func(b []byte) []byte { b[0] = 2 << 5; return b }, ErrVersion},
		{"length below 24", func(b []byte) []byte { b[3] = 23; return b }, ErrLength},
		{"length below 26 with A", func(b []byte) []byte { b[1] |= bitAuth; b[3] = 25; return append(b, 0, 0) }, ErrLength},
		{"length beyond the datagram", func(b []byte) []byte { b[3] = 25; return b }, ErrLength},
		{"multiplier 0", func(b []byte) []byte { b[2] = 0; return b }, ErrMultiplier},
		{"multipoint", func(b []byte) []byte { b[1] |= bitMultipoint; return b }, ErrMultipoint},
		{"my discriminator 0", func(b []byte) []byte { b[7] = 0; return b }, ErrDiscriminator},
		{"Up without your discriminator", func(b []byte) []byte { b[11] = 0; return b }, ErrDiscriminator},
		{"Init without your discriminator", func(b []byte) []byte { b[11] = 0; b[1] = byte(Init) << 6; return b }, ErrDiscriminator},
		{"Down without your discriminator", func(b []byte) []byte { b[11] = 0; b[1] = byte(Down) << 6; return b }, nil},
		{"AdminDown without your discriminator", func(b []byte) []byte { b[11] = 0; b[1] = 0; return b }, nil},
		{"authenticated", func(b []byte) []byte { b[1] |= bitAuth; b[3] = 26; return append(b, 1, 2) }, ErrAuth},
	} {
		if _, err := Parse(c.edit(decoded(t, wire))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// FuzzParse holds what Parse lets through to the rules, and to what Append makes of it.
func FuzzParse(f *testing.F) {
	f.Add(decoded(f, wire))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if p.Multiplier == 0 || p.Mine == 0 || p.Yours == 0 && p.State > Down {
			t.Fatalf("%x was let through: %+v", b, p)
		}
		back, err := Parse(p.Append(nil))
		if err != nil || back != p {
			t.Fatalf("%x: %+v came back as %+v, %v", b, p, back, err)
		}
	})
}
