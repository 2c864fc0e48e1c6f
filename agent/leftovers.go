package agent

import (
	"errors"
	"fmt"
	"log/slog"

	"quorate/vip"
	"quorate/vip/gate"
)

// retire takes off this machine what an agent that was killed has left: a witness carries nothing, though the agent before it may have
// been a director's, and a node without a gate may not leave that of an earlier one. Where nothing was left, nothing is touched, and no
// right is needed. It needs no barrier: it only gives up.
func retire(kernel vip.Kernel, log *slog.Logger) error {
	o := vip.Options{Kernel: kernel, Log: log}
	if gate.Left() {
		g, why, err := gate.Open(gate.Options{Log: log})
		if err != nil {
			return fmt.Errorf("the gate of this node's agent before stays on this host: %w", errors.Join(append(why, err)...))
		}
		defer g.Close()
		o.Gate = g
	}
	st, err := vip.New(o).Retire()
	err = errors.Join(err, st.Err)
	for _, x := range st.Addresses {
		if x.Actual {
			err = errors.Join(err, fmt.Errorf("address %s of this node's agent before is still on %s: %w", x.Prefix, x.Link, x.Err))
		}
	}
	return err
}
