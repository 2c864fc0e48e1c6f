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
	loss         int // of the node while it fails; 0 = required
	turned       bool
	vips, groups []string
	d            *directive // the block of what is watched, or of an interface the entry
}

// nodeChecks makes node checks of what instances and groups watch.
func (im *importer) nodeChecks() error {
	found := variants[fsm.NodeCheck]{}
	for _, b := range im.boxes {
		all, err := im.trackedBy(b)
		if err != nil {
			return err
		}
		for _, t := range all {
			n := fsm.NodeCheck{Name: t.name, Checks: []fsm.Check{t.check}, Required: t.loss == 0, Weight: -t.loss, VIPs: t.vips, Groups: t.groups}
			slices.Sort(n.VIPs)
			slices.Sort(n.Groups)
			found.add(t.name, n, b.node, t.d)
		}
	}
	found.each(im, "node_check", func(name string, n fsm.NodeCheck, nodes []fsm.NodeID) {
		n.Name, n.Nodes = name, nodes
		im.config.NodeChecks[name] = n
	}, func(name string) { delete(im.config.NodeChecks, name) })
	return nil
}

// tracker is a kind of thing that instances and groups watch: a block of its own, and the lists that name it.
type tracker struct {
	block, list string
	weight      int // where nothing says one
	// check makes a check of the block, for what is watched with that weight; turned is reverse.
	check func(b *box, d *directive, weight int, turned bool) (c fsm.Check, wrong string)
}

var trackerKinds = []tracker{
	{"vrrp_script", "track_script", 0, scriptCheck},
	{"vrrp_track_process", "track_process", 0, processCheck},
	{"track_file", "track_file", 1, fileCheck},
	{"bfd_instance", "track_bfd", 0, sessionCheck},
}

// trackedBy gives what a director watches.
func (im *importer) trackedBy(b *box) ([]tracked, error) {
	var out []tracked
	uses := map[string]map[string][]watch{}
	for _, i := range b.instances {
		im.uses(uses, i.d, []*instance{i}, i.sync != nil)
	}
	for _, g := range b.syncs {
		im.uses(uses, g.d, g.members, false)
	}
	watched := len(uses["track_interface"])
	for _, kind := range trackerKinds {
		_, byName := b.named(kind.block)
		for name := range uses[kind.list] {
			if byName[name] != nil {
				watched++
			}
		}
	}
	if watched > fsm.MaxNodeChecks {
		return nil, fmt.Errorf("%s: the instances track %d scripts, interfaces and other things, more than the limit of %d node checks: track fewer, or import in parts", b.reader.first, watched, fsm.MaxNodeChecks)
	}
	for _, kind := range trackerKinds {
		blocks, byName := b.named(kind.block)
		for _, name := range sortedKeys(uses[kind.list]) {
			if byName[name] == nil {
				for _, u := range uses[kind.list][name] {
					u.entry.settle(Mistake, fmt.Sprintf("there is no %s of this name", kind.block), "correct the name, or take it out")
				}
			}
		}
		for _, d := range blocks {
			if us := uses[kind.list][d.arg(0)]; len(us) > 0 {
				out = append(out, im.weighted(kind, b, d, us)...)
			} else if d.word == "bfd_instance" && !b.askedByServers(d) {
				d.leave(Unsupported, "nothing here watches it, and no session is kept for the neighbour alone", "add a node_check with a check \"bfd\", if the neighbour relies on it")
			} else if !b.askedByServers(d) {
				d.leave(Ignored, "nothing tracks it, and keepalived does not use it either", "")
			}
		}
	}
	for _, name := range sortedKeys(uses["track_interface"]) {
		us := uses["track_interface"][name]
		link := tracker{check: func(_ *box, _ *directive, _ int, turned bool) (fsm.Check, string) { return linkCheck(name, turned) }}
		out = append(out, im.weighted(link, b, us[0].entry, us)...)
	}
	return out, nil
}

// linkCheck makes a check of a line of track_interface.
func linkCheck(name string, turned bool) (c fsm.Check, wrong string) {
	if turned {
		return c, "reverse: a link that is up cannot make a node worse"
	}
	c = fsm.NewCheck(fsm.CheckInterface)
	c.Interval, c.Timeout, c.Rise, c.Fall = 2*time.Second, time.Second, 1, 1
	c.Link.Interface = name
	return c, ""
}

// askedByServers reports whether checks of real servers name a track_file or bfd_instance. Those settle it.
func (b *box) askedByServers(d *directive) bool {
	asked := false
	for _, word := range []string{"FILE_CHECK", "BFD_CHECK"} {
		for _, x := range b.checksOf(word) {
			name := x.one("track_file")
			if word == "BFD_CHECK" {
				name = x.one("name")
			}
			asked = asked || name != nil && name.arg(0) == d.arg(0) && (word == "BFD_CHECK") == (d.word == "bfd_instance")
		}
	}
	return asked
}

// checksOf are the checks of one kind of all real servers.
func (b *box) checksOf(word string) []*directive {
	if b.checks == nil {
		b.checks = map[string][]*directive{}
		for _, v := range b.all("virtual_server") {
			for _, r := range v.all("real_server") {
				for _, x := range r.inside {
					b.checks[x.word] = append(b.checks[x.word], x)
				}
			}
		}
	}
	return b.checks[word]
}

// settleAsked says of what checks of real servers name what becomes of it where those have become nothing.
func (b *box) settleAsked() {
	for _, word := range []string{"track_file", "bfd_instance"} {
		for _, d := range b.all(word) {
			if d.out == nil {
				d.leave(Unsupported, "what names it has become nothing", "see there")
			}
		}
	}
}
