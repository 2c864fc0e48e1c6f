package uml_test

import (
	"strings"
	"testing"

	"quorate/integration/uml"
)

// TestIPVSAdm: what we write of a table is what the real ipvsadm saves of it, and restores.
func TestIPVSAdm(t *testing.T) {
	t.Parallel()
	out := guestTest(t, "quorate/lvs/ipvsadm", kernelLimit, uml.Program{Args: []string{"-test.v", kernelTimeout}})
	if strings.Contains(out, "--- SKIP") || !strings.Contains(out, "--- PASS: TestRestore") {
		t.Error("skipped on a kernel that has IPVS")
	}
}
