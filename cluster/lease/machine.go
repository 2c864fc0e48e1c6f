package lease

import (
	"math"
	"slices"
	"time"

	"quorate/fsm"
)

// never is a timer that is not set.
const never = time.Duration(math.MaxInt64)

// Machine is the whole lease of one node: holder, grantor and leader's part. It is a pure state machine: no I/O, no clock, no
// goroutine, nothing that depends on map order. The same inputs at the same Instants give the same outputs.
//
// It is not safe for concurrent use; [Service] drives one from a single goroutine.
type Machine struct {
	self fsm.Grantor
	boot BootID
	log  Log
	told bool // log is known

	view    view
	leader  fsm.NodeID
	holder  holder
	grantor grantor
	watch   watch
	peers   peers
	fencer  fencer
	heir    succession

	report   reporting
	confirms []confirming // sorted by key

	now     Instant
	alert   time.Duration // awake time of this Step
	out     []Output
	outputs outputs
	local   []Body // messages to this node itself
}

// reporting is this node's Report to the leader.
type reporting struct {
	due     time.Duration
	last    Report
	orphans []Orphan
	ending  bool
	seq     uint64
	suspect uint64 // sequence of this node's Suspects
}

// confirming is a Release that this node has confirmed and repeats until it is no longer current.
type confirming struct {
	key   fsm.AddressKey
	index uint64
	due   time.Duration
}

// maxConfirms bounds how many confirmations are repeated at a time; the actuator confirms again what was left out.
const maxConfirms = 4096

// NewMachine returns the machine of a process that has just started. self is the node and its store; boot is drawn at random
// for this process; d is what its store remembers; start is the time, read after the data directory was locked (design §3:
// "flock on the directory before the start time is taken").
func NewMachine(self fsm.Grantor, boot BootID, d Durable, start Instant) *Machine {
	return &Machine{
		self:    self,
		boot:    boot,
		holder:  holder{self: self, boot: boot},
		grantor: newGrantor(d, start),
		watch:   newWatch(start),
		peers:   newPeers(),
		fencer:  newFencer(self, boot),
		now:     start,
	}
}

// Step takes one input at now and returns what is to be done, in order. now never goes back on either clock, and was read
// before any of the outputs is acted upon. The slice is valid until the next
// Step.
func (m *Machine) Step(now Instant, in Input) []Output {
	m.now = now
	m.out = m.out[:0]
	m.outputs.reset()
	m.holder.pace.round = false
	m.alert = m.watch.awake(now, m.view.renew)
	m.take(in)
	m.deliver()
	m.work()
	for len(m.local) > 0 {
		m.deliver()
		m.work()
	}
	return m.out
}

func (m *Machine) take(in Input) {
	switch in := in.(type) {
	case Applied:
		m.applied(in.State)
	case Received:
		m.received(in.From, &in.Msg)
	case *Received:
		m.received(in.From, &in.Msg)
	case Tick:
	case Persisted:
		m.grantor.persisted(m.now, in.Seq)
		m.report.orphans = m.grantor.orphans(&m.view)
	case BarrierPassed:
		m.holder.barrier = true
	case Alive:
		if in.At.zero() {
			in.At = m.now
		}
		m.alive(in)
	case *Alive:
		m.alive(*in)
	case Log:
		if !m.told {
			m.log, m.told = in, true
		}
	case Lead:
		m.grantor.hear(in.Term)
		m.fencer.lead(m.now, in, &m.view)
		m.follow(m.self.Node)
	case Follow:
		m.fencer.follow()
		m.follow(in.Leader)
	case Confirm:
		for _, r := range in.Releases {
			m.confirm(r)
		}
	case Ending:
		m.report.ending = bool(in)
	}
}

func (m *Machine) received(from fsm.NodeID, msg *Message) {
	if from == m.self.Node {
		return
	}
	if ok, shut := m.peers.admit(m.now, from, msg); ok {
		m.receive(fsm.Grantor{Node: from, Store: msg.Store}, msg.Boot, msg.Body)
	} else if shut != nil {
		m.emit(*shut)
	}
}

func (m *Machine) alive(a Alive) {
	if a.Part < parts {
		if t := &m.holder.ticked[a.Part]; !t.once || a.At.Raw > t.at.Raw {
			t.at, t.once = a.At, true
		}
	}
}

func (m *Machine) applied(s *fsm.State) {
	if s == nil || m.view.known() && s.Index < m.view.index() {
		return
	}
	old := m.view
	m.view = viewOf(s, m.self)
	m.alive(Alive{Part: FSM, At: m.now})
	m.holder.applied(m.now, &old, &m.view)
	m.grantor.applied(m.now, &old, &m.view)
	m.watch.applied(m.alert, &m.view)
	m.fencer.applied(m.now, &m.view)
	m.report.orphans = m.grantor.orphans(&m.view)
	m.confirms = slices.DeleteFunc(m.confirms, func(c confirming) bool { return !m.current(c) })
}

