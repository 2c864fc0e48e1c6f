package keepalived

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// source is a file that is being read.
type source struct {
	name, shown string
	lines       []string
	at          int
	via         []Place
	more        []string // that the same include has matched
	checks      string   // to go back to
}

// push begins to read a file.
func (r *reader) push(name string, via []Place, more []string) error {
	if len(r.open) >= maxDepth {
		return &limitError{via[0], fmt.Sprintf("there are more than %d includes in one another", maxDepth), "include fewer files in one another"}
	}
	if r.count++; r.count > maxFiles {
		return &limitError{place(via, name), fmt.Sprintf("more than %d files are read", maxFiles), "include fewer files, or import in parts"}
	}
	full := r.full(name)
	for _, s := range r.open {
		if s.name == full {
			return &limitError{place(via, name), fmt.Sprintf("%s includes itself, which never ends", name), "take the include out"}
		}
	}
	data, err := readFile(r.files, full)
	if err != nil {
		return err
	}
	if r.bytes += len(data); r.bytes > maxBytes {
		return r.tooLong(Place{File: name, Via: via})
	}
	r.open = append(r.open, &source{name: full, shown: name, lines: strings.Split(data, "\n"), via: via, more: more, checks: r.checks})
	return nil
}

func place(via []Place, name string) Place {
	if len(via) > 0 {
		return via[0]
	}
	return Place{File: name}
}

func (r *reader) tooLong(at Place) error {
	return &limitError{at, fmt.Sprintf("the configuration has more than %d lines or %d MiB when its definitions and sequences are written out", maxLines, maxBytes>>20),
		"make the sequences shorter, or import in parts: a cluster has at most some thousand addresses"}
}

// full is the name under which the file system knows a file.
func (r *reader) full(name string) string {
	if !path.IsAbs(name) {
		name = path.Join("/", r.dir, name)
	}
	return strings.TrimPrefix(path.Clean(name), "/")
}

func readFile(files fs.FS, name string) (string, error) {
	f, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return "", &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxFileSize {
		return "", fmt.Errorf("%s has more than %d MiB: import it in parts", name, maxFileSize>>20)
	}
	return string(data), nil
}
