package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// ports gives each test node a port of its own: TCP p, UDP p and UDP p+1 on loopback. A test closes its node and opens it
// again on the same port, so the ports lie below those that the kernel gives to connections (from 32768 on,
// net.ipv4.ip_local_port_range): a connection of another package's test would sit on one while it is closed.
var ports atomic.Uint32

const firstPort, lastPort = 10000, 32766

func init() { ports.Store(uint32(os.Getpid() * 2)) }

func freeAddr(t testing.TB) string {
	t.Helper()
	for range 1000 {
		p := firstPort + int(ports.Add(2))%(lastPort-firstPort)
		a := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(p))
		if usable(a) {
			return a.String()
		}
	}
	t.Fatal("no free port on loopback")
	return ""
}

func usable(a netip.AddrPort) bool {
	l, err := net.Listen("tcp", a.String())
	if err != nil {
		return false
	}
	defer l.Close()
	for _, x := range []netip.AddrPort{a, leaseAddr(a)} {
		c, err := net.ListenPacket("udp", x.String())
		if err != nil {
			return false
		}
		defer c.Close()
	}
	return true
}

// testNode is a Node with the part of an agent that the cluster needs: it ticks, and confirms releases as if the kernel had
// followed at once.
type testNode struct {
	*Node
	opts   Options
	cancel context.CancelFunc
	done   chan error
	mute   atomic.Bool // its actuator hangs
}

func testLog(t testing.TB) *slog.Logger {
	if os.Getenv("QUORATE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	level := slog.LevelInfo
	if os.Getenv("QUORATE_TEST_LOG") == "debug" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
}

func options(t testing.TB, name fsm.NodeID) Options {
	addr := freeAddr(t)
	return Options{
		Name: name, Bind: addr, DataDir: filepath.Join(t.TempDir(), string(name)), Weight: 1, Log: testLog(t),
		Facts: func() fsm.Facts {
			return fsm.Facts{Schema: fsm.MaxSchema, DataPlane: "nft", Forwards: []fsm.Forward{fsm.NAT}, Schedulers: []string{"rr"},
				Fence: "bpf", LeaseThread: "deadline",
				Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}
		},
		Local: func() any { return map[string]string{"name": string(name)} },
	}
}

// start opens and runs a node; the test's end stops it.
func start(t testing.TB, o Options) *testNode {
	t.Helper()
	n, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, n, o)
}

func run(t testing.TB, n *Node, o Options) *testNode {
	ctx, cancel := context.WithCancel(context.Background())
	tn := &testNode{Node: n, opts: o, cancel: cancel, done: make(chan error, 1)}
	go func() { tn.done <- n.Run(ctx) }()
	select {
	case <-n.listens:
	case err := <-tn.done: // whoever stops it is to see it
		tn.done <- err
	}
	go tn.agent(ctx)
	t.Cleanup(func() { tn.stop(t) })
	return tn
}

// stop ends the node as a process ends on SIGTERM.
func (n *testNode) stop(t testing.TB) {
	t.Helper()
	if n.cancel == nil {
		return
	}
	n.cancel()
	n.cancel = nil
	select {
	case err := <-n.done:
		if err != nil {
			t.Errorf("%s: Run: %v", n.opts.Name, err)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("%s: Run did not return", n.opts.Name)
	}
}

// agent is the actuator's part.
func (n *testNode) agent(ctx context.Context) {
	for {
		if l := n.Lease(); l != nil && isReady(n.Ready()) {
			if !n.mute.Load() {
				l.Alive(lease.Actuator)
			}
			for _, a := range n.State().Assignments {
				if a.Owner == n.opts.Name && a.Release != nil {
					l.Confirm(lease.Released{Key: a.Key, Index: a.Release.Index})
				}
			}
		}
		if !pause(ctx, 20*time.Millisecond) {
			return
		}
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// until waits for something that no event tells.
func until(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx := within(t, d)
	for !ok() {
		if !pause(ctx, 5*time.Millisecond) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// form makes a cluster of n nodes: n1, n2 …
func form(t testing.TB, n int) ([]*testNode, string) {
	t.Helper()
	var nodes []*testNode
	var token string
	for i := range n {
		x := start(t, options(t, fsm.NodeID(fmt.Sprintf("n%d", i+1))))
		nodes = append(nodes, x)
		var err error
		if i == 0 {
			token, err = x.Bootstrap(within(t, 10*time.Second))
		} else {
			err = x.Join(within(t, 20*time.Second), nodes[0].opts.Bind, token)
		}
		if err != nil {
			t.Fatalf("%s: %v", x.opts.Name, err)
		}
	}
	return nodes, token
}

func grantors(s *fsm.State) int { return len(s.Grantors.Members) }

// vips is a configuration with VIPs 192.0.2.10, .11 …
func vips(n int) fsm.Config {
	c := fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{}}
	for i := range n {
		name := fmt.Sprintf("v%d", i)
		c.VIPs[name] = fsm.VIP{Name: name, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), 24)}
	}
	return c
}

func configuration(c fsm.Config) fsm.Command {
	return fsm.Command{Actor: "test", Configure: &fsm.Configure{Force: true, Config: c}}
}

func configure(t testing.TB, n *testNode, c fsm.Config) {
	t.Helper()
	if _, err := n.Propose(within(t, 10*time.Second), configuration(c)); err != nil {
		t.Fatalf("configure: %v", err)
	}
}

// insist proposes what may be done twice until it is known what came of it. In real time the leader changes whenever the machine stands still
// for longer than its heartbeats may be late (80 ms), and who asks it at that moment is told, as promised, that nobody knows.
func insist(t testing.TB, n *testNode, cmd fsm.Command) (fsm.Result, error) {
	t.Helper()
	for ctx := within(t, 30*time.Second); ; {
		r, err := n.Propose(ctx, cmd)
		if !errors.Is(err, ErrUncertain) || ctx.Err() != nil {
			return r, err
		}
	}
}

// reconfigure is configure for a cluster in real time.
func reconfigure(t testing.TB, n *testNode, c fsm.Config) {
	t.Helper()
	if _, err := insist(t, n, configuration(c)); err != nil {
		t.Fatalf("configure: %v", err)
	}
}

func allOwned(s *fsm.State) bool {
	if len(s.Assignments) < len(s.Config.VIPs) {
		return false
	}
	for _, a := range s.Assignments {
		if a.Owner == "" || a.Release != nil {
			return false
		}
	}
	return true
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}
