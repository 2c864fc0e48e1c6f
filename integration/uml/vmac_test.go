package uml_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/guest/guesttest"
	"quorate/integration/uml"
)

// TestVirtualMACDirect runs that test of the hosts on a kernel that has IPVS.
func TestVirtualMACDirect(t *testing.T) {
	t.Parallel()
	need(t)
	dir := guesttest.Build(t, "quorate/cmd/quorate")
	out := guestTest(t, "quorate/integration", 6*time.Minute, uml.Program{
		Args: []string{"-test.run=^TestVirtualMACDirect$", "-test.v", "-test.timeout=5m"},
		Env:  []string{"TMPDIR=/run", "GOGC=400", "QUORATE_PROGRAM=" + filepath.Join(dir, "quorate"), "QUORATE_SLOW_MACHINE=1"},
		Dir:  "/", Memory: "2G", Modules: slices.Concat(uml.Modules, []string{"macvlan"}),
	})
	if !strings.Contains(out, "--- PASS: TestVirtualMACDirect") || !strings.Contains(out, "nat on n2") {
		t.Error("it has not run, or not on IPVS")
	}
}
