package gate

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

const (
	// nftTable is the name of our two tables, one of family inet and one of family arp. Sets belong to one table, so what
	// both need is in both.
	nftTable = "quorate-gate"
	// nftVersion is in the comment of every rule. It changes with the meaning of a set, which the rules' text does not show.
	nftVersion = "quorate gate 1"
	// nftCapacity bounds the addresses of one family. Sets of a stated size are hash tables that never grow, and so never
	// move their elements while they are listed.
	nftCapacity = 8192
)

// nftSet is the definition of a set or map.
type nftSet struct {
	family nftables.TableFamily
	name   string
	key    nftables.SetDatatype
	epoch  bool // a map from the key to an epoch
	timed  bool
}

// setID names a set.
type setID struct {
	family nftables.TableFamily
	name   string
}

func (s nftSet) id() setID { return setID{s.family, s.name} }

// nftEpoch is an epoch as two numbers of 32 bits, which nft can show.
var nftEpoch = nftables.MustConcatSetType(nftables.TypeMark, nftables.TypeMark)

func epochKey(epoch uint64) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(epoch>>32))
	return binary.NativeEndian.AppendUint32(b, uint32(epoch))
}

const (
	famINet = nftables.TableFamilyINet
	famARP  = nftables.TableFamilyARP
)

// nftSets are the sets of both tables.
//
//	lease    epochs that are open now
//	cluster  all cluster addresses; others are none of the gate's business
//	claim    address → epoch under which it may be claimed
//	ip       address → epoch under which IP packets pass
//	linger   addresses of ip that linger, and
//	until    which of those still do
var nftSets = []nftSet{
	{famINet, "lease", nftEpoch, false, true},
	{famINet, "cluster4", nftables.TypeIPAddr, false, false},
	{famINet, "cluster6", nftables.TypeIP6Addr, false, false},
	{famINet, "claim6", nftables.TypeIP6Addr, true, false},
	{famINet, "ip4", nftables.TypeIPAddr, true, false},
	{famINet, "ip6", nftables.TypeIP6Addr, true, false},
	{famINet, "linger4", nftables.TypeIPAddr, false, false},
	{famINet, "linger6", nftables.TypeIP6Addr, false, false},
	{famINet, "until4", nftables.TypeIPAddr, false, true},
	{famINet, "until6", nftables.TypeIP6Addr, false, true},
	{famARP, "lease", nftEpoch, false, true},
	{famARP, "cluster4", nftables.TypeIPAddr, false, false},
	{famARP, "claim4", nftables.TypeIPAddr, true, false},
}

// nftChain is the definition of a chain; hook nil: it is jumped to.
type nftChain struct {
	family   nftables.TableFamily
	name     string
	hook     *nftables.ChainHook
	priority *nftables.ChainPriority
	rules    []nftRule
}

type nftRule struct {
	drops *Drops // what the rule's counter counts; nil = nothing
	exprs []expr.Any
}

// comment is the rule's mark.
func (r nftRule) comment() string {
	if r.drops == nil {
		return nftVersion
	}
	return fmt.Sprintf("%s: drops %s %s %s", nftVersion, r.drops.Direction, r.drops.Protocol, r.drops.Reason)
}

func (r nftRule) userData() []byte {
	return userdata.AppendString(nil, userdata.TypeComment, r.comment())
}

// Registers of 16 bytes: what is looked up goes to the first, the epoch that is found to the second.
const (
	regValue = unix.NFT_REG_1
	regEpoch = unix.NFT_REG_2
)

// Hooks of family arp (uapi/linux/netfilter_arp.h), which the library does not name.
var (
	arpIn  = nftables.ChainHookRef(0)
	arpOut = nftables.ChainHookRef(1)
)

// first and last: before everybody who may change an address or take the packet (defragmentation, connection tracking,
// NAT, IPVS), and after everybody, when it is as it will be on the wire.
var (
	first = nftables.ChainPriorityRef(math.MinInt32)
	last  = nftables.ChainPriorityRef(math.MaxInt32)
)

