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
func verdicts(s *fsm.State, seen sightings, alive func(fsm.NodeID) bool) []fsm.ServerVerdict {
	var out []fsm.ServerVerdict
	for _, key := range slices.SortedFunc(maps.Keys(s.Servers), fsm.ServerKey.Compare) {
		if len(s.Config.Services[key.Service].Checks) == 0 {
			continue // taken to be up
		}
		v, detail, ok := majority(fsm.Observers(s, key), key, seen, alive)
		if ok && v != s.Servers[key].Verdict {
			out = append(out, fsm.ServerVerdict{Server: key, Verdict: v, Detail: detail})
		}
	}
	return out
}

// majority counts what the observers that are alive see; ok is false while neither side has a majority of them.
func majority(observers []fsm.NodeID, key fsm.ServerKey, seen sightings, alive func(fsm.NodeID) bool) (v fsm.Verdict, detail string, ok bool) {
	n, up, down := 0, 0, 0
	for _, o := range observers {
		if !alive(o) {
			continue
		}
		n++
		switch obs, spoke := seen[o][key]; {
		case !spoke:
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
