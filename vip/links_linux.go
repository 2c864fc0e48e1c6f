package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// dumpTries is how often a list is asked for that the kernel says changed while it was being read (NLM_F_DUMP_INTR).
const dumpTries = 5

// Links returns the network interfaces of this process's network namespace, sorted by name, without loopback and those that we make for
// virtual MACs. It needs no privileges.
func Links() ([]Link, error) {
	k, err := NewKernel()
	if err != nil {
		return nil, err
	}
	defer k.Close()
	_, links, err := k.Survey()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(links, func(l Link) bool { return l.loopback || l.Virtual }), nil
}

// Survey lists addresses and links, loopback too.
func (k *Netlink) Survey() ([]Address, []Link, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// Listing works without privileges; what is ours is then told by IFA_PROTO.
	if err := k.probe(); err != nil && !errors.Is(err, ErrPermission) {
		return nil, nil, err
	}
	links, err := k.readLinks()
	if err != nil {
		return nil, nil, err
	}
	entries, err := k.readAddresses()
	if err != nil {
		return nil, nil, err
	}
	names := make(map[uint32]int, len(links))
	k.indexes = make(map[string]uint32, len(links))
	for i, l := range links {
		names[uint32(l.Index)] = i
		k.indexes[l.Name] = uint32(l.Index)
	}
	k.entries = make(map[key]addrEntry)
	k.routed = make(map[routedKey]struct{})
	own := make(map[key]struct{}, len(k.own))
	have := make([]Address, 0, len(entries))
	for _, e := range entries {
		i, ok := names[e.index]
		if !ok {
			continue // a link that came between the two lists; the next survey has it
		}
		l := &links[i]
		a := Address{Prefix: e.prefix, Link: l.Name, Ours: k.ours(e, l.Name), ValidFor: e.validFor()}
		have = append(have, a)
		if k.marks == marksByRule {
			k.entries[a.key()] = e
			if a.Ours {
				own[a.key()] = struct{}{}
			}
		}
		if a := e.prefix.Addr(); a.Is6() {
			k.routed[routedKey{e.index, a}] = struct{}{}
		}
		if !a.Ours && !k.likeOurs(e, l.Name) {
			l.source(e)
			l.Own = append(l.Own, e.prefix.Addr())
		}
		if p := e.prefix.Masked(); !a.Ours && !(p.Addr().Is6() && p.Addr().IsLinkLocalUnicast()) {
			l.Prefixes = append(l.Prefixes, p)
		}
	}
	for which := range k.unrouted {
		if _, there := k.routed[which]; !there {
			delete(k.unrouted, which)
		}
	}
	k.own = own // what has gone, or was made another's, is nobody's to remember: another program may put an equal one
	for i := range links {
		slices.SortFunc(links[i].Own, netip.Addr.Compare)
		links[i].Own = slices.Compact(links[i].Own)
		slices.SortFunc(links[i].Prefixes, netip.Prefix.Compare)
		links[i].Prefixes = slices.Compact(links[i].Prefixes)
	}
	return have, links, nil
}

// source notes an address that is the host's own, in the order of the kernel: primary ones come before secondary ones.
func (l *Link) source(e addrEntry) {
	a := e.prefix.Addr()
	switch {
	case a.Is4() && !l.Primary.IsValid():
		l.Primary = a
	case a.Is6() && a.IsLinkLocalUnicast() && !l.LinkLocal.IsValid() && e.flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0:
		l.LinkLocal = a
	}
}

// readLinks lists the links, sorted by name.
func (k *Netlink) readLinks() ([]Link, error) {
	var list []vnl.Link
	var err error
	for range dumpTries {
		if list, err = k.links.LinkList(); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	links := make([]Link, 0, len(list))
	for _, l := range list {
		at := l.Attrs()
		links = append(links, Link{
			Name: at.Name, Index: at.Index, MAC: at.HardwareAddr,
			Up:       at.Flags&net.FlagUp != 0,
			Carrier:  at.RawFlags&unix.IFF_RUNNING != 0,
			Virtual:  isVirtual(l),
			loopback: at.Flags&net.FlagLoopback != 0,
		})
	}
	slices.SortFunc(links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	return links, nil
}

// readAddresses lists the addresses of both families.
func (k *Netlink) readAddresses() ([]addrEntry, error) {
	var entries []addrEntry
	for try := 1; ; try++ {
		reply, err := k.execute(netlink.Message{
			Header: netlink.Header{Type: unix.RTM_GETADDR, Flags: netlink.Request | netlink.Dump},
			Data:   make([]byte, ifAddrMsgLen), // AF_UNSPEC: every family
		})
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		entries = make([]addrEntry, 0, len(reply))
		torn := false
		for _, m := range reply {
			torn = torn || m.Header.Flags&netlink.DumpInterrupted != 0
			if m.Header.Type != unix.RTM_NEWADDR {
				continue
			}
			e, ok, err := parseAddr(m.Data)
			if err != nil {
				return nil, fmt.Errorf("list addresses: %w", err)
			}
			if ok {
				entries = append(entries, e)
			}
		}
		if !torn {
			return entries, nil
		}
		if try == dumpTries {
			return nil, fmt.Errorf("list addresses: they changed during each of %d tries", dumpTries)
		}
	}
}

// index finds a link that the last survey saw, or a newer one.
func (k *Netlink) index(link string) (uint32, error) {
	if i, ok := k.indexes[link]; ok {
		return i, nil
	}
	links, err := k.readLinks()
	if err != nil {
		return 0, err
	}
	k.indexes = make(map[string]uint32, len(links))
	for _, l := range links {
		k.indexes[l.Name] = uint32(l.Index)
	}
	if i, ok := k.indexes[link]; ok {
		return i, nil
	}
	return 0, fmt.Errorf("%w: %s", ErrNoLink, link)
}

// promoteSecondaries makes the kernel keep the other addresses of a subnet when its first one goes. Off, which is the
// kernel's default (systemd switches it on), removing a VIP that happens to be first in its subnet on the link
// removes the host's own address too (net/ipv4/devinet.c, __inet_del_ifa), and so does its lifetime's end, when we may be
// dead: so it is set before the first address is put. By netlink rather than /proc/sys, which containers mount read-only.
func (k *Netlink) promoteSecondaries(index uint32) error {
	if k.promoted[index] {
		return nil
	}
	if err := k.setDevconf(index, map[uint16]uint32{devconfPromoteSecondaries: 1}); err != nil {
		return fmt.Errorf("set promote_secondaries: %w", err)
	}
	k.promoted[index] = true
	return nil
}
