package fsm

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Local is what one node has to carry out.
type Local struct {
	// NodeEpoch is the epoch under which the node has to hold a live lease before it claims any of the VIPs; 0 when the node
	// is no member.
	NodeEpoch Epoch
	VIPs      []LocalVIP     // it owns and has not been asked to release; sorted by key
	Releases  []LocalRelease // it has to give up and then confirm; sorted by key
	// Shadow are the VIPs that it would carry if they were not in shadow: nothing in the kernel is touched for them, and nothing that another program may
	// have put there. Sorted by key.
	Shadow []LocalVIP
	// ShadowReleases are those that it would have to give up: there is nothing to take away, and they are confirmed at once. Sorted by key.
	ShadowReleases []LocalRelease
	// Routers is what the node is to each virtual router; sorted by name. Empty for what is no director.
	Routers []LocalRouter
	// Services on the VIPs, on those that are being released (they stop with the address, not before it), and on those that
	// are about to be handed to the node (they are ready when it comes). Sorted by name.
	Services []LocalService
}

// LocalVIP is a VIP that the node owns.
type LocalVIP struct {
	VIP             VIP
	Key             AddressKey
	Link            string // interface to put it on; "" when the node has none for it, which its status has to say
	AssignmentEpoch Epoch
}

// LocalRelease is an address that the node must have ceased to claim before it confirms ReleaseIndex.
type LocalRelease struct {
	Key             AddressKey
	VIP             string
	ReleaseIndex    uint64
	AssignmentEpoch Epoch
	// HandsOver says that another node is to have the VIP as it is: it may linger, to take what is still sent here. Otherwise
	// the address goes, as where a router outside the cluster has it.
	HandsOver bool
}

// LocalService is a virtual service together with the servers that traffic may go to.
type LocalService struct {
	Service Service
	On      []string     // names of those of its VIPs for which it is here, sorted
	Addrs   []netip.Addr // of these VIPs, in their order; at least one
	Mark    uint32       // by which the kernel has it: the operator's, or of a compound service the one that the cluster has handed out; 0 = by address
	// Servers are those that belong into the table, with the weight that counts now: 0 (configured, drained, down and inhibited, asked for) takes no new
	// connections. While the quorum is lost, the sorry server is among them. Sorted by address.
	Servers []Server
	Slow    []Slow // those of Servers that have come back: they get their weight by and by; sorted by address
}

// Slow is a server that has come back.
type Slow struct {
	Address netip.AddrPort
	Since   time.Time // leader's clock
}

// LocalOf says what node self has to carry out by this state. Whether it may is up to its lease (design §3).
func LocalOf(s *State, self NodeID) Local {
	var l Local
	n, ok := s.Nodes[self]
	if !ok {
		return l
	}
	l.NodeEpoch = n.Epoch
	vips := map[string]bool{}
	for k, a := range s.Assignments {
		switch v, ok := s.Config.VIPs[a.VIP]; {
		case a.Owner != self:
			if ok && a.Release != nil && a.Release.To == self && v.Key() == k && !s.Config.Shadows(v) {
				vips[a.VIP] = true
			}
		case a.Release != nil && a.Shadow:
			l.ShadowReleases = append(l.ShadowReleases, s.localRelease(a))
		case a.Release != nil:
			l.Releases = append(l.Releases, s.localRelease(a))
			if ok && v.Key() == k {
				vips[a.VIP] = true
			}
		case ok && s.Config.Matches(a, v):
			link, _ := n.Facts.LinkFor(k.Addr, v.Interface)
			vip := LocalVIP{VIP: v, Key: k, Link: link, AssignmentEpoch: a.Epoch}
			if a.Shadow {
				l.Shadow = append(l.Shadow, vip)
				continue
			}
			l.VIPs = append(l.VIPs, vip)
			vips[a.VIP] = true
		}
	}
	for _, list := range [][]LocalVIP{l.VIPs, l.Shadow} {
		slices.SortFunc(list, func(a, b LocalVIP) int { return a.Key.Compare(b.Key) })
	}
	for _, list := range [][]LocalRelease{l.Releases, l.ShadowReleases} {
		slices.SortFunc(list, func(a, b LocalRelease) int { return a.Key.Compare(b.Key) })
	}
	l.Services = s.servicesOn(vips)
	l.Routers = s.localRouters(n)
	return l
}

