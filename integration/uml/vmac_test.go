package uml_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/uml"
)

// TestVirtualMACDirect runs that test of the hosts on a kernel that has IPVS.
func TestVirtualMACDirect(t *testing.T) {
	t.Parallel()
	out := hostsTest(t, "TestVirtualMACDirect", 6*time.Minute, uml.Program{Env: []string{slow}, Modules: slices.Concat(uml.Modules, []string{"macvlan"})})
	if !strings.Contains(out, "nat on n2") {
		t.Error("it has not run on IPVS")
	}
}
