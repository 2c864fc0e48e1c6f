package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// portsOf are the kinds of links whose ports are not gated, but they are. A port hands every frame to its master, or to
// another port: at the master the frames of this host are seen once, and what is only forwarded, as the traffic of
// bridged guests is, is nobody's claim.
var portsOf = []string{"bridge", "bond", "team", "openvswitch"}

// gated returns the links that are to carry the gate, and the ports that are not (see [Report]): all Ethernet links, up
// or not, since addresses and routes make the kernel answer and send on any of them.
func gated(nl *netlink.Handle) ([]Link, map[string]string, error) {
	var list []netlink.Link
	var err error
	for range 5 { // it may change while it is read
		if list, err = nl.LinkList(); err == nil {
			break
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list links: %w", err)
	}
	byIndex := make(map[int]netlink.Link, len(list))
	for _, l := range list {
		byIndex[l.Attrs().Index] = l
	}
	var links []Link
	ports := map[string]string{}
	for _, l := range list {
		at := l.Attrs()
		if at.EncapType != "ether" {
			continue
		}
		if m, ok := byIndex[at.MasterIndex]; ok && at.MasterIndex != 0 && slices.Contains(portsOf, m.Type()) {
			ports[at.Name] = m.Attrs().Name
			continue
		}
		links = append(links, Link{Name: at.Name, Index: at.Index})
	}
	slices.SortFunc(links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	return links, ports, nil
}
