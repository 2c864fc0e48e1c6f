package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/api"
	"quorate/cluster"
	"quorate/fsm"
	"quorate/vip/probe"
)

// auditor compares what is agreed with what is heard on the wire, for the VIPs of other nodes: after each change of owner at once
// (verify.go), and of all that it is the auditor of every few seconds (audit.go). It decides nothing: it writes events, asks owners to
// announce again, and where an owner is not heard by anybody, asks for a release, which is decided as an operator's is.
//
//	new owner ─► heard within verifyFor ─► event "verified" with the stages
//	             not heard ─► asked to announce again ─► not heard, by no auditor ─► released to another node, once
//	every lookEvery ─► each VIP: nobody / several / a foreign MAC, twice in a row ─► event; announce again
//	             in vain, and no auditor hears the owner ─► released to another node, once
type auditor struct {
	self  fsm.NodeID
	view  view
	wire  wire
	peers peers
	log   *slog.Logger
	// tell is for metrics.
	stages   func(fsm.Stages)
	misheard func(map[finding]int)

	mu    sync.Mutex
	macs  map[fsm.NodeID]macsOf
	moved time.Time // the last time that a release was asked for
	urged map[fsm.AddressKey]urging
}

// urging is what an owner was asked for because of an address, in one turn as its owner.
type urging struct {
	epoch    fsm.Epoch
	times    int // it was asked to announce
	last     time.Time
	silent   int  // looks in a row in which it was not heard
	released bool // its release was asked for
}

// peers are the other nodes, and the cluster that they make.
type peers interface {
	Status(context.Context, fsm.NodeID) (api.NodeStatus, error)
	Nudge(context.Context, fsm.NodeID, []netip.Addr) error
	Look(context.Context, fsm.NodeID, []fsm.AddressKey) ([]cluster.Sight, error)
	// Alive reports whether a node seems to live; it is some seconds late.
	Alive(fsm.NodeID) bool
	Propose(context.Context, fsm.Command) (fsm.Result, error)
}

// macsOf are the MACs of a node's links.
type macsOf struct {
	list []probe.MAC
	at   time.Time
}

const (
	// askLimit bounds a question to another node.
	askLimit = time.Second
	// macsFor is how long a node's MACs are believed, as long as nothing else is heard.
	macsFor = time.Minute
)

func (a *auditor) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.follow(ctx) })
	g.Go(func() error { return a.rounds(ctx) })
	return g.Wait()
}

// ownerMACs are the MACs of a node; nil when it cannot be asked. fresh: what was heard is not what was known.
func (a *auditor) ownerMACs(ctx context.Context, n fsm.NodeID, fresh bool) []probe.MAC {
	a.mu.Lock()
	known := a.macs[n]
	a.mu.Unlock()
	if !fresh && !known.at.IsZero() && time.Since(known.at) < macsFor {
		return known.list
	}
	st, err := a.status(ctx, n)
	if err != nil {
		return known.list
	}
	return a.learn(st)
}

// learn takes the MACs from a node's report.
func (a *auditor) learn(st api.NodeStatus) []probe.MAC {
	x := macsOf{at: time.Now()}
	for _, text := range st.MACs {
		var m probe.MAC
		if m.UnmarshalText([]byte(text)) == nil {
			x.list = append(x.list, m)
		}
	}
	slices.SortFunc(x.list, func(a, b probe.MAC) int { return slices.Compare(a[:], b[:]) })
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.macs == nil {
		a.macs = map[fsm.NodeID]macsOf{}
	}
	a.macs[st.Node] = x
	return x.list
}

func (a *auditor) status(ctx context.Context, n fsm.NodeID) (api.NodeStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return a.peers.Status(ctx, n)
}

// nudge asks an owner to announce again.
func (a *auditor) nudge(ctx context.Context, owner fsm.NodeID, keys []fsm.AddressKey) {
	addrs := make([]netip.Addr, 0, len(keys))
	for _, k := range keys {
		addrs = append(addrs, k.Addr)
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if err := a.peers.Nudge(ctx, owner, addrs); err != nil {
		a.log.Debug("an owner was not reached to announce again", "peer", string(owner), "reason", err)
	}
}

// record puts an event into the timeline. What cannot be committed in time is in the log alone.
func (a *auditor) record(ctx context.Context, e fsm.Event) {
	e.Kind = fsm.EventReported
	a.log.Info(e.Text, "vip", e.VIP, "peer", string(e.Node), "reason", string(e.Reason))
	if !a.view.State().HasStages() {
		e.Stages = fsm.Stages{}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := a.peers.Propose(ctx, fsm.Command{Actor: string(a.self), Record: &fsm.Record{Event: e}}); err != nil && ctx.Err() == nil {
		a.log.Warn("an event did not reach the timeline", "text", e.Text, "err", err)
	}
}

// stands reports whether the address is still with the owner of that epoch, who has not been asked to give it up.
func stands(s *fsm.State, k fsm.AddressKey, epoch fsm.Epoch) bool {
	a, ok := s.Assignments[k]
	return ok && a.Epoch == epoch && a.Owner != "" && a.Release == nil
}

// vipText is a VIP in a sentence.
func vipText(s *fsm.State, k fsm.AddressKey) string {
	return fmt.Sprintf("%s (%v)", s.Assignments[k].VIP, k)
}

// sleep waits for d; false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// present reports whether a node says that it has the address in its kernel, and holds its lease.
func present(st api.NodeStatus, k fsm.AddressKey) (api.Address, bool) {
	for _, x := range st.Addresses {
		if x.Network == k.Network && x.Prefix.Addr() == k.Addr {
			return x, x.Present && x.Wanted && st.Lease.Held
		}
	}
	return api.Address{}, false
}
