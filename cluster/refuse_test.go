package cluster

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

func wantText(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestRefusals(t *testing.T) {
	nodes, token := form(t, 2)
	n1, n2 := nodes[0], nodes[1]
	cluster := n1.State().ClusterID
	lone := start(t, options(t, "lone"))
	ctx := within(t, 30*time.Second)

	t.Run("second bootstrap", func(t *testing.T) {
		_, err := n2.Bootstrap(ctx)
		wantErr(t, err, ErrAlreadyMember)
		wantText(t, err, "n2", cluster, "quorate leave")
	})
	t.Run("join of a member", func(t *testing.T) {
		other := start(t, options(t, "other"))
		elsewhere, err := other.Bootstrap(ctx)
		if err != nil {
			t.Fatal(err)
		}
		err = n2.Join(ctx, other.opts.Bind, elsewhere)
		wantErr(t, err, ErrAlreadyMember)
		wantText(t, err, cluster, other.State().ClusterID)

		err = n1.Join(ctx, n2.opts.Bind, token)
		wantErr(t, err, ErrAlreadyMember)
		wantText(t, err, cluster, "nothing to do")

		err = lone.Join(ctx, other.opts.Bind, token)
		wantErr(t, err, ErrOtherKey)
		wantText(t, err, "token")
	})
	t.Run("token", func(t *testing.T) {
		other := "x" // than what is there
		if token[20] == 'x' {
			other = "y"
		}
		for _, bad := range []string{"", "hello", token[:len(token)-3], token[:20] + other + token[21:], strings.ToUpper(token)} {
			wantErr(t, lone.Join(ctx, n1.opts.Bind, bad), ErrToken)
		}
	})
	t.Run("address", func(t *testing.T) {
		wantText(t, lone.Join(ctx, "n1", token), "IP:PORT")
		wantErr(t, lone.Join(ctx, lone.opts.Bind, token), ErrSelf)
		wantText(t, lone.Join(ctx, freeAddr(t), token), "refused")
		idle := start(t, options(t, "idle"))
		err := lone.Join(ctx, idle.opts.Bind, token)
		wantErr(t, err, ErrNoCluster)
		wantText(t, err, "quorate bootstrap")
	})
	t.Run("name", func(t *testing.T) {
		twin := start(t, options(t, "n2"))
		err := twin.Join(ctx, n1.opts.Bind, token)
		wantErr(t, err, fsm.ErrNameTaken)
		wantText(t, err, n2.opts.Bind, "--name")
		wantErr(t, twin.Leave(ctx), ErrNoMembership)
	})
	t.Run("unreachable", func(t *testing.T) {
		o := options(t, "hidden")
		o.Advertise = freeAddr(t)
		err := start(t, o).Join(ctx, n2.opts.Bind, token)
		wantErr(t, err, ErrUnreachable)
		wantText(t, err, o.Advertise, "--advertise")
	})
	t.Run("address of a VIP", func(t *testing.T) {
		reconfigure(t, n1, vips(1))
		o := options(t, "clash")
		o.Facts = func() fsm.Facts {
			return fsm.Facts{Schema: fsm.MaxSchema, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}
		}
		err := start(t, o).Join(ctx, n2.opts.Bind, token)
		wantErr(t, err, fsm.ErrInvalid)
		wantText(t, err, "node clash has this address for itself", "vip v0")
	})
	t.Run("before membership", func(t *testing.T) {
		_, err := lone.Propose(ctx, fsm.Command{})
		wantErr(t, err, ErrNoMembership)
		_, err = lone.Read(ctx)
		wantErr(t, err, ErrNoMembership)
		_, err = lone.Token()
		wantErr(t, err, ErrNoMembership)
		_, err = lone.Ask(ctx, "n1")
		wantErr(t, err, ErrNoMembership)
		if lone.Lease() != nil || lone.Members() != nil || lone.State() == nil {
			t.Error("a node in no cluster has a lease, members or no state")
		}
	})
	// After all that the node can still join, through a member that does not lead.
	if err := lone.Join(ctx, n2.opts.Bind, token); err != nil {
		t.Fatal(err)
	}
}

// What the state machine refuses comes back as itself through a follower.
func TestTypedErrorsSurviveForwarding(t *testing.T) {
	nodes, _ := form(t, 2)
	until(t, 10*time.Second, "two grantors", func() bool { return grantors(nodes[0].State()) == 2 && grantors(nodes[1].State()) == 2 })
	leader, _ := nodes[0].Leader()
	for _, n := range nodes {
		_, err := insist(t, n, fsm.Command{Configure: &fsm.Configure{Base: 999, Config: vips(1)}})
		wantErr(t, err, fsm.ErrConflict)
		_, err = insist(t, n, fsm.Command{RemoveNode: &fsm.RemoveNode{Node: "n2", Store: n.State().Nodes["n2"].Store}})
		if !errors.Is(err, fsm.ErrNodeGrants) {
			t.Errorf("%s (leader %s): %v", n.opts.Name, leader, err)
		}
		bad := vips(1)
		bad.Services = map[string]fsm.Service{"s": {Name: "s", VIP: "nope"}}
		_, err = insist(t, n, fsm.Command{Configure: &fsm.Configure{Force: true, Config: bad}})
		var ps fsm.Problems
		if !errors.As(err, &ps) || len(ps) == 0 || !errors.Is(err, fsm.ErrInvalid) {
			t.Errorf("%s: problems of a configuration came back as %v", n.opts.Name, err)
		}
		raw, err := n.Ask(within(t, 5*time.Second), "n2")
		if err != nil || string(raw) != `{"name":"n2"}` {
			t.Errorf("ask: %s, %v", raw, err)
		}
	}
}

func TestRestartUnderNewAddress(t *testing.T) {
	noRace(t)
	nodes, _ := form(t, 3)
	reconfigure(t, nodes[0], vips(2))
	until(t, 10*time.Second, "owners", func() bool { return allOwned(nodes[0].State()) })
	o := nodes[2].opts
	nodes[2].stop(t)
	o.Bind = freeAddr(t)
	again := start(t, o)
	until(t, 15*time.Second, "the new address is agreed", func() bool { return nodes[0].State().Nodes["n3"].Addr == o.Bind })
	s, err := again.Read(within(t, 10*time.Second))
	if err != nil || len(s.Config.VIPs) != 2 {
		t.Fatalf("read after the restart: %v", err)
	}
	if _, err := insist(t, again, note("back")); err != nil {
		t.Fatal(err)
	}
	for _, m := range again.Members() {
		if m.ID == "n3" && (!m.Self || !m.Voter || m.Addr != o.Bind) {
			t.Errorf("member %+v", m)
		}
	}
}

func TestRestartAll(t *testing.T) {
	nodes, _ := form(t, 3)
	reconfigure(t, nodes[0], vips(2))
	until(t, 10*time.Second, "owners", func() bool { return allOwned(nodes[0].State()) })
	for _, n := range nodes {
		n.stop(t)
	}
	for i, n := range nodes {
		nodes[i] = start(t, n.opts)
	}
	until(t, 15*time.Second, "owners again", func() bool { return isReady(nodes[1].Ready()) && allOwned(nodes[1].State()) })
	if len(nodes[1].State().Config.VIPs) != 2 {
		t.Error("the configuration is lost")
	}
}

func TestOpenRefuses(t *testing.T) {
	o := options(t, "n1")
	n := start(t, o)
	if _, err := n.Bootstrap(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(o)
	wantText(t, err, o.DataDir, "in use by process")
	n.stop(t)
	other := o
	other.Name = "n7"
	_, err = Open(other)
	wantText(t, err, "belongs to node n1", "--name n1")
	for _, bad := range []string{"", "10.0.0.1", "host:7300", "10.0.0.1:0", "10.0.0.1:65535", "0.0.0.0:7300"} {
		x := o
		x.Bind = bad
		if n, err := Open(x); err == nil {
			t.Errorf("bind %q was accepted", bad)
			_ = n.Close()
		}
	}
	// An address that is taken is named.
	l, err := HostNetwork().Listen(o.Bind)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	again, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, again.Run(context.Background()), o.Bind)
}

// Damage to what a member keeps is reported with the file's name; nothing panics and nothing is taken for empty.
func TestDamagedDataDirectory(t *testing.T) {
	o := options(t, "n1")
	n := start(t, o)
	if _, err := n.Bootstrap(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		configure(t, n, vips(i))
	}
	if err := n.current.Load().consensus.raft.Load().Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	n.stop(t)
	damage := func(name string, f func(b []byte) []byte) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(o.DataDir)); err != nil {
			t.Fatal(err)
		}
		matches, _ := filepath.Glob(filepath.Join(dir, name))
		if len(matches) == 0 {
			t.Fatalf("no %s", name)
		}
		for _, file := range matches {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if b = f(b); b == nil {
				err = os.Remove(file)
			} else {
				err = os.WriteFile(file, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		x := o
		x.DataDir = dir
		node, err := Open(x)
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			err = node.Run(ctx)
			cancel()
		}
		if err == nil {
			t.Errorf("%s: damage went unnoticed", name)
			return
		}
		base := filepath.Base(strings.Split(name, "/")[0])
		if !strings.Contains(err.Error(), base) {
			t.Errorf("%s: the error does not name the file: %v", name, err)
		}
		t.Log(err)
	}
	cut := func(b []byte) []byte { return b[:len(b)/2] }
	empty := func(b []byte) []byte { return []byte{} }
	gone := func(b []byte) []byte { return nil }
	flip := func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b }
	noise := func(b []byte) []byte {
		for i := range b {
			b[i] = byte(i * 7)
		}
		return b
	}
	for _, f := range []func([]byte) []byte{cut, empty, noise, flip} {
		damage("identity.json", f)
		damage("lease.db", f)
	}
	damage("lease.db", gone)
	short := func(b []byte) []byte { return b[:5*os.Getpagesize()/2] } // half of the file may be pages not in use
	for _, f := range []func([]byte) []byte{short, noise, gone, empty} {
		damage("raft.db", f)
	}
	for page := 2; page < 8; page++ { // each page that is in use, one after the other
		damagePage(t, o, page)
	}
	damage("snapshots/*/state.bin", flip)
}

// damagePage fills one page of raft.db with noise. Whether that is noticed depends on what the page holds; a panic or a
// fault would end the test.
func damagePage(t *testing.T, o Options, page int) {
	dir := filepath.Join(t.TempDir(), "page")
	if err := os.CopyFS(dir, os.DirFS(o.DataDir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "raft.db")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	for i := page * size; i < (page+1)*size && i < len(b); i++ {
		b[i] = byte(i*31 + 255)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Disk(dir, testLog(t)).Open(false)
	if err == nil {
		_ = s.Close()
		return
	}
	wantText(t, err, "raft.db")
}
