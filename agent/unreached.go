package agent

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// unreached are the problems of this node with servers that it sees down, and the cluster up, while it owns a VIP by which clients come to them; each for longer than another
// could have seen it die later. It decides nothing: the leader compares the views, and moves a VIP whose owner reaches next to none of them.
func (o *observer) unreached(s *fsm.State, now time.Time) (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	missed, up := map[string][]string{}, map[string]int{}
	for k := range o.servers {
		st := s.Servers[k]
		if st.Verdict != fsm.Up || st.Admin != fsm.Enabled || !s.Owns(o.self, k.Service) || s.PathCut(k.Service, o.self) {
			continue
		}
		up[k.Service]++
		if obs, said := o.sent[k]; said && !obs.Up && now.Sub(o.fell[k]) >= s.Config.Services[k.Service].SeenByAll() {
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
		out = append(out, fmt.Sprintf("this node has a VIP of service %s and does not reach %d of its %d servers that are up: %s: connections that go to them fail; look at its route to them, and at firewalls between",
			service, len(servers), up[service], list))
	}
	slices.Sort(out)
	return out
}
