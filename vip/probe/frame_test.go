package probe

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

var (
	asker  = MAC{0x02, 0, 0x5e, 0x10, 0x20, 0x30}
	owner  = MAC{0x02, 0, 0x5e, 0x10, 0x20, 0x31}
	ours   = netip.MustParseAddr("fe80::1")
	vip4   = netip.MustParseAddr("192.0.2.10")
	vip6   = netip.MustParseAddr("2001:db8::10")
	others = netip.MustParseAddr("192.0.2.11")
)

// unhex reads a frame that is written with a remark behind two spaces on each line.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var all strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		bytes, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		all.WriteString(strings.ReplaceAll(bytes, " ", ""))
	}
	b, err := hex.DecodeString(all.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	probeFrame = `
		ffffffffffff 02005e102030 0806  Ethernet: broadcast, from us, ARP
		0001 0800 06 04 0001            Ethernet, IPv4, lengths, request
		02005e102030 00000000           sender: our MAC, no address
		000000000000 c000020a           target`
	replyFrame = `
		02005e102030 02005e102031 0806
		0001 0800 06 04 0002
		02005e102031 c000020a           sender: the owner
		02005e102030 00000000           target: whoever asked without an address
		000000000000000000000000000000000000  padding to the least size of a frame`
	announceFrame = `
		ffffffffffff 02005e102031 0806
		0001 0800 06 04 0001
		02005e102031 c000020a
		000000000000 c000020a`
	solicitationFrame = `
		3333ff000010 02005e102030 86dd  Ethernet: solicited-node group
		60000000 0020 3a ff             length 32, ICMPv6, hop limit 255
		fe800000000000000000000000000001
		ff0200000000000000000001ff000010
		87 00 cd03 00000000             solicitation, checksum
		20010db8000000000000000000000010
		01 01 02005e102030              source link-layer address`
	advertisementFrame = `
		02005e102030 02005e102031 86dd
		60000000 0020 3a ff
		20010db8000000000000000000000010
		fe800000000000000000000000000001
		88 00 0000 60000000             advertisement: solicited, override
		20010db8000000000000000000000010
		02 01 02005e102031              target link-layer address`
	bareAdvertisement = `
		02005e102030 02005e102031 86dd
		60000000 0018 3a ff
		20010db8000000000000000000000010
		fe800000000000000000000000000001
		88 00 0000 60000000             without the option: it is the sender's MAC
		20010db8000000000000000000000010`
)

func TestQuestions(t *testing.T) {
	for _, x := range []struct {
		target netip.Addr
		to     MAC
		want   string
	}{{vip4, broadcast, probeFrame}, {vip6, MAC{0x33, 0x33, 0xff, 0, 0, 0x10}, solicitationFrame}} {
		got, to, err := question(asker, ours, x.target)
		if want := unhex(t, x.want); err != nil || to != x.to || hex.EncodeToString(got) != hex.EncodeToString(want) {
			t.Errorf("%s to %s (%v):\n%x want\n%x", x.target, to, err, got, want)
		}
	}
}

func TestClaims(t *testing.T) {
	edit := func(frame string, at int, b ...byte) []byte {
		f := unhex(t, frame)
		copy(f[at:], b)
		return f
	}
	for name, x := range map[string]struct {
		frame []byte
		want  Claim
	}{
		"reply":                      {unhex(t, replyFrame), Claim{vip4, owner}},
		"announcement":               {unhex(t, announceFrame), Claim{vip4, owner}},
		"advertisement":              {unhex(t, advertisementFrame), Claim{vip6, owner}},
		"advertisement without MAC":  {unhex(t, bareAdvertisement), Claim{vip6, owner}},
		"solicitation of the sender": {unhex(t, solicitationFrame), Claim{ours, asker}},
		"probe":                      {frame: unhex(t, probeFrame)},
		"detection of duplicates":    {frame: edit(solicitationFrame, 22, make([]byte, 16)...)},
		"forwarded advertisement":    {frame: edit(advertisementFrame, 21, 254)},
		"other ICMPv6":               {frame: edit(advertisementFrame, 54, 128)},
		"group as MAC":               {frame: edit(replyFrame, 22, 0xff)},
		"no MAC":                     {frame: edit(replyFrame, 22, make([]byte, 6)...)},
		"reverse ARP":                {frame: edit(replyFrame, 20, 0, 4)},
		"cut":                        {frame: unhex(t, replyFrame)[:40]},
		"length beyond the frame":    {frame: edit(advertisementFrame, 18, 1, 0)},
		"nothing":                    {},
	} {
		got, ok := ParseClaim(x.frame)
		if ok != (x.want != Claim{}) || ok && got != x.want {
			t.Errorf("%s: %v %v, want %v", name, got, ok, x.want)
		}
	}
}

// FuzzParseClaim: whatever comes from the wire ends in no panic, and what is taken is an address and the MAC of one station.
func FuzzParseClaim(f *testing.F) {
	for _, s := range []string{probeFrame, replyFrame, announceFrame, solicitationFrame, advertisementFrame, bareAdvertisement} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		c, ok := ParseClaim(frame)
		if ok && (!c.Addr.IsValid() || c.Addr.IsUnspecified() || c.Addr.Is4In6() || !c.MAC.station()) {
			t.Errorf("%x claims %v", frame, c)
		}
	})
}

func TestAnswersAreBounded(t *testing.T) {
	a := newAnswers([]netip.Addr{vip4, vip6})
	for i := range 2 * MaxAnswers {
		a.add(Answer{Claim: Claim{vip4, MAC{2, 0, 0, 0, 0, byte(i)}}})
		a.add(Answer{Claim: Claim{vip4, MAC{2, 0, 0, 0, 0, byte(i)}}})
		a.add(Answer{Claim: Claim{others, owner}})
	}
	if len(a.list) != MaxAnswers {
		t.Errorf("%d answers are kept, want %d", len(a.list), MaxAnswers)
	}
	if s := a.silent([]netip.Addr{vip4, vip6}); len(s) != 1 || s[0] != vip6 {
		t.Errorf("silent: %v", s)
	}
}
