package gate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// succeedBPF makes a weaker gate take over from the program that a process before this one left on the links, when BPF cannot be
// had any more, for want of rights say: nobody can renew its lease, so it would hold every address closed for ever. It goes once
// the new gate has been told the addresses and every link carries that: what passed until then had to pass both.
func succeedBPF(open func(Options) (Gate, error)) func(Options) (Gate, error) {
	return func(o Options) (Gate, error) {
		g, err := open(o)
		if err != nil {
			return nil, err
		}
		var dir string
		err = o.In(func() (err error) { dir, err = pinsHere(); return err })
		switch {
		case errors.Is(err, os.ErrNotExist):
			return g, nil
		case err != nil:
			o.Log.Info("this process may not see whether an earlier one left a gate in BPF; should addresses stay silent, remove it as root",
				"dir", dir, "reason", err)
			return g, nil
		}
		o.Log.Warn("an earlier process left a gate in BPF, which nobody can renew: it is taken off when this one carries the addresses", "fence", g.Kind(), "dir", dir)
		return &successor{Gate: g, in: o.In, remove: func() error { return removeBPF(dir) }}, nil
	}
}

// pinsHere is the directory of the pins in this network namespace. The error says that it is not there, or cannot be seen.
func pinsHere() (string, error) {
	name, err := namespaceName()
	if err != nil {
		return pinRoot, err
	}
	dir := filepath.Join(pinRoot, name)
	_, err = os.Stat(dir)
	return dir, err
}

// removeBPF takes off what a process left that has ended. It needs no rights over BPF: a link goes with its last pin, and a filter
// is the network's.
func removeBPF(dir string) error {
	err := func() error {
		held, err := os.Open(dir)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer held.Close()
		if err := unix.Flock(int(held.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return fmt.Errorf("an agent that runs holds it: %w", err)
		}
		nl, err := vnl.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open rtnetlink: %w", err)
		}
		defer nl.Close()
		links, _, err := gated(nl)
		if err != nil {
			return err
		}
		if err := (&clsact{nl: nl, dir: dir}).remove(links); err != nil {
			return err
		}
		return removePins(dir)
	}()
	if err != nil {
		return fmt.Errorf("the gate in BPF of an earlier start closes what this one opens, and cannot be taken off: %w; end other agents "+
			"in this network namespace, then as root: rm -r %s", err, dir)
	}
	return nil
}
