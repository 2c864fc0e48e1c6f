package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"quorate/fsm"
	"quorate/health"
	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/probepath"
	"quorate/lvs/sysctl"
)

// pathsFile is the ledger of the probes' paths in the data directory.
const pathsFile = "probes.json"

// paths leads this node's probes through the forwarding path. Its services by firewall mark are kept as the data plane's are, by a worker of their own: put
// back when another program has removed them, taken out when they are wanted no more, found again after a kill. A probe is made only
// when the kernel was seen to lead it right: without its service its packets would come to the owner of the VIP, who sends them to any server.
type paths struct {
	log    *slog.Logger
	worker *planeWorker
	ports  probepath.Ports

	mu    sync.Mutex
	table probepath.Table
	of    map[string]probepath.Path // by the ID of the probe
	led   map[probepath.Path]bool   // that the kernel has, by the mark of the table
	err   error
}

func newPaths(log *slog.Logger) *paths {
	p := &paths{log: log, worker: newPlaneWorker(log.With("for", "probes"))}
	p.worker.open = func(name string) (lvs.Plane, error) {
		if name != "ipvs" {
			return nil, errors.New("probes through the forwarding path take ipvs")
		}
		return ipvs.New()
	}
	return p
}

// want says which probes are made, and by which path each. It does not wait for the kernel.
func (p *paths) want(of map[string]probepath.Path) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(of) == 0 && len(p.of) == 0 && p.worker.untouched() {
		return
	}
	list, asked := make([]probepath.Path, 0, len(of)), make(map[string]bool, len(of))
	for id, path := range of {
		list, asked[id] = append(list, path), true
	}
	p.of = of
	p.ports.Keep(asked)
	p.change(func() error { return p.table.Set(list) })
}

// change changes the table and has the kernel follow. What has another mark then is not led yet. Called with mu held.
func (p *paths) change(do func() error) {
	was := make(map[probepath.Path]uint32, len(p.led))
	for path := range p.led {
		was[path] = p.table.Mark(path)
	}
	p.err = do()
	led := make(map[probepath.Path]bool, len(was))
	for path, mark := range was {
		if p.table.Mark(path) == mark {
			led[path] = true
		}
	}
	p.led = led
	p.worker.want(wantedTable{setting: "ipvs", services: p.table.Services()})
	signal(p.worker.ask) // a probe waits for the look, which is rare where there are many paths
}

// run follows what the worker finds in the kernel.
func (p *paths) run(ctx context.Context) error {
	for {
		again := p.worker.seenAgain()
		_, st, _ := p.worker.report()
		p.found(st)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again:
		}
	}
}

// found takes what is in the kernel.
func (p *paths) found(st lvs.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	marks := p.table.Led(st)
	p.led = make(map[probepath.Path]bool, len(marks))
	for _, path := range p.of {
		if marks[p.table.Mark(path)] {
			p.led[path] = true
		}
	}
	if foreign := p.foreign(st); len(foreign) > 0 {
		p.log.Warn("another program has services by firewall marks that this node meant for its probes: they get others", "fwmarks", foreign)
		p.change(func() error { return p.table.Avoid(foreign) })
	}
}

// foreign are the marks by which another program has services. Called with mu held.
func (p *paths) foreign(st lvs.Status) (out []uint32) {
	for _, s := range st.Services {
		if s.Want != nil && s.Have == nil && s.Err != "" && slices.ContainsFunc(p.table.Services(), func(x lvs.Service) bool { return x.Key() == s.Key }) {
			if taken, err := p.worker.takenNow([]uint32{s.Key.Mark}); err == nil {
				out = append(out, taken...)
			}
		}
	}
	return out
}

// problem is what keeps probes from being made, for the node's report; "" = nothing.
func (p *paths) problem(s *fsm.State) string {
	if why := backupOnly(); why != "" && checksThrough(s) {
		return why
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.of) == 0 {
		return ""
	}
	if err := errors.Join(p.err, p.worker.failure()); err != nil {
		return "probes through the forwarding path: " + err.Error()
	}
	return ""
}

