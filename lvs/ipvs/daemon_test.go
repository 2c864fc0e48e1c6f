package ipvs

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"quorate/lvs/lvstest"
)

func masterAndBackup() []Daemon {
	m := Daemon{State: Master, Interface: "lo", SyncID: 81, MaxLen: 1280, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1}
	b := m
	b.State, b.Port = Backup, 8849
	return []Daemon{m, b}
}

func TestDecodeDaemon(t *testing.T) {
	for _, want := range masterAndBackup() {
		got, err := decodeDaemon(append([]byte{cmdNewDaemon, 1, 0, 0}, appendDaemon(nil, want)...))
		if err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func FuzzDecodeDaemon(f *testing.F) {
	f.Add(append([]byte{cmdNewDaemon, 1, 0, 0}, appendDaemon(nil, masterAndBackup()[0])...))
	f.Fuzz(func(t *testing.T, b []byte) { decodeDaemon(b) })
}

// TestDaemonChanges: what is wanted is started, what is ours and not wanted is stopped, and what is somebody else's is left alone.
func TestDaemonChanges(t *testing.T) {
	want := masterAndBackup()
	m, b := want[0], want[1]
	other := m
	other.SyncID = 7
	all, none := func(Daemon) bool { return true }, func(Daemon) bool { return false }
	for _, c := range []struct {
		name        string
		have, want  []Daemon
		ours        func(Daemon) bool
		stop, start []Daemon
		foreign     bool
	}{
		{"nothing runs", nil, want, none, nil, want, false},
		{"all runs", want, want, all, nil, nil, false},
		{"all runs, and is another's", want, want, none, nil, nil, true},
		{"one is another", []Daemon{other, b}, want, all, []Daemon{other}, []Daemon{m}, false},
		{"one is another's", []Daemon{other, b}, want, none, nil, nil, true},
		{"none is wanted", want, nil, all, want, nil, false},
		{"none is wanted, none is ours", want, nil, none, nil, nil, false},
	} {
		stop, start, err := daemonChanges(c.have, c.want, c.ours)
		if c.foreign {
			if !errors.Is(err, ErrForeignDaemon) || !strings.Contains(err.Error(), "ipvsadm --stop-daemon master") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(stop, c.stop) || !reflect.DeepEqual(start, c.start) {
			t.Errorf("%s: stop %v, start %v, %v", c.name, stop, start, err)
		}
	}
}

// haveRun waits until the daemons' threads of these names have run once, and sleep: one that is stopped before that does not answer, see
// Daemons.stop.
func haveRun(t *testing.T, names ...string) {
	t.Helper()
	lvstest.Eventually(t, "the daemons' threads sleep", func() (bool, any) {
		asleep := map[string]bool{}
		files, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, f := range files {
			b, err := os.ReadFile(f) // pid (comm) state …
			if err != nil {
				continue // it has ended
			}
			_, rest, _ := strings.Cut(string(b), "(")
			comm, rest, _ := strings.Cut(rest, ")")
			for _, n := range names {
				if strings.HasPrefix(comm, n) {
					asleep[n] = strings.HasPrefix(rest, " S")
				}
			}
		}
		for _, n := range names {
			if !asleep[n] {
				return false, asleep
			}
		}
		return true, nil
	})
}

// TestDaemons starts, changes and stops the daemons of a real kernel, and leaves another program's alone.
func TestDaemons(t *testing.T) {
	b := newBed(t)
	err := b.Director.Do(func() error {
		d, err := OpenDaemons()
		if err != nil {
			return err
		}
		defer d.Close()
		want := masterAndBackup()
		expect := func(what string, n int, daemons []Daemon, ours bool, wantErr string) {
			t.Helper()
			changed, err := d.Reconcile(daemons, func(Daemon) bool { return ours })
			if changed != n || (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
				t.Errorf("%s: %d changes, %v", what, changed, err)
			}
		}
		expect("start", 2, want, false, "")
		haveRun(t, "ipvs-m:", "ipvs-b:")
		list, err := d.List()
		if err != nil || !slices.Equal(list, want) {
			t.Errorf("%v, %v, want %v", list, err, want)
		}
		expect("nothing to do", 0, want, true, "")
		expect("another's, just as it is wanted", 0, want, false, "ipvsadm --stop-daemon backup")
		edited := slices.Clone(want)
		edited[0].SyncID = 82
		expect("edit another's", 0, edited, false, "ipvsadm --stop-daemon master")
		if list, _ := d.List(); !slices.Equal(list, want) {
			t.Errorf("a refused change has changed something: %v", list)
		}
		expect("edit ours, stop the other", 3, edited[:1], true, "")
		if list, _ := d.List(); !slices.Equal(list, edited[:1]) {
			t.Errorf("%v, want %v", list, edited[:1])
		}
		haveRun(t, "ipvs-m:")
		gone := edited[0]
		gone.Interface, gone.State = "eth77", Backup
		expect("no such interface", 0, []Daemon{edited[0], gone}, true, "eth77")
		expect("stop", 1, nil, true, "")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
