package health

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTracker feeds results (+ success, - failure) and compares the verdict after each (? unknown, U up, D down).
func TestTracker(t *testing.T) {
	for _, c := range []struct {
		name       string
		rise, fall int
		results    string
		verdicts   string
	}{
		{"first verdict up", 2, 3, "++", "?U"},
		{"first verdict down", 2, 3, "---", "??D"},
		{"a failure breaks the rise", 2, 3, "+-++", "???U"},
		{"a success breaks the fall", 2, 3, "--+---", "?????D"},
		{"never decided while it flaps", 2, 2, "+-+-+-", "??????"},
		{"down needs all failures in a row", 1, 3, "+--+---", "UUUUUUD"},
		{"up again after rise", 2, 1, "++-+-++", "?UDDDDU"},
		{"one is enough", 1, 1, "+-+-", "UDUD"},
		{"below one means one", 0, -4, "+-+-", "UDUD"},
		{"staying is no change", 2, 2, "+++++", "?UUUU"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := Tracker{Rise: c.rise, Fall: c.fall}
			got := ""
			for _, r := range c.results {
				before := tr.Verdict()
				changed := tr.Add(r == '+')
				if changed != (tr.Verdict() != before) {
					t.Errorf("after %q: changed = %v, %v -> %v", got, changed, before, tr.Verdict())
				}
				got += map[Verdict]string{Unknown: "?", Up: "U", Down: "D"}[tr.Verdict()]
			}
			if got != c.verdicts {
				t.Errorf("results %s: verdicts %s, want %s", c.results, got, c.verdicts)
			}
		})
	}
}

func TestTrackerRetuned(t *testing.T) {
	tr := Tracker{Rise: 5, Fall: 1}
	tr.Add(true)
	tr.Add(true)
	tr.Rise = 3
	if !tr.Add(true) || tr.Verdict() != Up {
		t.Errorf("rise lowered to 3 with two successes: %v after the third, want up", tr.Verdict())
	}
	if ok, n := tr.Streak(); !ok || n != 3 {
		t.Errorf("streak %v %d, want true 3", ok, n)
	}
}

// TestTrackerProperty compares with the definition: the verdict is that of the latest run of results that is long enough.
func TestTrackerProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, fall := rapid.IntRange(1, 5).Draw(t, "rise"), rapid.IntRange(1, 5).Draw(t, "fall")
		results := rapid.SliceOfN(rapid.Bool(), 0, 60).Draw(t, "results")
		tr := Tracker{Rise: rise, Fall: fall}
		var history strings.Builder
		var changes []Verdict
		for _, ok := range results {
			if ok {
				history.WriteByte('+')
			} else {
				history.WriteByte('-')
			}
			if tr.Add(ok) {
				changes = append(changes, tr.Verdict())
			}
			h := history.String()
			up := endOfLast(h, "+", rise)
			down := endOfLast(h, "-", fall)
			want := Unknown
			if up > down {
				want = Up
			} else if down > up {
				want = Down
			}
			if tr.Verdict() != want {
				t.Fatalf("%s rise %d fall %d: %v, want %v", h, rise, fall, tr.Verdict(), want)
			}
		}
		for i, v := range changes {
			if v == Unknown || i > 0 && v == changes[i-1] {
				t.Fatalf("changes %v", changes)
			}
		}
	})
}

// endOfLast is where the last run of n results r ends in history; 0 when there is none.
func endOfLast(history, r string, n int) int {
	if i := strings.LastIndex(history, strings.Repeat(r, n)); i >= 0 {
		return i + n
	}
	return 0
}

func TestVerdictText(t *testing.T) {
	for _, v := range []Verdict{Unknown, Up, Down} {
		b, _ := v.MarshalText()
		var back Verdict
		if err := back.UnmarshalText(b); err != nil || back != v {
			t.Errorf("%v -> %s -> %v, %v", v, b, back, err)
		}
	}
	var v Verdict
	if err := v.UnmarshalText([]byte("maybe")); err == nil {
		t.Error("verdict \"maybe\" was taken")
	}
}
