package whole

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// history is what the nodes' states have shown so far. World.mu guards it.
type history struct {
	latest  *fsm.State
	states  map[uint64]*fsm.State // by index
	nodes   map[fsm.NodeID]fsm.Epoch
	keys    map[fsm.AddressKey]fsm.Epoch
	terms   map[uint64]bool // that had a leader
	holders map[netip.Addr]*machine
}

func newHistory() history {
	return history{
		latest: fsm.New(), states: map[uint64]*fsm.State{}, nodes: map[fsm.NodeID]fsm.Epoch{},
		keys: map[fsm.AddressKey]fsm.Epoch{}, terms: map[uint64]bool{}, holders: map[netip.Addr]*machine{},
	}
}

// check is what must hold always: at most one holder of an address, whatever network's name it goes by. mu is held.
//
// An address gets a holder only when an actuator opens it or a lease begins, and both end up here at that moment.
func (w *World) check() {
	w.stats.Checks++
	clear(w.holders)
	for _, m := range w.machines {
		for k, e := range m.claims() {
			o := w.holders[k.Addr]
			if o != nil && o != m {
				w.fail("%v has two holders: %s and %s (under epoch %d)\n    agreed: %+v", k, o.id, m.id, e, w.latest.Assignments[k])
				return
			}
			w.holders[k.Addr] = m
		}
	}
	if len(w.holders) > 0 {
		w.stats.Held++
	}
}

// sample looks now and then, for what nothing tells of.
func (w *World) sample() {
	for i := 0; pause(w.ctx, 5*time.Millisecond); i++ {
		w.mu.Lock()
		w.check()
		for _, m := range w.machines {
			if m.proc == nil || m.proc.ice.solid.Load() != nil || i%4 != 0 {
				continue
			}
			if s := m.proc.node.Stats(); s.Role == "leader" {
				w.terms[s.Term] = true
			}
		}
		w.mu.Unlock()
	}
}

// watch looks at each state of a node.
func (p *process) watch(ctx context.Context) {
	for ctx.Err() == nil {
		changed := p.node.Changed()
		p.m.w.observe(p, p.node.State())
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

func (w *World) observe(p *process, s *fsm.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return // nobody sees it
	}
	if s.ClusterID == "" { // in no cluster
		p.seen = nil
		return
	}
	if p.seen != nil && s.Index < p.seen.Index {
		w.fail("the state of %s went from entry %d back to %d", p.m.id, p.seen.Index, s.Index)
	}
	p.seen = s
	if same := w.states[s.Index]; same != nil {
		if d := differ(same, s); d != "" {
			w.fail("the state of %s at entry %d is not that of another node:\n    %s%s", p.m.id, s.Index, d, w.logs(s.Index))
		}
		return
	}
	w.states[s.Index] = s
	if s.Index > w.latest.Index {
		w.grow(w.latest, s)
		w.latest = s
	}
}

// grow checks that what may only grow has grown from one state to a later one.
func (w *World) grow(old, s *fsm.State) {
	for id, n := range s.Nodes {
		if n.Epoch < w.nodes[id] || n.Epoch > fsm.Epoch(s.Index) {
			w.fail("entry %d: the epoch of %s went from %d to %d", s.Index, id, w.nodes[id], n.Epoch)
		}
		if o, ok := old.Nodes[id]; ok && o.Store != n.Store && n.Epoch == w.nodes[id] {
			w.fail("entry %d: %s with another data directory has the old epoch %d", s.Index, id, n.Epoch)
		}
		if n.Facts.Unsynced && !old.Nodes[id].Facts.Unsynced {
			w.stats.Counts["agreed to be unsynced"]++
		}
		w.nodes[id] = n.Epoch
	}
	for k, a := range s.Assignments {
		o := old.Assignments[k]
		if a.Epoch < w.keys[k] || a.Epoch == o.Epoch && a.Owner != o.Owner {
			w.fail("entry %d: %v went from %s at epoch %d to %s at %d", s.Index, k, o.Owner, w.keys[k], a.Owner, a.Epoch)
		}
		if a.Owner != o.Owner {
			w.tracef("entry %d: %v is %s's (%s)", s.Index, k, a.Owner, a.Reason.Code)
		}
		w.keys[k] = a.Epoch
	}
	if s.Grantors.Index < old.Grantors.Index || s.ConfigVersion < old.ConfigVersion {
		w.fail("entry %d: the grantor set went from %d to %d, the configuration from %d to %d", s.Index,
			old.Grantors.Index, s.Grantors.Index, old.ConfigVersion, s.ConfigVersion)
	}
	if s.Grantors.Index != old.Grantors.Index {
		w.tracef("entry %d: grantors %v", s.Index, s.Grantors.Members)
	}
	if s.Config.Settings.Profile != old.Config.Settings.Profile {
		w.tracef("entry %d: profile %s", s.Index, s.Config.Settings.Profile)
	}
}

// logs says what the disks have of Raft's log around an entry; mu is held.
func (w *World) logs(around uint64) string {
	var b bytes.Buffer
	for _, m := range w.machines {
		fmt.Fprintf(&b, "\n    log of %s:", m.id)
		s, err := m.disk.Open(false)
		if err != nil {
			continue
		}
		last, _ := s.Log.LastIndex()
		for i := max(around, 4) - 3; i <= min(last, around+3); i++ {
			var e raft.Log
			if err := s.Log.GetLog(i, &e); err == nil {
				c, _ := fsm.Decode(e.Data)
				fmt.Fprintf(&b, " %d term %d %v %s;", i, e.Term, e.Type, c.Kind())
			}
		}
		fmt.Fprintf(&b, " last %d", last)
	}
	return b.String()
}

// differ says what is not the same in two states of the same index, cheaply; "" = nothing.
func differ(a, b *fsm.State) string {
	switch {
	case !maps.EqualFunc(a.Nodes, b.Nodes, func(x, y fsm.Node) bool {
		return x.Epoch == y.Epoch && x.Store == y.Store && x.Draining == y.Draining && x.Leaving == y.Leaving
	}):
		return fmt.Sprintf("nodes %+v\n    nodes %+v", b.Nodes, a.Nodes)
	case !maps.EqualFunc(a.Assignments, b.Assignments, func(x, y fsm.Assignment) bool {
		return x.Epoch == y.Epoch && x.Owner == y.Owner && (x.Release == nil) == (y.Release == nil)
	}):
		return fmt.Sprintf("assignments %+v\n    assignments %+v", b.Assignments, a.Assignments)
	case a.Grantors.Index != b.Grantors.Index || a.ConfigVersion != b.ConfigVersion:
		return fmt.Sprintf("grantors %d, configuration %d\n    grantors %d, configuration %d",
			b.Grantors.Index, b.ConfigVersion, a.Grantors.Index, a.ConfigVersion)
	case len(a.Events) != len(b.Events):
		return fmt.Sprintf("%d events\n    %d events", len(b.Events), len(a.Events))
	}
	return ""
}

// served reports whether every VIP is held by the node that owns it.
func (w *World) served() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.latest
	for _, v := range s.Config.VIPs {
		i := slices.IndexFunc(w.machines, func(m *machine) bool { return m.id == s.Assignments[v.Key()].Owner })
		if i < 0 || !w.machines[i].holds(v.Key().Addr) {
			return false
		}
	}
	return len(s.Config.VIPs) > 0
}

