package cluster

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"quorate/fsm"
)

// Observations reach whoever leads, become a verdict when most observers agree, and are told again to the next leader.
func TestSimVerdictsOutliveTheLeader(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		cfg := vips(1)
		key := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("10.9.0.1:80")}
		cfg.Services = map[string]fsm.Service{"web": {
			Name: "web", VIP: "v0", Port: 80, Protocol: fsm.TCP, Scheduler: "rr", Forward: fsm.NAT,
			Checks:  []fsm.Check{{Type: fsm.CheckTCP, Interval: time.Second, Timeout: time.Second / 2, Rise: 1, Fall: 1}},
			Servers: []fsm.Server{{Address: key.Address, Weight: 1}},
		}}
		configure(c.t, c.nodes[0].testNode, cfg)
		verdict := func(x *simNode) fsm.Verdict { return x.State().Servers[key].Verdict }
		c.until(5*time.Second, "the server is known everywhere", func() bool {
			return verdict(c.nodes[0]) != "" && verdict(c.nodes[1]) != "" && verdict(c.nodes[2]) != ""
		})
		c.nodes[0].Observe([]Observation{{Server: key, Up: true}})
		time.Sleep(time.Second)
		if v := verdict(c.nodes[0]); v != fsm.Unknown {
			c.t.Errorf("one of three observers made it %s", v)
		}
		c.nodes[1].Observe([]Observation{{Server: key, Up: true}})
		took := c.until(5*time.Second, "up", func() bool { return verdict(c.nodes[2]) == fsm.Up })
		if took > 100*time.Millisecond {
			c.t.Errorf("the verdict took %v", took)
		}
		c.nodes[2].Observe([]Observation{{Server: key, Detail: "refused"}})
		first := c.leader()
		first.crash()
		rest := c.other(first)
		c.leader(first)
		time.Sleep(2 * time.Second)
		for _, x := range c.nodes {
			if x.testNode != nil {
				x.Observe([]Observation{{Server: key, Detail: "refused"}})
			}
		}
		c.until(5*time.Second, "down, with a third of the observers away", func() bool { return verdict(rest) == fsm.Down })
	})
}

// A node whose join was interrupted goes on by itself, and takes a refusal for an end.
func TestSimInterruptedJoin(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		first := c.nodes[0]
		token, err := first.Bootstrap(c.within(10 * time.Second))
		if err != nil {
			c.t.Fatal(err)
		}
		tok, err := parseToken(token)
		if err != nil {
			c.t.Fatal(err)
		}
		interrupt := func(x *simNode, name fsm.NodeID) {
			x.crash()
			x.name = name
			id := identity{Node: name, Store: newStoreID(), Cluster: tok.cluster, Key: tok.key, Standing: standingJoining, Seed: first.ip + ":7300"}
			if err := saveIdentity(x.disk.Identity(), id); err != nil {
				c.t.Fatal(err)
			}
			x.boot()
		}
		interrupt(c.nodes[1], "n2")
		if err := c.nodes[1].Join(c.within(20*time.Second), first.ip+":7300", token); err != nil {
			c.t.Fatal(err)
		}
		interrupt(c.nodes[2], "n2") // the name is taken now
		c.until(20*time.Second, "the refusal", func() bool {
			_, err := c.nodes[2].Token()
			return err != nil
		})
		if n := len(first.State().Nodes); n != 2 {
			c.t.Errorf("%d nodes", n)
		}
		c.nodes[2].halt()
		c.nodes[2].name = "n3"
		c.nodes[2].boot()
		if err := c.nodes[2].Join(c.within(20*time.Second), first.ip+":7300", token); err != nil {
			c.t.Fatal(err)
		}
	})
}

// What a node said last is what counts, in whichever order its reports come; and a leader takes none that was meant for another term.
func TestReportsInAnyOrder(t *testing.T) {
	k := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	var b book
	b.open(5)
	report := func(process string, seq uint64, up bool) {
		t.Helper()
		body, err := json.Marshal(observeBody{Node: "n1", Term: 5, Seen: []Observation{{Server: k, Up: up}}, mark: mark{Process: process, Seq: seq}})
		if err != nil {
			t.Fatal(err)
		}
		var r observeBody
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatal(err)
		}
		if err := b.take(r); err != nil {
			t.Fatal(err)
		}
	}
	for i, step := range []struct {
		process string
		seq     uint64
		up      bool
		want    bool
	}{
		{"a", 1, true, true},
		{"a", 3, false, false},
		{"a", 2, true, false}, // was on its way for long
		{"a", 3, true, false},
		{"a", 4, true, true},
		{"b", 1, false, false}, // the node began anew
		{"a", 5, true, false},  // and the one before is heard of
		{"b", 2, true, true},
		{"c", 1, false, false},
		{"b", 3, true, false},
		{"a", 9, true, false},
		{"", 0, true, true}, // a build that does not say
	} {
		report(step.process, step.seq, step.up)
		if got := b.seen["n1"][k].Up; got != step.want {
			t.Errorf("report %d: %+v: up=%t", i, step, got)
		}
	}
	if err := b.take(observeBody{Node: "n1", Term: 6, mark: mark{Process: "c", Seq: 9}}); err == nil {
		t.Error("a report for a later term is taken into the book that is about to be closed")
	}
	b.open(6)
	report2 := observeBody{Node: "n1", Term: 6, Seen: []Observation{{Server: k, Up: true}}, mark: mark{Process: "c", Seq: 1}}
	if err := b.take(report2); err != nil || !b.seen["n1"][k].Up {
		t.Errorf("in the next term: %v", err)
	}
}
