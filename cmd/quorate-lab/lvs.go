package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/lvstest"
)

// lvsRow is one line of the LVS benchmark's output.
type lvsRow struct {
	System  string  `json:"system"`
	Version string  `json:"version,omitempty"`
	What    string  `json:"what"`
	Table   string  `json:"table"` // services × servers
	Runs    int     `json:"runs"`
	Median  float64 `json:"p50_ms"`
	Max     float64 `json:"max_ms"`
}

// String is one line for a person.
func (r lvsRow) String() string {
	return fmt.Sprintf("%s: %s, %s, %d times: %s, at worst %s", r.System, r.What, r.Table, r.Runs, millis(r.Median), millis(r.Max))
}

// lvsRatio compares two rows.
type lvsRatio struct {
	What    string  `json:"what"`
	Against string  `json:"ratio_to"`
	Median  float64 `json:"p50"` // how many times faster quorate is
}

// String is one line for a person.
func (r lvsRatio) String() string {
	return fmt.Sprintf("%s: %.1f times faster than %s", r.What, r.Median, r.Against)
}

func lvsCommand(find func() (string, error)) *cobra.Command {
	var runs int
	var dir string
	cmd := &cobra.Command{
		Use:   "lvs",
		Short: "Programming IPVS, beside ipvsadm, one call each, and keepalived",
		Long: `Program 500 virtual services of 10 real servers from nothing, by quorate, by ipvsadm --restore and by moby/ipvs with a call for each; change one
server's weight by quorate apply and by keepalived's SIGHUP, and in the table alone; look at a table in which nothing is to be changed; and measure the memory of
an agent that has 2,300 services of 16 servers. In turn, on hosts of their own. It needs a kernel with IPVS, ipvsadm and keepalived; "make bench-lvs"
runs it on User-Mode Linux. The exit code is 1 when a promise is broken.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := ranged(runs); err != nil {
				return err
			}
			return measure(cmd, find, func(b *bench, binary string) error {
				return b.lvs(cmd.Context(), lab.BedOptions{Options: lab.Options{Dir: dir}, Binary: binary, Directors: 1}, runs)
			})
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 5, "how often each is measured")
	dirFlag(cmd, &dir)
	return cmd
}

// What is measured, as the rows call it.
const (
	programming = "program from empty"
	unchanged   = "reconcile, nothing to change"
	glancing    = "glance, nothing to change"
	oneWeight   = "one weight, table to kernel"
	applying    = "one weight, file to kernel"
)

func (b *bench) lvs(ctx context.Context, o lab.BedOptions, runs int) (err error) {
	bed, err := lab.NewBed(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bed.Close()) }()
	contenders, err := contendersFor(ctx, bed)
	if err != nil {
		return err
	}
	full := lvstest.Large(500, 10)
	took := map[string]map[string][]float64{}
	note := func(system, what string, d time.Duration) {
		if took[what] == nil {
			took[what] = map[string][]float64{}
		}
		took[what][system] = append(took[what][system], float64(d)/float64(time.Millisecond))
	}
	for i := range runs {
		for _, c := range contenders {
			d, err := c.fill(ctx, full)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			b.say("%s, run %d of %d: %d services × %d servers in %s", c.name, i+1, runs, 500, 10, lab.Millis(d))
			note(c.name, programming, d)
		}
	}
	if err := ownTable(bed.Client, full, runs, note); err != nil {
		return err
	}
	if err := b.reloads(ctx, bed, runs, note); err != nil {
		return err
	}
	for _, what := range []string{programming, oneWeight, unchanged, glancing, applying} {
		if err := b.lvsRows(what, took[what]); err != nil {
			return err
		}
	}
	return b.largeTable(ctx, bed)
}

// lvsRows emits the rows of one measurement, and the ratios of the others to quorate's.
func (b *bench) lvsRows(what string, took map[string][]float64) error {
	round := func(ms float64) float64 { return math.Round(ms*100) / 100 }
	medians := map[string]float64{}
	for _, system := range slices.Sorted(maps.Keys(took)) {
		ms := slices.Sorted(slices.Values(took[system]))
		medians[system] = median(ms)
		r := lvsRow{System: system, What: what, Table: "500 × 10", Runs: len(ms), Median: round(medians[system]), Max: round(ms[len(ms)-1])}
		if err := b.emit(r); err != nil {
			return err
		}
	}
	for _, system := range slices.Sorted(maps.Keys(took)) {
		if system == "quorate" {
			continue
		}
		r := lvsRatio{what, system, math.Round(10*medians[system]/medians["quorate"]) / 10}
		if err := b.emit(r); err != nil {
			return err
		}
		if least := map[string]float64{"ipvsadm --restore": 5, "moby/ipvs": 2}[system]; what == programming && least > 0 {
			b.promise(r.Median >= least, "%s: %.1f times faster than %s, promised at least %.0f", what, r.Median, system, least)
		}
	}
	return nil
}

// ownTable measures what a change and a look cost the plane in a table that is there.
func ownTable(h *lab.Host, full []lvs.Service, runs int, note func(system, what string, d time.Duration)) error {
	return h.Do(func() (err error) {
		p, err := ipvs.New()
		if err != nil {
			return err
		}
		scope := lvs.Scope{Addrs: []netip.Addr{lvstest.VIP4}}
		defer func() {
			_, e := p.Reconcile(scope, nil)
			err = errors.Join(err, e, p.Close())
		}()
		if _, err := p.Reconcile(scope, full); err != nil {
			return err
		}
		other := lvstest.Clone(full)
		other[250].Destinations[3].Weight++
		for range 5 * runs {
			full, other = other, full
			began := time.Now()
			n, err := p.Update(scope, full)
			note("quorate", oneWeight, time.Since(began))
			if err != nil {
				return err
			}
			if n != 1 {
				return fmt.Errorf("%d changes, want one", n)
			}
			began = time.Now()
			st, err := p.Reconcile(scope, full)
			note("quorate", unchanged, time.Since(began))
			if err != nil {
				return err
			}
			if st.Changed != 0 {
				return fmt.Errorf("%d changes where there were none to make", st.Changed)
			}
		}
		return glances(p, scope, full, 5*runs, note)
	})
}

// glances measures what it costs to see that nothing has changed.
func glances(p *ipvs.Plane, scope lvs.Scope, full []lvs.Service, runs int, note func(system, what string, d time.Duration)) error {
	p.Differs() // whoever asks is told from the next look on
	if _, err := p.Reconcile(scope, full); err != nil {
		return err
	}
	for range runs {
		began := time.Now()
		differs, known := p.Differs()
		note("quorate", glancing, time.Since(began))
		if differs || !known {
			return fmt.Errorf("a glance at a table that nobody has changed: differs %t, known %t", differs, known)
		}
	}
	return nil
}
