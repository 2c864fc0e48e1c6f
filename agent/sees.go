package agent

import (
	"context"
	"slices"

	"quorate/api"
	"quorate/fsm"
	"quorate/health"
)

// maxDisputed bounds what the leader tells of servers on which the observers disagree.
const maxDisputed = 10_000

// View implements api.Observatory.
func (b backend) View(ctx context.Context, node fsm.NodeID, server fsm.ServerKey) (out api.ServerView, err error) {
	err = b.a.node.Query(ctx, node, question{View: &server}, &out)
	return out, translate(err)
}

// Disputed implements api.Observatory.
func (b backend) Disputed(ctx context.Context) (out []fsm.ServerKey, err error) {
	leader, ok := b.a.node.Leader()
	if !ok {
		return nil, api.ErrNoQuorum
	}
	err = b.a.node.Query(ctx, leader, question{Disputed: true}, &out)
	return out, translate(err)
}

// sees is what this node sees of a server.
func (a *Agent) sees(server fsm.ServerKey) api.ServerView {
	v := a.observer.view(server)
	v.Node = a.o.Name
	for i, st := range a.engine.States(v.ids...) {
		if i == 0 {
			v.Probes = make([]api.ProbeView, 0, len(v.ids))
		}
		v.Probes = append(v.Probes, probeView(st))
	}
	return v.ServerView
}

// seen is a view without its probes, and the IDs of these.
type seen struct {
	api.ServerView
	ids []string
}

// view is what this node has said of a server.
func (o *observer) view(server fsm.ServerKey) seen {
	o.mu.Lock()
	defer o.mu.Unlock()
	a, probed := o.servers[server]
	v := seen{ServerView: api.ServerView{Sees: api.ViewUnknown, Through: a.through}, ids: slices.Clone(a.ids)}
	obs, said := o.sent[server]
	switch {
	case !probed:
		v.Problem = "it does not probe the server yet"
	case !said:
		if slices.ContainsFunc(a.ids, func(id string) bool { r := o.results[id]; return r.OwnOnly && !o.proved[o.vips[id]] }) {
			v.Problem = "no server answers it on the VIP: that may be its own fault, and does not count (quorate status says more)"
		}
	case obs.Up:
		v.Sees, v.Asked = string(fsm.Up), obs.Asked.String()
	default:
		v.Sees = string(fsm.Down)
	}
	return v
}

func probeView(st health.State) api.ProbeView {
	p := api.ProbeView{
		Check: string(st.Target.Type), Target: st.Target.Addr, Through: st.Target.Through.Method, Verdict: st.Verdict.String(), Since: st.Since,
		Passed: st.OK, Streak: st.Streak, Probed: st.Probed, Next: st.Next, LatencyUS: st.Latency.Microseconds(), Detail: st.Detail,
		LastError: st.LastError, LastErrorAt: st.LastErrorAt,
	}
	p.Asked = fsm.Asked{Is: st.Weight.Asked, Percent: st.Weight.Percent, Value: st.Weight.Value}.String()
	return p
}
