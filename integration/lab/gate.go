package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"quorate/vip/gate"
)

// Gate lists what the host's kernel has of an ownership gate, one line each, sorted: the pins in bpffs, and the tables of
// nftables, of which the load balancer's is another.
func (h *Host) Gate() ([]string, error) {
	var out []string
	err := h.Do(func() error {
		name, err := gate.PinsOf()
		if err != nil {
			return err
		}
		pins, err := os.ReadDir(filepath.Join("/sys/fs/bpf/quorate", name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, p := range pins {
			out = append(out, "pin "+p.Name())
		}
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		if err != nil && !errors.Is(err, unix.EPROTONOSUPPORT) { // a kernel without nftables has no tables
			return err
		}
		for _, t := range tables {
			sets, err := c.GetSets(t)
			if err != nil {
				return err
			}
			out = append(out, fmt.Sprintf("table %s of family %d with %d sets", t.Name, t.Family, len(sets)))
		}
		return nil
	})
	slices.Sort(out)
	if err != nil {
		return nil, fmt.Errorf("host %s: what it has of a gate: %w", h.Name, err)
	}
	return out, nil
}
