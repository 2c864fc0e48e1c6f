package cluster

import (
	"bytes"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	want := token{cluster: newClusterID(), key: newKey()}
	got, err := parseToken("  " + want.String() + "\n")
	if err != nil || got.cluster != want.cluster || !bytes.Equal(got.key, want.key) {
		t.Fatalf("%+v, %v", got, err)
	}
	// A token that lost or changed any one character is told apart.
	s := want.String()
	for i := range s {
		for _, bad := range []string{s[:i] + s[i+1:], s[:i] + "_" + s[i+1:]} {
			if bad == s {
				continue
			}
			if _, err := parseToken(bad); err == nil {
				t.Errorf("accepted %q", bad)
			}
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(token{cluster: "abc", key: make([]byte, keySize)}.String())
	f.Add("quorate1-")
	f.Add(strings.Repeat("quorate1-A", 30))
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := parseToken(s)
		if err == nil && tok.String() != strings.TrimSpace(s) {
			t.Errorf("%q reads as %q", s, tok)
		}
	})
}
