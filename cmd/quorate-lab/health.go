package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"quorate/health"
	"quorate/integration/lab"
)

// The promises about an engine with 10,000 TCP checks at an interval of 2 s.
const (
	maxProbeCPU      = 100.0     // percent of a core
	maxProbeResident = 200 << 20 // bytes
	maxTimerError    = 0.05      // of the interval, at the 99th percentile
)

// probeRow is one line of the health benchmark's output: one process that probes.
type probeRow struct {
	System   string         `json:"system"`
	Version  string         `json:"version,omitempty"`
	Checks   string         `json:"checks"`
	Interval float64        `json:"interval_s"`
	For      float64        `json:"measured_s"`
	CPU      float64        `json:"cpu_percent"` // of one core
	Resident float64        `json:"rss_mb"`
	Probes   int            `json:"probes,omitempty"`      // that the servers saw
	Resumed  float64        `json:"tls_resumed,omitempty"` // share of the handshakes
	Timers   *probingTimers `json:"timers_off_by,omitempty"`
}

// String is one line for a person.
func (r probeRow) String() string {
	text := fmt.Sprintf("%s: %s every %g s: %.1f %% of a core, %.1f MB resident", r.System, r.Checks, r.Interval, r.CPU, r.Resident)
	if r.Resumed > 0 {
		text += fmt.Sprintf(", %.1f %% of the handshakes resumed", 100*r.Resumed)
	}
	if t := r.Timers; t != nil {
		text += fmt.Sprintf("; %d probes off their interval by %.3f %%, 99 of 100 by at most %.2f %%, at worst %.1f %%", t.Probes, 100*t.Median, 100*t.P99, 100*t.Max)
	}
	return text
}

