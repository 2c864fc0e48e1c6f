package ipvs

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	moby "github.com/moby/ipvs"
	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// TestTimeouts: what is set is what the kernel has then, and what is not set stays.
func TestTimeouts(t *testing.T) {
	k := newKernel()
	timeoutsOf(t, k.plane(t))
	k.fail = func(cmd uint8) syscall.Errno { return map[uint8]syscall.Errno{cmdSetConfig: unix.EPERM}[cmd] }
	if err := k.plane(t).SetTimeouts(lvs.Timeouts{TCP: time.Hour}); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "1h0m0s (tcp)") {
		t.Errorf("%v", err)
	}
}

// TestKernelTimeouts is the same on the kernel itself.
func TestKernelTimeouts(t *testing.T) {
	b := newBed(t)
	var p *Plane
	if err := b.Director.Do(func() (err error) { p, err = New(); return err }); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	timeoutsOf(t, p)
	if err := p.SetTimeouts(lvs.Timeouts{TCP: 77 * time.Second, TCPFin: 78 * time.Second, UDP: 79 * time.Second}); err != nil {
		t.Fatal(err)
	}
	other{b}.do(t, func(h *moby.Handle) error {
		have, err := h.GetConfig()
		if err == nil && (have.TimeoutTCP != 77*time.Second || have.TimeoutTCPFin != 78*time.Second || have.TimeoutUDP != 79*time.Second) {
			t.Errorf("another library reads %+v", have)
		}
		return err
	})
}

func timeoutsOf(t *testing.T, p *Plane) {
	t.Helper()
	before, err := p.Timeouts()
	if want := (lvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}); err != nil || before != want {
		t.Fatalf("%+v %v, want %+v", before, err, want)
	}
	for _, set := range []lvs.Timeouts{{UDP: time.Second}, {TCP: 24 * time.Hour, TCPFin: 30 * time.Second}, before} {
		if err := p.SetTimeouts(set); err != nil {
			t.Fatal(err)
		}
		before = set.Or(before)
		if have, err := p.Timeouts(); err != nil || have != before {
			t.Fatalf("%+v %v, want %+v", have, err, before)
		}
	}
}

// TestInfo: the kernel says which IPVS it has.
func TestInfo(t *testing.T) {
	if got, want := newKernel().plane(t).Capabilities().Detail, "IPVS 1.2.1, 4096 buckets for connections"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := newBed(t).Plane(t, open).Capabilities().Detail; !strings.HasPrefix(got, "IPVS 1.2.1, ") {
		t.Errorf("the kernel: %q", got)
	}
}

func FuzzDecodeTimeouts(f *testing.F) {
	f.Add(appendTimeouts([]byte{cmdSetConfig, familyVersion, 0, 0}, lvs.Timeouts{TCP: time.Hour, UDP: time.Second}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := decodeTimeouts(b); err == nil && (got.TCP < 0 || got.TCPFin < 0 || got.UDP < 0) {
			t.Errorf("%+v", got)
		}
	})
}
