package agent

import (
	"log/slog"
	"sync"

	"quorate/fsm"
	"quorate/vip"
)

// facts says what this node is able to do. A node that may not change addresses offers no links, and so is asked to carry
// none.
type facts struct {
	version string
	plane   *planeWorker
	denied  []string // what the preflight found at start
	links   func() ([]vip.Link, error)
	log     *slog.Logger

	mu   sync.Mutex
	last []fsm.Link // for when the kernel cannot be asked
}

func (f *facts) read() fsm.Facts {
	caps := f.plane.capabilities()
	out := fsm.Facts{
		Version: f.version, Schema: fsm.MaxSchema, DataPlane: "none",
		Schedulers: caps.AllSchedulers(), Problems: f.denied,
	}
	if caps.Plane != "" {
		out.DataPlane = caps.Plane
	}
	for _, m := range caps.Forwards {
		out.Forwards = append(out.Forwards, fsm.Forward(m))
	}
	if len(f.denied) == 0 {
		out.Links = f.subnets()
	}
	return out
}

// subnets are the links that an address could be put on now.
func (f *facts) subnets() []fsm.Link {
	f.mu.Lock()
	defer f.mu.Unlock()
	links, err := f.links()
	if err != nil {
		f.log.Warn("interfaces cannot be listed", "reason", err)
		return f.last
	}
	f.last = nil
	for _, l := range links {
		if !l.Up || !l.Carrier {
			continue // nobody would hear an address there: it belongs on a node whose link is up
		}
		f.last = append(f.last, fsm.Link{Name: l.Name, Prefixes: l.Prefixes})
	}
	return f.last
}