func healthCommand(find func() (string, error)) *cobra.Command {
	var checks, runs int
	var length time.Duration
	var dir string
	var beside bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "What checks cost, beside keepalived, and how soon a dead server is out of the kernel's table",
		Long: `Run 10,000 TCP checks at an interval of 2 s, and 1,000 HTTPS checks, each in a process that does nothing else, and measure its CPU, memory and
timers. The servers are addresses of the process's own host: their half of the kernel's work is counted as the process's. Then how long it takes from a server's
death until an agent's nftables no longer balance to it.

With --keepalived: TCP and HTTP checks of the same servers by quorate and by keepalived at the same time, and how long a dead server stays in IPVS's table. That needs a kernel with IPVS and keepalived; "make bench-health" runs it on User-Mode Linux. The exit code is 1 when
a promise is broken.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if checks < 1 || checks > 50_000 || length < 5*time.Second {
				return usageError{fmt.Errorf("--checks %d --for %v: want 1 to 50000 checks and at least five seconds", checks, length)}
			}
			if err := ranged(runs); err != nil {
				return err
			}
			return measure(cmd, find, func(b *bench, binary string) error {
				bed := lab.BedOptions{Options: lab.Options{Dir: dir}, Binary: binary, Directors: 1, Servers: 3}
				if beside {
					return b.besideKeepalived(cmd.Context(), bed, runs, length)
				}
				if err := b.engine(cmd.Context(), lab.Options{Dir: dir}, checks, length); err != nil {
					return err
				}
				return b.outOfNftables(cmd.Context(), bed, runs)
			})
		},
	}
	cmd.Flags().IntVar(&checks, "checks", 10_000, "how many TCP checks; of HTTPS a tenth")
	cmd.Flags().DurationVar(&length, "for", 30*time.Second, "how long to measure")
	cmd.Flags().BoolVar(&beside, "keepalived", false, "measure beside keepalived, and how soon IPVS has a dead server no longer")
	cmd.Flags().IntVar(&runs, "runs", 20, "how many servers die")
	dirFlag(cmd, &dir)
	return cmd
}

// engine measures processes that only probe.
func (b *bench) engine(ctx context.Context, o lab.Options, checks int, length time.Duration) (err error) {
	l, err := lab.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	h, err := l.AddHost("n1", lab.HostPrefixes(11)...)
	if err != nil {
		return err
	}
	ca := filepath.Join(h.Dir, "farm.pem")
	f, err := newFarm(h, ca)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	const interval = 2 * time.Second
	first := netip.MustParseAddr("127.1.0.1")
	for _, c := range []probingCheck{
		{Type: health.TypeTCP, First: first, Count: checks, Port: farmTCP},
		{Type: health.TypeHTTPS, First: first, Count: max(1, checks/10), Port: farmHTTPS, CA: ca},
	} {
		r := probeRow{System: "quorate", Checks: fmt.Sprintf("%d %s", c.Count, c.Type), Interval: interval.Seconds()}
		handshakes, resumed := f.handshakes.Load(), f.resumed.Load()
		if err := r.measure(ctx, h, probingSettings{Checks: []probingCheck{c}, Interval: interval, Watch: length}, length); err != nil {
			return fmt.Errorf("%s: %w", r.Checks, err)
		}
		if n := f.handshakes.Load() - handshakes; n > 0 {
			r.Resumed = float64(f.resumed.Load()-resumed) / float64(n)
		}
		if err := b.emit(r); err != nil {
			return err
		}
		b.probePromises(c, r)
	}
	return nil
}

func (b *bench) probePromises(c probingCheck, r probeRow) {
	b.promise(r.Timers.Down == 0 && r.Timers.Probes > 0, "%s checks: %d servers are not up, promised none", r.Checks, r.Timers.Down)
	b.promise(r.Timers.P99 <= maxTimerError, "%s checks: 99 of 100 timers are off by at most %.2f %% of the interval, promised at most 5", r.Checks, 100*r.Timers.P99)
	if c.Type == health.TypeTCP {
		b.promise(r.CPU <= maxProbeCPU, "%s checks: %.1f %% of a core, promised at most %.0f", r.Checks, r.CPU, maxProbeCPU)
		b.promise(r.Resident*(1<<20) <= maxProbeResident, "%s checks: %.1f MB resident, promised at most 200", r.Checks, r.Resident)
		return
	}
	b.promise(r.Resumed >= 0.9, "%s checks: %.1f %% of the handshakes resumed a session, promised at least 90", r.Checks, 100*r.Resumed)
}

// measure starts the process on the host, and measures it once all servers are up.
func (r *probeRow) measure(ctx context.Context, h *lab.Host, s probingSettings, length time.Duration) error {
	p, lines, err := startProbing(ctx, h, s)
	if err != nil {
		return err
	}
	defer func() { _ = p.Kill() }()
	if err := lab.Sleep(ctx, 2*s.Interval); err != nil {
		return err
	}
	before, err := p.Usage()
	if err != nil {
		return err
	}
	from := time.Now()
	if err := lab.Sleep(ctx, length); err != nil {
		return err
	}
	after, err := p.Usage()
	if err != nil {
		return err
	}
	r.used(before, after, time.Since(from))
	if err := p.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	text, err := next(ctx, p, lines, s.Watch+time.Minute)
	if err != nil {
		return err
	}
	r.Timers = &probingTimers{}
	return json.Unmarshal(text, r.Timers)
}

// perProbe is the CPU that a probe took. One whose timers drift probes less often.
func (r probeRow) perProbe() float64 { return r.CPU * r.For / float64(r.Probes) }

// used fills in what a process used.
func (r *probeRow) used(before, after lab.Usage, took time.Duration) {
	r.For, r.CPU, r.Resident = took.Seconds(), 100*float64(after.CPU-before.CPU)/float64(took), float64(after.Resident)/(1<<20)
}

// startProbing starts a process that probes on the host, and returns when all servers are up.
func startProbing(ctx context.Context, h *lab.Host, s probingSettings) (*lab.Process, <-chan []byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	arg, err := json.Marshal(s)
	if err != nil {
		return nil, nil, err
	}
	lines := make(chan []byte, 16)
	p, err := h.Start(ctx, lab.Program{Name: "probing", Path: self, Args: []string{"bench", "probing", string(arg)}, Lines: func(line []byte) {
		lines <- append([]byte(nil), line...)
	}})
	if err != nil {
		return nil, nil, err
	}
	if _, err := next(ctx, p, lines, 2*time.Minute); err != nil {
		return nil, nil, errors.Join(err, p.Kill())
	}
	return p, lines, nil
}

// next is the next line that the process says.
func next(ctx context.Context, p *lab.Process, lines <-chan []byte, limit time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case line := <-lines:
		return line, nil
	case <-p.Done():
		return nil, fmt.Errorf("the process that probes has ended: %s", p.Output())
	case <-ctx.Done():
		return nil, fmt.Errorf("the process that probes says nothing: %w: %s", ctx.Err(), p.Output())
	}
}
