package vrrp

import "net/netip"

// stepBackup is RFC 9568 section 6.4.2.
func (m *Machine) stepBackup(e Event) {
	switch e.Kind {
	case Shutdown:
		m.govern()
		m.active = netip.Addr{}
		m.enter(Initialize, Stopped)
	case Tick:
		if e.At >= m.deadline {
			m.activeDown(e)
		}
	case Advertised:
		m.heardInBackup(e)
	case Appoint:
		if m.config.Mode == Appointed {
			m.govern()
			m.becomeActive(e, ByAppointment)
		}
	case HandOver, Release:
		m.govern()
	case Elect:
		m.elect(e)
	case Abstain:
		if m.electing {
			m.await(e, m.ActiveDownInterval(), ActiveDown)
		}
	case Startup, Reprioritised: // nothing that it is not already
	}
}

// activeDown: Active_Down_Timer has fired. Who is elected takes over; who is appointed may only say so.
func (m *Machine) activeDown(e Event) {
	cause := m.cause
	if m.mode() == Elected {
		m.becomeActive(e, cause)
		return
	}
	if cause != LowerPriority {
		m.active = netip.Addr{}
	}
	m.do(Action{Kind: Vacant, Source: m.active, Cause: cause})
	m.activeInterval = m.config.Interval
	m.await(e, m.ActiveDownInterval(), ActiveDown)
}

func (m *Machine) heardInBackup(e Event) {
	if e.Role == Stranger {
		m.alarm(e, ByStranger)
		return
	}
	if e.Priority == Releasing {
		m.delaying = false
		m.await(e, m.SkewTime(), ActiveReleased)
		return
	}
	// The owner of the addresses preempts whatever Preempt_Mode says (RFC 9568 section 6.1). Among the nodes of a cluster priority decides nothing.
	// Without a quorum neither: what a fellow knows of priorities may be older or newer.
	preempts := m.config.Preempt || m.priority == Owner
	if e.Priority >= m.priority || !preempts || e.Role == Fellow && m.config.Mode == Appointed {
		m.delaying = false
		m.learn(e)
		return
	}
	if m.config.PreemptDelay > 0 {
		if !m.delaying {
			m.delaying, m.preemptAt = true, e.At+m.config.PreemptDelay
		}
		if e.At < m.preemptAt {
			m.learn(e)
			return
		}
	}
	// "Discard the ADVERTISEMENT": the timer runs on, and fires.
	m.active, m.cause = e.Source, LowerPriority
}