// Where the addresses are in their headers.
var (
	source4      = load{expr.PayloadBaseNetworkHeader, 12, 4}
	destination4 = load{expr.PayloadBaseNetworkHeader, 16, 4}
	source6      = load{expr.PayloadBaseNetworkHeader, 8, 16}
	destination6 = load{expr.PayloadBaseNetworkHeader, 24, 16}
	// neighbour discovery: type, and the target of solicitations and advertisements (RFC 4861 §4.3, §4.4)
	ndpType   = load{expr.PayloadBaseTransportHeader, 0, 1}
	ndpTarget = load{expr.PayloadBaseTransportHeader, 8, 16}
	// ARP over Ethernet (RFC 826); the kernel has checked the lengths before the hook (arp_rcv)
	arpSender = load{expr.PayloadBaseNetworkHeader, 14, 4}
	arpTarget = load{expr.PayloadBaseNetworkHeader, 24, 4}
)

// load is a part of a packet.
type load struct {
	base        expr.PayloadBase
	offset, len uint32
}

func (l load) expr() expr.Any {
	return &expr.Payload{DestRegister: regValue, Base: l.base, Offset: l.offset, Len: l.len}
}

// in matches packets whose part is in a set.
func (l load) in(set string) []expr.Any { return l.lookup(set, false) }

func (l load) notIn(set string) []expr.Any { return l.lookup(set, true) }

func (l load) lookup(set string, invert bool) []expr.Any {
	return []expr.Any{l.expr(), &expr.Lookup{SourceRegister: regValue, SetName: set, Invert: invert}}
}

// open matches packets whose part has an epoch in a map.
func (l load) open(m string) []expr.Any {
	return []expr.Any{l.expr(), &expr.Lookup{SourceRegister: regValue, SetName: m, DestRegister: regEpoch, IsDestRegSet: true}}
}

// is matches packets whose part is so.
func (l load) is(data ...byte) []expr.Any {
	return []expr.Any{l.expr(), &expr.Cmp{Op: expr.CmpOpEq, Register: regValue, Data: data}}
}

// between matches packets whose part, of one byte, is in a range.
func (l load) between(lo, hi byte) []expr.Any {
	return []expr.Any{l.expr(), &expr.Cmp{Op: expr.CmpOpGte, Register: regValue, Data: []byte{lo}},
		&expr.Cmp{Op: expr.CmpOpLte, Register: regValue, Data: []byte{hi}}}
}

func meta(key expr.MetaKey, op expr.CmpOp, data ...byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: regValue}, &expr.Cmp{Op: op, Register: regValue, Data: data}}
}

func ipv4() []expr.Any { return meta(expr.MetaKeyNFPROTO, expr.CmpOpEq, unix.NFPROTO_IPV4) }
func ipv6() []expr.Any { return meta(expr.MetaKeyNFPROTO, expr.CmpOpEq, unix.NFPROTO_IPV6) }

func icmp6() []expr.Any {
	return append(ipv6(), meta(expr.MetaKeyL4PROTO, expr.CmpOpEq, unix.IPPROTO_ICMPV6)...)
}

// ethernet ends a hook's chain for packets of other links.
func ethernet(key expr.MetaKey) nftRule {
	return when(accept, meta(key, expr.CmpOpNeq, binaryutil.NativeEndian.PutUint16(unix.ARPHRD_ETHER)...))
}

var (
	accept = &expr.Verdict{Kind: expr.VerdictAccept} // ends our chain; others still see the packet
	drop   = &expr.Verdict{Kind: expr.VerdictDrop}
	back   = &expr.Verdict{Kind: expr.VerdictReturn}
)

func jump(chain string) *expr.Verdict { return &expr.Verdict{Kind: expr.VerdictJump, Chain: chain} }
func goTo(chain string) *expr.Verdict { return &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain} }
func live() []expr.Any                { return []expr.Any{&expr.Lookup{SourceRegister: regEpoch, SetName: "lease"}} }
func when(v *expr.Verdict, match ...[]expr.Any) nftRule {
	var r nftRule
	for _, m := range match {
		r.exprs = append(r.exprs, m...)
	}
	r.exprs = append(r.exprs, v)
	return r
}

