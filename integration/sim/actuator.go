package sim

import (
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip/gate"
)

// This file is the model of the agent's actuator over vip.Actuator: decide, close, remove, open, put, list and confirm, each
// write some time after the one before, so that the process can be frozen or killed between any two.

// pass is what one pass of the actuator has decided.
type pass struct {
	wanted   [maxSlots]gate.Entry // closed = not wanted
	gated    [maxSlots]bool       // the cluster's addresses
	opens    [maxSlots]bool       // wanted, and was not before
	releases []fsm.LocalRelease
	life     time.Duration
}

// actuate begins a pass, or sees to it that one follows the one that is under way.
func (n *node) actuate() {
	if n.passing {
		n.again = true
		return
	}
	if n.localOf != n.state {
		n.local, n.localOf = fsm.LocalOf(n.state, n.id), n.state
	}
	p := n.intend()
	if !n.ready {
		// Before the barrier a node acts on nothing. That it may not open anything either is up to its lease here: the actuator
		// believes that it may, and says that it is alive.
		n.step(lease.Alive{Part: lease.Actuator})
		return
	}
	n.passing = true
	n.carry(0, p)
}

// intend is what is wanted of the kernel by the applied state and the lease.
func (n *node) intend() *pass {
	local, now, p := &n.local, n.instant(), &pass{releases: n.local.Releases, life: lifetime(n.state)}
	live := func(e fsm.Epoch) bool { return n.m.Live(e, now) }
	keys := make([]fsm.AddressKey, 0, len(local.VIPs))
	for _, v := range local.VIPs {
		keys = append(keys, v.Key)
	}
	was := n.open
	n.open = was.Next(keys, n.state.Nodes[n.id].Epoch, live)
	n.lingers = n.lingers.Next(*local, was, n.state.Config.Settings.Profile.Timing(), now.Boot, live)
	n.asked = [maxSlots]fsm.Epoch{}
	for k, l := range n.lingers {
		e := gate.Entry{Epoch: uint64(l.Epoch), IP: true, IPUntil: l.Until}
		if w := &p.wanted[n.w.slot(k.Addr)]; w.IPUntil < e.IPUntil {
			*w = e
		}
	}
	for k, e := range n.open {
		slot := n.w.slot(k.Addr)
		n.asked[slot] = e
		p.wanted[slot] = gate.Entry{Epoch: uint64(e), ARP: true, IP: true}
		_, before := was[k]
		p.opens[slot] = !before
	}
	for _, v := range n.state.Config.VIPs {
		p.gated[n.w.slot(v.Address.Addr())] = true
	}
	for k := range n.state.Assignments {
		p.gated[n.w.slot(k.Addr)] = true
	}
	n.w.dirty = true
	return p
}

// lifetime is the valid_lft that addresses get.
func lifetime(s *fsm.State) time.Duration {
	return s.Config.Settings.Profile.Timing().TTL.Truncate(time.Second) + 3*time.Second
}

// phase is one kind of write: what there is to do for an address, and how.
type phase struct {
	at   point
	due  func(n *node, p *pass, slot int) bool
	make func(n *node, p *pass, slot int)
}

// phases are the writes of a pass, in their order.
var phases = [...]phase{
	{inClose, func(n *node, p *pass, s int) bool {
		return !p.opens[s] && (p.gated[s] || n.kernel.has(s, n.w.now)) && (!n.kernel.gated[s] || n.kernel.vips[s] != p.wanted[s]) ||
			p.opens[s] && !n.kernel.gated[s]
	}, func(n *node, p *pass, s int) {
		e := p.wanted[s]
		if p.opens[s] {
			e = gate.Entry{}
		}
		n.kernel.set(s, e)
	}},
	{inRemove, func(n *node, p *pass, s int) bool {
		return p.wanted[s].Epoch == 0 && n.kernel.has(s, n.w.now)
	}, func(n *node, _ *pass, s int) { n.kernel.expires[s] = 0 }},
	{inOpen, func(n *node, p *pass, s int) bool {
		return p.opens[s] && n.kernel.vips[s] != p.wanted[s]
	}, func(n *node, p *pass, s int) { n.kernel.set(s, p.wanted[s]) }},
	{inPut, func(n *node, p *pass, s int) bool {
		return p.wanted[s].ARP && n.kernel.expires[s] < n.w.now+p.life*2/3
	}, func(n *node, p *pass, s int) { n.kernel.expires[s] = n.w.now + p.life }},
}

// carry goes on with a pass from a phase on.
func (n *node) carry(i int, p *pass) {
	if !n.kernel.attached {
		n.kernel.attached = true // each pass looks
		n.w.dirty = true
	}
	for ; i < len(phases); i++ {
		ph := &phases[i]
		if !n.due(ph, p) {
			continue
		}
		n.on(n.call(ph.at), func() {
			for s := range n.w.slots.used() {
				if ph.due(n, p, s) {
					ph.make(n, p, s)
				}
			}
			n.w.dirty = true
			n.carry(i+1, p)
		})
		return
	}
	n.list(p)
}

func (n *node) due(ph *phase, p *pass) bool {
	for s := range n.w.slots.used() {
		if ph.due(n, p, s) {
			return true
		}
	}
	return false
}

// call is how long it takes to the end of a call into the kernel: mostly nothing to speak of.
func (n *node) call(at point) time.Duration {
	if d := n.trapped(at); d > 0 {
		return d
	}
	if n.w.rng.Intn(8) == 0 {
		return n.w.little()
	}
	return 20 * time.Microsecond
}

// list is the end of a pass: what the kernel shows to be silent is confirmed.
func (n *node) list(p *pass) {
	var confirm []fsm.LocalRelease
	for _, r := range p.releases {
		slot := n.w.slot(r.Key.Addr)
		if w := p.wanted[slot]; !n.kernel.has(slot, n.w.now) || w.Epoch != 0 && !w.ARP {
			confirm = append(confirm, r)
		}
	}
	if len(confirm) > 0 {
		if d := n.trapped(inConfirm); d > 0 {
			n.on(d, func() { n.done(confirm) })
			return
		}
	}
	n.done(confirm)
}

func (n *node) done(confirm []fsm.LocalRelease) {
	for _, r := range confirm {
		n.step(lease.Confirm{Releases: []lease.Released{{Key: r.Key, Index: r.ReleaseIndex}}})
	}
	n.step(lease.Alive{Part: lease.Actuator})
	n.passing = false
	if n.again {
		n.again = false
		n.on(0, n.actuate)
	}
}
