package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// crashEnv makes the test binary build a lab and wait to be killed.
const crashEnv = "QUORATE_LAB_TEST_CRASH"

func TestMain(m *testing.M) {
	if ran, err := RunRole(os.Args[1:]); ran {
		exit(err)
	}
	if os.Getenv(crashEnv) != "" {
		exit(waitToBeKilled())
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		exit(fmt.Errorf("goroutines are left: %w", err))
	}
	os.Exit(code)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// waitToBeKilled says on standard output what it built: its lab's id and one line per program; then it stalls a disk.
func waitToBeKilled() error {
	l, err := New(context.Background(), Options{})
	if err != nil {
		return err
	}
	fmt.Println(l.ID)
	for _, name := range []string{"a", "b"} {
		h, err := l.AddHost(name, netip.MustParsePrefix("192.0.2.1/24"))
		if err != nil {
			return err
		}
		p, err := h.Command(context.Background(), "sleep", "600")
		if err != nil {
			return err
		}
		fmt.Println(p.PID())
	}
	h := l.Host("a")
	switch d, err := h.AddDisk(filepath.Join(h.Dir, "disk"), 16<<20); {
	case errors.Is(err, ErrNoDisk): // then there is none to leave behind
	case err != nil:
		return err
	default:
		if err := d.Stall(context.Background()); err != nil {
			return err
		}
	}
	fmt.Println("built")
	select {}
}

// newLab makes a lab that is closed, and looked after for leftovers, at the end of the test.
func newLab(t *testing.T) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	before, err := TakeFootprint()
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		left, err := before.Compare(5e9)
		if err != nil {
			t.Error(err)
		}
		for _, line := range left {
			t.Errorf("the machine is not as it was: %s", line)
		}
	})
	return l
}

func addHost(t *testing.T, l *Lab, name string, prefixes ...string) *Host {
	t.Helper()
	var list []netip.Prefix
	for _, p := range prefixes {
		list = append(list, netip.MustParsePrefix(p))
	}
	h, err := l.AddHost(name, list...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
