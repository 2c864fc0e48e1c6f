package agent

import (
	"net/netip"
	"strings"
	"testing"

	"quorate/cluster"
	"quorate/fsm"
	"quorate/health"
)

// TestUnreached: what this node alone sees down is a problem of its own, and says what comes of it.
func TestUnreached(t *testing.T) {
	o := newObserver("n1", func([]cluster.Observation) {}, func([]fsm.ServerKey) {})
	s := checked(t)
	var tcp string
	for _, x := range o.targets(s) {
		if strings.HasPrefix(x.ID, "tcp") {
			tcp = x.ID
		}
	}
	key := fsm.ServerKey{Service: "a", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	is := func(want ...string) {
		t.Helper()
		got := o.unreached(s)
		if len(got) != min(1, len(want)) {
			t.Fatalf("%q, want %q", got, want)
		}
		for _, w := range want {
			if !strings.Contains(got[0], w) {
				t.Errorf("%q, want %q", got[0], w)
			}
		}
	}
	w := newWorld()
	w.state = s
	verdict := func(v fsm.Verdict) {
		s = w.apply(t, fsm.Command{SetHealth: &fsm.SetHealth{Verdicts: []fsm.ServerVerdict{{Server: key, Verdict: v}}}})
	}
	verdict(fsm.Up)
	is()
	o.transition(health.Transition{ID: tcp, Detail: "no answer"})
	is("1 of 1 servers of service a that the cluster has as up: 10.0.0.1:80 (no answer): should it get the VIP")
	vip := s.Config.VIPs["web"].Key()
	s = w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: vip, VIP: "web", Owner: "n1", OwnerEpoch: s.Nodes["n1"].Epoch}}}})
	is("it has the VIP of the service, and connections that go to them fail")
	s = w.apply(t, fsm.Command{SetPaths: &fsm.SetPaths{Edges: []fsm.PathEdge{{Node: "n1", VIP: "web", Cut: true}}}})
	is("no other node is able")
	verdict(fsm.Down)
	is()
	verdict(fsm.Up)
	o.transition(health.Transition{ID: tcp, Up: true})
	is()
}
