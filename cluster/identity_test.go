package cluster

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"quorate/fsm"
)

func TestIdentityFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), identityFile)
	file := fileDocument(path)
	if _, ok, err := loadIdentity(file); ok || err != nil {
		t.Fatalf("found %v, %v", ok, err)
	}
	want := identity{Node: "n1", Store: newStoreID(), Cluster: newClusterID(), Key: newKey(), Standing: standingMember,
		Peers: map[fsm.NodeID]string{"n2": "10.0.0.2:7300"}, Profile: fsm.WAN}
	for range 2 {
		if err := saveIdentity(file, want); err != nil {
			t.Fatal(err)
		}
	}
	got, ok, err := loadIdentity(file)
	if err != nil || !ok || !got.equal(want) {
		t.Fatalf("%+v, %v", got, err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: the file holds the cluster key", st.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	incomplete := want
	incomplete.Key = nil
	if err := saveIdentity(file, incomplete); err != nil {
		t.Fatal(err)
	}
	_, _, err = loadIdentity(file)
	wantText(t, err, path, "incomplete")
}

func FuzzIdentity(f *testing.F) {
	b, _ := identity{Node: "n1", Store: "s", Cluster: "c", Key: make([]byte, keySize), Standing: standingMember}.encode()
	f.Add(b)
	f.Add([]byte(`{"identity":null,"sha256":""}`))
	f.Add([]byte(`{"identity":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := decodeIdentity(b)
		if err != nil {
			return
		}
		again, err := id.encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeIdentity(again); err != nil || !got.equal(id) {
			t.Errorf("%+v became %+v, %v", id, got, err)
		}
	})
}

// A data directory that has a member's log, but not its identity, is no new one.
func TestIdentityMissingBesideALog(t *testing.T) {
	o := options(t, "n1")
	n := start(t, o)
	if _, err := n.Bootstrap(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	n.stop(t)
	file := filepath.Join(o.DataDir, identityFile)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	again, err := Open(o)
	if err == nil {
		_ = again.Close()
	}
	wantText(t, err, file, "is missing", "restore", "join again")
	// What a crash leaves of a bootstrap or a join that had not begun is a new one.
	o = options(t, "n2")
	if _, err = Disk(o.DataDir, o.Log).Open(true); err == nil {
		t.Fatal("a directory that is not there was opened")
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Disk(o.DataDir, o.Log).Open(true)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if again, err = Open(o); err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
