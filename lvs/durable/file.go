// Package durable replaces files so that after a crash of the process or of the host there is the old content or the new one, never a part of one,
// and keeps in them what is worth something in one [Place] alone.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace gives the file at path this content, and returns when that is on the disk. The file is its owner's alone. The new content comes by way of a
// file beside it, which a process that is killed meanwhile leaves behind and the next Replace takes over: one process at a time may replace it.
func Replace(path string, content []byte) error {
	f, err := os.OpenFile(beside(path), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(beside(path), path); err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}

// Remove takes the file away, and what a killed process has left beside it. One that is not there is no error.
func Remove(path string) error {
	for _, p := range []string{beside(path), path} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func beside(path string) string { return path + ".tmp" }

// Sync returns when the entries of a directory are on the disk.
func Sync(directory string) error {
	d, err := os.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
