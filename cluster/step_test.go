package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// standingsOf makes a case from words: the nodes of the state ("n1", "n1!" = leaving, "n1+" = owns something), the servers
// of Raft ("n1" votes, "n1-" does not, "n1@x" = at another address), and the grantors. The store of nX is "s".
func standingsOf(nodes, servers, grantors string) standings {
	s := fsm.New()
	s.ClusterID = "c"
	s.Grantors.Index = 5
	s.Nodes, s.Assignments = map[fsm.NodeID]fsm.Node{}, map[fsm.AddressKey]fsm.Assignment{}
	for i, w := range strings.Fields(nodes) {
		id := fsm.NodeID(strings.TrimRight(w, "!+"))
		s.Nodes[id] = fsm.Node{ID: id, Store: "s", Addr: "addr-" + string(id), Leaving: strings.Contains(w, "!")}
		if strings.Contains(w, "+") {
			k := fsm.AddressKey{Network: fmt.Sprint(i)}
			s.Assignments[k] = fsm.Assignment{Key: k, Owner: id}
		}
	}
	c := standings{state: s, self: fsm.Grantor{Node: "n1", Store: "s"}, mayChange: 5, caughtUp: map[raft.ServerID]bool{},
		alive: func(fsm.Grantor) bool { return true }}
	for _, w := range strings.Fields(servers) {
		id, addr, moved := strings.Cut(w, "@")
		srv := raft.Server{ID: raft.ServerID(strings.TrimRight(id, "-") + "/s"), Suffrage: raft.Voter}
		srv.Address = raft.ServerAddress("addr-" + strings.TrimRight(id, "-"))
		if moved {
			srv.Address = raft.ServerAddress(addr)
		}
		if strings.Contains(w, "-") {
			srv.Suffrage = raft.Nonvoter
		}
		c.servers = append(c.servers, srv)
	}
	for _, w := range strings.Fields(grantors) {
		s.Grantors.Members = append(s.Grantors.Members, fsm.Grantor{Node: fsm.NodeID(w), Store: "s"})
	}
	return c
}

// dead makes nodes dead.
func dead(ids ...fsm.NodeID) func(*standings) {
	return func(c *standings) { c.alive = func(g fsm.Grantor) bool { return !slices.Contains(ids, g.Node) } }
}

func describe(st step, ok bool) string {
	if !ok {
		return "nothing"
	}
	switch st := st.(type) {
	case addServer:
		return "add " + string(st.id)
	case promote:
		return "promote " + string(st.id)
	case readdress:
		return "readdress " + string(st.id) + " " + st.addr
	case dropServer:
		return "drop " + string(st.id)
	case setGrantors:
		var names []string
		for _, g := range st.members {
			names = append(names, string(g.Node))
		}
		return "grantors " + strings.Join(names, " ")
	case removeNode:
		return "remove " + string(st.who.Node)
	case handOver:
		return "hand over to " + string(st.to)
	}
	return fmt.Sprintf("%T", st)
}

