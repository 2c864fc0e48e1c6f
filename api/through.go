package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate/fsm"
)

// unseenThrough names the services whose checks are to go through the forwarding path, while no node is there that can probe so.
func unseenThrough(st *fsm.State, members []Member) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(st.Config.Services)) {
		svc := st.Config.Services[name]
		if !svc.ChecksThrough() || len(svc.Servers) == 0 {
			continue
		}
		if !slices.ContainsFunc(svc.Servers, func(server fsm.Server) bool {
			return slices.ContainsFunc(members, func(m Member) bool {
				return m.Alive && fsm.ProbesThrough(st, fsm.ServerKey{Service: name, Address: server.Address}, m.ID)
			})
		}) {
			out = append(out, fmt.Sprintf("service %s: nobody is there to probe through the forwarding path, which takes a director that has ipvs and does not own vip %s: "+
				"the servers' own addresses are probed, and one that lacks the VIP is not seen", name, strings.Join(svc.On(), ", ")))
		}
	}
	return out
}
