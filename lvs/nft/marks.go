package nft

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"quorate/lvs"
)

// Mark is a firewall mark for the packets of a match.
type Mark struct {
	lvs.Match
	Mark uint32
}

// priorityMarks comes right after mangle: what other programs do with marks there, such as saving them for the connection, they have done with theirs.
var priorityMarks = nftables.ChainPriorityRef(*nftables.ChainPriorityMangle + 1)

// Marks are those that table "inet quorate-marks" sets, sorted, in the network namespace of the calling thread.
func Marks() ([]Mark, error) {
	rs, err := list(marksTable)
	if err != nil {
		return nil, err
	}
	return rs.listedMarks(), nil
}

// ReconcileMarks makes table "inet quorate-marks" set these marks, which must not overlap, and no others, and returns what it sets afterwards, also besides an error, and the
// number of changes. Without marks there is no table. It works in the network namespace of the calling thread.
//
// A mark is set in prerouting for what comes from others, in output for what the director sends itself, and whatever mark the packet had. It is looked up in one
// map, of ranges of addresses and ports (nft_set_pipapo.c, Linux 5.6), however many there are.
//
// At any time a packet gets the old mark or the new one, and when it returns none is on its way any more with an old mark that another one has replaced. See DESIGN.md.
func ReconcileMarks(want []Mark) (have []Mark, changed int, err error) {
	now, err := list(marksTable)
	if err != nil {
		return nil, 0, err
	}
	side := now.side()
	if replaces(now.listedMarks(), want) {
		side = other[side]
		if changed, err = now.exchange(compileMarks(want, side)); err != nil {
			return now.listedMarks(), changed, err
		}
	}
	n, now, err := converge(compileMarks(want, side), func(*ruleset) {})
	return now.listedMarks(), changed + n, err
}

// rangesPrefix of the names of the maps. There are two for each family, of which the rules ask one.
const rangesPrefix = "ranges"

var other = map[string]string{"a": "b", "b": "a"}

// side is which maps the rules ask.
func (rs *ruleset) side() string {
	if c := rs.chains["prerouting"]; c != nil {
		for _, r := range c.rules {
			for _, e := range r.exprs {
				if l, ok := e.(*expr.Lookup); ok && strings.HasPrefix(l.SetName, rangesPrefix) && strings.HasSuffix(l.SetName, "b") {
					return "b"
				}
			}
		}
	}
	return "a"
}

// exchange fills the maps of the next ruleset and has the rules ask them. Those of the listed one stay: a packet that is half way through a rule would find them empty.
func (rs *ruleset) exchange(next *ruleset) (changed int, err error) {
	if changed, err = apply(rs, rs.beside(next)); err != nil {
		return changed, err
	}
	both, err := list(marksTable)
	if err != nil {
		return changed, err
	}
	n, err := apply(both, next.beside(both))
	awaitPassing()
	return changed + n, err
}

// replaces reports whether packets that have a mark get another one, or come to another range.
func replaces(have, want []Mark) bool {
	had := make(map[Mark]bool, len(have))
	for _, m := range have {
		had[m] = true
	}
	var changed []lvs.Match
	for _, m := range want {
		if !had[m] {
			changed = append(changed, m.Match)
		}
		delete(had, m)
	}
	for m := range had {
		changed = append(changed, m.Match)
	}
	found := false
	lvs.Overlapping(changed, func(int, int) { found = true })
	return found
}

// beside is the listed ruleset with the maps of another one, which no rule asks.
func (rs *ruleset) beside(o *ruleset) *ruleset {
	out := *rs
	out.sets = maps.Clone(rs.sets)
	maps.Copy(out.sets, o.sets)
	return &out
}

// ProbeMarks says why this kernel cannot set marks so, with the cure, or nil. It leaves nothing behind.
func ProbeMarks() error {
	a := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	var marks []Mark
	for _, a := range a {
		marks = append(marks, Mark{lvs.Match{First: a, Last: a.Next(), Protocol: lvs.TCP, FromPort: 1, ToPort: 2}, 1})
	}
	if err := try(compileMarks(marks, "a")); err != nil {
		return fmt.Errorf("this kernel's nf_tables cannot mark packets by ranges of ports and addresses: use Linux 5.6 or later, and run modprobe nf_tables: %w", err)
	}
	return nil
}

func compileMarks(want []Mark, side string) *ruleset {
	rs := newRuleset(marksTable)
	if len(want) == 0 {
		return rs
	}
	rs.exists = true
	rs.base("prerouting", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, priorityMarks)
	rs.base("output", nftables.ChainTypeFilter, nftables.ChainHookOutput, priorityMarks)
	for _, f := range families {
		name := rangesPrefix + f.suffix + side
		m := newSet(kind{key: byPort.keyType(f), marks: true})
		for _, w := range want {
			if mark := slot(int(w.Mark)); familyOf(w.First) == f {
				m.elems[rangeOf(w.Match)] = string(mark[:])
			}
		}
		if len(m.elems) == 0 {
			continue
		}
		rs.sets[name] = m
		set := rule{exprs: append(byPort.lookup(f), &expr.Lookup{SourceRegister: 1, SetName: name, DestRegister: 1, IsDestRegSet: true},
			&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1})}
		rs.add("prerouting", set)
		rs.add("output", set)
	}
	return rs
}

// rangeOf is the raw form of a match: its first address . protocol . port, then its last one.
func rangeOf(m lvs.Match) string {
	from, to := m.FromPort, m.ToPort
	if from == 0 {
		to = 65535
	}
	return address(lvs.Key{Protocol: m.Protocol, Addr: netip.AddrPortFrom(m.First, from)}) + address(lvs.Key{Protocol: m.Protocol, Addr: netip.AddrPortFrom(m.Last, to)})
}

// parseRange is the inverse of rangeOf. What is none of ours it does not know.
func parseRange(f *family, raw string) (m lvs.Match, err error) {
	first, ok := parseAddress(f, raw[:len(raw)/2])
	last, also := parseAddress(f, raw[len(raw)/2:])
	if !ok || !also || first.Protocol != last.Protocol {
		return m, errors.New("no range of ours")
	}
	m = lvs.Match{First: first.Addr.Addr(), Last: last.Addr.Addr(), Protocol: first.Protocol, FromPort: first.Addr.Port(), ToPort: last.Addr.Port()}
	if m.FromPort == 0 && m.ToPort == 65535 {
		m.ToPort = 0
	}
	return m, nil
}

// listedMarks are those that a listed table sets.
func (rs *ruleset) listedMarks() (out []Mark) {
	side := rs.side()
	for _, f := range families {
		s := rs.sets[rangesPrefix+f.suffix+side]
		if s == nil || !s.marks {
			continue
		}
		for raw, mark := range s.elems {
			if m, err := parseRange(f, raw); err == nil && len(mark) == 4 {
				out = append(out, Mark{m, slotNumber(mark)})
			}
		}
	}
	slices.SortFunc(out, func(a, b Mark) int { return a.Compare(b.Match) })
	return out
}
