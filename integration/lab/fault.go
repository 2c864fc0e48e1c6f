package lab

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// port is the host's port on the switch.
func (h *Host) port() (netlink.Link, error) {
	port, err := h.lab.sw.links.LinkByName(h.Name)
	if err != nil {
		return nil, fmt.Errorf("host %s: find its port on the bridge: %w", h.Name, err)
	}
	return port, nil
}

// onPort does something to the host's port.
func (h *Host) onPort(what string, f func(*netlink.Handle, netlink.Link) error) error {
	if _, err := h.namespace(); err != nil {
		return err
	}
	port, err := h.port()
	if err != nil {
		return err
	}
	if err := f(h.lab.sw.links, port); err != nil {
		return fmt.Errorf("host %s: %s: %w", h.Name, what, err)
	}
	h.lab.log.Info(what, "node", h.Name)
	return nil
}

// LinkDown pulls the cable: nothing passes, and the host sees that its carrier is gone.
func (h *Host) LinkDown() error {
	return h.onPort("link down", func(nl *netlink.Handle, p netlink.Link) error { return nl.LinkSetDown(p) })
}

// LinkUp puts the cable back.
func (h *Host) LinkUp() error {
	return h.onPort("link up", func(nl *netlink.Handle, p netlink.Link) error { return nl.LinkSetUp(p) })
}

// Unplug takes the host's port out of the bridge: nothing passes, and the host keeps its carrier. That is what the
// others see of a machine that loses power, and what a machine sees of a switch that stops forwarding.
func (h *Host) Unplug() error {
	return h.onPort("unplugged", func(nl *netlink.Handle, p netlink.Link) error { return nl.LinkSetNoMaster(p) })
}

// Plug puts the host's port back into the bridge.
func (h *Host) Plug() error {
	return h.onPort("plugged in", func(nl *netlink.Handle, p netlink.Link) error { return nl.LinkSetMaster(p, h.lab.br) })
}
