package ipvs

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// statefulForward reports whether rules of nftables, among them those of iptables-nft, look at the state of connections that this host forwards:
// in a chain on the forward hook, or one that is jumped to from there. IPVS has the kernel not track what it translates, so that an
// answer of a server is invalid to them (ip_vs_xmit.c, ip_vs_nat_send_or_cont). A host whose rules cannot be read has none.
func statefulForward() bool {
	c, err := nftables.New()
	if err != nil {
		return false
	}
	chains, err := c.ListChains()
	if err != nil {
		return false
	}
	for _, ch := range chains {
		switch ch.Table.Family {
		case nftables.TableFamilyINet, nftables.TableFamilyIPv4, nftables.TableFamilyIPv6:
		default:
			continue
		}
		if ch.Hooknum != nil && *ch.Hooknum == *nftables.ChainHookForward && statefulChain(c, ch, map[string]bool{}) {
			return true
		}
	}
	return false
}

// statefulChain reports whether a rule of the chain, or of one of the same table that it leads to, looks at a connection's state. seen are the
// chains that were looked at.
func statefulChain(c *nftables.Conn, ch *nftables.Chain, seen map[string]bool) bool {
	if seen[ch.Name] {
		return false
	}
	seen[ch.Name] = true
	rules, err := c.GetRules(ch.Table, ch)
	if err != nil {
		return false
	}
	for _, r := range rules {
		for _, e := range r.Exprs {
			switch e := e.(type) {
			case *expr.Ct:
				if e.Key == expr.CtKeySTATE {
					return true
				}
			case *expr.Match: // of iptables
				if slices.Contains([]string{"conntrack", "state"}, e.Name) {
					return true
				}
			case *expr.Verdict:
				if e.Chain != "" && statefulChain(c, &nftables.Chain{Table: ch.Table, Name: e.Chain}, seen) {
					return true
				}
			}
		}
	}
	return false
}
