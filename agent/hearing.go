package agent

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"quorate/fsm"
	"quorate/vip/probe"
)

// wire is where can be asked who answers.
type wire interface {
	Ask(context.Context, probe.Question) ([]probe.Answer, error)
}

// sight is what this node hears on the wire for one address.
type sight struct {
	asked bool // it could ask: it has a link there, and the link let it
	macs  []probe.MAC
	first map[probe.MAC]time.Time // when each was heard
	// peers says that another node of the cluster was heard on the link: silence is not this node's own deafness.
	peers bool
}

// finding is what a sight means for the owner. Its values are reasons of events.
type finding fsm.ReasonCode

const (
	asAgreed  = finding(fsm.ReasonVerified)
	nobody    = finding(fsm.ReasonNoOwner)
	duplicate = finding(fsm.ReasonDuplicate)
	foreign   = finding(fsm.ReasonForeign)
	// unsure: nothing can be said. It is no event.
	unsure = finding("")
)

// judge compares a sight with the MACs of the owner's links; nil = they are not known.
func judge(x sight, owner []probe.MAC) finding {
	ours := 0
	for _, m := range x.macs {
		if slices.Contains(owner, m) {
			ours++
		}
	}
	switch {
	case !x.asked, len(x.macs) == 0 && !x.peers:
		return unsure
	case len(x.macs) == 0:
		return nobody
	case ours == len(x.macs):
		return asAgreed
	case ours > 0, len(owner) == 0 && len(x.macs) > 1:
		return duplicate
	case len(owner) == 0:
		return unsure // one answers, and it may be the owner
	}
	return foreign
}

// maxPeers is how many addresses of other nodes are asked for on a link, to know whether anything is heard there at all.
const maxPeers = 8

// look asks on the wire for addresses of the state, on this node's link to each. With peers it also asks for other nodes' own
// addresses. It lasts as long as wait says, or until everything that was asked for was heard once, if that is enough.
func look(ctx context.Context, w wire, s *fsm.State, self fsm.NodeID, keys []fsm.AddressKey, wait time.Duration, once, peers bool) map[fsm.AddressKey]sight {
	facts := s.Nodes[self].Facts
	byLink := map[string][]fsm.AddressKey{}
	for _, k := range keys {
		if link, ok := facts.LinkFor(k.Addr, s.Assignments[k].Interface); ok {
			byLink[link] = append(byLink[link], k)
		}
	}
	type heardOn struct {
		link  string
		found []probe.Answer
		err   error
	}
	results := make(chan heardOn)
	for link, on := range byLink {
		q := probe.Question{Link: link, Wait: wait}
		for _, k := range on {
			q.Addresses = append(q.Addresses, k.Addr)
		}
		if peers {
			q.Addresses = append(q.Addresses, peersOn(s, self, link)...)
		}
		if once {
			left := make(map[netip.Addr]bool, len(q.Addresses))
			for _, a := range q.Addresses {
				left[a] = true
			}
			q.Enough = func(a probe.Answer) bool {
				delete(left, a.Addr)
				return len(left) == 0
			}
		}
		go func() {
			found, err := w.Ask(ctx, q)
			results <- heardOn{link, found, err}
		}()
	}
	out := make(map[fsm.AddressKey]sight, len(keys))
	for range byLink {
		r := <-results
		for _, k := range byLink[r.link] {
			x := sight{
				asked: probe.Asked(k.Addr, r.err),
				first: map[probe.MAC]time.Time{},
			}
			for _, a := range r.found {
				if a.Addr == k.Addr {
					x.macs = append(x.macs, a.MAC)
					x.first[a.MAC] = a.At
				}
			}
			x.peers = peers && slices.ContainsFunc(peersOn(s, self, r.link), func(p netip.Addr) bool {
				return slices.ContainsFunc(r.found, func(a probe.Answer) bool { return a.Addr == p })
			})
			out[k] = x
		}
	}
	return out
}

// peersOn are addresses that other directors have for themselves on the network of this node's link.
func peersOn(s *fsm.State, self fsm.NodeID, link string) []netip.Addr {
	var out []netip.Addr
	facts := s.Nodes[self].Facts
	i := slices.IndexFunc(facts.Links, func(l fsm.Link) bool { return l.Name == link })
	if i < 0 {
		return nil
	}
	for id, n := range s.Nodes {
		if id == self {
			continue
		}
		for _, a := range n.Facts.Addresses {
			if slices.ContainsFunc(facts.Links[i].Prefixes, func(p netip.Prefix) bool { return p.Contains(a) }) && !slices.Contains(facts.Addresses, a) {
				out = append(out, a)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out[:min(len(out), maxPeers)]
}
