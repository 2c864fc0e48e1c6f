package lease

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"quorate/fsm"
)

// trio is three services that share a log of states; whoever is told to lead carries out what the lease asks for.
type trio struct {
	t        *testing.T
	services []*Service
	stop     []context.CancelFunc
	done     []chan error

	mu    sync.Mutex
	state *fsm.State
}

// newTrio makes the services; conn makes the socket of the i-th, and where the others find it.
func newTrio(t *testing.T, clock Clock, store func(i int) DurableStore, conn func(i int) (net.PacketConn, netip.AddrPort)) *trio {
	x := &trio{t: t}
	addrs := map[fsm.NodeID]netip.AddrPort{}
	var conns []net.PacketConn
	s := fsm.New()
	apply := func(c fsm.Command) {
		var r fsm.Result
		c.Schema = 1
		if s, r = s.Apply(s.Index+1, c); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	for i := range 3 {
		c, a := conn(i)
		conns = append(conns, c)
		g := trioNode(i)
		addrs[g.Node] = a
		n := fsm.Node{ID: g.Node, Store: g.Store, Addr: "192.0.2.100:7300", Role: fsm.Director, Weight: 1, Facts: fsm.Facts{Schema: fsm.MaxSchema, DataPlane: "none", Fence: "bpf", LeaseThread: "deadline",
			Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}}
		if i == 0 {
			apply(fsm.Command{Init: &fsm.Init{ClusterID: "c", Node: n, Settings: fsm.DefaultSettings()}})
			continue
		}
		apply(fsm.Command{PutNode: &fsm.PutNode{Node: n}})
		apply(fsm.Command{SetGrantors: &fsm.SetGrantors{Prev: s.Grantors.Index, Members: append(append([]fsm.Grantor(nil), s.Grantors.Members...), g)}})
	}
	apply(fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings(),
		VIPs: map[string]fsm.VIP{"a": {Name: "a", Address: netip.MustParsePrefix("192.0.2.1/24")}}}}})
	apply(fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: keyA, VIP: "a", Owner: "n1", OwnerEpoch: s.Nodes["n1"].Epoch}}}})
	x.state = s
	for i := range 3 {
		sv, err := NewService(Options{Self: trioNode(i), Clock: clock, Conn: conns[i], Store: store(i), Key: make([]byte, 32), LastIndex: s.Index,
			Resolve: func(n fsm.NodeID) (netip.AddrPort, bool) { a, ok := addrs[n]; return a, ok }})
		if err != nil {
			t.Fatal(err)
		}
		x.services = append(x.services, sv)
		x.stop, x.done = append(x.stop, nil), append(x.done, make(chan error, 1))
	}
	return x
}

func trioNode(i int) fsm.Grantor {
	return fsm.Grantor{Node: fsm.NodeID(fmt.Sprintf("n%d", i+1)), Store: fsm.StoreID(fmt.Sprintf("s%d", i+1))}
}

func (x *trio) head() *fsm.State {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state
}

func (x *trio) propose(c fsm.Command) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c.Schema = 1
	x.state, _ = x.state.Apply(x.state.Index+1, c)
	for _, s := range x.services {
		s.Applied(x.state)
	}
}

// run starts the i-th service, its ticking parts and its leader's duties.
func (x *trio) run(i int) {
	ctx, stop := context.WithCancel(context.Background())
	x.stop[i] = stop
	s := x.services[i]
	s.Applied(x.head())
	s.BarrierPassed()
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			s.Alive(Actuator)
			s.Alive(FSM)
			wait(ctx, 50*time.Millisecond)
		}
	})
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-s.Events():
				if e, ok := e.(FenceReady); ok {
					for ctx.Err() == nil && len(s.Hints().Able) == 0 { // the machine stood still, and nobody would get the address
						wait(ctx, 5*time.Millisecond)
					}
					f := fsm.PlanFence(x.head(), s.Hints(), e.Node, e.Epoch, e.GrantorIndex, e.Text)
					x.propose(fsm.Command{Fenced: &f})
				}
			}
		}
	})
	go func() {
		err := s.Run(ctx)
		wg.Wait()
		x.done[i] <- err
	}()
}

func (x *trio) end(i int) {
	x.t.Helper()
	x.stop[i]()
	if err := <-x.done[i]; err != nil {
		x.t.Errorf("Run: %v", err)
	}
}

// await waits for a lease event of the i-th service that makes ok true; within 0 it has to be true now.
func (x *trio) await(i int, within time.Duration, what string, ok func() bool) {
	x.t.Helper()
	limit := time.After(within)
	for {
		changed := x.services[i].Changed()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			x.t.Fatalf("not within %v: %s; %+v", within, what, x.services[i].Status())
		}
	}
}

