package uml_test

import (
	"strings"
	"testing"
	"time"

	"quorate/integration/uml"
)

// TestIPVSAdm: what we write of a table is what the real ipvsadm saves of it, and restores.
func TestIPVSAdm(t *testing.T) {
	out := guestTest(t, "quorate/lvs/ipvsadm", 4*time.Minute, uml.Program{Args: []string{"-test.v", "-test.timeout=3m"}})
	if strings.Contains(out, "--- SKIP") || !strings.Contains(out, "--- PASS: TestRestore") {
		t.Error("skipped on a kernel that has IPVS")
	}
}
