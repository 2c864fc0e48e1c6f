package connsync

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"quorate/lvs/durable"
	"quorate/lvs/ipvs"
	"quorate/lvs/sysctl"
)

// mark remembers, beyond the death of the process, which of the kernel's sync daemons it started: the kernel does not say whose one is. A mark
// of another boot or network namespace says nothing.
//
// What is going to be started is written before it is.
type mark struct {
	path string // "": nothing is remembered beyond the process
	page
}

type page struct {
	durable.Place
	Daemons []ipvs.Daemon `json:"daemons,omitempty"`
}

// openMark reads the mark at path. One that cannot be read is taken to be empty, with an error that says so.
func openMark(path string) (*mark, error) {
	here, err := durable.Here()
	if err != nil {
		return nil, err
	}
	p, err := durable.Recall(path, page{Place: here})
	m := &mark{path: path, page: p}
	if err != nil {
		return m, fmt.Errorf("%s: sync daemons of an agent that was killed may be taken for another program's: %w", path, err)
	}
	return m, nil
}

func (m *mark) write() error {
	if err := durable.Keep(m.path, m.page); err != nil {
		return fmt.Errorf("note what connection sync changes: %w", err)
	}
	return nil
}

// ours reports whether a daemon is one that we started.
func (m *mark) ours(d ipvs.Daemon) bool { return among(m.Daemons, d) }

// among reports whether a daemon is one of those: the kernel fills in some of the rest.
func among(daemons []ipvs.Daemon, d ipvs.Daemon) bool {
	return slices.ContainsFunc(daemons, func(x ipvs.Daemon) bool {
		return x.State == d.State && x.Interface == d.Interface && x.SyncID == d.SyncID && x.Group == d.Group && x.Port == d.Port
	})
}

// starts notes daemons that are going to be started, beside those that may run still.
func (m *mark) starts(daemons []ipvs.Daemon) error {
	n := len(m.Daemons)
	for _, d := range daemons {
		if !slices.Contains(m.Daemons, d) {
			m.Daemons = append(m.Daemons, d)
		}
	}
	if len(m.Daemons) == n {
		return nil
	}
	return m.write()
}

// runs notes which daemons are all that may run.
func (m *mark) runs(daemons []ipvs.Daemon) error {
	if slices.Equal(m.Daemons, daemons) {
		return nil
	}
	m.Daemons = slices.Clone(daemons)
	return m.write()
}

// Changer is whose the settings of connection sync are in the book.
const Changer = "sync"

// setSysctls sets what the settings ask of the kernel, if that is allowed. What is otherwise, or cannot be set, comes back with the command that
// cures it: connections are synced nevertheless.
func setSysctls(book *sysctl.Book, k Kernel) (notes []string, err error) {
	if !k.Set {
		err = book.Restore(Changer)
	}
	errs := []error{err}
	for _, x := range k.sysctls() {
		name, value := x[0], x[1]
		now, err := sysctl.Read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && now == value: // a kernel that has no such sysctl does as it does
			continue
		case err != nil:
			errs = append(errs, err)
			continue
		case !k.Set:
			notes = append(notes, fmt.Sprintf("%s is %q: run sysctl -w %s=%q and keep it in /etc/sysctl.d/, or allow it by set_sysctls = true", name, now, name, value))
			continue
		}
		switch err := book.Set(Changer, name, value); {
		case errors.Is(err, sysctl.ErrNotSet):
			notes = append(notes, fmt.Sprintf("%v, so it stays %q: run sysctl -w %s=%q where it can be set", err, now, name, value))
		case err != nil:
			errs = append(errs, err)
		}
	}
	return notes, errors.Join(errs...)
}
