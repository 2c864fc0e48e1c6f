package api

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// timelines have several events for some entries, as the real one has.
func timelines(t *rapid.T) fsm.Timeline {
	var out fsm.Timeline
	index, numbered := uint64(0), rapid.Bool().Draw(t, "numbered") // since schema 6 they are
	for range rapid.IntRange(0, 12).Draw(t, "entries") {
		index += uint64(rapid.IntRange(1, 3).Draw(t, "gap"))
		for i := range rapid.IntRange(1, 4).Draw(t, "events") {
			e := fsm.Event{Index: index, Text: fmt.Sprintf("%d/%d", index, i)}
			if numbered {
				e.N = i
			}
			out = append(out, e)
		}
	}
	return out
}

// TestResumeLosesAndRepeatsNothing: wherever a reader stops, what it has and what it gets from there on is the timeline.
func TestResumeLosesAndRepeatsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := timelines(t)
		var got fsm.Timeline
		at := Cursor{}
		for {
			limit := rapid.IntRange(1, 5).Draw(t, "limit")
			steps := since(all, at, limit)
			if len(steps) == 0 {
				break
			}
			for _, s := range steps {
				got = append(got, s.Event)
			}
			// Over the wire the place is text.
			c, err := ParseCursor(steps[len(steps)-1].after.String())
			if err != nil {
				t.Fatal(err)
			}
			at = c
		}
		if len(got) != len(all) {
			t.Fatalf("%d of %d events", len(got), len(all))
		}
		for i := range all {
			if got[i] != all[i] {
				t.Fatalf("event %d is %q, want %q", i, got[i].Text, all[i].Text)
			}
		}
	})
}

// TestPlaceOutlivesWhatIsForgotten: a place between two events of an entry names the same two when the timeline has forgotten events before it, of that entry too.
func TestPlaceOutlivesWhatIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index, all := uint64(1), fsm.Timeline{}
		for n := 0; len(all) < fsm.MaxEvents+20; n++ {
			if n > 0 && rapid.IntRange(0, 20).Draw(t, "entry ends") == 0 {
				index, n = index+1, 0
			}
			all = append(all, fsm.Event{Index: index, N: n})
		}
		steps := since(all, Cursor{}, 0)
		read := rapid.IntRange(1, len(all)).Draw(t, "read")
		at := steps[read-1].after
		dropped := rapid.IntRange(0, 20).Draw(t, "dropped")
		kept := all[dropped:min(len(all), dropped+fsm.MaxEvents)]
		got := since(kept, at, 0)
		want := kept[min(max(0, read-dropped), len(kept)):]
		if len(got) != len(want) || len(got) > 0 && got[0].Place() != want[0].Place() {
			t.Fatalf("after %s and %d forgotten %d events come, want %d", at, dropped, len(got), len(want))
		}
		if missed := read < dropped; missed && !forgotten(kept, at) {
			t.Fatalf("after %s %d events are forgotten, and it does not say so", at, dropped-read)
		}
		if read >= dropped && at.Index == kept[0].Index && forgotten(kept, at) {
			t.Fatalf("nothing after %s is forgotten", at)
		}
	})
}

func TestForgotten(t *testing.T) {
	full := make(fsm.Timeline, fsm.MaxEvents)
	for i := range full {
		full[i].Index = uint64(i + 100)
	}
	for _, c := range []struct {
		at   Cursor
		want bool
	}{{Cursor{}, false}, {Cursor{Index: 50}, true}, {Cursor{Index: 99, N: 1}, true}, {Cursor{Index: 100}, false}, {Cursor{Index: 5000}, false}} {
		if got := forgotten(full, c.at); got != c.want {
			t.Errorf("at %s: forgotten %v", c.at, got)
		}
	}
	if forgotten(full[:10], Cursor{Index: 1}) {
		t.Error("a timeline that never was full has forgotten nothing")
	}
}

func FuzzParseCursor(f *testing.F) {
	for _, s := range []string{"", "0", "123", "123.2", "1.", ".1", "1.0", "18446744073709551615.1000", "1.2147483647", "1.2147483648", "18446744073709551616", "-1", "1.1.1", " 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			if c != (Cursor{}) {
				t.Errorf("%q: %v beside the error %v", s, c, err)
			}
			return
		}
		again, err := ParseCursor(c.String())
		if err != nil || again != c {
			t.Errorf("%q: %v does not read back: %v, %v", s, c, again, err)
		}
		if c.N < 0 || c.N > maxPerEntry {
			t.Errorf("%q: N is %d", s, c.N)
		}
	})
}

func FuzzParseWait(f *testing.F) {
	for _, s := range []string{"", "0", "30s", "10m", "10m1ns", "-1s", "1h", "x", "9999999h", "1e9s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseWait(s)
		if err == nil && (d < 0 || d > MaxWait) {
			t.Errorf("%q is %s", s, d)
		}
		if err != nil && d != time.Duration(0) {
			t.Errorf("%q: %s beside the error", s, d)
		}
	})
}

func FuzzLocalHost(f *testing.F) {
	for s, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "127.0.0.1:7302": true, "[::1]:7302": true, "::1": true, "10.1.2.3": true,
		"": false, "evil.example": false, "localhost.evil.example:80": false, "127.0.0.1.evil.example": false, "[localhost": false,
	} {
		f.Add(s)
		if s != "[localhost" && localHost(s) != want {
			f.Errorf("%q: %v", s, !want)
		}
	}
	f.Fuzz(func(_ *testing.T, s string) { localHost(s) })
}
