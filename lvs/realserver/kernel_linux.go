package realserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"quorate/lvs/durable"
)

// Open returns this host, of the calling thread's network namespace, with the record of what was made in the file state;
// empty = DefaultState.
func Open(state string) (*Server, error) {
	if state == "" {
		state = DefaultState
	}
	return &Server{path: state, kernel: linux{}}, nil
}

// linux is the Linux kernel. Each call opens its own sockets: it is made for a few in the life of a process.
type linux struct{}

func (linux) identity() (string, error) {
	here, err := durable.Here()
	if err != nil {
		return "", fmt.Errorf("tell whether what was made is there still: %w", err)
	}
	return here.Boot + " " + here.Namespace, nil
}

func (linux) read(sysctls []string, listeners bool) (host, error) {
	h := host{sysctls: map[string]string{}, links: map[string]link{}, listeners: map[string]string{}, gateways: map[string]string{}}
	for _, path := range sysctls {
		b, err := os.ReadFile("/proc/sys/" + path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return h, fmt.Errorf("read sysctl: %w", err)
		}
		h.sysctls[path] = strings.TrimSpace(string(b))
	}
	n, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return h, fmt.Errorf("open rtnetlink: %w", err)
	}
	defer n.Close()
	names, err := readLinks(n, h)
	if err != nil {
		return h, err
	}
	if h.addresses, err = readAddresses(names); err != nil {
		return h, err
	}
	for family, af := range map[string]int{IPv4: unix.AF_INET, IPv6: unix.AF_INET6} {
		if err := readGateway(n, h, family, af, names); err != nil {
			return h, err
		}
		if listeners {
			readListeners(h, family, af)
		}
	}
	return h, nil
}

// patience is how often a list is asked for again that changed while it was read.
const patience = 5

