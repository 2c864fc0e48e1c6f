package ipvs

import (
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"

	"quorate/lvs"
)

// message encodes as for the kernel, with the generic netlink header that its answers have.
func message(t testing.TB, put func(*netlink.AttributeEncoder)) []byte {
	t.Helper()
	ae := netlink.NewAttributeEncoder()
	put(ae)
	b, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{cmdNewService, familyVersion, 0, 0}, b...)
}

func TestServiceRoundTrip(t *testing.T) {
	for _, want := range []service{
		{key: lvs.Key{Protocol: "tcp", Addr: netip.MustParseAddrPort("192.0.2.10:80")}, scheduler: "wlc"},
		{key: lvs.Key{Protocol: "udp", Addr: netip.MustParseAddrPort("[2001:db8::1]:53")}, scheduler: "rr"},
		{key: lvs.Key{Protocol: "protocol-136", Addr: netip.MustParseAddrPort("192.0.2.10:1")}, scheduler: "sh"},
		{mark: 7, scheduler: "mh"},
	} {
		got, err := decodeService(message(t, func(ae *netlink.AttributeEncoder) { putService(ae, want) }))
		if err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestDestinationRoundTrip(t *testing.T) {
	for _, addr := range []string{"10.0.0.11:8080", "[fd00::11]:8080"} {
		for _, forward := range []string{lvs.NAT, lvs.DirectRouting, lvs.Tunnel} {
			want := destination{addr: netip.MustParseAddrPort(addr), forward: forward, weight: lvs.MaxWeight}
			got, err := decodeDestination(message(t, func(ae *netlink.AttributeEncoder) {
				putDestination(ae, forward, lvs.Destination{Addr: want.addr, Weight: want.weight})
			}))
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(message(f, func(ae *netlink.AttributeEncoder) {
		putService(ae, service{key: lvs.Key{Protocol: "tcp", Addr: netip.MustParseAddrPort("192.0.2.10:80")}, scheduler: "wlc"})
	}))
	f.Add(message(f, func(ae *netlink.AttributeEncoder) {
		putDestination(ae, lvs.NAT, lvs.Destination{Addr: netip.MustParseAddrPort("[fd00::11]:8080"), Weight: 3})
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeService(b); err == nil && s.mark == 0 && !s.key.Addr.Addr().IsValid() {
			t.Errorf("a service without an address: %+v", s)
		}
		if d, err := decodeDestination(b); err == nil && !d.addr.Addr().IsValid() {
			t.Errorf("a destination without an address: %+v", d)
		}
	})
}
