package agent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

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
	is := func(want string, after time.Duration) {
		t.Helper()
		got := strings.Join(o.unreached(s, time.Now().Add(after)), "\n")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	w := newWorld()
	w.state = s
	verdict := func(v fsm.Verdict) {
		s = w.apply(t, fsm.Command{SetHealth: &fsm.SetHealth{Verdicts: []fsm.ServerVerdict{{Server: key, Verdict: v}}}})
	}
	const long = time.Hour
	verdict(fsm.Up)
	is("", long)
	o.transition(health.Transition{ID: tcp, Detail: "no answer"})
	is("", long) // no client comes by this node
	s = w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: s.Config.VIPs["web"].Key(), VIP: "web", Owner: "n1", OwnerEpoch: s.Nodes["n1"].Epoch}}}})
	is("", 0) // it may be the first to see it
	is("a VIP of service a and does not reach 1 of its 1 servers that are up: 10.0.0.1:80 (no answer): connections that go to them fail", long)
	s = w.apply(t, fsm.Command{SetPaths: &fsm.SetPaths{Edges: []fsm.PathEdge{{Node: "n1", VIP: "web", Cut: true}}}})
	is("", long) // the cluster says it
	s = w.apply(t, fsm.Command{SetPaths: &fsm.SetPaths{Edges: []fsm.PathEdge{{Node: "n1", VIP: "web"}}}})
	verdict(fsm.Down)
	is("", long)
	verdict(fsm.Up)
	o.transition(health.Transition{ID: tcp, Up: true})
	is("", long)
}
