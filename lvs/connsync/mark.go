package connsync

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"quorate/lvs/durable"
	"quorate/lvs/ipvs"
)

// mark remembers, beyond the death of the process, what it has changed in the kernel: the sync daemons that it started, and the sysctls that
// it set, with what they were before. The kernel does not say whose a daemon is. A mark of another boot or network namespace says nothing.
//
// What is going to be changed is written before it is.
type mark struct {
	path string // "": nothing is remembered beyond the process
	page
}

type page struct {
	Boot      string            `json:"boot"`
	Namespace string            `json:"namespace"`
	Daemons   []ipvs.Daemon     `json:"daemons,omitempty"`
	Sysctls   map[string]string `json:"sysctls,omitempty"` // what they were
}

// openMark reads the mark at path. One that cannot be read is taken to be empty, with an error that says so.
func openMark(path string) (*mark, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("identity of this boot: %w", err)
	}
	space, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("identity of the network namespace: %w", err)
	}
	m := &mark{path: path, page: page{Boot: strings.TrimSpace(string(boot)), Namespace: space}}
	if path == "" {
		return m, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	var p page
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return m, fmt.Errorf("%s: sync daemons of an agent that was killed may be taken for another program's: %w", path, err)
	}
	if p.Boot == m.Boot && p.Namespace == m.Namespace {
		m.page = p
	}
	return m, nil
}

func (m *mark) write() error {
	if m.path == "" {
		return nil
	}
	b, err := json.Marshal(m.page)
	if err == nil {
		err = durable.Replace(m.path, b)
	}
	if err != nil {
		return fmt.Errorf("note what connection sync changes: %w", err)
	}
	return nil
}

// ours reports whether a daemon is one that we started: the kernel fills in some of the rest.
func (m *mark) ours(d ipvs.Daemon) bool {
	return slices.ContainsFunc(m.Daemons, func(x ipvs.Daemon) bool {
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

// errNotSet is wrapped by the error of a sysctl that the kernel, or who mounted /proc, does not let us set.
var errNotSet = errors.New("cannot be set")

// set sets a sysctl and remembers what it was.
func (m *mark) set(name, was, value string) error {
	_, noted := m.Sysctls[name]
	if !noted {
		if m.Sysctls == nil {
			m.Sysctls = make(map[string]string)
		}
		m.Sysctls[name] = was
		if err := m.write(); err != nil {
			delete(m.Sysctls, name)
			return err
		}
	}
	err := writeSysctl(name, value)
	if err != nil && !noted { // there is nothing to set back
		delete(m.Sysctls, name)
		err = errors.Join(err, m.write())
	}
	return err
}

// restore sets all sysctls back to what they were. One that has gone, with the module ip_vs, has nothing to be set back.
func (m *mark) restore() error {
	if len(m.Sysctls) == 0 {
		return nil
	}
	var errs []error
	for name, value := range m.Sysctls {
		if err := writeSysctl(name, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		delete(m.Sysctls, name)
	}
	return errors.Join(append(errs, m.write())...)
}

// readSysctl of the network namespace of the calling thread; several numbers are separated by one blank.
func readSysctl(name string) (string, error) {
	b, err := os.ReadFile(sysctlPath(name))
	if err != nil {
		return "", fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strings.Join(strings.Fields(string(b)), " "), nil
}

func writeSysctl(name, value string) error {
	if err := os.WriteFile(sysctlPath(name), []byte(value), 0o644); err != nil {
		return fmt.Errorf("sysctl %s = %q %w: %w", name, value, errNotSet, err)
	}
	return nil
}

// sysctls sets what the settings ask of the kernel, if that is allowed. What is otherwise, or cannot be set, comes back with the command that cures
// it: connections are synced nevertheless.
func (m *mark) sysctls(k Kernel) (notes []string, err error) {
	var errs []error
	for _, x := range k.sysctls() {
		name, value := x[0], x[1]
		now, err := readSysctl(name)
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
		switch err := m.set(name, now, value); {
		case errors.Is(err, errNotSet):
			notes = append(notes, fmt.Sprintf("%v, so it stays %q: run sysctl -w %s=%q where it can be set", err, now, name, value))
		case err != nil:
			errs = append(errs, err)
		}
	}
	if !k.Set {
		errs = append(errs, m.restore())
	}
	return notes, errors.Join(errs...)
}
