package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// StateDir holds one small file per lab. A lab holds a lock on its file while it lives, so a file without a lock is what
// a crashed lab left.
const StateDir = "/run/quorate-lab"

// marker names the environment variable that every program of a lab carries, with the lab's ID as its value.
const marker = "QUORATE_LAB"

// stateFile is a lab's entry in StateDir.
type stateFile struct {
	file *os.File
	path string
}

// Trace is what a state file says.
type Trace struct {
	ID  string `json:"id"`
	Dir string `json:"dir"`
	PID int    `json:"pid"`
}

// validID is what [os.MkdirTemp] makes of New's pattern. Sweep removes a directory of that name and nothing else.
var validID = regexp.MustCompile(`^quorate-lab-[0-9]{1,20}$`)

func (t Trace) check() error {
	if !validID.MatchString(t.ID) || filepath.Base(t.Dir) != t.ID || !filepath.IsAbs(t.Dir) || t.PID <= 1 {
		return fmt.Errorf("not written by a lab: %+v", t)
	}
	return nil
}

// claimState writes and locks the lab's file. Under its name it is there only when it is both: who looks for labs takes a lock, too, for a
// moment, and what cannot be read for a file that is damaged.
func claimState(id, dir string) (*stateFile, error) {
	s := &stateFile{path: filepath.Join(StateDir, id+".json")}
	fresh := filepath.Join(StateDir, "."+id)
	// Another lab that ends removes the directory while it is empty, and yet another may make it.
	for err := fs.ErrNotExist; errors.Is(err, fs.ErrNotExist); {
		if err := os.Mkdir(StateDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make the directory of running labs: %w", err)
		}
		if s.file, err = os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("claim the lab's state file: %w", err)
		}
	}
	err := unix.Flock(int(s.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = json.NewEncoder(s.file).Encode(Trace{ID: id, Dir: dir, PID: os.Getpid()})
	}
	if err == nil {
		err = os.Rename(fresh, s.path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write and lock %s: %w", s.path, err), os.Remove(fresh), s.file.Close())
	}
	return s, nil
}

// release removes the file, and the directory when no other lab is there.
func (s *stateFile) release() error {
	err := os.Remove(s.path)
	_ = os.Remove(StateDir) // fails while another lab has a file in it, as it should
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.file.Close())
}

// Running lists the labs of this machine; a crashed one has Alive false.
func Running() ([]Found, error) {
	paths, err := filepath.Glob(filepath.Join(StateDir, "quorate-lab-*.json"))
	if err != nil {
		return nil, err
	}
	var out []Found
	var errs []error
	for _, path := range paths {
		f, err := inspect(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // it ended meanwhile
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w; remove the file by hand", path, err))
			continue
		}
		out = append(out, f)
	}
	return out, errors.Join(errs...)
}

// Found is a lab seen through its state file.
type Found struct {
	Trace
	Alive bool
	path  string
}

func inspect(path string) (Found, error) {
	f, err := os.Open(path)
	if err != nil {
		return Found{}, err
	}
	defer f.Close()
	found := Found{path: path}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		found.Alive = true
	}
	if err := json.NewDecoder(io.LimitReader(f, 4096)).Decode(&found.Trace); err != nil {
		return Found{}, err
	}
	return found, found.Trace.check()
}

// Sweep ends a lab: a live one is asked to (SIGTERM) and, after patience, killed; then the processes, the directory and
// the state file that are left are removed. Sweeping what is gone is no error.
func (f Found) Sweep(patience time.Duration) error {
	if f.Alive {
		if err := f.end(patience); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		pids, err := marked(f.ID)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("lab %s: processes %v survive SIGKILL for 10 s", f.ID, pids)
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended; the next round sees
		}
		time.Sleep(time.Millisecond)
	}
	err := errors.Join(os.RemoveAll(f.Dir), os.RemoveAll(f.path))
	_ = os.Remove(StateDir) // stays while another lab has a file in it
	return err
}

// end asks, then forces, a live lab to end. The lock tells when it has.
func (f Found) end(patience time.Duration) error {
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, patience}, {unix.SIGKILL, 5 * time.Second}} {
		if err := unix.Kill(f.PID, step.signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("lab %s: signal process %d: %w", f.ID, f.PID, err)
		}
		for deadline := time.Now().Add(step.wait); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			now, err := inspect(f.path)
			if errors.Is(err, os.ErrNotExist) || err == nil && !now.Alive {
				return nil
			}
		}
	}
	return fmt.Errorf("lab %s: process %d does not end", f.ID, f.PID)
}

// marked lists the live processes that carry the lab's mark. This process is not among them.
func marked(id string) ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	want := []byte(marker + "=" + id)
	var out []int
	for _, path := range paths {
		env, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if !bytes.Equal(v, want) {
				continue
			}
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			if err == nil && pid != os.Getpid() {
				out = append(out, pid)
			}
			break
		}
	}
	return out, nil
}
