package fsm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// sealed puts a right header before body.
func sealed(body []byte) []byte {
	out := []byte(snapshotMagic)
	out = binary.BigEndian.AppendUint64(out, uint64(len(body)))
	sum := sha256.Sum256(body)
	return append(append(out, sum[:]...), body...)
}

func TestSnapshotRoundTrip(t *testing.T) {
	for i, h := range histories() {
		s := New()
		for _, c := range h {
			s, _ = s.Apply(s.Index+1, c)
		}
		b := snapshotOf(t, s)
		restored, err := Restore(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("history %d: %v", i, err)
		}
		if !bytes.Equal(snapshotOf(t, restored), b) {
			t.Errorf("history %d: the state is another one", i)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	w := newWorld(t)
	w.form(1, 1)
	w.configure(vips(2))
	w.settle()
	good := snapshotOf(t, w.s)
	body := string(good[snapshotHeader:])
	flipped := bytes.Clone(good)
	flipped[len(flipped)-10] ^= 1
	long := bytes.Clone(good)
	binary.BigEndian.PutUint64(long[8:], 1<<40)
	newer := bytes.Clone(good)
	newer[7] = 2
	edit := func(old, new string) []byte {
		if !strings.Contains(body, old) {
			t.Fatalf("%q is not in the snapshot", old)
		}
		return sealed([]byte(strings.Replace(body, old, new, 1)))
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "cut off"},
		{"another file", bytes.Repeat([]byte("SQLite"), 20), "not a snapshot of quorate"},
		{"cut header", good[:30], "cut off"},
		{"cut body", good[:len(good)-1], "cut off"},
		{"flipped bit", flipped, "checksum"},
		{"too long", long, "limit"},
		{"newer format", newer, "use the version that wrote it"},
		{"newer schema", edit(`"schema":7`, `"schema":99`), "upgrade quorate"},
		{"unknown field", edit(`"schema":7`, `"schema":7,"leases":1`), "leases"},
		{"two values", sealed([]byte(body + body)), "more after the end"},
		{"misfiled node", edit(`"n2":{"id":"n2"`, `"n9":{"id":"n2"`), "filed under"},
		{"misfiled VIP", edit(`"v0000":{"name"`, `"v9":{"name"`), "filed under"},
		{"unknown owner", edit(`"owner":"n1"`, `"owner":"n7"`), "no member"},
	} {
		_, err := Restore(bytes.NewReader(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEncodeAndDecode(t *testing.T) {
	for _, h := range histories()[:2] {
		for _, c := range h {
			b, err := Encode(c)
			if err != nil {
				t.Fatalf("%s: %v", c.Kind(), err)
			}
			got, err := Decode(b)
			if err != nil {
				t.Fatalf("%s: %v", c.Kind(), err)
			}
			again, err := Encode(got)
			if err != nil || !bytes.Equal(b, again) {
				t.Errorf("%s: became another command: %v", c.Kind(), err)
			}
		}
	}
	for text, want := range map[string]string{
		`{"schema":99}`:         "upgrade quorate",
		`{"sing":{}}`:           "sing",
		`{} {}`:                 "more after the end",
		`{"decide":{"assign":1`: "EOF",
		``:                      "EOF",
	} {
		if _, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("decode %s: %v, want %q", text, err, want)
		}
	}
	if _, err := Decode([]byte(`{"schema":99}`)); !errors.Is(err, ErrSchema) {
		t.Errorf("a newer schema: %v", err)
	}
	// What Decode would not read must not get into the log.
	if _, err := Encode(Command{SetAdmin: &SetAdmin{Server: ServerKey{Service: "http"}}}); err == nil {
		t.Error("a server key without address was encoded")
	}
	if _, err := Encode(Command{Record: &Record{Event: Event{Text: strings.Repeat("x", MaxCommandBytes)}}}); err == nil {
		t.Error("a command beyond the limit was encoded")
	}
}

// A state from before the index strictly grows is not applied twice.
func TestApplyRefusesEarlierIndex(t *testing.T) {
	w := newWorld(t)
	w.form(1)
	for _, index := range []uint64{0, w.s.Index - 1, w.s.Index} {
		next, res := w.s.Apply(index, Command{})
		if next != w.s || !errors.Is(res.Err, ErrStale) {
			t.Errorf("index %d: %v", index, res.Err)
		}
	}
	if next, res := w.s.Apply(w.s.Index+5, Command{}); next.Index != w.s.Index+5 || res.Err != nil {
		t.Errorf("a gap: %d, %v", next.Index, res.Err)
	}
}

// Results travel to the proposer as JSON.
func TestResultJSON(t *testing.T) {
	b, err := json.Marshal(Result{Index: 3, Refused: []Refusal{{Why: "stale"}}})
	if err != nil {
		t.Fatal(err)
	}
	var r Result
	if err := json.Unmarshal(b, &r); err != nil || r.Index != 3 || len(r.Refused) != 1 {
		t.Errorf("%s: %+v, %v", b, r, err)
	}
}

// Whatever a command brings, the state fits into a snapshot.
func TestSnapshotAfterAbsurdTimes(t *testing.T) {
	for _, at := range []time.Time{time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), time.Now()} {
		s, res := New().Apply(1, Command{At: at, Actor: "\xff", Init: &Init{ClusterID: "c1", Node: director("n1", 1)}})
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		b := snapshotOf(t, s)
		restored, err := Restore(bytes.NewReader(b))
		if err != nil || !bytes.Equal(b, snapshotOf(t, restored)) {
			t.Errorf("%v: %v", at, err)
		}
	}
}
