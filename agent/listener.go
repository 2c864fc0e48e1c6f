package agent

import (
	"quorate/fsm"
	"quorate/lvs"
)

// keyOf identifies a service in the kernel.
func keyOf(s fsm.LocalService) lvs.Key { return bareListener(s).Key() }

// listener is what a service takes, as the kernel has it, without how it balances that.
func listener(s fsm.LocalService) lvs.Service {
	out := bareListener(s)
	if s.Service.Compound() {
		out.Matches = matchesOf(s, true)
	}
	return out
}

func bareListener(s fsm.LocalService) lvs.Service {
	out := lvs.Service{Addr: s.Addrs[0], Port: s.Service.Port, Protocol: string(s.Service.Protocol), Mark: s.Mark}
	if s.Mark != 0 {
		out.Port, out.Protocol = 0, ""
	}
	return out
}

// matchesOf are the packets that a compound service takes: to the addresses of those of its VIPs that are here and, if routed, to those that the network
// routes to them.
func matchesOf(s fsm.LocalService, routed bool) []lvs.Match {
	var addresses []fsm.AddressRange
	if routed {
		addresses = s.Service.Addresses
	}
	ports := s.Service.PortRanges()
	out := make([]lvs.Match, 0, (len(s.Addrs)+len(addresses))*len(ports))
	for _, p := range ports {
		m := lvs.Match{Protocol: string(s.Service.Protocol), FromPort: p.From, ToPort: p.To}
		for _, a := range s.Addrs {
			m.First, m.Last = a, a
			out = append(out, m)
		}
		m.Routed = true
		for _, r := range addresses {
			m.First, m.Last = r.First, r.Last
			out = append(out, m)
		}
	}
	return out
}
