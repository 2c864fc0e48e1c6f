package nft

import (
	"net/netip"

	"quorate/lvs"
)

// tally counts the connections that each server has got. The slots of a rule count, and a change of the weights makes the rule anew: what
// the old one had counted when it was last seen is added to what the new one counts. It is forgotten with the process. Servers that have
// a chain are counted there, which lasts.
type tally map[lvs.Key]*tallied

type tallied struct {
	now    map[uint64]map[netip.AddrPort]uint64 // by the handle of the rule whose slots count: there are two in the middle of a change
	before map[netip.AddrPort]uint64            // by rules that are gone
}

// see takes note of a list of the table.
func (t tally) see(rs *ruleset) {
	for _, f := range families {
		for _, r := range reaches {
			services := rs.sets[r.services+f.suffix]
			if services == nil {
				continue
			}
			for raw, name := range services.elems {
				if k, ok := r.parse(f, raw); ok && rs.chains[name] != nil {
					t.seeRules(k, rs.chains[name].rules)
				}
			}
		}
	}
}

func (t tally) seeRules(k lvs.Key, rules []rule) {
	seen := make(map[uint64]map[netip.AddrPort]uint64)
	for _, r := range rules {
		if r.counts == nil {
			continue
		}
		now := make(map[netip.AddrPort]uint64)
		for slot, n := range r.counts {
			if a, ok := parseTarget(r.slots[slot]); ok {
				now[a] += n
			}
		}
		seen[r.handle] = now
	}
	s := t[k]
	if s == nil {
		if len(seen) == 0 {
			return
		}
		s = &tallied{before: make(map[netip.AddrPort]uint64)}
		t[k] = s
	}
	for handle, then := range s.now {
		if now, there := seen[handle]; there && !fewer(now, then) { // fewer: another table, that counts handles from the beginning
			continue
		}
		for a, n := range then {
			s.before[a] += n
		}
	}
	s.now = seen
}

func fewer(now, then map[netip.AddrPort]uint64) bool {
	for a, n := range then {
		if now[a] < n {
			return true
		}
	}
	return false
}

// keep forgets services and servers that are not wanted any more.
func (t tally) keep(want []lvs.Service) {
	wanted := make(map[lvs.Key]lvs.Service, len(want))
	for _, s := range want {
		wanted[s.Key()] = s
	}
	for k, s := range t {
		w, ok := wanted[k]
		if !ok {
			delete(t, k)
			continue
		}
		if len(s.before) == 0 {
			continue
		}
		have := make(map[netip.AddrPort]bool, len(w.Destinations))
		for _, d := range w.Destinations {
			have[d.Addr] = true
		}
		for a := range s.before {
			if !have[a] {
				delete(s.before, a)
			}
		}
	}
}

// of are the connections that a server of a service has got.
func (t tally) of(have *ruleset, name string, s lvs.Service, a netip.AddrPort) uint64 {
	b := balance{service: s, name: name}
	if c := have.chains[b.server(a)]; b.chained() && c != nil {
		return c.connections()
	}
	if seen := t[s.Key()]; seen != nil {
		n := seen.before[a]
		for _, now := range seen.now {
			n += now[a]
		}
		return n
	}
	return 0
}
