package connsync

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"quorate/lvs/lvstest"
)

// TestRunGivesBack: the end of Run gives back what was changed, also when nothing works: here what an earlier process has left.
func TestRunGivesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connsync.json")
	m, err := openMark(path)
	if err != nil {
		t.Fatal(err)
	}
	m.Sysctls = map[string]string{"net.ipv4.vs.no_such_sysctl": "0"}
	if err := m.write(); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Self: "n1", Listen: netip.MustParseAddrPort("192.0.2.1:1"), Seal: plain{}, Mark: path, Log: slog.New(slog.DiscardHandler)}) // no address of this host
	s.Configure(Config{Plane: "ipvs", Settings: Settings{Kernel: Kernel{Set: true}}})
	ctx, end := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- s.Run(ctx) }()
	lvstest.Eventually(t, "it does not work, and says so", func() (bool, any) { st := s.Status(); return len(st.Problems) > 0, st })
	for _, masquerade := range []bool{true, false} { // what is said of the services is of those that there are
		s.Configure(Config{Plane: "ipvs", Services: []Service{{Sync: true, Masquerade: masquerade}}, Settings: Settings{Kernel: Kernel{Set: true}}})
		if st := s.Status(); (len(st.Notes) > 0) != masquerade {
			t.Errorf("masquerade %t: %q", masquerade, st.Notes)
		}
	}
	end()
	if err := <-ran; err != context.Canceled {
		t.Error(err)
	}
	if m, err = openMark(path); err != nil || len(m.Sysctls) > 0 {
		t.Errorf("left behind: %v, %v", m.Sysctls, err)
	}
}

// TestLimits: what a transport or a plane cannot do for a service is said, of that service.
func TestLimits(t *testing.T) {
	at := func(s Service, port uint16) Service {
		s.Addr, s.Port = netip.MustParseAddr("192.0.2.10"), port
		return s
	}
	services := []Service{at(Service{Protocol: 6, Sync: true}, 80), at(Service{Protocol: 6, Sync: true, Masquerade: true}, 81),
		at(Service{Protocol: 132, Sync: true}, 82), at(Service{Protocol: 6}, 83)}
	for _, x := range []struct {
		plane string
		by    Transport
		ports []string
	}{{"ipvs", ByRelay, []string{":81"}}, {"ipvs", ByMulticast, []string{":81", ":83"}}, {"nft", ByRelay, []string{":81", ":82"}}} {
		notes := Config{Plane: x.plane, Settings: Settings{Transport: x.by}, Services: services}.limits()
		if len(notes) != len(x.ports) {
			t.Errorf("%s by %s: %q, want %q", x.plane, x.by, notes, x.ports)
			continue
		}
		for i, n := range notes {
			if !strings.Contains(n, x.ports[i]) {
				t.Errorf("%s by %s: %q, want %s", x.plane, x.by, n, x.ports[i])
			}
		}
	}
}
