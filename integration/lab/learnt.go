package lab

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Behind is the host behind whose port the switch has seen a MAC last; "" = it does not know.
func (b *Bed) Behind(mac string) (host string, err error) {
	list, err := b.sw.links.NeighList(0, unix.AF_BRIDGE)
	if err != nil {
		return "", fmt.Errorf("ask the switch for its MACs: %w", err)
	}
	for _, n := range list {
		if n.HardwareAddr.String() != mac || n.State&netlink.NUD_PERMANENT != 0 {
			continue
		}
		port, err := b.sw.links.LinkByIndex(n.LinkIndex)
		if err != nil {
			return "", fmt.Errorf("ask the switch for a port: %w", err)
		}
		return port.Attrs().Name, nil
	}
	return "", nil
}
