package config

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// FuzzPieces holds that what is parsed in pieces is what the parser makes of the whole, with the same positions, and is within the limits.
func FuzzPieces(f *testing.F) {
	seed(f)
	for _, text := range []string{
		"vip \"v\" { address = \"192.0.2.1/24\" prefer = [\"a\"] }\n",
		strings.Repeat("service \"a\" {\n  port = 80 # {\n}\n", 200),
		strings.Repeat("a {} // \"\n/* }\n\" */ b \"\\\"{\" {}\n", 200), "a {\n}\n\"", "a \"${\"}\"} {\n}\n", "a {\r\n}\r\nb {}", "a {}\rb {}\n", "x = <<E\n}\nE\n",
	} {
		f.Add(false, []byte(text))
	}
	f.Fuzz(func(t *testing.T, json bool, text []byte) {
		if json {
			return
		}
		// Pieces come of a long text alone.
		filled := bytes.ReplaceAll(text, []byte("\n"), []byte(" # "+strings.Repeat("x", pieceBytes)+"\n"))
		for _, text := range [][]byte{text, filled} {
			sources := []Source{{"x.hcl", text}}
			pieces, err := parseAll(sources, (*decoder).parsePieces)
			if err != nil || pieces == nil {
				continue
			}
			whole, err := parseAll(sources, (*decoder).parse)
			if err != nil {
				t.Fatalf("in pieces it is right, as a whole %v", err)
			}
			equal(t, pieces.Config, whole.Config)
			if p, w := pieces.outline(), whole.outline(); !slices.Equal(p, w) {
				t.Fatalf("in pieces there is\n%s\nas a whole\n%s", strings.Join(p, "\n"), strings.Join(w, "\n"))
			}
		}
	})
}

// outline is where everything stands.
func (doc *Document) outline() (out []string) {
	for object, keys := range doc.places {
		for _, p := range keys {
			key := p.key
			out = append(out, fmt.Sprintf("%s %s: %v %q", object, key, doc.files.position(p.at), p.text))
			for name, item := range p.items {
				out = append(out, fmt.Sprintf("%s %s %s: %v %q", object, key, name, doc.files.position(item.at), item.text))
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestPieces: the files that people write are parsed in pieces.
func TestPieces(t *testing.T) {
	for _, name := range []string{"design.hcl", "format.hcl", "vrrp.hcl"} {
		text, err := os.ReadFile("testdata/good/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if doc, err := parseAll([]Source{{name, text}}, (*decoder).parsePieces); err != nil || doc == nil {
			t.Errorf("%s is not parsed in pieces: %v", name, err)
		}
	}
	long := strings.Repeat("vip \"a\" { address = \"192.0.2.1/24\" } # {\n", 1000)
	if pieces, ok := split([]byte(long)); !ok || len(pieces) < len(long)/pieceBytes/2 || strings.Join(texts(pieces), "") != long {
		t.Errorf("%t, %d pieces", ok, len(pieces))
	}
	for _, text := range []string{
		"a {", "a }\n", "a = \"b\nc\"\n", "a = \"${b}\"\n", "a = <<E\nE\n", "/* ", "é {}\n", strings.Repeat("a {\n", 17) + strings.Repeat("}\n", 17),
		"a = " + strings.Repeat("!", 300) + "b\n", "a {}\r",
	} {
		if _, ok := split([]byte(text)); ok {
			t.Errorf("%q was split", text)
		}
	}
}

func texts(pieces [][]byte) (out []string) {
	for _, p := range pieces {
		out = append(out, string(p))
	}
	return out
}
