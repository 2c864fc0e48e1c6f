package keepalived

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// most lines after expansion: many small runs find more than a few large ones.
const most = 500

// FuzzImport: whatever the files are, the import ends soon, what comes out is valid and is read again as the same, and each line that the parser got is named.
func FuzzImport(f *testing.F) {
	examples, _ := filepath.Glob("testdata/examples/*.conf")
	for _, e := range examples {
		text, err := os.ReadFile(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), "$X=1\npriority $X\n")
	}
	pairs, _ := filepath.Glob("testdata/examples/*/lb1.conf")
	for _, p := range pairs {
		one, _ := os.ReadFile(p)
		two, err := os.ReadFile(filepath.Join(filepath.Dir(p), "lb2.conf"))
		if err == nil {
			f.Add(string(one), string(two))
		}
	}
	for _, s := range []string{"include b.conf", "~SEQ(A,1,99999) ~SEQ(B,1,9) x $A", "$A=$A $A\n$A", "$A=\\\n$A\n$A", "@lb1 @lb1 @^lb1 x", "~LST({a,b},{1,2},{3}) ${a} ${b}", "x { { { } y } }", "virtual_server group g {", "${_RANDOM 1 2}${_PWD}"} {
		f.Add(s, "include k.conf")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		files := tree("k.conf", one, "b.conf", two)
		r, err := Import(Options{Files: files, lines: most}, []Director{{Name: "lb1", File: "k.conf"}, {Name: "lb2", File: "b.conf"}})
		if err != nil {
			if !errors.Is(err, ErrTooMuch) && !strings.Contains(err.Error(), "limit") && !strings.Contains(err.Error(), "too many findings") {
				t.Fatal(err)
			}
			return
		}
		whole(t, r)
		named := map[string]bool{}
		for _, x := range r.Findings {
			named[x.Place.String()] = true
		}
		for _, name := range []string{"k.conf", "b.conf"} {
			rd := &reader{files: files, most: most, id: map[string]string{"k.conf": "lb1", "b.conf": "lb2"}[name]}
			if rd.start(name) != nil {
				return
			}
			for {
				l, ok, err := rd.next()
				if err != nil || !ok {
					break
				}
				if l.s != "{" && l.s != "}" && !named[l.at.String()] {
					t.Fatalf("%s has no finding: %q", l.at, l.s)
				}
			}
		}
	})
}
