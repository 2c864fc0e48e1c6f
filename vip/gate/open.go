package gate

import (
	"errors"
	"fmt"
	"log/slog"
)

// Options are what a gate needs.
type Options struct {
	Log *slog.Logger // nil: slog.Default
	// In runs a function in the network namespace that is gated, on a thread that is in it for the time of the call. nil:
	// the process's own.
	In func(func() error) error
	// Only is the one kind of gate to open; "" is the strongest that can be had.
	Only Kind
}

// ErrNone says that this kernel, or this process's rights, allow no gate at all.
var ErrNone = errors.New("no gate can be had")

// variant is one way to gate.
type variant struct {
	kind Kind
	open func(Options) (Gate, error)
}

// Open takes the strongest gate that can be had here, by trying, or only the one that is asked for, and takes over what a process
// before this one left in the kernel as it is. why says of each stronger one what it lacks, and the cure; with ErrNone it says so of all.
func Open(o Options) (g Gate, why []error, err error) {
	return open(o, variants)
}

func open(o Options, variants []variant) (g Gate, why []error, err error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.In == nil {
		o.In = func(f func() error) error { return f() }
	}
	for _, v := range variants {
		if o.Only != "" && v.kind != o.Only {
			continue
		}
		g, err := v.open(o)
		if err == nil {
			return g, why, nil
		}
		why = append(why, fmt.Errorf("%s: %w", v.kind, err))
	}
	return nil, why, ErrNone
}
