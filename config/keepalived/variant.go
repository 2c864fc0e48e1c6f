package keepalived

import (
	"fmt"
	"reflect"
	"slices"

	"quorate/fsm"
)

// variants collects objects that several directors have under one name, where they may differ.
type variants[T any] struct {
	order  []string
	byName map[string][]*variant[T]
}

type variant[T any] struct {
	value T
	nodes []fsm.NodeID
	from  []*directive
}

func (vs *variants[T]) add(name string, value T, node fsm.NodeID, d *directive) {
	if vs.byName == nil {
		vs.byName = map[string][]*variant[T]{}
	}
	if vs.byName[name] == nil {
		vs.order = append(vs.order, name)
	}
	for _, v := range vs.byName[name] {
		if reflect.DeepEqual(v.value, value) {
			if v.from = append(v.from, d); !slices.Contains(v.nodes, node) {
				v.nodes = append(v.nodes, node)
			}
			return
		}
	}
	vs.byName[name] = append(vs.byName[name], &variant[T]{value, []fsm.NodeID{node}, []*directive{d}})
}

// each gives what all directors have alike for all nodes, and what they have not for those that have it.
func (vs *variants[T]) each(im *importer, kind string, put func(name string, value T, nodes []fsm.NodeID), remove func(name string)) {
	taken := map[string]bool{}
	for _, name := range vs.order {
		all := vs.byName[name]
		for _, v := range all {
			nodes := v.nodes
			if len(nodes) == len(im.boxes) {
				nodes = nil
			} else {
				for _, d := range v.from {
					d.settle(Changed, fmt.Sprintf("%s is carried out on %v alone, as the other directors do not have it, or not like this", kind, nodes), "look whether the difference is meant")
				}
			}
			own := unique(name, func(n string) bool { return taken[n] })
			taken[own] = true
			put(own, v.value, nodes)
			for _, d := range v.from {
				im.made(kind+"."+own, d, func() { remove(own) })
			}
		}
	}
}
