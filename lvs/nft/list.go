package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// listAttempts bounds how often a list is taken again because another program changed the kernel's rules meanwhile.
const listAttempts = 10

// errChanging is returned when the kernel's rules never stood still.
var errChanging = errors.New("other programs keep changing the kernel's rules: find them with \"nft monitor\"")

// list reads a table of ours. It is taken again until the kernel's generation is the same before and after, so that the parts,
// which are separate requests, belong together (nf_tables_api.c, nf_tables_getgen), or until two lists in a row are the same down
// to the handles, which the kernel gives only once. Every transaction on any table changes the generation, also the renewals of
// the lease in the gate's, every 50 ms: a table of hundreds of services is not listed in between.
func list(table string) (*ruleset, error) {
	c, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(largeBuffers))
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	defer c.CloseLasting()
	var last *ruleset
	for range listAttempts {
		before, err := generation()
		if err != nil {
			return nil, err
		}
		rs, err := listOnce(c, table)
		after, gerr := generation()
		if gerr != nil {
			return nil, gerr
		}
		switch {
		case before == after && err != nil:
			return nil, fmt.Errorf("listing table inet %s: %w", table, err)
		case before == after, err == nil && last != nil && rs.same(last):
			return rs, nil
		}
		last = nil
		if err == nil { // what vanished in between gives errors too
			last = rs
		}
	}
	return nil, fmt.Errorf("listing table inet %s: %w", table, errChanging)
}

// same reports whether two lists of the kernel's show the same table: what counters have counted does not matter.
func (rs *ruleset) same(o *ruleset) bool {
	if rs.exists != o.exists || !sameFrame(rs, o) || len(rs.chains) != len(o.chains) {
		return false
	}
	if len(rs.sets) != len(o.sets) {
		return false
	}
	for name, s := range rs.sets {
		if o.sets[name] == nil || !maps.Equal(s.elems, o.sets[name].elems) {
			return false
		}
	}
	for name, c := range rs.chains {
		d := o.chains[name]
		if d == nil || !slices.EqualFunc(c.rules, d.rules, func(a, b rule) bool { return a.handle == b.handle && a.equal(b) }) {
			return false
		}
	}
	return true
}

func listOnce(c *nftables.Conn, name string) (*ruleset, error) {
	rs := newRuleset(name)
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, err
	}
	var table *nftables.Table
	for _, t := range tables {
		if t.Name == name {
			table, rs.exists, rs.flags = t, true, t.Flags
		}
	}
	if table == nil {
		return rs, nil
	}
	anonymous, err := rs.listSets(c, table)
	if err != nil {
		return nil, err
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, err
	}
	rules, err := listRules(name, anonymous)
	if err != nil {
		return nil, err
	}
	for _, nc := range chains {
		if nc.Table.Name != name {
			continue
		}
		ch := &chain{rules: rules[nc.Name]}
		if nc.Hooknum != nil && nc.Priority != nil && nc.Policy != nil {
			ch.base = nc
			ch.hook = ch.hookText()
		}
		rs.chains[nc.Name] = ch
	}
	return rs, nil
}

// listSets reads the named sets into rs and returns the content of the anonymous ones by name.
func (rs *ruleset) listSets(c *nftables.Conn, table *nftables.Table) (map[string]slots, error) {
	sets, err := c.GetSets(table)
	if err != nil {
		return nil, err
	}
	dumps, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	defer dumps.Close()
	anonymous := make(map[string]slots)
	for _, s := range sets {
		if s.Dynamic { // its clients, of which there may be very many, come and go without us
			rs.sets[s.Name] = &set{shape: shape(s)}
			continue
		}
		elems, err := listElements(dumps, rs.table, s.Name)
		if err != nil {
			return nil, err
		}
		if s.Anonymous {
			anonymous[s.Name] = slotsIn(elems, s.KeyType == nftables.TypeVerdict) // where the library puts the type of a map's values
			continue
		}
		named := &set{kind: kind{key: s.KeyType, marks: s.Interval}, shape: shape(s), elems: make(map[string]string, len(elems))}
		for _, e := range elems {
			value := ""
			switch {
			case s.Interval:
				value = string(e.value)
			case s.IsMap:
				value = gotoChain(e.value)
			}
			named.elems[string(e.key)+string(e.end)] = value
		}
		rs.sets[s.Name] = named
	}
	return anonymous, nil
}

// slots are the content of an anonymous map.
type slots struct {
	to     map[[4]byte]string
	counts map[[4]byte]uint64
}

func slotsIn(elems []element, verdicts bool) slots {
	out := slots{to: make(map[[4]byte]string, len(elems))}
	if !verdicts {
		out.counts = make(map[[4]byte]uint64, len(elems))
	}
	for _, e := range elems {
		switch {
		case len(e.key) != 4:
		case verdicts:
			out.to[[4]byte(e.key)] = gotoPrefix + gotoChain(e.value)
		default:
			out.to[[4]byte(e.key)] = string(e.value)
			out.counts[[4]byte(e.key)] = e.packets
		}
	}
	return out
}

// gotoChain is the chain that the verdict of a map's element goes to. Anything but a goto is rendered so that it differs
// from every chain's name.
func gotoChain(raw []byte) string {
	kind, chain, err := parseVerdict(raw)
	if err != nil || kind != expr.VerdictGoto {
		return fmt.Sprintf("verdict %d %s", kind, chain)
	}
	return chain
}

// generation reads the number that the kernel changes with every transaction of any program (NFT_MSG_GETGEN).
func generation() (uint32, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	defer c.Close()
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0}, // struct nfgenmsg
	})
	if err != nil {
		return 0, fmt.Errorf("asking nf_tables for its generation: %w; when it is not loaded, run modprobe nf_tables", err)
	}
	for _, m := range answers {
		if len(m.Data) < 4 {
			continue
		}
		ad, err := netlink.NewAttributeDecoder(m.Data[4:])
		if err != nil {
			continue
		}
		ad.ByteOrder = binary.BigEndian
		for ad.Next() {
			if ad.Type() == unix.NFTA_GEN_ID {
				return ad.Uint32(), ad.Err()
			}
		}
	}
	return 0, errors.New("asking nf_tables for its generation: no number in the answer")
}

// bufferBytes holds a whole transaction, which is one message to the kernel, and its acknowledgements. A socket takes
// what it needs, not all of it.
const bufferBytes = 64 << 20

func largeBuffers(c *netlink.Conn) error {
	return errors.Join(c.SetReadBuffer(bufferBytes), c.SetWriteBuffer(bufferBytes))
}