// dumped asks again for a list that changed while it was read.
func dumped[T any](ask func() ([]T, error)) (list []T, err error) {
	for range patience {
		if list, err = ask(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return list, err
}

func readLinks(n *netlink.Handle, h host) (names map[int]string, err error) {
	links, err := dumped(n.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	names = make(map[int]string, len(links))
	for _, l := range links {
		a := l.Attrs()
		names[a.Index] = a.Name
		h.links[a.Name] = link{kind: kindOf(l), external: external(l), up: a.RawFlags&unix.IFF_UP != 0,
			answers: a.RawFlags&(unix.IFF_NOARP|unix.IFF_LOOPBACK) == 0}
	}
	return names, nil
}

// kindOf is the kind as ip(8) names it. The library tells the two kinds of gre apart by an address, which those that take packets in
// from everywhere have not; the names of both are ours alone, and their hardware types differ (linux/if_arp.h).
func kindOf(l netlink.Link) string {
	if _, ok := l.(*netlink.Gretun); ok {
		if l.Attrs().EncapType == "unknown"+strconv.Itoa(unix.ARPHRD_IP6GRE) {
			return "ip6gre"
		}
		return "gre"
	}
	return l.Type()
}

func external(l netlink.Link) bool {
	switch l := l.(type) {
	case *netlink.Iptun:
		return l.FlowBased
	case *netlink.Ip6tnl:
		return l.FlowBased
	case *netlink.Gretun:
		return l.FlowBased
	}
	return false
}

// readGateway finds the interface of the default route with the lowest metric.
func readGateway(n *netlink.Handle, h host, family string, af int, names map[int]string) error {
	routes, err := dumped(func() ([]netlink.Route, error) {
		return n.RouteListFiltered(af, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	best := -1
	for _, r := range routes {
		if r.Dst != nil {
			if ones, _ := r.Dst.Mask.Size(); ones > 0 {
				continue
			}
		}
		index := r.LinkIndex
		if index == 0 && len(r.MultiPath) > 0 {
			index = r.MultiPath[0].LinkIndex
		}
		if name := names[index]; name != "" && (best < 0 || r.Priority < best) {
			best, h.gateways[family] = r.Priority, name
		}
	}
	return nil
}

// readListeners reads the ports of the module fou. A kernel without it has none.
func readListeners(h host, family string, af int) {
	list, err := dumped(func() ([]netlink.Fou, error) { return netlink.FouList(af) })
	if err != nil {
		return
	}
	for _, l := range list {
		if l.Family != af {
			continue
		}
		kind := "fou"
		if l.EncapType == netlink.FOU_ENCAP_GUE {
			kind = GUE
		}
		h.listeners[family+"/"+strconv.Itoa(l.Port)] = kind
	}
}

func (linux) take(s Step) error {
	if s.Kind == KindSysctl {
		return writeSysctl(s)
	}
	n, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open rtnetlink: %w", err)
	}
	defer n.Close()
	switch s.Kind {
	case KindLink:
		return takeLink(n, s)
	case KindUp:
		l, err := n.LinkByName(s.Name)
		if err == nil {
			err = n.LinkSetUp(l)
		}
		return permitted(err)
	case KindListener:
		return takeListener(s)
	case KindAddress:
		return takeAddress(n, s)
	}
	return fmt.Errorf("there is no kind %q", s.Kind)
}

func writeSysctl(s Step) error {
	f, err := os.OpenFile("/proc/sys/"+s.Name, os.O_WRONLY, 0)
	if s.Back && errors.Is(err, fs.ErrNotExist) {
		return nil // its interface is gone
	}
	if err == nil {
		_, err = f.WriteString(s.To)
		err = errors.Join(err, f.Close())
	}
	if errors.Is(err, unix.EROFS) {
		return fmt.Errorf("/proc/sys cannot be written to: run this on the host, or give the container its own network sysctls: %w", err)
	}
	return permitted(err)
}

func takeLink(n *netlink.Handle, s Step) error {
	l, err := n.LinkByName(s.Name)
	if s.To == "" {
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			return nil
		}
		if err == nil {
			err = n.LinkDel(l)
		}
		return permitted(err)
	}
	err = n.LinkAdd(newLink(s.Name, s.To))
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		m := kinds[s.Name].module
		return fmt.Errorf("this kernel has no %s: run modprobe %s, and keep it in /etc/modules-load.d/: %w", m, m, err)
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("another device takes such packets in from everywhere already (see ip -d link show type %s): remove it, or choose another tunnel: %w", s.To, err)
	}
	return permitted(err)
}

func newLink(name, kind string) netlink.Link {
	a := netlink.NewLinkAttrs()
	a.Name = name
	switch kind {
	case "ipip":
		return &netlink.Iptun{LinkAttrs: a, FlowBased: true}
	case "ip6tnl":
		return &netlink.Ip6tnl{LinkAttrs: a, FlowBased: true}
	case "gre":
		// The address tells the library which gre is meant and does not go to the kernel.
		return &netlink.Gretun{LinkAttrs: a, FlowBased: true, Local: []byte{0, 0, 0, 0}}
	default:
		return &netlink.Gretun{LinkAttrs: a, FlowBased: true}
	}
}

// takeListener opens or closes a UDP port of the module fou. The library cannot: it sends a protocol with gue, which kernels refuse.
func takeListener(s Step) error {
	family, port, _ := strings.Cut(s.Name, "/")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("port %q: %w", port, err)
	}
	af, module := byte(unix.AF_INET), "fou"
	if family == IPv6 {
		af, module = unix.AF_INET6, "fou6"
	}
	attrs := []*nl.RtAttr{
		nl.NewRtAttr(netlink.FOU_ATTR_PORT, binary.BigEndian.AppendUint16(nil, uint16(n))),
		nl.NewRtAttr(netlink.FOU_ATTR_AF, []byte{af}),
	}
	command := netlink.FOU_CMD_DEL
	if s.To != "" {
		command = netlink.FOU_CMD_ADD
		attrs = append(attrs, nl.NewRtAttr(netlink.FOU_ATTR_TYPE, []byte{netlink.FOU_ENCAP_GUE}))
	}
	id, err := netlink.FouFamilyId()
	if err == nil {
		req := nl.NewNetlinkRequest(id, unix.NLM_F_ACK)
		req.AddRawData([]byte{command, 1, 0, 0}) // struct genlmsghdr
		for _, a := range attrs {
			req.AddRawData(a.Serialize())
		}
		_, err = req.Execute(unix.NETLINK_GENERIC, 0)
	}
	switch {
	case errors.Is(err, unix.EALREADY) && s.To != "":
		return nil
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT):
		return fmt.Errorf("this kernel takes in no gue: run modprobe %s, and keep it in /etc/modules-load.d/: %w", module, err)
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("a program of this host has UDP port %d already (see ss -ulnp): choose another --port, also at the director: %w", n, err)
	}
	return permitted(err)
}

func takeAddress(n *netlink.Handle, s Step) error {
	p, err := netip.ParsePrefix(s.Name)
	if err != nil {
		return err
	}
	l, err := n.LinkByName(s.Link)
	if err != nil {
		if s.To == "" && errors.As(err, &netlink.LinkNotFoundError{}) {
			return nil // it went with its device
		}
		return err
	}
	if s.To == "" {
		if err = removeAddress(l.Attrs().Index, p); errors.Is(err, unix.EADDRNOTAVAIL) {
			return nil
		}
		return permitted(err)
	}
	if err = addAddress(l.Attrs().Index, p, label(s.Link)); errors.Is(err, unix.EEXIST) {
		return nil
	}
	return permitted(err)
}

// permitted names the cure where a right is missing.
func permitted(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: run this as root (it needs NET_ADMIN)", err)
	}
	return err
}
