package vip

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// quietTable is the table of nftables that keeps the kernel's own chatter off our links, in family inet; nothing else uses it.
const quietTable = "quorate-vmac"

// quietLayout is in each of its rules, and changes with them.
const quietLayout = "quorate 1"

// quiet sees to it that the kernel says nothing on links with a virtual MAC that nobody asked it to: reports of group memberships (MLD, IGMP)
// and router solicitations. It would answer any querier with them, and tell that a group is left when the last address's lifetime has ended,
// also when this process is dead and another host has the MAC: the switch would send that host's packets here again. The gate
// does not see whose such a frame is. The rules stay when the process ends.
func quiet() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	table, chain, rules := quietRules()
	have, err := c.GetRules(table, chain)
	if err == nil && len(have) == len(rules) {
		same := true
		for i, r := range have {
			same = same && bytes.Equal(r.UserData, rules[i].UserData)
		}
		if same {
			return nil
		}
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return explainQuiet(err)
	}
	c.AddTable(table) // for the deletion, which fails where there is none
	c.DelTable(table)
	c.AddTable(table)
	c.AddChain(chain)
	for _, r := range rules {
		c.AddRule(r)
	}
	return explainQuiet(c.Flush())
}

// unquiet takes the rules off the host.
func unquiet() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	table, _, _ := quietRules()
	c.DelTable(table)
	if err := c.Flush(); !errors.Is(err, unix.ENOENT) {
		return explainQuiet(err)
	}
	return nil
}

func quietRules() (*nftables.Table, *nftables.Chain, []*nftables.Rule) {
	table := &nftables.Table{Name: quietTable, Family: nftables.TableFamilyINet}
	chain := &nftables.Chain{Name: "output", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput,
		Priority: nftables.ChainPriorityRaw}
	rule := func(protocol byte, more ...expr.Any) *nftables.Rule {
		ex := []expr.Any{
			&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte(virtualPrefix)}, // the beginning of the name
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		}
		ex = append(ex, more...)
		return &nftables.Rule{Table: table, Chain: chain, Exprs: append(ex, &expr.Verdict{Kind: expr.VerdictDrop}), UserData: userdata.AppendString(nil, userdata.TypeComment, quietLayout)}
	}
	icmpType := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}
	return table, chain, []*nftables.Rule{
		// Types 130 to 133: MLD query, report and done, router solicitation. 143: the report of MLDv2.
		rule(unix.IPPROTO_ICMPV6, icmpType, &expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{130}, ToData: []byte{133}}),
		rule(unix.IPPROTO_ICMPV6, icmpType, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{143}}),
		rule(unix.IPPROTO_IGMP),
	}
}

func explainQuiet(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: nftables cannot keep reports of groups off it (%w): modprobe nf_tables", ErrNoVirtual, err)
}
