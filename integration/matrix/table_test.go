package matrix

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTableReplacesTheOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(path, []byte("# Title\n"+tableBegin+"old\n"+tableEnd+"rest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	table := Table([]Summary{
		{Row{What: "a fault", Then: Moves}, []Result{
			{Owners: []string{"a", "b"}, Gap: ms(300), Lost: 150}, {Owners: []string{"a", "b"}, Gap: ms(200), Lost: 100, Dual: ms(7)},
		}},
		{Row{What: "another", Then: Either}, []Result{{Owners: []string{"a", "b"}, Gap: ms(40)}, {Owners: []string{"a"}, Gap: ms(20)}, {Owners: []string{"a"}}}},
	})
	for range 2 {
		if err := WriteTable(path, table); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Title\n" + tableBegin + table + tableEnd + "rest\n"; string(text) != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
	for _, want := range []string{
		"3 runs of each row", "| a fault | moves | 250 ms, 300 ms | 125, 150 | **7.0 ms** |",
		"| another | moved in 1 of 3 runs | 20 ms, 40 ms | 0, 0 | never |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if err := os.WriteFile(path, []byte("# Title\n"+tableBegin), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteTable(path, table); err == nil {
		t.Error("wrote into a document that has no place for it")
	}
}

// TestDocumentHasAllRows: a fault that is added, or described anew, has to be measured for the documentation.
func TestDocumentHasAllRows(t *testing.T) {
	table, err := ReadTable("../../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, row := range Rows() {
		if names[row.Name] {
			t.Errorf("two rows are called %s", row.Name)
		}
		names[row.Name] = true
		if !strings.Contains(table, "| "+row.What+" |") {
			t.Errorf("docs/guarantees.md has no row %q (%s): run quorate-lab bench matrix --write docs/guarantees.md", row.What, row.Name)
		}
	}
}
