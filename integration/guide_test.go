package integration

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docsVariable names the directory of the documentation where a test runs that compares it with what commands say: a guest has no copy of its own.
const docsVariable = "QUORATE_DOCS"

// guide is what a page of the documentation shows of commands: for each, the lines of its output, but for what differs from run to run.
type guide map[string][]string

// readGuide reads the page's blocks in which a line begins with "$ quorate".
func readGuide(t *testing.T, page string) guide {
	t.Helper()
	dir := os.Getenv(docsVariable)
	if dir == "" {
		dir = "../docs"
	}
	text, err := os.ReadFile(filepath.Join(dir, page))
	must(t, err)
	return parseGuide(string(text))
}

func parseGuide(text string) guide {
	g := guide{}
	inside, command := false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch c, is := strings.CutPrefix(line, "$ quorate "); {
		case strings.HasPrefix(line, "```"):
			inside, command = !inside, ""
		case inside && is:
			command = c
			g[command] = []string{}
		case inside && command != "":
			g[command] = append(g[command], formsOf(line)...)
		}
	}
	return g
}

var (
	macForm    = regexp.MustCompile(`\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b`)
	timeForm   = regexp.MustCompile(`\b([0-9]+(\.[0-9]+)?(h|m|s|ms))+\b`)
	numberForm = regexp.MustCompile(`[0-9]+(\.[0-9]+)*(/[0-9]+)?`)
	hearForm   = regexp.MustCompile(`nN(, nN)* hears?\b`) // as many as happen to have heard it
	fileForm   = regexp.MustCompile(`\S*/cluster\.hcl`)
)

// formsOf are the lines of a text without its numbers, addresses, times and column widths, and without empty ones.
func formsOf(text string) (out []string) {
	text = fileForm.ReplaceAllString(text, "FILE")
	text = timeForm.ReplaceAllString(macForm.ReplaceAllString(text, "MAC"), "TIME")
	text = hearForm.ReplaceAllString(numberForm.ReplaceAllString(text, "N"), "NODES hear")
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 {
			out = append(out, strings.Join(f, " "))
		}
	}
	return out
}

// shows reports where the page does not show for a command what it says. Lines may come in another order: steps are told as they are seen.
func (g guide) shows(t *testing.T, command, out string) {
	t.Helper()
	set := func(lines []string) []string { return slices.Compact(slices.Sorted(slices.Values(lines))) }
	if want, got := set(g[command]), set(formsOf(out)); !slices.Equal(want, got) {
		t.Errorf("the documentation shows for quorate %s (of %q):\n%s\nit says:\n%s", command, slices.Sorted(maps.Keys(g)), strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

func TestGuideForms(t *testing.T) {
	g := parseGuide("text\n```\nquorate x\n```\n```\n$ quorate a b\n  ok  n1 has 192.0.2.10/24 at 02:00:00:00:00:07 (1.35s)\nas n2 hears\n\n$ quorate c\n1 to add\n```\n$ quorate d\n")
	for _, same := range []string{"ok n3 has 10.0.0.1/8 at 02:00:00:ab:00:08 (350ms)\n\nas n1, n2 hear", "as n3 hears\nok n1  has 192.0.2.10 at 02:00:00:00:00:07 (1m2s)"} {
		g.shows(t, "a b", same)
	}
	g.shows(t, "c", "25 to add")
	if len(g) != 2 || slices.Equal(g["a b"], formsOf("ok n1 had 192.0.2.10/24 at 02:00:00:00:00:07 (1.35s)")) {
		t.Errorf("parsed %q", g)
	}
}
