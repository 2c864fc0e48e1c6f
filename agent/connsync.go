package agent

import (
	"context"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"quorate/api"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/lvs"
	"quorate/lvs/connsync"
)

// syncFile is the name, in the data directory, of what connection sync remembers.
const syncFile = "connsync.json"

// syncLook is how often it is looked whether this node has become synced, while it is not.
const syncLook = 200 * time.Millisecond

// syncing keeps this director's connections at the others and theirs here, for as long as ctx lasts.
func (a *Agent) syncing(ctx context.Context) error {
	seal, err := lease.NewSealerFor(a.node.SyncKey(), lease.SyncUse)
	if err != nil {
		return err
	}
	s := connsync.New(connsync.Options{
		Self: string(a.o.Name), Listen: a.node.SyncBind(), Seal: seal, Mark: filepath.Join(a.o.DataDir, syncFile), Book: a.book, Log: a.log,
	})
	ctx, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	a.sync.Store(s)
	defer func() {
		end()
		<-done
		a.sync.Store(nil)
	}()
	look := time.NewTicker(syncLook)
	defer look.Stop()
	var told, had bool
	var table syncTable
	for {
		changed := a.node.Changed()
		s.Configure(a.syncConfig(a.node.State(), &table))
		if now := s.Synced(); now != told || !had {
			told, had = now, true
			a.node.Refresh()
		}
		wake := look.C
		if told {
			wake = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-done:
			done <- nil
			return err
		case <-changed:
		case <-a.plane.removed:
			if a.plane.capabilities().Plane == "ipvs" { // nftables has no say in what the kernel tracks
				s.Resync()
			}
		case <-wake:
		}
	}
}

// syncConfig is what the state asks of connection sync.
func (a *Agent) syncConfig(s *fsm.State, table *syncTable) connsync.Config {
	set := s.Config.Settings.Sync
	c := connsync.Config{
		Settings: connsync.Settings{
			Transport: connsync.Transport(set.By()), Interface: set.Interface, Port: uint16(set.Port), SyncID: uint8(set.SyncID),
			MaxLen: uint16(set.MaxLen), TTL: uint8(set.TTL),
			Kernel: connsync.Kernel{Set: s.Config.Settings.SetSysctls, Threshold: set.Threshold, Refresh: set.Refresh, Ports: set.Ports, Queue: set.Queue,
				SockSize: set.SockSize, Templates: set.TemplateOnly},
		},
		Plane: a.plane.capabilities().Plane,
		Peers: map[string]netip.AddrPort{},
	}
	if !s.HasSync() || s.Config.ShadowsAll() { // another program's daemon may be in this kernel
		c.Transport = connsync.Off
	}
	c.Group, _ = netip.ParseAddr(set.Group)
	for id, n := range s.Nodes {
		if id == a.o.Name || n.Role != fsm.Director {
			continue
		}
		if addr, ok := a.node.SyncAddr(id); ok {
			c.Peers[string(id)] = addr
		}
	}
	c.Services = table.of(s, a.o.Name)
	return c
}

// syncTable keeps the services as connection sync has them for as long as they are the same: most entries are about the health of servers, which
// is no matter of it, and there may be tens of thousands of those.
type syncTable struct {
	last     *fsm.State
	services []connsync.Service
}

func (t *syncTable) of(s *fsm.State, self fsm.NodeID) []connsync.Service {
	if t.last == nil || !sameCarriers(t.last, s) {
		t.services = syncServices(s, fsm.LocalOf(s, self))
	}
	t.last = s
	return t.services
}

// sameCarriers reports whether the same nodes carry the same services in both states.
func sameCarriers(s, t *fsm.State) bool {
	return s.ClusterID == t.ClusterID && s.ConfigVersion == t.ConfigVersion && sameMembers(s, t) &&
		maps.EqualFunc(s.Assignments, t.Assignments, func(a, b fsm.Assignment) bool {
			if a.Release == nil || b.Release == nil {
				return a.Epoch == b.Epoch && a.Release == b.Release
			}
			return a.Epoch == b.Epoch && a.Release.Index == b.Release.Index && a.Release.To == b.Release.To
		})
}

