package connsync

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
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
	end()
	if err := <-ran; err != context.Canceled {
		t.Error(err)
	}
	if m, err = openMark(path); err != nil || len(m.Sysctls) > 0 {
		t.Errorf("left behind: %v, %v", m.Sysctls, err)
	}
}
