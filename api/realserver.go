package api

import (
	"fmt"
	"slices"
	"strings"
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
			r.Asked, r.Kept, r.Falls = ss.Asked.String(), ss.Kept, ss.Falls
			r.HeldUntil, _ = st.HeldDown(fsm.ServerKey{Service: svc.Name, Address: srv.Address}, time.Now())
		}
		r.Effective, r.Why = effective(srv, ss, lost, time.Now())
		if !r.HeldUntil.IsZero() && r.Why == "" {
			r.Why = fmt.Sprintf("held down for %v at least: it went down %d times in a row", time.Until(r.HeldUntil).Round(time.Second), r.Falls)
		}
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
	case !st.Serving():
		return 0, "" // its verdict says it
	case lost && srv.Weight > 0:
		return 0, "quorum lost"
	case st.Kept:
		return st.Asked.Of(srv.Weight), "kept: its service is in a panic"
	case st.Asked.Is && st.Asked.Of(srv.Weight) != srv.Weight:
		return st.Asked.Of(srv.Weight), fmt.Sprintf("it asks for %s by a check", st.Asked)
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
			r.Effective, r.Why = fsm.Ramped(r.Effective, percent), strings.TrimPrefix(r.Why+fmt.Sprintf(", ramp %d %%", percent), ", ")
		}
	}
}
