package ipvsadm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/ipvsadm"
	"quorate/lvs/lvstest"
)

// run runs the real ipvsadm in the director's namespace.
func run(t *testing.T, b *lvstest.Bed, in string, args ...string) string {
	t.Helper()
	var out []byte
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := b.Director.Do(func() (err error) {
		c := exec.CommandContext(ctx, "/usr/sbin/ipvsadm", args...)
		c.Cancel = func() error {
			st, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
			w, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stack", c.Process.Pid))
			t.Logf("stuck: %s %s", st, w)
			return c.Process.Kill()
		}
		c.Stdin = strings.NewReader(in)
		if out, err = c.CombinedOutput(); err != nil {
			err = fmt.Errorf("ipvsadm %v: %w: %s", args, err, out)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// limits are what ipvsadm reads, and does not save.
var limits = regexp.MustCompile(` -[xy] \d+`)

func lines(text string) []string {
	return slices.Sorted(strings.SplitSeq(strings.TrimSpace(text), "\n"))
}

// TestRestore: what is written of random tables is what ipvsadm saves of the kernel's, line by line; and restored by it, it is the same table to our plane.
// It runs in User-Mode Linux, see integration/uml.
func TestRestore(t *testing.T) {
	if p, err := ipvs.New(); errors.Is(err, ipvs.ErrNotLoaded) {
		t.Skip(err)
	} else if err == nil {
		p.Close()
	}
	b := lvstest.NewBed(t)
	p := b.Plane(t, func() (lvs.Plane, error) { return ipvs.New() })
	r := rand.New(rand.NewPCG(4, 7))
	seen := 0
	for step := range 25 {
		want := lvstest.RandomServices(r, p.Capabilities())
		st, err := p.Reconcile(lvstest.Scope, want)
		if err != nil {
			t.Fatal(err)
		}
		text, left := ipvsadm.Format(want)
		if have, _ := ipvsadm.Format(st.Have()); have != text || len(left) > 0 {
			t.Fatalf("step %d: of what the kernel has\n%s\nof what is wanted\n%s\nleft out: %q", step, have, text, left)
		}
		saved := lines(run(t, b, "", "-Sn"))
		if got := lines(limits.ReplaceAllString(text, "")); !slices.Equal(got, saved) {
			t.Fatalf("step %d: we write\n%s\nipvsadm saves\n%s", step, strings.Join(got, "\n"), strings.Join(saved, "\n"))
		}
		run(t, b, "", "-C")
		run(t, b, text, "-R")
		st, err = p.Reconcile(lvstest.Scope, want)
		if err != nil || st.Changed != 0 {
			t.Fatalf("step %d: %d changes, %v: ipvsadm -R made another table of\n%s", step, st.Changed, err, text)
		}
		seen += len(saved)
	}
	if seen < 100 {
		t.Errorf("only %d lines were compared", seen)
	}
	t.Logf("%d lines", seen)
}
