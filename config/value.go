package config

import (
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// The constructors below make a key of each kind. field says where in the block's value the setting lives.

// scalar is a key with one value. show gives cty.NilVal for a value that is not set.
func scalar[T, V any](name, kind, doc string, field func(*T) *V, parse func(cty.Value) (V, error), show func(V) cty.Value) key {
	return key{
		name: name, kind: kind, doc: doc,
		read: func(dst any, v cty.Value) error {
			value, err := parse(v)
			if err != nil {
				return err
			}
			*field(dst.(*T)) = value
			return nil
		},
		write: func(src any) cty.Value { return show(*field(src.(*T))) },
	}
}

func text[T any, S ~string](name string, field func(*T) *S, doc string) key {
	return scalar(name, "string", doc, field,
		func(v cty.Value) (S, error) {
			s, err := stringOf(v)
			return S(s), err
		},
		func(s S) cty.Value { return cty.StringVal(string(s)) })
}

func number[T any, N ~int | ~uint8 | ~uint16 | ~uint32](name string, field func(*T) *N, doc string) key {
	return scalar(name, "number", doc, field, numberOf[N], func(n N) cty.Value { return cty.NumberIntVal(int64(n)) })
}

func boolean[T any](name string, field func(*T) *bool, doc string) key {
	k := scalar(name, "true or false", doc, field, boolOf, cty.BoolVal)
	k.fallback = cty.False
	return k
}

// unless is a boolean that is true when it is left out; the field says the opposite.
func unless[T any](name string, field func(*T) *bool, doc string) key {
	k := scalar(name, "true or false", doc, field,
		func(v cty.Value) (bool, error) {
			on, err := boolOf(v)
			return !on, err
		},
		func(off bool) cty.Value {
			if !off {
				return cty.NilVal
			}
			return cty.False
		})
	k.fallback = cty.True
	return k
}

func duration[T any](name string, field func(*T) *time.Duration, doc string) key {
	return scalar(name, "duration", doc, field, durationOf, func(d time.Duration) cty.Value {
		if d == 0 { // no duration may be 0: it is one that is not set
			return cty.NilVal
		}
		return cty.StringVal(durationText(d))
	})
}

func address[T any](name string, field func(*T) *netip.Addr, doc string) key {
	return scalar(name, "address", doc, field, addressOf,
		func(a netip.Addr) cty.Value {
			if !a.IsValid() {
				return cty.NilVal
			}
			return cty.StringVal(a.String())
		})
}

func prefix[T any](name string, field func(*T) *netip.Prefix, doc string) key {
	return scalar(name, "address with prefix length", doc, field,
		func(v cty.Value) (netip.Prefix, error) {
			s, err := stringOf(v)
			if err != nil {
				return netip.Prefix{}, err
			}
			return prefixOf(s)
		},
		func(p netip.Prefix) cty.Value {
			if !p.IsValid() {
				return cty.NilVal
			}
			return cty.StringVal(p.String())
		})
}

// policy is a text whose fsm value is empty where it says the default word.
func policy[T any, S ~string](name, word string, field func(*T) *S, doc string) key {
	return scalar(name, "string", doc, field,
		func(v cty.Value) (S, error) {
			s, err := stringOf(v)
			if s == word {
				s = ""
			}
			return S(s), err
		},
		func(s S) cty.Value { return cty.StringVal(string(s)) })
}

func list[T any, S ~string](name string, field func(*T) *[]S, doc string) key {
	parse := func(v cty.Value) (S, error) {
		s, err := stringOf(v)
		return S(s), err
	}
	text := func(s S) string { return string(s) }
	return items(name, "list of strings", `["n1", "n2"]`, doc, field, parse, text, text)
}

func statuses[T any](name string, field func(*T) *[]fsm.StatusRange, doc string) key {
	return items(name, "list of status codes and ranges", `["200-299"]`, doc, field, statusOf,
		func(r fsm.StatusRange) string { return fmt.Sprintf("%d-%d", r.From, r.To) },
		func(r fsm.StatusRange) string {
			if r.To == r.From {
				return strconv.Itoa(r.From)
			}
			return fmt.Sprintf("%d-%d", r.From, r.To)
		})
}

func portRanges[T any](name string, field func(*T) *[]fsm.PortRange, doc string) key {
	return items(name, "list of ports and ranges", `["80", "8000-8099"]`, doc, field, portRangeOf, fsm.PortRange.String, fsm.PortRange.String)
}

func addressRanges[T any](name string, field func(*T) *[]fsm.AddressRange, doc string) key {
	return items(name, "list of addresses, networks and ranges", `["198.51.100.0/28"]`, doc, field, addressRangeOf, fsm.AddressRange.String, fsm.AddressRange.String)
}

func addresses[T any](name string, field func(*T) *[]netip.Addr, doc string) key {
	return items(name, "list of addresses", `["192.0.2.5"]`, doc, field, addressOf, netip.Addr.String, netip.Addr.String)
}

// items is a list of what is written as strings or numbers. called is how package fsm calls an item, text how it is written.
func items[T, V any](name, kind, example, doc string, field func(*T) *[]V, parse func(cty.Value) (V, error), called, text func(V) string) key {
	return key{
		name: name, kind: kind, doc: doc,
		item: func(v cty.Value) string {
			x, _ := parse(v)
			return called(x)
		},
		read: func(dst any, v cty.Value) error {
			var out []V
			err := eachOf(v, example, func(item cty.Value) error {
				x, err := parse(item)
				out = append(out, x)
				return err
			})
			if err != nil {
				return err
			}
			*field(dst.(*T)) = out
			return nil
		},
		write: func(src any) cty.Value {
			var out []cty.Value
			for _, x := range *field(src.(*T)) {
				out = append(out, cty.StringVal(text(x)))
			}
			return cty.TupleVal(out)
		},
	}
}

func stringOf(v cty.Value) (string, error) {
	if v.Type() != cty.String {
		cure := "write it in quotes"
		if !v.Type().IsPrimitiveType() {
			cure = "write one value, in quotes"
		}
		return "", faultf(cure, "this is %s, not a string", aKind(v))
	}
	s := v.AsString()
	if s == "" {
		return "", faultf("write a value, or leave the key out", "it is empty")
	}
	return s, nil
}

func boolOf(v cty.Value) (bool, error) {
	if v.Type() != cty.Bool {
		return false, faultf("write true or false, without quotes", "this is %s, not true or false", aKind(v))
	}
	return v.True(), nil
}

func numberOf[N ~int | ~uint8 | ~uint16 | ~uint32](v cty.Value) (N, error) {
	if v.Type() != cty.Number {
		cure := "write a whole number, without quotes"
		if v.Type() == cty.String {
			if _, err := strconv.Atoi(v.AsString()); err == nil {
				cure = "write it without quotes: " + v.AsString()
			}
		}
		return 0, faultf(cure, "this is %s, not a number", aKind(v))
	}
	// What the type holds is decided here; what makes sense is for Validate.
	low, high := int64(math.MinInt32), int64(math.MaxInt32)
	if N(0)-1 > 0 {
		low, high = 0, int64(^N(0))
	}
	n, accuracy := v.AsBigFloat().Int64()
	switch {
	case accuracy != big.Exact && n != math.MaxInt64 && n != math.MinInt64:
		return 0, faultf("write a whole number", "this is not a whole number")
	case n < low || n > high:
		return 0, faultf("", "it is out of range")
	}
	return N(n), nil
}

func durationOf(v cty.Value) (time.Duration, error) {
	if v.Type() == cty.Number {
		n := v.AsBigFloat().Text('f', -1)
		if len(n) > 9 {
			n = "2"
		}
		return 0, faultf(fmt.Sprintf(`write it with its unit, in quotes: "%ss" or "%sms"`, n, n), "this is a number, not a duration")
	}
	s, err := stringOf(v)
	if err != nil {
		return 0, err
	}
	d, err := time.ParseDuration(s)
	if err == nil {
		return d, nil
	}
	if _, bare := strconv.ParseFloat(s, 64); bare == nil && len(s) <= 9 {
		return 0, faultf(fmt.Sprintf(`write "%ss" for seconds or "%sms" for milliseconds`, s, s), "the duration has no unit")
	}
	return 0, faultf(`write it like "2s", "200ms" or "1m30s"`, "this is no duration")
}

// durationText is Duration.String without the zeros at its end: 1m, not 1m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func addressOf(v cty.Value) (netip.Addr, error) {
	s, err := stringOf(v)
	if err != nil {
		return netip.Addr{}, err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, faultf(`write it like "192.0.2.10" or "2001:db8::10"; names are not looked up`, "this is no address")
	}
	return a, nil
}

