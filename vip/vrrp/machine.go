package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// State of a virtual router on this host (RFC 9568 section 6.3; Active was Master in the older RFCs).
type State uint8

const (
	// Initialize waits for the Startup event.
	Initialize State = iota
	// Backup listens.
	Backup
	// Active answers for the addresses, and advertises.
	Active
)

// String is "initialize", "backup" or "active".
func (s State) String() string { return [...]string{"initialize", "backup", "active"}[min(s, Active)] }

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// EventKind is what happens to a router.
type EventKind uint8

const (
	// Startup begins.
	Startup EventKind = iota
	// Shutdown ends. In Appointed mode it is silent: what an owner that stops has to say, the cluster says by HandOver or Release.
	Shutdown
	// Tick: time has passed. It is due at [Machine.Deadline]; before that it does nothing.
	Tick
	// Advertised: an accepted advert was heard. Event's Source, Role, Priority and Interval are its.
	Advertised
	// Reprioritised: this router has another priority from now on, Event.Priority.
	Reprioritised
	// Appoint (Appointed mode): this host owns the addresses, and answers for them.
	Appoint
	// HandOver (Appointed mode): a fellow node gets the addresses. Nothing is said, which would wake other routers: the fellow's first advert is the word.
	HandOver
	// Release (Appointed mode): the cluster has let the addresses go, and they are gone from this host. Now others may have them.
	Release
	// Elect (Appointed mode): the cluster has no quorum, and cannot say who owns the addresses. Until the next Appoint, HandOver or Release the routers elect the
	// Active one by Event.Priority, as in Elected mode, except that nobody takes over from a fellow who speaks, whatever its priority. State and timer stay: an Active Router
	// goes on, and the adverts that were heard count. Told again, it is a new priority only.
	Elect
	// Abstain (after Elect): this router had better be silent for now. It waits as if it had just heard another one.
	Abstain
)

var eventNames = [...]string{"startup", "shutdown", "tick", "advertised", "reprioritised", "appoint", "hand-over", "release", "elect", "abstain"}

// String is the event's name in logs.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// Event is what happens, and when: At is a reading of a clock that never goes back, from whatever beginning.
type Event struct {
	Kind EventKind
	At   time.Duration

	Source   netip.Addr
	Role     Role
	Priority Priority
	Interval time.Duration
}

// ActionKind is what is to be done.
type ActionKind uint8

const (
	// Send an advert with Action.Priority, at once.
	Send ActionKind = iota
	// Enter: the state is now Action.State. Entering Active, the addresses are to be put (Elected mode; else they are there); leaving it, to be removed (likewise).
	Enter
	// Announce the addresses anew, by gratuitous ARP or unsolicited neighbour advertisements: somebody else has claimed them.
	Announce
	// Yield (Appointed mode): Action.Source is Active by right. Adverts have stopped; the cluster is to give the addresses up.
	Yield
	// Vacant (Appointed mode): no router with a better claim is heard. The cluster may take the addresses. It is said again every Active_Down_Interval,
	// for as long as it is so.
	Vacant
	// Alarm: Action.Source, whose word does not count or is not to be followed, claims to be Active, for Action.Cause.
	Alarm
)

var actionNames = [...]string{"send", "enter", "announce", "yield", "vacant", "alarm"}

// String is the action's name in logs.
func (k ActionKind) String() string {
	if int(k) < len(actionNames) {
		return actionNames[k]
	}
	return fmt.Sprintf("action %d", uint8(k))
}

// Cause is why a router does something.
type Cause uint8

const (
	// NoCause is for actions that need none.
	NoCause Cause = iota
	// Started: it is the owner of the addresses, and begins.
	Started
	// Stopped: it was told to.
	Stopped
	// ActiveDown: no advert came for Active_Down_Interval.
	ActiveDown
	// ActiveReleased: the Active Router has said that it stops.
	ActiveReleased
	// HigherPriority: another router is Active with a higher priority.
	HigherPriority
	// HigherAddress: another router is Active with the same priority and a higher address.
	HigherAddress
	// LowerPriority: another router is Active that has a worse claim.
	LowerPriority
	// ByAppointment, HandedOver, LetGo: the cluster said so.
	ByAppointment
	HandedOver
	LetGo
	// Abstained: it was told to be silent for now.
	Abstained
	// ByStranger: nobody whom we were told of.
	ByStranger
	// ByFellow: a node of the cluster, which should have nothing to say while this one is Active.
	ByFellow

	causes
)

