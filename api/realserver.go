package api

import (
	"fmt"
	"slices"
	"time"

	"quorate/fsm"
)

// serversOf are the servers of a service and its sorry server, with what they get now.
func serversOf(st *fsm.State, svc fsm.Service) []RealServer {
	lost := !st.QuorumOf(svc.Name).Met
	out := make([]RealServer, 0, len(svc.Servers)+1)
	usable := 0
	for _, srv := range svc.Servers {
		r := RealServer{Service: svc.Name, Address: srv.Address, Weight: srv.Weight, Verdict: fsm.Unknown, Admin: fsm.Enabled}
		ss, ok := st.Servers[fsm.ServerKey{Service: svc.Name, Address: srv.Address}]
		if ok {
			r.Verdict, r.Admin, r.Detail, r.Since, r.Until = ss.Verdict, ss.Admin, ss.Detail, ss.Since, ss.Deadline
		}
		r.Effective, r.Why = effective(srv, ss, lost, time.Now())
		r.In = r.Effective > 0
		if r.In {
			usable++
		}
		out = append(out, r)
	}
	if usable > 1 {
		ramp(out, st, svc, time.Now())
	}
	if svc.Sorry != nil {
		r := RealServer{Service: svc.Name, Address: svc.Sorry.Address, Weight: 1, Verdict: fsm.Up, Admin: fsm.Enabled, Sorry: true, In: lost, Why: "sorry server: the quorum is met"}
		if lost {
			r.Effective, r.Why = 1, "sorry server: quorum lost"
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b RealServer) int { return a.Address.Compare(b.Address) })
	return out
}

// effective is the weight of a server, without a ramp, and why it is not the configured one.
func effective(srv fsm.Server, st fsm.ServerState, lost bool, now time.Time) (int, string) {
	switch {
	case st.Admin == fsm.Disabled && st.Why == fsm.ReasonDrained:
		return 0, "disabled: drained, its last connection is gone"
	case st.Admin == fsm.Disabled && st.Why == fsm.ReasonTimeout:
		return 0, "disabled: its drain has lasted as long as it may"
	case st.Admin == fsm.Disabled:
		return 0, "disabled"
	case st.Admin == fsm.Drain && st.Deadline.IsZero():
		return 0, "draining"
	case st.Admin == fsm.Drain:
		return 0, fmt.Sprintf("draining, %v left", max(0, st.Deadline.Sub(now)).Round(time.Second))
	case st.Verdict != fsm.Up:
		return 0, "" // its verdict says it
	case lost && srv.Weight > 0:
		return 0, "quorum lost"
	default:
		return srv.Weight, ""
	}
}

// ramp lowers the weights of those that have come back, as their director does, by this node's clock on the wall.
func ramp(servers []RealServer, st *fsm.State, svc fsm.Service, now time.Time) {
	for i := range servers {
		r := &servers[i]
		back := st.Servers[fsm.ServerKey{Service: svc.Name, Address: r.Address}].Recovered
		if percent, _ := fsm.Ramp(svc.SlowStart, now.Sub(back)); r.In && !back.IsZero() && percent < 100 {
			r.Effective, r.Why = fsm.Ramped(r.Weight, percent), fmt.Sprintf("ramp %d %%", percent)
		}
	}
}
