package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// seed adds the files of all archives and examples.
func seed(f *testing.F) {
	archives, _ := filepath.Glob("testdata/*/*.txtar")
	for _, path := range archives {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, x := range ar.Files {
			if x.Name != "want" {
				f.Add(filepath.Ext(x.Name) == ".json", x.Data)
			}
		}
	}
	for _, name := range []string{"design.hcl", "design.json", "format.hcl", "vrrp.hcl", "vrrp.json"} {
		text, err := os.ReadFile("testdata/good/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Ext(name) == ".json", text)
	}
}

func fileName(json bool) string {
	if json {
		return "x.json"
	}
	return "x.hcl"
}

// FuzzParse holds that any text is either refused with diagnostics, each of them in the file, or means something that
// Format can write and Parse reads back.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, json bool, text []byte) {
		doc, err := Parse(fileName(json), text)
		if err != nil {
			checkDiagnostics(t, err, text)
			return
		}
		if err := doc.Validate(); err != nil {
			t.Fatalf("accepted and not valid: %v", err)
		}
		again, err := Parse("again.hcl", Format(doc.Config))
		if err != nil {
			t.Fatalf("%v in\n%s", err, Format(doc.Config))
		}
		equal(t, again.Config, doc.Config)
	})
}

// FuzzParseAgent holds the same of an agent's settings, and that completing them twice changes nothing.
func FuzzParseAgent(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, json bool, text []byte) {
		a, err := ParseAgent(fileName(json), text)
		if err != nil {
			checkDiagnostics(t, err, text)
			return
		}
		b := a
		if ps := b.complete(); len(ps) > 0 || a != b {
			t.Fatalf("%+v became %+v, %v", a, b, ps)
		}
	})
}

func checkDiagnostics(t *testing.T, err error, text []byte) {
	var ds Diagnostics
	if !errors.As(err, &ds) || len(ds) == 0 {
		t.Fatalf("the error is a %T: %v", err, err)
	}
	lines := bytes.Count(text, []byte("\n")) + 1
	for _, d := range ds {
		if d.File == "" || d.What == "" || d.Line < 0 || d.Line > lines || d.Line > 0 && d.Column < 1 {
			t.Fatalf("diagnostic %+v of a text of %d lines", d, lines)
		}
	}
}
