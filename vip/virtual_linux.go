package vip

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// isVirtual says that we made the link, now or before this process.
func isVirtual(l vnl.Link) bool {
	return l.Type() == "macvlan" && made(l.Attrs().Name, l.Attrs().HardwareAddr)
}

// MakeVirtual sees to it that the link is there, set as it has to be, and up or down; changed says that it was not.
//
// It is a macvlan in bridge mode: frames to the virtual MAC come to it and to nothing else, and frames to a group from that MAC, which are those of another
// host that has it, come to the parent as all others do, where such a host is listened for. In private mode, which keepalived uses, they would come to this link alone.
func (k *Netlink) MakeVirtual(v Virtual, up bool) (changed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed, err = k.makeVirtual(v, up)
	if err != nil {
		return changed, fmt.Errorf("link %s: %w", v, err)
	}
	return changed, nil
}

func (k *Netlink) makeVirtual(v Virtual, up bool) (changed bool, err error) {
	parent, err := k.linkByName(v.Parent)
	switch {
	case err != nil:
		return false, err
	case parent == nil:
		return false, fmt.Errorf("%w: %s", ErrNoLink, v.Parent)
	case parent.Attrs().EncapType != "ether":
		return false, fmt.Errorf("%w: %s is no Ethernet link: name another interface", ErrNoVirtual, v.Parent)
	case parent.Attrs().Flags&net.FlagUp == 0:
		return false, fmt.Errorf("%w: %s: ip link set %[2]s up", ErrLinkDown, v.Parent)
	}
	have, err := k.linkByName(v.Name())
	if err != nil {
		return false, err
	}
	if have != nil && !isVirtual(have) {
		return false, fmt.Errorf("%w: there is another link of that name: ip link del %s", ErrNoVirtual, v.Name())
	}
	if have != nil && !lies(have.(*vnl.Macvlan), parent) {
		if err := k.links.LinkDel(have); err != nil {
			return false, explainVirtual(err, v)
		}
		have, changed = nil, true
	}
	if have == nil {
		if have, err = k.addVirtual(v, parent); err != nil {
			return changed, explainVirtual(err, v)
		}
		changed = true
	}
	did, err := k.setVirtual(v, have, parent)
	changed = changed || did
	if err != nil {
		return changed, err
	}
	if is := have.Attrs().Flags&net.FlagUp != 0; is == up {
		return changed, nil
	}
	set := k.links.LinkSetDown
	if up {
		set = k.links.LinkSetUp
	}
	return true, explainVirtual(set(have), v)
}

// linkByName is nil when there is none.
func (k *Netlink) linkByName(name string) (vnl.Link, error) {
	l, err := k.links.LinkByName(name)
	if errors.As(err, &vnl.LinkNotFoundError{}) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask for link %s: %w", name, err)
	}
	return l, nil
}

// lies says that the link lies over its parent and is of the right mode. The kernel puts a macvlan that is to lie over a macvlan over what
// that one lies over.
func lies(l *vnl.Macvlan, parent vnl.Link) bool {
	lower, ns := parent.Attrs().Index, -1
	if _, is := parent.(*vnl.Macvlan); is {
		lower, ns = parent.Attrs().ParentIndex, parent.Attrs().NetNsID
	}
	return l.Mode == vnl.MACVLAN_MODE_BRIDGE && l.Attrs().ParentIndex == lower && l.Attrs().NetNsID == ns
}

// addVirtual makes the link, still down: it must send nothing before it is set.
func (k *Netlink) addVirtual(v Virtual, parent vnl.Link) (vnl.Link, error) {
	at := vnl.NewLinkAttrs()
	at.Name, at.ParentIndex, at.HardwareAddr = v.Name(), parent.Attrs().Index, v.MAC()
	at.Group = parent.Attrs().Group // for rules of a packet filter that name a group of links
	at.MTU, at.TxQLen = 0, -1
	if err := k.links.LinkAdd(&vnl.Macvlan{LinkAttrs: at, Mode: vnl.MACVLAN_MODE_BRIDGE}); err != nil {
		return nil, err
	}
	l, err := k.linkByName(v.Name())
	if err == nil && l == nil {
		err = fmt.Errorf("%w: %s is gone as soon as it was made; another program removes it (ip monitor link)", ErrNoLink, v.Name())
	}
	return l, err
}

