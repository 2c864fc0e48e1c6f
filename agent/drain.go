package agent

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"quorate/fsm"
	"quorate/lvs"
)

const (
	// drainLook is how often the connections of drained servers are counted.
	drainLook = time.Second
	// drainQuiet is how long there must have been none: the kernel of a director that has just taken a service over counts a connection that it
	// got from the other one only when its next packet comes (ip_vs_conn.c, ip_vs_try_bind_dest).
	drainQuiet = 5 * time.Second
)

// drainWatch ends the drains of servers that have no connections any more. The directors that own a service's VIPs count, each for its own: their kernels have
// them. Limits are the leader's to keep.
type drainWatch struct {
	self    fsm.NodeID
	view    view
	live    func(fsm.Epoch) bool
	look    func() (st lvs.Status, pass uint64) // what the data plane found last, and which look at the kernel that was
	propose func(context.Context, fsm.Command) (fsm.Result, error)
	log     *slog.Logger

	quiet map[fsm.ServerKey]quiet
}

// quiet is since when a drained server has had no connections.
type quiet struct {
	drain uint64
	since time.Time
	pass  uint64
}

// run watches until ctx ends.
func (w *drainWatch) run(ctx context.Context) error {
	tick := time.NewTicker(drainLook)
	defer tick.Stop()
	for {
		changed := w.view.Changed()
		s := w.view.State()
		servers := s.DrainingOn(w.self)
		if len(servers) == 0 || !w.live(s.Nodes[w.self].Epoch) {
			w.quiet = nil
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			case <-tick.C: // the lease may have come
			}
			continue
		}
		st, pass := w.look()
		w.end(ctx, w.over(s, servers, st, pass))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// over are the drains whose last connection has been gone for long enough.
func (w *drainWatch) over(s *fsm.State, servers []fsm.ServerKey, st lvs.Status, pass uint64) (out []fsm.DrainOver) {
	if w.quiet == nil {
		w.quiet = map[fsm.ServerKey]quiet{}
	}
	now := time.Now()
	for _, k := range servers {
		drain := s.Servers[k].Drain
		svc := s.Config.Services[k.Service]
		here, _ := s.Carried(k.Service)
		n, known := connections(keyOf(here), svc.Protocol, k, st)
		q, was := w.quiet[k]
		switch {
		case !known || n > 0:
			delete(w.quiet, k)
		case !was || q.drain != drain:
			w.quiet[k] = quiet{drain, now, pass}
		case now.Sub(q.since) >= drainQuiet && pass > q.pass:
			out = append(out, fsm.DrainOver{Server: k, Index: drain, Reason: fsm.ReasonDrained, Node: w.self})
		}
	}
	maps.DeleteFunc(w.quiet, func(k fsm.ServerKey, _ quiet) bool { return !slices.Contains(servers, k) })
	return out
}

func (w *drainWatch) end(ctx context.Context, over []fsm.DrainOver) {
	if len(over) == 0 {
		return
	}
	limit, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := w.propose(limit, fsm.Command{Actor: string(w.self), EndDrain: &fsm.EndDrain{Drains: over}}); err != nil && ctx.Err() == nil {
		w.log.Warn("drains that have come to their end were not committed; tried again", "servers", len(over), "err", err)
	}
}

// connections counts what a drained server still has; known is false where the data plane does not count, and before it has the server with
// weight 0. Of TCP and SCTP only those count that are established: the kernel remembers others for minutes after they have ended. Of the rest
// all do, as nothing says when one has ended but that it is forgotten.
func connections(key lvs.Key, p fsm.Protocol, k fsm.ServerKey, st lvs.Status) (n int, known bool) {
	for _, svc := range st.Services {
		if svc.Key != key || svc.Err != "" {
			continue
		}
		for _, d := range svc.Destinations {
			if d.Addr != k.Address || d.Counters == nil || d.Want == nil || *d.Want != 0 || d.Have == nil || *d.Have != 0 {
				continue
			}
			if n = d.Counters.Active; p != fsm.TCP && p != fsm.SCTP {
				n += d.Counters.Inactive
			}
			return n, true
		}
	}
	return 0, false
}
