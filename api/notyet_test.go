package api

import (
	"net/netip"
	"strings"
	"testing"

	"quorate/fsm"
)

// TestNotYet: who waits for a move in vain is told whether the owner still has to give the VIP up, or the cluster has given it to another.
func TestNotYet(t *testing.T) {
	web := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
	for _, c := range []struct {
		have fsm.Assignment
		want string
	}{
		{fsm.Assignment{Owner: "n2", Release: &fsm.Release{To: "n1"}}, "n1 does not own it yet: the owner has not confirmed"},
		{fsm.Assignment{Owner: "n2", Release: &fsm.Release{To: "n3"}}, "decided otherwise meanwhile, and n2 has web"},
		{fsm.Assignment{Owner: "n3"}, "decided otherwise meanwhile, and n3 has web"},
		{fsm.Assignment{}, "decided otherwise meanwhile, and nobody has web"},
	} {
		st := &fsm.State{Assignments: map[fsm.AddressKey]fsm.Assignment{web.Key(): c.have}}
		if got := notYet(st, []fsm.VIP{web}, "n1"); !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.have, got, c.want)
		}
	}
}
