package nft

import (
	"net/netip"
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
	rs := &ruleset{chains: map[string]*chain{}, sets: map[string]*set{}}
	if len(services) == 0 {
		return rs
	}
	rs.exists = true
	rs.base("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, priorityDestination)
	rs.base("output", nftables.ChainTypeNAT, nftables.ChainHookOutput, priorityDestination)
	rs.base("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, prioritySource)
	rs.base("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	for _, f := range families {
		rs.sets["services"+f.suffix] = &set{family: f, vmap: true, elems: map[string]string{}}
		rs.sets["closed"+f.suffix] = &set{family: f, elems: map[string]string{}}

		dispatch := rule{exprs: append(f.loadKey(), &expr.Lookup{SourceRegister: 1, SetName: "services" + f.suffix, IsDestRegSet: true})}
		rs.add("prerouting", dispatch)
		rs.add("output", dispatch)
		rs.add("input", rule{exprs: append(f.loadKey(),
			&expr.Lookup{SourceRegister: 1, SetName: "closed" + f.suffix}, &expr.Verdict{Kind: expr.VerdictGoto, Chain: "closed"})})
	}
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
	return rs
}

func (rs *ruleset) base(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) {
	c := &chain{base: &nftables.Chain{Name: name, Type: kind, Hooknum: hook, Priority: priority, Policy: &policyAccept}}
	c.hook = c.hookText()
	rs.chains[name] = c
}

func (rs *ruleset) add(name string, r rule) { rs.chains[name].rules = append(rs.chains[name].rules, r) }

// service adds the chain and the set elements of one service.
func (rs *ruleset) service(s lvs.Service) {
	f, name, k := familyOf(s.Addr), chainName(s.Key()), key(s.Key())
	c := &chain{rules: []rule{{exprs: []expr.Any{&expr.Counter{}}}}}
	rs.chains[name] = c
	rs.sets["services"+f.suffix].elems[k] = name
	if s.Masquerade {
		c.rules = append(c.rules, rule{exprs: []expr.Any{
			&expr.Immediate{Register: 1, Data: masqueradeLabel()},
			&expr.Ct{Key: expr.CtKeyLABELS, Register: 1, SourceRegister: true},
		}})
	}
	if !s.Usable() {
		rs.sets["closed"+f.suffix].elems[k] = ""
		return
	}
	c.rules = append(c.rules, f.balance(s))
}

// balance is the rule that picks a server: the number of a slot, the slot's server, DNAT.
func (f *family) balance(s lvs.Service) rule {
	var servers []netip.AddrPort
	var weights []int
	for _, d := range s.Destinations {
		if d.Weight == 0 {
			continue
		}
		servers = append(servers, d.Addr)
		switch effective(s.Scheduler) {
		case "rr":
			weights = append(weights, 1)
		default:
			weights = append(weights, d.Weight)
		}
	}
	r := rule{comment: s.Scheduler, slots: make(map[[4]byte]string)}
	// DNAT to a port needs to know that the packet has one (nft_nat.c, nft_nat_init); the map's key has checked it, the
	// comparison lets "nft list" print the rule as it would be written.
	proto := byte(unix.IPPROTO_TCP)
	if s.Protocol == lvs.UDP {
		proto = unix.IPPROTO_UDP
	}
	r.exprs = []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
	}
	var order []int
	if effective(s.Scheduler) == "sh" {
		order = hashTable(servers, weights)
		r.exprs = append(r.exprs,
			&expr.Payload{DestRegister: 2, Base: expr.PayloadBaseNetworkHeader, Offset: f.saddr, Len: uint32(f.size)},
			&expr.Hash{SourceRegister: 2, DestRegister: 1, Length: uint32(f.size), Modulus: uint32(len(order)), Seed: hashSeed, Type: expr.HashTypeJenkins})
	} else {
		order = sequence(weights)
		r.exprs = append(r.exprs, &expr.Numgen{Register: 1, Modulus: uint32(len(order)), Type: unix.NFT_NG_INCREMENTAL})
	}
	for i, server := range order {
		r.slots[slot(i)] = target(servers[server])
	}
	r.exprs = append(r.exprs,
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(f.proto), RegAddrMin: 1, RegAddrMax: 1,
			RegProtoMin: f.regPort, RegProtoMax: f.regPort, Specified: true})
	return r
}

// loadKey loads destination address . protocol . destination port of the packet into the registers from 1 on.
func (f *family) loadKey() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f.proto}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.daddr, Len: uint32(f.size)},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: f.regProto},
		&expr.Payload{DestRegister: f.regEnd, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	}
}

// chainName of a service, readable and valid in nft's own syntax, e.g. "tcp-192.0.2.10-80".
func chainName(k lvs.Key) string {
	return k.Protocol + "-" + strings.ReplaceAll(k.Addr.Addr().String(), ":", "_") + "-" + strconv.Itoa(int(k.Addr.Port()))
}
