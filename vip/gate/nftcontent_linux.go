package gate

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// The kernel counts timeouts in milliseconds and ends them at its ticks, of up to 10 ms, never after the instant.
const (
	// nftLate is by how much a timed element may outlive what was asked for.
	nftLate = 2 * time.Millisecond
	// nftEarly is by how much it may end early before it is set anew.
	nftEarly = 20 * time.Millisecond
)

// content is what the sets have, but for lease, which is the renewer's.
type content struct {
	fixed map[setID]map[string]string // key → value, both raw; sets have no values
	timed map[setID]map[string]time.Duration
}

func newContent() content {
	c := content{fixed: map[setID]map[string]string{}, timed: map[setID]map[string]time.Duration{}}
	for _, s := range nftSets {
		switch {
		case s.name == "lease":
		case s.timed:
			c.timed[s.id()] = map[string]time.Duration{}
		default:
			c.fixed[s.id()] = map[string]string{}
		}
	}
	return c
}

// desired is the content for entries, with timed elements as instants of CLOCK_BOOTTIME. An entry that is impossible, or
// named twice, is closed, and in the error.
func desired(entries []Entry) (content, error) {
	c := newContent()
	var errs []error
	seen := map[netip.Addr]bool{}
	for _, e := range entries {
		if err := e.Check(); err != nil {
			errs = append(errs, err)
			if !e.Addr.IsValid() {
				continue
			}
			e = Entry{Addr: e.Addr.Unmap().WithZone("")}
		}
		if seen[e.Addr] {
			errs = append(errs, fmt.Errorf("gate: %s is named twice: it is closed", e.Addr))
			e = Entry{Addr: e.Addr}
			c.remove(e.Addr)
		}
		seen[e.Addr] = true
		c.add(e)
	}
	for id, m := range c.fixed {
		if len(m) > nftCapacity {
			errs = append(errs, fmt.Errorf("gate: %d addresses in %s, of which nftables is given %d: use the bpf gate, or fewer addresses", len(m), id.name, nftCapacity))
		}
	}
	return c, errors.Join(errs...)
}

// sets are the names of an address's sets.
func sets(a netip.Addr) (cluster []setID, claim, ip, linger, until setID) {
	if a.Is4() {
		return []setID{{famINet, "cluster4"}, {famARP, "cluster4"}}, setID{famARP, "claim4"}, setID{famINet, "ip4"}, setID{famINet, "linger4"}, setID{famINet, "until4"}
	}
	return []setID{{famINet, "cluster6"}}, setID{famINet, "claim6"}, setID{famINet, "ip6"}, setID{famINet, "linger6"}, setID{famINet, "until6"}
}

func (c content) add(e Entry) {
	cluster, claim, ip, linger, until := sets(e.Addr)
	key, epoch := string(e.Addr.AsSlice()), string(epochKey(e.Epoch))
	for _, id := range cluster {
		c.fixed[id][key] = ""
	}
	if e.Epoch == 0 {
		return
	}
	if e.ARP {
		c.fixed[claim][key] = epoch
	}
	if !e.IP {
		return
	}
	c.fixed[ip][key] = epoch
	if e.IPUntil > 0 {
		c.fixed[linger][key] = ""
		c.timed[until][key] = e.IPUntil
	}
}

func (c content) remove(a netip.Addr) {
	_, claim, ip, linger, until := sets(a)
	key := string(a.AsSlice())
	delete(c.fixed[claim], key)
	delete(c.fixed[ip], key)
	delete(c.fixed[linger], key)
	delete(c.timed[until], key)
}

// closed has all cluster addresses of c, closed.
func (c content) closed() content {
	n := newContent()
	for id, m := range c.fixed {
		if id.family == famINet && (id.name == "cluster4" || id.name == "cluster6") || id.family == famARP && id.name == "cluster4" {
			for key := range m {
				if a, ok := netip.AddrFromSlice([]byte(key)); ok {
					n.add(Entry{Addr: a})
				}
			}
		}
	}
	return n
}

// element is one change of one set.
type element struct {
	set setID
	key string
	// value is what a map has, or is to have.
	value string
	// until is the end of a timed element; 0: it is to go.
	until time.Duration
	timed bool
}

// steps lead from one content to another. Within a transaction the kernel takes them in this order.
type steps struct {
	gate   []element // cluster addresses that become known, closed unless let says otherwise
	revoke []element // what passed and is to pass no more, or under another epoch
	let    []element // what is to pass
	forget []element // cluster addresses that are named no more
}

func (s steps) empty() bool {
	return len(s.gate) == 0 && len(s.revoke) == 0 && len(s.let) == 0 && len(s.forget) == 0
}

// closing is the part of s that lets nothing pass.
func (s steps) closing() steps { return steps{gate: s.gate, revoke: s.revoke} }

// single are steps of one element each.
func (s steps) single() []steps {
	var out []steps
	for _, e := range s.gate {
		out = append(out, steps{gate: []element{e}})
	}
	for _, e := range s.revoke {
		out = append(out, steps{revoke: []element{e}})
	}
	return out
}

// isLetting says whether more elements in the set mean that more passes. Of the others, cluster and linger, fewer do.
func isLetting(id setID) bool {
	switch id.name {
	case "claim4", "claim6", "ip4", "ip6":
		return true
	}
	return false
}

// diff says what has to change. have was listed from before to after; its timed elements say how long they still last. Those of
// want are instants. One that still lasts up to nftLate too long, or a little too short, is left as it is.
func diff(have, want content, before, after time.Duration) steps {
	var s steps
	for id, w := range want.fixed {
		h := have.fixed[id]
		for key, value := range w {
			old, ok := h[key]
			e := element{set: id, key: key, value: value}
			switch {
			case ok && old == value:
				continue
			case ok:
				s.revoke = append(s.revoke, element{set: id, key: key, value: old})
				s.let = append(s.let, e)
			case isLetting(id):
				s.let = append(s.let, e)
			default:
				s.gate = append(s.gate, e)
			}
		}
		for key, value := range h {
			if _, ok := w[key]; ok {
				continue
			}
			e := element{set: id, key: key, value: value}
			if isLetting(id) {
				s.revoke = append(s.revoke, e)
			} else {
				s.forget = append(s.forget, e)
			}
		}
	}
	for id, w := range want.timed {
		h := have.timed[id]
		for key, until := range w {
			rest, ok := h[key]
			e := element{set: id, key: key, until: until, timed: true}
			switch {
			case ok && before+rest > until+nftLate: // lasts too long
				s.revoke = append(s.revoke, element{set: id, key: key, timed: true})
				if until > after {
					s.let = append(s.let, e)
				}
			case until < after+nftEarly: // it has run out, or will before it could be set
			case !ok || after+rest < until-nftEarly:
				s.let = append(s.let, e)
			}
		}
		for key := range h {
			if _, ok := w[key]; !ok {
				s.revoke = append(s.revoke, element{set: id, key: key, timed: true})
			}
		}
	}
	for _, l := range [][]element{s.gate, s.revoke, s.let, s.forget} {
		slices.SortFunc(l, func(a, b element) int {
			return cmp.Or(cmp.Compare(a.set.family, b.set.family), cmp.Compare(a.set.name, b.set.name), cmp.Compare(a.key, b.key))
		})
	}
	return s
}
