package gate

import "github.com/cilium/ebpf"

// programs are the two halves of the gate, loaded.
type programs struct{ in, out *ebpf.Program }

// of is the half for one direction.
func (p programs) of(d Direction) *ebpf.Program {
	if d == In {
		return p.in
	}
	return p.out
}

// attachment is a way to make links carry the programs so that they go on when this process is gone. Its methods are
// called in the gated network namespace, by one goroutine at a time.
type attachment interface {
	// ensure makes the link carry both programs. added says in which directions they were missing.
	ensure(l Link) (added []Direction, err error)
	// prune forgets what is kept for links that are not listed.
	prune(links []Link) error
	// remove takes the programs off all links.
	remove(links []Link) error
}

var directions = []Direction{In, Out}
