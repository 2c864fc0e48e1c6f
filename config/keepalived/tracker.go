package keepalived

import (
	"fmt"
	"slices"
	"time"

	"quorate/fsm"
)

// tracked is what one director watches with one weight, and for which of our VIPs and groups.
type tracked struct {
	name         string
	check        fsm.Check
	weight       int // 0 = required
	vips, groups []string
	d            *directive // the block of what is watched, or of an interface the entry
}

// nodeChecks makes node checks of what instances and groups watch.
func (im *importer) nodeChecks() {
	found := variants[fsm.NodeCheck]{}
	for _, b := range im.boxes {
		for _, t := range im.trackedBy(b) {
			n := fsm.NodeCheck{Name: t.name, Checks: []fsm.Check{t.check}, Required: t.weight == 0, Weight: -t.weight, VIPs: t.vips, Groups: t.groups}
			slices.Sort(n.VIPs)
			slices.Sort(n.Groups)
			found.add(t.name, n, b.node, t.d)
		}
	}
	found.each(im, "node_check", func(name string, n fsm.NodeCheck, nodes []fsm.NodeID) {
		n.Name, n.Nodes = name, nodes
		im.config.NodeChecks[name] = n
	}, func(name string) { delete(im.config.NodeChecks, name) })
}

// watch is one line of a track block.
type watch struct {
	entry  *directive
	by     []*instance
	weight *int // nil: that of what is watched
	turned bool
}

// trackedBy gives what a director watches.
func (im *importer) trackedBy(b *box) []tracked {
	var out []tracked
	uses := map[string]map[string][]watch{}
	for _, i := range b.instances {
		im.uses(uses, i.d, []*instance{i}, i.sync != nil)
	}
	for _, g := range b.syncs {
		im.uses(uses, g.d, g.members, false)
	}
	for _, kind := range []struct {
		block, list string
		check       func(*box, *directive) (fsm.Check, bool)
	}{{"vrrp_script", "track_script", scriptCheck}, {"vrrp_track_process", "track_process", processCheck}, {"track_file", "track_file", fileCheck}} {
		blocks, byName := b.named(kind.block)
		checked := map[string]bool{}
		if kind.block == "track_file" && len(blocks) > 0 {
			checked = b.checkedFiles()
		}
		for _, name := range sortedKeys(uses[kind.list]) {
			if byName[name] == nil {
				for _, u := range uses[kind.list][name] {
					u.entry.settle(Mistake, fmt.Sprintf("there is no %s of this name", kind.block), "correct the name, or take it out")
				}
			}
		}
		for _, d := range blocks {
			us := uses[kind.list][d.arg(0)]
			if len(us) == 0 {
				if kind.block == "track_file" && checked[d.arg(0)] {
					d.leave(Unsupported, "it is for a FILE_CHECK, which has become nothing", "see there")
				} else {
					d.leave(Ignored, "nothing tracks it, and keepalived does not use it either", "")
				}
				continue
			}
			check, ok := kind.check(b, d)
			if !ok {
				for _, u := range us {
					u.entry.settle(Unsupported, fmt.Sprintf("%s %s has become nothing, see %s", kind.block, d.arg(0), d.at), "")
				}
				continue
			}
			out = append(out, im.weighted(d, d.arg(0), check, us)...)
		}
	}
	for _, name := range sortedKeys(uses["track_interface"]) {
		us := uses["track_interface"][name]
		check := fsm.NewCheck(fsm.CheckInterface)
		check.Interval, check.Timeout, check.Rise, check.Fall = 2*time.Second, time.Second, 1, 1
		check.Link.Interface = name
		out = append(out, im.weighted(us[0].entry, "link-"+name, check, us)...)
	}
	return out
}

// uses reads the track blocks of an instance or a group.
func (im *importer) uses(into map[string]map[string][]watch, d *directive, by []*instance, member bool) {
	for _, list := range []string{"track_interface", "track_script", "track_file", "track_process"} {
		for _, block := range d.all(list) {
			block.mapped("node_check: vips, groups")
			for _, e := range block.inside {
				if e.out != nil {
					continue
				}
				u, wrong := readUse(e)
				switch {
				case wrong != "":
					e.settle(Mistake, wrong, "write it like: NAME weight 20, then import again")
					continue
				case u.turned:
					e.settle(Unsupported, "reverse: a check that passes cannot make a node worse", "write a script that fails where this one passes, and track it without reverse")
					continue
				case member && u.weight != nil && *u.weight != 0 && !by[0].sync.weighs():
					e.settle(Mistake, "keepalived ignores weights of the members of a sync group", "track it in the group, or take the weight out")
					continue
				}
				u.by = by
				if into[list] == nil {
					into[list] = map[string][]watch{}
				}
				into[list][e.arg(0)] = append(into[list][e.arg(0)], u)
			}
		}
	}
}