// follow notes who leads; the leader gets to know everything at once. §3 Detection: a suspicion is "re-pushed at leader
// change".
func (m *Machine) follow(leader fsm.NodeID) {
	if leader == m.leader {
		return
	}
	m.leader = leader
	m.watch.again()
	m.report.due = m.now.Raw
	for i := range m.confirms {
		m.confirms[i].due = m.now.Raw
	}
}

// current reports whether a confirmed Release is still what the applied state asks this node for. One that this node has not
// applied yet may become it.
func (m *Machine) current(c confirming) bool {
	if c.index > m.view.index() {
		return true
	}
	a, ok := m.view.state.Assignments[c.key]
	return ok && a.Owner == m.self.Node && a.Release != nil && a.Release.Index == c.index
}

func (m *Machine) confirm(r Released) {
	c := confirming{key: r.Key, index: r.Index, due: m.now.Raw}
	if !m.current(c) {
		return
	}
	i, found := slices.BinarySearchFunc(m.confirms, c, func(a, b confirming) int { return a.key.Compare(b.key) })
	switch {
	case found && m.confirms[i].index >= c.index:
	case found:
		m.confirms[i] = c
	case len(m.confirms) < maxConfirms:
		m.confirms = slices.Insert(m.confirms, i, c)
	}
}

// receive handles a message of another node, or of this one to itself.
func (m *Machine) receive(from fsm.Grantor, boot BootID, b Body) {
	switch b := b.(type) {
	case Renew:
		m.renewed(from, boot, b)
	case *Renew:
		m.renewed(from, boot, *b)
	case Ack:
		m.holder.ack(from, b, &m.view)
	case *Ack:
		m.holder.ack(from, *b, &m.view)
	case Refuse:
		m.holder.refuse(b, &m.view)
	case Fence:
		m.grantor.fence(from.Node, boot, b)
	case FenceAnswer:
		m.fencer.answer(from, b, &m.view)
	case Suspect:
		m.fencer.tally.note(m.now, from, boot, b, &m.view)
	case Report:
		m.fencer.reports.note(m.now, from, boot, b, &m.view)
	case *Report:
		m.fencer.reports.note(m.now, from, boot, *b, &m.view)
	case Confirmation:
		if _, ok := m.view.node(from); ok {
			for _, r := range b.Releases {
				m.fencer.handovers.confirm(from.Node, r)
			}
		}
	case RefuseOlderSets:
		m.grantor.refuseOlder(from.Node, boot, b)
	case SetAnswer:
		m.fencer.change.answer(m.now, from, b, &m.fencer, &m.view)
	}
}

// renewed is the grantor's way with a Renew.
func (m *Machine) renewed(from fsm.Grantor, boot BootID, r Renew) {
	if !m.grantor.fresh(from.Node, boot, r.Seq) {
		return
	}
	// Only the store that the state knows under this name speaks for the node.
	if _, ok := m.view.node(from); ok && r.Held && m.watch.held(m.alert, from.Node) && m.view.member {
		m.suspect(push{node: from.Node, withdrawn: true})
	}
	agreed := m.view.agreed(from.Node)
	if why := m.grantor.renew(m.now, from.Node, r, &m.view); why != 0 {
		m.send(from.Node, Refuse{Boot: boot, Seq: r.Seq, Epoch: r.Epoch, Reason: why, Agreed: agreed})
		return
	}
	m.send(from.Node, m.outputs.ack(Ack{Boot: boot, Seq: r.Seq, Epoch: r.Epoch}))
	m.holder.fallIn(m.now, &m.view)
}

// suspect pushes a suspicion, or its withdrawal, "to the leader and the nodes at once".
func (m *Machine) suspect(p push) {
	epoch := m.view.agreed(p.node)
	if p.first || p.withdrawn {
		m.emit(SuspicionChanged{Node: p.node, Epoch: epoch, Silent: p.silent, Suspected: !p.withdrawn})
	}
	m.report.suspect++
	s := Suspect{Seq: m.report.suspect, Node: p.node, Epoch: epoch, Silent: p.silent, Withdrawn: p.withdrawn}
	for _, n := range m.view.nodes {
		m.send(n, s)
	}
}

