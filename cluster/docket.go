package cluster

import (
	"maps"
	"slices"
	"time"

	"quorate/fsm"
)

// docket lists the servers whose verdicts a leader has to look at: those of which something was said since it last looked, and those that were not settled then. There
// may be ten thousand of them, and the leader is woken by each entry and each word. All are looked at when anything else has changed by which verdicts are made.
type docket struct {
	by   *grounds // of the last look; nil = none
	said map[fsm.ServerKey]bool
	open []fsm.ServerKey // a verdict was found, which may not be committed, or waits for a time
}

// grounds are what all verdicts are made by, beside what the observers say of each server and what is agreed of it: the latter is changed by verdicts alone.
type grounds struct {
	s      *fsm.State
	owners bool                // some service goes by who owns what, and by who holds a lease
	alive  map[fsm.NodeID]bool // of the members
	able   map[fsm.NodeID]bool
}

// hear notes that something was said, or taken back, of a server.
func (d *docket) hear(k fsm.ServerKey) {
	if d.said == nil {
		d.said = map[fsm.ServerKey]bool{}
	}
	d.said[k] = true
}

// look returns the edges to commit at a time: see verdicts.
func (d *docket) look(s *fsm.State, seen sightings, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool, now time.Time) (out []fsm.ServerVerdict) {
	by := groundsOf(s, d.by, alive, able)
	var keys []fsm.ServerKey
	if d.by != nil && d.by.same(by) {
		keys = d.open
		for k := range d.said {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, fsm.ServerKey.Compare)
		keys = slices.Compact(keys)
	} else {
		keys = slices.Collect(maps.Keys(s.Servers))
	}
	d.by, d.said = by, nil
	out, d.open = verdicts(s, keys, seen, by.isAlive, able, now)
	return out
}

func groundsOf(s *fsm.State, last *grounds, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool) *grounds {
	g := &grounds{s: s, alive: make(map[fsm.NodeID]bool, len(s.Nodes)), able: able}
	for n := range s.Nodes {
		g.alive[n] = alive(n)
	}
	if last != nil && last.s.ConfigVersion == s.ConfigVersion {
		g.owners = last.owners
		return g
	}
	for _, svc := range s.Config.Services {
		g.owners = g.owners || svc.Health.Observers == fsm.ByOwner || svc.ChecksThrough()
	}
	return g
}

func (g *grounds) isAlive(n fsm.NodeID) bool { return g.alive[n] }

// same reports whether verdicts are made by the same.
func (g *grounds) same(o *grounds) bool {
	s, t := g.s, o.s
	if s == t {
		return maps.Equal(g.alive, o.alive) && (!g.owners || maps.Equal(g.able, o.able))
	}
	if s.ConfigVersion != t.ConfigVersion || s.Schema != t.Schema || s.ClusterID != t.ClusterID || len(s.Nodes) != len(t.Nodes) || !maps.Equal(g.alive, o.alive) {
		return false
	}
	for id, n := range s.Nodes {
		x, ok := t.Nodes[id]
		if !ok || x.Store != n.Store || x.Role != n.Role || x.Leaving != n.Leaving || !slices.Equal(x.Paths, n.Paths) {
			return false
		}
		if g.owners && (!slices.Equal(x.Facts.Features, n.Facts.Features) || !slices.Equal(x.Facts.Addresses, n.Facts.Addresses)) {
			return false
		}
	}
	if !g.owners {
		return true
	}
	if len(s.Assignments) != len(t.Assignments) || !maps.Equal(g.able, o.able) {
		return false
	}
	for k, a := range s.Assignments {
		if t.Assignments[k].Owner != a.Owner {
			return false
		}
	}
	return true
}
