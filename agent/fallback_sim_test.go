package agent

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip/vrrp"
)

var fallbackSchedules = flag.Int("fallback-schedules", 300, "how many schedules of virtual routers without a quorum to run")

// The model of a cluster whose one VIP falls back to VRRP. Real are [fallbacks] and [vrrp.Machine]; modelled are the log, the lease, the gate, the wire and the order of an
// actuator's pass. Time goes by the millisecond, and everything follows from the seed.

const (
	simTTL   = 250
	simRenew = 50
	simPass  = 100
	simRound = 125
	simTop   = 254
)

// simMutant plants a fault, to see that it is found.
type simMutant struct {
	name                                                              string
	from                                                              uint64 // the seed to begin with, near one that finds it
	noAsk, noEar, noWait, early, loudOwner, noDoubt, noHold, lastWord bool
}

// simState is what is agreed.
type simState struct {
	index   int
	owner   int // -1: nobody
	to      int // a hand-over is under way to; -1: none
	epoch   []int
	holders map[int]int // former owners that may still claim it, and since which entry
}

func (s *simState) next() *simState {
	n := *s
	n.index++
	n.epoch, n.holders = slices.Clone(s.epoch), maps.Clone(s.holders)
	return &n
}

type simNode struct {
	w      *simWorld
	id     int
	up     bool
	frozen int  // until when
	mute   int  // until when its adverts reach nobody
	born   int  // restarts
	ready  bool // the start barrier

	log   *simState // applied
	logAt int       // when what is in flight is applied
	inLog *simState
	// The lease: under epoch until; the gate is told of it unless it has lapsed and the actuator does not know yet.
	epoch, until, gate int
	lapsed             bool
	granted            []int // as a grantor: until when, by node
	floor              []int

	speaker *vrrp.Machine
	inbox   []vrrp.Event

	// The ear.
	listens, asks bool
	round, next   int
	since, last   int
	heard, in     bool
	everHeard     int // the last advert of the cluster
	// The actuator.
	fb       fallbacks
	passAt   int
	wake     bool
	carrying bool // the effect is to come at effectAt
	effectAt int
	effect   func()
	open     string // "", "lease", "self"
	openEp   int
	self     int // until when it has granted itself
}

type simWorld struct {
	t        testing.TB
	rng      *rand.Rand
	mutant   simMutant
	now      int
	interval time.Duration
	nodes    []*simNode
	ctl, lan []int // component of each node
	agreed   *simState
	leader   int
	leaderAt int
	placeAt  int
	flying   []simFlying
	wholeLAN int // since when the LAN is one
	trace    []string
	dual     int // for how long two have claimed it
	stats    map[string]int
	bad      string
	cutLAN   bool
}

type simFlying struct {
	at, from int
	p        vrrp.Priority
}

var simAddr = netip.MustParseAddr("192.0.2.10")

func newSimWorld(t testing.TB, seed uint64, mutant simMutant) *simWorld {
	w := &simWorld{t: t, rng: rand.New(rand.NewPCG(seed, 1)), mutant: mutant, leader: -1, stats: map[string]int{}}
	n := 3 + w.rng.IntN(3)
	w.interval = []time.Duration{time.Second, time.Second, 200 * time.Millisecond}[w.rng.IntN(3)]
	w.cutLAN = w.rng.IntN(2) == 0
	w.agreed = &simState{index: 1, owner: -1, to: -1, epoch: make([]int, n), holders: map[int]int{}}
	w.ctl, w.lan = make([]int, n), make([]int, n)
	for i := range n {
		x := &simNode{w: w, id: i, log: w.agreed, granted: make([]int, n), floor: slices.Repeat([]int{-1}, n)}
		w.nodes = append(w.nodes, x)
		x.start()
	}
	return w
}

func (w *simWorld) tracef(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%7d ", w.now)+fmt.Sprintf(format, args...))
	if len(w.trace) > 80 {
		w.trace = w.trace[1:]
	}
}

func (w *simWorld) at() time.Duration { return time.Duration(w.now) * time.Millisecond }

