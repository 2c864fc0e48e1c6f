package api

import (
	"context"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// RouterStatus is the cluster as one VRRP router: as configured, without what is secret, and as agreed.
type RouterStatus struct {
	Name           string           `json:"name" doc:"Of its block, or of the VIP that it is written in"`
	VRID           uint8            `json:"vrid"`
	Version        uint8            `json:"version" doc:"2 or 3"`
	Priority       uint8            `json:"priority" doc:"Of the cluster, whichever node speaks"`
	IntervalMS     int64            `json:"interval_ms" doc:"Between adverts"`
	MasterDownMS   int64            `json:"master_down_ms" doc:"How long the most impatient router outside the cluster hears nothing before it takes over"`
	Authentication string           `json:"authentication" enum:"none,password,hmac"`
	HMACMode       fsm.HMACMode     `json:"hmac_mode,omitempty" doc:"enforce, permissive or receive-only; absent without keys"`
	Peers          []netip.Addr     `json:"peers,omitempty" doc:"Routers outside the cluster whose adverts count"`
	Unicast        bool             `json:"unicast" doc:"Adverts go to the peers alone"`
	Source         netip.Addr       `json:"source,omitzero" doc:"That adverts are sent from, whichever node speaks; absent: each node's own"`
	Group          netip.Addr       `json:"group,omitzero" doc:"Multicast group of its adverts, if not the usual one"`
	VMAC           bool             `json:"vmac" doc:"The VIPs have the virtual MAC address"`
	Preempt        bool             `json:"preempt" doc:"The cluster takes over from a peer of lower priority"`
	PreemptDelayMS int64            `json:"preempt_delay_ms,omitempty" doc:"How long it leaves it what it has"`
	Yield          bool             `json:"yield" doc:"A peer of higher priority gets the VIPs"`
	Checksum       fsm.ChecksumForm `json:"checksum" doc:"learn, pseudo-header, message-only or multicast-header"`
	Mode           string           `json:"mode" enum:"live,shadow" doc:"Of its VIPs"`
	VIPs           []string         `json:"vips" nullable:"false" doc:"In the order of the addresses in adverts"`
	Addresses      []netip.Addr     `json:"addresses" nullable:"false" doc:"That adverts have"`
	Owner          fsm.NodeID       `json:"owner,omitempty" doc:"Agreed owner of its VIPs, who speaks; absent: nobody has them, or no single node"`
	// Foreign is why it has no owner. What keeps a VIP from one may also be another virtual router of its group, see VIP.Foreign.
	Foreign *fsm.ForeignOwner `json:"foreign,omitempty" doc:"Router outside the cluster that has it"`
}

// VirtualRouters is the answer of /v1/virtual-routers.
type VirtualRouters struct {
	Index          uint64         `json:"index"`
	Leader         fsm.NodeID     `json:"leader,omitempty" doc:"Whom the agent that answers follows; absent: nobody, so that all of this may be old"`
	VirtualRouters []RouterStatus `json:"virtual_routers" nullable:"false"`
}

type virtualRoutersOutput struct{ Body VirtualRouters }

func (s *Server) registerVirtualRouters(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "virtual-routers", Method: "GET", Path: "/v1/virtual-routers", Tags: []string{"vips"},
		Summary:     "The virtual routers, who speaks for each, and which router outside the cluster has one",
		Description: "As agreed; no node is asked. Passwords and keys are left out. What the nodes hear of one is at virtual-router.",
	}, func(context.Context, *struct{}) (*virtualRoutersOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		leader, _ := s.inspector.Leader()
		return &virtualRoutersOutput{Body: VirtualRouters{Index: st.Index, Leader: leader, VirtualRouters: virtualRoutersOf(st)}}, nil
	})
}

// virtualRoutersOf are the virtual routers by name.
func virtualRoutersOf(st *fsm.State) []RouterStatus {
	out := []RouterStatus{}
	for _, r := range st.Config.VirtualRouters() {
		x := RouterStatus{
			Name: r.Name, VRID: r.VRID, Version: r.Version, Priority: r.Priority, IntervalMS: r.Interval.Milliseconds(), MasterDownMS: r.MasterDown().Milliseconds(),
			Authentication: "none", HMACMode: r.HMACMode, Peers: r.Peers, Unicast: r.Unicast, Group: r.Group, Source: r.Source, VMAC: r.VMAC,
			Preempt: !r.NoPreempt, PreemptDelayMS: r.PreemptDelay.Milliseconds(), Yield: !r.NoYield, Checksum: r.Checksum,
			Mode: fsm.LiveMode.String(), VIPs: []string{}, Addresses: list(r.Addrs()),
		}
		switch {
		case len(r.HMACKeys) > 0:
			x.Authentication = "hmac"
		case r.Password != "":
			x.Authentication = "password"
		}
		owners := map[fsm.NodeID]bool{}
		for _, v := range r.VIPs {
			x.VIPs, x.Mode = append(x.VIPs, v.Name), st.Config.ModeOf(v).String()
			x.Owner = st.Assignments[v.Key()].Owner
			owners[x.Owner] = true
		}
		if len(owners) > 1 {
			x.Owner = ""
		}
		if f, ok := st.Foreign[r.Name]; ok {
			x.Foreign = &f
		}
		out = append(out, x)
	}
	return out
}

// foreign says which router outside the cluster has the VIP.
func (e VIP) foreign(st *fsm.State, v fsm.VIP) VIP {
	e.VirtualRouter = v.RouterName()
	if router, f, ok := st.ForeignOf(v); ok {
		e.Foreign, e.ForeignBy = &f, router
	}
	return e
}
