package fsm

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestDeafFactsCleaned: what a node says of routers that it does not hear is in order, fits, and is not told to members that could not read it.
func TestDeafFactsCleaned(t *testing.T) {
	in := Facts{NoVRRP: []DeafRouter{{"b", ""}, {"a", "x"}, {"b", "y"}, {"c", strings.Repeat("z", 1000)}}}
	want := []DeafRouter{{"a", "x"}, {"b", "it does not say why"}, {"c", clip(strings.Repeat("z", 1000), 256)}}
	if got := in.cleaned(schemaVRRP).NoVRRP; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if got := in.cleaned(schemaVRRP - 1).NoVRRP; got != nil {
		t.Errorf("schema %d: %v", schemaVRRP-1, got)
	}
	if got := len(Facts{NoVRRP: make([]DeafRouter, 1<<16)}.cleaned(schemaVRRP).NoVRRP); got != 1 {
		t.Errorf("%d of nothing", got)
	}
}

// TestDeafWithoutQuorum: nobody takes a router's VIPs over from an agent that ends if it is deaf to it, but without a quorum, where nobody can say that it hears again, it
// may be elected.
func TestDeafWithoutQuorum(t *testing.T) {
	w := newWorld(t)
	w.schema = MaxSchema
	w.form(1, 1)
	w.configure(Config{Settings: DefaultSettings(), VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), QuorumLost: VRRPVIP, Prefer: []NodeID{"n1"},
		VRRP: &VirtualRouter{VRID: 51, Peers: legacies[:1]}}}})
	w.settle()
	f := nftFacts()
	f.NoVRRP = []DeafRouter{{"web", "no socket"}}
	w.must(Command{SetFacts: &SetFacts{Node: "n2", Store: "store-n2", Facts: f}})
	r := w.s.Config.VirtualRouters()[0]
	if got := w.s.Fit(r); !slices.Equal(got, []NodeID{"n1"}) {
		t.Errorf("fit are %v", got)
	}
	if got := w.s.FallbackPriorities(r); len(got) != 2 {
		t.Errorf("elected is among %v", got)
	}
}
