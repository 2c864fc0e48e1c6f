package cluster

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// recovers makes a new cluster of what a node knows whose process has ended.
func (x *simNode) recovers() (Remains, string) {
	x.c.t.Helper()
	s, err := OpenSalvage(x.disk)
	if err != nil {
		x.c.t.Fatal(err)
	}
	was := s.Remains()
	id, err := s.Recover("test:recover", time.Now())
	if err = errors.Join(err, s.Close()); err != nil {
		x.c.t.Fatal(err)
	}
	return was, id
}

// balanced is vips(2) with a service that has two servers.
func balanced() fsm.Config {
	c := vips(2)
	c.Settings.MaxMoves = 7 // needs the newest schema
	c.Services = map[string]fsm.Service{"web": {
		Name: "web", VIP: "v0", Port: 80, Protocol: "tcp", Scheduler: "rr", Forward: fsm.NAT,
		Servers: []fsm.Server{{Address: netip.MustParseAddrPort("10.1.0.1:80"), Weight: 1}, {Address: netip.MustParseAddrPort("10.1.0.2:80"), Weight: 1}},
	}}
	return c
}

func recoveredEvents(s *fsm.State) (out []fsm.Event) {
	for _, e := range s.Events {
		if e.Reason == fsm.ReasonRecovered {
			out = append(out, e)
		}
	}
	return out
}

func TestSimRecover(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		n1, n2, n3 := c.nodes[0], c.nodes[1], c.nodes[2]
		c.until(10*time.Second, "the newest schema", func() bool { return n1.State().Schema == fsm.MaxSchema })
		configure(c.t, n1.testNode, balanced())
		drained := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("10.1.0.2:80")}
		if _, err := n1.Propose(c.within(10*time.Second), fsm.Command{Actor: "test", SetAdmin: &fsm.SetAdmin{Server: drained, Admin: fsm.Drain}}); err != nil {
			c.t.Fatal(err)
		}
		c.owned(10 * time.Second)
		c.until(5*time.Second, "n1 has it all", func() bool { return n1.State().Servers[drained].Admin == fsm.Drain })
		lost, store := n1.State(), n1.current.Load().self.Store
		n2.crash()
		n3.crash()
		n1.halt()
		was, id := n1.recovers()
		if was.Cluster != lost.ClusterID || was.Index < lost.Index || len(was.Members) != 3 || len(was.Config.VIPs) != 2 || len(was.Owners) != 2 {
			c.t.Errorf("remains %+v of %+v", was, lost)
		}
		if _, err := OpenSalvage(n1.disk); err == nil {
			c.t.Error("recovered twice")
		} else {
			wantText(c.t, err, id, lost.ClusterID, "start its agent")
		}

		n1.boot()
		begin := time.Now()
		c.until(30*time.Second, "VIPs are owned again", func() bool { return len(n1.State().Assignments) == 2 && allOwned(n1.State()) })
		// By any clock within ρ, so by the real one too.
		if waited, least := time.Since(begin), 3*time.Second*101/99; waited < least || waited > least+3*time.Second {
			c.t.Errorf("VIPs were owned after %v, want a little more than %v", waited, least)
		}
		s := n1.State()
		if s.ClusterID != id || id == lost.ClusterID || s.Nodes["n1"].Store == store || len(s.Nodes) != 1 || grantors(s) != 1 {
			c.t.Errorf("cluster %s, nodes %+v, grantors %+v", s.ClusterID, s.Nodes, s.Grantors)
		}
		if d := fsm.Diff(lost.Config, s.Config); len(d) > 0 || s.Servers[drained].Admin != fsm.Drain {
			c.t.Errorf("the configuration differs: %v; server %+v", d, s.Servers[drained])
		}
		if s.Nodes["n1"].Epoch <= fsm.Epoch(lost.Index) || s.Index-lost.Index < indexGap {
			c.t.Errorf("epochs of the lost cluster may come again: %d after %d", s.Nodes["n1"].Epoch, lost.Index)
		}
		told := recoveredEvents(s)
		if len(told) != 1 || told[0].Actor != "test:recover" || !strings.Contains(told[0].Text, lost.ClusterID) ||
			!strings.Contains(told[0].Text, strconv.FormatUint(was.Index, 10)) {
			c.t.Errorf("timeline: %+v", told)
		}

		// An old member that comes back is answered by nobody, and owns nothing.
		n2.boot()
		wantErr(c.t, n2.Join(c.within(time.Second), n1.ip+":7300", c.token), ErrAlreadyMember)
		for range 300 {
			time.Sleep(100 * time.Millisecond)
			if epoch := n2.State().Nodes["n2"].Epoch; n2.Lease() != nil && n2.Lease().Live(epoch) || isReady(n2.Ready()) {
				c.t.Fatal("a member of the lost cluster acts")
			}
		}
		if !n2.current.Load().estranged.Load() {
			c.t.Error("it did not say that n1 is in another cluster")
		}
		if now := n1.State(); len(now.Nodes) != 1 || !allOwned(now) || now.Nodes["n1"].Epoch != s.Nodes["n1"].Epoch {
			c.t.Errorf("a member of the lost cluster changed something: %+v", now.Nodes)
		}
		n2.halt()

		// With an empty directory it joins, as the others do, but not with the lost cluster's token.
		token, err := n1.Token()
		if err != nil {
			c.t.Fatal(err)
		}
		for _, x := range []*simNode{n2, n3} {
			x.disk = NewMemory()
			x.boot()
			wantErr(c.t, x.Join(c.within(5*time.Second), n1.ip+":7300", c.token), ErrOtherKey)
			if err := x.Join(c.within(30*time.Second), n1.ip+":7300", token); err != nil {
				c.t.Fatal(err)
			}
		}
		c.until(30*time.Second, "all grant leases", func() bool { return grantors(n1.State()) == 3 })
		n1.crash()
		c.owned(10*time.Second, n1)
		n1.boot()
		c.until(10*time.Second, "n1 is back", func() bool { return isReady(n1.Ready()) })
	})
}

