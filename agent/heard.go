package agent

import (
	"context"
	"net"
	"net/netip"

	"quorate/cluster"
	"quorate/fsm"
)

// maxLook is how many addresses another node may have looked at in one call.
const maxLook = 64

// nudged announces addresses again because another node does not hear that they are here.
func (a *Agent) nudged(addrs []netip.Addr) {
	if again := a.vips.Again(addrs); len(again) > 0 {
		a.log.Info("announcing again: another node asked for it", "vips", len(again))
	}
}

// look is what this node hears on the wire, for another that is not sure of its own ears.
func (a *Agent) look(ctx context.Context, keys []fsm.AddressKey) []cluster.Sight {
	keys = keys[:min(len(keys), maxLook)]
	sights := look(ctx, a.prober, a.node.State(), a.o.Name, keys, 5*askEvery, false, true)
	out := make([]cluster.Sight, 0, len(keys))
	for _, k := range keys {
		x := cluster.Sight{Key: k, Hears: sights[k].peers}
		for _, m := range sights[k].macs {
			x.MACs = append(x.MACs, m.String())
		}
		out = append(out, x)
	}
	return out
}

// macs are those of this host's Ethernet links, by name.
func macs() map[string]string {
	list, err := net.Interfaces()
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for _, l := range list {
		if len(l.HardwareAddr) == 6 && l.Flags&net.FlagLoopback == 0 {
			out[l.Name] = l.HardwareAddr.String()
		}
	}
	return out
}
