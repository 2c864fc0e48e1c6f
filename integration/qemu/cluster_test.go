package qemu_test

import (
	"path/filepath"
	"slices"
	"testing"

	"quorate/integration/guest/guesttest"
	"quorate/integration/qemu"
)

// TestAgents runs that test of the hosts on a kernel that has IPVS beside nftables: real agents carry one service of several VIPs, ports and routed addresses, which on
// IPVS is a service by firewall mark.
func TestAgents(t *testing.T) {
	need(t)
	program := filepath.Join(guesttest.Build(t, "quorate/cmd/quorate"), "quorate")
	guestTest(t, "quorate/integration", qemu.Program{
		Args:    []string{"-test.run=^TestServiceOfManyAddresses$", "-test.v", "-test.timeout=4m"},
		Env:     []string{"GOGC=400", "QUORATE_PROGRAM=" + qemu.Inside(program), "QUORATE_SLOW_MACHINE=1"},
		Beside:  []string{program},
		Modules: slices.Concat(qemu.Modules, []string{"sch_ingress", "cls_bpf"}),
		Memory:  "2G",
	}, "TestServiceOfManyAddresses")
}