// Wherever a recovery loses power, the next start carries it on, and tells of it once.
func TestSimRecoverCrashes(t *testing.T) {
	simulate(t, 1, func(c *simCluster) {
		c.form()
		n1 := c.nodes[0]
		c.until(10*time.Second, "the newest schema", func() bool { return n1.State().Schema == fsm.MaxSchema })
		configure(c.t, n1.testNode, balanced())
		n1.halt()
		n1.recovers()
		for _, after := range []time.Duration{0, time.Second, lease.LongestGrant(), 10 * time.Millisecond, 100 * time.Millisecond} {
			n1.boot()
			end := time.Now().Add(lease.LongestGrant() + time.Minute)
			for after > lease.LongestGrant()/2 && n1.State().ClusterID == "" && time.Now().Before(end) {
				time.Sleep(100 * time.Microsecond) // to the first entry
			}
			time.Sleep(after % time.Second)
			n1.crash()
		}
		n1.boot()
		c.until(20*time.Second, "VIPs are owned", func() bool { return isReady(n1.Ready()) && len(n1.State().Assignments) == 2 && allOwned(n1.State()) })
		if told := recoveredEvents(n1.State()); len(told) != 1 {
			c.t.Errorf("timeline: %+v", told)
		}
		if id := n1.current.Load().identity(); id.Recovery != nil || id.Standing != standingMember {
			c.t.Errorf("identity: %s, %v", id.Standing, id.Recovery)
		}
	})
}

// stuckDirectory cannot put files aside.
type stuckDirectory struct{ *Memory }

func (stuckDirectory) Retire() error { return errPower }

// Power that fails between the new identity and the putting aside of the old log leaves no old log under the new identity.
func TestSimRecoverHalfway(t *testing.T) {
	simulate(t, 1, func(c *simCluster) {
		c.form()
		n1 := c.nodes[0]
		configure(c.t, n1.testNode, vips(1))
		lost := n1.State()
		n1.halt()
		s, err := OpenSalvage(stuckDirectory{n1.disk})
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := s.Recover("test", time.Now()); !errors.Is(err, errPower) {
			c.t.Errorf("%v", err)
		}
		if err := s.Close(); err != nil {
			c.t.Fatal(err)
		}
		n1.boot()
		c.until(20*time.Second, "VIPs are owned", func() bool { return len(n1.State().Assignments) == 1 && allOwned(n1.State()) })
		if now := n1.State(); now.ClusterID == lost.ClusterID || now.Index < lost.Index+indexGap {
			c.t.Errorf("cluster %s at %d, of %s at %d", now.ClusterID, now.Index, lost.ClusterID, lost.Index)
		}
	})
}

func TestRecoverOnDisk(t *testing.T) {
	o := options(t, "n1")
	n1 := start(t, o)
	if _, err := n1.Bootstrap(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	configure(t, n1, vips(2))
	lost := n1.State()

	_, err := OpenSalvage(Disk(o.DataDir, o.Log))
	wantText(t, err, strconv.Itoa(os.Getpid()), "stop that agent first")
	n1.stop(t)

	nowhere := filepath.Join(t.TempDir(), "nowhere")
	_, err = OpenSalvage(Disk(nowhere, o.Log))
	wantText(t, err, nowhere, "--data-dir")
	if _, err := os.Stat(nowhere); err == nil {
		t.Error("a wrong directory was made")
	}

	log, err := os.ReadFile(filepath.Join(o.DataDir, raftFile))
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(o.DataDir, raftFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(log[:len(log)/2])
	_, err = OpenSalvage(Disk(o.DataDir, o.Log))
	wantText(t, err, raftFile, "cut short", "another survivor")
	write(log)

	s, err := OpenSalvage(Disk(o.DataDir, o.Log))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Remains(); r.Cluster != lost.ClusterID || r.Index < lost.Index || r.At.IsZero() || r.Version != lost.ConfigVersion {
		t.Errorf("remains %+v", r)
	}
	id, err := s.Recover("test", time.Now())
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(o.DataDir, retiredDir, raftFile)); err != nil {
		t.Errorf("the lost cluster's log was not kept: %v", err)
	}
	n1 = start(t, o)
	if _, err := n1.Bootstrap(context.Background()); !errors.Is(err, ErrAlreadyMember) {
		t.Errorf("bootstrap: %v", err)
	}
	until(t, 20*time.Second, "VIPs are owned again", func() bool { return len(n1.State().Assignments) == 2 && allOwned(n1.State()) })
	if n1.State().ClusterID != id {
		t.Errorf("cluster %s, want %s", n1.State().ClusterID, id)
	}
	n1.stop(t)
	n1 = start(t, o) // from its own log
	select {
	case <-n1.Ready():
	case <-within(t, 10*time.Second).Done():
		t.Fatal("not ready again")
	}
}
