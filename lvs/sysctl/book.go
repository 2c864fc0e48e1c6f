package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"quorate/lvs/durable"
)

// Change is a setting that was changed.
type Change struct {
	Name string `json:"name"`
	For  string `json:"for"` // whoever asked for it, and puts it back
	Was  string `json:"was"`
	Set  string `json:"set"`
}

// Book remembers, beyond the death of the process, which settings were changed and what they were before. One of another boot or network
// namespace says nothing. A change is noted before it is made. It is safe for concurrent use.
type Book struct {
	mu   sync.Mutex
	file string // "": nothing is remembered beyond the process
	page
}

type page struct {
	durable.Place
	Changed []Change `json:"changed,omitempty"`
}

// Open reads the book in a file, or begins it; "" is a book that is forgotten with the process. One that cannot be read is taken to be empty,
// with an error that says so.
func Open(file string) (*Book, error) {
	b := &Book{file: file}
	if file == "" {
		return b, nil
	}
	here, err := durable.Here()
	if err != nil {
		return b, err
	}
	b.page, err = durable.Recall(file, page{Place: here})
	if err != nil {
		return b, fmt.Errorf("%s: kernel settings that an agent has set may not be put back: %w", file, err)
	}
	return b, nil
}

// Set sets a setting, and remembers what it was unless it does already. One that has the value is left alone, and is not ours. The error of one that
// the kernel, or whoever mounted /proc, does not let us set is an ErrNotSet.
func (b *Book) Set(who, name, value string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, err := Read(name)
	if err != nil || now == value {
		return err
	}
	before := slices.Clone(b.Changed)
	i := slices.IndexFunc(b.Changed, func(c Change) bool { return c.Name == name })
	if i < 0 {
		i = len(b.Changed)
		b.Changed = append(b.Changed, Change{Name: name, For: who, Was: now})
	}
	b.Changed[i].Set = value
	if err := b.keep(); err != nil {
		b.Changed = before
		return err
	}
	err = write(name, value)
	if err != nil && i == len(before) { // there is nothing to put back
		b.Changed = before
		err = errors.Join(err, b.keep())
	}
	return err
}

// Restore puts back what was set for whoever, but for what another program has changed since: that is left to it. What cannot be put back
// stays in the book.
func (b *Book) Restore(who string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	left := []Change{}
	for _, c := range b.Changed {
		if c.For != who {
			left = append(left, c)
			continue
		}
		now, err := Read(c.Name)
		if err == nil && now == c.Set {
			err = write(c.Name, c.Was)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // its module is gone
			errs, left = append(errs, err), append(left, c)
		}
	}
	if len(left) == len(b.Changed) {
		return errors.Join(errs...)
	}
	b.Changed = left
	return errors.Join(append(errs, b.keep())...)
}

// Changes are the settings that were changed and not put back, in the order in which they were.
func (b *Book) Changes() []Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.Changed)
}

// keep writes the book.
func (b *Book) keep() error {
	if err := durable.Keep(b.file, b.page); err != nil {
		return fmt.Errorf("note which kernel settings are set: %w", err)
	}
	return nil
}
