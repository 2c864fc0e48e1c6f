package nft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The tables, of family inet, that are ours alone: that of the plane, and the one in which packets are marked for any plane.
const (
	tableName  = "quorate"
	marksTable = "quorate-marks"
)

// ruleset is the content of the table, either compiled from services or listed from the kernel. The two are compared by
// their canonical text.
type ruleset struct {
	table  string
	exists bool
	flags  uint32 // of the table; 1 = dormant
	chains map[string]*chain
	sets   map[string]*set // named sets and maps; the anonymous ones are in their rules
}

func newRuleset(table string) *ruleset {
	return &ruleset{table: table, chains: map[string]*chain{}, sets: map[string]*set{}}
}

type chain struct {
	hook  string // canonical text of type, hook, priority and policy; "" for a chain that is jumped to
	base  *nftables.Chain
	rules []rule
}

type rule struct {
	handle  uint64 // 0 in a compiled ruleset
	exprs   []expr.Any
	slots   map[[4]byte]string // of the anonymous map that the rule looks up: slot → address and port, raw, or gotoPrefix and a chain
	counts  map[[4]byte]uint64 // of a listed rule: connections that each slot has got
	comment string
	foreign []string // names of expressions that none of our rules has; empty in a compiled ruleset
}

// gotoPrefix marks a slot that leads to a chain. It is longer than a port, shorter than an address with one, and no raw form of either.
const gotoPrefix = "goto "

// equal compares a compiled rule with the kernel's list of one.
func (r rule) equal(o rule) bool {
	return r.comment == o.comment && maps.Equal(r.slots, o.slots) && r.canonical() == o.canonical()
}

// canonical renders a rule's expressions so that compiled and listed ones are the same: without counts, set ids and the
// names of anonymous maps.
func (r rule) canonical() string {
	var b strings.Builder
	for _, e := range r.exprs {
		switch e := e.(type) {
		case *expr.Counter:
			b.WriteString("counter\n")
		case *expr.Ct:
			fmt.Fprintf(&b, "ct key %d register %d store %t direction %d\n", e.Key, e.Register, e.SourceRegister, e.Direction)
		case *expr.Lookup:
			l := *e
			l.SetID = 0
			if l.SetName == "" || strings.HasPrefix(l.SetName, "__") { // of an anonymous map
				l.SetName = ""
			}
			writeExpr(&b, &l)
		default:
			writeExpr(&b, e)
		}
	}
	for _, k := range r.foreign {
		fmt.Fprintf(&b, "foreign expression %s\n", k)
	}
	return b.String()
}

func writeExpr(b *strings.Builder, e expr.Any) {
	raw, err := expr.Marshal(unix.NFPROTO_INET, e)
	if err != nil {
		fmt.Fprintf(b, "%T %v\n", e, err) // has values that none of ours has
		return
	}
	fmt.Fprintf(b, "%x\n", raw)
}

func (c *chain) equal(o *chain) bool {
	return c.hook == o.hook && slices.EqualFunc(c.rules, o.rules, rule.equal)
}

func (c *chain) hookText() string {
	if c.base == nil {
		return ""
	}
	return fmt.Sprintf("%s hook %d priority %d policy %d", c.base.Type, *c.base.Hooknum, *c.base.Priority, *c.base.Policy)
}
