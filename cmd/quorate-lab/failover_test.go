package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestFailoverInTurn: two repetitions with each system, one after the other, make a row for each setting, and a ratio for each row of
// keepalived. What the numbers are is not for a test to say.
func TestFailoverInTurn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	if testing.Short() {
		t.Skip("-short: it builds quorate and forms a cluster")
	}
	if _, err := lab.FindKeepalived(); err != nil {
		t.Skip(err)
	}
	quorate := buildQuorate(t)
	before, err := lab.TakeFootprint()
	if err != nil {
		t.Fatal(err)
	}
	bench := program(t, "bench", "failover", "--runs", "2", "--scenarios", "power", "--adverts", "100ms,10ms", "--quorate", quorate)
	var rows, progress bytes.Buffer
	bench.Stdout, bench.Stderr = &rows, &progress
	err = bench.Run() // not 0 when a promise about times was broken, which a busy machine may do
	type line struct {
		row
		Against string `json:"ratio_to"`
	}
	var got []string
	for d := json.NewDecoder(&rows); ; {
		var l line
		if derr := d.Decode(&l); errors.Is(derr, io.EOF) {
			break
		} else if derr != nil {
			t.Fatal(derr)
		}
		switch {
		case l.Against != "":
			got = append(got, "ratio to "+l.Against)
			continue
		case l.Runs != 2 || l.Median <= 0 || l.Max < l.Median || (l.System == "keepalived") != (l.Version != ""):
			t.Errorf("%+v", l.row)
		}
		got = append(got, fmt.Sprintf("%s, %s, %s", l.System, l.Setting, l.Scenario))
	}
	want := []string{"quorate, lan, power"}
	for _, form := range []string{"keepalived, advert %s, power", "ratio to keepalived, advert %s"} {
		for _, a := range []string{"100ms", "10ms"} {
			want = append(want, fmt.Sprintf(form, a))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q\n%v\n%s", got, want, err, progress.String())
	}
	if n := bytes.Count(progress.Bytes(), []byte("quorate, lan, power 1/2")); n != 1 {
		t.Errorf("the first repetition is told of %d times", n)
	}
	left, err := before.Compare(5 * time.Second)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}