func TestNextStep(t *testing.T) {
	for _, c := range []struct {
		name                     string
		nodes, servers, grantors string
		change                   func(*standings)
		want                     string
	}{
		{"all is well", "n1 n2 n3", "n1 n2 n3", "n1 n2 n3", nil, "nothing"},
		{"not formed", "", "n1", "", func(c *standings) { c.state.ClusterID = "" }, "nothing"},
		{"a new node gets the log", "n1 n2", "n1", "n1", nil, "add n2/s"},
		{"and waits", "n1 n2", "n1 n2-", "n1", nil, "nothing"},
		{"until it has caught up", "n1 n2", "n1 n2-", "n1", func(c *standings) { c.caughtUp["n2/s"] = true }, "promote n2/s"},
		{"a voter becomes a grantor", "n1 n2", "n1 n2", "n1", nil, "grantors n1 n2"},
		{"one at a time", "n1 n2 n3", "n1 n2 n3", "n1", nil, "grantors n1 n2"},
		{"when the lease allows it", "n1 n2", "n1 n2", "n1", func(c *standings) { c.mayChange = 4 }, "nothing"},
		{"the next vote does not wait for that", "n1 n2 n3", "n1 n2 n3-", "n1",
			func(c *standings) { c.mayChange = 4; c.caughtUp["n3/s"] = true }, "promote n3/s"},
		{"a leaving node that owns something stays", "n1 n2!+", "n1 n2", "n1 n2", nil, "nothing"},
		{"then it ceases to grant", "n1 n2!", "n1 n2", "n1 n2", nil, "grantors n1"},
		{"when the lease allows it, too", "n1 n2!", "n1 n2", "n1 n2", func(c *standings) { c.mayChange = 4 }, "nothing"},
		{"then to vote", "n1 n2!", "n1 n2", "n1", nil, "drop n2/s"},
		{"then to be a member", "n1 n2!", "n1", "n1", nil, "remove n2"},
		{"a leaving node is not promoted", "n1 n2!+", "n1 n2-", "n1", func(c *standings) { c.caughtUp["n2/s"] = true }, "nothing"},
		{"the dead go first", "n1 n2! n3 n4!", "n1 n2 n3 n4", "n1 n2 n3 n4", dead("n4"), "grantors n1 n2 n3"},
		{"also from Raft", "n1 n2! n3 n4!", "n1 n2 n3 n4", "n1 n3", dead("n4"), "drop n4/s"},
		{"a dead one that cannot go yet holds up nothing", "n1 n2! n3 n4!+", "n1 n2 n3 n4", "n1 n3 n4", dead("n4"), "drop n2/s"},
		{"whoever is needed for the majority of grantors stays", "n1 n2! n3", "n1 n2 n3", "n1 n2 n3", dead("n3"), "nothing"},
		{"or of voters", "n1 n2! n3", "n1 n2 n3", "n1 n3", dead("n3"), "nothing"},
		{"the other dead one goes", "n1 n2! n3 n4!", "n1 n2 n3 n4", "n1 n3", dead("n3", "n4"), "drop n4/s"},
		{"a server without vote is not needed", "n1 n2! n3", "n1 n2- n3", "n1 n3", dead("n3"), "drop n2/s"},
		{"what an interrupted removal left goes before the living", "n1 n2! n3", "n1 n2 n3 n9", "n1", nil, "drop n9/s"},
		{"a leaving leader makes room", "n1! n2 n3", "n1 n2 n3", "n1 n2 n3", nil, "hand over to n2/s"},
		{"for one that is alive", "n1! n2 n3", "n1 n2 n3", "n1 n2 n3", func(c *standings) { c.alive = func(g fsm.Grantor) bool { return g.Node == "n3" } }, "hand over to n3/s"},
		{"that votes and stays", "n1! n2! n3", "n1 n2 n3-", "n1 n2", nil, "grantors n1"},
		{"the last node cannot remove itself", "n1!", "n1", "n1", nil, "nothing"},
		{"what an interrupted removal left in Raft goes", "n1", "n1 n9", "n1", nil, "drop n9/s"},
		{"but not while it grants", "n1", "n1 n9", "n1 n9", func(c *standings) { c.mayChange = 4 }, "nothing"},
		{"so it ceases to grant first", "n1", "n1 n9", "n1 n9", nil, "grantors n1"},
		{"an address is brought up to date", "n1 n2", "n1 n2@old", "n1 n2", nil, "readdress n2/s addr-n2"},
		{"another store under the same name is another member", "n1 n2", "n1 n2", "n1 n2",
			func(c *standings) { n := c.state.Nodes["n2"]; n.Store = "t"; c.state.Nodes["n2"] = n }, "add n2/t"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := standingsOf(c.nodes, c.servers, c.grantors)
			if c.change != nil {
				c.change(&in)
			}
			if got := describe(nextStep(in)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
