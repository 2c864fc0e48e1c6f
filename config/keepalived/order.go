package keepalived

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"quorate/fsm"
)

// order puts the directors of a router by their priorities, and says whether the first takes the address back.
func (im *importer) order(r *router) (prefer []fsm.NodeID, preempt bool) {
	ms := slices.SortedStableFunc(slices.Values(r.members), func(a, b *instance) int { return cmp.Compare(b.priority, a.priority) })
	for j, m := range ms {
		p := m.said("priority")
		if j > 0 && m.priority == ms[j-1].priority {
			at := cmp.Or(p, m.d)
			im.add(Finding{Place: at.at, Node: string(m.box.node), Class: Changed, Directive: at.path(), What: fmt.Sprintf("%s has the same priority, %d: in keepalived the higher IP address wins; the order of the files was taken for prefer", ms[j-1].box.node, m.priority),
				Do: "look whether it is the order that is wanted"})
		}
		prefer = append(prefer, m.box.node)
	}
	if len(ms) == 1 && !im.multiple() {
		if p := ms[0].said("priority"); p != nil {
			p.settle(Changed, fmt.Sprintf("the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, %d", fsm.DefaultPriority), "give them all, each with --node NAME=FILE, or write prefer by hand")
		}
		return nil, false
	}
	preempt = !ms[0].sticky
	for _, m := range ms[1:] {
		if m.sticky != ms[0].sticky {
			im.contradict(cmp.Or(m.said("nopreempt"), m.d), "nopreempt", fmt.Sprintf("only some directors have nopreempt; what %s says was taken, which has the highest priority", ms[0].box.node))
			break
		}
	}
	return prefer, preempt
}

// absent names routers that not all directors have.
func (im *importer) absent() {
	for _, r := range im.routers {
		for _, b := range im.boxes {
			if !slices.ContainsFunc(r.members, func(m *instance) bool { return m.box == b }) {
				im.add(Finding{Place: r.members[0].d.at, Node: string(r.members[0].box.node), Class: Changed, Directive: r.members[0].d.path(),
					What: fmt.Sprintf("%s has no such instance, and could not own it; here every director may", b.node), Do: "nothing, if it can; otherwise add a node_check that fails there"})
			}
		}
	}
}

// holdDown takes the longest preempt_delay for all.
func (im *importer) holdDown() {
	for _, b := range im.boxes {
		for _, i := range b.instances {
			d := i.said("preempt_delay")
			if d == nil || d.out != nil || i.delay == 0 {
				continue
			}
			hold := clamp(d, "hold_down", max(i.delay, im.config.Settings.HoldDown), time.Second, time.Hour)
			im.config.Settings.HoldDown = hold
			d.settle(Changed, fmt.Sprintf("hold_down = %q is for the whole cluster, and counts from when a node came back after a fence or a VIP failed over", hold), "look whether that will do for all VIPs")
		}
	}
}
