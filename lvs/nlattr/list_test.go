package nlattr

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// text is the list in words, with what is nested under the kinds that say so.
func text(b []byte, nested uint16) (out string, err error) {
	err = Each(b, func(kind uint16, v []byte) error {
		if kind == nested {
			inner, err := text(v, nested)
			out += fmt.Sprintf("%d(%s) ", kind, inner)
			return err
		}
		out += fmt.Sprintf("%d=%x ", kind, v)
		return nil
	})
	return out, err
}

func TestList(t *testing.T) {
	b := Append(nil, 1, 0xaa)
	b = Nest(b, 9, func(b []byte) []byte { return Append(Append(b, 2), 3, 1, 2, 3, 4) })
	b = Append(b, 4, 1, 2)
	const want = "1=aa 9(2= 3=01020304 ) 4=0102 "
	if got, err := text(b, 9); got != want || err != nil || len(b)%4 != 0 {
		t.Errorf("%s, %v, %d bytes; want %s", got, err, len(b), want)
	}
	if got, err := text(append(bytes.Clone(b), 5, 0), 9); got != want || err != nil {
		t.Errorf("with two bytes more: %s, %v", got, err)
	}
	for _, n := range []int{4, 12, 23, 28, 29} { // within an attribute
		if got, err := text(b[:n], 9); !errors.Is(err, ErrShort) {
			t.Errorf("%d bytes of %d: %s, %v", n, len(b), got, err)
		}
	}
	if err := Each([]byte{3, 0, 1, 0}, func(uint16, []byte) error { return nil }); !errors.Is(err, ErrShort) {
		t.Errorf("shorter than its own head: %v", err)
	}
	enough, n := errors.New("enough"), 0
	if err := Each(b, func(uint16, []byte) error { n++; return enough }); err != enough || n != 1 {
		t.Errorf("%v after %d attributes", err, n)
	}
}

// FuzzEach: whatever the list, its values lie in it, and written again they are the same list.
func FuzzEach(f *testing.F) {
	f.Add(Nest(nil, 9, func(b []byte) []byte { return Append(b, 2, 1) }))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		once, err := text(b, 0xffff)
		if err != nil {
			return
		}
		Each(b, func(kind uint16, v []byte) error { again = Append(again, kind, v...); return nil })
		if twice, err := text(again, 0xffff); twice != once || err != nil {
			t.Errorf("%s became %s, %v", once, twice, err)
		}
	})
}
