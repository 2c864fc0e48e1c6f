package keepalived

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// number is value i as a number; it was checked by the table.
func (d *directive) number(i int) int64 {
	n, _ := strconv.ParseInt(d.arg(i), 0, 64)
	return n
}

// duration is value i, seconds with a fraction; it was checked by the table.
func (d *directive) duration(i int) time.Duration {
	n, _ := strconv.ParseFloat(d.arg(i), 64)
	return time.Duration(n*1e6).Abs() * time.Microsecond
}

// yes is the value of a boolean; the bare keyword is yes.
func (d *directive) yes() bool {
	return d != nil && (len(d.args) == 0 || slices.Contains([]string{"on", "true", "yes"}, d.arg(0)))
}

// addressOf reads an address with or without a prefix length.
func addressOf(s string) (netip.Prefix, bool) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p, err == nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// clamp brings a time into what we allow, and says so.
func clamp(d *directive, key string, v, low, high time.Duration) time.Duration {
	in := min(max(v, low), high)
	if d != nil && in != v {
		d.settle(Changed, key+" is "+in.String()+": it can be from "+low.String()+" to "+high.String(), "look whether that will do")
	}
	return in
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
