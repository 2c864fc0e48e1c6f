package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"quorate/api"
	"quorate/fsm"
)

// TestWhereAsked: each address is asked for on its own link, a peer with a link-local one where its virtual router is, also on a node that lacks the link of another VIP.
func TestWhereAsked(t *testing.T) {
	addr := netip.MustParseAddr
	link := func(name, prefix string) fsm.Link {
		return fsm.Link{Name: name, Prefixes: []netip.Prefix{netip.MustParsePrefix(prefix)}}
	}
	q := api.SightQuery{
		VIPs:       []netip.Addr{addr("2001:db8:1::10"), addr("2001:db8:2::10"), addr("192.0.2.10")},
		Interfaces: []string{"", "eth1", ""},
		Peers: []api.SightPeer{
			{Address: addr("192.0.2.5")},
			{Address: addr("fe80::5"), Router: "a", VIP: addr("2001:db8:1::10")},
			{Address: addr("fe80::5"), Router: "b", VIP: addr("2001:db8:2::10"), Interface: "eth1"},
			{Address: addr("fe80::6"), Router: "b", VIP: addr("2001:db8:2::10"), Interface: "eth1"},
			{Address: addr("fe80::6"), Router: "c", VIP: addr("2001:db8:2::10"), Interface: "eth1"},
		},
	}
	for _, x := range []struct {
		name  string
		links []fsm.Link
		want  []string
		asked map[string]int
	}{
		{"both", []fsm.Link{link("eth0", "2001:db8:1::/64"), link("eth1", "2001:db8:2::/64"), link("eth2", "192.0.2.0/24")}, []string{
			"2001:db8:1::10 eth0", "2001:db8:2::10 eth1", "192.0.2.10 eth2", "192.0.2.5 eth2",
			"fe80::5 a eth0", "fe80::5 b eth1", "fe80::6 b eth1", "fe80::6 c eth1",
		}, map[string]int{"eth0": 2, "eth1": 3, "eth2": 2}},
		{"without that of the first VIP", []fsm.Link{link("eth1", "2001:db8:2::/64")}, []string{
			"2001:db8:1::10", "2001:db8:2::10 eth1", "192.0.2.10", "192.0.2.5",
			"fe80::5 a", "fe80::5 b eth1", "fe80::6 b eth1", "fe80::6 c eth1",
		}, map[string]int{"eth1": 3}},
	} {
		out, on := whereAsked(fsm.Facts{Links: x.links}, q)
		var got []string
		for _, h := range out {
			text := h.Address.String()
			for _, s := range []string{h.Router, h.Link} {
				if s != "" {
					text += " " + s
				}
			}
			got = append(got, text)
		}
		asked := map[string]int{}
		for l, addrs := range on {
			asked[l] = len(addrs)
		}
		if !slices.Equal(got, x.want) || fmt.Sprint(asked) != fmt.Sprint(x.asked) {
			t.Errorf("%s: %q, want %q; asked %v, want %v", x.name, got, x.want, asked, x.asked)
		}
	}
}