// syncServices are all services of the cluster, by name; a compound one that is here for some of its VIPs and elsewhere for others is there twice.
func syncServices(s *fsm.State, local fsm.Local) (out []connsync.Service) {
	here := map[string][]string{}
	for _, v := range local.Services {
		here[v.Service.Name] = v.On
	}
	for _, l := range s.Table() {
		v := l.Service
		if !slices.ContainsFunc(v.On(), func(vip string) bool { return !s.Config.Shadows(s.Config.VIPs[vip]) }) {
			continue // nobody carries it
		}
		svc := connsync.Service{
			Protocol: connsync.IPProtocol(string(v.Protocol)), Addr: l.Addrs[0], Port: v.Port, Mark: l.Mark, Forward: string(v.Forward),
			Methods: ownMethods(v), Masquerade: v.Masquerade, Sync: !v.NoSync, Here: len(here[v.Name]) > 0,
		}
		if l.Mark != 0 {
			svc.Addr = netip.Addr{}
		}
		if !v.Compound() {
			out = append(out, svc)
			continue
		}
		for _, is := range []bool{true, false} {
			if svc.Here, svc.Matches = is, matchesOf(split(s, l, here[v.Name], is)); len(svc.Matches) > 0 {
				out = append(out, svc)
			}
		}
	}
	return out
}

// split is the part of a compound service that is here, or the part that is elsewhere, each VIP being in one of them. What the network routes to them is
// here where the first VIP is that somebody owns: it may come to any of their owners, and two hosts that told each other of the same connections would go on
// telling of each other's copies.
func split(s *fsm.State, l fsm.LocalService, here []string, is bool) (part fsm.LocalService, routed bool) {
	part = l
	part.On, part.Addrs = nil, nil
	first := ""
	for i, name := range l.On {
		if slices.Contains(here, name) == is {
			part.On, part.Addrs = append(part.On, name), append(part.Addrs, l.Addrs[i])
		}
		if v := s.Config.VIPs[name]; first == "" && s.Assignments[v.Key()].Owner != "" {
			first = name
		}
	}
	return part, slices.Contains(here, first) == is
}

// ownMethods are the forwarding methods of servers that do not have the service's.
func ownMethods(s fsm.Service) map[netip.AddrPort]string {
	var out map[netip.AddrPort]string
	servers := s.Servers
	if s.Sorry != nil {
		servers = append(slices.Clone(servers), *s.Sorry)
	}
	for _, x := range servers {
		if x.Forward != "" && x.Forward != s.Forward {
			if out == nil {
				out = map[netip.AddrPort]string{}
			}
			out[x.Address] = string(x.Forward)
		}
	}
	return out
}

// unsynced reports whether this node lacks connections that it is to have.
func (a *Agent) unsynced() bool {
	if a.o.Role == fsm.Witness {
		return false
	}
	s := a.sync.Load()
	return s == nil || !s.Synced()
}

// syncStatus is for the API; nil where there is nothing to tell.
func (a *Agent) syncStatus() (*api.SyncStatus, []string) {
	s := a.sync.Load()
	if s == nil {
		return nil, nil
	}
	st := s.Status()
	if st.Transport == connsync.Off {
		return nil, st.Problems
	}
	out := &api.SyncStatus{
		Transport: string(st.Transport), Synced: st.Synced, Waived: st.Waived, Captured: st.Captured, Unwanted: st.Unwanted, Forged: st.Forged,
		Malformed: st.Malformed + st.Strange + st.Foreign, Notes: st.Notes,
	}
	for _, p := range st.Peers {
		out.Peers = append(out.Peers, api.SyncPeer{
			Node: fsm.NodeID(p.Peer), Reached: p.There, Synced: p.Synced, LagMS: p.Lag.Milliseconds(), Sent: p.Sent, Received: p.Received,
			Connections: p.Conns, Lost: p.Lost, Reordered: p.Reordered, Replayed: p.Replayed, Forged: p.Forged, Dropped: p.Dropped, Problem: p.Problem,
		})
	}
	return out, st.Problems
}

// shrinks reports whether a service that the one table has is not in the other: IPVS forgets its connections.
func shrinks(from, to []lvs.Service) bool {
	keep := make(map[lvs.Key]bool, len(to))
	for _, s := range to {
		keep[s.Key()] = true
	}
	for _, s := range from {
		if !keep[s.Key()] {
			return true
		}
	}
	return false
}
