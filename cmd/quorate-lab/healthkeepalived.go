package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"quorate/health"
	"quorate/integration/lab"
)

// maxProbeRatio is how many times the CPU of keepalived the same checks may take.
const maxProbeRatio = 1.5

// What both check: so many servers, every two seconds, by TCP and then by HTTP, on addresses of a host beside theirs.
const (
	besideCount    = 300
	besideInterval = 2 * time.Second
)

// besideCheck is one of the checks, as each of the two has it.
type besideCheck struct {
	health.Type
	port       uint16
	keepalived string
}

var besideChecks = []besideCheck{
	{health.TypeTCP, farmTCP, "TCP_CHECK {\n      connect_timeout 1\n    }"},
	{health.TypeHTTP, farmHTTP, "HTTP_GET {\n      url {\n        path /\n        status_code 200\n      }\n      connect_timeout 1\n    }"},
}

var farmNetwork = netip.MustParsePrefix("198.18.0.0/16") // RFC 2544

// cpuRatio compares two rows.
type cpuRatio struct {
	Checks  string  `json:"checks"`
	Against string  `json:"ratio_to"`
	CPU     float64 `json:"cpu_per_probe"` // quorate's divided by the other's
}

// String is one line for a person.
func (r cpuRatio) String() string {
	return fmt.Sprintf("%s: %.2f times the CPU of %s for a probe", r.Checks, r.CPU, r.Against)
}

// besideKeepalived has both check the same servers at the same time, then measures how soon a dead server is out of IPVS's table.
func (b *bench) besideKeepalived(ctx context.Context, o lab.BedOptions, runs int, length time.Duration) (err error) {
	bed, err := lab.NewBed(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bed.Close()) }()
	if err := b.sameChecks(ctx, bed, length); err != nil {
		return err
	}
	return b.outOfTable(ctx, bed, inIPVS, runs)
}

func (b *bench) sameChecks(ctx context.Context, bed *lab.Bed, length time.Duration) (err error) {
	version, err := lab.KeepalivedVersion(ctx)
	if err != nil {
		return err
	}
	far, err := bed.AddHost("farm", lab.HostPrefixes(85)...)
	if err != nil {
		return err
	}
	if err := ip(ctx, far, "route", "add", "local", farmNetwork.String(), "dev", "lo"); err != nil {
		return err
	}
	f, err := newFarm(far, filepath.Join(far.Dir, "farm.pem"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	own, err := bed.AddHost("own", lab.HostPrefixes(86)...)
	if err != nil {
		return err
	}
	other, err := bed.AddHost("other", lab.HostPrefixes(87)...)
	if err != nil {
		return err
	}
	for _, h := range []*lab.Host{own, other} {
		if err := ip(ctx, h, "route", "add", farmNetwork.String(), "via", far.Addr().String()); err != nil {
			return err
		}
	}

	var sum [2]float64
	for _, c := range besideChecks {
		rows, err := b.sameCheck(ctx, c, length, f, own, other)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Type, err)
		}
		rows[1].Version = version
		for i, r := range rows {
			if err := b.emit(r); err != nil {
				return err
			}
			sum[i] += r.perProbe()
			want := besideCount * r.For / besideInterval.Seconds()
			said := fmt.Sprintf("%s, %s: the servers saw %d probes in %.0f s, %.0f were due", r.System, r.Checks, r.Probes, r.For, want)
			if i == 0 {
				b.promise(math.Abs(float64(r.Probes)-want) <= want/20, "%s", said)
			} else {
				b.say("%s", said)
			}
		}
		if err := b.emit(cpuRatio{rows[0].Checks, "keepalived " + version, hundredths(rows[0].perProbe() / rows[1].perProbe())}); err != nil {
			return err
		}
	}
	all := cpuRatio{"all of them", "keepalived " + version, hundredths(sum[0] / sum[1])}
	if err := b.emit(all); err != nil {
		return err
	}
	b.promise(all.CPU <= maxProbeRatio, "checks by tcp and http: %.2f times the CPU of keepalived for a probe, promised at most %.1f", all.CPU, maxProbeRatio)
	return nil
}

func hundredths(x float64) float64 { return math.Round(100*x) / 100 }

