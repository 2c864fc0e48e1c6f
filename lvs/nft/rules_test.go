package nft

import (
	"testing"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// listed renders a compiled rule as the kernel lists it: struct nfgenmsg, then attributes.
func listed(t testing.TB, r rule) []byte {
	t.Helper()
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.NFTA_RULE_CHAIN, "c")
	ae.Nested(unix.NFTA_RULE_EXPRESSIONS, func(ae *netlink.AttributeEncoder) error {
		for _, e := range r.exprs {
			raw, err := expr.Marshal(unix.NFPROTO_INET, e)
			if err != nil {
				return err
			}
			ae.Bytes(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, raw)
		}
		return nil
	})
	b, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{unix.NFPROTO_INET, 0, 0, 0}, b...)
}

func everyRule() (out []rule) {
	services := []lvs.Service{lvstest.DriftService(capabilities)}
	services = append(services, services[0])
	services[1].Port, services[1].Scheduler = 81, "sh"
	for _, c := range compile(services).chains {
		out = append(out, c.rules...)
	}
	return out
}

func TestRulesRoundTrip(t *testing.T) {
	for _, want := range everyRule() {
		name, got, err := parseRule(listed(t, want))
		if err != nil {
			t.Fatal(err)
		}
		got.slots, got.comment = want.slots, want.comment // are not in this message
		if name != "c" || !got.equal(want) {
			t.Errorf("parsed\n%swant\n%s", got.canonical(), want.canonical())
		}
	}
}

func FuzzParseRule(f *testing.F) {
	for _, r := range everyRule() {
		f.Add(listed(f, r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, r, err := parseRule(b); err == nil {
			r.canonical()
		}
	})
}
