package gate

import (
	"errors"
	"fmt"
)

// succeedNFT makes a stronger gate take over from the tables that a process before this one left, when it had only those: nobody
// renews their lease any more, so they would hold every address closed for ever. They go once the new gate has been told the
// addresses and every link carries it: until then they are the fence.
func succeedNFT(open func(Options) (Gate, error)) func(Options) (Gate, error) {
	return func(o Options) (Gate, error) {
		g, err := open(o)
		if err != nil {
			return nil, err
		}
		return &successor{Gate: g, in: o.In, remove: removeWeaker}, nil
	}
}

func removeWeaker() error {
	if err := removeNFT(); err != nil {
		return fmt.Errorf("the weaker gate of an earlier start is still there, and closes what this one opens: %w", err)
	}
	return nil
}

// successor is a gate that has one of another kind to remove, which an earlier process left. Its fields are the actuator's.
type successor struct {
	Gate
	in             func(func() error) error
	remove         func() error // called in the namespace
	told, on, done bool
}

// Set implements Fence.
func (s *successor) Set(entries []Entry) error {
	err := s.Gate.Set(entries)
	s.told = s.told || err == nil
	return errors.Join(err, s.succeed())
}

// Check implements Fence.
func (s *successor) Check() (Report, error) {
	r, err := s.Gate.Check()
	on := err == nil
	for _, l := range r.Links {
		on = on && l.Err == nil
	}
	s.on = s.on || on
	return r, errors.Join(err, s.succeed())
}

// Remove implements Fence.
func (s *successor) Remove() error {
	return errors.Join(s.Gate.Remove(), s.in(s.remove))
}

func (s *successor) succeed() error {
	if s.done || !s.told || !s.on {
		return nil
	}
	err := s.in(s.remove)
	s.done = err == nil
	if err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	return nil
}