var causeNames = [causes]string{
	"", "started", "stopped", "active-down", "active-released", "higher-priority", "higher-address", "lower-priority", "appointed", "handed-over", "let-go", "abstained",
	"stranger", "fellow",
}

// String is the cause's name in logs, metrics and pages.
func (c Cause) String() string {
	if c < causes {
		return causeNames[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// MarshalText implements encoding.TextMarshaler.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Action is what is to be done, in the order in which it stands.
type Action struct {
	Kind     ActionKind
	State    State      // Enter
	Priority Priority   // Send; Yield and Alarm: the other's
	Source   netip.Addr // Yield, Alarm: the other; Enter Backup: who is Active, if known
	Cause    Cause
}

// String is the action in a log, e.g. "send 150" or "enter backup: higher-priority 192.0.2.1".
func (a Action) String() string {
	s := a.Kind.String()
	switch a.Kind {
	case Send:
		return fmt.Sprintf("%s %d", s, a.Priority)
	case Enter:
		s += " " + a.State.String()
	case Announce, Yield, Vacant, Alarm:
	}
	if a.Cause != NoCause {
		s += ": " + a.Cause.String()
	}
	if a.Source.IsValid() {
		s += " " + a.Source.String()
	}
	if a.Kind == Yield || a.Kind == Alarm {
		s += fmt.Sprintf(" %d", a.Priority)
	}
	return s
}

// Machine is the state machine of one virtual router on one host (RFC 9568 section 6.4; RFC 3768 section 6.4 for version 2). It is pure: time comes with
// events, and what is to be done comes out. It is not safe for concurrent use.
type Machine struct {
	config   Config
	priority Priority
	state    State
	// electing: the cluster has no quorum (Elect).
	electing bool
	// activeInterval is Active_Adver_Interval.
	activeInterval time.Duration
	// deadline is when the one timer that runs fires: Adver_Timer in Active, Active_Down_Timer in Backup.
	deadline time.Duration
	cause    Cause // why Active_Down_Timer runs as it does: what is said when it fires
	// active is who advertises, as far as is known.
	active netip.Addr
	// preemptAt is when an Active Router of lower priority is no longer left alone; it counts while delaying.
	preemptAt time.Duration
	delaying  bool
	// asserted, announced and alarmed are when an advert was sent, the addresses were announced against another claim and an alarm was raised last.
	asserted, announced, alarmed time.Duration
	// unannounced: somebody claimed the addresses too soon after an announcement for another one.
	unannounced bool
	actions     []Action
}

// NewMachine makes the machine of a valid configuration. It waits for Startup.
func NewMachine(c Config) *Machine {
	return &Machine{config: c, priority: c.Priority, activeInterval: c.Interval, asserted: -assertGap, announced: -c.Interval, alarmed: -alarmGap}
}

const (
	// assertGap is the least time between two adverts that answer others' adverts: the shortest interval that the protocol knows. So a flood of adverts is not
	// answered by a flood.
	assertGap = centisecond
	// alarmGap is the least time between two alarms.
	alarmGap = time.Second
)

// State of the router.
func (m *Machine) State() State { return m.state }

// Priority is the one that is advertised and compared.
func (m *Machine) Priority() Priority { return m.priority }

// ActiveRouter is who is known to advertise: this router's own source if it is Active, the zero value for nobody.
func (m *Machine) ActiveRouter() netip.Addr {
	if m.state == Active {
		return m.config.Source
	}
	return m.active
}

// Deadline is when a Tick is due; false for never.
func (m *Machine) Deadline() (time.Duration, bool) { return m.deadline, m.state != Initialize }

// ActiveDownInterval as it is now.
func (m *Machine) ActiveDownInterval() time.Duration {
	return ActiveDownInterval(m.config.Version, m.priority, m.activeInterval, m.config.downAdverts())
}

// SkewTime as it is now.
func (m *Machine) SkewTime() time.Duration {
	return SkewTime(m.config.Version, m.priority, m.activeInterval)
}

// Accepts reports whether packets for the addresses are to be taken (RFC 9568 section 6.4.3).
func (m *Machine) Accepts() bool {
	return m.state == Active && (m.priority == Owner || m.config.AcceptMode)
}

// Step takes one event. What it returns is valid until the next Step.
func (m *Machine) Step(e Event) []Action {
	m.actions = m.actions[:0]
	if e.Kind == Reprioritised {
		m.reprioritise(e)
		return m.actions
	}
	switch m.state {
	case Initialize:
		m.stepInitialize(e)
	case Backup:
		m.stepBackup(e)
	case Active:
		m.stepActive(e)
	}
	return m.actions
}

func (m *Machine) do(a Action) { m.actions = append(m.actions, a) }

func (m *Machine) send(at time.Duration, p Priority) {
	m.asserted = at
	m.do(Action{Kind: Send, Priority: p})
}

func (m *Machine) enter(s State, c Cause) {
	m.state, m.delaying, m.unannounced = s, false, false
	m.do(Action{Kind: Enter, State: s, Source: m.active, Cause: c})
}

// alarm raises an alarm, unless there was one just now.
func (m *Machine) alarm(e Event, c Cause) {
	if e.At-m.alarmed < alarmGap {
		return
	}
	m.alarmed = e.At
	m.do(Action{Kind: Alarm, Source: e.Source, Priority: e.Priority, Cause: c})
}

// reprioritise re-times what runs: a Backup Router that is to take over sooner does. A priority that a router cannot have is not taken.
func (m *Machine) reprioritise(e Event) {
	if e.Priority == Releasing || e.Priority == Owner && m.config.Mode == Appointed {
		return
	}
	m.become(e.Priority)
}

func (m *Machine) become(p Priority) {
	before := m.SkewTime()
	m.priority = p
	if m.state == Backup {
		m.deadline += m.SkewTime() - before
	}
}

// mode is who decides now.
func (m *Machine) mode() Mode {
	if m.electing {
		return Elected
	}
	return m.config.Mode
}

// Electing reports whether the routers elect the Active one for want of a quorum.
func (m *Machine) Electing() bool { return m.electing }

// elect begins, or goes on with another priority.
func (m *Machine) elect(e Event) {
	if m.config.Mode != Appointed || e.Priority == Releasing || e.Priority == Owner {
		return
	}
	m.electing = true
	m.become(e.Priority)
}

// govern: the cluster speaks again, and by the priority that is the cluster's.
func (m *Machine) govern() {
	if m.electing {
		m.electing = false
		m.become(m.config.Priority)
	}
}

// stepInitialize is RFC 9568 section 6.4.1.
func (m *Machine) stepInitialize(e Event) {
	if e.Kind != Startup {
		return
	}
	if m.priority == Owner && m.config.Mode == Elected {
		m.becomeActive(e, Started)
		return
	}
	m.activeInterval, m.active = m.config.Interval, netip.Addr{}
	m.await(e, m.ActiveDownInterval(), ActiveDown)
	m.enter(Backup, Started)
}

// await sets Active_Down_Timer.
func (m *Machine) await(e Event, d time.Duration, c Cause) { m.deadline, m.cause = e.At+d, c }

// becomeActive: the advert goes first, so that others keep still while the addresses are put.
func (m *Machine) becomeActive(e Event, c Cause) {
	m.send(e.At, m.priority)
	m.deadline = e.At + m.config.Interval
	m.active = netip.Addr{}
	m.enter(Active, c)
	if m.config.Mode == Elected {
		m.do(Action{Kind: Announce, Cause: c})
	}
}

// learn takes over the interval of the Active Router (version 3; version 2 has its own), and sets Active_Down_Timer.
func (m *Machine) learn(e Event) {
	if m.config.Version != V2 {
		m.activeInterval = e.Interval
	}
	m.active = e.Source
	m.await(e, m.ActiveDownInterval(), ActiveDown)
}

// outranks says whether an Active Router has a better claim than this one: a higher priority, or the same and a higher address, compared as unsigned integers in
// network byte order (RFC 9568 section 6.4.3).
func (m *Machine) outranks(e Event) (Cause, bool) {
	switch {
	case e.Priority > m.priority:
		return HigherPriority, true
	case e.Priority == m.priority && e.Source.Compare(m.config.Source) > 0:
		return HigherAddress, true
	}
	return LowerPriority, false
}
