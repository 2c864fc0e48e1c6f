package keepalived

import (
	"os"
	"strings"
	"testing"
)

// TestGuide: the output that docs/migrate-from-keepalived.md shows is the real one.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/migrate-from-keepalived.md")
	if err != nil {
		t.Fatal(err)
	}
	contains := func(what, text string) {
		t.Helper()
		if !strings.Contains(string(guide), text) {
			t.Errorf("docs/migrate-from-keepalived.md has not %s:\n%s", what, text)
		}
	}
	conf, err := os.ReadFile("testdata/examples/guide/lb1.conf")
	if err != nil {
		t.Fatal(err)
	}
	contains("the file of the first director", string(conf))
	o := Options{Files: os.DirFS("testdata/examples/guide"), Shadow: true}
	directors := []Director{{Name: "n1", File: "lb1.conf"}, {Name: "n2", File: "lb2.conf"}}
	r, err := Import(o, directors)
	if err != nil {
		t.Fatal(err)
	}
	contains("the findings", strings.TrimSpace(r.Table(false)))
	o.Peers = addrs("192.0.2.2", "192.0.2.3")
	if r, err = Import(o, directors); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"virtual_router", "vip", "service"} {
		contains("the "+kind, blockOf(t, string(r.Format()), kind))
	}
}

// blockOf is the first block of a kind.
func blockOf(t *testing.T, text, kind string) string {
	t.Helper()
	_, rest, ok := strings.Cut("\n"+text, "\n"+kind+` "`)
	inside, _, closed := strings.Cut(rest, "\n}\n")
	if !ok || !closed {
		t.Fatalf("no %s in\n%s", kind, text)
	}
	return kind + ` "` + inside + "\n}\n"
}
