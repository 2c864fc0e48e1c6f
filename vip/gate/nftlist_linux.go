package gate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The library's lists leave out what it does not know, which would hide what another program wrote, and do not say when a
// change broke in. So ours are read here.

// nftListing is how often a list is asked for again because a transaction came in between. Renewals alone come every 50 ms.
const nftListing = 10

var errNFTChanging = errors.New("nftables is being changed all the time: find the program that does with \"nft monitor\"")

// dump asks for a list and returns its messages without their headers.
func dump(c *netlink.Conn, family nftables.TableFamily, kind int, attrs ...netlink.Attribute) ([][]byte, error) {
	data, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		return nil, err
	}
	req := netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: netlink.Request | netlink.Dump},
		Data:   append([]byte{byte(family), unix.NFNETLINK_V0, 0, 0}, data...), // struct nfgenmsg
	}
	for range nftListing {
		answers, err := c.Execute(req)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(answers, func(m netlink.Message) bool { return m.Header.Flags&netlink.DumpInterrupted != 0 }) {
			continue
		}
		var out [][]byte
		for _, m := range answers {
			if len(m.Data) >= 4 {
				out = append(out, m.Data[4:])
			}
		}
		return out, nil
	}
	return nil, errNFTChanging
}

func attrString(kind uint16, s string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(s), 0)}
}

// next splits the first attribute off b (struct nlattr); ok is false at the end, or where b is broken.
func next(b []byte) (kind uint16, data, rest []byte, ok bool) {
	if len(b) < unix.NLA_HDRLEN {
		return 0, nil, nil, false
	}
	n := int(binary.NativeEndian.Uint16(b))
	if n < unix.NLA_HDRLEN || n > len(b) {
		return 0, nil, nil, false
	}
	kind = binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	return kind, b[unix.NLA_HDRLEN:n], b[min((n+3)&^3, len(b)):], true
}

// eachAttr calls f for the attributes in b.
func eachAttr(b []byte, f func(kind uint16, data []byte)) {
	for kind, data, rest, ok := next(b); ok; kind, data, rest, ok = next(rest) {
		f(kind, data)
	}
}

// attr is the first attribute of a kind in b, behind a path of nested ones; nil if it is not there.
func attr(b []byte, path ...uint16) []byte {
	for _, want := range path {
		kind, data, rest, ok := next(b)
		for ok && kind != want {
			kind, data, rest, ok = next(rest)
		}
		if !ok {
			return nil
		}
		b = data
	}
	return b
}

func text(b []byte) string { return strings.TrimRight(string(b), "\x00") }

// number reads a number of up to eight bytes in network order.
func number(b []byte) (n uint64) {
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}

// layout is the text of the tables: a line for each table, set, chain and rule. Two layouts that are equal do the same.
type layout []string

// differs says in words how the kernel's layout differs from ours; "" = it does not.
func (want layout) differs(have layout) string {
	for i, l := range want {
		if i >= len(have) || have[i] != l {
			if !slices.Contains(have, l) {
				return "missing: " + l
			}
			return "moved: " + l
		}
	}
	if len(have) > len(want) {
		return "not ours: " + have[len(want)]
	}
	return ""
}

func familyName(f nftables.TableFamily) string {
	if f == famARP {
		return "arp"
	}
	return "inet"
}

func setLine(f nftables.TableFamily, name string, flags, keyLen, dataLen uint64) string {
	return fmt.Sprintf("%s set %s flags %#x key %d data %d", familyName(f), name, flags, keyLen, dataLen)
}

func chainLine(f nftables.TableFamily, name, kind string, hook, priority int32, policy uint32) string {
	if kind == "" {
		return fmt.Sprintf("%s chain %s", familyName(f), name)
	}
	return fmt.Sprintf("%s chain %s type %s hook %d priority %d policy %d", familyName(f), name, kind, hook, priority, policy)
}

func ruleLine(f nftables.TableFamily, chain, comment string, exprs []string) string {
	return fmt.Sprintf("%s rule %s %q: %s", familyName(f), chain, comment, strings.Join(exprs, "; "))
}

