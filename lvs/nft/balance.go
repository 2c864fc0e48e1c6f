package nft

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// balance makes the rules of one service that choose a server.
//
// A service without persistence is one rule: a slot, the slot's server, DNAT. With persistence each server has a chain, and a set of the
// clients that are bound to it: who is in the set goes to the chain, and who goes to the chain is put into the set. So a server that is
// taken out takes its clients' bindings along, and one of weight 0 keeps them, as with IPVS.
type balance struct {
	*family
	service lvs.Service
	name    string // of the service's chain
}

// chained reports whether each server has a chain: for the clients that are bound to it, or because some have a port and some have not,
// as they can in a service by firewall mark.
func (b balance) chained() bool {
	return b.service.Persistence.Timeout != 0 || b.service.Mark != 0 && slices.ContainsFunc(b.service.Destinations, func(d lvs.Destination) bool {
		return d.Addr.Port() == 0
	})
}

// server is the name of the server's chain.
func (b balance) server(a netip.AddrPort) string {
	return b.name + "_" + strings.ReplaceAll(a.Addr().String(), ":", "_") + "-" + strconv.Itoa(int(a.Port()))
}

// add adds what chooses a server to the service's chain, and the servers' chains and sets.
func (b balance) add(rs *ruleset) {
	for _, d := range b.service.Destinations {
		if !b.chained() {
			break
		}
		name := b.server(d.Addr)
		rs.chains[name] = &chain{}
		if b.service.Persistence.Timeout != 0 {
			rs.sets[boundPrefix+name] = newSet(kind{key: b.addrType, bound: true})
			rs.add(b.name, rule{exprs: append(b.client(),
				&expr.Lookup{SourceRegister: b.regClient, SetName: boundPrefix + name}, &expr.Verdict{Kind: expr.VerdictGoto, Chain: name})})
			rs.add(name, rule{exprs: append(b.client(), &expr.Dynset{SrcRegKey: b.regClient, SetName: boundPrefix + name,
				Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: b.service.Persistence.Timeout})})
		}
		rs.add(name, rule{exprs: slices.Concat([]expr.Any{&expr.Counter{}}, b.protocol(), b.fixed(d.Addr))})
	}
	if b.service.Usable() {
		rs.add(b.name, b.pick())
	}
}

// client loads what a client is known by: its address, or the network that it is in.
func (b balance) client() []expr.Any {
	out := []expr.Any{&expr.Payload{DestRegister: b.regClient, Base: expr.PayloadBaseNetworkHeader, Offset: b.saddr, Len: uint32(b.size)}}
	if p := b.service.Persistence.Prefix; p != 0 {
		out = append(out, &expr.Bitwise{SourceRegister: b.regClient, DestRegister: b.regClient, Len: uint32(b.size),
			Mask: net.CIDRMask(p, b.size*8), Xor: make([]byte, b.size)})
	}
	return out
}

// fixed translates the connection's destination to the server.
func (b balance) fixed(a netip.AddrPort) []expr.Any {
	out := []expr.Any{&expr.Immediate{Register: 1, Data: a.Addr().AsSlice()}}
	if !b.keepsPort(a) {
		out = append(out, &expr.Immediate{Register: b.regPort, Data: []byte{byte(a.Port() >> 8), byte(a.Port())}})
	}
	return append(out, b.nat(!b.keepsPort(a)))
}

// nat translates the connection's destination to the server in the registers.
func (b balance) nat(port bool) expr.Any {
	nat := &expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(b.proto), RegAddrMin: 1, RegAddrMax: 1}
	if port {
		nat.RegProtoMin, nat.RegProtoMax, nat.Specified = b.regPort, b.regPort, true
	}
	return nat
}

// keepsPort reports whether connections to the server go to the port that the client has asked for: those to all ports, and those by
// firewall mark where the server has no port, or clients are bound to servers (ip_vs_core.c, ip_vs_sched_persist and ip_vs_schedule).
func (b balance) keepsPort(a netip.AddrPort) bool {
	return b.service.Port == 0 && (b.service.Mark == 0 || b.service.Persistence.Timeout != 0 || a.Port() == 0)
}

// protocol compares that of the packet, of a service that is of one. DNAT to a port needs to know that the packet has one (nft_nat.c,
// nft_nat_init); the map's key has checked it, the comparison lets "nft list" print the rule as it would be written.
func (b balance) protocol() []expr.Any {
	if b.service.Mark != 0 {
		return nil
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocolNumber(b.service.Protocol)}},
	}
}

// pick finds the number of a slot, and goes where the slot leads: to a server's chain, or to the server.
func (b balance) pick() rule {
	servers, order := slotsOf(b.service)
	r := rule{comment: strings.Join(append([]string{b.service.Scheduler}, b.service.Flags...), " "), slots: make(map[[4]byte]string, len(order))}
	for i, server := range order {
		if r.slots[slot(i)] = target(servers[server]); b.chained() {
			r.slots[slot(i)] = gotoPrefix + b.server(servers[server])
		}
	}
	r.exprs = b.protocol()
	if from, size, port := b.hashed(); size > 0 {
		r.exprs = append(r.exprs, &expr.Payload{DestRegister: 2, Base: expr.PayloadBaseNetworkHeader, Offset: from, Len: uint32(b.size)})
		if port {
			r.exprs = append(r.exprs, &expr.Payload{DestRegister: b.regSport, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2})
		}
		r.exprs = append(r.exprs, &expr.Hash{SourceRegister: 2, DestRegister: 1, Length: size, Modulus: uint32(len(order)), Seed: hashSeed, Type: expr.HashTypeJenkins})
	} else {
		r.exprs = append(r.exprs, &expr.Numgen{Register: 1, Modulus: uint32(len(order)), Type: unix.NFT_NG_INCREMENTAL})
	}
	if b.chained() {
		r.exprs = append(r.exprs, &expr.Lookup{SourceRegister: 1, IsDestRegSet: true})
		return r
	}
	r.exprs = append(r.exprs, &expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true}, b.nat(!b.keepsPort(servers[0])))
	return r
}

// hashed says what the scheduler hashes: which address of the packet, how many bytes together, and whether the client's port is one of
// them. None when it counts.
func (b balance) hashed() (offset, size uint32, port bool) {
	switch s := b.service; {
	case s.Scheduler == "dh":
		return b.daddr, uint32(b.size), false
	case !hashes(s.Scheduler):
		return 0, 0, false
	case slices.Contains(s.Flags, s.Scheduler+"-port"):
		return b.saddr, uint32(b.size) + 4, true
	}
	return b.saddr, uint32(b.size), false
}

func hashes(scheduler string) bool {
	return scheduler == "sh" || scheduler == "mh" || scheduler == "dh"
}

// slotsOf says which servers take new connections, and which of them has each slot.
func slotsOf(s lvs.Service) (servers []netip.AddrPort, order []int) {
	var weights []int
	for _, d := range s.Destinations {
		if d.Weight == 0 {
			continue
		}
		servers, weights = append(servers, d.Addr), append(weights, d.Weight)
	}
	switch e := effective(s.Scheduler); {
	case hashes(e):
		return servers, hashTable(servers, weights, hashSize(e, len(s.Destinations)))
	case e == "rr":
		for i := range weights {
			weights[i] = 1
		}
	case e == "fo": // all to the one of the highest weight that there is (ip_vs_fo.c)
		best := 0
		for i, w := range weights {
			if w > weights[best] {
				best = i
			}
		}
		return servers[best : best+1], []int{0}
	}
	return servers, sequence(weights)
}
