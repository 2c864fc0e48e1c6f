package agent

import (
	"errors"
	"slices"

	"quorate/api"
	"quorate/lvs"
	"quorate/lvs/connsync"
	"quorate/lvs/sysctl"
)

// bookFile is the name, in the data directory, of what the agent remembers of settings of the kernel.
const bookFile = "sysctls.json"

// tuner is whose the settings for services are in the book.
const tuner = "services"

// allow says whether the kernel's settings that services need may be set. What was set stays as long as it is allowed, whatever is
// balanced: a director that has no service at the moment may get one.
func (w *planeWorker) allow(may bool) {
	if w.may.Swap(may) != may {
		signal(w.wake)
	}
}

// tuned reports whether settings of the kernel are to be put back some time.
func (w *planeWorker) tuned() bool {
	return w.book != nil && slices.ContainsFunc(w.book.Changes(), func(c sysctl.Change) bool { return c.For == tuner })
}

// tune sets what the services lack, where that is allowed, and takes it out of the status; else it puts back what was set. Called with busy
// held.
func (w *planeWorker) tune(st *lvs.Status) error {
	if w.book == nil {
		return nil
	}
	if !w.may.Load() {
		return w.book.Restore(tuner)
	}
	var errs []error
	for _, n := range slices.Clone(st.Needs) {
		if n.Unless != "" {
			continue
		}
		if err := w.book.Set(tuner, n.Name, n.Want); err != nil {
			errs = append(errs, err)
			continue
		}
		w.log.Info("a setting of the kernel is set, as set_sysctls allows", "name", n.Name, "value", n.Want, "was", n.Have, "reason", n.So)
		st.Met(n)
	}
	return errors.Join(errs...)
}

// restore puts back all settings of the kernel: for the end of the process.
func (a *Agent) restore() error {
	return errors.Join(a.book.Restore(tuner), a.book.Restore(connsync.Changer), (&parents{book: a.book}).release())
}

// settingsStatus are the settings of the kernel that this agent has set.
func (a *Agent) settingsStatus() (out []api.Sysctl) {
	if a.book == nil {
		return nil
	}
	for _, c := range a.book.Changes() {
		out = append(out, api.Sysctl{Name: c.Name, Value: c.Set, Was: c.Was, For: c.For})
	}
	return out
}