// weighs reports whether the weights of members count.
func (g *syncGroup) weighs() bool {
	return slices.ContainsFunc(g.d.inside, func(x *directive) bool {
		return x.word == "sync_group_tracking_weight" || x.word == "global_tracking"
	})
}

// readUse reads NAME [weight W] [reverse|noreverse].
func readUse(e *directive) (u watch, wrong string) {
	u.entry = e
	for j := 1; j < len(e.args); j++ {
		switch word := e.args[j]; {
		case word == "weight" && j+1 < len(e.args):
			j++
			n := (&directive{args: e.args[j : j+1]})
			if !number(-254, 254).ok(e.args[j]) {
				return u, fmt.Sprintf("weight %q is no number from -253 to 253", shown(e.args[j], 40))
			}
			w := int(n.number(0))
			u.weight = &w
		case word == "reverse":
			u.turned = true
		case word == "noreverse":
		default:
			return u, fmt.Sprintf("keepalived knows no %q here", shown(word, 40))
		}
	}
	return u, ""
}

// weighted makes what is watched of its uses: one for each weight.
func (im *importer) weighted(d *directive, name string, check fsm.Check, us []watch) []tracked {
	own := 0
	var said *directive
	if d.rule != nil {
		if w := d.one("weight"); w != nil {
			own, said = int(w.number(0)), w
			if w.arg(1) == "reverse" {
				w.settle(Unsupported, "reverse: a check that passes cannot make a node worse", "write a script that fails where this one passes, and leave reverse out")
				for _, u := range us {
					u.entry.settle(Unsupported, "its weight is reversed, see "+w.at.String(), "")
				}
				d.leave(Unsupported, "its weight is reversed", "")
				return nil
			}
		}
	}
	var out []tracked
	for _, u := range us {
		weight, from := own, said
		if u.weight != nil {
			weight, from = *u.weight, u.entry
		}
		member := len(u.by) == 1 && u.by[0].sync != nil && !u.by[0].sync.weighs()
		if member && weight != 0 {
			u.entry.settle(Mistake, "keepalived ignores weights of the members of a sync group, and that of the check is not 0", "track it in the group, or give it weight 0 here")
			continue
		}
		loss := max(weight, -weight)
		j := slices.IndexFunc(out, func(t tracked) bool { return t.weight == loss })
		if j < 0 {
			t := tracked{name: name, check: check, weight: loss, d: d}
			if len(out) > 0 {
				t.name = fmt.Sprintf("%s-%d", name, loss)
			}
			out = append(out, t)
			j = len(out) - 1
		}
		for _, i := range u.by {
			out[j].concerns(i.router)
		}
		im.settleWeight(from, u, weight, out[j].name)
	}
	if said != nil && said.out == nil {
		said.settle(Ignored, "everything that tracks it says its own weight", "")
	}
	return out
}

func (t *tracked) concerns(r *router) {
	if r.group == "" {
		if !slices.Contains(t.vips, r.vips[0]) {
			t.vips = append(t.vips, r.vips[0])
		}
	} else if !slices.Contains(t.groups, r.group) {
		t.groups = append(t.groups, r.group)
	}
}

// settleWeight says what a weight has become.
func (im *importer) settleWeight(from *directive, u watch, weight int, name string) {
	to := fmt.Sprintf("node_check %q: required", name)
	if weight != 0 {
		to = fmt.Sprintf("node_check %q: weight = %d", name, -max(weight, -weight))
	}
	u.entry.mapped(to)
	if from != nil && from != u.entry {
		from.mapped(to)
	}
	at := from
	if at == nil {
		at = u.entry
	}
	switch {
	case weight == 0:
	case im.useless(u.by, max(weight, -weight)):
		at.settle(Mistake, fmt.Sprintf("the distance of the priorities is more than the weight of %d, so that keepalived never moves an address for it; here it does", weight), "take it out where an address is to stay")
	case weight > 0:
		at.settle(Changed, to+": what a node had more while the check passes, it has less while it fails, which comes to the same", "")
	}
}

// useless reports whether no loss of that much changes who has the highest priority.
func (im *importer) useless(by []*instance, loss int) bool {
	for _, i := range by {
		for _, m := range i.router.members {
			for _, o := range i.router.members {
				if m != o && m.priority >= o.priority && m.priority-loss <= o.priority {
					return false
				}
			}
		}
		if len(i.router.members) < 2 {
			return false
		}
	}
	return true
}