// scenario: leases are gained, the owner's process dies, it is fenced and another node may hold what it owned. Each step may take
// leeway longer than it needs: in real time, the machine may stand still for longer than a lease lasts.
func (x *trio) scenario(leeway time.Duration) {
	t := x.t
	for i := range 3 {
		x.run(i)
	}
	x.services[2].Lead(1, x.head().Index)
	for i := range 2 {
		x.services[i].Follow("n3")
	}
	epoch := func(i int) fsm.Epoch { return x.head().Nodes[trioNode(i).Node].Epoch }
	live := func(i int) func() bool { return func() bool { return x.services[i].Live(epoch(i)) } }
	for i := range 3 {
		x.await(i, time.Second+leeway, "a lease", live(i))
	}
	x.await(2, time.Second+leeway, "everybody is able", func() bool { return len(x.services[2].Hints().Able) == 3 })
	old := epoch(0)

	x.end(0)
	began := time.Now()
	x.await(2, 5*time.Second+leeway, "the fence", func() bool { return epoch(0) != old })
	t.Logf("fenced %v after the process ended", time.Since(began).Round(time.Millisecond))
	if x.services[0].Live(old) {
		t.Error("fenced while the lease is live")
	}
	a := x.head().Assignments[keyA]
	if a.Owner == "" || a.Owner == "n1" {
		t.Fatalf("owner %q after the fence", a.Owner)
	}
	i := int(a.Owner[1] - '1')
	x.await(i, leeway, "a lease of "+string(a.Owner)+", which got the address", live(i))
	for i := 1; i < 3; i++ {
		x.end(i)
	}
}

// The real thing: loopback sockets, the kernel's clocks, promises on disk.
func TestServicesOverLoopback(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	x := newTrio(t, SystemClock(),
		func(i int) DurableStore {
			s := NewFileStore(filepath.Join(dir, fmt.Sprint(i)))
			if err := s.Create(); err != nil {
				t.Fatal(err)
			}
			return s
		},
		func(int) (net.PacketConn, netip.AddrPort) {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return c, c.LocalAddr().(*net.UDPAddr).AddrPort()
		})
	x.scenario(20 * time.Second)
	d, err := NewFileStore(filepath.Join(dir, "1")).Load()
	if err != nil || d.Floors["n1"] == 0 || d.Cap != 250*time.Millisecond {
		t.Errorf("%+v %v", d, err)
	}
}

// The same in virtual time, in which the bounds are exact: suspicion after 0.8 to 1 T, the grants end after 1.02 T + m.
func TestServicesInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newHub(3)
		began := time.Now()
		clock := clockFunc(func() Instant {
			d := time.Since(began)
			return Instant{Raw: time.Hour + d, Boot: 2*time.Hour + d}
		})
		x := newTrio(t, clock, func(int) DurableStore { return new(MemoryStore) }, net.conn)
		x.scenario(0)
	})
}

// A disk that hangs delays answers to fences and no Renew.
func TestSlowDiskDelaysNoRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(3)
		began := time.Now()
		clock := clockFunc(func() Instant { d := time.Since(began); return Instant{Raw: time.Hour + d, Boot: time.Hour + d} })
		disks := make([]*slowStore, 3)
		x := newTrio(t, clock, func(i int) DurableStore { disks[i] = new(slowStore); return disks[i] }, hub.conn)
		for i := range 3 {
			x.run(i)
			x.services[i].Follow("n3")
		}
		x.services[2].Lead(1, x.head().Index)
		e := x.head().Nodes["n1"].Epoch
		x.await(0, time.Second, "a lease", func() bool { return x.services[0].Live(e) })
		lost := 0
		for _, d := range disks {
			d.set(30*time.Second, errors.New("disk full"))
		}
		x.propose(fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.Settings{Profile: fsm.Fast, DataPlane: "auto", Observers: 3},
			VIPs: x.head().Config.VIPs}}})
		for range 400 {
			time.Sleep(5 * time.Millisecond) // virtual
			if !x.services[0].Live(e) {
				lost++
			}
		}
		if saving := x.services[0].Status(); saving.Cap != 250*time.Millisecond {
			t.Errorf("the cap was lowered without the disk: %+v", saving)
		}
		if lost != 0 {
			t.Errorf("no lease in %d of 400 looks", lost)
		}
		for _, d := range disks {
			d.set(0, nil)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := x.services[0].Status(); st.Cap != 40*time.Millisecond {
			t.Errorf("the write was not tried again: %+v", st)
		}
		for i := range 3 {
			x.end(i)
		}
	})
}