// setVirtual sets what makes the link answer for its own addresses and for nothing else:
//
//   - arp_ignore 1: not for the host's addresses on other links, as Linux would, with the virtual MAC;
//   - arp_announce 2: it asks in the name of an address of its own;
//   - rp_filter 2 (loose): what it takes comes from hosts to which the route leads over the parent. Of this setting and
//     net.ipv4.conf.all.rp_filter the kernel takes the greater, so that 0 would not do where that one is 1;
//   - forwarding as on the parent: packets to services come in here;
//   - no address of its own making and no router's word (IPv6): a host has one MAC for that, and this is not the one.
func (k *Netlink) setVirtual(v Virtual, l, parent vnl.Link) (changed bool, err error) {
	index := uint32(l.Attrs().Index)
	above, err := k.devconf(uint32(parent.Attrs().Index))
	if err != nil {
		return false, fmt.Errorf("settings of %s: %w", v.Parent, err)
	}
	have, err := k.devconf(index)
	if err != nil {
		return false, fmt.Errorf("settings of %s: %w", v.Name(), err)
	}
	set := map[uint16]uint32{devconfARPIgnore: 1, devconfARPAnnounce: 2, devconfARPFilter: 0, devconfRPFilter: 2, devconfPromoteSecondaries: 1}
	if len(above) >= devconfForwarding {
		set[devconfForwarding] = above[devconfForwarding-1]
	}
	for id, x := range set {
		if len(have) >= int(id) && have[id-1] == x {
			delete(set, id)
		}
	}
	if len(set) > 0 {
		if err := k.setDevconf(index, set); err != nil {
			return false, fmt.Errorf("settings of %s: %w", v.Name(), explain(err, v.Name()))
		}
		changed = true
	}
	set6 := [][2]string{{"disable_ipv6", "1"}}
	if v.IPv6 {
		set6 = [][2]string{{"addr_gen_mode", "1"}, {"accept_ra", "0"}, {"autoconf", "0"}, {"router_solicitations", "0"}, {"accept_dad", "0"},
			{"dad_transmits", "0"}, {"accept_redirects", "0"}, {"disable_ipv6", "0"}}
	}
	err = k.in(func() error {
		for _, s := range set6 {
			did, err := setConf6(v.Name(), s[0], s[1])
			if errors.Is(err, fs.ErrNotExist) && !v.IPv6 {
				return nil // the kernel has no IPv6
			}
			if err != nil {
				return err
			}
			changed = changed || did
		}
		if v.IPv6 {
			return quiet()
		}
		return nil
	})
	return changed, err
}

// setConf6 sets an IPv6 setting of a link, for which there is no netlink message.
func setConf6(link, name, value string) (changed bool, err error) {
	file := "/proc/sys/net/ipv6/conf/" + link + "/" + name
	b, err := os.ReadFile(file)
	if err != nil {
		return false, fmt.Errorf("setting of %s: %w", link, err)
	}
	if strings.TrimSpace(string(b)) == value {
		return false, nil
	}
	if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
		return false, fmt.Errorf("%w: a link with a virtual MAC needs %s = %s: mount /proc/sys writable (%w)", ErrPermission, name, value, err)
	}
	return true, nil
}

// ProbeVirtual says why this host cannot have links with virtual MACs; nil: it can. It makes nothing: it asks for a macvlan over no link, which
// the kernel refuses for that, if it knows macvlans.
func ProbeVirtual() error {
	at := vnl.NewLinkAttrs()
	at.Name = virtualPrefix + "-probe"
	switch err := vnl.LinkAdd(&vnl.Macvlan{LinkAttrs: at, Mode: vnl.MACVLAN_MODE_BRIDGE}); {
	case errors.Is(err, unix.EOPNOTSUPP):
		return errors.New("its kernel has no macvlan: modprobe macvlan")
	case errors.Is(err, unix.EPERM):
		return errors.New("it may not make links: no NET_ADMIN")
	}
	f, err := os.OpenFile("/proc/sys/net/ipv6/conf/default/accept_ra", os.O_WRONLY, 0)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrNotExist): // no IPv6
		return nil
	}
	return fmt.Errorf("the settings of a link cannot be set: mount /proc/sys writable (%w)", err)
}

// RemoveVirtual removes a link that MakeVirtual made, with what is on it. That it is not there is no error.
func (k *Netlink) RemoveVirtual(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, err := k.linkByName(name)
	if err != nil || l == nil || !isVirtual(l) {
		return err
	}
	if err = k.links.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
		return explain(err, name)
	}
	if v, _ := parseVirtual(name); !v.IPv6 {
		return nil
	}
	left, err := k.readLinks()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(left, func(l Link) bool {
		v, _ := parseVirtual(l.Name)
		return l.Virtual && v.IPv6
	}) {
		return nil
	}
	return k.in(unquiet)
}

// explainVirtual turns the kernel's error numbers into ours where they have a cure.
func explainVirtual(err error, v Virtual) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w: this kernel has no macvlan (%w): modprobe macvlan", ErrNoVirtual, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: %s is a port of another link (%w): name that one as the interface", ErrNoVirtual, v.Parent, err)
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: another link over %s has %s (%w): does keepalived run on this host? (ip -d link show type macvlan)", ErrNoVirtual, v.Parent, v.MAC(), err)
	}
	return explain(err, v.Parent)
}