// work does all that is due at now.
func (m *Machine) work() {
	v := &m.view
	may := m.holder.mayRenew(m.now, v) && len(v.set.Members) > 0
	if !may {
		m.holder.pace.planned = 0
	}
	if may && m.now.Raw >= m.holder.due {
		r := m.outputs.renew(m.holder.renew(m.now, v))
		for _, g := range v.set.Members {
			m.send(g.Node, r)
		}
	}
	m.holder.changes(m.now, v, func(c LeaseChanged) { m.emit(m.outputs.change(c)) })
	m.grantor.lowerCap(m.now, v)
	m.grantor.answers(m.now, m.send)
	if v.member {
		m.watch.due(m.now, m.alert, m.silence(), v, m.suspect)
	}
	m.fencer.tick(m.now, v, m)
	m.heir.tick(m.now, m.self, m.leader, &m.fencer.tally, v, m.emit)
	own := -1
	if m.holder.mayRenew(m.now, v) {
		own = m.holder.reach(m.now, v)
	}
	m.fencer.reach.tick(m.now, own, v, &m.fencer, m)
	m.tell()
	if p, ok := m.grantor.persist(m.now); ok {
		m.emit(p)
	}
}

func (m *Machine) silence() time.Duration { return silence(m.view.ttl, m.promiseTime()) }

// promiseTime is how long a promise takes to become durable; before one was made, long enough for the earliest suspicion.
func (m *Machine) promiseTime() time.Duration {
	if m.grantor.promise < 0 {
		return m.view.ttl
	}
	return m.grantor.promise
}

// tell sends the leader this node's report, every 2·R and on change, and the confirmations, every R.
func (m *Machine) tell() {
	v := &m.view
	if m.leader == "" || !v.known() {
		return
	}
	r := Report{
		Epoch:   v.epoch,
		Ready:   m.holder.mayRenew(m.now, v) && m.holder.live(v.epoch, m.now),
		Ending:  m.report.ending,
		Set:     v.set.Index,
		Reach:   uint8(min(m.holder.reach(m.now, v), math.MaxUint8)),
		Orphans: m.report.orphans,
	}
	l := &m.report.last
	changed := r.Epoch != l.Epoch || r.Ready != l.Ready || r.Ending != l.Ending || r.Set != l.Set || !slices.Equal(r.Orphans, l.Orphans)
	if changed || m.now.Raw >= m.report.due {
		m.report.due = m.now.Raw + 2*v.renew
		m.report.seq++
		r.Seq = m.report.seq
		m.report.last = r
		m.send(m.leader, m.outputs.report(r))
	}

	var c Confirmation
	for i := range m.confirms {
		x := &m.confirms[i]
		if x.index > v.index() || m.now.Raw < x.due {
			continue
		}
		x.due = m.now.Raw + v.renew
		c.Releases = append(c.Releases, Released{Key: x.key, Index: x.index})
		if len(c.Releases) == maxReleases {
			m.send(m.leader, c)
			c = Confirmation{}
		}
	}
	if len(c.Releases) > 0 {
		m.send(m.leader, c)
	}
}

// send addresses a message; one to this node itself takes the same way without a socket.
func (m *Machine) send(to fsm.NodeID, b Body) {
	if to == m.self.Node {
		m.local = append(m.local, b)
		return
	}
	m.emit(m.outputs.send(Send{To: to, Msg: Message{
		Store:    m.self.Store,
		Boot:     m.boot,
		Promises: m.grantor.disk.Promises,
		Applied:  m.view.index(),
		Log:      m.log.LastIndex,
		LogKnown: m.told,
		Body:     b,
	}}))
}

func (m *Machine) emit(o Output) { m.out = append(m.out, o) }

// deliver handles the messages to this node itself, and those that they lead to.
func (m *Machine) deliver() {
	for i := 0; i < len(m.local); i++ {
		m.receive(m.self, m.boot, m.local[i])
	}
	clear(m.local)
	m.local = m.local[:0]
}

// late is by how much the round of the last Step was late, false if it had none.
func (m *Machine) late() (time.Duration, bool) {
	if !m.holder.pace.round {
		return 0, false
	}
	return m.holder.pace.last, true
}

// Live reports whether the lease under e is held at now. An address that was opened under e may stay open while it is.
func (m *Machine) Live(e fsm.Epoch, now Instant) bool { return m.holder.live(e, now) }

// Hints is what the planner should know, empty where this node does not lead.
func (m *Machine) Hints(now Instant) fsm.Hints { return m.fencer.hints(now, &m.view) }

// NextTimer is when Tick is due, on RAW; possibly in the past. It is never later than one R after the last Step.
func (m *Machine) NextTimer() time.Duration {
	v := &m.view
	renew := v.renew
	if !v.known() {
		renew = fsm.LAN.Timing().Renew
	}
	at := min(m.now.Raw+renew, m.holder.timer(m.now, v), m.grantor.timer(v), m.fencer.timer(v))
	if v.member {
		at = min(at, m.watch.timer(m.silence()))
	}
	return at
}
