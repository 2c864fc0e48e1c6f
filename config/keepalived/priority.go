package keepalived

import (
	"cmp"
	"fmt"
	"slices"

	"quorate/fsm"
)

// outrank says what priority the cluster has beside the directors.
func (im *importer) outrank(r *router) {
	most := slices.MaxFunc(r.members, func(a, b *instance) int { return cmp.Compare(a.most(), b.most()) })
	beside := fmt.Sprintf("beside keepalived the cluster as a whole has one priority, that of the virtual_router: %d", fsm.DefaultPriority)
	wrong, do := "", "see that it comes to 253 or less before the cluster is to take over"
	switch most.most() {
	case 255:
		wrong = beside + "; this director has 255, with which it never gives way"
	case fsm.DefaultPriority:
		wrong = beside + "; this director comes to as much, with its weights, and of two equal ones the higher address has the VIPs"
	default:
		beside += fmt.Sprintf(", above those of the directors, which come to %d at most", most.most())
	}
	for _, m := range r.members {
		switch p := m.said("priority"); {
		case !im.multiple(): // said where it stands
		case p != nil:
			p.settle(Changed, "it is for the order in prefer; "+beside, "")
		default:
			im.add(Finding{Place: m.d.at, Node: string(m.box.node), Class: Changed, Directive: m.d.path(), What: fmt.Sprintf("it says no priority, which makes %d; %s", m.priority, beside)})
		}
	}
	if wrong != "" {
		at := cmp.Or(most.said("priority"), most.d)
		im.add(Finding{Place: at.at, Node: string(most.box.node), Class: Changed, Directive: at.path(), What: wrong, Do: do})
	}
}

// most is the highest priority that the instance comes to, with all weights that could raise it.
func (i *instance) most() int {
	n := i.priority
	if n == 255 {
		return n
	}
	from := []*directive{i.d}
	if i.sync != nil {
		from = append(from, i.sync.d)
	}
	for _, d := range from {
		for _, list := range []string{"track_interface", "track_script", "track_file", "track_process", "track_bfd"} {
			for _, block := range d.all(list) {
				for _, e := range block.inside {
					n += i.box.gain(list, e)
				}
			}
		}
	}
	return min(n, fsm.DefaultPriority)
}

// gain is how much a line of a track block may add to a priority.
func (b *box) gain(list string, e *directive) int {
	u, wrong := readUse(e)
	if wrong != "" {
		return 0
	}
	weight, turned := 0, false
	for _, kind := range trackerKinds {
		if kind.list != list {
			continue
		}
		_, byName := b.named(kind.block)
		d := byName[e.arg(0)]
		if d == nil {
			return 0
		}
		weight = kind.weight
		if w := d.one("weight"); w != nil {
			weight, turned = int(w.number(0)), w.arg(1) == "reverse"
		}
	}
	if u.weight != nil {
		weight = *u.weight
	}
	if u.turned != nil {
		turned = *u.turned
	}
	switch {
	case list == "track_file" && weight != 0: // times what is in the file
		return fsm.DefaultPriority
	case turned:
		return max(-weight, 0)
	}
	return max(weight, 0)
}
