package lvs_test

import (
	"net/netip"
	"strings"
	"testing"

	"quorate/lvs"
)

var narrow = lvs.Capabilities{
	Plane: "nft", Forwards: []string{lvs.NAT}, Schedulers: []string{"rr", "wrr"}, Protocols: []string{lvs.TCP, lvs.UDP},
	Approximates: map[string]string{"wlc": "wrr"},
	Cures:        map[string]string{lvs.DirectRouting: "use nat", "masquerade": "use data_plane = \"nft\""},
}

func web(change func(s *lvs.Service)) lvs.Service {
	s := lvs.Service{
		Addr: netip.MustParseAddr("192.0.2.10"), Port: 80, Protocol: lvs.TCP, Scheduler: "wlc", Forward: lvs.NAT,
		Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("10.0.0.1:8080"), Weight: 1}},
	}
	change(&s)
	return s
}

// says holds an error to saying something; "" = there is none.
func says(t *testing.T, name string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %v, want it to say %q", name, err, want)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *lvs.Service)
		want   string // in the error; empty = accepted
	}{
		{"fine", func(s *lvs.Service) {}, ""},
		{"no servers", func(s *lvs.Service) { s.Destinations = nil }, ""},
		{"port 0", func(s *lvs.Service) { s.Port = 0 }, "port 0"},
		{"no address", func(s *lvs.Service) { s.Addr = netip.Addr{} }, "not an address"},
		{"zone", func(s *lvs.Service) { s.Addr = netip.MustParseAddr("fe80::1%eth0"); s.Destinations = nil }, "zone"},
		{"twice", func(s *lvs.Service) { s.Destinations = append(s.Destinations, s.Destinations[0]) }, "there twice"},
		{"weight", func(s *lvs.Service) { s.Destinations[0].Weight = 70000 }, "weight 70000"},
		{"family", func(s *lvs.Service) { s.Destinations[0].Addr = netip.MustParseAddrPort("[fd00::1]:80") }, "another address family"},
		{"direct routing", func(s *lvs.Service) { s.Forward = lvs.DirectRouting; s.Destinations = nil }, `"dr" is not possible on nft: use nat`},
		{"port with dr", func(s *lvs.Service) { s.Forward = lvs.DirectRouting }, "cannot change the port"},
		{"scheduler", func(s *lvs.Service) { s.Scheduler = "sed" }, "use one of rr, wlc, wrr"},
		{"protocol", func(s *lvs.Service) { s.Protocol = "sctp" }, `protocol "sctp"`},
		{"masquerade", func(s *lvs.Service) { s.Masquerade = true }, "masquerade is not possible on nft in this version"},
	} {
		says(t, c.name, narrow.Check(web(c.change)), c.want)
	}
}

func TestAcceptTakesTheFirstOfTwo(t *testing.T) {
	first := web(func(s *lvs.Service) {})
	second := web(func(s *lvs.Service) { s.Scheduler = "rr" })
	ok, refused := narrow.Accept([]lvs.Service{first, second})
	if len(ok) != 1 || ok[0].Scheduler != "wlc" || refused[first.Key()] == nil {
		t.Errorf("accepted %v, refused %v", ok, refused)
	}
}

func TestCompare(t *testing.T) {
	want := web(func(s *lvs.Service) {})
	left := web(func(s *lvs.Service) { s.Port = 81 })
	half := want
	half.Destinations = []lvs.Destination{{Addr: netip.MustParseAddrPort("10.0.0.2:8080"), Weight: 3}}
	st := lvs.Compare(narrow, []lvs.Service{want}, []lvs.Observed{
		{Service: half, Connections: 5, Counters: []lvs.Counters{{Active: 2}}},
		{Service: left},
	}, nil)
	const text = `tcp 192.0.2.10:80 want=true have=true connections=5 note="wlc on nft works as wrr"
  10.0.0.1:8080 want=1 have=-
  10.0.0.2:8080 want=- have=3 active=2 inactive=0 connections=0
tcp 192.0.2.10:81 want=false have=true connections=0
  10.0.0.1:8080 want=- have=1
`
	if st.String() != text {
		t.Errorf("got\n%swant\n%s", st, text)
	}
}
