package matrix

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"quorate/integration/lab"
)

// Summary is a row measured some times.
type Summary struct {
	Row     Row
	Results []Result
}

// Record is a Summary for machines. Times are in milliseconds.
type Record struct {
	Row    string  `json:"row"`
	Runs   int     `json:"runs"`
	Median float64 `json:"p50_ms"` // of the longest silences
	Max    float64 `json:"max_ms"`
	Lost   int     `json:"lost"` // pings of one run; median
	Dual   float64 `json:"dual_owner_ms"`
	Moved  int     `json:"moved"`  // runs in which another node owned the VIPs in between or at the end
	Broken int     `json:"broken"` // promises, in all runs
}

// Record makes numbers of the results; there must be one at least.
func (s Summary) Record() Record {
	gaps, lost := s.gaps(), s.lost()
	out := Record{Row: s.Row.Name, Runs: len(s.Results), Median: millis(median(gaps)), Max: millis(gaps[len(gaps)-1]), Lost: median(lost), Dual: millis(s.dual())}
	for _, r := range s.Results {
		out.Broken += len(r.Broken)
		if len(r.Owners) > 1 {
			out.Moved++
		}
	}
	return out
}

func (s Summary) gaps() []time.Duration {
	return sorted(s.Results, func(r Result) time.Duration { return r.Gap })
}

func (s Summary) lost() []int { return sorted(s.Results, func(r Result) int { return r.Lost }) }

func (s Summary) dual() time.Duration {
	all := sorted(s.Results, func(r Result) time.Duration { return r.Dual })
	return all[len(all)-1]
}

func sorted[T int | time.Duration](rs []Result, value func(Result) T) []T {
	var out []T
	for _, r := range rs {
		out = append(out, value(r))
	}
	slices.Sort(out)
	return out
}

// median of sorted values; of an even number, the mean of the two in the middle.
func median[T int | time.Duration](sorted []T) T {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func millis(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}

// Table is the summaries in Markdown, with what they were measured on.
func Table(all []Summary) string {
	var b strings.Builder
	runs := 0
	for _, s := range all {
		runs = max(runs, len(s.Results))
	}
	fmt.Fprintf(&b, "%d runs of each row on one machine with %d processors (Linux %s), three nodes, `lan`, a ping every 2 ms.\n\n", runs, runtime.NumCPU(), kernel())
	b.WriteString("| fault | VIP | longest silence: median, worst | pings lost: median, worst | two owners, worst |\n|---|---|---|---|---|\n")
	for _, s := range all {
		gaps, lost := s.gaps(), s.lost()
		fmt.Fprintf(&b, "| %s | %s | %s, %s | %d, %d | %s |\n", s.Row.What, s.outcome(),
			lab.Millis(median(gaps)), lab.Millis(gaps[len(gaps)-1]), median(lost), lost[len(lost)-1], s.twoOwners())
	}
	return b.String()
}

// outcome is what became of the VIP.
func (s Summary) outcome() string {
	moved := s.Record().Moved
	switch {
	case s.Row.Then == Ends:
		silent := sorted(s.Results, func(r Result) time.Duration { return r.Silent })
		return fmt.Sprintf("off after %s; silence: after the healing", lab.Millis(silent[len(silent)-1]))
	case moved == len(s.Results):
		return "moves"
	case moved == 0:
		return "stays"
	default:
		return fmt.Sprintf("moved in %d of %d runs", moved, len(s.Results))
	}
}

func (s Summary) twoOwners() string {
	d := s.dual()
	switch {
	case d == 0:
		return "never"
	case s.Row.Foreign:
		return lab.Millis(d) + " (the foreign host and the owner)"
	default:
		return "**" + lab.Millis(d) + "**"
	}
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	release := unix.ByteSliceToString(u.Release[:])
	version, _, _ := strings.Cut(release, "-")
	return version
}

// The markers between which a document has the table.
const (
	tableBegin = "<!-- written by quorate-lab bench matrix -->\n"
	tableEnd   = "<!-- end -->\n"
)

// WriteTable puts a table into a document, in place of the one that it has between its markers.
func WriteTable(path, table string) error {
	before, _, after, err := readTable(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+table+after), 0o644)
}

// ReadTable returns the table of a document.
func ReadTable(path string) (string, error) {
	_, table, _, err := readTable(path)
	return table, err
}

// readTable returns what comes before the table, markers included, the table, and what comes after.
func readTable(path string) (before, table, after string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", "", err
	}
	before, rest, begins := strings.Cut(string(text), tableBegin)
	table, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return "", "", "", errors.New(path + ": want a table between the lines " + strings.TrimSpace(tableBegin) + " and " + strings.TrimSpace(tableEnd))
	}
	return before + tableBegin, table, tableEnd + after, nil
}
