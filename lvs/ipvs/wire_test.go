package ipvs

import (
	"net/netip"
	"testing"

	"quorate/lvs"
)

// message is an answer of the kernel: the generic netlink header and attributes.
func message(attrs []byte) []byte {
	return append([]byte{cmdNewService, familyVersion, 0, 0}, attrs...)
}

func encoded(t testing.TB, s service) []byte {
	t.Helper()
	b, err := appendService(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	return message(b)
}

func TestServiceRoundTrip(t *testing.T) {
	for _, want := range []service{
		{key: lvs.Key{Protocol: "tcp", Addr: netip.MustParseAddrPort("192.0.2.10:80")}, scheduler: "wlc"},
		{key: lvs.Key{Protocol: "udp", Addr: netip.MustParseAddrPort("[2001:db8::1]:53")}, scheduler: "rr"},
		{key: lvs.Key{Protocol: "protocol-136", Addr: netip.MustParseAddrPort("192.0.2.10:1")}, scheduler: "sh"},
		{mark: 7, scheduler: "mh"},
	} {
		got, err := decodeService(encoded(t, want))
		if err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestDestinationRoundTrip(t *testing.T) {
	for _, addr := range []string{"10.0.0.11:8080", "[fd00::11]:8080"} {
		for _, forward := range []string{lvs.NAT, lvs.DirectRouting, lvs.Tunnel} {
			want := destination{addr: netip.MustParseAddrPort(addr), forward: forward, weight: lvs.MaxWeight}
			got, err := decodeDestination(message(appendDestination(nil, forward, lvs.Destination{Addr: want.addr, Weight: want.weight})))
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, service{key: lvs.Key{Protocol: "tcp", Addr: netip.MustParseAddrPort("192.0.2.10:80")}, scheduler: "wlc"}))
	f.Add(message(appendDestination(nil, lvs.NAT, lvs.Destination{Addr: netip.MustParseAddrPort("[fd00::11]:8080"), Weight: 3})))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeService(b); err == nil && s.mark == 0 && !s.key.Addr.Addr().IsValid() {
			t.Errorf("a service without an address: %+v", s)
		}
		if d, err := decodeDestination(b); err == nil && !d.addr.Addr().IsValid() {
			t.Errorf("a destination without an address: %+v", d)
		}
	})
}