// sameCheck has both check the farm's servers at the same time: quorate on own, keepalived on other.
func (b *bench) sameCheck(ctx context.Context, c besideCheck, length time.Duration, f *farm, own, other *lab.Host) (rows [2]probeRow, err error) {
	first := farmNetwork.Addr().Next()
	p, _, err := startProbing(ctx, own, probingSettings{Interval: besideInterval, Watch: length, Checks: []probingCheck{
		{Type: c.Type, First: first, Count: besideCount, Port: c.port},
	}})
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, p.Kill()) }()
	k, checker, err := startChecker(ctx, other, c, first)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, k.Signal(syscall.SIGTERM), k.Wait(ctx)) }()
	if err := lab.Sleep(ctx, 5*besideInterval); err != nil { // keepalived's checks start within the first few
		return rows, err
	}
	pids, hosts, processes := [2]int{p.PID(), checker}, [2]*lab.Host{own, other}, [2]*lab.Process{p, k}
	usage := func(i int) (lab.Usage, error) {
		u, err := lab.UsageOf(pids[i])
		if err != nil {
			return u, fmt.Errorf("%s has ended while it was measured: %w: %s", processes[i].Name, err, processes[i].Output())
		}
		return u, nil
	}
	var before [2]lab.Usage
	for i := range pids {
		if before[i], err = usage(i); err != nil {
			return rows, err
		}
	}
	asked, from := f.accepted.snapshot(), time.Now()
	if err := lab.Sleep(ctx, length); err != nil {
		return rows, err
	}
	took, asks := time.Since(from), f.accepted.snapshot()
	for i := range pids {
		after, err := usage(i)
		if err != nil {
			return rows, err
		}
		rows[i] = probeRow{System: [2]string{"quorate", "keepalived"}[i], Checks: fmt.Sprintf("%d %s", besideCount, c.Type), Interval: besideInterval.Seconds()}
		rows[i].used(before[i], after, took)
		rows[i].Probes = asks[hosts[i].Addr()] - asked[hosts[i].Addr()]
	}
	return rows, nil
}

// ip runs ip(8) on the host.
func ip(ctx context.Context, h *lab.Host, args ...string) error {
	r, err := h.Run(ctx, "/sbin/ip", args...)
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("%s: ip %s: %s", h.Name, strings.Join(args, " "), r.Stderr)
	}
	return nil
}

// startChecker starts a keepalived that only checks, and returns the process in which it does once its table is in the kernel.
func startChecker(ctx context.Context, h *lab.Host, c besideCheck, first netip.Addr) (*lab.Process, int, error) {
	path, err := lab.FindKeepalived()
	if err != nil {
		return nil, 0, err
	}
	var w strings.Builder
	w.WriteString("global_defs {\n  router_id bench\n}\n")
	fmt.Fprintf(&w, "virtual_server 192.0.2.200 %d {\n  delay_loop %.0f\n  lvs_sched wrr\n  lvs_method NAT\n  protocol TCP\n", c.port, besideInterval.Seconds())
	for i, a := 0, first; i < besideCount; i, a = i+1, a.Next() {
		fmt.Fprintf(&w, "  real_server %v %d {\n    weight 1\n    %s\n  }\n", a, c.port, c.keepalived)
	}
	w.WriteString("}\n")
	conf := filepath.Join(h.Dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(w.String()), 0o644); err != nil {
		return nil, 0, err
	}
	pidfile := filepath.Join(h.Dir, "checkers.pid")
	if err := os.RemoveAll(pidfile); err != nil { // of the one before
		return nil, 0, err
	}
	k, err := h.Start(ctx, lab.Program{Name: "keepalived", Path: path, Args: []string{
		"--dont-fork", "--log-console", "--check", "--use-file", conf, "--pid", filepath.Join(h.Dir, "keepalived.pid"), "--checkers_pid", pidfile,
	}})
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	pid := 0
	err = lab.Await(ctx, 50*time.Millisecond, func(context.Context) error {
		text, err := os.ReadFile(pidfile)
		if err != nil {
			return err
		}
		if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return err
		}
		table, err := h.ProcNet("ip_vs")
		if err != nil {
			return err
		}
		n := len(ipvsServers(table, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.200"), c.port)))
		return unless(n == besideCount, fmt.Sprintf("keepalived has %d of %d servers in its table: %s", n, besideCount, k.Output()))
	})
	if err != nil {
		return nil, 0, errors.Join(err, k.Kill())
	}
	return k, pid, nil
}