// dial implements health.ThroughFunc.
func (p *paths) dial(ctx context.Context, t health.Target) (net.Conn, error) {
	p.mu.Lock()
	path, known := p.of[t.ID]
	mark, led := p.table.Mark(path), p.led[path]
	p.mu.Unlock()
	if !known || !led {
		return nil, fmt.Errorf("%w: the way to %s by %v is not in the kernel's table", health.ErrNotAsked, path.Server, path)
	}
	if err := probepath.Check(t.Addr.Addr()); err != nil {
		return nil, fmt.Errorf("%w: %w", health.ErrNotAsked, err)
	}
	for again := true; ; again = false {
		port, err := p.ports.Of(t.ID)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", health.ErrNotAsked, err)
		}
		c, err := probepath.Dial(ctx, path, mark, port, t.Addr)
		switch {
		case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EADDRNOTAVAIL): // another program has the port meanwhile
			p.ports.Leave(t.ID)
			if again {
				continue
			}
			return nil, fmt.Errorf("%w: %w", health.ErrNotAsked, err)
		case errors.Is(err, syscall.EPERM):
			return nil, fmt.Errorf("%w: a probe through the forwarding path takes NET_ADMIN: %w", health.ErrNotAsked, err)
		}
		return c, err
	}
}

// isProbe reports whether a connection in this node's table is one of its probes.
func (p *paths) isProbe(own map[netip.Addr]bool, c lvs.Connection) bool {
	return c.Origin != lvs.OriginSync && own[c.Client.Addr()] && p.ports.Has(c.Client.Port())
}

// pathOf is how the packets of clients come to a server of the service.
func pathOf(vip fsm.VIP, s fsm.Service, server fsm.Server) probepath.Path {
	forward, encap := s.Method(server)
	if encap.Type == lvs.IPIP {
		encap.Type = ""
	}
	if encap.Checksum == lvs.NoChecksum {
		encap.Checksum = ""
	}
	return probepath.Path{Server: server.Address.Addr(), IPv6: vip.Address.Addr().Is6(), Forward: string(forward), Encap: lvs.Encap(encap)}
}

// backupOnly is why this node cannot probe through the forwarding path though it has IPVS; "" when it can.
func backupOnly() string {
	needs := sysctl.Ask("net.ipv4.vs.backup_only", "IPVS leaves packets alone while its sync daemon is a backup, which it is on every director, and probes through the forwarding path are not possible", "0")
	if len(needs) == 0 {
		return ""
	}
	return needs[0].String()
}

// checksThrough reports whether a service has a check through the forwarding path.
func checksThrough(s *fsm.State) bool {
	for _, svc := range s.Config.Services {
		if svc.ChecksThrough() {
			return true
		}
	}
	return false
}

// samePaths reports whether the ways by which servers are probed are the same in both states, if their owners are.
func samePaths(s, t *fsm.State) bool {
	if !checksThrough(s) {
		return true
	}
	for id, n := range s.Nodes {
		o := t.Nodes[id]
		if !slices.Equal(n.Facts.Features, o.Facts.Features) || !slices.Equal(n.Facts.Addresses, o.Facts.Addresses) {
			return false
		}
	}
	return true
}

// untouched reports whether nothing was ever wanted, and nothing is left of an earlier process.
func (w *planeWorker) untouched() bool {
	w.busy.Lock()
	left := !w.ledger.scope().Empty() || w.ledger.before() != lvs.Timeouts{} || w.tuned()
	w.busy.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gen == 0 && !left
}

// takenNow are those of the firewall marks by which another program has a service now.
func (w *planeWorker) takenNow(marks []uint32) ([]uint32, error) {
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.takenBy(marks)
}

// seenAgain is closed when the kernel has been looked at.
func (w *planeWorker) seenAgain() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.again
}
