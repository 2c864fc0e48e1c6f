package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// MoveRequest asks for a planned move.
type MoveRequest struct {
	To fsm.NodeID `json:"to" doc:"The node that shall own it" minLength:"1" maxLength:"63"`
}

// Moved is the answer to a MoveRequest.
type Moved struct {
	VIP   string     `json:"vip"`
	VIPs  []string   `json:"vips" nullable:"false" doc:"All that move: the VIP and the others of its group"`
	From  fsm.NodeID `json:"from,omitempty" doc:"Owner before; empty = nobody"`
	To    fsm.NodeID `json:"to"`
	Index uint64     `json:"index,omitempty" doc:"Entry that committed the decision; 0 when it was there already"`
	Done  bool       `json:"done" doc:"The new owner's kernel has it"`
	Took  int64      `json:"took_ms" doc:"From the request to done, or to the end of the wait"`
	Note  string     `json:"note,omitempty" doc:"What else to know, e.g. that it will not stay there, or why it is not done"`
}

type (
	moveInput struct {
		Name string `path:"name" maxLength:"200"`
		Wait string `query:"wait" doc:"How long to wait until it is done, e.g. 30s; empty = do not wait" example:"30s"`
		Body MoveRequest
	}
	moveOutput struct{ Body Moved }
)