func (x *simNode) start() {
	w := x.w
	x.up, x.ready, x.born, x.frozen = true, false, w.now, 0
	x.epoch, x.until, x.gate, x.lapsed = -1, 0, 0, false
	x.fb, x.carrying, x.inbox, x.listens, x.heard, x.since = fallbacks{}, false, nil, false, false, -1
	x.everHeard, x.passAt = -1<<30, w.now
	x.speaker = vrrp.NewMachine(vrrp.Config{VRID: 51, Version: vrrp.V3, Priority: simTop, Interval: w.interval, Mode: vrrp.Appointed, Preempt: true,
		Addresses: []netip.Addr{simAddr}, Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(x.id + 1)})})
	x.tell(vrrp.Startup, 0)
	for i := range x.granted { // after a start it does not know what it granted
		x.granted[i] = w.now + simTTL*103/100 + 2
	}
}

// claims is what the kernel answers: a flag, and a deadline.
func (x *simNode) claims() bool {
	switch x.open {
	case "lease":
		return x.w.now < x.gate && x.openEp == x.epoch
	case "self":
		return x.w.now < x.self
	}
	return false
}

func (x *simNode) runs() bool { return x.up && x.w.now >= x.frozen }

func (x *simNode) leased() bool { return x.epoch == x.log.epoch[x.id] && x.w.now < x.until }

func (x *simNode) tell(k vrrp.EventKind, p vrrp.Priority) {
	before := x.speaker.State()
	for _, a := range x.speaker.Step(vrrp.Event{Kind: k, At: x.w.at(), Priority: p}) {
		x.do(a)
	}
	x.wake = x.wake || before != x.speaker.State()
}

func (x *simNode) do(a vrrp.Action) {
	switch a.Kind {
	case vrrp.Send:
		x.w.flying = append(x.w.flying, simFlying{at: x.w.now + 1, from: x.id, p: a.Priority})
	case vrrp.Enter:
		x.w.tracef("n%d enters %s: %s", x.id, a.State, a.Cause)
		x.wake = true
	}
}

// step is one millisecond of a process that runs.
func (x *simNode) step() {
	w := x.w
	if x.inLog != nil && w.now >= x.logAt {
		if x.inLog.index > x.log.index {
			x.log, x.wake = x.inLog, true
		}
		x.inLog = nil
	}
	if due, runs := x.speaker.Deadline(); runs && due <= w.at() {
		x.tell(vrrp.Tick, 0)
	}
	for _, e := range x.inbox {
		switch {
		case e.Priority == simTop:
			x.everHeard = w.now
		case !w.mutant.lastWord:
			x.everHeard = -1 << 30
		}
		e.At = w.at()
		before := x.speaker.State()
		for _, a := range x.speaker.Step(e) {
			x.do(a)
		}
		x.wake = x.wake || before != x.speaker.State()
	}
	x.inbox = x.inbox[:0]
	if x.ready && (w.now-x.born)%simRenew == 0 {
		x.renew()
	}
	x.hear()
	switch {
	case x.carrying && w.now >= x.effectAt:
		x.carrying = false
		x.effect()
	case !x.carrying && x.ready && (w.now >= x.passAt || x.wake):
		x.pass()
	}
}

func (x *simNode) renew() {
	w, e, acks := x.w, x.log.epoch[x.id], 0
	for _, g := range w.nodes {
		if !g.runs() || w.ctl[g.id] != w.ctl[x.id] || w.now-g.born < simTTL && g != x || e <= g.floor[x.id] {
			continue
		}
		g.granted[x.id] = max(g.granted[x.id], w.now+simTTL*103/100+2)
		acks++
	}
	if acks*2 <= len(w.nodes) {
		return
	}
	if x.epoch != e || w.now >= x.until { // it had none
		x.lapsed = x.epoch >= 0
		x.wake = true
	}
	x.epoch, x.until = e, w.now+simTTL
	if !x.lapsed || w.mutant.noHold {
		x.gate = x.until
	}
}

// hear asks twice in a round, and hears announcements.
func (x *simNode) hear() {
	w := x.w
	if !x.listens {
		return
	}
	if w.now >= x.next {
		if x.next > 0 && !x.in {
			if x.since < 0 {
				x.since = x.round
			}
			x.last, x.heard = x.round, false
		}
		x.round, x.next, x.in = w.now, w.now+simRound, false
	}
	if d := w.now - x.round; d == 0 || d == simRound/2 {
		for _, y := range w.nodes {
			if y != x && y.claims() && w.lan[y.id] == w.lan[x.id] {
				x.note()
			}
		}
	}
}

func (x *simNode) note() {
	if x.listens {
		x.heard, x.in, x.since, x.wake = true, true, -1, true
	}
}

func (x *simNode) listen(on bool) {
	if on == x.listens {
		return
	}
	x.listens, x.round, x.next, x.since, x.last, x.heard, x.in = on, 0, 0, -1, -1, false, false
}

