package realserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"quorate/lvs/durable"
)

// file is where the record is kept. Its directory is locked while it is open, so that one setup or undo runs at a time; the lock
// leaves nothing behind, and the kernel takes it off when the process dies.
type file struct {
	path string
	dir  *os.File
	made bool // the directory was made for the record, by this or an earlier setup
}

// openFile opens the record's directory, and makes it if it is missing.
func openFile(path string) (*file, error) {
	f := &file{path: path}
	dir := filepath.Dir(path)
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		f.made = true
		if err := durable.Sync(filepath.Dir(dir)); err != nil {
			return nil, fmt.Errorf("directory of the record: %w", errors.Join(err, os.Remove(dir)))
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("directory of the record: %w; make it, or name another file with --state", err)
	}
	var err error
	if f.dir, err = os.Open(dir); err != nil {
		return nil, fmt.Errorf("directory of the record: %w", err)
	}
	if err := syscall.Flock(int(f.dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.dir.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another setup or undo is at work in %s: let it finish", dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

// close lets go of the lock, and takes a directory away that was made for the record, when there is nothing in it.
func (f *file) close() error {
	err := f.dir.Close()
	if f.made {
		_ = os.Remove(filepath.Dir(f.path)) // refused where there is something in it
	}
	return err
}

// readRecord reads the record; there is none before the first setup.
func readRecord(path string) (record, error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("record of what was made: %w", err)
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxRecord+1))
	if err != nil {
		return record{}, fmt.Errorf("record of what was made: %w", err)
	}
	r, err := decodeRecord(b)
	if err != nil {
		return record{}, fmt.Errorf("record of what was made, %s: %w; move it away, then undo takes back what carries a mark, and leaves sysctls as they are", path, err)
	}
	return r, nil
}

// write replaces the record and returns when it is on the disk.
func (f *file) write(r record) error {
	b, err := r.encode()
	if err != nil {
		return fmt.Errorf("record of what was made: %w", err)
	}
	if err := durable.Replace(f.path, b); err != nil {
		return fmt.Errorf("record of what was made: %w", err)
	}
	return nil
}

// remove takes the record away, and what a killed process has left of it. Close takes the directory.
func (f *file) remove() error {
	if err := durable.Remove(f.path); err != nil {
		return fmt.Errorf("record of what was made: %w", err)
	}
	return nil
}
