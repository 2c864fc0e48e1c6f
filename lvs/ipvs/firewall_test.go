package ipvs

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables/xt"

	"quorate/lvs/lvstest"
)

// nft runs a text of nft(8) on a host and returns what it prints.
func nft(t *testing.T, h *lvstest.Host, text string) string {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed: run apt-get install nftables")
	}
	var out []byte
	err := h.Do(func() (err error) {
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(text)
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		t.Fatalf("nft: %v: %s\n%s", err, out, text)
	}
	return string(out)
}

// TestFirewallIsRead: rules that look at the state of what IPVS balances are found with their hooks, also behind a jump or a map, and those that
// translate source addresses.
func TestFirewallIsRead(t *testing.T) {
	b := lvstest.NewBed(t)
	for _, x := range []struct {
		rules  string // of a table of the family inet
		hooks  string // blank between
		source bool
	}{
		{"", "", false},
		{"chain c { type filter hook forward priority 0; ct state established,related accept; }", "forward", false},
		{"chain c { type filter hook forward priority 0; ct mark 1 accept; ct status dnat accept; tcp dport 80 accept; }", "", false},
		{"chain c { type filter hook prerouting priority -150; ct state invalid drop; }", "prerouting", false},
		{"chain c { type filter hook output priority 0; ct state { established, new } accept; } chain d { type filter hook postrouting priority 0; ct state untracked drop; }",
			"output postrouting", false},
		// On the input hook it depends on the states.
		{"chain c { type filter hook input priority 0; ct state established,related accept; tcp dport 80 accept; }", "", false},
		{"chain c { type filter hook input priority 0; ct state { established, related } accept; }", "", false},
		{"chain c { type filter hook input priority 0; ct state == established accept; }", "", false},
		{"chain c { type filter hook input priority 0; ct state invalid drop; }", "input", false},
		{"chain c { type filter hook input priority 0; tcp dport 80 ct state new accept; }", "input", false},
		{"chain c { type filter hook input priority 0; ct state != established,related drop; }", "input", false},
		{"chain c { type filter hook input priority 0; ct state != { established, related } drop; }", "input", false},
		{"chain c { type filter hook input priority 0; ct state != { invalid, new } accept; }", "", false},
		{"chain c { type filter hook input priority 0; ct state vmap { established : accept, invalid : drop }; }", "input", false},
		// What a chain leads to is part of it, what nothing leads to is not.
		{"chain looks { ct state invalid drop; } chain c { type filter hook forward priority 0; jump looks; }", "forward", false},
		{"chain looks { ct state invalid drop; } chain on { goto looks; } chain c { type filter hook forward priority 0; iifname vmap { back : jump on }; }", "forward", false},
		{"chain looks { ct state invalid drop; } chain c { type filter hook forward priority 0; accept; }", "", false},
		{"chain loop { ct mark 1 accept; } chain c { type filter hook forward priority 0; jump loop; jump loop; }", "", false},
		{"chain c { type nat hook postrouting priority 100; oifname back masquerade; }", "", true},
		{"chain c { type nat hook postrouting priority 100; ip saddr 10.0.0.0/8 snat ip to 192.0.2.2; }", "", true},
		{"chain c { type nat hook prerouting priority -100; tcp dport 81 dnat ip to 10.9.0.11; }", "", false},
	} {
		for family, is := range map[string]struct{ v4, v6 bool }{"ip": {true, false}, "ip6": {false, true}, "inet": {true, true}, "arp": {}} {
			if strings.Contains(x.rules, " ip ") && family != "inet" || family == "arp" && x.rules != "" {
				continue
			}
			nft(t, b.Director, fmt.Sprintf("flush ruleset; table %s host { %s }", family, strings.ReplaceAll(x.rules, "; }", "; };")))
			var f firewall
			if err := b.Director.Do(func() error { f = readFirewall(); return nil }); err != nil {
				t.Fatal(err)
			}
			for _, got := range []struct {
				rules rules
				is    bool
			}{{f.v4, is.v4}, {f.v6, is.v6}} {
				want := rules{hooks: strings.Fields(x.hooks), source: x.source}
				if !got.is {
					want = rules{}
				}
				if slices.Sort(got.rules.hooks); !slices.Equal(got.rules.hooks, want.hooks) || got.rules.source != want.source {
					t.Errorf("family %s: %+v, want %+v:\n%s", family, f, want, x.rules)
				}
			}
		}
	}
}

// TestMatchesOfIptables: what iptables-nft writes for -m conntrack and -m state.
func TestMatchesOfIptables(t *testing.T) {
	match := func(flags, invert xt.ConntrackFlags, states uint16) xt.InfoAny {
		return &xt.ConntrackMtinfo3{ConntrackMtinfo2: xt.ConntrackMtinfo2{
			ConntrackMtinfoBase: xt.ConntrackMtinfoBase{MatchFlags: uint16(flags), InvertFlags: uint16(invert)}, StateMask: states}}
	}
	for _, x := range []struct {
		info xt.InfoAny
		want bool // it looks at new or invalid
	}{
		{match(xt.ConntrackState, 0, 2|4), false}, // --ctstate ESTABLISHED,RELATED
		{match(xt.ConntrackState, 0, stateInvalid), true},
		{match(xt.ConntrackState|xt.ConntrackStateAlias, 0, stateNew), true},
		{match(xt.ConntrackState, xt.ConntrackState, 2|4), true}, // ! --ctstate
		{match(xt.ConntrackStatus, 0, 0), false},
		{&xt.ConntrackMtinfo2{ConntrackMtinfoBase: xt.ConntrackMtinfoBase{MatchFlags: uint16(xt.ConntrackState)}, StateMask: stateNew}, true},
		{&xt.Unknown{}, true},
	} {
		if got := matches(x.info)&(stateInvalid|stateNew) != 0; got != x.want {
			t.Errorf("%+v: %t", x.info, got)
		}
	}
}
