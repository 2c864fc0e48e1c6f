package nft

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs/nlattr"
)

// element of a set or a map.
type element struct {
	key     []byte
	end     []byte // of a set of ranges: the last key
	value   []byte // of a map; of a verdict map what parseVerdict reads
	packets uint64 // that an element which counts has matched
}

// listElements reads a set of our table. The library's GetSetElements is not used: it takes several times as long, which counts where each
// service has a map of its own.
func listElements(c *netlink.Conn, table, name string) ([]element, error) {
	answers, err := listAll(c, unix.NFT_MSG_GETSETELEM, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_SET_ELEM_LIST_TABLE, table)
		ae.String(unix.NFTA_SET_ELEM_LIST_SET, name)
	})
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", name, err)
	}
	var out []element
	for _, m := range answers {
		if out, err = parseElements(out, m.Data); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	return out, nil
}

// parseElements decodes one NFT_MSG_NEWSETELEM message and appends its elements.
func parseElements(out []element, data []byte) ([]element, error) {
	if len(data) < 4 {
		return out, errShort
	}
	err := nlattr.Each(data[4:], func(kind uint16, list []byte) error {
		if kind != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			return nil
		}
		return nlattr.Each(list, func(_ uint16, v []byte) error {
			e, err := parseElement(v)
			out = append(out, e)
			return err
		})
	})
	return out, err
}

func parseElement(b []byte) (e element, err error) {
	err = nlattr.Each(b, func(kind uint16, v []byte) error {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			return nlattr.Each(v, func(_ uint16, v []byte) error { e.key = v; return nil })
		case nftables.NFTA_SET_ELEM_KEY_END:
			return nlattr.Each(v, func(_ uint16, v []byte) error { e.end = v; return nil })
		case unix.NFTA_SET_ELEM_DATA: // a value or a verdict
			return nlattr.Each(v, func(_ uint16, v []byte) error { e.value = v; return nil })
		case unix.NFTA_SET_ELEM_EXPR: // of ours a counter
			return nlattr.Each(v, func(kind uint16, v []byte) error {
				if kind != unix.NFTA_EXPR_DATA {
					return nil
				}
				return nlattr.Each(v, func(kind uint16, v []byte) error {
					if kind == unix.NFTA_COUNTER_PACKETS && len(v) == 8 {
						e.packets = binary.BigEndian.Uint64(v)
					}
					return nil
				})
			})
		}
		return nil
	})
	return e, err
}
