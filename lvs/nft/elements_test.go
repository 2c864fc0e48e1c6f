package nft

import (
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// elementMessage is an NFT_MSG_NEWSETELEM with one element that counts.
func elementMessage(t testing.TB) []byte {
	ae := netlink.NewAttributeEncoder()
	ae.Nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(list *netlink.AttributeEncoder) error {
		list.Nested(1, func(e *netlink.AttributeEncoder) error {
			e.Nested(unix.NFTA_SET_ELEM_KEY, func(v *netlink.AttributeEncoder) error { v.Bytes(unix.NFTA_DATA_VALUE, []byte{1, 0, 0, 0}); return nil })
			e.Nested(unix.NFTA_SET_ELEM_DATA, func(v *netlink.AttributeEncoder) error { v.Bytes(unix.NFTA_DATA_VALUE, []byte("value")); return nil })
			e.Nested(unix.NFTA_SET_ELEM_EXPR, func(v *netlink.AttributeEncoder) error {
				v.Nested(unix.NFTA_EXPR_DATA, func(v *netlink.AttributeEncoder) error {
					v.Bytes(unix.NFTA_COUNTER_PACKETS, []byte{0, 0, 0, 0, 0, 0, 1, 2})
					return nil
				})
				return nil
			})
			return nil
		})
		return nil
	})
	b, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, b...)
}

func TestParseElements(t *testing.T) {
	got, err := parseElements(nil, elementMessage(t))
	if err != nil || len(got) != 1 || string(got[0].key) != "\x01\x00\x00\x00" || string(got[0].value) != "value" || got[0].packets != 258 {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzParseElements: no message makes the decoder panic.
func FuzzParseElements(f *testing.F) {
	f.Add(elementMessage(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		if elems, err := parseElements(nil, data); err == nil {
			slotsIn(elems, true)
			slotsIn(elems, false)
		}
	})
}
