package nft

import (
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// TestFeatures: what a service can ask for is either among the plane's features, and then has a test with traffic, or is refused by a name that
// says what to do.
func TestFeatures(t *testing.T) {
	const elsewhere = `data_plane = "ipvs"`
	scheduler := func(name string, flags ...string) func(*lvs.Service) {
		return func(s *lvs.Service) { s.Scheduler, s.Flags = name, flags }
	}
	tunnel := func(e lvs.Encap) func(*lvs.Service) {
		return func(s *lvs.Service) { s.Forward, s.Encap, s.Masquerade = lvs.Tunnel, e, false }
	}
	for _, c := range []struct {
		feature string
		ask     func(*lvs.Service)
		refused string // what the refusal names; "" = done
	}{
		{"fwmark", func(s *lvs.Service) { s.Mark, s.Port, s.Protocol = 7, 0, "" }, ""},
		{"port=0", func(s *lvs.Service) { s.Port, s.Persistence.Timeout = 0, time.Minute }, ""},
		{"persistence", func(s *lvs.Service) { s.Persistence = lvs.Persistence{Timeout: time.Minute, Prefix: 24} }, ""},
		{"protocol=sctp", func(s *lvs.Service) { s.Protocol = lvs.SCTP }, ""},
		{"forward=nat", func(s *lvs.Service) { s.Destinations[0].Forward = lvs.NAT }, ""},
		{"scheduler_flags=sh-port", scheduler("sh", "sh-port"), ""},
		{"scheduler_flags=sh-fallback", scheduler("sh", "sh-fallback"), ""},
		{"scheduler_flags=mh-port", scheduler("mh", "mh-port"), ""},
		{"scheduler_flags=mh-fallback", scheduler("mh", "mh-fallback"), ""},
		{"on_down=shutdown", func(s *lvs.Service) { s.Ends = true }, ""},
		{"one_packet", func(s *lvs.Service) { s.Protocol, s.OnePacket = lvs.UDP, true }, "one-packet scheduling"},
		{"persistence_engine=sip", func(s *lvs.Service) {
			s.Protocol, s.Persistence = lvs.UDP, lvs.Persistence{Timeout: time.Minute, Engine: lvs.SIP}
		}, "persistence engine sip"},
		{"upper_threshold", func(s *lvs.Service) { s.Destinations[0].Upper = 10 }, "a connection threshold"},
		{"forward=dr", func(s *lvs.Service) { s.Destinations[0].Forward = lvs.DirectRouting }, `forwarding method "dr"`},
		{"forward=tun", func(s *lvs.Service) { s.Destinations[0].Forward = lvs.Tunnel }, `forwarding method "tun"`},
		{"tunnel=ipip", tunnel(lvs.Encap{}), `tunnel "ipip"`},
		{"tunnel=gue", tunnel(lvs.Encap{Type: lvs.GUE, Port: 6080}), `tunnel "gue"`},
		{"tunnel=gre", tunnel(lvs.Encap{Type: lvs.GRE}), `tunnel "gre"`},
	} {
		s := lvs.Canonical([]lvs.Service{lvstest.DriftService(capabilities)})[0]
		c.ask(&s)
		err := capabilities.Check(s)
		switch has := slices.Contains(capabilities.Features(), c.feature); {
		case has != (c.refused == ""):
			t.Errorf("%s: among the features %t", c.feature, has)
		case has && err != nil:
			t.Errorf("%s: %v", c.feature, err)
		case !has && (err == nil || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), elsewhere)):
			t.Errorf("%s: the refusal is %v, want it to name %s and %s", c.feature, err, c.refused, elsewhere)
		}
	}
	for _, name := range []string{"lblc", "lblcr", "ovf"} {
		s := lvstest.DriftService(capabilities)
		s.Scheduler = name
		if err := capabilities.Check(s); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), elsewhere) {
			t.Errorf("scheduler %s: %v", name, err)
		}
	}
}
