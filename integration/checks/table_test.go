package checks

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/health"
)

const document = "../../docs/reference/checks.md"

var update = flag.Bool("update", false, "write "+document)

// row is what a check said of a peer.
type row struct {
	Type, Peer, Condition string
	Result                string // "up: …" or "down: …"
}

func (r row) line() string {
	cell := func(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
	return fmt.Sprintf("| `%s` | %s | %s | %s |", r.Type, cell(r.Peer), cell(r.Condition), cell(r.Result))
}

// table collects the rows of one run of the tests.
type table struct {
	mu      sync.Mutex
	rows    []row
	skipped bool
}

var said table

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && !testing.Short() {
		if err := said.finish(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// hold asks the target once, and adds what it says to the table. well = it has to be up.
func hold(t *testing.T, peer, condition string, target health.Target, well bool) {
	t.Helper()
	start := time.Now()
	a, err := health.Ask(t.Context(), target)
	if took := time.Since(start); took > target.Timeout+time.Second && target.Timeout > 0 {
		t.Errorf("%s, %s: it took %v", peer, condition, took)
	}
	told(t, peer, condition, target, a, err, well)
}

// told adds what a check has said to the table.
func told(t *testing.T, peer, condition string, target health.Target, a health.Answer, err error, well bool) {
	t.Helper()
	result := "up: " + a.Detail
	if err != nil {
		result = "down: " + err.Error()
	}
	if (err == nil) != well {
		t.Errorf("%s, %s: %s", peer, condition, result)
		return
	}
	t.Logf("%s, %s: %s", peer, condition, result)
	said.mu.Lock()
	defer said.mu.Unlock()
	said.rows = append(said.rows, row{string(target.Type), peer, condition, steady(result)})
}

// What changes from run to run is left out of the table.
var changing = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(` in [0-9.]+(µs|ms|s)\b`), ""},
	{regexp.MustCompile(`is noticed within [0-9.]+m?s`), "is noticed"}, // it is negotiated down while the session stands
	{regexp.MustCompile(`\b127\.0\.0\.1:[0-9]+`), "127.0.0.1"},
	{regexp.MustCompile(`/[^ ]*/([a-z]+\.pem)`), "$1"},
	{regexp.MustCompile(`after [0-9]+ bytes`), "after some bytes"},
	{regexp.MustCompile(`some bytes: (unexpected EOF|read: connection reset by peer)$`), "some bytes: unexpected EOF, or a reset"}, // as the kernel has it
	{regexp.MustCompile(`\\r\\nServer: nginx.*"`), `…"`},
	{regexp.MustCompile(`\d+\.\d+\.\d+-MariaDB[^ ]*`), "MariaDB"},
}

func steady(s string) string {
	for _, c := range changing {
		s = c.pattern.ReplaceAllString(s, c.by)
	}
	return s
}

const documentHead = `<!-- Written by go test ./integration/checks -update from what the checks said of real servers. Do not edit. -->

# What checks say of real servers

Each row is one probe of a real server, on Debian 12, in that condition. Times and ports are left out.

| check | server | condition | what the check says |
|---|---|---|---|
`

// finish holds the rows against the document, or writes it. Of a run of some tests only those rows are held.
func (x *table) finish() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	text, _ := os.ReadFile(document)
	var lines []string
	for _, r := range x.rows {
		lines = append(lines, r.line())
	}
	all := !x.skipped && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
	before := strings.Split(strings.TrimPrefix(string(text), documentHead), "\n")
	before = slices.DeleteFunc(before, func(l string) bool { return !strings.HasPrefix(l, "| `") })
	if *update {
		if !all { // what was not asked stays
			of := func(line string) string { return strings.Join(strings.SplitN(line, " | ", 4)[:3], " | ") }
			for _, old := range before {
				if !slices.ContainsFunc(lines, func(l string) bool { return of(l) == of(old) }) {
					lines = append(lines, old)
				}
			}
		}
		slices.Sort(lines)
		return os.WriteFile(document, []byte(documentHead+strings.Join(lines, "\n")+"\n"), 0o644)
	}
	var faults []string
	for _, l := range lines {
		if !slices.Contains(before, l) {
			faults = append(faults, "not in "+document+": "+l)
		}
	}
	for _, l := range before {
		if all && !slices.Contains(lines, l) {
			faults = append(faults, "no longer so: "+l)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s\n(go test ./integration/checks -update writes it)", strings.Join(faults, "\n"))
	}
	return nil
}