// A socket that fails ends Run with an error.
func TestServiceWhoseSocketFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	c, _ := newHub(1).conn(0)
	s, err := NewService(Options{Self: g1, Clock: SystemClock(), Conn: c, Store: new(MemoryStore), Key: make([]byte, 32),
		Resolve: nowhere})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Run(context.Background()) }()
	c.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("%v", err)
	}
}

func TestNewServiceRefuses(t *testing.T) {
	good := Options{Self: g1, Clock: SystemClock(), Conn: newHub(1).make(0), Store: new(MemoryStore), Key: make([]byte, 32),
		Resolve: nowhere}
	if _, err := NewService(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no node":    func(o *Options) { o.Self.Node = "" },
		"no store":   func(o *Options) { o.Self.Store = "" },
		"no clock":   func(o *Options) { o.Clock = nil },
		"no socket":  func(o *Options) { o.Conn = nil },
		"no resolve": func(o *Options) { o.Resolve = nil },
		"no disk":    func(o *Options) { o.Store = nil },
		"short key":  func(o *Options) { o.Key = o.Key[:16] },
		"no file":    func(o *Options) { o.Store = NewFileStore(filepath.Join(t.TempDir(), "x")) },
	} {
		o := good
		change(&o)
		if _, err := NewService(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// What does not open or parse is dropped; the service goes on.
func TestServiceDropsGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(2)
		conn, _ := hub.conn(0)
		s, err := NewService(Options{Self: g1, Clock: clockFunc(func() Instant { return Instant{} }), Conn: conn, Store: new(MemoryStore), Key: make([]byte, 32),
			Resolve: nowhere})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		peer, _ := hub.conn(1)
		same, err := NewSealer(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{nil, []byte("x"), make([]byte, 3000), same.Seal(nil, []byte("nonsense")), sealer(t, 9).Seal(nil, []byte("x"))} {
			peer.WriteTo(b, hubAddr(0))
		}
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func nowhere(fsm.NodeID) (netip.AddrPort, bool) { return netip.AddrPort{}, false }

type clockFunc func() Instant

func (f clockFunc) Now() Instant { return f() }

// slowStore is a MemoryStore whose Save takes its time and may fail.
type slowStore struct {
	MemoryStore
	lock sync.Mutex
	wait time.Duration
	err  error
}

func (s *slowStore) set(wait time.Duration, err error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.wait, s.err = wait, err
}

func (s *slowStore) Save(d Durable) error {
	s.lock.Lock()
	wait, err := s.wait, s.err
	s.lock.Unlock()
	time.Sleep(wait)
	if err != nil {
		return err
	}
	return s.MemoryStore.Save(d)
}

// hub is a packet network in memory: every datagram arrives after a millisecond, in order.
type hub struct{ conns []*hubConn }

// hubAddr is where the i-th is; hubIndex is the way back.
func hubAddr(i int) *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1 + i} }
func hubIndex(a net.Addr) int    { return a.(*net.UDPAddr).Port - 1 }

type hubConn struct {
	hub  *hub
	self net.Addr
	in   chan hubPacket
	once sync.Once
	gone chan struct{}
}

type hubPacket struct {
	at    time.Time
	from  net.Addr
	bytes []byte
}

func newHub(n int) *hub {
	h := &hub{}
	for i := range n {
		h.conns = append(h.conns, &hubConn{hub: h, self: hubAddr(i), in: make(chan hubPacket, 1000), gone: make(chan struct{})})
	}
	return h
}

func (h *hub) make(i int) net.PacketConn                   { return h.conns[i] }
func (h *hub) conn(i int) (net.PacketConn, netip.AddrPort) { return h.conns[i], hubAddr(i).AddrPort() }

func (c *hubConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-c.gone:
		return 0, nil, net.ErrClosed
	case p := <-c.in:
		time.Sleep(time.Until(p.at))
		return copy(b, p.bytes), p.from, nil
	}
}

func (c *hubConn) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case c.hub.conns[hubIndex(to)].in <- hubPacket{time.Now().Add(time.Millisecond), c.self, append([]byte(nil), b...)}:
		return len(b), nil
	default:
		return 0, os.ErrDeadlineExceeded
	}
}

func (c *hubConn) Close() error                     { c.once.Do(func() { close(c.gone) }); return nil }
func (c *hubConn) LocalAddr() net.Addr              { return c.self }
func (c *hubConn) SetDeadline(time.Time) error      { return nil }
func (c *hubConn) SetReadDeadline(time.Time) error  { return nil }
func (c *hubConn) SetWriteDeadline(time.Time) error { return nil }
