package cluster

import (
	"maps"
	"slices"

	"quorate/fsm"
)

// Observation is what one node sees of one server.
type Observation struct {
	Server fsm.ServerKey `json:"server"`
	Up     bool          `json:"up"`
	Detail string        `json:"detail,omitempty"` // why it is down
	// Through says that it was seen through the forwarding path.
	Through bool `json:"through,omitempty"`
}

// maxDetail bounds the text that is committed.
const maxDetail = 200

// sightings are what the nodes see of the servers, by node. They die with the leader's term.
type sightings map[fsm.NodeID]map[fsm.ServerKey]Observation

// verdicts returns the edges that a leader should commit: servers for which the majority of the observers sees something
// else than what is agreed (design §4).
//
// The observers are those of fsm.Observers. One that is not alive is not waited for: its opinion would be missing for as
// long as it is away, and with it, where there are two observers, every verdict. While no majority of the others has
// spoken, the verdict stays what it is, so a new leader never takes a good server out, and never lets an unknown one in,
// before it has heard enough.
//
// Where a check goes through the forwarding path, the observers count that probe so, and the others only while none of those is alive: what they see
// is another thing, and better than nothing. A node that has begun or ceased to probe so says anew what it sees: until then it has not spoken. So a
// director that was the owner and has died would be waited for until gossip knows: one without a lease is not, where another one has one.
func verdicts(s *fsm.State, seen sightings, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool) []fsm.ServerVerdict {
	var out []fsm.ServerVerdict
	for _, key := range slices.SortedFunc(maps.Keys(s.Servers), fsm.ServerKey.Compare) {
		if len(s.Config.Services[key.Service].Checks) == 0 {
			continue // taken to be up
		}
		observers, through := counting(s, key, alive, able)
		v, detail, ok := majority(observers, key, seen, through)
		if ok && v != s.Servers[key].Verdict {
			out = append(out, fsm.ServerVerdict{Server: key, Verdict: v, Detail: detail})
		}
	}
	return out
}

// counting are the observers of a server that are to be heard now, and whether they probe through the forwarding path.
func counting(s *fsm.State, key fsm.ServerKey, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool) (observers []fsm.NodeID, through bool) {
	all := slices.DeleteFunc(fsm.Observers(s, key), func(n fsm.NodeID) bool { return !alive(n) })
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

// majority counts what the observers see; ok is false while neither side has a majority of them.
func majority(observers []fsm.NodeID, key fsm.ServerKey, seen sightings, through bool) (v fsm.Verdict, detail string, ok bool) {
	n, up, down := len(observers), 0, 0
	for _, o := range observers {
		switch obs, spoke := seen[o][key]; {
		case !spoke, obs.Through != through:
		case obs.Up:
			up++
		default:
			down++
			if detail == "" {
				detail = string(o) + ": " + obs.Detail
			}
		}
	}
	switch {
	case up > n/2:
		return fsm.Up, "", true
	case down > n/2:
		return fsm.Down, shorten(detail, maxDetail), true
	default:
		return fsm.Unknown, "", false
	}
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
