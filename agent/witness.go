package agent

import (
	"errors"
	"fmt"
	"log/slog"

	"quorate/vip"
	"quorate/vip/gate"
)

// retireDirector takes off this machine what is marked as ours: a witness carries nothing, but the agent before it may have been a
// director that was killed. Where nothing was left, nothing is touched, and no right is needed. It needs no barrier: nothing that
// was agreed could make a witness carry an address.
func retireDirector(kernel vip.Kernel, log *slog.Logger) error {
	o := vip.Options{Kernel: kernel, Log: log}
	if gate.Left() {
		g, why, err := gate.Open(gate.Options{Log: log})
		if err != nil {
			return fmt.Errorf("the gate of the director that this node was stays on this host: %w", errors.Join(append(why, err)...))
		}
		defer g.Close()
		o.Gate = g
	}
	st, err := vip.New(o).Retire()
	err = errors.Join(err, st.Err)
	for _, x := range st.Addresses {
		if x.Actual {
			err = errors.Join(err, fmt.Errorf("address %s of the director that this node was is still on %s: %w", x.Prefix, x.Link, x.Err))
		}
	}
	return err
}
