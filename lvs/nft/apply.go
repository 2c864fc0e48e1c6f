package nft

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// transaction collects the steps from one ruleset to another. The kernel carries them out together or not at all.
type transaction struct {
	conn    *nftables.Conn
	table   *nftables.Table
	sets    map[string]*nftables.Set
	changed int
	err     error
}

// apply makes the kernel's table, listed as have, equal to want, and returns the number of changes. Where there has to be something in between, it makes that: the next apply goes on
// from there.
func apply(have, want *ruleset) (int, error) {
	if !have.exists && !want.exists {
		return 0, nil
	}
	c, err := nftables.New(nftables.WithSockOptions(largeBuffers))
	if err != nil {
		return 0, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	t := &transaction{
		conn:  c,
		table: &nftables.Table{Name: want.table, Family: nftables.TableFamilyINet},
		sets:  make(map[string]*nftables.Set),
	}
	between := false
	switch {
	case !want.exists:
		t.conn.DelTable(t.table)
		t.changed++
	case !have.exists:
		t.conn.AddTable(t.table)
		t.fill(&ruleset{}, want)
	case !sameFrame(have, want):
		// Somebody changed the frame: hooks, sets, the dormant flag. Made anew inside the same transaction, at the price
		// of the counters.
		t.conn.DelTable(t.table)
		t.conn.AddTable(t.table)
		t.fill(&ruleset{}, want)
	default:
		if b := bridge(have, want); b != nil {
			between, want = true, b
		}
		t.fill(have, want)
	}
	if t.err != nil || t.changed == 0 {
		return 0, t.err
	}
	if err := t.conn.Flush(); err != nil {
		return t.changed, fmt.Errorf("changing table inet %s: %w", want.table, err)
	}
	if between {
		awaitPassing() // who is still in the rules as they were does not have the new ones behind the old
	}
	return t.changed, nil
}

// sameFrame reports whether the parts that do not depend on the services are as they should be.
func sameFrame(have, want *ruleset) bool {
	if have.flags != want.flags || frameSets(have) != frameSets(want) {
		return false
	}
	for name, w := range want.sets {
		h := have.sets[name]
		if h == nil && isFrame(name) || h != nil && h.shape != w.shape {
			return false
		}
	}
	for name, w := range want.chains {
		if h := have.chains[name]; h != nil && h.hook != w.hook {
			return false
		}
	}
	for name, h := range have.chains {
		if w := want.chains[name]; w == nil && h.hook != "" {
			return false
		}
	}
	return true
}

func frameSets(rs *ruleset) (n int) {
	for name := range rs.sets {
		if isFrame(name) {
			n++
		}
	}
	return n
}

// fill adds the steps, in an order in which every reference has its target: sets, chains, rules, elements; then what
// nothing refers to any more.
func (t *transaction) fill(have, want *ruleset) {
	for _, name := range slices.Sorted(maps.Keys(want.sets)) {
		t.set(name, have.sets[name], want.sets[name])
	}
	for _, name := range slices.Sorted(maps.Keys(want.chains)) {
		if have.chains[name] == nil {
			t.addChain(name, want.chains[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.chains)) {
		t.rules(name, have.chains[name], want.chains[name])
	}
	for _, name := range slices.Sorted(maps.Keys(want.sets)) {
		t.elements(name, have.sets[name], want.sets[name])
	}
	for _, name := range slices.Sorted(maps.Keys(have.chains)) {
		if want.chains[name] == nil {
			c := &nftables.Chain{Table: t.table, Name: name}
			t.conn.FlushChain(c)
			t.conn.DelChain(c)
			t.changed++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have.sets)) {
		if want.sets[name] == nil {
			t.conn.DelSet(&nftables.Set{Table: t.table, Name: name})
			t.changed++
		}
	}
}

func (t *transaction) set(name string, have, want *set) {
	s := want.named(t.table, name)
	t.sets[name] = s
	if have == nil {
		t.fail(t.conn.AddSet(s, nil))
		t.changed++
	}
}

func (t *transaction) addChain(name string, want *chain) {
	c := &nftables.Chain{Table: t.table, Name: name}
	if want.base != nil {
		b := *want.base
		b.Table, c = t.table, &b
	}
	t.conn.AddChain(c)
	t.changed++
}

// rules makes the rules of one chain right. The counter, which is a service's first rule, counts on.
func (t *transaction) rules(name string, have, want *chain) {
	if have == nil {
		have = &chain{}
	}
	_, gone := have.change(want)
	stay := len(have.rules) - len(gone)
	if len(gone) == 0 && stay == len(want.rules) {
		return
	}
	c := &nftables.Chain{Table: t.table, Name: name}
	for _, r := range gone {
		t.fail(t.conn.DelRule(&nftables.Rule{Table: t.table, Chain: c, Handle: r.handle}))
	}
	for _, r := range want.rules[stay:] {
		t.rule(c, r)
	}
	t.changed++
}

// rule appends a rule. Its slots become an anonymous map, which lives and dies with it.
func (t *transaction) rule(c *nftables.Chain, r rule) {
	exprs := slices.Clone(r.exprs)
	if r.slots != nil {
		// The key is declared a packet mark because nft cannot print a map with keys of type integer. The library declares
		// its byte order as the network's, so that nft prints the bytes of a slot's number swapped, which has no effect.
		m := &nftables.Set{Table: t.table, Anonymous: true, Constant: true, IsMap: true, KeyType: nftables.TypeMark, Counter: true}
		elems := make([]nftables.SetElement, 0, len(r.slots))
		for i := range len(r.slots) {
			k := slot(i)
			e := nftables.SetElement{Key: k[:]}
			if chain, ok := strings.CutPrefix(r.slots[k], gotoPrefix); ok {
				m.DataType, m.Counter = nftables.TypeVerdict, false // the chain counts
				e.VerdictData = &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}
			} else {
				e.Val = []byte(r.slots[k])
				m.DataType = inet4.serverType()
				if len(e.Val) > inet4.size+4 {
					m.DataType = inet6.serverType()
				}
			}
			elems = append(elems, e)
		}
		t.addMap(m, elems)
		for i, e := range exprs {
			if l, ok := e.(*expr.Lookup); ok && l.SetName == "" {
				l := *l
				l.SetName, l.SetID = m.Name, m.ID
				exprs[i] = &l
			}
		}
	}
	nr := &nftables.Rule{Table: t.table, Chain: c, Exprs: exprs}
	if r.comment != "" {
		nr.UserData = userdata.AppendString(nil, userdata.TypeComment, r.comment)
	}
	t.conn.AddRule(nr)
}

// addMap adds an anonymous map, whose elements may be too many for one message.
func (t *transaction) addMap(m *nftables.Set, elems []nftables.SetElement) {
	first := min(len(elems), elementsPerMessage)
	m.Size = uint32(len(elems))
	t.fail(t.conn.AddSet(m, elems[:first]))
	more := *m
	more.Anonymous = false // the library would refuse; for the kernel it is new until the transaction is over
	for part := range slices.Chunk(elems[first:], elementsPerMessage) {
		t.fail(t.conn.SetAddElements(&more, part))
	}
}

// elementsPerMessage keeps the list of elements below the 64 KiB that one netlink attribute can hold.
const elementsPerMessage = 400

func (t *transaction) elements(name string, have, want *set) {
	if have == nil {
		have = &set{}
	}
	var add, remove []nftables.SetElement
	for _, k := range slices.Sorted(maps.Keys(have.elems)) {
		if v, ok := want.elems[k]; !ok || v != have.elems[k] {
			remove = append(remove, have.element(k))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(want.elems)) {
		v := want.elems[k]
		if h, ok := have.elems[k]; ok && h == v {
			continue
		}
		e := want.element(k)
		switch {
		case want.vmap:
			e.VerdictData = &expr.Verdict{Kind: expr.VerdictGoto, Chain: v}
		case want.marks:
			// The library does not declare the byte order of values, so that nft prints a mark's bytes swapped: the comment has it as all others do.
			e.Val, e.Comment = []byte(v), "fwmark "+strconv.FormatUint(uint64(slotNumber(v)), 10)
		}
		add = append(add, e)
	}
	t.changed += len(add) + len(remove)
	for part := range slices.Chunk(remove, elementsPerMessage) {
		t.fail(t.conn.SetDeleteElements(t.sets[name], part))
	}
	for part := range slices.Chunk(add, elementsPerMessage) {
		t.fail(t.conn.SetAddElements(t.sets[name], part))
	}
}

func (t *transaction) fail(err error) {
	if t.err == nil && err != nil {
		t.err = fmt.Errorf("building the transaction for table inet %s: %w", t.table.Name, err)
	}
}
