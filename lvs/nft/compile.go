package nft

import (
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// hashSeed is the same everywhere, so that a source keeps its server when the VIP moves to another director.
const hashSeed = 0x71756f72

// labelBit is the connection label that marks connections to be masqueraded, from the service's chain to postrouting.
// Connection labels (nf_conntrack_labels.c) keep the bits of others and, other than packet marks, do not steer routing.
const labelBit = 113

func masqueradeLabel() []byte {
	b := make([]byte, 16)
	b[labelBit/8] = 1 << (labelBit % 8) // a bitmap of words in the host's order; the machines this runs on are little-endian
	return b
}

// The base chains. NAT comes 5 before the usual priority, so that a rule such as a container runtime's "DNAT whatever
// comes to a local address" does not take a service's connections first.
var (
	priorityDestination = nftables.ChainPriorityRef(*nftables.ChainPriorityNATDest - 5)
	prioritySource      = nftables.ChainPriorityRef(*nftables.ChainPriorityNATSource - 5)
	policyAccept        = nftables.ChainPolicyAccept
)

// compile makes the ruleset for services that Capabilities.Accept has let pass. No services, no table.
func compile(services []lvs.Service) *ruleset {
	rs := newRuleset(tableName)
	if len(services) == 0 {
		return rs
	}
	rs.exists = true
	rs.base("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, priorityDestination)
	rs.base("output", nftables.ChainTypeNAT, nftables.ChainHookOutput, priorityDestination)
	rs.base("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, prioritySource)
	rs.base("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	rs.frameSets()
	rs.add("postrouting", rule{exprs: []expr.Any{
		&expr.Ct{Key: expr.CtKeyLABELS, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 16, Mask: masqueradeLabel(), Xor: make([]byte, 16)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 16)},
		&expr.Masq{},
	}})
	rs.chains["closed"] = &chain{rules: []rule{
		{exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
			&expr.Reject{Type: unix.NFT_REJECT_TCP_RST},
		}},
		{exprs: []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH}}},
	}}
	for _, s := range services {
		rs.service(s)
	}
	for _, r := range reaches {
		for _, f := range families {
			rs.dispatch(r, f)
		}
	}
	return rs
}

// dispatch adds the rules that lead packets to the services that are reached so; none where there are none, so that packets do not
// pass through what is empty.
func (rs *ruleset) dispatch(r *reach, f *family) {
	if services := r.services + f.suffix; len(rs.sets[services].elems) > 0 {
		lead := rule{exprs: append(r.lookup(f), &expr.Lookup{SourceRegister: 1, SetName: services, IsDestRegSet: true})}
		rs.add("prerouting", lead)
		rs.add("output", lead)
	}
	if closed := r.closed + f.suffix; len(rs.sets[closed].elems) > 0 {
		rs.add("input", rule{exprs: append(r.lookup(f),
			&expr.Lookup{SourceRegister: 1, SetName: closed}, &expr.Verdict{Kind: expr.VerdictGoto, Chain: "closed"})})
	}
}

func (rs *ruleset) base(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) {
	c := &chain{base: &nftables.Chain{Name: name, Type: kind, Hooknum: hook, Priority: priority, Policy: &policyAccept}}
	c.hook = c.hookText()
	rs.chains[name] = c
}

func (rs *ruleset) add(name string, r rule) { rs.chains[name].rules = append(rs.chains[name].rules, r) }

// service adds the chain and the set elements of one service.
func (rs *ruleset) service(s lvs.Service) {
	f, k := familyOf(s.Addr), s.Key()
	name, r := chainName(k), reachOf(k)
	c := &chain{rules: []rule{{exprs: []expr.Any{&expr.Counter{}}}}}
	rs.chains[name] = c
	for _, raw := range r.keys(k) {
		rs.sets[r.services+f.suffix].elems[raw] = name
		if !s.Usable() {
			rs.sets[r.closed+f.suffix].elems[raw] = ""
		}
	}
	if s.Masquerade {
		c.rules = append(c.rules, rule{exprs: []expr.Any{
			&expr.Immediate{Register: 1, Data: masqueradeLabel()},
			&expr.Ct{Key: expr.CtKeyLABELS, Register: 1, SourceRegister: true},
		}})
	}
	balance{family: f, service: s, name: name}.add(rs)
}

// chainName of a service, readable and valid in nft's own syntax, e.g. "tcp-192.0.2.10-80", "fwmark4-7".
func chainName(k lvs.Key) string {
	if k.Mark != 0 {
		return "fwmark" + familyOf(k.Addr.Addr()).suffix + "-" + strconv.FormatUint(uint64(k.Mark), 10)
	}
	return k.Protocol + "-" + strings.ReplaceAll(k.Addr.Addr().String(), ":", "_") + "-" + strconv.Itoa(int(k.Addr.Port()))
}
