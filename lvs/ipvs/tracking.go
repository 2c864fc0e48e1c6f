package ipvs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate/lvs"
	"quorate/lvs/sysctl"
)

// tracking is the need that the connections that IPVS balances are tracked: where the host's rules look at the state of those by nat. It is not asked for
// elsewhere: each connection takes a place in the kernel's table of tracked ones then.
//
// It does harm to connections by direct routing and through tunnels, of which the host sees the clients' half alone, where rules look at their packets: what a
// client sends after its SYN is invalid then. And rules that translate source addresses begin to, for all. Neither is for a program to decide.
func (p *Plane) tracking(want []lvs.Service) []sysctl.Need {
	if !slices.ContainsFunc(want, translates) || len(sysctl.Ask(vsConntrack, "", "1")) == 0 {
		return nil
	}
	f := p.rules()
	var at []string // hooks
	half, source := "", false
	for _, s := range want {
		r := f.of(s)
		if translates(s) {
			at = append(at, r.hooks...)
		}
		if half == "" && halves(s) && slices.ContainsFunc(r.hooks, func(h string) bool { return h != "forward" }) {
			half = untrack(s)
		}
		source = source || r.source
	}
	if len(at) == 0 {
		return nil
	}
	slices.Sort(at)
	needs := sysctl.Ask(vsConntrack, fmt.Sprintf("this host's rules that look at the state of connections (ct state, on the hook %s) take packets of those that it balances "+
		"for invalid, new or untracked", strings.Join(slices.Compact(at), ", ")), "1")
	var first []string
	if half != "" {
		first = append(first, "to the same rules what clients send to services by dr and tun will be invalid: have it not tracked ("+half+")")
	}
	if source {
		first = append(first, "rules of this host that translate source addresses (masquerade, snat) will be applied to what IPVS sends to servers: see that they leave it out")
	}
	for i := range needs {
		needs[i].Unless = strings.Join(first, "; ")
	}
	return needs
}

// untrack is the rule by which what clients send to the service is not tracked.
func untrack(s lvs.Service) string {
	family := "ip6"
	if s.Addr.Unmap().Is4() {
		family = "ip"
	}
	to := "the addresses of " + s.Key().String()
	if s.Mark == 0 {
		to = s.Addr.Unmap().String()
	}
	return fmt.Sprintf("nftables: %s daddr %s notrack, in a chain of the hook prerouting with priority raw", family, to)
}

// translates reports whether the answers of servers of the service come back through this host.
func translates(s lvs.Service) bool {
	return slices.ContainsFunc(s.Destinations, func(d lvs.Destination) bool { return method(s, d) == lvs.NAT })
}

// halves reports whether answers of servers of the service do not. Those to probes of this host do: it has both halves of their connections.
func halves(s lvs.Service) bool {
	return !lvs.IsProbeMark(s.Mark) && slices.ContainsFunc(s.Destinations, func(d lvs.Destination) bool { return method(s, d) != lvs.NAT })
}

func method(s lvs.Service, d lvs.Destination) string {
	forward, _ := s.Method(d)
	return forward
}

// lookAtRules is how often the host's rules are looked at, while it matters.
const lookAtRules = 30 * time.Second

// rules are the host's, as of a moment ago.
func (p *Plane) rules() firewall {
	if time.Since(p.firewall.at) >= lookAtRules {
		p.firewall = readFirewall()
	}
	return p.firewall
}
