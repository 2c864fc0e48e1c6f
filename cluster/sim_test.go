package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
	"quorate/cluster/simnet"
	"quorate/fsm"
)

// simCluster is a cluster in virtual time.
type simCluster struct {
	t     *testing.T
	net   *simnet.Net
	nodes []*simNode
	token string
}

// simNode is a machine: it has a disk and a host, and may be running.
type simNode struct {
	*testNode
	c    *simCluster
	name fsm.NodeID
	ip   string
	disk *Memory
	role fsm.Role // "" = director
	rate float64
	read time.Duration // what reading an entry of the log takes

	facts  atomic.Pointer[fsm.Facts]    // nil = as options has them
	fenced atomic.Pointer[Fenced]       // the last that it decided
	nudged atomic.Pointer[[]netip.Addr] // what it was last asked to announce
}

// rateClock is a machine's clocks, running fast or slow.
type rateClock struct {
	origin time.Time
	rate   float64
}

func (c rateClock) Now() lease.Instant {
	d := time.Duration(float64(time.Since(c.origin))*c.rate) + time.Hour
	return lease.Instant{Raw: d, Boot: d}
}

func simulate(t *testing.T, n int, f func(c *simCluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := &simCluster{t: t, net: simnet.New(1, simnet.Link{Latency: 100 * time.Microsecond, Jitter: 100 * time.Microsecond})}
		for i := range n {
			c.add(fmt.Sprintf("10.0.0.%d", i+1), 1+0.005*float64(i-1))
		}
		defer func() {
			for _, x := range c.nodes {
				x.halt()
			}
			// A probe of memberlist's that is under way when it is shut down ends by itself, and virtual time stands still once
			// this function has returned.
			time.Sleep(10 * time.Second)
		}()
		f(c)
	})
}

func (c *simCluster) add(ip string, rate float64) *simNode {
	x := &simNode{c: c, name: fsm.NodeID(fmt.Sprintf("n%d", len(c.nodes)+1)), ip: ip, disk: NewMemory(), rate: rate}
	c.nodes = append(c.nodes, x)
	x.boot()
	return x
}

// slowDisk is a Memory whose log can be made to hang.
type slowDisk struct {
	*Memory
	read time.Duration // what reading an entry takes
}

func (d slowDisk) Open(fresh bool) (*Stores, error) {
	s, err := d.Memory.Open(fresh)
	if err == nil {
		s.Log = &slowLog{LogStore: s.Log, read: d.read}
		s.Stable = &fullDisk{StableStore: s.Stable}
	}
	return s, err
}

// fullDisk is what Raft keeps beside the log, on a disk that can be full.
type fullDisk struct {
	raft.StableStore
	full atomic.Bool
}

func (d *fullDisk) SetUint64(key []byte, v uint64) error {
	if d.full.Load() {
		return syscall.ENOSPC
	}
	return d.StableStore.SetUint64(key, v)
}

type slowLog struct {
	raft.LogStore
	gate   atomic.Pointer[chan struct{}]
	hung   atomic.Bool // a write has come to the gate
	refuse atomic.Bool // the next write
	read   time.Duration
}

func (l *slowLog) GetLog(index uint64, x *raft.Log) error {
	if l.read > 0 {
		time.Sleep(l.read)
	}
	return l.LogStore.GetLog(index, x)
}

// hang makes the next write, and all later ones, wait until gate is closed.
func (l *slowLog) hang(gate chan struct{}) { l.gate.Store(&gate) }

func (l *slowLog) StoreLog(x *raft.Log) error { return l.StoreLogs([]*raft.Log{x}) }

func (l *slowLog) StoreLogs(x []*raft.Log) error {
	if g := l.gate.Load(); g != nil {
		l.hung.Store(true)
		<-*g
	}
	if l.refuse.CompareAndSwap(true, false) {
		return errors.New("write error")
	}
	return l.LogStore.StoreLogs(x)
}

// boot starts the node's process, on a machine with power.
func (x *simNode) boot() {
	host := x.c.net.Host(x.ip)
	host.PowerOn()
	o := options(x.c.t, x.name)
	o.Bind, o.DataDir, o.Store, o.Network = x.ip+":7300", "", x.disk, host
	o.Store = slowDisk{x.disk, x.read}
	o.Role = x.role
	usual := o.Facts
	o.Facts = func() fsm.Facts {
		if f := x.facts.Load(); f != nil {
			return *f
		}
		return usual()
	}
	o.OnFenced = func(f Fenced) { x.fenced.Store(&f) }
	o.OnLook = func(_ context.Context, keys []fsm.AddressKey) (out []Sight) {
		for _, k := range keys {
			out = append(out, Sight{Key: k, MACs: []string{"02:00:00:00:00:09"}, Hears: true})
		}
		return out
	}
	o.OnNudge = func(addrs []netip.Addr) { x.nudged.Store(&addrs) }
	o.OnQuery = x.answer
	o.Clock = rateClock{origin: time.Now(), rate: x.rate}
	n, err := Open(o)
	if err != nil {
		x.c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	x.testNode = &testNode{Node: n, opts: o, cancel: cancel, done: make(chan error, 1)}
	done := x.testNode.done
	go func() { done <- n.Run(ctx) }()
	go x.testNode.agent(ctx)
}

// crash is the loss of the machine; what was stored stays.
func (x *simNode) crash() {
	x.c.net.Host(x.ip).PowerOff()
	x.cancel()
	<-x.done // whatever a process says whose sockets are gone
	x.testNode = nil
}

// halt ends the process in good order.
func (x *simNode) halt() {
	if x.testNode == nil {
		return
	}
	x.cancel()
	if err := <-x.done; err != nil {
		x.c.t.Errorf("%s: Run: %v", x.name, err)
	}
	x.testNode = nil
}

// form makes one cluster of all nodes and waits until all of them grant leases.
func (c *simCluster) form() {
	for i, x := range c.nodes {
		var err error
		if i == 0 {
			c.token, err = x.Bootstrap(c.within(10 * time.Second))
		} else {
			err = x.Join(c.within(20*time.Second), c.nodes[0].ip+":7300", c.token)
		}
		if err != nil {
			c.t.Fatalf("%s: %v", x.name, err)
		}
	}
	for _, x := range c.nodes {
		c.until(20*time.Second, "all grant leases", func() bool { return grantors(x.State()) == len(c.nodes) })
	}
}

func (c *simCluster) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	time.AfterFunc(d, cancel)
	return ctx
}

func (c *simCluster) until(d time.Duration, what string, ok func() bool) time.Duration {
	c.t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > d {
			c.t.Fatalf("not within %v: %s", d, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}

// leader waits until all running nodes but the ones named agree on who leads.
func (c *simCluster) leader(but ...*simNode) *simNode {
	var found *simNode
	c.until(10*time.Second, "a leader", func() bool {
		found = nil
		for _, x := range c.nodes {
			if x.testNode == nil || contains(but, x) {
				continue
			}
			id, ok := x.Leader()
			if !ok || found != nil && found.name != id {
				return false
			}
			found = c.named(id)
		}
		return found != nil && !contains(but, found)
	})
	return found
}

func contains(list []*simNode, x *simNode) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}
