package vrrp

import "net/netip"

// stepActive is RFC 9568 section 6.4.3.
func (m *Machine) stepActive(e Event) {
	switch e.Kind {
	case Shutdown:
		m.govern()
		m.enter(Initialize, Stopped)
		if m.config.Mode == Elected {
			// The addresses go on Enter, before the heirs are told: the RFC has the advert first, which on the wire is the same.
			m.send(e.At, Releasing)
		}
	case Tick:
		if e.At >= m.deadline {
			m.send(e.At, m.priority)
			m.deadline = e.At + m.config.Interval
			if m.unannounced {
				m.announce(e)
			}
		}
	case Advertised:
		m.heardInActive(e)
	case HandOver:
		m.lay(e, HandedOver)
	case Release:
		if m.lay(e, LetGo) {
			m.send(e.At, Releasing)
		}
	case Elect:
		m.elect(e)
	case Abstain:
		if m.electing {
			m.active = netip.Addr{}
			m.await(e, m.ActiveDownInterval(), ActiveDown)
			m.enter(Backup, Abstained)
		}
	case Appoint:
		if m.electing { // it goes on, and says by which priority
			m.govern()
			m.send(e.At, m.priority)
			m.deadline = e.At + m.config.Interval
		}
	case Startup, Reprioritised: // nothing that it is not already
	}
}

// lay down the office that the cluster gave.
func (m *Machine) lay(e Event, c Cause) bool {
	if m.config.Mode != Appointed {
		return false
	}
	m.govern()
	m.activeInterval, m.active = m.config.Interval, netip.Addr{}
	m.await(e, m.ActiveDownInterval(), ActiveDown)
	m.enter(Backup, c)
	return true
}

func (m *Machine) heardInActive(e Event) {
	if e.Role == Fellow && m.mode() == Appointed {
		// The agreed state says who owns the address, the gate of the kernel holds to it, and no advert changes either. A fellow that has lost the quorum
		// gives way to the answer. The last word of one that ended without hearing who came after it is answered too: the neighbours outside the cluster wait
		// no longer than Skew_Time after it.
		if e.Priority == Releasing {
			m.assert(e)
			return
		}
		m.alarm(e, ByFellow)
		if e.Priority < m.priority {
			m.assert(e)
		}
		return
	}
	if e.Priority == Releasing {
		m.assert(e)
		return
	}
	cause, better := m.outranks(e)
	switch {
	case !better:
		if e.Role == Stranger {
			m.alarm(e, ByStranger)
		}
		if !m.config.LowerPriorityQuiet {
			m.assert(e)
		}
		if m.unannounced = true; e.At-m.announced >= m.config.Interval {
			m.announce(e)
		}
	case e.Role == Stranger:
		m.alarm(e, ByStranger)
	case m.mode() == Appointed && m.config.Contest:
		m.alarm(e, cause)
		m.assert(e)
	default:
		if m.config.LastWord {
			m.send(e.At, m.priority)
		}
		m.learn(e)
		if m.mode() == Appointed { // before Enter: who sees that it is a Backup Router knows why, and does not appoint it again
			m.do(Action{Kind: Yield, Source: e.Source, Priority: e.Priority, Cause: cause})
		}
		m.enter(Backup, cause)
	}
}

// announce the addresses anew: another Active Router has announced them as its own. Once in an interval is enough, as long as the last claim is answered.
func (m *Machine) announce(e Event) {
	m.announced, m.unannounced = e.At, false
	m.do(Action{Kind: Announce, Cause: LowerPriority})
}

// assert answers an advert at once, to tell its sender and the bridges between who is Active.
func (m *Machine) assert(e Event) {
	if e.At-m.asserted < assertGap {
		return
	}
	m.send(e.At, m.priority)
	if e.Priority == Releasing {
		m.deadline = e.At + m.config.Interval
	}
}
