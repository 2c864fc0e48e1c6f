package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
)

func benchCommand(find func() (string, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure failover, beside keepalived, and what an idle agent costs",
		Long:  `Measure in the same bed as the demo. Rows of JSON go to standard output, progress to standard error.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no benchmark %q: want failover or idle", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("bench needs the name of a benchmark: failover or idle")}
		},
	}
	cmd.AddCommand(failoverCommand(find), idleCommand(find))
	return cmd
}

// row is one line of the failover benchmark's output. Times are in milliseconds.
type row struct {
	System   string  `json:"system"`
	Setting  string  `json:"setting"`
	Scenario string  `json:"scenario"`
	Runs     int     `json:"runs"`
	Median   float64 `json:"p50_ms"` // of the longest silences
	Max      float64 `json:"max_ms"`
	Lost     int     `json:"lost"`            // pings of one run, at 500 per second; median
	Dual     float64 `json:"dual_owner_ms"`   // longest time in a run that two hosts answered for the address
	Failed   int     `json:"failed_requests"` // of one run, at 500 requests per second; median. -1: no HTTP traffic
}

// measured is what one repetition measured.
type measured struct {
	gap, dual    time.Duration
	lost, failed int
}

// of makes a row of some repetitions.
func (r row) of(runs []measured) row {
	pick := func(value func(measured) float64) []float64 {
		var all []float64
		for _, m := range runs {
			all = append(all, value(m))
		}
		slices.Sort(all)
		return all
	}
	ms := func(d time.Duration) float64 {
		return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
	}
	gaps := pick(func(m measured) float64 { return ms(m.gap) })
	r.Runs = len(runs)
	r.Median, r.Max = median(gaps), gaps[len(gaps)-1]
	r.Lost = int(median(pick(func(m measured) float64 { return float64(m.lost) })))
	r.Failed = int(median(pick(func(m measured) float64 { return float64(m.failed) })))
	r.Dual = slices.Max(pick(func(m measured) float64 { return ms(m.dual) }))
	return r
}

// median of sorted values; of an even number, the mean of the two in the middle.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// bench is one run of a benchmark: where rows and progress go, and the promises that were broken.
type bench struct {
	rows, progress io.Writer
	broken         []error
}

func (b *bench) emit(row any) error { return json.NewEncoder(b.rows).Encode(row) }

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

func (b *bench) promise(kept bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if kept {
		b.say("ok: %s", text)
		return
	}
	b.say("BROKEN: %s", text)
	b.broken = append(b.broken, errors.New(text))
}

// ranged checks the number of repetitions.
func ranged(runs int) error {
	if runs < 1 || runs > 1000 {
		return usageError{fmt.Errorf("--runs %d: want 1 to 1000", runs)}
	}
	return nil
}

// millis is lab.Millis of a JSON number.
func millis(ms float64) string { return lab.Millis(time.Duration(ms * float64(time.Millisecond))) }
