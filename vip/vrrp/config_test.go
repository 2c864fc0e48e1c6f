package vrrp

import (
	"net/netip"
	"slices"
	"testing"
)

// TestHosts: those whose adverts count may be nobody, which is not everybody.
func TestHosts(t *testing.T) {
	a := netip.MustParseAddr
	for _, x := range []struct {
		c    Config
		want []netip.Addr
	}{
		{Config{Anyone: true}, nil},
		{Config{}, []netip.Addr{}},
		{Config{Listed: []netip.Addr{a("192.0.2.5")}, Fellows: []netip.Addr{a("192.0.2.12")}, Source: a("192.0.2.250"), SharedSource: true},
			[]netip.Addr{a("192.0.2.5"), a("192.0.2.12"), a("192.0.2.250")}},
		{Config{Listed: []netip.Addr{a("fe80::5")}, Fellows: []netip.Addr{a("2001:db8::12"), a("fe80::12")}, Source: a("fe80::11")}, []netip.Addr{a("fe80::5"), a("fe80::12")}},
		{Config{Peers: []netip.Addr{a("2001:db8::5")}, Fellows: []netip.Addr{a("2001:db8::12"), a("fe80::12")}, Source: a("fe80::11")},
			[]netip.Addr{a("2001:db8::5"), a("2001:db8::12"), a("fe80::12")}},
		{Config{Fellows: []netip.Addr{a("2001:db8::12"), a("fe80::12")}, Source: a("2001:db8::11")}, []netip.Addr{a("2001:db8::12"), a("fe80::12")}},
	} {
		if got := x.c.Hosts(); !slices.Equal(got, x.want) || (got == nil) != (x.want == nil) {
			t.Errorf("%+v: %v, nil %v", x.c, got, got == nil)
		}
	}
}
