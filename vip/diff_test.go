package vip

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what the diff gives into testdata/diff.txt")

// TestDiff runs the cases of testdata/diff.txt: what is wanted, managed and there, and under the line of dashes the plan.
func TestDiff(t *testing.T) {
	const file = "testdata/diff.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, c := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		head, want, ok := strings.Cut(c+"\n", "----\n")
		if !ok {
			t.Fatalf("case %d: no line of dashes", i+1)
		}
		name, body, _ := strings.Cut(head, "\n")
		got := planText(diff(parseView(t, body)))
		t.Run(strings.TrimPrefix(name, "# "), func(t *testing.T) {
			if got != want && !*rewrite {
				t.Errorf("plan:\n%swant:\n%s", got, want)
			}
		})
		fmt.Fprintf(&out, "%s----\n%s\n", head, got)
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimSpace(out.String())+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parseView reads the lines of a case:
//
//	want LINK PREFIX        an address that is wanted
//	due PREFIX              its lifetime has to be renewed
//	hold PREFIX             it may not be put back yet
//	managed ADDR            the cluster's
//	have LINK PREFIX ours|foreign
//	link NAME up|down       makes links known
func parseView(t *testing.T, body string) view {
	t.Helper()
	due, hold := map[netip.Prefix]bool{}, map[netip.Prefix]bool{}
	v := view{
		Managed: map[netip.Addr]struct{}{},
		Due:     func(w Wanted, _ Address) bool { return due[w.Prefix] },
		Hold: func(w Wanted) error {
			if hold[w.Prefix] {
				return ErrFought
			}
			return nil
		},
	}
	for line := range strings.Lines(body) {
		f := strings.Fields(line)
		switch f[0] {
		case "want":
			p, _ := netip.ParsePrefix(f[2]) // nonsense is a case too
			v.Want = append(v.Want, Wanted{Link: f[1], Prefix: p, Lifetime: 3 * time.Second})
		case "due":
			due[netip.MustParsePrefix(f[1])] = true
		case "hold":
			hold[netip.MustParsePrefix(f[1])] = true
		case "managed":
			v.Managed[netip.MustParseAddr(f[1])] = struct{}{}
		case "have":
			v.Have = append(v.Have, Address{Link: f[1], Prefix: netip.MustParsePrefix(f[2]), Ours: f[3] == "ours"})
		case "link":
			if v.Links == nil {
				v.Links = map[string]Link{}
			}
			v.Links[f[1]] = Link{Name: f[1], Up: f[2] == "up"}
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	return v
}

func planText(p plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		if s.Remove != nil {
			fmt.Fprintf(&b, "remove %s %s (%s)\n", s.Remove.Link, s.Remove.Prefix, s.Why)
		} else {
			fmt.Fprintf(&b, "put %s %s (%s)\n", s.Put.Link, s.Put.Prefix, s.Why)
		}
	}
	for _, c := range p.Conflicts {
		fmt.Fprintf(&b, "conflict %s %s\n", c.Link, c.Prefix)
	}
	for _, x := range p.Blocked {
		fmt.Fprintf(&b, "blocked %s %s: %v\n", x.Wanted.Link, x.Wanted.Prefix, x.Err)
	}
	return b.String()
}