// compile is the layout that is to be.
func compile() (layout, error) {
	out := map[nftables.TableFamily]layout{}
	for _, s := range nftSets {
		flags, data := uint64(0), uint64(0)
		if s.epoch {
			flags, data = unix.NFT_SET_MAP, uint64(nftEpoch.Bytes)
		}
		if s.timed {
			flags |= unix.NFT_SET_TIMEOUT
		}
		out[s.family] = append(out[s.family], setLine(s.family, s.name, flags, uint64(s.key.Bytes), data))
	}
	for _, c := range nftChains() {
		kind, hook, priority := "", int32(0), int32(0)
		if c.hook != nil {
			kind, hook, priority = "filter", int32(*c.hook), int32(*c.priority)
		}
		lines := layout{chainLine(c.family, c.name, kind, hook, priority, uint32(nftables.ChainPolicyAccept))}
		for _, r := range c.rules {
			var exprs []string
			for _, e := range r.exprs {
				raw, err := expr.Marshal(byte(c.family), e)
				if err != nil {
					return nil, fmt.Errorf("%T: %w", e, err)
				}
				exprs = append(exprs, exprText(raw))
			}
			lines = append(lines, ruleLine(c.family, c.name, r.comment(), exprs))
		}
		out[c.family] = append(out[c.family], lines...)
	}
	return arrange(out), nil
}

// arrange sorts, except for the order of rules, which is in the name of none.
func arrange(m map[nftables.TableFamily]layout) layout {
	var out layout
	for _, f := range []nftables.TableFamily{famINet, famARP} {
		if m[f] == nil {
			continue
		}
		out = append(out, familyName(f)+" table flags 0x0")
		slices.SortStableFunc(m[f], func(a, b string) int { return strings.Compare(place(a), place(b)) })
		out = append(out, m[f]...)
	}
	return out
}

// place is the part of a line that orders it: sets, chains and rules by name, the rules of a chain as they come.
func place(line string) string {
	w := strings.SplitN(line, " ", 4)
	return w[1] + " " + w[2]
}

// exprText renders an expression so that what we send and what the kernel lists are the same: attributes in the order of their
// numbers, zeros left out, nesting flags ignored, and of a counter nothing.
func exprText(raw []byte) string {
	name := text(attr(raw, unix.NFTA_EXPR_NAME))
	if name == "counter" {
		return name
	}
	nested := map[string][]uint16{ // the paths that hold attributes themselves
		"cmp":       {unix.NFTA_CMP_DATA},
		"immediate": {unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VERDICT},
	}
	return name + attrsText(attr(raw, unix.NFTA_EXPR_DATA), nested[name])
}

func attrsText(b []byte, nested []uint16) string {
	var out []string
	eachAttr(b, func(kind uint16, data []byte) {
		switch {
		case len(nested) > 0 && kind == nested[0]:
			out = append(out, fmt.Sprintf(" %02d{%s}", kind, attrsText(data, nested[1:])))
		case slices.ContainsFunc(data, func(b byte) bool { return b != 0 }) || len(data) == 16: // :: is a value
			out = append(out, fmt.Sprintf(" %02d=%x", kind, data))
		}
	})
	slices.Sort(out)
	return strings.Join(out, "")
}

// listed is what the kernel has of ours.
type listed struct {
	layout layout
	drops  []Drops
}

// listLayout reads the tables, their sets, chains and rules; nothing for a table that is not there.
func listLayout(c *netlink.Conn) (listed, error) {
	var l listed
	lines := map[nftables.TableFamily]layout{}
	for _, f := range []nftables.TableFamily{famINet, famARP} {
		tables, err := dump(c, f, unix.NFT_MSG_GETTABLE)
		if err != nil {
			return l, fmt.Errorf("listing the tables of family %s: %w", familyName(f), err)
		}
		i := slices.IndexFunc(tables, func(t []byte) bool { return text(attr(t, unix.NFTA_TABLE_NAME)) == nftTable })
		if i < 0 {
			continue
		}
		lines[f] = layout{}
		if flags := number(attr(tables[i], unix.NFTA_TABLE_FLAGS)); flags != 0 {
			lines[f] = append(lines[f], fmt.Sprintf("%s set !table flags %#x", familyName(f), flags))
		}
		ofTable := attrString(unix.NFTA_RULE_TABLE, nftTable) // number 1 in every list
		sets, err := dump(c, f, unix.NFT_MSG_GETSET, ofTable)
		if err != nil {
			return l, fmt.Errorf("listing the sets of table %s %s: %w", familyName(f), nftTable, err)
		}
		for _, s := range sets {
			lines[f] = append(lines[f], setLine(f, text(attr(s, unix.NFTA_SET_NAME)), number(attr(s, unix.NFTA_SET_FLAGS)),
				number(attr(s, unix.NFTA_SET_KEY_LEN)), number(attr(s, unix.NFTA_SET_DATA_LEN))))
		}
		chains, err := dump(c, f, unix.NFT_MSG_GETCHAIN, ofTable)
		if err != nil {
			return l, fmt.Errorf("listing the chains of table %s %s: %w", familyName(f), nftTable, err)
		}
		for _, ch := range chains {
			if text(attr(ch, unix.NFTA_CHAIN_TABLE)) != nftTable {
				continue // the kernel lists the chains of all tables
			}
			hook := attr(ch, unix.NFTA_CHAIN_HOOK)
			lines[f] = append(lines[f], chainLine(f, text(attr(ch, unix.NFTA_CHAIN_NAME)), text(attr(ch, unix.NFTA_CHAIN_TYPE)),
				int32(number(attr(hook, unix.NFTA_HOOK_HOOKNUM))), int32(number(attr(hook, unix.NFTA_HOOK_PRIORITY))), uint32(number(attr(ch, unix.NFTA_CHAIN_POLICY)))))
		}
		rules, err := dump(c, f, unix.NFT_MSG_GETRULE, ofTable)
		if err != nil {
			return l, fmt.Errorf("listing the rules of table %s %s: %w", familyName(f), nftTable, err)
		}
		for _, r := range rules {
			line, drops := parseRule(f, r)
			if line == "" {
				continue
			}
			lines[f] = append(lines[f], line)
			l.drops = append(l.drops, drops...)
		}
	}
	l.layout = arrange(lines)
	return l, nil
}

