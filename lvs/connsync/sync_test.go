package connsync

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"quorate/lvs/lvstest"
	"quorate/lvs/sysctl"
)

// TestRunGivesBack: the end of Run gives back what was changed, also when nothing works: here what an earlier process has left.
func TestRunGivesBack(t *testing.T) {
	const name, was = "net.ipv4.conf.all.accept_redirects", "0" // any one
	host, file := lvstest.NewPair(t).Directors[0], filepath.Join(t.TempDir(), "sysctls.json")
	var book *sysctl.Book
	err := errors.Join(host.Sysctl("net/ipv4/conf/all/accept_redirects", was), host.Do(func() (err error) {
		if book, err = sysctl.Open(file); err == nil {
			err = book.Set(Changer, name, "1")
		}
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Self: "n1", Listen: netip.MustParseAddrPort("198.51.100.1:1"), Seal: plain{}, Book: book, Inside: host.Do, Log: slog.New(slog.DiscardHandler)}) // no address of this host
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
	err = host.Do(func() error {
		if now, err := sysctl.Read(name); now != was || err != nil || len(book.Changes()) > 0 {
			t.Errorf("left behind: %s, %v, %v", now, err, book.Changes())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
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