// pass is the actuator's: what it decides comes to pass a little later.
func (x *simNode) pass() {
	w := x.w
	x.passAt, x.wake = w.now+simPass, false
	s, leased := x.log, x.leased()
	own := s.owner == x.id && s.to < 0
	at := lease.Instant{Raw: time.Hour + w.at(), Boot: time.Hour + w.at()}
	key := fsm.AddressKey{Addr: simAddr}
	order := []int{}
	if s.owner >= 0 {
		order = append(order, s.owner)
	}
	for i := range w.nodes {
		if i != s.owner {
			order = append(order, i)
		}
	}
	priority := uint8(simTop - 1 - 32*slices.Index(order, x.id))
	askFor := simTTL*5/4 + 50
	lapsed := x.lapsed
	in := fallbackInput{now: at, timing: fsm.LAN.Timing(), leased: leased, lapsed: lapsed, led: w.led(x),
		superseded: slices.ContainsFunc(w.nodes, func(g *simNode) bool {
			return g.runs() && w.ctl[g.id] == w.ctl[x.id] && g.log.epoch[x.id] > s.epoch[x.id]
		}),
		routers: []candidacy{{name: "r", priority: priority, owner: own, active: x.speaker.State() == vrrp.Active, open: x.open != "", vips: map[fsm.AddressKey]string{key: "v"}}},
		against: func(netip.Addr) string {
			if x.heard && !w.mutant.noEar {
				return "another"
			}
			return ""
		},
		silent: func(netip.Addr) bool {
			return w.mutant.noEar || !x.heard && x.since >= 0 && x.last-x.since >= askFor && w.now-x.last <= 3*simRound
		}}
	if w.mutant.noWait {
		in.routers[0].active = true
	}
	out := x.fb.step(in)
	if w.mutant.noDoubt {
		out.doubt = false
	}
	p, elects := out.elect["r"]
	_, claims := out.claims[key]
	governed := leased && own
	next, open := "", x.open
	if out.doubt {
		open = ""
	}
	if lapsed && !out.doubt && leased && !x.carrying { // it knows of the lapse: what is open has been looked after
		x.lapsed = false
		x.gate = x.until
	}
	if elects && w.mutant.loudOwner {
		p = simTop
	}
	ask := false
	switch {
	case governed:
		x.tell(vrrp.Appoint, 0)
		if !x.asks && open == "" { // silence from before it spoke counts no more
			x.asks = true
			x.listen(false)
		}
		if open != "" && x.speaker.State() == vrrp.Active {
			next = "lease"
			break
		}
		_, mine := s.holders[x.id]
		suspended := len(s.holders) > 1 || len(s.holders) == 1 && !mine
		fresh := w.now-x.everHeard <= int(2*w.interval/time.Millisecond)
		if ask = suspended || !fresh; w.mutant.noAsk || !ask || !x.heard && x.since >= 0 && x.last-x.since >= askFor && w.now-x.last <= 3*simRound {
			next, ask = "lease", false
		}
	case elects:
		x.tell(vrrp.Elect, vrrp.Priority(p))
		if claims {
			next = "self"
		}
	}
	x.asks = governed && ask
	if x.listen(ask || out.listen); len(out.abstain) > 0 {
		w.tracef("n%d abstains", x.id)
	}
	if next == "self" {
		x.self = w.now + simTTL
	}
	delay := w.rng.IntN(4)
	if w.rng.IntN(200) == 0 {
		delay = w.rng.IntN(200)
	}
	release, index, ep := s.owner == x.id && s.to >= 0, s.index, s.epoch[x.id]
	confirm := func() {
		ended, is := s.holders[x.id]
		if is && s.owner != x.id && (x.open == "" || w.mutant.early) {
			w.holdOff(x, ended, index, ep)
		}
		if release && leased && x.open == "" {
			w.released(x, index)
		}
	}
	if w.mutant.early {
		confirm()
	}
	x.carrying, x.effectAt = true, w.now+delay
	x.effect = func() {
		if next != x.open || next == "lease" && x.openEp != ep {
			w.tracef("n%d: %q, was %q (index %d owner %d leased %t elects %t)", x.id, next, x.open, s.index, s.owner, leased, elects)
			if x.open == "" {
				for _, y := range w.nodes {
					if y != x && w.lan[y.id] == w.lan[x.id] {
						defer y.note()
					}
				}
			}
		}
		x.open, x.openEp = next, ep
		if next == "self" {
			w.stats["fallback passes"]++
		}
		if lapsed && out.doubt && leased {
			x.lapsed = false
			x.gate = x.until
			w.stats["doubts"]++
		}
		switch {
		case len(out.abstain) > 0:
			x.tell(vrrp.Abstain, 0)
			w.stats["abstained"]++
		case release && s.to == len(w.nodes):
			x.tell(vrrp.Release, 0)
		case !governed && !elects:
			x.tell(vrrp.HandOver, 0)
		}
		confirm()
	}
	if delay == 0 {
		x.carrying = false
		x.effect()
	}
}

