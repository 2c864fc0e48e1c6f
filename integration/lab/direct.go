package lab

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AnswerFor makes the host a real server for direct routing, now and after each loss of power: it takes in packets to
// the addresses, which lie on its lo, and nobody learns from it that it has them. arp_ignore = 1 keeps it from answering
// for addresses of other interfaces than the asked one, arp_announce = 2 from naming one as the sender of its own
// questions (Documentation/networking/ip-sysctl.rst). IPv6 needs no sysctl: neighbour discovery answers for the
// interface's own addresses only.
func (h *Host) AnswerFor(addrs ...netip.Addr) error {
	for _, s := range [][2]string{{"net.ipv4.conf.all.arp_ignore", "1"}, {"net.ipv4.conf.all.arp_announce", "2"}} {
		if err := h.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent = append(h.silent, addrs...)
	if h.ns == nil {
		return nil
	}
	return h.addSilent(h.ns, addrs)
}

// CeaseFor takes the addresses off the host's lo again, as somebody might by mistake: it stays a server, on its own address.
func (h *Host) CeaseFor(addrs ...netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent = slices.DeleteFunc(h.silent, func(a netip.Addr) bool { return slices.Contains(addrs, a) })
	if h.ns == nil {
		return nil
	}
	lo, err := h.ns.links.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("host %s: find lo: %w", h.Name, err)
	}
	for _, a := range addrs {
		if err := h.ns.links.AddrDel(lo, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, a.BitLen()))}); err != nil {
			return fmt.Errorf("host %s: take %s off lo: %w", h.Name, a, err)
		}
	}
	return nil
}

func (h *Host) addSilent(ns *namespace, addrs []netip.Addr) error {
	if len(addrs) == 0 {
		return nil
	}
	lo, err := ns.links.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("host %s: find lo: %w", h.Name, err)
	}
	for _, a := range addrs {
		n := ipNet(netip.PrefixFrom(a, a.BitLen()))
		if err := ns.links.AddrAdd(lo, &netlink.Addr{IPNet: n}); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("host %s: add %s to lo: %w", h.Name, n, err)
		}
	}
	return nil
}

// ProcNet reads a file of the host's /proc/net, e.g. "ip_vs". A kernel that lacks what the file tells of has no such
// file. It is read in large pieces: where several namespaces have services, the kernel loses its place in ip_vs between two reads.
func (h *Host) ProcNet(name string) (string, error) {
	var text bytes.Buffer
	err := h.Do(func() error {
		f, err := os.Open("/proc/thread-self/net/" + name)
		if err != nil {
			return err
		}
		defer f.Close()
		text.Grow(1 << 16)
		_, err = text.ReadFrom(f)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("host %s: %w", h.Name, err)
	}
	return text.String(), nil
}
