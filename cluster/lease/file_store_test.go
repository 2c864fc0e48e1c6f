package lease

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

func TestFileStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease.db")
	s := NewFileStore(path)
	if _, err := s.Load(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "join it again") {
		t.Fatalf("missing: %v", err)
	}
	if err := s.Create(); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("created twice: %v", err)
	}
	if d, err := s.Load(); err != nil || !reflect.DeepEqual(d, Durable{}) {
		t.Fatalf("%+v %v", d, err)
	}
	want := Durable{Floors: map[fsm.NodeID]fsm.Epoch{"n1": 7, "n2": 1 << 60}, SetFloor: 9, Cap: 250 * time.Millisecond, Promises: 1 << 63}
	if err := s.Save(want); err != nil {
		t.Fatal(err)
	}
	if d, err := NewFileStore(path).Load(); err != nil || !reflect.DeepEqual(d, want) {
		t.Fatalf("%+v %v", d, err)
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", i.Mode(), err)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Fatalf("%d files are left", len(entries))
	}
}

// A crash while the next value is written leaves the last one.
func TestFileStoreAfterACrashInTheMiddle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease.db")
	s := NewFileStore(path)
	if err := s.Save(Durable{SetFloor: 9}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte("quorate-lease 1 half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Load(); err != nil || d.SetFloor != 9 {
		t.Fatalf("%+v %v", d, err)
	}
	if err := s.Save(Durable{SetFloor: 10}); err != nil {
		t.Fatal(err)
	}
}

func TestFileStoreDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease.db")
	s := NewFileStore(path)
	if err := s.Save(Durable{Floors: map[fsm.NodeID]fsm.Epoch{"n1": 7}, SetFloor: 9, Cap: time.Second, Promises: 3}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := s.Load(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove the node") {
			t.Fatalf("%s: %+v %v", name, d, err)
		}
	}
	for n := range good {
		check("cut short", good[:n])
		bad := bytes.Clone(good)
		bad[n] ^= 0x20
		check("a bit flipped", bad)
	}
	check("longer", append(bytes.Clone(good), '\n'))
	check("huge", make([]byte, maxFile+1))
	check("zeroes", make([]byte, len(good)))
}

// Where the file cannot be written the error says which.
func TestFileStoreUnwritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone", "lease.db")
	if err := NewFileStore(path).Save(Durable{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Fatalf("%v", err)
	}
}

func FuzzFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "lease.db")
	if err := NewFileStore(path).Save(Durable{Floors: map[fsm.NodeID]fsm.Epoch{"n1": 7}}); err != nil {
		f.Fatal(err)
	}
	good, _ := os.ReadFile(path)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseFile(b); err == nil && (d.Cap < 0 || d.Cap > maxTTL) {
			t.Fatalf("%+v", d)
		}
	})
}
