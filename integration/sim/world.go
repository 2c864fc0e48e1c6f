package sim

import (
	"fmt"
	"math/rand"
	"net/netip"
	"strings"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// Options are what a schedule is made from.
type Options struct {
	Seed      int64
	Nodes     int           // 1 to 5
	Situation string        // how it begins, one of Situations; "" = with any fault
	Faults    time.Duration // how long faults go on, the situation included
	Heal      time.Duration // how long the healed cluster has until every VIP must be held; it ends sooner when all is calm
	Trace     bool          // keep the whole trace, not only its end
}

// Violation is a broken promise, with what led to it.
type Violation struct {
	Seed  int64
	At    time.Duration
	What  string
	Trace []string
}

// Error is the promise that was broken and the end of the trace.
func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d at %v: %s\n  %s", v.Seed, v.At, v.What, strings.Join(v.Trace, "\n  "))
}

// World is one cluster in virtual time.
type World struct {
	queue
	opt   Options
	rng   *rand.Rand
	net   network
	nodes []*node
	byID  map[fsm.NodeID]*node

	// Raft.
	log      []fsm.Command
	states   []*fsm.State // states[i] is the state after i entries
	voters   []fsm.Grantor
	term     uint64
	elected  int // entries in the log when the present leader was elected, its own first one included
	headless time.Duration
	limbo    []fsm.Command // appended by the leader of the term, not committed
	proposed []fsm.Command // whatever became of it

	// What is under way in the membership, by store.
	removing, removed, joining map[fsm.StoreID]bool
	stores                     int

	slots         slots                    // what check counts holders by
	fenced        map[fsm.NodeID]fsm.Epoch // the highest epoch of each node that was
	dirty         bool                     // something has changed that check looks at
	played        bool                     // the situation, to its end
	checked       bool                     // nodes have checks, and paths are cut
	calmYield     bool                     // a process that is asked to end finds all as it should be
	calm          bool                     // nothing is left to be done since the faults have ended
	steps         int
	checks        int            // steps at which check had to look
	holds         int            // of these, at which somebody held something
	longestLinger time.Duration  // of all profiles so far
	happened      map[string]int // what did how often, under the names in Happenings and those of the points
	wallShift     map[fsm.NodeID]time.Duration
	wire          []byte         // the latest messages
	in            lease.Received // the latest to arrive
	trace         []string
	violation     *Violation
}

// Run runs one schedule and returns what it broke, or nil.
func Run(opt Options) (Stats, *Violation) {
	w := newWorld(opt)
	w.begin()
	for w.now < opt.Faults && w.violation == nil {
		w.next(opt.Faults)
		w.check()
	}
	if w.violation == nil {
		w.heal()
		w.awaitCalm(0)
		end := w.now + w.allowance()
		for w.now < end && !w.calm && w.violation == nil {
			w.next(end)
			w.check()
		}
	}
	if w.violation == nil {
		w.checkServed()
		w.checkEnding()
		w.checkReplay()
	}
	return Stats{Steps: w.steps, Checks: w.checks, Held: w.holds, Entries: len(w.log), Happened: w.happened, Played: w.played}, w.violation
}

// begin founds the cluster and lets time run: first the situation, if there is one, then any fault.
func (w *World) begin() {
	w.found()
	w.raftTick()
	breakThings := func() {
		w.operator()
		w.faults()
		w.checking()
	}
	if w.opt.Situation == "" {
		breakThings()
		return
	}
	w.play(w.opt.Situation, breakThings)
}

// Stats say how much a schedule did.
type Stats struct {
	Steps, Checks, Held, Entries int
	Happened                     map[string]int // by names as in Happenings
	Played                       bool           // the situation came to its end
}

func newWorld(opt Options) *World {
	w := &World{
		opt: opt, rng: rand.New(rand.NewSource(opt.Seed)),
		byID:     map[fsm.NodeID]*node{},
		states:   []*fsm.State{fsm.New()},
		removing: map[fsm.StoreID]bool{}, removed: map[fsm.StoreID]bool{}, joining: map[fsm.StoreID]bool{},
		fenced: map[fsm.NodeID]fsm.Epoch{}, happened: map[string]int{}, wallShift: map[fsm.NodeID]time.Duration{},
	}
	w.net = network{w: w, cut: map[[2]fsm.NodeID]bool{}}
	for i := range opt.Nodes {
		w.addNode(fsm.NodeID(fmt.Sprintf("n%d", i+1)))
	}
	if situations[opt.Situation].drift {
		w.drift()
	}
	return w
}

// maxSlew is by how much BOOTTIME may be slewed against RAW: design §3 Holder, "a 10 % slew does not hurt".
const maxSlew = 0.1

// drift makes the clocks as bad as the model allows: one node's are slow, those of the others are fast, and BOOTTIME is slewed
// back everywhere.
func (w *World) drift() {
	slow := w.rng.Intn(len(w.nodes))
	for i, n := range w.nodes {
		n.rawRate = 1.01
		if i == slow {
			n.rawRate = 0.99
		}
		n.bootRate = n.rawRate * (1 - maxSlew)
	}
}

