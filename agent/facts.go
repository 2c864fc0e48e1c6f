package agent

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/lvs"
	"quorate/vip"
	"quorate/vip/gate"
)

// facts says what this node is able to do. A node that may not change addresses offers no links, and so is asked to carry
// none.
type facts struct {
	version string
	// unsynced reports whether this node lacks the others' connections; nil: it does not.
	unsynced func() bool
	fence    func() gate.Kind
	thread   lease.Class // of a lease's thread
	plane    *planeWorker
	denied   []string // what the preflight found at start
	noVMAC   string   // why there can be no virtual MACs here
	deaf     *deafness
	links    func() ([]vip.Link, error)
	log      *slog.Logger

	mu   sync.Mutex
	last []vip.Link // for when the kernel cannot be asked
}

func (f *facts) read() fsm.Facts {
	caps := f.plane.capabilities()
	out := fsm.Facts{
		Version: f.version, Schema: fsm.MaxSchema, DataPlane: "none",
		Schedulers: caps.AllSchedulers(), Problems: f.denied,
		NoVMAC: f.noVMAC, NoVRRP: f.deaf.facts(),
		Fence: string(f.fence()), LeaseThread: string(f.thread),
	}
	out.Unsynced = f.unsynced != nil && f.unsynced()
	if caps.Plane != "" {
		out.DataPlane = caps.Plane
	}
	out.Forwards, out.Features = forwards(caps), caps.Features()
	if backupOnly() != "" {
		out.Features = slices.DeleteFunc(out.Features, func(x string) bool { return x == lvs.FeatureThrough })
	}
	for _, c := range f.plane.possible() {
		out.Planes = append(out.Planes, fsm.Plane{Name: c.Plane, Forwards: forwards(c), Schedulers: c.AllSchedulers(), Features: c.Features()})
	}
	links := f.interfaces()
	for _, l := range links {
		// Linux answers for any address that it has, on whichever link, so all count here.
		out.Addresses = append(out.Addresses, l.Own...)
		if len(f.denied) > 0 || !l.Up || !l.Carrier {
			continue // nobody would hear an address there: it belongs on a node whose link is up
		}
		out.Links = append(out.Links, fsm.Link{Name: l.Name, Prefixes: l.Prefixes})
	}
	slices.SortFunc(out.Addresses, netip.Addr.Compare)
	out.Addresses = slices.Compact(out.Addresses)
	return out
}

// interfaces are those of the host, as far as they are known.
func (f *facts) interfaces() []vip.Link {
	f.mu.Lock()
	defer f.mu.Unlock()
	links, err := f.links()
	if err != nil {
		f.log.Warn("interfaces cannot be listed", "reason", err)
		return f.last
	}
	f.last = links
	return links
}

func forwards(c lvs.Capabilities) (out []fsm.Forward) {
	for _, m := range c.Forwards {
		out = append(out, fsm.Forward(m))
	}
	return out
}
