package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Limits of what is read. They are far above any real configuration and keep a wrong file from costing the machine its
// memory or the parser its stack.
const (
	MaxBytes = 4 << 20 // of all files of one configuration together
	MaxDepth = 16      // of brackets and blocks inside each other, in JSON too
)

// Source is the text of one file. It is JSON when its name ends in .json, or has neither that ending nor .hcl and the
// text begins with a brace; else HCL.
type Source struct {
	Name string // as it appears in messages
	Text []byte
}

// isJSON tells the two forms apart; an HCL file cannot begin with a brace.
func (s Source) isJSON() bool {
	switch strings.ToLower(filepath.Ext(s.Name)) {
	case ".json":
		return true
	case ".hcl":
		return false
	default:
		return bytes.HasPrefix(bytes.TrimLeft(s.Text, " \t\r\n"), []byte("{"))
	}
}

// Load reads a configuration from files. A directory stands for its files that end in .hcl or .json, hidden ones and
// subdirectories left out, in the order of their names. All of them make one configuration.
func Load(paths ...string) (*Document, error) {
	var sources []Source
	left := int64(MaxBytes)
	for _, path := range paths {
		files, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			text, err := readFile(name, left)
			if err != nil {
				return nil, err
			}
			left -= int64(len(text))
			sources = append(sources, Source{name, text})
		}
	}
	return ParseAll(sources...)
}

// filesOf is the path itself, or the configuration files in that directory.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unread(path, err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // sorted
	if err != nil {
		return nil, unread(path, err)
	}
	var files []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && (ext == ".hcl" || ext == ".json") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("configuration: directory %s has no file that ends in .hcl or .json; name the file, or another directory", path)
	}
	return files, nil
}

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, unread(name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, unread(name, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s: %w", name, errTooLong)
	}
	return text, nil
}

// unread says why a file of a configuration cannot be read.
func unread(path string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err // not which system call
	}
	return fmt.Errorf("configuration %s: %w; name a file that can be read, or a directory of them", path, err)
}

var errTooLong = errors.New("the configuration is longer than 4 MiB; is this the right file?")
