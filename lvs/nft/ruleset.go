package nft

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// tableName is the table, of family inet, that is ours alone.
const tableName = "quorate"

// ruleset is the content of the table, either compiled from services or listed from the kernel. The two are compared by
// their canonical text.
type ruleset struct {
	exists bool
	flags  uint32 // of the table; 1 = dormant
	chains map[string]*chain
	sets   map[string]*set // named sets and maps; the anonymous ones are in their rules
}

type chain struct {
	hook  string // canonical text of type, hook, priority and policy; "" for a chain that is jumped to
	base  *nftables.Chain
	rules []rule
}

type rule struct {
	handle  uint64 // 0 in a compiled ruleset
	exprs   []expr.Any
	slots   map[[4]byte]string // of the anonymous map that the rule looks up: slot → address and port, raw
	comment string
	foreign []string // names of expressions that none of our rules has; empty in a compiled ruleset
}

// set is a named set (values "") or verdict map (values are chains), by raw key.
type set struct {
	family *family
	vmap   bool
	elems  map[string]string
}

// family holds what differs between IPv4 and IPv6 in the rules.
type family struct {
	suffix           string
	proto            byte
	size             int // bytes of an address
	saddr, daddr     uint32
	addrType         nftables.SetDatatype
	regProto, regEnd uint32 // registers after an address in register 1: protocol and port of a key
	regPort          uint32 // register of the port after an address in register 1
}

// Registers: an address goes to register 1 (16 bytes, the same as 32-bit registers 8 to 11). The kernel lists a 32-bit
// register at a 16-byte boundary under its 16-byte name (nft_dump_register), so those names are used here.
var (
	inet4 = &family{"4", unix.NFPROTO_IPV4, 4, 12, 16, nftables.TypeIPAddr, 9, 10, 9}
	inet6 = &family{"6", unix.NFPROTO_IPV6, 16, 8, 24, nftables.TypeIP6Addr, 2, 13, 2}

	families = []*family{inet4, inet6}
)

func familyOf(a netip.Addr) *family {
	if a.Is4() {
		return inet4
	}
	return inet6
}

func (f *family) keyType() nftables.SetDatatype {
	return nftables.MustConcatSetType(f.addrType, nftables.TypeInetProto, nftables.TypeInetService)
}

// key is the raw form of address . protocol . port, each padded to four bytes.
func key(k lvs.Key) string {
	proto := byte(unix.IPPROTO_TCP)
	if k.Protocol == lvs.UDP {
		proto = unix.IPPROTO_UDP
	}
	p := k.Addr.Port()
	return string(k.Addr.Addr().AsSlice()) + string([]byte{proto, 0, 0, 0, byte(p >> 8), byte(p), 0, 0})
}

// parseKey is the inverse of key.
func (f *family) parseKey(raw string) (lvs.Key, bool) {
	if len(raw) != f.size+8 {
		return lvs.Key{}, false
	}
	a, _ := netip.AddrFromSlice([]byte(raw[:f.size]))
	k := lvs.Key{Addr: netip.AddrPortFrom(a, uint16(raw[f.size+4])<<8|uint16(raw[f.size+5]))}
	switch raw[f.size] {
	case unix.IPPROTO_TCP:
		k.Protocol = lvs.TCP
	case unix.IPPROTO_UDP:
		k.Protocol = lvs.UDP
	default:
		return lvs.Key{}, false
	}
	return k, true
}

// target is the raw form of a server, address . port.
func target(a netip.AddrPort) string {
	p := a.Port()
	return string(a.Addr().AsSlice()) + string([]byte{byte(p >> 8), byte(p), 0, 0})
}

// parseTarget is the inverse of target.
func parseTarget(raw string) (netip.AddrPort, bool) {
	n := len(raw) - 4
	if n != 4 && n != 16 {
		return netip.AddrPort{}, false
	}
	a, _ := netip.AddrFromSlice([]byte(raw[:n]))
	return netip.AddrPortFrom(a, uint16(raw[n])<<8|uint16(raw[n+1])), true
}

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
			if r.slots != nil {
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
