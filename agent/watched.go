package agent

import (
	"net/netip"
	"time"

	"quorate/fsm"
	"quorate/lvs"
)

// watched are the servers whose traffic this node looks at, because clients' connections to them pass it and their checks are so far apart that it may know
// sooner: those of TCP that are up.
type watched struct {
	// servers by address; port 0 = of whichever port the client asked for.
	servers map[netip.AddrPort][]watchedServer
	// by are those of the services in the kernel whose answers pass this node too.
	by map[lvs.Key]map[netip.AddrPort]bool
	// past are those whose answers do not, by direct routing and through tunnels.
	past map[netip.AddrPort]bool
}

// watchedServer is a server of one service.
type watchedServer struct {
	key      fsm.ServerKey
	interval time.Duration // of the most frequent of its checks
}

// watchedOn are those of a node, for a look every so often.
func watchedOn(s *fsm.State, self fsm.NodeID, every time.Duration) watched {
	w := watched{servers: map[netip.AddrPort][]watchedServer{}, by: map[lvs.Key]map[netip.AddrPort]bool{}, past: map[netip.AddrPort]bool{}}
	for _, svc := range fsm.LocalOf(s, self).Services {
		interval := passiveInterval(svc.Service)
		if interval <= every {
			continue
		}
		by := map[netip.AddrPort]bool{}
		for _, server := range svc.Servers {
			key := fsm.ServerKey{Service: svc.Service.Name, Address: server.Address}
			if s.Servers[key].Verdict != fsm.Up { // the sorry server has none
				continue
			}
			w.servers[server.Address] = append(w.servers[server.Address], watchedServer{key, interval})
			if method, _ := svc.Service.Method(server); method == fsm.NAT {
				by[server.Address] = true
			} else {
				w.past[server.Address] = true
			}
		}
		if svc.Service.Protocol == fsm.TCP { // of packets that only bear a mark nobody knows whether they need an answer
			w.by[keyOf(svc)] = by
		}
	}
	return w
}

// passiveInterval is the time between two probes of the service's servers; 0 where traffic gives no hints.
func passiveInterval(svc fsm.Service) (least time.Duration) {
	if svc.Health.NoPassive || svc.Protocol != fsm.TCP && svc.Protocol != "" {
		return 0
	}
	for i, c := range svc.Checks {
		if i == 0 || c.Interval < least {
			least = c.Interval
		}
	}
	return least
}

// at are the servers that may have a connection to this address.
func (w watched) at(a netip.AddrPort) []watchedServer {
	if any := w.servers[netip.AddrPortFrom(a.Addr(), 0)]; len(any) > 0 && a.Port() != 0 {
		return append(any[:len(any):len(any)], w.servers[a]...)
	}
	return w.servers[a]
}
