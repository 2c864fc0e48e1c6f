package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// FuzzPieces holds that what is parsed in pieces is what the parser makes of the whole, with the same positions, and is within the limits.
func FuzzPieces(f *testing.F) {
	seed(f)
	for _, text := range []string{
		strings.Repeat("service \"a\" {\n  port = 80 # {\n}\n", 200),
		strings.Repeat("a {} // \"\n/* }\n\" */ b \"\\\"{\" {}\n", 200), "a {\n}\n\"", "a \"${\"}\"} {\n}\n", "a {\r\n}\r\nb {}", "a {}\rb {}\n", "x = <<E\n}\nE\n",
	} {
		f.Add(false, []byte(text))
	}
	f.Fuzz(func(t *testing.T, json bool, text []byte) {
		if json {
			return
		}
		// Many pieces come of a long text alone.
		for _, text := range [][]byte{text, []byte(strings.Repeat(string(text), 1+2*pieceBytes/(len(text)+1)))} {
			if _, _, ok := parsePieces("x.hcl", text); !ok {
				continue
			}
			pieces, whole := newDecoder(), newDecoder()
			got, _ := pieces.parse(Source{"x.hcl", text})
			want, ok := whole.parseWhole(Source{"x.hcl", text})
			if !ok {
				t.Fatalf("in pieces it is right, as a whole %v", whole.found)
			}
			if g, w := pieces.outline(got), whole.outline(want); !slices.Equal(g, w) {
				t.Fatalf("in pieces it is\n%s\nas a whole\n%s", strings.Join(g, "\n"), strings.Join(w, "\n"))
			}
		}
	})
}

// outline is everything in a body with where it stands.
func (d *decoder) outline(body hcl.Body) (out []string) {
	n := openHCL(body.(*hclsyntax.Body))
	for _, a := range n.attrs {
		out = append(out, fmt.Sprintf("%v %s = %q", d.files.position(a.at), a.name, d.files.source(a.expr.Range())))
	}
	for _, c := range n.blocks {
		out = append(out, fmt.Sprintf("%v %s %q {", d.files.position(c.at), c.name, c.labels))
		for _, r := range c.names {
			out = append(out, fmt.Sprint(d.files.position(r)))
		}
		out = append(append(out, d.outline(c.body)...), "}")
	}
	return out
}

// TestPieces: the files that people write are parsed in pieces; what has a fault is not, because only the whole says where.
func TestPieces(t *testing.T) {
	for _, name := range []string{"design.hcl", "format.hcl"} {
		text, err := os.ReadFile("testdata/good/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := parsePieces(name, text); !ok {
			t.Errorf("%s is not parsed in pieces", name)
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
	for _, text := range []string{"a = 1\n", "a {\n  b = 1 c\n}\n"} {
		if _, _, ok := parsePieces("x.hcl", []byte(text)); ok {
			t.Errorf("%q was parsed in pieces", text)
		}
	}
}

func texts(pieces [][]byte) (out []string) {
	for _, p := range pieces {
		out = append(out, string(p))
	}
	return out
}