func (w *World) addNode(id fsm.NodeID) *node {
	rates := []float64{0.99, 0.99 + w.rng.Float64()*0.02, 1.01}
	n := &node{
		w: w, id: id, disk: w.newDisk(), kernel: newKernel(), failing: map[string]bool{},
		rawRate: rates[w.rng.Intn(3)], rawOff: time.Duration(w.rng.Int63n(int64(time.Hour))), bootOff: time.Duration(w.rng.Int63n(int64(time.Hour))),
	}
	n.bootRate = n.rawRate * (1 + (w.rng.Float64()*2-1)*maxSlew)
	w.nodes = append(w.nodes, n)
	w.byID[id] = n
	return n
}

func (w *World) newDisk() *disk {
	w.stores++
	return &disk{store: fsm.StoreID(fmt.Sprintf("store%d", w.stores))}
}

// found writes the first entries, before any lease exists: the members, the configuration.
func (w *World) found() {
	first := w.nodes[0]
	put := func(c fsm.Command) {
		c.Schema = fsm.MaxSchema
		if res := w.commit(first, c); res.Err != nil {
			w.fail("founding: %s: %v", describe(c), res.Err)
		}
	}
	w.voters = []fsm.Grantor{first.member()}
	put(fsm.Command{Init: &fsm.Init{ClusterID: "sim", Node: w.describeNode(first), Settings: fsm.DefaultSettings()}})
	for _, n := range w.nodes[1:] {
		put(fsm.Command{PutNode: &fsm.PutNode{Node: w.describeNode(n)}})
		w.voters = append(w.voters, n.member())
		g := w.states[len(w.log)].Grantors
		put(fsm.Command{SetGrantors: &fsm.SetGrantors{Prev: g.Index, Members: append(append([]fsm.Grantor{}, g.Members...), n.member())}})
	}
	put(fsm.Command{Configure: &fsm.Configure{Force: true, Config: w.config(fsm.LAN)}})
	clear(w.happened) // what counts is what happens from here on
	for _, n := range w.nodes {
		n.disk.have, n.disk.snap = len(w.log), w.rng.Intn(len(w.log)+1)
		n.start()
	}
}

// config is the configuration that the schedules play with: two VIPs of their own, two in a group.
func (w *World) config(p fsm.Profile) fsm.Config {
	c := fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{}, Groups: map[string]fsm.Group{"pair": {Name: "pair"}}}
	c.Settings.Profile = p
	for i, name := range []string{"a", "b", "c", "d"} {
		v := fsm.VIP{Name: name, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), 24)}
		if i >= 2 {
			v.Group = "pair"
		}
		c.VIPs[name] = v
	}
	if w.checked {
		c.NodeChecks = nodeChecks()
	}
	return c
}

func (w *World) describeNode(n *node) fsm.Node {
	return fsm.Node{
		ID: n.id, Store: n.disk.store, Addr: string(n.id) + ":7300", Role: fsm.Director, Weight: 100,
		Facts: fsm.Facts{
			Schema: fsm.MaxSchema, DataPlane: "nft", Forwards: []fsm.Forward{fsm.NAT}, Schedulers: []string{"rr", "wrr"},
			Fence: "bpf", LeaseThread: "deadline",
			Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}},
		},
	}
}

// deliver carries a message over the network, in its wire form.
func (w *World) deliver(from *node, s lease.Send) {
	to := w.byID[s.To]
	if to == nil {
		return
	}
	wire := w.marshal(from, s.Msg)
	w.net.datagram(from.id, to.id, s.Msg.Body, func() {
		to.act(to.run, func() {
			var err error
			if w.in.From, w.in.Msg, err = lease.Unmarshal(wire); err != nil {
				w.fail("unmarshal %+v: %v", s.Msg, err)
				return
			}
			to.step(&w.in)
		})
	})
}

// marshal is the wire form of a message. Many of them share one piece of memory.
func (w *World) marshal(from *node, m lease.Message) []byte {
	const most = 4096 // that one has room for without moving
	if cap(w.wire)-len(w.wire) < most {
		w.wire = make([]byte, 0, 16*most)
	}
	begin := len(w.wire)
	b, err := lease.AppendMarshal(w.wire, from.id, m)
	if err != nil {
		w.fail("marshal %+v: %v", m, err)
	}
	w.wire = b
	return b[begin:len(b):len(b)]
}

// little is the time that a node takes to carry a change into its kernel: mostly none to speak of.
func (w *World) little() time.Duration {
	if w.rng.Intn(20) == 0 {
		return time.Duration(w.rng.Int63n(int64(60 * time.Millisecond)))
	}
	return time.Duration(w.rng.Int63n(int64(2 * time.Millisecond)))
}

// wall is a node's wall clock, which faults step about; only timestamps in the timeline show it.
func (w *World) wall(n *node) time.Time {
	return time.Unix(1_700_000_000, 0).UTC().Add(w.now + w.wallShift[n.id])
}

// keepTrace is how many lines lead up to a violation unless the whole trace is asked for.
const keepTrace = 160

func (w *World) tracef(format string, args ...any) {
	if !w.opt.Trace && len(w.trace) >= 2*keepTrace {
		w.trace = append(w.trace[:0], w.trace[keepTrace:]...)
	}
	w.trace = append(w.trace, fmt.Sprintf("%8.3fms ", float64(w.now)/1e6)+fmt.Sprintf(format, args...))
}

func (w *World) fail(format string, args ...any) {
	if w.violation == nil {
		w.violation = &Violation{Seed: w.opt.Seed, At: w.now, What: fmt.Sprintf(format, args...), Trace: w.trace}
	}
}
