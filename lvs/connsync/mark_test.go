package connsync

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"quorate/lvs/ipvs"
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

// TestSysctlsThatCannotBeSet: what the kernel does not let us set, or does not have, is said or passed over, and is no reason not to sync; nor is
// it in the way when all is set back.
func TestSysctlsThatCannotBeSet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connsync.json")
	m, err := openMark(path)
	if err != nil {
		t.Fatal(err)
	}
	const fixed = "kernel.ostype" // 0444, and nobody can write it
	if err := m.set(fixed, "Linux", "Minix"); !errors.Is(err, errNotSet) {
		t.Errorf("%v", err)
	}
	m.Sysctls = map[string]string{"net.ipv4.vs.no_such_sysctl": "0"} // as when the module has gone
	if err := m.restore(); err != nil || len(m.Sysctls) > 0 {
		t.Errorf("%v, %v", err, m.Sysctls)
	}
	if m, err = openMark(path); err != nil || len(m.Sysctls) > 0 {
		t.Errorf("the file says %v, %v", m.Sysctls, err)
	}
	if _, err := os.Stat(sysctlPath("net.ipv4.vs.sync_threshold")); err == nil {
		t.Skip("this kernel has the sysctls of ip_vs")
	}
	if notes, err := m.sysctls(Settings{}.WithDefaults().Kernel); err != nil || len(notes) > 0 {
		t.Errorf("%v, %v", notes, err)
	}
	if notes, err := m.sysctls(Kernel{Set: true, Ports: 1}); err != nil || len(notes) > 0 {
		t.Errorf("%v, %v", notes, err)
	}
}
