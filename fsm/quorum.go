package fsm

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// ServiceState is the agreed, changing part of a service. It is derived from the servers' verdicts and admin states with every entry that
// changes one of those or the configuration. Since schema 5.
type ServiceState struct {
	Quorum bool      `json:"quorum"` // the servers serve; otherwise the sorry server does, or nobody
	Since  time.Time `json:"since"`  // leader's clock
	// Panic is when more servers than the service takes went down at once: they stay in the table; zero = they have not. Since schema 6.
	Panic time.Time `json:"panic,omitzero"`
}

// ServiceQuorum is how a service stands: sums of weights, against what it needs.
type ServiceQuorum struct {
	Met   bool      `json:"met"`
	Since time.Time `json:"since,omitzero"`
	Have  int       `json:"have"`  // of the servers that are up and enabled, and do not ask for no connections
	All   int       `json:"all"`   // of all its servers
	Reach int       `json:"reach"` // from which on a lost quorum is met
	Keep  int       `json:"keep"`  // below which it is lost
	alive int       // servers that are up and enabled, those of weight 0 too
}

// thresholds are those of a ServiceQuorum. A quorum above the sum of all weights is that sum: it could never be met otherwise.
func (s Service) thresholds() (reach, keep, all int) {
	for _, server := range s.Servers {
		all += server.Weight
	}
	q := min(max(1, s.Quorum), all)
	// Where servers have weights, one without any is not enough, however wide the hysteresis became by the clamp.
	return min(q+s.Hysteresis, all), max(q-s.Hysteresis, min(1, all)), all
}

// QuorumOf is how a service stands; the zero value when there is none of the name. Before schema 5 nothing is agreed about it, and each
// service counts as met.
func (s *State) QuorumOf(service string) ServiceQuorum {
	svc, ok := s.Config.Services[service]
	if !ok {
		return ServiceQuorum{}
	}
	var q ServiceQuorum
	q.Reach, q.Keep, q.All = svc.thresholds()
	for _, server := range svc.Servers {
		if s.Servers[ServerKey{service, server.Address}].in() {
			q.alive++
			if s.Servers[ServerKey{service, server.Address}].Asked.Of(server.Weight) > 0 {
				q.Have += server.Weight // a share that moves up and down with the load moves no quorum
			}
		}
	}
	st, agreed := s.Services[service]
	q.Met, q.Since = st.Quorum || !agreed, st.Since
	return q
}

// next is whether the quorum is met by what q counts, after it was as Met says.
func (q ServiceQuorum) next() bool {
	switch {
	case q.alive == 0:
		return false
	case q.Met:
		return q.Have >= q.Keep
	default:
		return q.Have >= q.Reach
	}
}

// in reports whether a server in this state serves, if it has a weight and the service its quorum.
func (st ServerState) in() bool { return st.Serving() && st.Admin == Enabled }

// Serving reports whether the server counts as one that is up: it is, or it is kept by a panic.
func (st ServerState) Serving() bool { return st.Verdict == Up || st.Kept }

// settleServices brings the states of services up to date with what the entry has changed, all of it at once: however many servers change in
// one entry, a quorum changes once.
func (e *entry) settleServices() {
	if e.next.Schema < schemaLVS {
		return
	}
	names := e.unsettled
	if e.unsettledAll {
		names = map[string]bool{}
		services := make(map[string]ServiceState, len(e.next.Config.Services))
		for name := range e.next.Config.Services {
			names[name] = true
			if st, had := e.next.Services[name]; had {
				services[name] = st
			}
		}
		e.next.Services, e.copied.services = services, true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if _, ok := e.next.Config.Services[name]; ok {
			e.settlePanic(name)
			e.settleService(name)
		}
	}
}

func (e *entry) settleService(name string) {
	svc := e.next.Config.Services[name]
	st, had := e.next.Services[name]
	q := e.next.QuorumOf(name)
	q.Met = had && st.Quorum
	met := q.next()
	if had && met == st.Quorum {
		return
	}
	st.Quorum, st.Since = met, e.at
	e.services()[name] = st
	if !had { // a new service starts as it starts: nothing was lost or won
		return
	}
	ev := Event{Kind: EventService, Service: name, VIP: svc.VIP, Reason: ReasonQuorumUp}
	if met {
		ev.Text = fmt.Sprintf("%s: its quorum is met: servers of weight %d of %d are in, and it takes %d", name, q.Have, q.All, q.Reach)
	} else {
		ev.Reason = ReasonQuorumDown
		ev.Text = fmt.Sprintf("%s: its quorum is lost: servers of weight %d of %d are in, and it takes %d; %s", name, q.Have, q.All, q.Keep, svc.instead())
	}
	e.event(ev)
}

// instead says who serves while the quorum is lost.
func (s Service) instead() string {
	if s.Sorry == nil {
		return "nobody gets new connections"
	}
	return fmt.Sprintf("the sorry server %s gets the new connections", s.Sorry.Address)
}
