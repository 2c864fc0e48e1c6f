package conntrack

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"quorate/lvs/nlattr"
)

// kernelTCP is a connection as a kernel lists it on a little-endian host, but for its reply.
var kernelTCP = []byte{2, 0, 0, 0,
	52, 0, 1, 128, 20, 0, 1, 128, 8, 0, 1, 0, 192, 0, 2, 100, 8, 0, 2, 0, 192, 0, 2, 10,
	28, 0, 2, 128, 5, 0, 1, 0, 6, 0, 0, 0, 6, 0, 2, 0, 1, 2, 0, 0, 6, 0, 3, 0, 0, 80, 0, 0,
	8, 0, 3, 0, 0, 0, 0, 32, 16, 0, 4, 128, 12, 0, 1, 128, 5, 0, 1, 0, 3, 0, 0, 0}

func TestDecode(t *testing.T) {
	want := Flow{Orig: Tuple{unix.IPPROTO_TCP, netip.MustParseAddrPort("192.0.2.100:258"), netip.MustParseAddrPort("192.0.2.10:80")},
		Status: DstNAT, State: 3}
	if got, err := Decode(kernelTCP); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	const end = 4 + 52 // of the tuple
	// CTA_TUPLE_ZONE is two bytes and no list; nor need one that this program does not know be one.
	zone := slices.Insert(slices.Clone(kernelTCP), end, 6, 0, 3, 0, 0xff, 0xff, 0, 0, 8, 0, 9, 0, 0xff, 0xff, 0xff, 0xff)
	zone[4] += 16
	if got, err := Decode(zone); err != nil || got != want {
		t.Errorf("in a zone: got %+v, %v, want %+v", got, err, want)
	}
	for _, cut := range [][]byte{nil, kernelTCP[:2], kernelTCP[:8], kernelTCP[:end-1], {2, 0, 0, 0, 6, 0, 3, 0, 0, 0, 0, 0}} {
		if got, err := Decode(cut); !errors.Is(err, nlattr.ErrShort) {
			t.Errorf("%v: %+v, %v", cut, got, err)
		}
	}
}

// TestAppend: what is written is what kernels take, byte by byte, and reads as what it was.
func TestAppend(t *testing.T) {
	a := netip.MustParseAddrPort
	both := func(protocol uint8, client, vip string) (orig, reply Tuple) {
		return Tuple{protocol, a(client), a(vip)}, Tuple{protocol, a(vip), a(client)}
	}
	tcp := Flow{Status: Confirmed | SeenReply | Assured, Timeout: 900, State: 3}
	tcp.Orig, tcp.Reply = both(unix.IPPROTO_TCP, "192.0.2.100:7", "192.0.2.10:80")
	udp := Flow{Status: Confirmed | SeenReply | Assured, Timeout: 9}
	udp.Orig, udp.Reply = both(unix.IPPROTO_UDP, "[2001:db8::1]:1", "[2001:db8::2]:80")
	for _, c := range []struct {
		flow          Flow
		server        string
		fresh, change string
	}{
		{tcp, "10.9.0.11:8080",
			"02000000340001801400018008000100c000026408000200c000020a1c0002800500010006000000060002000007000006000300005000003400028014000180" +
				"08000100c000020a08000200c00002641c00028005000100060000000600020000500000060003000007000028000d80080001000a09000b080002000a09000b" +
				"14000380060001001f900000060002001f900000080003000000000e0800070000000384200004801c0001800500010003000000060004000a0a000006000500" +
				"0a0a0000",
			"02000000340001801400018008000100c000026408000200c000020a1c000280050001000600000006000200000700000600030000500000080003000000000e" +
				"0800070000000384200004801c0001800500010003000000060004000a0a0000060005000a0a0000"},
		{udp, "[fd00::1]:8080",
			"0a0000004c0001802c0001801400030020010db80000000000000000000000011400040020010db80000000000000000000000021c0002800500010011000000" +
				"060002000001000006000300005000004c0002802c0001801400030020010db80000000000000000000000021400040020010db8000000000000000000000001" +
				"1c00028005000100110000000600020000500000060003000001000040000d8014000400fd00000000000000000000000000000114000500fd00000000000000" +
				"000000000000000114000380060001001f900000060002001f900000080003000000000e0800070000000009",
			"0a0000004c0001802c0001801400030020010db80000000000000000000000011400040020010db80000000000000000000000021c0002800500010011000000" +
				"06000200000100000600030000500000080003000000000e0800070000000009"},
	} {
		for text, b := range map[string][]byte{c.fresh: c.flow.AppendNew(nil, a(c.server)), c.change: c.flow.AppendChange(nil)} {
			if got := hex.EncodeToString(b); got != text {
				t.Errorf("%+v:\n%s, want\n%s", c.flow, got, text)
			}
			want := c.flow
			if text == c.change {
				want.Reply = Tuple{}
			}
			if got, err := Decode(b); err != nil || got != want {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		}
	}
}

// FuzzDecode: whatever the kernel would send, nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add(kernelTCP)
	f.Fuzz(func(t *testing.T, b []byte) { Decode(b) })
}

// BenchmarkDecode is one tracked connection of the 100,000 that there may be.
func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		Decode(kernelTCP)
	}
}
