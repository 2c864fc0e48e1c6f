package connsync

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"quorate/lvs/ipvs"
	"quorate/lvs/sysctl"
)

// TestMark: the next process knows what was ours, also where the kernel has filled in the rest; that of another boot does not count.
func TestMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connsync.json")
	d := ipvs.Daemon{State: ipvs.Master, Interface: "lo", SyncID: 81, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848}
	m, err := openMark(path)
	if err != nil || m.ours(d) {
		t.Fatalf("%v", err)
	}
	if err := m.starts([]ipvs.Daemon{d}); err != nil {
		t.Fatal(err)
	}
	m, err = openMark(path)
	filled, foreign := d, d
	filled.MaxLen, filled.TTL, foreign.SyncID = 1472, 1, 7
	if err != nil || !m.ours(filled) || m.ours(foreign) {
		t.Errorf("%v: %+v", err, m.Daemons)
	}
	m.Boot = "another"
	if err := m.write(); err != nil {
		t.Fatal(err)
	}
	if m, err = openMark(path); err != nil || m.ours(d) {
		t.Errorf("a mark of another boot counts: %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err = openMark(path); m == nil || err == nil {
		t.Errorf("a damaged mark: %v", err)
	}
}

func TestSettings(t *testing.T) {
	if err := (Settings{}).Validate(); err != nil {
		t.Error(err)
	}
	for name, s := range map[string]Settings{
		"transport": {Transport: "pigeon"}, "no interface": {Transport: ByMulticast}, "needless interface": {Interface: "eth0"},
		"group": {Group: netip.MustParseAddr("192.0.2.1")}, "port": {Port: 65535}, "length": {MaxLen: 64},
		"threshold": {Kernel: Kernel{Threshold: "50 3"}}, "ports": {Kernel: Kernel{Ports: 3}}, "refresh": {Kernel: Kernel{Refresh: 1}},
	} {
		if s.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestSysctlsThatAreNot: what the kernel does not have is passed over, and is no reason not to sync.
func TestSysctlsThatAreNot(t *testing.T) {
	if _, err := sysctl.Read("net.ipv4.vs.sync_threshold"); err == nil {
		t.Skip("this kernel has the sysctls of ip_vs")
	}
	book, err := sysctl.Open("")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []Kernel{Settings{}.WithDefaults().Kernel, {Set: true, Ports: 1}} {
		if notes, err := setSysctls(book, k); err != nil || len(notes) > 0 {
			t.Errorf("%v, %v", notes, err)
		}
	}
}