// settled reports whether all machines are members that vote and grant leases, with the disks that they have.
func (w *World) settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.latest
	if len(s.Nodes) != len(w.machines) || len(s.Grantors.Members) != len(w.machines) {
		return false
	}
	for _, m := range w.machines {
		n := s.Nodes[m.id]
		if n.Store == m.lost || n.Leaving || !s.Grantors.Has(fsm.Grantor{Node: n.ID, Store: n.Store}) {
			return false
		}
	}
	return true
}

// agree reports whether all machines are members, nothing is under way, and all states are the same to the byte.
func (w *World) agree() bool {
	if !w.settled() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.latest.Nodes {
		if n.Draining {
			return false
		}
	}
	states := make([]*fsm.State, 0, len(w.machines)) // taken once: the next entry may be applied while they are compared
	for _, m := range w.machines {
		if m.proc == nil || m.proc.node.Lease() == nil {
			return false
		}
		s := m.proc.node.State()
		if s.Index != w.latest.Index {
			return false
		}
		states = append(states, s)
	}
	var want []byte
	for i, m := range w.machines {
		var b bytes.Buffer
		if err := states[i].Snapshot(&b); err != nil {
			w.fail("snapshot: %v", err)
		}
		if want == nil {
			want = b.Bytes()
		}
		if !bytes.Equal(b.Bytes(), want) {
			w.fail("%s and %s have different states at entry %d: %s", w.machines[0].id, m.id, w.latest.Index, firstDifference(want, b.Bytes()))
		}
	}
	return true
}

// firstDifference shows where two snapshots begin to differ, apart from their headers.
func firstDifference(a, b []byte) string {
	const header, around = 48, 200
	i := header
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	cut := func(x []byte) []byte { return x[min(max(header, i-around), len(x)):min(i+around, len(x))] }
	return fmt.Sprintf("\n    %s\n    %s", cut(a), cut(b))
}

// census says how every machine is.
func (w *World) census() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b bytes.Buffer
	s := w.latest
	fmt.Fprintf(&b, "\n    entry %d, grantors %+v, profile %s", s.Index, s.Grantors, s.Config.Settings.Profile)
	for _, v := range s.Config.VIPs {
		a := s.Assignments[v.Key()]
		fmt.Fprintf(&b, "\n    %s %v: owner %q epoch %d release %+v", v.Name, v.Key(), a.Owner, a.Epoch, a.Release)
	}
	for _, m := range w.machines {
		n := s.Nodes[m.id]
		fmt.Fprintf(&b, "\n    %s store %.6s epoch %d draining %v leaving %v", m.id, n.Store, n.Epoch, n.Draining, n.Leaving)
		if p := m.proc; p != nil {
			st := p.node.Stats()
			st.Cluster = ""
			fmt.Fprintf(&b, " open %v %+v", p.open, st)
			if l := p.node.Lease(); l != nil {
				fmt.Fprintf(&b, " live %v", l.Live(n.Epoch))
			}
		}
	}
	return b.String()
}

// count adds what the cluster did, as its timeline tells.
func (w *World) count() {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.stats.Counts
	for _, e := range w.latest.Events {
		if e.Kind != fsm.EventReported {
			c["event "+string(e.Kind)]++
		}
		if e.Kind == fsm.EventAssign {
			c["moved "+string(e.Reason)]++
		}
	}
	for i := 1; i < len(w.latest.Events); i++ {
		if d := w.latest.Events[i].At.Sub(w.latest.Events[i-1].At); d < 0 || d > time.Minute {
			c["timeline jumps"]++
		}
	}
	c["elections"] += len(w.terms)
}
