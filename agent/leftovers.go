package agent

import (
	"errors"
	"fmt"
	"log/slog"

	"quorate/vip"
	"quorate/vip/gate"
)

// retire takes off this machine what an earlier agent that was killed has left: a witness carries nothing, though that one may have been a
// director's, and to an agent without a gate the gate of that one, which nobody renews, would close every address. Where nothing was
// left, nothing is touched, and no right is needed. It needs no barrier: it only gives up.
func retire(kernel vip.Kernel, log *slog.Logger) error {
	o := vip.Options{Kernel: kernel, Log: log}
	if gate.Left() {
		g, why, err := gate.Open(gate.Options{Log: log})
		if err != nil {
			return fmt.Errorf("the gate of an earlier agent of this node stays on this host: %w", errors.Join(append(why, err)...))
		}
		defer g.Close()
		o.Gate = g
	}
	st, err := vip.New(o).Retire()
	err = errors.Join(err, st.Err)
	for _, x := range st.Addresses {
		if x.Actual {
			err = errors.Join(err, fmt.Errorf("address %s of an earlier agent of this node is still on %s: %w", x.Prefix, x.Link, x.Err))
		}
	}
	return err
}
