package nft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// listRules reads all rules of a table of ours in one request, by chain, in their order. The library's GetRules is not used:
// it needs a request for each chain, loses the
// difference between "ct" loads and stores, and leaves out expressions that it does not know, which would hide what
// another program wrote.
func listRules(table string, anonymous map[string]slots) (map[string][]rule, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	defer c.Close()
	answers, err := listAll(c, unix.NFT_MSG_GETRULE, func(ae *netlink.AttributeEncoder) { ae.String(unix.NFTA_RULE_TABLE, table) })
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	out := make(map[string][]rule)
	for _, m := range answers {
		name, r, err := parseRule(m.Data)
		if err != nil {
			return nil, fmt.Errorf("a rule of chain %q: %w", name, err)
		}
		for _, e := range r.exprs {
			if l, ok := e.(*expr.Lookup); ok {
				if slots, ok := anonymous[l.SetName]; ok {
					r.slots, r.counts = slots.to, slots.counts
				}
			}
		}
		out[name] = append(out[name], r)
	}
	return out, nil
}

// listAll asks for all things of a kind of which the attributes say where they are, in the family inet.
func listAll(c *netlink.Conn, message netlink.HeaderType, where func(*netlink.AttributeEncoder)) ([]netlink.Message, error) {
	ae := netlink.NewAttributeEncoder()
	where(ae)
	attrs, err := ae.Encode()
	if err != nil {
		return nil, err
	}
	return c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | message, Flags: netlink.Request | netlink.Dump},
		Data:   append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, attrs...), // struct nfgenmsg
	})
}

var errShort = errors.New("message too short")

// parseRule decodes one NFT_MSG_NEWRULE message.
func parseRule(data []byte) (chain string, r rule, err error) {
	if len(data) < 4 {
		return "", r, errShort
	}
	ad, err := netlink.NewAttributeDecoder(data[4:])
	if err != nil {
		return "", r, err
	}
	ad.ByteOrder = binary.BigEndian
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_RULE_CHAIN:
			chain = ad.String()
		case unix.NFTA_RULE_HANDLE:
			r.handle = ad.Uint64()
		case unix.NFTA_RULE_USERDATA:
			r.comment, _ = userdata.GetString(ad.Bytes(), userdata.TypeComment)
		case unix.NFTA_RULE_EXPRESSIONS:
			ad.Nested(func(list *netlink.AttributeDecoder) error {
				for list.Next() {
					list.Nested(r.parseExpr)
				}
				return nil
			})
		}
	}
	return chain, r, ad.Err()
}

// parseExpr decodes one expression: its name, then its data.
func (r *rule) parseExpr(ad *netlink.AttributeDecoder) error {
	name, data := "", []byte(nil)
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_EXPR_NAME:
			name = ad.String()
		case unix.NFTA_EXPR_DATA:
			data = ad.Bytes()
		}
	}
	if err := ad.Err(); err != nil {
		return err
	}
	var e expr.Any
	switch name {
	case "ct":
		ct, err := parseCt(data)
		if err != nil {
			return err
		}
		r.exprs = append(r.exprs, ct)
		return nil
	case "counter":
		e = &expr.Counter{}
	case "meta":
		e = &expr.Meta{}
	case "cmp":
		e = &expr.Cmp{}
	case "payload":
		e = &expr.Payload{}
	case "dynset":
		e = &expr.Dynset{}
	case "lookup":
		e = &expr.Lookup{}
	case "numgen":
		e = &expr.Numgen{}
	case "hash":
		e = &expr.Hash{}
	case "nat":
		e = &expr.NAT{}
	case "masq":
		e = &expr.Masq{}
	case "reject":
		e = &expr.Reject{}
	case "bitwise":
		e = &expr.Bitwise{}
	case "immediate":
		return r.parseImmediate(data)
	default:
		r.foreign = append(r.foreign, name)
		return nil
	}
	if err := expr.Unmarshal(unix.NFPROTO_INET, data, e); err != nil {
		return fmt.Errorf("expression %s: %w", name, err)
	}
	r.exprs = append(r.exprs, e)
	return nil
}

// parseImmediate decodes a value, or a verdict, which is an immediate to register 0.
func (r *rule) parseImmediate(data []byte) error {
	value := &expr.Immediate{}
	if err := expr.Unmarshal(unix.NFPROTO_INET, data, value); err != nil {
		return fmt.Errorf("expression immediate: %w", err)
	}
	if value.Register != unix.NFT_REG_VERDICT {
		r.exprs = append(r.exprs, value)
		return nil
	}
	ad, err := netlink.NewAttributeDecoder(data)
	if err != nil {
		return err
	}
	v := &expr.Verdict{}
	for ad.Next() {
		if ad.Type() != unix.NFTA_IMMEDIATE_DATA {
			continue
		}
		ad.Nested(func(ad *netlink.AttributeDecoder) error {
			for ad.Next() {
				if ad.Type() == unix.NFTA_DATA_VERDICT {
					kind, chain, err := parseVerdict(ad.Bytes())
					if err != nil {
						return err
					}
					v.Kind, v.Chain = kind, chain
				}
			}
			return nil
		})
	}
	r.exprs = append(r.exprs, v)
	return ad.Err()
}

// parseVerdict decodes NFTA_VERDICT_CODE and NFTA_VERDICT_CHAIN.
func parseVerdict(raw []byte) (kind expr.VerdictKind, chain string, err error) {
	ad, err := netlink.NewAttributeDecoder(raw)
	if err != nil {
		return 0, "", err
	}
	ad.ByteOrder = binary.BigEndian
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_VERDICT_CODE:
			kind = expr.VerdictKind(int32(ad.Uint32()))
		case unix.NFTA_VERDICT_CHAIN:
			chain = ad.String()
		}
	}
	return kind, chain, ad.Err()
}

// parseCt decodes a ct expression. The library drops the source register.
func parseCt(data []byte) (*expr.Ct, error) {
	ad, err := netlink.NewAttributeDecoder(data)
	if err != nil {
		return nil, err
	}
	ad.ByteOrder = binary.BigEndian
	ct := &expr.Ct{}
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_CT_KEY:
			ct.Key = expr.CtKey(ad.Uint32())
		case unix.NFTA_CT_DREG:
			ct.Register = ad.Uint32()
		case unix.NFTA_CT_SREG:
			ct.Register, ct.SourceRegister = ad.Uint32(), true
		case unix.NFTA_CT_DIRECTION: // an u8 (nft_ct.c, nft_ct_policy); none of ours has one
			ct.Direction = 1 + uint32(ad.Uint8())
		}
	}
	return ct, ad.Err()
}
