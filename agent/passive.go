package agent

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/fsm"
	"quorate/lvs/suspect"
)

const (
	// passiveLook is how often this node looks at what its kernel knows of the connections of clients.
	passiveLook = time.Second
	// passiveAgain is how long a server has to answer: so long after one look comes another one when it may say more.
	passiveAgain = 250 * time.Millisecond
	// passiveShare bounds what the looks take, to a fiftieth of a processor.
	passiveShare = 50
	// hintLimit is how long another observer has to take a hint.
	hintLimit = 2 * time.Second
)

// passive has servers probed at once that leave clients without an answer, on this node and on the other observers: it may be long until they would be. It judges
// nothing by itself. Only the node that carries a service does it, where its clients' packets pass.
type passive struct {
	self   fsm.NodeID
	state  func() *fsm.State
	live   func(fsm.Epoch) bool
	plane  func() string // the data plane in use
	open   func(plane string) (evidence, error)
	hint   func([]fsm.ServerKey)
	ask    func(ctx context.Context, observer fsm.NodeID, servers []fsm.ServerKey) error
	count  func(suspect.Reason)
	log    *slog.Logger
	rate   hintRate
	wanted watched
	of     *fsm.State // that wanted is of

	evidence evidence
	from     string // the plane that evidence is of
	failed   string // what kept us from looking, as it was last said

	mu    sync.Mutex
	asked map[fsm.NodeID]bool // by a call that is under way
}

// run looks until ctx ends.
func (p *passive) run(ctx context.Context) error {
	p.rate, p.asked = hintRate{}, map[fsm.NodeID]bool{}
	var calls sync.WaitGroup
	defer calls.Wait()
	defer p.shut()
	again := false
	for {
		began := time.Now()
		soon := p.round(ctx, &calls)
		took := time.Since(began)
		wait := max(passiveLook, passiveShare*took)
		if again = soon && !again && wait == passiveLook; again {
			wait = passiveAgain
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// round looks once.
func (p *passive) round(ctx context.Context, calls *sync.WaitGroup) (soon bool) {
	s := p.state()
	if s != p.of {
		p.wanted, p.of = watchedOn(s, p.self, passiveLook), s
		p.rate.keep(func(k fsm.ServerKey) bool { return s.Servers[k].Verdict == fsm.Up })
	}
	if len(p.wanted.servers) == 0 || !p.live(s.Nodes[p.self].Epoch) {
		p.shut()
		return false
	}
	found, soon, err := p.look()
	p.say(err)
	p.pass(ctx, calls, s, p.due(found, time.Now()))
	return soon
}

// look asks the kernel, by way of the data plane that is in use.
func (p *passive) look() (suspect.Suspects, bool, error) {
	if plane := p.plane(); p.evidence == nil || plane != p.from {
		p.shut()
		e, err := p.open(plane)
		if err != nil || e == nil {
			return nil, false, err
		}
		p.evidence, p.from = e, plane
	}
	return p.evidence.look(p.wanted)
}

// shut ends what is read of the kernel; what was seen is forgotten.
func (p *passive) shut() {
	if p.evidence != nil {
		if err := p.evidence.close(); err != nil {
			p.log.Debug("traffic", "err", err)
		}
		p.evidence = nil
	}
}

// say logs an error that is news: without the kernel's word there are no hints, and nothing else is amiss.
func (p *passive) say(err error) {
	text := text(err)
	if text != p.failed && err != nil {
		p.log.Warn("the traffic of servers gives no hints: they are probed by their intervals alone", "err", err)
	}
	p.failed = text
}

// due are the suspects of which probes may be asked for now, by service and address. Of very many at once the first are enough: the others are
// suspected again.
func (p *passive) due(found suspect.Suspects, now time.Time) (out []fsm.ServerKey) {
	for _, a := range slices.SortedFunc(maps.Keys(found), netip.AddrPort.Compare) {
		for _, server := range p.wanted.at(a) {
			if len(out) < maxHints && p.rate.allow(server.key, server.interval, now) {
				p.count(found[a])
				p.log.Info("a server leaves clients without an answer: it is probed now", "service", server.key.Service, "server", a, "reason", found[a])
				out = append(out, server.key)
			}
		}
	}
	return out
}

// pass has the servers probed by this node and by all others that probe them. An observer that has not taken the last hints yet gets none: it would not be helped.
func (p *passive) pass(ctx context.Context, calls *sync.WaitGroup, s *fsm.State, servers []fsm.ServerKey) {
	if len(servers) == 0 {
		return
	}
	p.hint(servers)
	byNode := map[fsm.NodeID][]fsm.ServerKey{}
	for _, k := range servers {
		for n := range s.Nodes {
			if n != p.self && fsm.Watches(s, k, n) {
				byNode[n] = append(byNode[n], k)
			}
		}
	}
	for node, list := range byNode {
		if !p.begin(node) {
			continue
		}
		calls.Go(func() {
			defer p.end(node)
			limit, cancel := context.WithTimeout(ctx, hintLimit)
			defer cancel()
			if err := p.ask(limit, node, list); err != nil && !errors.Is(err, context.Canceled) {
				p.log.Debug("an observer was not told of servers to probe", "peer", node, "servers", len(list), "err", err)
			}
		})
	}
}

func (p *passive) begin(node fsm.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked[node] {
		return false
	}
	p.asked[node] = true
	return true
}

func (p *passive) end(node fsm.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asked, node)
}
