package apitest

import (
	"context"
	"fmt"

	"quorate/api"
	"quorate/fsm"
)

// See makes a node see a server otherwise than is agreed, or with "" as is agreed.
func (w *World) See(node fsm.NodeID, server fsm.ServerKey, sees, detail string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.views == nil {
		w.views = map[fsm.NodeID]map[fsm.ServerKey]api.ServerView{}
	}
	if w.views[node] == nil {
		w.views[node] = map[fsm.ServerKey]api.ServerView{}
	}
	w.views[node][server] = api.ServerView{Node: node, Sees: sees, Problem: detail}
	if sees == "" {
		delete(w.views[node], server)
	}
}

// View implements api.Observatory.
func (a *Agent) View(_ context.Context, node fsm.NodeID, server fsm.ServerKey) (api.ServerView, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	m, err := a.member(node)
	if err != nil {
		return api.ServerView{}, err
	}
	st := m.cluster.state.Servers[server]
	v := api.ServerView{Node: node, Sees: string(st.Verdict), Asked: st.Asked.String()}
	detail := st.Detail
	if other, is := a.world.views[node][server]; is {
		v.Sees, detail = other.Sees, other.Problem
	}
	at := m.cluster.at(m.cluster.state.Index)
	for _, c := range m.cluster.state.Config.Services[server.Service].Checks {
		p := api.ProbeView{Check: string(c.Type), Target: server.Address, Verdict: v.Sees, Since: at, Passed: v.Sees == string(fsm.Up), Streak: 3, Probed: at, Next: at.Add(c.Interval),
			LatencyUS: 420, Detail: detail}
		if !p.Passed {
			p.LastError, p.LastErrorAt = detail, at
		}
		v.Probes = append(v.Probes, p)
	}
	return v, nil
}

// Disputed implements api.Observatory.
func (a *Agent) Disputed(context.Context) (out []fsm.ServerKey, err error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.cluster == nil || !a.cluster.quorum() {
		return nil, fmt.Errorf("no leader: %w", api.ErrNoQuorum)
	}
	for _, servers := range a.world.views {
		for k, v := range servers {
			if v.Sees != string(a.cluster.state.Servers[k].Verdict) {
				out = append(out, k)
			}
		}
	}
	return out, nil
}
