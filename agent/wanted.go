package agent

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/lvs"
	"quorate/vip"
)

// wantedAddresses are the addresses that may be in the kernel now: those that open says, and those that linger.
func wantedAddresses(local fsm.Local, open lease.Opened, stay lingers, life time.Duration) []vip.Wanted {
	var want []vip.Wanted
	vrids := virtualMACs(local)
	for _, v := range local.VIPs {
		if epoch, ok := open[v.Key]; ok && v.Link != "" {
			want = append(want, vip.Wanted{Prefix: v.VIP.Address, Link: v.Link, VRID: vrids[v.Key], Lifetime: life, Epoch: uint64(epoch)})
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(stay), fsm.AddressKey.Compare) {
		want = append(want, stay[k])
	}
	return want
}

// virtualMACs says which addresses are to be on a virtual MAC: on that of which VRID.
func virtualMACs(local fsm.Local) map[fsm.AddressKey]uint8 {
	var out map[fsm.AddressKey]uint8
	for _, r := range local.Routers {
		if !r.Router.VMAC {
			continue
		}
		for _, v := range r.Router.VIPs {
			if out == nil {
				out = map[fsm.AddressKey]uint8{}
			}
			out[v.Key()] = r.Router.VRID
		}
	}
	return out
}

// readyLinks are the links with virtual MACs that this node is to have ready for what it may get to own.
func readyLinks(local fsm.Local) []vip.Virtual {
	var out []vip.Virtual
	for _, r := range local.Routers {
		if r.Router.VMAC && !r.Shadow && r.Link != "" && len(r.Router.VIPs) > 0 {
			out = append(out, vip.Virtual{Parent: r.Link, VRID: r.Router.VRID, IPv6: r.Router.VIPs[0].Address.Addr().Is6()})
		}
	}
	return out
}

// wantedServices translates what the state wants of the data plane. Servers that are out are absent; draining ones have
// weight 0.
func wantedServices(local fsm.Local) []lvs.Service {
	var out []lvs.Service
	for _, s := range local.Services {
		svc := listener(s)
		svc.Scheduler, svc.Flags, svc.OnePacket = s.Service.Scheduler, s.Service.Flags, s.Service.OnePacket
		svc.Persistence = lvs.Persistence(s.Service.Persistence)
		svc.Ends = s.Service.Health.OnDown == fsm.ShutdownConns
		svc.Forward, svc.Encap, svc.Masquerade = string(s.Service.Forward), lvs.Encap(s.Service.Encap), s.Service.Masquerade
		for _, d := range s.Servers {
			svc.Destinations = append(svc.Destinations, lvs.Destination{
				Addr: d.Address, Weight: d.Weight, Forward: string(d.Forward), Encap: lvs.Encap(d.Encap), Upper: d.Upper, Lower: d.Lower,
			})
		}
		out = append(out, svc)
	}
	return lvs.Canonical(out)
}

// managed are the addresses that the cluster knows: services and leftovers on them are ours to change, and the gate is closed for them where they are not open.
// Those in shadow are not: another program may have them on this very node. One that goes into shadow is ours until it has been given up.
func managed(s *fsm.State) []netip.Addr {
	out := make([]netip.Addr, 0, len(s.Config.VIPs)+len(s.Assignments))
	for _, v := range s.Config.VIPs {
		if !s.Config.Shadows(v) {
			out = append(out, v.Address.Addr())
		}
	}
	for k, a := range s.Assignments {
		v, configured := s.VIPByKey(k)
		if !configured && !a.Shadow || configured && !s.Config.Shadows(v) || len(a.Holders) > 0 || a.Owner != "" && !a.Shadow {
			out = append(out, k.Addr)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// lifetime is the finite valid_lft that an address gets: whole seconds, because the kernel counts in those, and longer
// than a lease, so that it is the last of the safeguards and never the first.
func lifetime(t fsm.Timing) time.Duration { return t.TTL.Truncate(time.Second) + 3*time.Second }
