package agent

import (
	"fmt"
	"slices"
	"strings"

	"quorate/fsm"
)

// unreached are the problems of this node with servers that it sees down, and the cluster up. Nothing is decided here: the leader compares the views.
func (o *observer) unreached(s *fsm.State) (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	missed, up := map[string][]string{}, map[string]int{}
	for k := range o.servers {
		st := s.Servers[k]
		if st.Verdict != fsm.Up || st.Admin != fsm.Enabled {
			continue
		}
		up[k.Service]++
		if obs, said := o.sent[k]; said && !obs.Up {
			missed[k.Service] = append(missed[k.Service], fmt.Sprintf("%s (%s)", k.Address, obs.Detail))
		}
	}
	for service, servers := range missed {
		const shown = 3
		slices.Sort(servers)
		list := strings.Join(servers[:min(len(servers), shown)], ", ")
		if len(servers) > shown {
			list += " …"
		}
		broken := s.PathCut(service, o.self)
		then := ""
		switch owns := s.Owns(o.self, service); {
		case broken && owns:
			then = "it should not have the VIP of the service, and no other node is able"
		case broken:
			then = "it gets no VIP of the service until it does"
		case owns:
			then = "it has the VIP of the service, and connections that go to them fail"
		default:
			then = "should it get the VIP of the service, connections that go to them fail"
		}
		out = append(out, fmt.Sprintf("this node does not reach %d of %d servers of service %s that the cluster has as up: %s: %s; look at its route to them and at firewalls between",
			len(servers), up[service], service, list, then))
	}
	slices.Sort(out)
	return out
}
