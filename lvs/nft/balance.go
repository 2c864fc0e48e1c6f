package nft

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"quorate/lvs"
)

const dynsetDelete = 2 // NFT_DYNSET_OP_DELETE (linux/netfilter/nf_tables.h), since Linux 5.4

// balance makes the rules of one service that choose a server.
type balance struct {
	*family
	service lvs.Service
	bound   string // name of the map from clients to servers, when the service is persistent
}

// rules of the service, in their order. Without persistence it is one. With it a client that is known goes where it went before; one
// whose server is not the service's any more is forgotten; another one gets a server and is remembered with it; and when so many are
// known that this one cannot be, it is balanced all the same.
func (b balance) rules() (out []rule) {
	if len(b.service.Destinations) == 0 {
		return nil
	}
	if b.service.Persistence.Timeout != 0 {
		out = append(out, b.known(), b.stale())
	}
	if !b.service.Usable() {
		return out // those who are bound to a server of weight 0 stay with it, as with IPVS
	}
	pick := b.pick()
	if b.service.Persistence.Timeout != 0 {
		bind := pick
		bind.exprs = slices.Concat(pick.exprs, b.client(), []expr.Any{b.remember(), b.recall()}, b.send())
		out = append(out, bind)
	}
	pick.exprs = append(pick.exprs, b.send()...)
	return append(out, pick)
}

// known sends a client on to the server that it is bound to, and binds it for another while.
func (b balance) known() rule {
	send := b.send()
	return rule{exprs: slices.Concat(b.protocol(), b.client(), []expr.Any{b.recall()}, send[:len(send)-1], []expr.Any{b.remember()}, send[len(send)-1:])}
}

// stale forgets a client that is bound to what is no server of the service.
func (b balance) stale() rule {
	mine := b.mine()
	mine[len(mine)-1].(*expr.Lookup).Invert = true
	return rule{exprs: slices.Concat(b.client(), []expr.Any{b.recall()}, mine,
		[]expr.Any{&expr.Dynset{SrcRegKey: b.regClient, SrcRegData: 1, SetName: b.bound, Operation: dynsetDelete}})}
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

// recall loads the server that the client is bound to. After a binding it is asked for again, because of two connections that come to
// two processors at the same time only one has made it.
func (b balance) recall() expr.Any {
	return &expr.Lookup{SourceRegister: b.regClient, DestRegister: 1, IsDestRegSet: true, SetName: b.bound}
}

// remember binds the client to the server, or lets a binding last again as long as it should.
func (b balance) remember() expr.Any {
	return &expr.Dynset{SrcRegKey: b.regClient, SrcRegData: 1, SetName: b.bound, Operation: unix.NFT_DYNSET_OP_UPDATE,
		Timeout: b.service.Persistence.Timeout}
}

// mine asks whether the server is one of the service's, which counts the connection.
func (b balance) mine() []expr.Any {
	raw, at := []byte(identity(b.service.Key())), 0
	var out []expr.Any
	for i, reg := range b.regIdentity {
		end := len(raw)
		if i+1 < len(b.regIdentity) {
			end = at + 4*int(b.regIdentity[i+1]-reg)
		}
		out = append(out, &expr.Immediate{Register: reg, Data: raw[at:end]})
		at = end
	}
	return append(out, &expr.Lookup{SourceRegister: 1, SetName: "servers" + b.suffix})
}

// send translates the connection's destination to the server in the registers.
func (b balance) send() []expr.Any {
	nat := &expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(b.proto), RegAddrMin: 1, RegAddrMax: 1}
	if !keepsPort(b.service) {
		nat.RegProtoMin, nat.RegProtoMax, nat.Specified = b.regPort, b.regPort, true
	}
	return append(b.mine(), nat)
}

// keepsPort reports whether connections go to the port that the client has asked for: those to all ports, and those by firewall mark
// where servers have no port, or clients are bound to servers (ip_vs_core.c, ip_vs_sched_persist and ip_vs_schedule).
func keepsPort(s lvs.Service) bool {
	if s.Mark == 0 {
		return s.Port == 0
	}
	return s.Persistence.Timeout != 0 || slices.ContainsFunc(s.Destinations, func(d lvs.Destination) bool { return d.Addr.Port() == 0 })
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

// pick loads a server: the number of a slot, then who has the slot.
func (b balance) pick() rule {
	servers, order := slotsOf(b.service)
	r := rule{comment: strings.Join(append([]string{b.service.Scheduler}, b.service.Flags...), " "), slots: make(map[[4]byte]string, len(order))}
	for i, server := range order {
		r.slots[slot(i)] = target(servers[server])
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
	r.exprs = append(r.exprs, &expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true})
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
		return servers, hashTable(servers, weights)
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
