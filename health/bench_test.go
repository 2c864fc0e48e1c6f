package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func many(n int, interval time.Duration) []Target {
	targets := make([]Target, n)
	for i := range targets {
		targets[i] = Target{
			ID: fmt.Sprintf("tcp/10.0.%d.%d:80", i>>8, i&255), Type: TypeTCP,
			Addr:     netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80),
			Interval: interval, Timeout: time.Second, Rise: 2, Fall: 3,
		}
	}
	return targets
}

// BenchmarkIdle measures what 10,000 targets cost that are not due: memory and goroutines, and setting the same set again.
func BenchmarkIdle(b *testing.B) {
	targets := many(10_000, time.Hour)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()

	e := New(Options{})
	e.Set(targets)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		e.Set(targets)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/10_000, "B/target")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
	cancel()
	<-done
	runtime.KeepAlive(e)
}

// BenchmarkProbes measures the engine's own cost of one probe, with servers that refuse at once.
func BenchmarkProbes(b *testing.B) {
	refuse := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	probes := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	e := New(Options{Dial: func(context.Context, string, Target) (net.Conn, error) {
		select {
		case probes <- struct{}{}:
		case <-ctx.Done():
		}
		return nil, refuse
	}})
	e.Set(many(10_000, time.Millisecond)) // always due
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	for b.Loop() {
		<-probes
	}
	cancel()
	<-done
}
