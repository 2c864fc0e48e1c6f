package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"quorate/lvs/nlattr"
)

func append16(b []byte, kind, v uint16) []byte {
	var value [2]byte
	binary.NativeEndian.PutUint16(value[:], v)
	return nlattr.Append(b, kind, value[:]...)
}

func append32(b []byte, kind uint16, v uint32) []byte {
	var value [4]byte
	binary.NativeEndian.PutUint32(value[:], v)
	return nlattr.Append(b, kind, value[:]...)
}

// appendAddrPort appends the attributes of an address and a port.
func appendAddrPort(b []byte, addr, port uint16, a netip.AddrPort) []byte {
	if ip := a.Addr(); ip.Is4() {
		v := ip.As4()
		b = nlattr.Append(b, addr, v[:]...)
	} else {
		v := ip.As16()
		b = nlattr.Append(b, addr, v[:]...)
	}
	return nlattr.Append(b, port, byte(a.Port()>>8), byte(a.Port()))
}

// nest closes an attribute that was opened at from with nlattr.Append(b, kind): it holds what was appended since.
func nest(b []byte, from int) []byte {
	binary.NativeEndian.PutUint16(b[from:], uint16(len(b)-from))
	return b
}

var errTruncated = errors.New("truncated message")

// attributes walks a list of netlink attributes without copying: a dump of a full table has tens of thousands.
type attributes []byte

// next cuts the first attribute off. It returns false at the end of the list, and an error when the list is cut off.
func (a *attributes) next() (kind uint16, value []byte, ok bool, err error) {
	if len(*a) == 0 {
		return 0, nil, false, nil
	}
	if len(*a) < unix.SizeofNlAttr {
		return 0, nil, false, errTruncated
	}
	size := int(binary.NativeEndian.Uint16(*a))
	kind = binary.NativeEndian.Uint16((*a)[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	if size < unix.SizeofNlAttr || size > len(*a) {
		return 0, nil, false, errTruncated
	}
	value = (*a)[unix.SizeofNlAttr:size]
	*a = (*a)[min(len(*a), (size+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	return kind, value, true, nil
}

// find returns the value of the first attribute of a kind.
func (a attributes) find(want uint16) ([]byte, error) {
	for {
		kind, value, ok, err := a.next()
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, errTruncated
		case kind == want:
			return value, nil
		}
	}
}

// each calls f for every attribute inside the attribute kind of an answer, which starts with a generic netlink header.
func each(payload []byte, kind uint16, f func(kind uint16, value []byte) error) error {
	if len(payload) < 4 {
		return errTruncated
	}
	nested, err := attributes(payload[4:]).find(kind)
	if err != nil {
		return err
	}
	for list := attributes(nested); ; {
		k, v, ok, err := list.next()
		if err != nil || !ok {
			return err
		}
		if err := f(k, v); err != nil {
			return fmt.Errorf("attribute %d: %w", k, err)
		}
	}
}

// get reads a number of exactly its own size.
func get[T uint8 | uint16 | uint32 | uint64](to *T, b []byte) error {
	switch p := any(to).(type) {
	case *uint8:
		if len(b) != 1 {
			return errTruncated
		}
		*p = b[0]
	case *uint16:
		if len(b) != 2 {
			return errTruncated
		}
		*p = binary.NativeEndian.Uint16(b)
	case *uint32:
		if len(b) != 4 {
			return errTruncated
		}
		*p = binary.NativeEndian.Uint32(b)
	case *uint64:
		if len(b) != 8 {
			return errTruncated
		}
		*p = binary.NativeEndian.Uint64(b)
	}
	return nil
}

func getPort(to *uint16, b []byte) error {
	if len(b) != 2 {
		return errTruncated
	}
	*to = binary.BigEndian.Uint16(b)
	return nil
}

func getCount(to *int, b []byte) error {
	var n uint32
	err := get(&n, b)
	*to = int(n)
	return err
}
