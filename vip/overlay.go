package vip

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// overlays is what the actuator knows of the links with a virtual MAC.
type overlays struct {
	prepared map[string]Virtual // by name, see Prepare
	errs     map[string]error   // by name: why one that is wanted is not there, or not as it should be
	later    []laterStep        // what the last pass left to be done when nobody waits
	said     map[string]string  // by name: what was logged of it
}

// laterStep is a link that is to be made and to be down (up, if it was wanted until now), or to go.
type laterStep struct {
	name string
	make *Virtual // nil: it goes
}

// lacks says why a link with a virtual MAC carries nothing; nil: it may, or it is not such a link.
func (o *overlays) lacks(link string) error { return o.errs[link] }

// virtualKernel is a kernel that can carry virtual MACs, see [Kernel].
type virtualKernel interface {
	// MakeVirtual sees to it that the link is there, set as it has to be, and up or down; changed says that it was not.
	MakeVirtual(v Virtual, up bool) (changed bool, err error)
	// RemoveVirtual removes a link that MakeVirtual made, with what is on it. That it is not there is no error.
	RemoveVirtual(name string) error
}

// Prepare states which links with a virtual MAC are kept ready, down and with the gate on them, while no address is wanted there: an address
// that is wanted later does not wait for them. The others go when nothing is wanted there any more. Run makes and removes them. The list is
// copied.
func (a *Actuator) Prepare(list []Virtual) {
	prepared := make(map[string]Virtual, len(list))
	for _, v := range list {
		prepared[v.Name()] = v
	}
	a.mu.Lock()
	changed := !maps.Equal(prepared, a.overlays.prepared)
	a.overlays.prepared = prepared
	a.mu.Unlock()
	if changed {
		signal(a.wake)
	}
}

// makeVirtual makes the links with a virtual MAC that are wanted. It says whether the kernel has to be listed again. The gate is looked for
// afterwards, and no address is put on a link before it carries that.
func (a *Actuator) makeVirtual() (changed bool) {
	a.overlays.errs = map[string]error{}
	seen := map[Virtual]bool{}
	for _, w := range a.want {
		v := Virtual{Parent: w.parent, VRID: w.VRID, IPv6: w.Prefix.Addr().Is6()}
		if w.parent == "" || seen[v] || a.urgent.Load() > 0 {
			continue
		}
		seen[v] = true
		did, err := a.setVirtual(v, true)
		changed = changed || did
		if err != nil {
			a.overlays.errs[v.Name()] = err
		}
		a.progress.made()
	}
	return changed
}

func (a *Actuator) setVirtual(v Virtual, up bool) (changed bool, err error) {
	err = ErrNoVirtual
	if k, ok := a.kernel.(virtualKernel); ok {
		changed, err = k.MakeVirtual(v, up)
	}
	name, text := v.Name(), ""
	if err != nil {
		text = err.Error()
	}
	if changed {
		a.log.Info("link with a virtual MAC set", "link", name, "parent", v.Parent, "mac", v.MAC().String(), "up", up)
	}
	if err != nil && a.overlays.said[name] != text {
		a.log.Warn("no link with a virtual MAC", "link", name, "parent", v.Parent, "mac", v.MAC().String(), "reason", err)
	}
	if a.overlays.said == nil {
		a.overlays.said = map[string]string{}
	}
	a.overlays.said[name] = text
	return changed, err
}

// leaveVirtual notes what is to be done with links on which nothing is wanted. It is done when nobody waits for the pass any more: the kernel
// takes some tens of milliseconds for one, and what was on it has gone, and is closed, by now.
func (a *Actuator) leaveVirtual(links map[string]Link) {
	wanted := make(map[string]bool, len(a.want))
	for _, w := range a.want {
		wanted[w.Link] = true
	}
	for name, l := range links {
		v, prepared := a.overlays.prepared[name]
		switch {
		case !l.Virtual || wanted[name]:
		case !prepared:
			a.overlays.later = append(a.overlays.later, laterStep{name: name})
		case l.Up:
			a.overlays.later = append(a.overlays.later, laterStep{name, &v})
		}
	}
	for name, v := range a.overlays.prepared {
		if _, there := links[name]; !there && !wanted[name] && links[v.Parent].Up {
			a.overlays.later = append(a.overlays.later, laterStep{name, &v})
		}
	}
	slices.SortFunc(a.overlays.later, func(x, y laterStep) int { return strings.Compare(x.name, y.name) })
}

// finishVirtual does what the last pass has left. The lock is taken for each link, so that a give-up waits for one at most.
func (a *Actuator) finishVirtual() error {
	var errs []error
	for a.finishOne(&errs) {
	}
	return errors.Join(errs...)
}

// finishOne does it for one link, and says whether there was one.
func (a *Actuator) finishOne(errs *[]error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.overlays.later) == 0 || a.urgent.Load() > 0 {
		return false
	}
	s := a.overlays.later[0]
	a.overlays.later = a.overlays.later[1:]
	if s.make != nil {
		if _, err := a.setVirtual(*s.make, false); err != nil {
			*errs = append(*errs, err)
		}
		return true
	}
	k, ok := a.kernel.(virtualKernel)
	if !ok {
		return true
	}
	if err := k.RemoveVirtual(s.name); err != nil {
		a.log.Warn("link with a virtual MAC not removed", "link", s.name, "reason", err)
		a.retryAt = earlier(a.retryAt, time.Now().Add(retryEvery))
		*errs = append(*errs, fmt.Errorf("remove the link with a virtual MAC %s: %w", s.name, err))
		return true
	}
	a.log.Info("link with a virtual MAC removed", "link", s.name)
	delete(a.overlays.said, s.name)
	return true
}
