package agent

import (
	"strconv"
	"time"

	"quorate/agent/speak"
	"quorate/api"
	"quorate/vip/vrrp"
)

// routerStatus are the virtual routers of this node.
func (a *Agent) routerStatus() []api.NodeRouter {
	var out []api.NodeRouter
	now := time.Now()
	for _, x := range a.voices.Status() {
		out = append(out, nodeRouter(x, now))
	}
	return out
}

func nodeRouter(x speak.Status, now time.Time) api.NodeRouter {
	r := api.NodeRouter{Name: x.Name, VRID: uint8(x.ID.VRID), Link: x.ID.Link, Family: uint8(x.ID.Family), Source: x.Config.Source, State: x.State.String(),
		Speaks: x.Speaks && x.State == vrrp.Active, Yielded: x.View.Yielded, Active: x.View.Active.Source, Checksum: x.Form.String(),
		Sent: x.Sent, LastWords: x.LastWords, Withheld: x.Kept, Received: x.Counts[vrrp.Accepted], Problem: x.Problem}
	for reason := vrrp.Accepted + 1; reason < vrrp.Reasons; reason++ {
		if n := x.Counts[reason]; n > 0 {
			if r.Dropped == nil {
				r.Dropped = map[string]uint64{}
			}
			r.Dropped[reason.String()] = n
		}
	}
	for i, n := range x.Neighbours {
		y := api.RouterNeighbour{Source: n.Source, Role: n.Role.String(), State: x.Activity[i].String(), Counts: x.Heeded[i], Version: uint8(n.Version), Priority: uint8(n.Priority),
			IntervalMS: n.Interval.Milliseconds(), Addresses: n.Addresses, Destination: n.Destination, Auth: n.Auth.String(), Signed: n.Signed, Checksum: n.Form.String(),
			HeardMS: now.Sub(x.Heard[i]).Milliseconds(), Adverts: n.Adverts, Dropped: n.Dropped, Problems: x.Explained[i]}
		if n.Reason != vrrp.Accepted {
			y.Reason = n.Reason.String()
		}
		r.Neighbours = append(r.Neighbours, y)
	}
	return r
}

// vridText is a VRID in labels of metrics.
func vridText(v vrrp.VRID) string { return strconv.Itoa(int(v)) }