// led reports whether the node knows a leader.
func (w *simWorld) led(x *simNode) bool {
	return w.leader >= 0 && w.ctl[w.leader] == w.ctl[x.id] && w.nodes[w.leader].up
}

func (w *simWorld) commit(s *simState, format string, args ...any) {
	w.agreed = s
	w.tracef("entry %d: owner n%d: %s", s.index, s.owner, fmt.Sprintf(format, args...))
}

func (w *simWorld) holdOff(x *simNode, ended, index, ep int) {
	if w.leader < 0 || w.ctl[w.leader] != w.ctl[x.id] || w.agreed.epoch[x.id] != ep {
		return
	}
	if e, is := w.agreed.holders[x.id]; !is || e != ended || e > index || w.agreed.owner == x.id {
		return
	}
	n := w.agreed.next()
	delete(n.holders, x.id)
	w.stats["confirmed"]++
	w.commit(n, "n%d holds nothing", x.id)
}

func (w *simWorld) released(x *simNode, index int) {
	if w.leader < 0 || w.ctl[w.leader] != w.ctl[x.id] || w.agreed.owner != x.id || w.agreed.to < 0 || w.agreed.index < index {
		return
	}
	n := w.agreed.next()
	n.owner, n.to = n.to, -1
	delete(n.holders, x.id)
	if n.owner == len(w.nodes) {
		n.owner, w.placeAt = -1, w.now+w.rng.IntN(2000)
	}
	if n.owner >= 0 {
		n.holders[n.owner] = 0
	}
	w.stats["handed over"]++
	w.commit(n, "handed over by n%d", x.id)
}

// lead is the leader's work, and who leads.
func (w *simWorld) lead() {
	quorum := func(of int) (n int) {
		for _, x := range w.nodes {
			if x.runs() && w.ctl[x.id] == w.ctl[of] {
				n++
			}
		}
		return n
	}
	if w.leader >= 0 && (!w.nodes[w.leader].runs() || quorum(w.leader)*2 <= len(w.nodes)) {
		w.leader = -1
	}
	if w.leader < 0 {
		can := -1
		for _, x := range w.nodes {
			// Whoever leads has all that is agreed, as Raft sees to it; here at once.
			if x.runs() && quorum(x.id)*2 > len(w.nodes) {
				can = x.id
			}
		}
		if can < 0 {
			w.leaderAt = 0
			return
		}
		if w.leaderAt == 0 {
			w.leaderAt = w.now + 80 + w.rng.IntN(200)
		}
		if w.now < w.leaderAt {
			return
		}
		w.leader, w.leaderAt = can, 0
		w.tracef("n%d leads", can)
	}
	for _, x := range w.nodes {
		if x.runs() && w.ctl[x.id] == w.ctl[w.leader] {
			if x.log.index < w.agreed.index && x.inLog == nil {
				x.inLog, x.logAt = w.agreed, w.now+1+w.rng.IntN(5)
				if w.rng.IntN(50) == 0 {
					x.logAt += w.rng.IntN(400)
				}
			}
			if !x.ready && x.log.index == w.agreed.index && w.now-x.born > 20 {
				x.ready = true
			}
		}
	}
	if w.now%10 > 0 {
		return
	}
	best := func() int {
		for _, i := range w.rng.Perm(len(w.nodes)) {
			if x := w.nodes[i]; x.ready && x.runs() && x.leased() && w.ctl[i] == w.ctl[w.leader] && i != w.agreed.owner {
				return i
			}
		}
		return -1
	}
	s := w.agreed
	for _, x := range w.nodes { // a promise that no fence has followed
		if x.runs() && x.ready && x.log == s && w.ctl[x.id] == w.ctl[w.leader] && slices.ContainsFunc(w.nodes, func(g *simNode) bool { return g.floor[x.id] >= s.epoch[x.id] }) {
			n := s.next()
			n.epoch[x.id] = n.index
			w.stats["raised"]++
			w.commit(n, "n%d raised", x.id)
			return
		}
	}
	if s.owner < 0 {
		if w.now < w.placeAt {
			return
		}
		if to := best(); to >= 0 {
			n := s.next()
			n.owner = to
			n.holders[to] = 0
			w.commit(n, "placed")
		}
		return
	}
	o := w.nodes[s.owner]
	silent := !o.runs() || w.ctl[o.id] != w.ctl[w.leader] || !o.ready
	if !silent {
		return
	}
	// A fence: a majority refuses the epoch, and waits until what it has granted has passed.
	gone := 0
	for _, g := range w.nodes {
		if g.runs() && w.ctl[g.id] == w.ctl[w.leader] {
			if w.now > g.granted[o.id]-50 { // it suspects
				g.floor[o.id] = max(g.floor[o.id], s.epoch[o.id])
			}
			if g.floor[o.id] >= s.epoch[o.id] && w.now > g.granted[o.id] {
				gone++
			}
		}
	}
	if gone*2 > len(w.nodes) {
		n := s.next()
		n.epoch[o.id], n.holders[o.id] = n.index, n.index
		n.owner, n.to = best(), -1
		if n.owner >= 0 {
			n.holders[n.owner] = 0
		}
		w.stats["fenced"]++
		w.commit(n, "n%d fenced", o.id)
	}
}

