package agent

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"quorate/fsm"
	"quorate/lvs"
)

const (
	// drainLook is how often the connections of drained servers are counted.
	drainLook = time.Second
	// drainQuiet is how long there must have been none.
	drainQuiet = 5 * time.Second
	// drainShare bounds what it takes to read the kernel's table of connections, to a fiftieth of a processor.
	drainShare = 50
)

// drainWatch ends the drains of servers that have no connections any more. The directors that own a service's VIPs count, each for its own: their kernels have
// them. Limits are the leader's to keep.
type drainWatch struct {
	self fsm.NodeID
	view view
	live func(fsm.Epoch) bool
	look func() (st lvs.Status, pass uint64) // what the data plane found last, and which look at the kernel that was
	// list reads the connections that the kernel remembers; nil, without an error, where it counts all of them.
	list    func() (iter.Seq2[lvs.Connection, error], error)
	propose func(context.Context, fsm.Command) (fsm.Result, error)
	log     *slog.Logger

	quiet   map[fsm.ServerKey]quiet
	nothing uint64    // index of the state in which nothing was drained here
	listAt  time.Time // no sooner
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
		s := w.view.State()
		if s.Index != w.nothing {
			w.watch(ctx, s)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// watch looks once.
func (w *drainWatch) watch(ctx context.Context, s *fsm.State) {
	servers := s.DrainingOn(w.self)
	if len(servers) == 0 {
		w.quiet, w.nothing = nil, s.Index
		return
	}
	if !w.live(s.Nodes[w.self].Epoch) { // it may come yet
		w.quiet = nil
		return
	}
	st, pass := w.look()
	w.end(ctx, w.confirmed(ctx, s, w.over(s, servers, st, pass)))
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

// confirmed are those of the drains to whose servers the kernel remembers no connection either. Its counters do not have one that it got from
// another director until the next packet of it comes (ip_vs_conn.c, ip_vs_try_bind_dest), which may be long after this one took the VIP over.
func (w *drainWatch) confirmed(ctx context.Context, s *fsm.State, over []fsm.DrainOver) []fsm.DrainOver {
	began := time.Now()
	if len(over) == 0 || began.Before(w.listAt) {
		return nil
	}
	list, err := w.list()
	if list == nil && err == nil {
		return over
	}
	var had map[fsm.ServerKey]bool
	if err == nil {
		had, err = remembered(ctx, s, over, list)
	}
	w.listAt = began.Add(max(drainQuiet, drainShare*time.Since(began)))
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("drains do not end before their limits, as the kernel's connections cannot be read; tried again", "servers", len(over), "err", err)
		}
		return nil
	}
	return slices.DeleteFunc(over, func(d fsm.DrainOver) bool { return had[d.Server] })
}

// remembered are those of the servers to which there is a connection in the list that counts, as connections has it.
func remembered(ctx context.Context, s *fsm.State, over []fsm.DrainOver, list iter.Seq2[lvs.Connection, error]) (map[fsm.ServerKey]bool, error) {
	type server struct {
		key  fsm.ServerKey
		ours func(lvs.Connection) bool
	}
	byAddr := map[netip.AddrPort][]server{}
	ours, table := map[string]func(lvs.Connection) bool{}, listenersOf(s)
	for _, d := range over {
		name := d.Server.Service
		if ours[name] == nil {
			ours[name] = connectionsOf(s, s.Config.Services[name], table)
		}
		byAddr[d.Server.Address] = append(byAddr[d.Server.Address], server{d.Server, ours[name]})
	}
	had, read := map[fsm.ServerKey]bool{}, 0
	for c, err := range list {
		if read++; err == nil && read%1024 == 0 {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if c.Template || established(fsm.Protocol(c.Protocol)) && c.State != "ESTABLISHED" {
			continue
		}
		for _, addr := range []netip.AddrPort{c.Server, netip.AddrPortFrom(c.Server.Addr(), 0)} { // port 0: whichever the client asked for
			for _, x := range byAddr[addr] {
				had[x.key] = had[x.key] || x.ours(c)
			}
		}
	}
	return had, nil
}

// established reports whether only established connections of the protocol count: the kernel remembers others for minutes after they have ended.
func established(p fsm.Protocol) bool { return p == fsm.TCP || p == fsm.SCTP }

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
// weight 0. Of TCP and SCTP only those count that are established. Of the rest all do, as nothing says when one has ended but that it is
// forgotten.
func connections(key lvs.Key, p fsm.Protocol, k fsm.ServerKey, st lvs.Status) (n int, known bool) {
	for _, svc := range st.Services {
		if svc.Key != key || svc.Err != "" {
			continue
		}
		for _, d := range svc.Destinations {
			if d.Addr != k.Address || d.Counters == nil || d.Want == nil || *d.Want != 0 || d.Have == nil || *d.Have != 0 {
				continue
			}
			if n = d.Counters.Active; !established(p) {
				n += d.Counters.Inactive
			}
			return n, true
		}
	}
	return 0, false
}
