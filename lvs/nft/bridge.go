package nft

import (
	"maps"
	"slices"
)

// bridge is what a table has to be on its way from have to want, where rules with slots go; nil where none does. A map that is deleted is empty for the packets that are just in
// the rule which asks it, too: what takes its place has to stand behind it first, as those packets go on there.
func bridge(have, want *ruleset) *ruleset {
	out := *want
	out.chains, out.sets = maps.Clone(want.chains), maps.Clone(want.sets)
	var any bool
	for name, w := range want.chains {
		h := have.chains[name]
		if h == nil {
			continue
		}
		c := *h
		if keep, gone := h.change(w); slices.ContainsFunc(gone, rule.picks) && keep+len(gone) == len(h.rules) && slices.ContainsFunc(w.rules[keep:], rule.picks) {
			c.rules = slices.Concat(h.rules, w.rules[keep:])
			any = true
		}
		out.chains[name] = &c
	}
	if !any {
		return nil
	}
	// What there is stays as it is until then; what is new may come already.
	for name, h := range have.chains {
		if want.chains[name] == nil {
			out.chains[name] = h
		}
	}
	maps.Copy(out.sets, have.sets)
	return &out
}

// change says how the chain becomes the other: its first rules stay, those that are gone are deleted, and what the other has besides is added at the end.
func (c *chain) change(to *chain) (keep int, gone []rule) {
	for keep < min(len(c.rules), len(to.rules)) && c.rules[keep].equal(to.rules[keep]) {
		keep++
	}
	gone = c.rules[keep:]
	// The end is there already, as after a bridge: only what is before it goes.
	if rest := to.rules[keep:]; len(rest) > 0 && len(rest) <= len(gone) && slices.EqualFunc(gone[len(gone)-len(rest):], rest, rule.equal) {
		gone = gone[:len(gone)-len(rest)]
	}
	return keep, gone
}

// picks reports whether the rule chooses a server by its slots.
func (r rule) picks() bool { return r.slots != nil }