// parseRule returns the line of a rule, "" for one of another table, and what it has counted.
func parseRule(f nftables.TableFamily, r []byte) (string, []Drops) {
	if text(attr(r, unix.NFTA_RULE_TABLE)) != nftTable {
		return "", nil
	}
	var exprs []string
	var drops []Drops
	comment := ruleComment(attr(r, unix.NFTA_RULE_USERDATA))
	eachAttr(attr(r, unix.NFTA_RULE_EXPRESSIONS), func(_ uint16, e []byte) {
		exprs = append(exprs, exprText(e))
		if text(attr(e, unix.NFTA_EXPR_NAME)) != "counter" {
			return
		}
		var d Drops
		if _, err := fmt.Sscanf(comment, nftVersion+": drops %s %s %s", &d.Direction, &d.Protocol, &d.Reason); err == nil {
			d.Frames = number(attr(e, unix.NFTA_EXPR_DATA, unix.NFTA_COUNTER_PACKETS))
			drops = append(drops, d)
		}
	})
	return ruleLine(f, text(attr(r, unix.NFTA_RULE_CHAIN)), comment, exprs), drops
}

// ruleComment reads the comment; the library's reader trusts the lengths in it, which another program may have written.
func ruleComment(b []byte) string {
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		if userdata.Type(b[0]) == userdata.TypeComment {
			return text(b[2 : 2+int(b[1])])
		}
		b = b[2+int(b[1]):]
	}
	return ""
}

// addUp adds up counters of one kind, sorted.
func addUp(drops []Drops) []Drops {
	total := map[Drops]uint64{}
	for _, d := range drops {
		n := d.Frames
		d.Frames = 0
		total[d] += n
	}
	out := slices.SortedFunc(maps.Keys(total), func(a, b Drops) int {
		return strings.Compare(string(a.Direction)+" "+string(a.Protocol)+" "+string(a.Reason), string(b.Direction)+" "+string(b.Protocol)+" "+string(b.Reason))
	})
	for i := range out {
		out[i].Frames = total[out[i]]
	}
	return out
}

// listContent reads the sets, from their elements. A set that is not there is an error.
func listContent(c *netlink.Conn) (content, error) {
	out := newContent()
	for _, s := range nftSets {
		if s.name == "lease" {
			continue
		}
		fixed, timed := out.fixed[s.id()], out.timed[s.id()]
		err := listSet(c, s.id(), func(e []byte) {
			key := string(attr(e, unix.NFTA_SET_ELEM_KEY, unix.NFTA_DATA_VALUE))
			if s.timed {
				// One without end has no expiration: that is longer than any that is wanted.
				rest := time.Duration(1 << 60)
				if x := attr(e, unix.NFTA_SET_ELEM_EXPIRATION); x != nil {
					rest = time.Duration(number(x)) * time.Millisecond
				}
				timed[key] = rest
				return
			}
			fixed[key] = string(attr(e, unix.NFTA_SET_ELEM_DATA, unix.NFTA_DATA_VALUE))
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// listSet calls f for every element of a set.
func listSet(c *netlink.Conn, id setID, f func([]byte)) error {
	messages, err := dump(c, id.family, unix.NFT_MSG_GETSETELEM,
		attrString(unix.NFTA_SET_ELEM_LIST_TABLE, nftTable), attrString(unix.NFTA_SET_ELEM_LIST_SET, id.name))
	if err != nil {
		return fmt.Errorf("listing set %s of table %s %s: %w", id.name, familyName(id.family), nftTable, err)
	}
	for _, m := range messages {
		eachAttr(attr(m, unix.NFTA_SET_ELEM_LIST_ELEMENTS), func(_ uint16, e []byte) { f(e) })
	}
	return nil
}

// be64 is a number in network order.
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
