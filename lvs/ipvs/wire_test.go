package ipvs

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"quorate/lvs"
)

// message is an answer of the kernel: the generic netlink header and attributes.
func message(attrs []byte) []byte {
	return append([]byte{cmdNewService, familyVersion, 0, 0}, attrs...)
}

func encoded(t testing.TB, s lvs.Service) []byte {
	t.Helper()
	b, err := appendService(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	return message(b)
}

var (
	web4 = lvs.Service{Protocol: lvs.TCP, Addr: netip.MustParseAddr("192.0.2.10"), Port: 80, Scheduler: "wlc"}
	dns6 = lvs.Service{Protocol: lvs.UDP, Addr: netip.MustParseAddr("2001:db8::1"), Port: 53, Scheduler: "rr", OnePacket: true}
)

func TestServiceRoundTrip(t *testing.T) {
	sticky := func(s lvs.Service, seconds time.Duration, prefix int, engine string) lvs.Service {
		s.OnePacket, s.Persistence = false, lvs.Persistence{Timeout: seconds * time.Second, Prefix: prefix, Engine: engine}
		return s
	}
	for _, want := range []lvs.Service{
		web4, dns6,
		{Protocol: "protocol-136", Addr: web4.Addr, Port: 1, Scheduler: "sh"},
		{Protocol: lvs.SCTP, Addr: web4.Addr, Port: 1, Scheduler: "sh", Flags: []string{"sh-fallback", "sh-port"}},
		{Mark: 7, Addr: netip.IPv4Unspecified(), Scheduler: "mh", Flags: []string{"mh-port"}},
		{Mark: 7, Addr: netip.IPv6Unspecified(), Scheduler: "mh", Flags: []string{"mh-fallback"}},
		sticky(web4, 300, 0, ""), sticky(web4, 1, 24, ""), sticky(web4, 1, 1, ""), sticky(dns6, 360, 64, ""), sticky(dns6, 360, 0, lvs.SIP),
	} {
		got, err := decodeService(encoded(t, want))
		if err != nil || !reflect.DeepEqual(got.Service, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

// TestForeignKinds: what another program may have set and has no name here makes the service differ from all that can be wanted.
func TestForeignKinds(t *testing.T) {
	for _, x := range []struct {
		set, mask uint32
		want      string
	}{
		{flagHashed, 0, "rr"}, {flagHashed | 0x40, 0, "rr+flags=0x40"}, {flagSched1, 0, "rr+flags=0x8"}, {flagPersistent, 0x00ff00ff, "rr+netmask=0xff00ff"},
	} {
		s := service{Service: lvs.Service{Addr: web4.Addr, Scheduler: "rr"}}
		if s.setKind(x.set, 300, x.mask); s.Scheduler != x.want {
			t.Errorf("flags %#x and mask %#x: %q, want %q", x.set, x.mask, s.Scheduler, x.want)
		}
	}
}

func TestDestinationRoundTrip(t *testing.T) {
	for _, addr := range []string{"10.0.0.11:8080", "[fd00::11]:8080"} {
		for _, want := range []lvs.Destination{
			{Forward: lvs.NAT}, {Forward: lvs.DirectRouting, Upper: 100, Lower: 75}, {Forward: lvs.Tunnel},
			{Forward: lvs.Tunnel, Encap: lvs.Encap{Type: lvs.GUE, Port: 6080, Checksum: lvs.RemoteChecksum}},
			{Forward: lvs.Tunnel, Encap: lvs.Encap{Type: lvs.GRE, Checksum: lvs.Checksum}},
		} {
			want.Addr, want.Weight = netip.MustParseAddrPort(addr), lvs.MaxWeight
			got, err := decodeDestination(message(appendDestination(nil, want)))
			if err != nil || got.Destination != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, web4))
	f.Add(message(appendDestination(nil, lvs.Destination{Addr: netip.MustParseAddrPort("[fd00::11]:8080"), Weight: 3, Forward: lvs.Tunnel})))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeService(b); err == nil && !s.Addr.IsValid() {
			t.Errorf("a service without an address: %+v", s)
		}
		if d, err := decodeDestination(b); err == nil && !d.Addr.Addr().IsValid() {
			t.Errorf("a destination without an address: %+v", d)
		}
	})
}
