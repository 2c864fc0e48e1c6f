package lab

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func newDisk(t *testing.T, h *Host) *Disk {
	t.Helper()
	d, err := h.AddDisk(filepath.Join(h.Dir, "disk"), 16<<20)
	if errors.Is(err, ErrNoDisk) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sh runs a command line on the host, in the disk's directory.
func sh(t *testing.T, d *Disk, line string) Result {
	t.Helper()
	r, err := d.host.Run(t.Context(), "sh", "-c", "cd "+d.Dir+" && "+line)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDiskFillsUpAndSurvivesPowerLoss(t *testing.T) {
	a := addHost(t, newLab(t), "a", "192.0.2.1/24")
	d := newDisk(t, a)
	if r := sh(t, d, "echo kept > file && sync file"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	if err := d.Fill(); err != nil {
		t.Fatal(err)
	}
	if r := sh(t, d, "cp file other"); r.Code == 0 || !strings.Contains(r.Stderr, "No space left") {
		t.Errorf("a write to a full disk: %+v", r)
	}
	for range 2 {
		if err := d.Free(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := a.PowerOff(); err != nil {
			t.Fatal(err)
		}
		if err := a.PowerOn(); err != nil {
			t.Fatal(err)
		}
		if r := sh(t, d, "cat file && echo more > other"); r.Code != 0 || r.Stdout != "kept\n" {
			t.Errorf("after a loss of power: %+v", r)
		}
	}
}

// TestPowerLossWhileProgramsStart: a child has what this process has open, until it becomes another program.
func TestPowerLossWhileProgramsStart(t *testing.T) {
	a := addHost(t, newLab(t), "a", "192.0.2.1/24")
	newDisk(t, a)
	over := make(chan struct{})
	var starts sync.WaitGroup
	defer starts.Wait()
	defer close(over)
	for range 4 {
		starts.Go(func() {
			for !closed(over) {
				if err := exec.Command("true").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 40 {
		if err := a.PowerOff(); err != nil {
			t.Fatal(err)
		}
		if err := a.PowerOn(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDiskStalls(t *testing.T) {
	a := addHost(t, newLab(t), "a", "192.0.2.1/24")
	d := newDisk(t, a)
	for i, end := range []func() error{d.Resume, a.PowerOff} {
		if err := d.Stall(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := d.Stall(t.Context()); err == nil {
			t.Error("stalled twice")
		}
		p, err := a.Command(t.Context(), "sh", "-c", "echo written > "+d.Dir+"/file")
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-p.Done():
			t.Errorf("round %d: a write to a stalled disk ended: %s", i, p.Output())
		case <-time.After(100 * time.Millisecond):
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		<-p.Done() // written, or without power
	}
	if err := a.PowerOn(); err != nil {
		t.Fatal(err)
	}
	if r := sh(t, d, "cat file && echo more > other"); r.Stdout != "written\n" || r.Code != 0 {
		t.Errorf("after the stalls: %+v", r)
	}
	// The lab may be closed while a disk stalls.
	if err := d.Stall(t.Context()); err != nil {
		t.Fatal(err)
	}
}