func (s *Server) move(ctx context.Context, in *moveInput) (*moveOutput, error) {
	start := time.Now()
	wait, err := ParseWait(in.Wait)
	if err != nil {
		return nil, invalidRequest("query.wait", "%v", err)
	}
	st, v, err := s.freshVIP(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	to := in.Body.To
	group := groupOf(st, v)
	if err := canMove(st, s.hints(ctx, st), group, to); err != nil {
		return nil, err
	}
	out := Moved{VIP: v.Name, From: st.Assignments[v.Key()].Owner, To: to}
	for _, g := range group {
		out.VIPs = append(out.VIPs, g.Name)
	}
	// A pending release is withdrawn by an entry of its own: Apply refuses a release while another is pending.
	for _, decide := range []func(*fsm.State, []fsm.VIP, fsm.NodeID, fsm.Reason) fsm.Decide{withdrawals, releases} {
		why := fsm.Reason{Code: fsm.ReasonRequested, Text: fmt.Sprintf("%s asked for %s", actor(ctx), to)}
		d := decide(st, group, to, why)
		if len(d.Assign)+len(d.Release)+len(d.Cancel) == 0 {
			continue
		}
		var res fsm.Result
		if res, st, err = s.propose(ctx, fsm.Command{Decide: &d}); err != nil {
			return nil, err
		}
		if len(res.Refused) > 0 {
			return nil, newError(CodeNotPossible, "%s was refused: %s; something else moved it in between, look at `quorate vip show %s`",
				res.Refused[0].Key, res.Refused[0].Why, v.Name)
		}
		out.Index = res.Index
	}
	out.Note = overPreference(st, v, to)
	if wait > 0 {
		wctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		why := s.awaitHeld(wctx, group, to)
		out.Done = why == ""
		if !out.Done {
			out.Note = strings.TrimPrefix(out.Note+"; ", "; ") + why
		}
	}
	out.Took = time.Since(start).Milliseconds()
	return &moveOutput{Body: out}, nil
}

// groupOf is v and the other VIPs of its group, sorted by name.
func groupOf(st *fsm.State, v fsm.VIP) []fsm.VIP {
	out := []fsm.VIP{v}
	if v.Group != "" {
		for _, o := range st.Config.VIPs {
			if o.Group == v.Group && o.Name != v.Name {
				out = append(out, o)
			}
		}
	}
	slices.SortFunc(out, func(a, b fsm.VIP) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// canMove says why to cannot own all of group now.
func canMove(st *fsm.State, h fsm.Hints, group []fsm.VIP, to fsm.NodeID) error {
	refuse := func(format string, args ...any) error {
		return newError(CodeNotPossible, "%s cannot take %s: %s", to, group[0].Name, fmt.Sprintf(format, args...))
	}
	n, ok := st.Nodes[to]
	switch {
	case !ok:
		names := map[string]bool{}
		for id := range st.Nodes {
			names[string(id)] = true
		}
		return notFound("no node %.80q: %s", to, have("nodes", names))
	case n.Role == fsm.Witness:
		return refuse("it is a witness, which owns no VIPs")
	case n.Leaving:
		return refuse("it is leaving the cluster")
	case n.Draining:
		return refuse("it is drained; `quorate node resume %s` ends that", to)
	case !h.Able[to]:
		return refuse("it is not ready: no lease, or not reached; look at `quorate status`")
	}
	if ps := onlyThese(st.Config, group).CheckNodes(map[fsm.NodeID]fsm.Node{to: n}); len(ps) > 0 {
		return refuse("%s: %s", ps[0].Object, ps[0].What)
	}
	return nil
}

// onlyThese is the part of the configuration that a node needs to fit to own group: the VIPs and their services.
func onlyThese(c fsm.Config, group []fsm.VIP) fsm.Config {
	out := fsm.Config{Settings: c.Settings, VIPs: map[string]fsm.VIP{}, Services: map[string]fsm.Service{}}
	for _, v := range group {
		v.Prefer, v.Group = nil, ""
		out.VIPs[v.Name] = v
	}
	for name, svc := range c.Services {
		if _, ok := out.VIPs[svc.VIP]; ok {
			out.Services[name] = svc
		}
		svc.VIPs = slices.DeleteFunc(slices.Clone(svc.VIPs), func(vip string) bool { _, ok := out.VIPs[vip]; return !ok })
		if len(svc.VIPs) > 0 {
			out.Services[name] = svc
		}
	}
	return out
}

// withdrawals cancels releases of group that lead elsewhere than to.
func withdrawals(st *fsm.State, group []fsm.VIP, to fsm.NodeID, why fsm.Reason) (d fsm.Decide) {
	for _, v := range group {
		if a := st.Assignments[v.Key()]; a.Release != nil && a.Release.To != to {
			d.Cancel = append(d.Cancel, fsm.Cancel{Key: v.Key(), ReleaseIndex: a.Release.Index, Reason: why})
		}
	}
	return d
}

// releases asks other owners to give group up in favour of to, and assigns what nobody owns.
func releases(st *fsm.State, group []fsm.VIP, to fsm.NodeID, why fsm.Reason) (d fsm.Decide) {
	for _, v := range group {
		a := st.Assignments[v.Key()]
		switch {
		case a.Owner == "":
			d.Assign = append(d.Assign, fsm.Assign{Key: v.Key(), VIP: v.Name, Owner: to, OwnerEpoch: st.Nodes[to].Epoch, Epoch: a.Epoch, Reason: why})
		case a.Owner != to && a.Release == nil:
			d.Release = append(d.Release, fsm.StartRelease{Key: v.Key(), Epoch: a.Epoch, To: to, Reason: why})
		}
	}
	return d
}

// overPreference says how long the VIP stays where preference would not have it: a request holds against preempt.
func overPreference(st *fsm.State, v fsm.VIP, to fsm.NodeID) string {
	prefer, preempt := v.Prefer, v.Preempt
	if g, ok := st.Config.Groups[v.Group]; ok {
		if len(g.Prefer) > 0 {
			prefer = g.Prefer
		}
		preempt = preempt || g.Preempt
	}
	if preempt && len(prefer) > 0 && prefer[0] != to {
		return fmt.Sprintf("preempt is on and prefers %s, but what is asked for stays: it leaves %s when %s cannot have it any more, or when it is moved again",
			prefer[0], to, to)
	}
	return ""
}

// notYet says why to does not own all of group.
func notYet(st *fsm.State, group []fsm.VIP, to fsm.NodeID) string {
	for _, v := range group {
		if a := st.Assignments[v.Key()]; a.Owner != to && (a.Release == nil || a.Release.To != to) {
			return fmt.Sprintf("%s does not own it: the cluster decided otherwise meanwhile, and %s has %s; quorate events says why", to, cmp.Or(string(a.Owner), "nobody"), v.Name)
		}
	}
	return fmt.Sprintf("%s does not own it yet: the owner has not confirmed that it gave it up", to)
}

// awaitHeld waits until to owns all of group and its kernel has them; otherwise it says in words how far it came.
func (s *Server) awaitHeld(ctx context.Context, group []fsm.VIP, to fsm.NodeID) string {
	_, err := s.await(ctx, func(st *fsm.State) bool {
		for _, v := range group {
			if a := st.Assignments[v.Key()]; a.Owner != to || a.Release != nil {
				return false
			}
		}
		return true
	})
	if err != nil {
		return notYet(s.reader.State(), group, to)
	}
	now := s.reader.State()
	group = slices.DeleteFunc(slices.Clone(group), func(v fsm.VIP) bool { return now.Assignments[v.Key()].Shadow }) // there is nothing to carry
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if len(group) == 0 || s.carries(ctx, group, to) {
			return ""
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Sprintf("%s owns it, but has not reported it on an interface yet", to)
		case <-s.closing:
			return "this agent is stopping"
		}
	}
}

// carries asks to whether its kernel has all of group.
func (s *Server) carries(ctx context.Context, group []fsm.VIP, to fsm.NodeID) bool {
	ns := s.reporter.Local()
	if ns.Node != to {
		var err error
		if ns, err = s.reporter.Ask(ctx, to); err != nil {
			return false
		}
	}
	for _, v := range group {
		if !slices.ContainsFunc(ns.Addresses, func(a Address) bool {
			return a.Present && a.Prefix.Addr() == v.Address.Addr() && a.Network == v.Network
		}) {
			return false
		}
	}
	return true
}
