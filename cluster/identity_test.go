package cluster

import (
	"os"
	"path/filepath"
	"testing"

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