// dropped counts and drops.
func dropped(d Direction, p Protocol, why Reason, match ...[]expr.Any) nftRule {
	r := when(drop, append(match, []expr.Any{&expr.Counter{}})...)
	r.drops = &Drops{Direction: d, Protocol: p, Reason: why}
	return r
}

// claims decides about a claim of the address at l.
func claims(d Direction, p Protocol, l load, m string, pass *expr.Verdict) []nftRule {
	return []nftRule{
		when(pass, l.open(m), live()),
		dropped(d, p, Expired, l.open(m)),
		dropped(d, p, Closed),
	}
}

// packets decides about an IP packet from or to the address at l.
func packets(d Direction, l load, version string) []nftRule {
	return append(
		[]nftRule{dropped(d, IP, Expired, l.in("linger"+version), l.notIn("until"+version))},
		claims(d, IP, l, "ip"+version, accept)...)
}

// nftChains is the layout: what passes, in the order of the package documentation.
//
// Out is asked twice: at postrouting for what is forwarded or has its source changed on the way (replies of servers behind
// NAT), at output for what IPsec has wrapped, which postrouting is not shown.
func nftChains() []nftChain {
	const (
		solicitation  = 135
		advertisement = 136
	)
	out := []nftRule{
		when(goTo("out-ip4"), ipv4(), source4.in("cluster4")),
		when(jump("out-target"), icmp6(), ndpType.is(advertisement), ndpTarget.in("cluster6")),
		// Duplicate address detection: whoever asks so is about to use the address.
		when(jump("out-target"), icmp6(), ndpType.is(solicitation), source6.is(make([]byte, 16)...), ndpTarget.in("cluster6")),
		// All of neighbour discovery, router solicitations to redirects, may tell the sender's MAC.
		when(jump("out-source"), icmp6(), ndpType.between(133, 137), source6.in("cluster6")),
		when(goTo("out-ip6"), ipv6(), source6.in("cluster6")),
	}
	// A chain comes after those that it jumps to.
	return []nftChain{
		{famINet, "in-target", nil, nil, claims(In, NDP, ndpTarget, "claim6", back)},
		{famINet, "in-ip4", nil, nil, packets(In, destination4, "4")},
		{famINet, "in-ip6", nil, nil, packets(In, destination6, "6")},
		{famINet, "out-target", nil, nil, claims(Out, NDP, ndpTarget, "claim6", back)},
		{famINet, "out-source", nil, nil, claims(Out, NDP, source6, "claim6", back)},
		{famINet, "out-ip4", nil, nil, packets(Out, source4, "4")},
		{famINet, "out-ip6", nil, nil, packets(Out, source6, "6")},
		{famINet, "out", nil, nil, out},
		{famINet, "prerouting", nftables.ChainHookPrerouting, first, []nftRule{
			ethernet(expr.MetaKeyIIFTYPE),
			when(goTo("in-ip4"), ipv4(), destination4.in("cluster4")),
			when(jump("in-target"), icmp6(), ndpType.is(solicitation), ndpTarget.in("cluster6")),
			when(goTo("in-ip6"), ipv6(), destination6.in("cluster6")),
		}},
		{famINet, "output", nftables.ChainHookOutput, last, []nftRule{ethernet(expr.MetaKeyOIFTYPE), when(goTo("out"))}},
		{famINet, "postrouting", nftables.ChainHookPostrouting, last, []nftRule{ethernet(expr.MetaKeyOIFTYPE), when(goTo("out"))}},

		{famARP, "in-target", nil, nil, claims(In, ARP, arpTarget, "claim4", accept)},
		{famARP, "out-sender", nil, nil, claims(Out, ARP, arpSender, "claim4", accept)},
		{famARP, "input", arpIn, first, []nftRule{
			ethernet(expr.MetaKeyIIFTYPE),
			// Another owner's announcement, or its own question: heard. Were it to be answered, the answer would be dropped.
			when(accept, arpSender.in("cluster4")),
			when(goTo("in-target"), arpTarget.in("cluster4")),
		}},
		{famARP, "output", arpOut, last, []nftRule{
			ethernet(expr.MetaKeyOIFTYPE),
			when(goTo("out-sender"), arpSender.in("cluster4")),
		}},
	}
}
