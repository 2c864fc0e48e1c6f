package lease

import (
	"fmt"
	"hash"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"quorate/fsm"
)

// walk is a small world in which a few Machines live: true time, clocks that drift, slew and stop, a network that loses,
// delays, doubles and turns round, disks that are slow and processes that die. Raft is an ordered list of states, to which
// only the latest leader can add, and which each node applies when it likes. Everything follows from the seed.
type walk struct {
	rng     *rand.Rand
	now     time.Duration // true time; nobody in the walk sees it
	log     []*fsm.State  // log[i] has index i; log[0] is empty
	nodes   []*walker
	packets []packet
	term    uint64
	leader  *walker
	elect   time.Duration // when somebody is elected, if there is no leader
	heir    *walker       // who will be elected next, if it can
	todo    []proposal

	loss    int            // datagrams of a thousand that are lost
	delay   time.Duration  // longest delay of a datagram
	cut     map[[2]int]int // how many faults cut the way from one to the other
	spare   []packet
	quiet   bool // no more random operations
	busy    bool // many of them
	mutant  string
	claimed int // how often somebody was seen to claim something
	moved   int // how often an address had another owner than before
	last    map[fsm.AddressKey]int
	trace   hash.Hash64 // of all that the Machines asked for
}

type packet struct {
	at       time.Duration
	from, to int
	bytes    []byte
}

type proposal struct {
	at   time.Duration
	by   *walker
	term uint64
	make func(*fsm.State) (fsm.Command, bool)
}

// walker is one host: what its kernel and disk keep, and the process that runs on it at present.
type walker struct {
	n    int
	self fsm.Grantor

	rate, slew int64 // of RAW against true time, and of BOOTTIME against RAW, per mille
	raw, boot  time.Duration
	synced     time.Duration

	disk     Durable
	gate     map[fsm.AddressKey]fsm.Epoch // kernel: what is open, and under which epoch
	deadline map[fsm.Epoch]Instant        // kernel: lease[epoch]

	m         *Machine
	boots     uint64
	up        bool
	stuck     time.Duration // frozen (clocks run) or suspended (RAW stands still) until then
	suspended bool
	stable    uint64 // index at which a new process begins
	applied   uint64
	apply     time.Duration // when the next entry is applied
	slow      time.Duration // disk
	late      time.Duration // delay of what is sent to it
	saving    *Persist
	saved     time.Duration
	ask       time.Duration // when the read index is asked for
	barrier   uint64
	passed    bool
	tick      time.Duration
	deaf      time.Duration // the actuator does not tick until then
	leads     uint64        // term that it believes to lead
	told      time.Duration // when it hears of the present leader
	allowed   GrantorChangeAllowed
	jinx      time.Duration // until then its process dies soon after it has made a promise durable
	doom      time.Duration // when it dies for that; it is back at once
}

const walkStep = 500 * time.Microsecond

var walkVIPs = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::3/64")}

func newWalk(seed uint64, nodes, grantors int, mutant string) *walk {
	w := &walk{rng: rand.New(rand.NewPCG(seed, 1)), cut: map[[2]int]int{}, mutant: mutant, delay: 3 * time.Millisecond, last: map[fsm.AddressKey]int{}, trace: fnv.New64a()}
	w.log = []*fsm.State{fsm.New()}
	for i := range nodes {
		w.nodes = append(w.nodes, &walker{
			n: i, self: fsm.Grantor{Node: fsm.NodeID(fmt.Sprintf("n%d", i+1)), Store: fsm.StoreID(fmt.Sprintf("s%d", i+1))},
			rate: 990 + w.rng.Int64N(21), slew: 901 + w.rng.Int64N(199),
			raw: time.Duration(w.rng.Int64N(1e12)), boot: time.Duration(w.rng.Int64N(1e12)),
			gate: map[fsm.AddressKey]fsm.Epoch{}, deadline: map[fsm.Epoch]Instant{},
		})
	}
	node := func(i int) fsm.Node {
		x := w.nodes[i]
		return fsm.Node{ID: x.self.Node, Store: x.self.Store, Addr: fmt.Sprintf("10.0.0.%d:7300", i+1), Role: fsm.Director, Weight: 1,
			Facts: fsm.Facts{Schema: fsm.MaxSchema, DataPlane: "none", Fence: "bpf", LeaseThread: "deadline", Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{walkVIPs[0].Masked(), walkVIPs[2].Masked()}}}}}
	}
	w.commit(fsm.Command{Schema: fsm.MaxSchema, Init: &fsm.Init{ClusterID: "c", Node: node(0), Settings: fsm.DefaultSettings()}})
	for i := 1; i < nodes; i++ {
		w.commit(fsm.Command{Schema: fsm.MaxSchema, PutNode: &fsm.PutNode{Node: node(i)}})
	}
	for i := 1; i < grantors; i++ {
		// Before anybody has asked for a lease any set will do.
		members := append(slices.Clone(w.head().Grantors.Members), w.nodes[i].self)
		w.commit(fsm.Command{Schema: fsm.MaxSchema, SetGrantors: &fsm.SetGrantors{Prev: w.head().Grantors.Index, Members: members}})
	}
	cfg := fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{}}
	for i, p := range walkVIPs {
		name := fmt.Sprintf("v%d", i)
		cfg.VIPs[name] = fsm.VIP{Name: name, Address: p}
	}
	w.commit(fsm.Command{Schema: fsm.MaxSchema, Configure: &fsm.Configure{Force: true, Config: cfg}})
	for _, x := range w.nodes {
		w.start(x, 0)
	}
	return w
}

