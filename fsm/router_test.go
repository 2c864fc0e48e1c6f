package fsm

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestVirtualRouters: both ways of writing one are the same thing, by name, with what was left out and the VIPs in the order of the adverts.
func TestVirtualRouters(t *testing.T) {
	vip := func(name, address, router string) VIP {
		return VIP{Name: name, Address: netip.MustParsePrefix(address), Router: router}
	}
	own := vip("m-own", "192.0.2.30/24", "")
	own.VRRP = &VirtualRouter{VRID: 9, Version: 2}
	lost := vip("lost", "192.0.2.40/24", "nowhere")
	c := Config{
		Routers: map[string]VirtualRouter{"z": {VRID: 51}, "a6": {VRID: 52, HMACKeys: []string{"1:x"}}, "empty": {VRID: 53}},
		VIPs:    map[string]VIP{"m-own": own, "lost": lost, "plain": vip("plain", "192.0.2.50/24", "")},
	}
	for _, v := range []VIP{vip("b", "192.0.2.10/24", "z"), vip("a", "192.0.2.12/24", "z"), vip("x1", "2001:db8::1/64", "a6"), vip("x2", "fe80::2/64", "a6"), vip("x0", "fe80::9/64", "a6")} {
		c.VIPs[v.Name] = v
	}
	var got []string
	for _, r := range c.VirtualRouters() {
		got = append(got, fmt.Sprintf("%s %d v%d p%d %v %v %s %v", r.Name, r.VRID, r.Version, r.Priority, r.Interval, r.HMACMode, r.Checksum, r.Addrs()))
	}
	want := []string{
		"a6 52 v3 p254 1s enforce learn [fe80::9 fe80::2 2001:db8::1]",
		"empty 53 v3 p254 1s  learn []",
		"m-own 9 v2 p254 1s  learn [192.0.2.30]",
		"z 51 v3 p254 1s  learn [192.0.2.12 192.0.2.10]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if rs := (Config{VIPs: map[string]VIP{"plain": vip("plain", "192.0.2.50/24", "")}}).VirtualRouters(); rs != nil {
		t.Errorf("of nothing: %v", rs)
	}
}

// TestRouterSpared: what says the same as its absence is taken away, whole values are spared to what they were, and no field is forgotten in a difference.
func TestRouterSpared(t *testing.T) {
	full := VirtualRouter{VRID: 1, Version: 3, Priority: DefaultPriority, Interval: DefaultAdverts, HMACKeys: []string{"1:x"}, HMACMode: HMACEnforce, Checksum: ChecksumLearn}
	bare := VirtualRouter{VRID: 1, HMACKeys: []string{"1:x"}}
	if got := full.Spared(); !reflect.DeepEqual(got, bare) {
		t.Errorf("%+v", got)
	}
	if got := bare.Whole(); !reflect.DeepEqual(got, full) {
		t.Errorf("%+v", got)
	}
	type0 := reflect.TypeFor[VirtualRouter]()
	for i := range type0.NumField() {
		f := type0.Field(i)
		r := VirtualRouter{VRID: 7}
		setKey(t, reflect.ValueOf(&r).Elem(), []string{keyOf(f)})
		before, after := Config{Routers: map[string]VirtualRouter{"r": {VRID: 7}}}, Config{Routers: map[string]VirtualRouter{"r": r}}
		changes := Diff(before, after)
		if len(changes) != 1 || changes[0].Object != "virtual_router.r" || len(changes[0].Fields) != 1 {
			t.Errorf("%s: %+v", f.Name, changes)
		}
		inVIP := func(r VirtualRouter) Config {
			return Config{VIPs: map[string]VIP{"v": {Name: "v", Address: netip.MustParsePrefix("192.0.2.10/24"), VRRP: &r}}}
		}
		if changes := Diff(inVIP(VirtualRouter{VRID: 7}), inVIP(r)); len(changes) != 1 || changes[0].Object != "vip.v.vrrp" {
			t.Errorf("%s in a VIP: %+v", f.Name, changes)
		}
	}
}

// TestNeedsVRRP: nothing of virtual routers and shadow is said at the schema before.
func TestNeedsVRRP(t *testing.T) {
	web := VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
	with := func(change func(*VIP)) Command {
		v := web
		change(&v)
		return Command{Configure: &Configure{Config: Config{Settings: DefaultSettings(), VIPs: map[string]VIP{"web": v}}}}
	}
	set := DefaultSettings()
	set.Mode = ShadowMode
	for name, c := range map[string]Command{
		"router":       with(func(v *VIP) { v.Router = "VI_1" }),
		"vrrp":         with(func(v *VIP) { v.VRRP = &VirtualRouter{VRID: 1} }),
		"mode":         with(func(v *VIP) { v.Mode = ShadowMode }),
		"quorum lost":  with(func(v *VIP) { v.QuorumLost = VRRPVIP }),
		"block":        {Configure: &Configure{Config: Config{Settings: DefaultSettings(), Routers: map[string]VirtualRouter{"VI_1": {VRID: 1}}}}},
		"cluster mode": {Configure: &Configure{Config: Config{Settings: set}}},
		"init":         {Init: &Init{Settings: set}},
		"foreign":      {SetForeign: &SetForeign{Router: "VI_1"}},
		"fresh":        {SetFresh: &SetFresh{Node: "n1"}},
		"notifier": {Configure: &Configure{Config: Config{Settings: DefaultSettings(), Notifiers: map[string]Notifier{
			"n": {Name: "n", Events: []EventKind{EventVRRP}, Webhook: &Webhook{URL: "https://hooks.example.org/"}}}}}},
	} {
		c.Schema = schemaVRRP - 1
		if _, err := Encode(c); err == nil || !strings.Contains(err.Error(), "this needs schema version 7") {
			t.Errorf("%s: %v", name, err)
		}
		c.Schema = schemaVRRP
		if _, err := Encode(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := with(func(*VIP) {})
	b, err := Encode(plain)
	for _, key := range []string{"virtual_router", "mode", "vrrp"} {
		if err != nil || strings.Contains(string(b), key) {
			t.Errorf("%q is written, which nobody asked for: %v, %s", key, err, b)
		}
	}
}

// TestTooManyGroups: Linux lets a socket into twenty groups, and one more would silence all virtual routers of a link.
func TestTooManyGroups(t *testing.T) {
	of := func(groups int) (found bool) {
		c := Config{Routers: map[string]VirtualRouter{}, VIPs: map[string]VIP{}}
		for i := range 2 * groups { // each group twice
			name := fmt.Sprintf("r%02d", i)
			c.Routers[name] = VirtualRouter{VRID: uint8(1 + i), Group: netip.AddrFrom4([4]byte{224, 0, 0, byte(100 + i/2)})}
			c.VIPs[name] = VIP{Name: name, Router: name, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), 24)}
		}
		return slices.ContainsFunc(c.Validate(), func(p Problem) bool { return p.Key == "group" && strings.Contains(p.What, "different IPv4 groups") })
	}
	if of(maxGroups) || !of(maxGroups+1) {
		t.Errorf("%d groups are refused: %v; %d: %v", maxGroups, of(maxGroups), maxGroups+1, of(maxGroups+1))
	}
}
