package cluster

import (
	"testing"
	"time"

	"quorate/fsm"
)

// A node that is about to join, and one that waits for an answer to that, are no members: who asks there is told so, and can
// join elsewhere.
func TestSimJoinThroughNoMember(t *testing.T) {
	simulate(t, 2, func(c *simCluster) {
		c.form()
		member := c.nodes[0].ip + ":7300"
		c.net.Cut("10.0.0.3", "10.0.0.1")
		asking := c.add("10.0.0.3", 1)
		over := make(chan error, 1)
		go func() { over <- asking.Join(c.within(5*time.Second), member, c.token) }()
		time.Sleep(100 * time.Millisecond)
		waiting := c.joining("10.0.0.4", "10.0.0.9:7300")

		x := c.add("10.0.0.5", 1)
		for _, via := range []*simNode{asking, waiting} {
			err := x.Join(c.within(20*time.Second), via.ip+":7300", c.token)
			wantErr(c.t, err, ErrNoCluster)
			wantText(c.t, err, via.ip, "address of a member")
		}
		if err := x.Join(c.within(20*time.Second), member, c.token); err != nil {
			c.t.Error(err)
		}
		if err := <-over; err == nil {
			c.t.Error("a node joined through a cut way")
		}
		c.net.Heal()
		waiting.halt()
	})
}

// A join whose first address is of no use goes on through the address that is given next.
func TestSimJoinAgainThroughAnother(t *testing.T) {
	simulate(t, 2, func(c *simCluster) {
		c.form()
		x := c.joining("10.0.0.3", "10.0.0.9:7300")
		time.Sleep(5 * time.Second)
		wantErr(c.t, x.Join(c.within(time.Second), x.ip+":7300", c.token), ErrSelf)
		if err := x.Join(c.within(20*time.Second), c.nodes[1].ip+":7300", c.token); err != nil {
			c.t.Fatal(err)
		}
		if id := x.current.Load().identity(); id.Standing != standingMember || id.Seed != "" {
			c.t.Errorf("it is %s, with seed %q", id.Standing, id.Seed)
		}
	})
}

func TestMemberAddr(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1:7400": "10.0.0.1:7400", "10.0.0.1": "10.0.0.1:7300", "fd00::1": "[fd00::1]:7300", "[fd00::1]": "[fd00::1]:7300",
		"[fd00::1]:7400": "[fd00::1]:7400", "": "", "n1": "", "n1:7300": "", "10.0.0.1:": "",
	} {
		got, err := memberAddr(in)
		if want == "" && err == nil || want != "" && got.String() != want {
			t.Errorf("%q: %v, %v; want %q", in, got, err, want)
		}
	}
}

// joining is a new node whose request to join was sent to seed and has not been answered.
func (c *simCluster) joining(ip, seed string) *simNode {
	c.t.Helper()
	token, err := parseToken(c.token)
	if err != nil {
		c.t.Fatal(err)
	}
	x := c.add(ip, 1)
	x.halt()
	id := identity{Node: x.name, Store: newStoreID(), Cluster: token.cluster, Key: token.key, Standing: standingJoining, Seed: seed,
		Profile: fsm.LAN}
	if err := saveIdentity(x.disk.Identity(), id); err != nil {
		c.t.Fatal(err)
	}
	x.boot()
	return x
}
