package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"quorate/fsm"
)

var update = flag.Bool("update", false, "write the golden files and the reference page")

// TestMistakes reads the files of each archive in testdata/mistakes as one configuration, and those in testdata/agent as
// agent's settings, and compares what is said of them with the file "want" in the archive.
func TestMistakes(t *testing.T) {
	parse := func(sources []Source) error {
		doc, err := ParseAll(sources...)
		if err != nil && doc != nil {
			t.Error("there is a document beside the error")
		}
		return err
	}
	archives(t, "testdata/mistakes", parse)
}

func TestAgentMistakes(t *testing.T) {
	archives(t, "testdata/agent", func(sources []Source) error {
		a, err := ParseAgent(sources[0].Name, sources[0].Text)
		if err != nil && a != (AgentConfig{}) {
			t.Error("there are settings beside the error")
		}
		return err
	})
}

func archives(t *testing.T, dir string, parse func([]Source) error) {
	paths, _ := filepath.Glob(dir + "/*.txtar")
	if len(paths) == 0 {
		t.Fatal("no archives in " + dir)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var sources []Source
			var rest []txtar.File
			want := ""
			for _, f := range ar.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				rest = append(rest, f)
				sources = append(sources, Source{f.Name, f.Data})
			}
			err = parse(sources)
			if err == nil {
				t.Fatal("no fault was found")
			}
			var ds Diagnostics
			if !errors.As(err, &ds) || !errors.Is(err, fsm.ErrInvalid) {
				t.Fatalf("the error is a %T", err)
			}
			for _, d := range ds {
				if d.File == "" || d.What == "" || d.Cure == "" && !strings.Contains(d.What, "?") {
					t.Errorf("without file, fault or cure: %s", d)
				}
			}
			got := err.Error() + "\n"
			if got == want {
				return
			}
			if !*update {
				t.Fatalf("got:\n%s\nwant:\n%s\n(-update writes it)", got, want)
			}
			ar.Files = append(rest, txtar.File{Name: "want", Data: []byte(got)})
			if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestWindowsText reads a file with a byte order mark and carriage returns, as some editors write them.
func TestWindowsText(t *testing.T) {
	doc, err := Parse("x.hcl", []byte("\xef\xbb\xbfvip \"web\" {\r\n  address = \"192.0.2.10/24\"\r\n}\r\n"))
	if err != nil || len(doc.Config.VIPs) != 1 {
		t.Errorf("%v", err)
	}
}

// TestTooMuch covers the limits, which no golden file should hold.
func TestTooMuch(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		text []byte
		want string
	}{
		"long":           {"x.hcl", bytes.Repeat([]byte("#\n"), MaxBytes/2+1), "longer than 4 MiB"},
		"deep lists":     {"x.hcl", []byte("a = " + strings.Repeat("[", 100_000)), "x.hcl:1:21: brackets are nested too deeply"},
		"deep blocks":    {"x.hcl", bytes.Repeat([]byte("a {\n"), 50_000), "x.hcl:17:3: brackets are nested too deeply"},
		"deep templates": {"x.hcl", []byte("a = " + strings.Repeat(`"${`, 50_000)), "brackets are nested too deeply"},
		"operators":      {"x.hcl", []byte("a = " + strings.Repeat("!", 100_000)), "x.hcl:1:261: this is full of operators"},
		"deep json":      {"x.json", []byte(strings.Repeat("[\n", 100_000)), "x.json:17:1: brackets are nested too deeply"},
		"deep json objs": {"x.json", bytes.Repeat([]byte(`{"a":`), 50_000), "brackets are nested too deeply"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(c.file, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, err := ParseAgent(c.file, c.text); err == nil {
				t.Error("ParseAgent took it")
			}
		})
	}
}

func TestManyProblemsAreCut(t *testing.T) {
	_, err := Parse("x.hcl", bytes.Repeat([]byte("nonsense {\n}\n"), 250))
	var ds Diagnostics
	if !errors.As(err, &ds) || len(ds) != 250 {
		t.Fatalf("%d diagnostics, want all 250", len(ds))
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 101 || lines[100] != "and 150 more problems" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}