func (w *walk) head() *fsm.State { return w.log[len(w.log)-1] }

func (w *walk) commit(c fsm.Command) fsm.Result {
	c.At = time.Unix(0, 0)
	s, r := w.head().Apply(uint64(len(w.log)), c)
	w.log = append(w.log, s)
	return r
}

func (w *walk) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

// clock brings x's clocks up to true time and reads them.
func (w *walk) clock(x *walker) Instant {
	d := w.now - x.synced
	x.synced = w.now
	ran := d * time.Duration(x.rate) / 1000
	if x.suspended {
		x.boot += ran
	} else {
		x.raw += ran
		x.boot += ran * time.Duration(x.slew) / 1000
	}
	return Instant{Raw: x.raw, Boot: x.boot}
}

// start begins a process; it has applied up to index.
func (w *walk) start(x *walker, index uint64) {
	x.boots++
	x.up, x.saving, x.passed, x.barrier, x.leads = true, nil, false, 0, 0
	x.stable, x.applied, x.ask = index, index, w.now+w.upTo(50*time.Millisecond)
	d := x.disk.Clone()
	if w.mutant == "restart-old" {
		d.Cap = 0
	}
	x.m = NewMachine(x.self, BootID(uint64(x.n+1)<<32|x.boots), d, w.clock(x))
	w.step(x, Log{LastIndex: uint64(len(w.log) - 1)})
	if index > 0 {
		w.step(x, Applied{State: w.log[index]})
	}
	x.told = w.now
}

func (w *walk) stop(x *walker, machine bool) {
	x.up = false
	if w.leader == x {
		w.leader, w.elect = nil, w.now+100*time.Millisecond+w.upTo(200*time.Millisecond)
	}
	x.stable = min(x.applied, x.stable+uint64(w.rng.Int64N(8)))
	if machine {
		clear(x.gate)
		clear(x.deadline)
		x.raw, x.boot = w.upTo(time.Second), w.upTo(time.Second)
	}
}

func (w *walk) step(x *walker, in Input) {
	now := w.clock(x)
	for _, o := range slices.Clone(x.m.Step(now, in)) {
		switch o := o.(type) {
		case Send:
			b, err := Marshal(x.self.Node, o.Msg)
			if err != nil {
				panic(err)
			}
			w.trace.Write(b)
			w.post(x.n, int(o.To[1]-'1'), b)
		case Persist:
			x.saving, x.saved = &o, w.now+x.slow+w.upTo(5*time.Millisecond)
		case LeaseChanged:
			if w.mutant == "ack-receipt" {
				if o.Until.zero() {
					continue
				}
				o.Until = deadline(now, x.m.view.ttl)
			}
			x.deadline[o.Epoch] = o.Until
		case LeaderEvent:
			w.leaderEvent(x, o)
		}
	}
}

func (w *walk) post(from, to int, b []byte) {
	for range 1 + w.rng.IntN(20)/19 { // one of twenty twice
		if w.cut[[2]int{from, to}] == 0 && w.rng.IntN(1000) >= w.loss {
			w.packets = append(w.packets, packet{at: w.now + w.nodes[to].late + w.upTo(w.delay), from: from, to: to, bytes: b})
		}
	}
}

func (w *walk) receive(x *walker, p packet) {
	from, msg, err := Unmarshal(p.bytes)
	if err != nil {
		panic(err)
	}
	switch b := msg.Body.(type) {
	case Ack:
		if w.mutant == "ack-noboot" {
			b.Boot, b.Seq, b.Epoch = x.m.boot, x.m.holder.seq, x.m.view.epoch
			msg.Body = b
		}
	case Confirmation:
		if w.mutant == "confirm-unbound" {
			for i := range b.Releases {
				if a := w.log[x.applied].Assignments[b.Releases[i].Key]; a.Release != nil {
					b.Releases[i].Index = a.Release.Index
				}
			}
		}
	case Fence:
		if w.mutant == "no-wait" {
			// The answer comes when the promise is durable, whatever has been granted.
			if x.disk.Floors[b.Node] >= b.Epoch {
				w.answer(x, p.from, FenceAnswer{Boot: msg.Boot, Seq: b.Seq, Term: b.Term, Node: b.Node, Epoch: b.Epoch, GrantorIndex: b.GrantorIndex})
			}
		}
	}
	w.step(x, Received{From: from, Msg: msg})
}

func (w *walk) answer(x *walker, to int, b Body) {
	out, err := Marshal(x.self.Node, Message{Store: x.self.Store, Boot: x.m.boot, Promises: x.disk.Promises, Body: b})
	if err != nil {
		panic(err)
	}
	w.post(x.n, to, out)
}

