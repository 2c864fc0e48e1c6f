// Package nlattr writes and reads lists of netlink attributes (linux/netlink.h, struct nlattr) without copying: a dump has tens of thousands of them.
package nlattr

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// ErrShort is the error of a list that ends within an attribute.
var ErrShort = errors.New("an attribute is cut short")

// Each calls f for each attribute of a list, until one is an error. The values are parts of b. What is left over at the end and is shorter than the
// head of an attribute is passed over, as the kernel does with it.
func Each(b []byte, f func(kind uint16, value []byte) error) error {
	for len(b) >= unix.SizeofNlAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofNlAttr || n > len(b) {
			return ErrShort
		}
		if err := f(binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofNlAttr:n]); err != nil {
			return err
		}
		b = b[min(len(b), (n+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
	return nil
}

// Append appends one attribute, padded. A value of 64 KiB or more does not fit.
func Append(b []byte, kind uint16, value ...byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%unix.NLA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

// Nest appends an attribute that holds the list that inner appends.
func Nest(b []byte, kind uint16, inner func([]byte) []byte) []byte {
	from := len(b)
	b = inner(append(b, 0, 0, 0, 0))
	binary.NativeEndian.PutUint16(b[from:], uint16(len(b)-from))
	binary.NativeEndian.PutUint16(b[from+2:], kind|unix.NLA_F_NESTED)
	return b
}
