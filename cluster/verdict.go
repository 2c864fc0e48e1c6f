package cluster

import (
	"slices"
	"time"

	"quorate/fsm"
)

// Observation is what one node sees of one server.
type Observation struct {
	Server fsm.ServerKey `json:"server"`
	Up     bool          `json:"up"`
	Detail string        `json:"detail,omitempty"` // why it is down
	// Through says that it was seen through the forwarding path.
	Through bool `json:"through,omitempty"`
	// Asked is the weight that it asks for, while it is up.
	Asked fsm.Asked `json:"asked,omitzero"`
	// For is for how long the node had seen it so, up or down and by that way, when it said so. The observer fills it in.
	For time.Duration `json:"for,omitempty"`

	since time.Time // the same by the clock of who has it: that node, or the leader
}

// maxDetail bounds the text that is committed.
const maxDetail = 200

// sightings are what the nodes see of the servers, by node. They die with the leader's term.
type sightings map[fsm.NodeID]map[fsm.ServerKey]Observation

// weightPause is the least time between two entries that change nothing but the weight that a server asks for.
const weightPause = time.Second

// verdicts returns the edges that a leader should commit at a time, by server, and of which of the servers there may be one later without another word of an observer: those
// that have an edge now too, as it may not be committed. Edges are servers for which the observers see something else than what is agreed, by the
// policy of their service (design §4), and those that ask for another weight.
//
// The observers are those of fsm.Observers. One that is not alive is not waited for: its opinion would be missing for as
// long as it is away, and with it, where there are two observers, every verdict. While those who have spoken do not decide it,
// whatever the others will say, the verdict stays what it is, so a new leader never takes a good server out, and never lets an unknown one in,
// before it has heard enough.
//
// Where a check goes through the forwarding path, the observers count that probe so, and the others only while none of those is alive: what they see
// is another thing, and better than nothing. A node that has begun or ceased to probe so says anew what it sees: until then it has not spoken. So a
// director that was the owner and has died would be waited for until gossip knows: one without a lease is not, where another one has one.
func verdicts(s *fsm.State, of []fsm.ServerKey, seen sightings, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool, now time.Time) (out []fsm.ServerVerdict, open []fsm.ServerKey) {
	for _, key := range of {
		svc := s.Config.Services[key.Service]
		was, known := s.Servers[key]
		if !known || len(svc.Checks) == 0 {
			continue // taken to be up
		}
		observers, through := counting(s, key, alive, able)
		b := ballotOf(observers, key, seen, through)
		v, ok := b.verdict(svc.Health.Observers)
		if !ok {
			continue
		}
		next := fsm.ServerVerdict{Server: key, Verdict: v}
		switch {
		case v == fsm.Down:
			next.Detail = shorten(b.detail, maxDetail)
		case s.TakesAsked() && slices.ContainsFunc(b.wishes, func(a fsm.Asked) bool { return a.Is }):
			next.Asked = b.asked(weightOf(svc, key))
		}
		switch {
		case v == fsm.Up && was.Verdict == fsm.Down:
			if _, held := s.HeldDown(key, now); held {
				open = append(open, key)
				continue
			}
		case v != was.Verdict:
		case v == fsm.Down || next.Asked == was.Asked:
			continue
		case lately(was.AskedAt, now, weightPause):
			open = append(open, key)
			continue
		}
		out, open = append(out, next), append(open, key)
	}
	slices.SortFunc(out, func(a, b fsm.ServerVerdict) int { return a.Server.Compare(b.Server) })
	return out, open
}

// lately reports whether t is less than d before or after now: the clocks of leaders differ.
func lately(t, now time.Time, d time.Duration) bool {
	ago := now.Sub(t)
	return -d < ago && ago < d
}

func weightOf(svc fsm.Service, key fsm.ServerKey) int {
	for _, server := range svc.Servers {
		if server.Address == key.Address {
			return server.Weight
		}
	}
	return 0
}

// counting are the observers of a server that are to be heard now, and whether they probe through the forwarding path.
func counting(s *fsm.State, key fsm.ServerKey, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool) (observers []fsm.NodeID, through bool) {
	dead := func(n fsm.NodeID) bool { return !alive(n) }
	if s.Config.Services[key.Service].Health.Observers == fsm.ByOwner {
		// Who owned the VIP and has died decides nothing; the others do until somebody owns it.
		if owners := slices.DeleteFunc(s.OwnersOf(key.Service), dead); len(owners) > 0 {
			return owners, false
		}
	}
	all := fsm.Heeded(s, key.Service, slices.DeleteFunc(fsm.Observers(s, key), dead))
	if !s.Config.Services[key.Service].ChecksThrough() {
		return all, false
	}
	for _, n := range all {
		if fsm.ProbesThrough(s, key, n) {
			observers = append(observers, n)
		}
	}
	if len(observers) == 0 {
		return all, false
	}
	if slices.ContainsFunc(observers, func(n fsm.NodeID) bool { return able[n] }) {
		observers = slices.DeleteFunc(observers, func(n fsm.NodeID) bool { return !able[n] })
	}
	return observers, true
}

// ballot is what those who are to be heard have said of a server.
type ballot struct {
	voters   int
	up, down int
	detail   string // of the first who sees it down
	wishes   []fsm.Asked
}

func ballotOf(observers []fsm.NodeID, key fsm.ServerKey, seen sightings, through bool) ballot {
	b := ballot{voters: len(observers)}
	for _, o := range observers {
		switch obs, spoke := seen[o][key]; {
		case !spoke, obs.Through != through:
		case obs.Up:
			b.up++
			b.wishes = append(b.wishes, obs.Asked)
		default:
			b.down++
			if b.detail == "" {
				b.detail = string(o) + ": " + obs.Detail
			}
		}
	}
	return b
}

// verdict is what follows by the policy; ok is false while those who have not spoken could still turn it, and for a tie. Several owners of the VIPs of one
// service are their own majority.
func (b ballot) verdict(p fsm.ObserverPolicy) (v fsm.Verdict, ok bool) {
	up, down := b.voters/2+1, b.voters/2+1 // how many have to see it so
	switch p {
	case fsm.ByAny:
		up, down = 1, b.voters
	case fsm.ByAll:
		up, down = b.voters, 1
	case fsm.ByMajority, fsm.ByOwner:
	}
	switch {
	case b.voters == 0:
		return fsm.Unknown, false
	case b.up >= up:
		return fsm.Up, true
	case b.down >= down:
		return fsm.Down, true
	default:
		return fsm.Unknown, false
	}
}

// asked is the lower median of what the server asks of those who see it up, where its configured weight is this.
func (b ballot) asked(weight int) fsm.Asked {
	if len(b.wishes) == 0 {
		return fsm.Asked{}
	}
	slices.SortStableFunc(b.wishes, func(x, y fsm.Asked) int { return x.Of(weight) - y.Of(weight) })
	return b.wishes[(len(b.wishes)-1)/2]
}

// shorten cuts a text to at most n bytes without breaking a character.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