// act is one round of x's actuator: it makes the gate match its applied state and its lease.
func (w *walk) act(x *walker) {
	if !x.passed {
		return // §3 Start: acts on nothing before the barrier
	}
	s := w.log[x.applied]
	now := w.clock(x)
	e := s.Nodes[x.self.Node].Epoch
	for _, p := range walkVIPs {
		k := fsm.AddressKey{Addr: p.Addr()}
		a := s.Assignments[k]
		own := a.Owner == x.self.Node && a.Release == nil
		switch under, open := x.gate[k]; {
		case own && w.live(x, e, now):
			x.gate[k] = e
		case own && open && w.live(x, under, now):
		default:
			delete(x.gate, k)
		}
		if a.Owner == x.self.Node && a.Release != nil {
			w.step(x, Confirm{[]Released{{k, a.Release.Index}}})
		}
	}
}

// live is what x's actuator is told of its lease.
func (w *walk) live(x *walker, e fsm.Epoch, now Instant) bool {
	if w.mutant == "ack-receipt" {
		return now.before(x.deadline[e])
	}
	return x.m.Live(e, now)
}

// claims reports whether x's kernel answers for k: by BOOTTIME alone, as the kernel's gate does, and whether or not a
// process runs.
func (w *walk) claims(x *walker, k fsm.AddressKey) bool {
	e, open := x.gate[k]
	return open && w.clock(x).Boot < x.deadline[e].Boot
}

// advance is one step of true time. It fails when two nodes claim one address.
func (w *walk) advance() error {
	w.now += walkStep
	due := w.packets
	w.packets = w.spare[:0]
	for i, p := range due {
		if x := w.nodes[p.to]; p.at > w.now || x.up && x.stuck > w.now {
			w.packets = append(w.packets, due[i])
		} else if x.up {
			w.receive(x, p)
		}
	}
	w.spare = due
	for _, x := range w.nodes {
		w.clock(x)
		if x.up && x.stuck <= w.now {
			x.suspended = false
			w.run(x)
		}
	}
	w.raft()
	for _, p := range walkVIPs {
		k := fsm.AddressKey{Addr: p.Addr()}
		var who []int
		for _, x := range w.nodes {
			if w.claims(x, k) {
				who = append(who, x.n)
			}
		}
		if len(who) > 1 {
			return fmt.Errorf("at %v both %s and %s claim %v", w.now, w.nodes[who[0]].self.Node, w.nodes[who[1]].self.Node, k)
		}
		if len(who) == 1 {
			w.claimed++
			if old, ok := w.last[k]; ok && old != who[0] {
				w.moved++
			}
			w.last[k] = who[0]
		}
	}
	return nil
}

// run does what is due at x.
func (w *walk) run(x *walker) {
	if x.saving != nil && w.now >= x.saved {
		before := x.disk.Floors
		if w.mutant != "not-durable" {
			keep := x.disk.Cap
			x.disk = x.saving.Durable.Clone()
			if w.mutant == "cap-volatile" {
				x.disk.Cap = keep
			}
		} else {
			x.disk.Cap, x.disk.Promises = x.saving.Durable.Cap, x.saving.Durable.Promises
		}
		seq := x.saving.Seq
		x.saving = nil
		if w.now < x.jinx && !maps.Equal(before, x.disk.Floors) {
			x.jinx, x.doom = 0, w.now+w.upTo(80*time.Millisecond)
		}
		w.step(x, Persisted{Seq: seq})
	}
	if x.doom != 0 && w.now >= x.doom {
		x.doom = 0
		w.stop(x, false)
		w.start(x, x.stable)
		return
	}
	if last := uint64(len(w.log) - 1); x.applied < last && w.now >= x.apply {
		x.applied += 1 + uint64(w.rng.Int64N(int64(min(3, last-x.applied))))
		x.apply = w.now + w.upTo(8*time.Millisecond)
		w.step(x, Applied{State: w.log[x.applied]})
	}
	if x.barrier == 0 && w.now >= x.ask {
		x.barrier = uint64(len(w.log) - 1)
	}
	if !x.passed && x.barrier != 0 && (x.applied >= x.barrier || w.mutant == "no-barrier" && x.applied > 0) {
		x.passed = true
		w.step(x, BarrierPassed{})
	}
	if w.now >= x.tick {
		x.tick = w.now + 5*time.Millisecond + w.upTo(10*time.Millisecond)
		w.step(x, Alive{Part: FSM})
		if w.now >= x.deaf {
			w.step(x, Alive{Part: Actuator})
			w.act(x)
		}
	}
	if now := w.clock(x); x.m.NextTimer() <= now.Raw {
		w.step(x, Tick{})
		if next := x.m.NextTimer(); next <= now.Raw {
			panic(fmt.Sprintf("the timer is still due after a Tick: %v at %v", next, now.Raw))
		}
	}
	if w.leader != nil && w.now >= x.told && x.leads != w.term && x != w.leader {
		x.leads = 0
		w.step(x, Follow{Leader: w.leader.self.Node})
		x.told = never
	}
}
