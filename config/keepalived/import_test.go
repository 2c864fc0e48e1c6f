package keepalived

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"quorate/config"
	"quorate/fsm"
)

var update = flag.Bool("update", false, "write the golden files anew")

// importOf imports the directors of files, in order.
func importOf(t *testing.T, files fstest.MapFS, directors ...Director) Result {
	t.Helper()
	r, err := Import(Options{Files: files}, directors)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// whole checks what has to be true of every import: each directive has its finding, none was forgotten, and what is written is read again as the same.
func whole(t testing.TB, r Result) {
	t.Helper()
	for _, f := range r.Findings {
		if strings.Contains(f.What, forgotten) {
			t.Errorf("forgotten: %v", f)
		}
		if f.File == "" || f.Class == "" || f.What == "" {
			t.Errorf("not a whole finding: %+v", f)
		}
	}
	if ps := r.Config.Validate(); len(ps) > 0 {
		t.Errorf("not valid: %v", ps)
	}
	text := r.Format()
	doc, err := config.Parse("x.hcl", text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if got, want := config.Format(doc.Config), config.Format(r.Config); !bytes.Equal(got, want) {
		t.Errorf("read again\n%s\nwritten\n%s", got, want)
	}
	again, err := json.Marshal(r.Findings)
	if err != nil || !json.Valid(again) {
		t.Error(err)
	}
}

// TestExamples imports each example of testdata: a file NAME.conf, or a directory with a file for each director, lb1.conf and lb2.conf.
func TestExamples(t *testing.T) {
	entries, err := os.ReadDir("testdata/examples")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 40 {
		t.Errorf("only %d examples", len(entries))
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".conf")
		t.Run(name, func(t *testing.T) {
			directors := []Director{{Name: "lb1", File: e.Name()}}
			if e.IsDir() {
				directors = nil
				found, _ := filepath.Glob("testdata/examples/" + name + "/lb*.conf")
				for _, f := range found {
					directors = append(directors, Director{Name: strings.TrimSuffix(filepath.Base(f), ".conf"), File: e.Name() + "/" + filepath.Base(f)})
				}
			}
			o := Options{Files: os.DirFS("testdata/examples")}
			r, err := Import(o, directors)
			if err != nil {
				t.Fatal(err)
			}
			whole(t, r)
			got := []byte(string(r.Format()) + "\n# All findings:\n" + comment(r.Table(true)))
			again, err := Import(o, directors)
			if err != nil || !bytes.Equal(again.Format(), r.Format()) || again.Table(true) != r.Table(true) {
				t.Errorf("another result the second time: %v", err)
			}
			golden := "testdata/golden/" + name + ".hcl"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: -update writes it anew; got\n%s", err, got)
			}
		})
	}
}

func comment(s string) string {
	var b strings.Builder
	for l := range strings.Lines(s) {
		b.WriteString(strings.TrimRight("# "+l, " \n") + "\n")
	}
	return b.String()
}

// TestEveryKeyword: of each keyword of the table, with values that it takes, something has become.
func TestEveryKeyword(t *testing.T) {
	var b strings.Builder
	n := 0
	var write func(l *level, depth int)
	write = func(l *level, depth int) {
		for _, k := range l.keywords {
			n++
			fmt.Fprintf(&b, "%s%s", strings.Repeat("\t", depth), k.name)
			for _, v := range k.values {
				fmt.Fprintf(&b, " %s", sample(k.name, v))
			}
			switch {
			case k.inside != nil:
				b.WriteString(" {\n")
				write(k.inside, depth+1)
				b.WriteString(strings.Repeat("\t", depth) + "}\n")
			case k.entries != nil:
				fmt.Fprintf(&b, " {\n%s%s\n%s}\n", strings.Repeat("\t", depth+1), entrySample(k.name), strings.Repeat("\t", depth))
			default:
				b.WriteString("\n")
			}
		}
	}
	write(fileLevel, 0)
	if n < 400 {
		t.Errorf("the table has only %d keywords", n)
	}
	r := importOf(t, tree("k.conf", b.String()), Director{Name: "lb1", File: "k.conf"})
	whole(t, r)
	lines := map[int]bool{}
	for _, f := range r.Findings {
		lines[f.Line] = true
		if strings.Contains(f.What, "does not know this keyword") {
			t.Error(f)
		}
	}
	for i, l := range strings.Split(b.String(), "\n") {
		if s := strings.TrimSpace(l); s != "" && s != "}" && !lines[i+1] {
			t.Errorf("line %d has no finding: %s", i+1, l)
		}
	}
}

// sample is a value that a keyword takes.
func sample(name string, v value) string {
	for _, s := range []string{"1", "300", "MASTER", "PASS", "TCP", "NAT", "A", "inet", "on", "2", "enforce", "time", "192.0.2.7", "VS", "initial", "noreverse", "allow_if_changes", "never", "1.1"} {
		if v.ok(s) && !(name == "protocol" && s != "TCP") {
			return s
		}
	}
	return "x"
}

func entrySample(name string) string {
	switch {
	case strings.HasPrefix(name, "virtual_ip"):
		return "192.0.2.1" + fmt.Sprint(len(name)) + "/24"
	case name == "interface_up_down_delays":
		return "eth0 1"
	}
	return "1"
}

// TestBadURL: what is wrong with one URL of a check takes that check out, and nothing else.
func TestBadURL(t *testing.T) {
	r := importOf(t, tree("k.conf", inServer("HTTP_GET {\nurl {\npath /one\n}\nurl {\npath /two\ndigest zz\n}\n}\nTCP_CHECK {\n}")), Director{Name: "lb1", File: "k.conf"})
	whole(t, r)
	checks := r.Config.Services["tcp-192.0.2.10-80"].Checks
	if len(checks) != 1 || checks[0].Type != fsm.CheckTCP || !strings.Contains(r.Table(false), "digest") {
		t.Errorf("%+v\n%s", checks, r.Table(false))
	}
}