func (w *simWorld) deliver() {
	left := w.flying[:0]
	for _, f := range w.flying {
		if f.at > w.now {
			left = append(left, f)
			continue
		}
		for _, x := range w.nodes {
			if x.id != f.from && x.up && w.nodes[f.from].mute < w.now && w.lan[x.id] == w.lan[f.from] && len(x.inbox) < 20 {
				x.inbox = append(x.inbox, vrrp.Event{Kind: vrrp.Advertised, Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(f.from + 1)}), Role: vrrp.Fellow,
					Priority: f.p, Interval: w.interval})
			}
		}
	}
	w.flying = left
}

// tick is one millisecond.
func (w *simWorld) tick() {
	w.now++
	w.deliver()
	w.lead()
	for _, i := range w.rng.Perm(len(w.nodes)) {
		if x := w.nodes[i]; x.runs() {
			x.step()
		}
	}
	one := true
	for i := range w.lan {
		one = one && w.lan[i] == w.lan[0]
	}
	if !one {
		w.wholeLAN = w.now
	}
	quiet, two := true, false
	for _, x := range w.nodes {
		quiet = quiet && x.mute+int(w.interval/time.Millisecond)+300 < w.now
	}
	for i, x := range w.nodes {
		if !x.claims() {
			continue
		}
		w.stats["claimed"]++
		for _, y := range w.nodes[i+1:] {
			if !y.claims() || w.lan[x.id] != w.lan[y.id] {
				continue
			}
			governed := x.open == "lease" || y.open == "lease"
			two = true
			switch {
			case !quiet && w.dual < 300: // adverts decide nothing; ears do
			case governed && w.now-w.wholeLAN > int(w.interval/time.Millisecond)+300:
				w.fail("n%d (%s) and n%d (%s) claim it at one moment", x.id, x.open, y.id, y.open)
			case x.open == "lease" && y.open == "lease":
				w.fail("n%d and n%d own it", x.id, y.id)
			case w.now-w.wholeLAN > int(w.interval/time.Millisecond)+300:
				w.stats["two without a quorum"]++
			}
		}
	}
	if w.dual++; !two {
		w.dual = 0
	}
}

func (w *simWorld) fail(format string, args ...any) {
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, args...) + fmt.Sprintf(" at %d; interval %v", w.now, w.interval)
		w.tracef("%s", w.bad)
	}
}

