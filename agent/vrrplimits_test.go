package agent

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/fsm"
	"quorate/vip/vrrp"
)

// TestRouterLimits holds what package fsm says of VRRP, of which it imports nothing, against package vrrp, which speaks it.
func TestRouterLimits(t *testing.T) {
	for _, version := range []uint8{2, 3} {
		for _, interval := range []time.Duration{time.Second, 3 * time.Second, 40 * time.Second} {
			r := fsm.VirtualRouter{VRID: 51, Version: version, Interval: interval}
			if want := vrrp.ActiveDownInterval(vrrp.Version(version), 254, interval, vrrp.DefaultDownAdverts); r.MasterDown() != want {
				t.Errorf("version %d, %v: an old router waits for %v, not %v", version, interval, want, r.MasterDown())
			}
		}
		for _, d := range []time.Duration{0, 9 * time.Millisecond, 15 * time.Millisecond, time.Second, 1500 * time.Millisecond, vrrp.MaxIntervalV3, vrrp.MaxIntervalV3 + 10*time.Millisecond, vrrp.MaxIntervalV2, vrrp.MaxIntervalV2 + time.Second} {
			if d == 0 {
				continue // left out
			}
			checkAlike(t, fsm.VirtualRouter{VRID: 51, Version: version, Interval: d}, addrs(1, false))
		}
		for _, six := range []bool{false, true} {
			most := vrrp.MaxAddresses(vrrp.Version(version), map[bool]vrrp.Family{false: vrrp.IPv4, true: vrrp.IPv6}[six])
			checkAlike(t, fsm.VirtualRouter{VRID: 51, Version: version, Interval: 5 * time.Second}, addrs(most, six))
			checkAlike(t, fsm.VirtualRouter{VRID: 51, Version: version, Interval: 5 * time.Second}, addrs(most+1, six))
		}
	}
	for _, n := range []int{vrrp.MinKey - 1, vrrp.MinKey, vrrp.MaxKey, vrrp.MaxKey + 1} {
		_, secret, err := fsm.ParseHMACKey("7:" + strings.Repeat("5a", n))
		if _, bad := vrrp.NewKeyring(7, vrrp.Key{ID: 7, Secret: make([]byte, n)}); (bad == nil) != (err == nil) || err == nil && len(secret) != n {
			t.Errorf("a key of %d bytes: %v, %v", n, err, bad)
		}
	}
	if len(vrrp.Password{}) != fsm.MaxPassword {
		t.Errorf("a password has %d octets, not %d", len(vrrp.Password{}), fsm.MaxPassword)
	}
}

// checkAlike fails unless a virtual router with these VIPs is a valid configuration just if it can be spoken for.
func checkAlike(t *testing.T, r fsm.VirtualRouter, as []netip.Addr) {
	t.Helper()
	c := fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{}, Groups: map[string]fsm.Group{"g": {Name: "g"}}, Routers: map[string]fsm.VirtualRouter{"VI_1": r}}
	for i, a := range as {
		name := fmt.Sprintf("v%03d", i)
		c.VIPs[name] = fsm.VIP{Name: name, Address: netip.PrefixFrom(a, a.BitLen()), Router: "VI_1", Group: "g"}
	}
	source := netip.MustParseAddr("192.0.2.1")
	if as[0].Is6() {
		source = netip.MustParseAddr("fe80::1")
	}
	v := vrrp.Config{VRID: 51, Version: vrrp.Version(r.Version), Priority: 254, Interval: r.Interval, Addresses: as, Mode: vrrp.Appointed, Source: source}
	wire, problems := v.Validate(), c.Validate()
	for i := len(problems) - 1; i >= 0; i-- {
		if strings.Contains(problems[i].What, "takes over when it has heard nothing") { // a matter of the profile
			problems = append(problems[:i], problems[i+1:]...)
		}
	}
	if (wire == nil) != (len(problems) == 0) {
		t.Errorf("version %d, interval %v, %d addresses like %v: to speak: %v; configured: %v", r.Version, r.Interval, len(as), as[0], wire, problems)
	}
}

func addrs(n int, six bool) (out []netip.Addr) {
	a := netip.MustParseAddr("198.18.0.1")
	if six {
		a = netip.MustParseAddr("2001:db8::1")
	}
	for range n {
		out = append(out, a)
		a = a.Next()
	}
	return out
}