// localRelease is what the owner of a has to give up.
func (s *State) localRelease(a Assignment) LocalRelease {
	v, ok := s.Config.VIPs[a.VIP]
	return LocalRelease{Key: a.Key, VIP: a.VIP, ReleaseIndex: a.Release.Index, AssignmentEpoch: a.Epoch,
		HandsOver: ok && s.Config.Matches(a, v) && (a.Release.To != "" || a.Release.Reason.Code.asked()) && !s.foreignHas(a.Key)}
}

// WithServices is l with the services on some more addresses: those of VIPs that the node has handed over a moment ago, to
// which clients still send.
func (l Local) WithServices(s *State, keys []AddressKey) Local {
	if len(keys) == 0 {
		return l
	}
	vips := map[string]bool{}
	for _, svc := range l.Services {
		for _, name := range svc.On {
			vips[name] = true
		}
	}
	for _, k := range keys {
		if v, ok := s.VIPByKey(k); ok {
			vips[v.Name] = true
		}
	}
	l.Services = s.servicesOn(vips)
	return l
}

// servicesOn are the services on VIPs of these names, sorted by name.
func (s *State) servicesOn(vips map[string]bool) []LocalService {
	var out []LocalService
	for _, svc := range s.Config.Services {
		if on := svc.onAny(vips); len(on) > 0 {
			out = append(out, s.localService(svc, on))
		}
	}
	slices.SortFunc(out, func(a, b LocalService) int { return strings.Compare(a.Service.Name, b.Service.Name) })
	return out
}

// onAny are the names of the service's VIPs that are among these.
func (s Service) onAny(vips map[string]bool) []string {
	if len(s.VIPs) == 0 {
		if vips[s.VIP] {
			return []string{s.VIP}
		}
		return nil
	}
	var out []string
	for _, name := range s.VIPs {
		if vips[name] {
			out = append(out, name)
		}
	}
	return out
}

// localService is a service on some of its VIPs by the agreed states of its servers. While its quorum is lost, nothing that takes new connections stays but the
// sorry server; what takes none goes on with those it has: servers that are drained, or of weight 0, and with Inhibit all of them.
func (s *State) localService(svc Service, on []string) LocalService {
	out := LocalService{Service: svc, On: on, Mark: svc.Mark}
	if svc.Compound() {
		out.Mark = s.Marks[svc.Name]
	}
	for _, name := range on {
		out.Addrs = append(out.Addrs, s.Config.VIPs[name].Address.Addr())
	}
	state, agreed := s.Services[svc.Name]
	lost := agreed && !state.Quorum
	for _, server := range svc.Servers {
		st := s.Servers[ServerKey{Service: svc.Name, Address: server.Address}]
		switch {
		case st.Admin == Disabled, st.Verdict == Unknown, !st.Serving() && !svc.keeps():
			continue
		case !st.Serving(), st.Admin == Drain:
			server.Weight = 0
		case lost && st.Asked.Of(server.Weight) > 0 && !svc.Inhibit:
			continue
		case lost:
			server.Weight = 0
		default:
			server.Weight = st.Asked.Of(server.Weight)
		}
		if svc.SlowStart > 0 && !st.Recovered.IsZero() && server.Weight > 0 {
			out.Slow = append(out.Slow, Slow{server.Address, st.Recovered})
		}
		out.Servers = append(out.Servers, server)
	}
	if lost && svc.Sorry != nil {
		sorry := *svc.Sorry
		sorry.Weight = 1
		out.Servers = append(out.Servers, sorry)
		slices.SortFunc(out.Servers, func(a, b Server) int { return a.Address.Compare(b.Address) })
	}
	return out
}
