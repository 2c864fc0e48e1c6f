package cluster

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// BenchmarkIdle tells what an idle cluster costs: three nodes of this one process, 100 VIPs, real sockets and disks.
// cpu-%/node is the share of one core that a node takes (the test's own ticking included).
func BenchmarkIdle(b *testing.B) {
	if os.Getenv("QUORATE_BENCH_IDLE") == "" {
		b.Skip("takes ten seconds a run: set QUORATE_BENCH_IDLE=1")
	}
	nodes, _ := form(b, 3)
	configure(b, nodes[0], vips(100))
	until(b, 20*time.Second, "owners", func() bool { return grantors(nodes[0].State()) == 3 && allOwned(nodes[0].State()) })
	used := func() time.Duration {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	for b.Loop() {
		begin, index := used(), nodes[0].State().Index
		time.Sleep(10 * time.Second)
		b.ReportMetric(float64(used()-begin)/float64(10*time.Second)/3*100, "cpu-%/node")
		b.ReportMetric(float64(nodes[0].State().Index-index)/10, "entries/s")
	}
}
