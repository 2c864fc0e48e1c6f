package lab

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// TestProbeBothFamilies: the kernel hands a raw socket more of an IPv4 packet than of one of IPv6.
func TestProbeBothFamilies(t *testing.T) {
	l := newLab(t)
	a, b := addHost(t, l, "a", "192.0.2.1/24"), addHost(t, l, "b", "192.0.2.2/24")
	for h, p := range map[*Host]string{a: "2001:db8::1/64", b: "2001:db8::2/64"} {
		if err := h.AddAddress(netip.MustParsePrefix(p)); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []netip.Addr{a.Addr(), netip.MustParseAddr("2001:db8::1")} {
		p, err := b.StartProbe(target, time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "an answer of "+target.String(), func() bool { return p.Answered(0) })
	}
}

// TestProbeTakesItsOwnAnswers: those of other probes do not fill its buffer.
func TestProbeTakesItsOwnAnswers(t *testing.T) {
	echo := func(kind icmp.Type, id int) []byte {
		m := icmp.Message{Type: kind, Body: &icmp.Echo{ID: id, Seq: 1}}
		b, err := m.Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	header := append([]byte{0x46}, make([]byte, 23)...) // with an option
	for _, x := range []struct {
		name   string
		target string
		packet []byte
		takes  bool
	}{
		{"an answer", "192.0.2.1", slices.Concat(header, echo(ipv4.ICMPTypeEchoReply, 7)), true},
		{"another probe's", "192.0.2.1", slices.Concat(header, echo(ipv4.ICMPTypeEchoReply, 8)), false},
		{"a ping", "192.0.2.1", slices.Concat(header, echo(ipv4.ICMPTypeEcho, 7)), false},
		{"cut short", "192.0.2.1", header, false},
		{"an answer, IPv6", "2001:db8::1", echo(ipv6.ICMPTypeEchoReply, 7), true},
		{"another probe's, IPv6", "2001:db8::1", echo(ipv6.ICMPTypeEchoReply, 8), false},
		{"a solicitation", "2001:db8::1", echo(ipv6.ICMPTypeNeighborSolicitation, 7), false},
	} {
		vm, err := bpf.NewVM(echoReplies(netip.MustParseAddr(x.target), 7))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := vm.Run(x.packet); err != nil || (n > 0) != x.takes {
			t.Errorf("%s: %d bytes (%v), want it to pass: %t", x.name, n, err, x.takes)
		}
	}
}
