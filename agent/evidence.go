package agent

import (
	"net/netip"
	"time"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/nft"
	"quorate/lvs/suspect"
)

// evidence is what one data plane's kernel knows of the connections of clients.
type evidence interface {
	// look says which servers have become suspect since the look before. soon says that another look, once a server has had time to answer, may say more.
	look(w watched) (found suspect.Suspects, soon bool, err error)
	close() error
}

// openEvidence opens that of a data plane; nil for one that has none.
func (a *Agent) openEvidence(plane string) (evidence, error) {
	switch plane {
	case "ipvs":
		return &ipvsEvidence{found: a.plane.found, list: func() (suspect.Look, error) {
			own := lvs.LocalAddrs()
			return ipvs.Unacknowledged(func(c lvs.Connection) bool { return !a.paths.isProbe(own, c) })
		}}, nil
	case "nft":
		r, err := nft.OpenRefusals()
		if err != nil {
			return nil, err
		}
		return &nftEvidence{refusals: r}, nil
	default:
		return nil, nil
	}
}

// nftEvidence is that of nftables: connection tracking has all connections.
type nftEvidence struct {
	refusals *nft.Refusals
	waiting  suspect.Waiting
}

func (e *nftEvidence) look(watched) (suspect.Suspects, bool, error) {
	list, err := nft.Unanswered()
	if err != nil {
		return nil, false, err
	}
	out := e.waiting.Next(list, time.Now())
	err = e.refusals.Next(func(server netip.AddrPort) { out.Add(server, suspect.Refused) })
	return out, e.waiting.Fresh(), err
}

func (e *nftEvidence) close() error { return e.refusals.Close() }

// ipvsEvidence is that of IPVS. Where the answers pass this node, its counters say enough, which are read anyway; where they do not, connections that clients have not
// acknowledged, which the kernel lists with all others.
type ipvsEvidence struct {
	found   func() (st lvs.Status, pass uint64)
	list    func() (suspect.Look, error)
	pass    uint64
	counts  suspect.Counters
	waiting suspect.Waiting
}

func (e *ipvsEvidence) look(w watched) (out suspect.Suspects, soon bool, err error) {
	out = suspect.Suspects{}
	if st, pass := e.found(); pass != e.pass {
		out, e.pass = e.counts.Next(countsOf(st, w), time.Now()), pass
	}
	if len(w.past) == 0 {
		e.waiting = suspect.Waiting{}
		return out, false, nil
	}
	list, err := e.list()
	if err != nil {
		return out, false, err
	}
	for server, why := range e.waiting.Next(list, time.Now()) {
		if w.past[server] || w.past[netip.AddrPortFrom(server.Addr(), 0)] {
			out.Add(server, why)
		}
	}
	return out, false, nil
}

func (e *ipvsEvidence) close() error { return nil }

// countsOf are the counters of the servers that answer by way of this node.
func countsOf(st lvs.Status, w watched) suspect.Counts {
	out := suspect.Counts{}
	for _, s := range st.Services {
		by := w.by[s.Key]
		if s.Err != "" || len(by) == 0 {
			continue
		}
		for _, d := range s.Destinations {
			if n := d.Counters; n != nil && by[d.Addr] {
				out.Add(d.Addr, suspect.Count{Connections: n.Connections, In: n.Traffic.InPackets, Out: n.Traffic.OutPackets})
			}
		}
	}
	return out
}