func prefixOf(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err == nil {
		return p, nil
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		example := "/24"
		if a.Is6() {
			example = "/64"
		}
		return p, faultf(fmt.Sprintf(`write the length of the subnet it is in, like "%s%s"`, a, example), "the address has no prefix length")
	}
	return p, faultf(`write it like "192.0.2.10/24"`, "this is no address with a prefix length")
}

// serverOf parses the label of a server block.
func serverOf(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err == nil {
		return a, nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPort{}, faultf(fmt.Sprintf("write it like %q", netip.AddrPortFrom(a, 80)), "the server has no port")
	}
	host, port, _ := strings.Cut(s, ":")
	if _, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPort{}, faultf("use 1 to 65535", "the port %q is out of range or no number", port)
	}
	return netip.AddrPort{}, faultf(`write it like "10.0.0.11:8080" or "[2001:db8::11]:8080"; names are not looked up`, "this is no address with a port")
}

func statusOf(v cty.Value) (fsm.StatusRange, error) {
	if v.Type() == cty.Number {
		n, err := numberOf[int](v)
		return fsm.StatusRange{From: n, To: n}, err
	}
	s, err := stringOf(v)
	if err != nil {
		return fsm.StatusRange{}, err
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	low, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	high, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	if err1 != nil || err2 != nil {
		return fsm.StatusRange{}, faultf(`write it like "200" or "200-299"`, "%q is no status code and no range of them", s)
	}
	return fsm.StatusRange{From: int(low), To: int(high)}, nil
}

// portRangeOf reads 80, "80" or "8000-8099".
func portRangeOf(v cty.Value) (fsm.PortRange, error) {
	if v.Type() == cty.Number {
		n, err := numberOf[uint16](v)
		return fsm.PortRange{From: n, To: n}, err
	}
	s, err := stringOf(v)
	if err != nil {
		return fsm.PortRange{}, err
	}
	r, err := fsm.ParsePortRange(s)
	if err != nil {
		return r, faultf(`write it like "80" or "8000-8099", with ports from 1 to 65535`, "%v", err)
	}
	return r, nil
}

// addressRangeOf reads "198.51.100.0/28", "203.0.113.7" or "203.0.113.10-203.0.113.19".
func addressRangeOf(v cty.Value) (fsm.AddressRange, error) {
	s, err := stringOf(v)
	if err != nil {
		return fsm.AddressRange{}, err
	}
	r, err := fsm.ParseAddressRange(s)
	if err != nil {
		return r, faultf(`write it like "198.51.100.0/28" or "203.0.113.10-203.0.113.19"`, "%v", err)
	}
	return r, nil
}

// eachOf visits the items of a list.
func eachOf(v cty.Value, example string, visit func(cty.Value) error) error {
	if !v.Type().IsTupleType() {
		return faultf("write a list, like "+example, "this is %s, not a list", aKind(v))
	}
	if v.LengthInt() == 0 {
		return faultf("write a list like "+example+", or leave the key out", "the list is empty")
	}
	for _, item := range v.AsValueSlice() {
		if item.IsNull() {
			return faultf("take it out", "an item of the list is null")
		}
		if err := visit(item); err != nil {
			return err
		}
	}
	return nil
}

// aKind names what kind of value v is.
func aKind(v cty.Value) string {
	switch t := v.Type(); {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType():
		return "a list"
	default:
		return "an object"
	}
}
