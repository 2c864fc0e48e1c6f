package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

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

// ReconcileMarks makes table "inet quorate-marks" set these marks, which must not overlap, and no others, in one transaction, and returns what it sets afterwards,
// also besides an error, and the number of changes. Without marks there is no table. It works in the network namespace of the calling thread.
//
// A mark is set in prerouting for what comes from others, in output for what the director sends itself, and whatever mark the packet had. It is looked up in one
// map, of ranges of addresses and ports (nft_set_pipapo.c, Linux 5.6), however many there are.
func ReconcileMarks(want []Mark) (have []Mark, changed int, err error) {
	changed, rs, err := converge(compileMarks(want), func(*ruleset) {})
	return rs.listedMarks(), changed, err
}

// ProbeMarks says why this kernel cannot set marks so, with the cure, or nil. It leaves nothing behind.
func ProbeMarks() error {
	a := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	var marks []Mark
	for _, a := range a {
		marks = append(marks, Mark{lvs.Match{First: a, Last: a.Next(), Protocol: lvs.TCP, FromPort: 1, ToPort: 2}, 1})
	}
	if err := try(compileMarks(marks)); err != nil {
		return fmt.Errorf("this kernel's nf_tables cannot mark packets by ranges of ports and addresses: use Linux 5.6 or later, and run modprobe nf_tables: %w", err)
	}
	return nil
}

func compileMarks(want []Mark) *ruleset {
	rs := newRuleset(marksTable)
	if len(want) == 0 {
		return rs
	}
	rs.exists = true
	rs.base("prerouting", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, priorityMarks)
	rs.base("output", nftables.ChainTypeFilter, nftables.ChainHookOutput, priorityMarks)
	for _, f := range families {
		rs.sets["marks"+f.suffix] = newSet(kind{key: byPort.keyType(f), marks: true})
	}
	for _, m := range want {
		mark := slot(int(m.Mark))
		rs.sets["marks"+familyOf(m.First).suffix].elems[rangeOf(m.Match)] = string(mark[:])
	}
	for _, f := range families {
		name := "marks" + f.suffix
		if len(rs.sets[name].elems) == 0 {
			continue
		}
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
	for _, f := range families {
		s := rs.sets["marks"+f.suffix]
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
