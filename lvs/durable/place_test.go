package durable_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate/lvs/durable"
	"quorate/lvs/lvstest"
)

type page struct {
	durable.Place
	Changed []string `json:"changed,omitempty"`
	Times   int      `json:"times,omitempty"`
}

// TestRecall: a page is believed where it was written and nowhere else, as a whole or not at all.
func TestRecall(t *testing.T) {
	here, err := durable.Here()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "page.json")
	from := `{"boot":"` + here.Boot + `","namespace":"` + here.Namespace + `"`
	rebooted, elsewhere, blank := here, here, page{Place: here}
	rebooted.Boot, elsewhere.Namespace = "another", "net:[1]"
	for _, c := range []struct {
		what, text, fails string
		want              page
	}{
		{what: "no file", want: blank},
		{what: "of this place", text: from + `,"changed":["a","b"],"times":2}`,
			want: page{here, []string{"a", "b"}, 2}},
		{what: "of another boot", text: `{"boot":"another","namespace":"` + here.Namespace + `","changed":["a"]}`, want: blank},
		{what: "of another namespace", text: `{"boot":"` + here.Boot + `","namespace":"net:[1]","changed":["a"]}`, want: blank},
		{what: "of no place", text: `{"changed":["a"]}`, want: blank},
		{what: "garbage", text: "{torn", fails: "invalid character", want: blank},
		{what: "empty", text: " ", fails: "unexpected end", want: blank},
		{what: "good to the half", text: from + `,"changed":["a"],"times":"many"}`, fails: "times", want: blank},
		{what: "torn behind the half", text: from + `,"changed":["a"],"ti`, fails: "unexpected end", want: blank},
	} {
		if c.text != "" {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := durable.Recall(path, blank)
		if got.Place != c.want.Place || !slices.Equal(got.Changed, c.want.Changed) || got.Times != c.want.Times {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
		if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.fails)
		}
	}
	if _, err := durable.Recall(dir, blank); err == nil {
		t.Error("a directory was read")
	}
	for _, p := range []page{{here, []string{"c"}, 0}, {rebooted, []string{"c"}, 0}, {elsewhere, []string{"c"}, 0}} {
		if err := durable.Keep(path, p); err != nil {
			t.Fatal(err)
		}
		if got, err := durable.Recall(path, page{Place: p.Place}); err != nil || got.Place != p.Place || !slices.Equal(got.Changed, p.Changed) {
			t.Errorf("%+v, %v; want %+v", got, err, p)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != `{"boot":"`+here.Boot+`","namespace":"net:[1]","changed":["c"]}` {
		t.Errorf("%s, %v", text, err)
	}
}

// TestForgotten: with no path, nothing is read and nothing written.
func TestForgotten(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := durable.Here()
	if err != nil {
		t.Fatal(err)
	}
	if err := durable.Keep("", page{here, []string{"a"}, 1}); err != nil {
		t.Error(err)
	}
	if got, err := durable.Recall("", page{Place: here}); err != nil || got.Changed != nil || got.Place != here {
		t.Errorf("%+v, %v", got, err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestHere: a thread in another network namespace is elsewhere, in the same boot.
func TestHere(t *testing.T) {
	outside, err := durable.Here()
	if err != nil || outside.Boot == "" || strings.TrimSpace(outside.Boot) != outside.Boot || !strings.HasPrefix(outside.Namespace, "net:[") {
		t.Errorf("%+v, %v", outside, err)
	}
	lvstest.Alone(t, func() {
		inside, err := durable.Here()
		if again, _ := durable.Here(); err != nil || again != inside || inside.Boot != outside.Boot || inside.Namespace == outside.Namespace {
			t.Errorf("%+v and %+v outside, %v", inside, outside, err)
		}
	})
}
