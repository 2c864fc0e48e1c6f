package fsm

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// PortRange is the ports from From to To. The zero value is all ports. Its text form is "80", "8000-8099" or, for all ports, "0".
type PortRange struct{ From, To uint16 }

// ParsePortRange reads the text form.
func ParsePortRange(text string) (PortRange, error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	low, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	high, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	switch {
	case err1 != nil || err2 != nil:
		return PortRange{}, fmt.Errorf("%q is no port from 0 to 65535 and no range of them", clip(text, 40))
	case isRange && low == 0:
		return PortRange{}, fmt.Errorf("the range %q begins with 0, which is no port", clip(text, 40))
	case low > high:
		return PortRange{}, fmt.Errorf("the range %q ends before it begins", clip(text, 40))
	}
	return PortRange{uint16(low), uint16(high)}, nil
}

// String is the text form.
func (r PortRange) String() string {
	if r.From == r.To {
		return itoa(r.From)
	}
	return itoa(r.From) + "-" + itoa(r.To)
}

// MarshalText implements encoding.TextMarshaler.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *PortRange) UnmarshalText(b []byte) (err error) {
	*r, err = ParsePortRange(string(b))
	return err
}

// all reports whether r is all ports.
func (r PortRange) all() bool { return r == PortRange{} }

// last is the last port of the range.
func (r PortRange) last() uint16 {
	if r.all() {
		return 65535
	}
	return r.To
}

// AddressRange is the addresses from First to Last, of one family. Its text form is "198.51.100.0/28" where a prefix has exactly these
// addresses, "203.0.113.7" for a single one, else "203.0.113.10-203.0.113.19".
type AddressRange struct{ First, Last netip.Addr }

// ParseAddressRange reads the text form.
func ParseAddressRange(text string) (AddressRange, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			return AddressRange{}, fmt.Errorf("%q is no network", clip(text, 90))
		case p != p.Masked():
			return AddressRange{}, fmt.Errorf("%q is an address in the network %v", clip(text, 90), p.Masked())
		}
		return AddressRange{p.Addr(), lastOf(p)}, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err1 := netip.ParseAddr(strings.TrimSpace(from))
	last, err2 := netip.ParseAddr(strings.TrimSpace(to))
	switch {
	case err1 != nil || err2 != nil:
		return AddressRange{}, fmt.Errorf("%q is no address, network or range of addresses", clip(text, 90))
	case first.Zone() != "" || last.Zone() != "":
		return AddressRange{}, fmt.Errorf("%q has a zone", clip(text, 90))
	case first.BitLen() != last.BitLen():
		return AddressRange{}, fmt.Errorf("the range %q is of two address families", clip(text, 90))
	case last.Less(first):
		return AddressRange{}, fmt.Errorf("the range %q ends before it begins", clip(text, 90))
	}
	return AddressRange{first, last}, nil
}

// String is the text form; "" for the zero value.
func (r AddressRange) String() string {
	switch {
	case !r.First.IsValid() || !r.Last.IsValid():
		return ""
	case r.First == r.Last:
		return r.First.String()
	}
	for bits := range r.First.BitLen() {
		if p, err := r.First.Prefix(bits); err == nil && p.Addr() == r.First && lastOf(p) == r.Last {
			return p.String()
		}
	}
	return r.First.String() + "-" + r.Last.String()
}

// MarshalText implements encoding.TextMarshaler.
func (r AddressRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *AddressRange) UnmarshalText(b []byte) (err error) {
	*r, err = ParseAddressRange(string(b))
	return err
}

// Contains reports whether the address is in the range.
func (r AddressRange) Contains(a netip.Addr) bool {
	return r.First.BitLen() == a.BitLen() && r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0
}

// overlaps reports whether some address is in both.
func (r AddressRange) overlaps(o AddressRange) bool {
	return r.First.BitLen() == o.First.BitLen() && r.First.Compare(o.Last) <= 0 && o.First.Compare(r.Last) <= 0
}

// rangeOf is the addresses of a prefix.
func rangeOf(p netip.Prefix) AddressRange {
	p = p.Masked()
	return AddressRange{p.Addr(), lastOf(p)}
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(b); bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (r PortRange) compare(o PortRange) int {
	return cmp.Or(cmp.Compare(r.From, o.From), cmp.Compare(r.To, o.To))
}

func (r AddressRange) compare(o AddressRange) int {
	return cmp.Or(r.First.Compare(o.First), r.Last.Compare(o.Last))
}

func sortedPorts(list []PortRange) []PortRange {
	return slices.SortedFunc(slices.Values(list), PortRange.compare)
}

func sortedAddresses(list []AddressRange) []AddressRange {
	return slices.SortedFunc(slices.Values(list), AddressRange.compare)
}