// disturb breaks or mends something.
func (w *simWorld) disturb() {
	n := len(w.nodes)
	x := w.nodes[w.rng.IntN(n)]
	if o := w.agreed.owner; o >= 0 && w.rng.IntN(3) == 0 {
		x = w.nodes[o]
	}
	did := func(what string, args ...any) {
		w.stats[what]++
		w.tracef("%s %v", what, args)
	}
	switch k := w.rng.IntN(16); k {
	case 0: // power off: nothing of it is left
		if x.up {
			x.up, x.open, x.carrying = false, "", false
			did("power off", x.id)
		}
	case 15: // released, and nobody gets it for a while
		if o := w.agreed.owner; w.leader >= 0 && o >= 0 && w.agreed.to < 0 && w.led(w.nodes[o]) {
			s := w.agreed.next()
			s.to = n
			w.commit(s, "release to nobody")
			did("last word", o)
		}
	case 1: // the process alone: its kernel goes on until the deadlines
		if x.up {
			x.up, x.carrying = false, false
			did("kill", x.id)
		}
	case 2, 3, 4:
		for _, y := range w.nodes {
			if !y.up {
				if y.open != "" && y.claims() {
					continue // its kernel still has what the last process opened; it ends before a new one is ready
				}
				y.open = ""
				y.start()
				did("start", y.id)
				break
			}
		}
	case 5, 6:
		if x.runs() && x.up {
			x.frozen = w.now + 50 + w.rng.IntN(8000)
			did("freeze", x.id, x.frozen)
		}
	case 7, 8:
		for i := range w.ctl {
			w.ctl[i] = w.rng.IntN(3)
		}
		did("control cut", w.ctl)
	case 9, 10, 11:
		clear(w.ctl)
		did("control whole")
	case 12:
		if w.cutLAN {
			for i := range w.lan {
				w.lan[i] = w.rng.IntN(2)
			}
			did("lan cut", w.lan)
		}
	case 13:
		if w.cutLAN {
			x.mute = w.now + w.rng.IntN(10_000)
			did("mute", x.id, x.mute)
		}
	case 14:
		clear(w.lan)
		if to := w.rng.IntN(n); w.leader >= 0 && w.agreed.owner >= 0 && w.agreed.to < 0 && to != w.agreed.owner && w.nodes[to].leased() {
			s := w.agreed.next()
			s.to = to
			w.commit(s, "release to n%d", to)
		}
	}
}

// run is one schedule.
func (w *simWorld) run(t testing.TB) {
	for end := 40_000; w.now < end && w.bad == ""; {
		for pause := 20 + w.rng.IntN([]int{100, 1000, 5000}[w.rng.IntN(3)]); pause > 0 && w.bad == ""; pause-- {
			w.tick()
		}
		if w.now < end {
			w.disturb()
		}
	}
	clear(w.ctl)
	clear(w.lan)
	for _, x := range w.nodes {
		x.frozen, x.mute = 0, 0
		if !x.up {
			x.open = ""
			x.start()
		}
	}
	w.tracef("healed")
	for end := w.now + 10_000; w.now < end && w.bad == ""; {
		w.tick()
	}
	n := 0
	for _, x := range w.nodes {
		if x.claims() && x.id == w.agreed.owner {
			n++
		}
	}
	if n != 1 && w.bad == "" {
		w.fail("the owner n%d does not serve it 10 s after everything is whole", w.agreed.owner)
	}
}

func TestFallbackSchedules(t *testing.T) {
	n := *fallbackSchedules
	if testing.Short() {
		n = 60
	}
	all := map[string]int{}
	for seed := range n {
		w := newSimWorld(t, uint64(seed), simMutant{})
		w.run(t)
		for k, v := range w.stats {
			all[k] += v
		}
		if w.bad != "" {
			t.Fatalf("seed %d: %s\n%s", seed, w.bad, strings.Join(w.trace, "\n"))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		t.Logf("%9d %s", all[k], k)
	}
}

// TestFallbackMutants: the schedules find each rule's absence.
func TestFallbackMutants(t *testing.T) {
	for _, m := range []simMutant{
		{name: "the owner does not ask before it opens", noAsk: true},
		{name: "who is elected does not listen for others", from: 50, noEar: true},
		{name: "it serves without having waited to be Active", from: 113, noWait: true},
		{name: "it confirms before its address is gone", early: true},
		{name: "an owner without a quorum goes on with the cluster's priority", loudOwner: true},
		{name: "who stood still goes on", from: 1340, noDoubt: true},
		{name: "adverts from before somebody's last word count", from: 460, lastWord: true},
		{name: "a lease that is had again opens what was open before", from: 1700, noHold: true},
	} {
		t.Run(m.name, func(t *testing.T) {
			for seed := m.from; seed < m.from+3000; seed++ {
				w := newSimWorld(t, seed, m)
				if w.run(t); w.bad != "" {
					t.Logf("seed %d: %s", seed, w.bad)
					return
				}
			}
			t.Error("no schedule has found it")
		})
	}
}
