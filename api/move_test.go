package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
)

const long = 20 * time.Second // ends early, when it is done

func TestMove(t *testing.T) {
	s, agents := cluster(t)
	ctx := t.Context()
	to := other(s.State(), "web")
	m, err := s.unix.MoveVIP(ctx, "web", to, long)
	if err != nil || !m.Done || m.To != to || m.From == to || m.Index == 0 || !slices.Equal(m.VIPs, []string{"mail", "web"}) {
		t.Fatalf("move: %+v, %v", m, err)
	}
	for _, name := range []string{"web", "mail"} {
		v, err := s.unix.VIP(ctx, name)
		if err != nil || v.Owner != to || v.State != api.VIPHeld || !slices.Equal(v.PresentOn, []fsm.NodeID{to}) || v.Reason.Code != fsm.ReasonRequested {
			t.Errorf("%s: %+v, %v", name, v.VIP, err)
		}
		if len(v.Events) == 0 || v.Events[len(v.Events)-1].Node != to {
			t.Errorf("%s: events %+v", name, v.Events)
		}
	}
	again, err := s.unix.MoveVIP(ctx, "192.0.2.10", to, long)
	if err != nil || !again.Done || again.Index != 0 || again.VIP != "web" {
		t.Errorf("to where it is: %+v, %v", again, err)
	}

	_, err = s.unix.MoveVIP(ctx, "web", "n9", 0)
	wantCode(t, err, api.CodeNotFound)
	_, err = s.unix.MoveVIP(ctx, "wbe", to, 0)
	wantCode(t, err, api.CodeNotFound)
	back := other(s.State(), "web")
	if _, err := s.unix.DrainNode(ctx, back, 0); err != nil {
		t.Fatal(err)
	}
	_, err = s.unix.MoveVIP(ctx, "web", back, 0)
	if e := wantCode(t, err, api.CodeNotPossible); !strings.Contains(e.Detail, "quorate node resume "+string(back)) {
		t.Errorf("no cure in %q", e.Detail)
	}
	if _, err := s.unix.ResumeNode(ctx, back); err != nil {
		t.Fatal(err)
	}
	agents[2].Kill()
	_, err = s.unix.MoveVIP(ctx, "web", "n3", 0)
	wantCode(t, err, api.CodeNotPossible)
}

func TestMoveThatIsNotDoneInTime(t *testing.T) {
	s, agents := cluster(t)
	ctx := t.Context()
	from := s.State().Assignments[sample().VIPs["lone"].Key()].Owner
	for _, a := range agents {
		a.Freeze()
	}
	var targets []fsm.NodeID
	for _, a := range agents {
		if n := a.Local().Node; n != from {
			targets = append(targets, n)
		}
	}
	m, err := s.unix.MoveVIP(ctx, "lone", targets[0], 20*time.Millisecond)
	if err != nil || m.Done || m.Note == "" {
		t.Fatalf("move from a frozen owner: %+v, %v", m, err)
	}
	v, err := s.unix.VIP(ctx, "lone")
	if err != nil || v.State != api.VIPMoving || v.Owner != from || v.Release == nil || v.Release.To != targets[0] {
		t.Fatalf("meanwhile: %+v, %v", v.VIP, err)
	}
	// A changed mind: the pending release is withdrawn, another one made.
	if m, err = s.unix.MoveVIP(ctx, "lone", targets[1], 0); err != nil || m.Index == 0 {
		t.Fatalf("to another node: %+v, %v", m, err)
	}
	if v, err = s.unix.VIP(ctx, "lone"); err != nil || v.Release == nil || v.Release.To != targets[1] {
		t.Fatalf("after the change of mind: %+v, %v", v.VIP, err)
	}
	// And back to where it is.
	if m, err = s.unix.MoveVIP(ctx, "lone", from, long); err != nil || !m.Done {
		t.Fatalf("back: %+v, %v", m, err)
	}
	if v, err = s.unix.VIP(ctx, "lone"); err != nil || v.Release != nil || v.Owner != from {
		t.Fatalf("in the end: %+v, %v", v.VIP, err)
	}
}

func TestMoveSaysThatPreemptUndoesIt(t *testing.T) {
	s, _ := cluster(t)
	ctx := t.Context()
	c := sample()
	v := c.VIPs["lone"]
	v.Prefer, v.Preempt = []fsm.NodeID{"n1"}, true
	c.VIPs["lone"] = v
	if _, err := s.unix.Apply(ctx, c, 0, true); err != nil {
		t.Fatal(err)
	}
	m, err := s.unix.MoveVIP(ctx, "lone", "n2", 0)
	if err != nil || !strings.Contains(m.Note, "preempt") || !strings.Contains(m.Note, "n1") {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestDrain(t *testing.T) {
	s, agents := cluster(t)
	ctx := t.Context()
	from := s.State().Assignments[sample().VIPs["lone"].Key()].Owner
	d, err := s.unix.DrainNode(ctx, from, long)
	if err != nil || !d.Done || !d.Draining || len(d.Owns) != 0 {
		t.Fatalf("drain: %+v, %v", d, err)
	}
	st, err := s.unix.Status(ctx)
	if err != nil || !st.Healthy {
		t.Fatalf("status: %+v, %v", st.Problems, err)
	}
	for _, n := range st.Nodes {
		if n.Draining != (n.ID == from) || n.ID == from && len(n.VIPs) != 0 {
			t.Errorf("%s: draining %v, VIPs %v", n.ID, n.Draining, n.VIPs)
		}
	}
	if d, err = s.unix.ResumeNode(ctx, from); err != nil || d.Draining || !d.Done {
		t.Errorf("resume: %+v, %v", d, err)
	}
	// A drain that cannot end: nothing confirms.
	for _, a := range agents {
		a.Freeze()
	}
	owner := s.State().Assignments[sample().VIPs["web"].Key()].Owner
	if d, err = s.unix.DrainNode(ctx, owner, 20*time.Millisecond); err != nil || d.Done || len(d.Owns) == 0 || d.Note == "" {
		t.Errorf("drain of a frozen node: %+v, %v", d, err)
	}
}

func TestServers(t *testing.T) {
	s, _ := cluster(t)
	ctx := t.Context()
	servers := sample().Services["http"].Servers
	var up []fsm.ServerVerdict
	for _, x := range servers {
		up = append(up, fsm.ServerVerdict{Server: fsm.ServerKey{Service: "http", Address: x.Address}, Verdict: fsm.Up})
	}
	if _, err := s.Propose(ctx, fsm.Command{SetHealth: &fsm.SetHealth{Verdicts: up}}); err != nil {
		t.Fatal(err)
	}
	r, err := s.unix.SetAdmin(ctx, "http", servers[0].Address, fsm.Drain)
	if err != nil || r.Admin != fsm.Drain || r.In || r.Verdict != fsm.Up {
		t.Fatalf("drain: %+v, %v", r, err)
	}
	svc, err := s.unix.Service(ctx, "http", "")
	if err != nil || svc.Servers != 2 || svc.Up != 2 || svc.In != 1 || svc.Draining != 1 || svc.Owner == "" || len(svc.RealServers) != 2 {
		t.Fatalf("service: %+v, %v", svc, err)
	}
	if r, err = s.unix.SetAdmin(ctx, "http", servers[0].Address, fsm.Enabled); err != nil || !r.In {
		t.Errorf("enable: %+v, %v", r, err)
	}
	all, err := s.unix.Servers(ctx, "http")
	if err != nil || len(all.Servers) != 2 {
		t.Errorf("servers: %+v, %v", all, err)
	}
}
