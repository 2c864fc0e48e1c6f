package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"quorate/fsm"
	"quorate/integration/lab"
)

func benchCommand(find func() (string, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure failover, beside keepalived, every fault, health checks, programming IPVS, and what an idle agent costs",
		Long: `Measure in the same bed as the demo. Rows go to standard output, as JSON or with --output text as lines for people, progress to standard
error.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no benchmark %q: want failover, health, idle, lvs, matrix or many", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("bench needs the name of a benchmark: failover, health, idle, lvs, matrix or many")}
		},
	}
	cmd.PersistentFlags().String("output", "json", "rows as json, or as text")
	cmd.AddCommand(failoverCommand(find), healthCommand(find), probingCommand(), idleCommand(find), lvsCommand(find), matrixCommand(find), manyCommand(find))
	return cmd
}

// row is one line of the failover benchmark's output. Times are in milliseconds.
type row struct {
	System   string  `json:"system"`
	Version  string  `json:"version,omitempty"`
	Setting  string  `json:"setting"`
	Scenario string  `json:"scenario"`
	Runs     int     `json:"runs"`
	Median   float64 `json:"p50_ms"` // of the longest silences
	Max      float64 `json:"max_ms"`
	Lost     int     `json:"lost"`                    // pings of one run, at 1000 per second; median
	Dual     float64 `json:"dual_owner_ms"`           // longest time in a run from the new owner's first frame to the old one's last
	Open     bool    `json:"dual_unbounded"`          // in a run it had not ended when the measurement did
	Failed   int     `json:"failed_requests"`         // of one run, at 500 requests per second; median. -1: no HTTP traffic
	Balanced *int    `json:"balanced_lost,omitempty"` // of one run, datagrams through a balanced service, at 1000 per second; median
	// Stages are medians of when the VIP came to each stage of a change of owner, by the cluster's own events.
	Stages map[string]float64 `json:"stages_p50_ms,omitempty"`

	all               int // pings and requests lost in all runs
	asked, unanswered int // pings and datagrams through a balanced service, sent and lost in all runs
}

// String is one line for a person.
func (r row) String() string {
	text := fmt.Sprintf("%s, %s, %s, %d times: silent for %s, at worst %s; %d pings lost; two owners %s", r.System, r.Setting, r.Scenario, r.Runs,
		millis(r.Median), millis(r.Max), r.Lost, r.dual())
	if r.Balanced != nil {
		text += fmt.Sprintf("; %d balanced datagrams lost", *r.Balanced)
	}
	if r.Failed >= 0 {
		text += fmt.Sprintf("; %d requests failed", r.Failed)
	}
	return text
}

// measured is what one repetition measured.
type measured struct {
	gap, dual          time.Duration
	sent, lost, failed int
	asked, unanswered  int         // datagrams through a balanced service
	open               bool        // two hosts still spoke for the address at the end
	owners             []string    // of quorate, in order of decision
	events             []fsm.Event // of quorate, from the strike on
}

// String is one line for a person.
func (m measured) String() string {
	text := fmt.Sprintf("silent for %s, %d of %d pings lost", lab.Millis(m.gap), m.lost, m.sent)
	if m.asked > 0 {
		text += fmt.Sprintf(", %d of %d balanced datagrams", m.unanswered, m.asked)
	}
	if m.failed >= 0 {
		text += fmt.Sprintf(", %d requests failed", m.failed)
	}
	if len(m.owners) > 2 {
		text += fmt.Sprintf(", moved more than once: %q", m.owners)
	}
	text += ", two owners for " + lab.Millis(m.dual)
	if m.open {
		text += " and on"
	}
	return text
}

// overlap fills in what the capture says of the window: owners in order, of the hosts named.
func (m *measured) overlap(c *lab.Capture, vip netip.Addr, window lab.Span, owners []string, grace time.Duration, hosts ...string) error {
	o := c.Overlap(vip, window, owners, grace, hosts...)
	m.dual = o.Lasted
	m.open = o.Frames > 0 && window.To.Sub(o.Worst.At) < 100*time.Millisecond
	return c.Err()
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
	r.Median, r.Max = math.Round(median(gaps)*10)/10, gaps[len(gaps)-1]
	r.Lost = int(median(pick(func(m measured) float64 { return float64(m.lost) })))
	r.Failed = int(median(pick(func(m measured) float64 { return float64(m.failed) })))
	var events []fsm.Event
	asked := 0
	for _, m := range runs {
		r.all += m.lost + max(0, m.failed)
		r.asked, r.unanswered = r.asked+m.sent+m.asked, r.unanswered+m.lost+m.unanswered
		asked += m.asked
		events = append(events, m.events...)
	}
	if asked > 0 {
		n := int(median(pick(func(m measured) float64 { return float64(m.unanswered) })))
		r.Balanced = &n
	}
	r.Stages = stageMedians(events, "web")
	r.Open = slices.ContainsFunc(runs, func(m measured) bool { return m.open })
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
	text           bool // rows for people
	broken         []error
	done           []row
}

// newBench is for one of bench's subcommands.
func newBench(cmd *cobra.Command) (*bench, error) {
	b := &bench{rows: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
	switch form, err := cmd.Flags().GetString("output"); {
	case err != nil:
		return nil, err
	case form == "text":
		b.text = true
	case form != "json":
		return nil, usageError{fmt.Errorf("--output %s: want json or text", form)}
	}
	return b, nil
}

// measure is the work of one of bench's subcommands that needs the program. A promise that was broken is an error.
func measure(cmd *cobra.Command, find func() (string, error), work func(b *bench, binary string) error) error {
	b, err := newBench(cmd)
	if err != nil {
		return err
	}
	binary, err := find()
	if err != nil {
		return err
	}
	if err := work(b, binary); err != nil {
		return err
	}
	return errors.Join(b.broken...)
}

// dirFlag is --dir of the commands that build a bed.
func dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "where to put data and logs while it runs (default the system's temporary directory)")
}

// measured emits a row and keeps it for the comparison.
func (b *bench) measured(r row) error {
	b.done = append(b.done, r)
	return b.emit(r)
}

// ratio is one line that compares what was measured for both systems.
type ratio struct {
	Scenario string  `json:"scenario"`
	Against  string  `json:"ratio_to"` // keepalived with which setting, and in which scenario if that has another name
	Median   float64 `json:"p50"`      // quorate's longest silence divided by keepalived's
	Max      float64 `json:"max"`
	Dual     string  `json:"dual_owner"` // of quorate and of keepalived
}

// compare emits the ratios of quorate's rows to keepalived's. A pair of keepalived nodes has no leader apart from the owner.
func (b *bench) compare() error {
	for _, q := range b.done {
		like := q.Scenario
		if like == "leader+owner" {
			like = "power"
		}
		for _, k := range b.done {
			if q.System != "quorate" || k.System != "keepalived" || k.Scenario != like {
				continue
			}
			against := "keepalived, " + k.Setting
			if like != q.Scenario {
				against += ", " + like
			}
			two := func(ratio float64) float64 { return math.Round(ratio*100) / 100 }
			r := ratio{q.Scenario, against, two(q.Median / k.Median), two(q.Max / k.Max), q.dual() + ", " + k.dual()}
			if err := b.emit(r); err != nil {
				return err
			}
			if q.Scenario != "power" {
				continue
			}
			switch setting := k.Setting; {
			case q.Setting == "lan" && setting == "advert 1s":
				b.promise(r.Median <= 0.12, "loss of the owner: %.2f of what keepalived takes by default, promised at most 0.12", r.Median)
			case q.Setting == "fast" && setting == "advert 10ms":
				b.promise(r.Median <= 1.5, "loss of the owner: %.2f of what keepalived takes with adverts every 10 ms, promised at most 1.5", r.Median)
			}
		}
	}
	return nil
}

// promises are those of the rows of quorate alone.
func (b *bench) promises() {
	alone := 0.0
	for _, r := range b.done {
		if r.System != "quorate" {
			continue
		}
		if r.Scenario == "power" {
			alone = r.Median
		}
		b.promise(!r.Open && r.Dual == 0, "%s: two owners %s, promised never", r.Scenario, r.dual())
		switch r.Scenario {
		case "power":
			b.promise(r.Setting != "lan" || r.Max <= 500, "loss of the owner: silent for %s at worst, promised at most 500 ms", millis(r.Max))
		case "leader":
			b.promise(r.all == 0, "loss of the leader: %d pings and requests lost in %d runs, promised none (longest silence %s)", r.all, r.Runs, millis(r.Max))
		case "planned":
			b.promise(r.unanswered == 0, "planned moves: %d of %d pings and balanced datagrams lost in %d runs, promised none", r.unanswered, r.asked, r.Runs)
		}
	}
	for _, r := range b.done {
		if r.System == "quorate" && r.Scenario == "leader+owner" && alone > 0 {
			b.promise(r.Median <= 2*alone, "loss of leader and owner: silent for %s, the owner alone %s, promised at most twice that", millis(r.Median), millis(alone))
		}
	}
}

// dual is for how long two hosts spoke for the address, for a person.
func (r row) dual() string {
	switch {
	case r.Open:
		return "without end"
	case r.Dual == 0:
		return "never"
	default:
		return millis(r.Dual)
	}
}

// emit writes a row.
func (b *bench) emit(row any) error {
	if b.text {
		_, err := fmt.Fprintf(b.rows, "%+v\n", row)
		return err
	}
	return json.NewEncoder(b.rows).Encode(row)
}

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
