package vip

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// overlays is what the last pass knows of the links with a virtual MAC.
type overlays struct {
	errs   map[string]error // by name: why one that is wanted is not there, or not as it should be
	unused []string         // ours, and nobody wants an address on them
}

// lacks says why a link with a virtual MAC carries nothing; nil: it may, or it is not such a link.
func (o *overlays) lacks(link string) error { return o.errs[link] }

// virtualKernel is a kernel that can carry virtual MACs, see [Kernel].
type virtualKernel interface {
	// MakeVirtual sees to it that the link is there and up, and set as it has to be; changed says that it was not.
	MakeVirtual(v Virtual) (changed bool, err error)
	// RemoveVirtual removes a link that MakeVirtual made, with what is on it. That it is not there is no error.
	RemoveVirtual(name string) error
}

// makeVirtual makes the links with a virtual MAC that are wanted. It says whether the kernel has to be listed again. The gate is looked for
// afterwards, and no address is put on a link before it carries that.
func (a *Actuator) makeVirtual() (changed bool) {
	was := a.overlays.errs
	a.overlays.errs = map[string]error{}
	seen := map[Virtual]bool{}
	for _, w := range a.want {
		v := Virtual{Parent: w.parent, VRID: w.VRID, IPv6: w.Prefix.Addr().Is6()}
		if w.parent == "" || seen[v] || a.urgent.Load() > 0 {
			continue
		}
		seen[v] = true
		k, ok := a.kernel.(virtualKernel)
		if !ok {
			a.overlays.errs[v.Name()] = ErrNoVirtual
			continue
		}
		did, err := k.MakeVirtual(v)
		if did {
			changed = true
			a.log.Info("link with a virtual MAC made", "link", v.Name(), "parent", v.Parent, "mac", v.MAC())
		}
		if err != nil {
			a.overlays.errs[v.Name()] = err
			if old := was[v.Name()]; old == nil || old.Error() != err.Error() {
				a.log.Warn("no link with a virtual MAC", "link", v.Name(), "parent", v.Parent, "mac", v.MAC(), "reason", err)
			}
		}
		a.progress.made()
	}
	return changed
}

// unuse notes which links of ours are to go. They are removed when nobody waits for the pass any more: the kernel takes some tens of
// milliseconds for one, and what was on it has gone, and is closed, by now.
func (a *Actuator) unuse(links map[string]Link) {
	wanted := make(map[string]bool, len(a.want))
	for _, w := range a.want {
		wanted[w.Link] = true
	}
	for name, l := range links {
		if l.Virtual && !wanted[name] {
			a.overlays.unused = append(a.overlays.unused, name)
		}
	}
	slices.Sort(a.overlays.unused)
}

// removeVirtual removes the links of ours that the last pass found unused. The lock is taken for each, so that a give-up waits for one
// at most.
func (a *Actuator) removeVirtual() error {
	var errs []error
	for {
		a.mu.Lock()
		k, ok := a.kernel.(virtualKernel)
		if !ok || len(a.overlays.unused) == 0 {
			a.mu.Unlock()
			break
		}
		name := a.overlays.unused[0]
		a.overlays.unused = a.overlays.unused[1:]
		if err := k.RemoveVirtual(name); err != nil {
			err = fmt.Errorf("remove the link with a virtual MAC %s: %w", name, err)
			a.log.Warn("link with a virtual MAC not removed", "link", name, "reason", err)
			a.retryAt = earlier(a.retryAt, time.Now().Add(retryEvery))
			errs = append(errs, err)
		} else {
			a.log.Info("link with a virtual MAC removed", "link", name)
		}
		a.mu.Unlock()
	}
	return errors.Join(errs...)
}
