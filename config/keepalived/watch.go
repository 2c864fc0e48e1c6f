package keepalived

import (
	"cmp"
	"fmt"
	"slices"

	"quorate/fsm"
)

// watch is one line of a track block.
type watch struct {
	entry  *directive
	by     []*instance
	weight *int  // nil: that of what is watched
	turned *bool // reverse or noreverse; nil: as what is watched has it
}

// uses reads the track blocks of an instance or a group.
func (im *importer) uses(into map[string]map[string][]watch, d *directive, by []*instance, member bool) {
	for _, list := range []string{"track_interface", "track_script", "track_file", "track_process", "track_bfd"} {
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
				case member && u.weight != nil && *u.weight != 0 && !by[0].sync.weighs():
					e.settle(Mistake, "keepalived ignores weights of the members of a sync group", "track it in the group, or take the weight out")
					continue
				}
				u.by = by
				if into[list] == nil {
					into[list] = map[string][]watch{}
				}
				if slices.ContainsFunc(into[list][e.arg(0)], func(o watch) bool { return o.entry.parent.parent == d }) {
					e.settle(Mistake, "it is tracked already, and keepalived leaves this one out", "take one out")
					continue
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
		case word == "reverse" || word == "noreverse":
			turned := word == "reverse"
			u.turned = &turned
		default:
			return u, fmt.Sprintf("keepalived knows no %q here", shown(word, 40))
		}
	}
	return u, ""
}

// weighted makes what is watched of its uses: one for each weight and direction.
func (im *importer) weighted(kind tracker, b *box, d *directive, us []watch) []tracked {
	own, turnedOwn := kind.weight, false
	var said *directive
	name := "link-" + d.arg(0)
	if d.rule != nil {
		name = d.arg(0)
		if w := d.one("weight"); w != nil {
			own, turnedOwn, said = int(w.number(0)), w.arg(1) == "reverse", w
		}
	}
	var out []tracked
	for _, u := range us {
		weight, turned, from := own, turnedOwn, said
		if u.weight != nil {
			weight, from = *u.weight, u.entry
		}
		if u.turned != nil {
			turned = *u.turned
		}
		if len(u.by) == 1 && u.by[0].sync != nil && !u.by[0].sync.weighs() && weight != 0 {
			u.entry.settle(Mistake, "keepalived ignores weights of the members of a sync group, and that of the check is not 0", "track it in the group, or give it weight 0 here")
			continue
		}
		loss := min(max(weight, -weight), -fsm.MinNodeWeight)
		j := slices.IndexFunc(out, func(t tracked) bool { return t.loss == loss && t.turned == turned })
		if j < 0 {
			check, wrong := kind.check(b, d, weight, turned)
			if wrong != "" {
				do := ""
				if turned {
					do = "write a script that fails where the node is to be worse, track it in its place, and import again"
				}
				if d.rule != nil {
					wrong += ", see " + d.at.String()
				}
				u.entry.settle(Unsupported, wrong, do)
				continue
			}
			t := tracked{name: name, check: check, loss: loss, turned: turned, d: d}
			if len(out) > 0 {
				t.name = fmt.Sprintf("%s-%d", name, loss)
			}
			out = append(out, t)
			j = len(out) - 1
		}
		for _, i := range u.by {
			out[j].concerns(i.router)
		}
		im.settleWeight(from, u, weight, out[j])
	}
	if len(out) == 0 && d.rule != nil {
		d.leave(Unsupported, "what tracks it has become nothing, see there", "")
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
func (im *importer) settleWeight(from *directive, u watch, weight int, t tracked) {
	to := fmt.Sprintf("node_check %q: required", t.name)
	if t.loss != 0 {
		to = fmt.Sprintf("node_check %q: weight = %d", t.name, -t.loss)
	}
	u.entry.mapped(to)
	if from != nil && from != u.entry {
		from.mapped(to)
	}
	at := cmp.Or(from, u.entry)
	switch {
	case weight == 0:
	case t.check.Type == fsm.CheckScript && t.d.word == "track_file": // how much it is worth is in the file
	case im.useless(u.by, t.loss):
		at.settle(Mistake, fmt.Sprintf("the distance of the priorities is more than the weight of %d, so that keepalived never moves an address for it; here it does", weight), "take it out where an address is to stay")
	case (weight > 0) != t.turned:
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
