package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs/sysctl"
)

// Host is one machine of the lab. Its name, hardware address, prefixes, sysctls and directory outlive a loss of power;
// its kernel state (addresses that programs added, rules, connections) does not, as on a real machine.
type Host struct {
	Name     string
	MAC      net.HardwareAddr
	Prefixes []netip.Prefix // addresses of eth0 with their subnets
	Dir      string         // logs and data of its programs

	lab *Lab

	mu        sync.Mutex
	ns        *namespace // nil while the power is off
	wreck     *namespace // what the power was taken from, until it is on again
	sysctls   [][2]string
	silent    []netip.Addr // on lo: see AnswerFor
	processes []*Process
	disks     []*Disk
	logs      int // numbers log files
}

func newHost(l *Lab, name string, number int, prefixes []netip.Prefix) *Host {
	return &Host{
		Name: name, lab: l, Prefixes: slices.Clone(prefixes), Dir: filepath.Join(l.Dir, name),
		MAC: net.HardwareAddr{0x02, 0, 0, 0, byte(number >> 8), byte(number)},
		sysctls: [][2]string{
			{"net.ipv6.conf.default.accept_dad", "0"},
			{"net.ipv6.conf.default.dad_transmits", "0"},
			{"net.ipv6.conf.default.accept_ra", "0"},
			{"net.ipv6.conf.default.router_solicitations", "0"},
		},
	}
}

// Addr returns the host's first IPv4 address, or its first address if it has none.
func (h *Host) Addr() netip.Addr {
	for _, p := range h.Prefixes {
		if p.Addr().Is4() {
			return p.Addr()
		}
	}
	if len(h.Prefixes) > 0 {
		return h.Prefixes[0].Addr()
	}
	return netip.Addr{}
}

// addr6 returns the host's first IPv6 address.
func (h *Host) addr6() (netip.Addr, bool) {
	for _, p := range h.Prefixes {
		if p.Addr().Is6() {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// namespace returns the host's namespace, or an error while its power is off.
func (h *Host) namespace() (*namespace, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ns == nil {
		return nil, fmt.Errorf("host %s: the power is off", h.Name)
	}
	return h.ns, nil
}

// Do runs f on a thread inside the host's namespace: sockets that f opens belong to the host, also when they are used
// elsewhere afterwards. Goroutines that f starts are outside.
func (h *Host) Do(f func() error) error {
	ns, err := h.namespace()
	if err != nil {
		return err
	}
	return ns.do(f)
}

// Path is a file through which another process can enter the host's network namespace, for nsenter --net=PATH.
func (h *Host) Path() (string, error) {
	ns, err := h.namespace()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.fd), nil
}

// Sysctl sets a sysctl of the host's network, e.g. "net.ipv4.ip_forward", now and after each loss of power.
func (h *Host) Sysctl(key, value string) error {
	h.mu.Lock()
	h.sysctls = append(h.sysctls, [2]string{key, value})
	ns := h.ns
	h.mu.Unlock()
	if ns == nil {
		return nil
	}
	return ns.sysctl(key, value)
}

// ReadSysctl reads a sysctl of the host's network. The error of one that the kernel does not have is an fs.ErrNotExist.
func (h *Host) ReadSysctl(key string) (value string, err error) {
	err = h.Do(func() (err error) { value, err = sysctl.Read(key); return err })
	return value, err
}

func (n *namespace) sysctl(key, value string) error {
	path := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
	err := n.do(func() error { return os.WriteFile(path, []byte(value), 0o644) })
	if err != nil {
		return fmt.Errorf("set %s = %s: %w", key, value, err)
	}
	return nil
}

// Links is a netlink handle of the host's namespace, valid until its power is cut.
func (h *Host) Links() (*netlink.Handle, error) {
	ns, err := h.namespace()
	if err != nil {
		return nil, err
	}
	return ns.links, nil
}

// Addresses lists what eth0 carries now, and what is on virtual MACs over it; link-local addresses left out.
func (h *Host) Addresses() ([]netip.Prefix, error) {
	nl, err := h.Links()
	if err != nil {
		return nil, err
	}
	links, err := nl.LinkList()
	if err != nil {
		return nil, fmt.Errorf("host %s: list links: %w", h.Name, err)
	}
	on := map[int]bool{}
	for _, l := range links {
		on[l.Attrs().Index] = l.Attrs().Name == "eth0" || l.Type() == "macvlan"
	}
	list, err := nl.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("host %s: list addresses: %w", h.Name, err)
	}
	var out []netip.Prefix
	for _, a := range list {
		if !on[a.LinkIndex] {
			continue
		}
		ip, _ := netip.AddrFromSlice(a.IP)
		bits, _ := a.Mask.Size()
		if p := netip.PrefixFrom(ip.Unmap(), bits); !p.Addr().IsLinkLocalUnicast() {
			out = append(out, p)
		}
	}
	return out, nil
}

// Carries reports whether the host has the address now: see [Host.Addresses].
func (h *Host) Carries(a netip.Addr) (bool, error) {
	list, err := h.Addresses()
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Addr() == a }), err
}

// RemoveAddress takes an address off eth0, as a careless operator would.
func (h *Host) RemoveAddress(p netip.Prefix) error {
	nl, err := h.Links()
	if err != nil {
		return err
	}
	eth0, err := nl.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("host %s: find eth0: %w", h.Name, err)
	}
	if err := nl.AddrDel(eth0, &netlink.Addr{IPNet: ipNet(p)}); err != nil {
		return fmt.Errorf("host %s: remove %s: %w", h.Name, p, err)
	}
	return nil
}

// AddAddress gives eth0 one more address, now and after each loss of power.
func (h *Host) AddAddress(p netip.Prefix) error {
	h.mu.Lock()
	h.Prefixes = append(h.Prefixes, p)
	ns := h.ns
	h.mu.Unlock()
	if ns == nil {
		return nil
	}
	return h.addTo(ns, p)
}

// Readdress gives the host other addresses for when it is switched on again.
func (h *Host) Readdress(prefixes ...netip.Prefix) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ns != nil {
		return fmt.Errorf("host %s: cut its power before it is given other addresses", h.Name)
	}
	h.Prefixes = slices.Clone(prefixes)
	return nil
}

// Tables lists the nftables tables of the host's kernel, as "family number, name".
func (h *Host) Tables() ([]string, error) {
	ns, err := h.namespace()
	if err != nil {
		return nil, err
	}
	nft, err := nftables.New(nftables.WithNetNSFd(ns.fd))
	if err != nil {
		return nil, fmt.Errorf("host %s: open nftables: %w", h.Name, err)
	}
	list, err := nft.ListTables()
	if err != nil {
		return nil, fmt.Errorf("host %s: list tables: %w", h.Name, err)
	}
	var out []string
	for _, t := range list {
		out = append(out, fmt.Sprintf("%d %s", t.Family, t.Name))
	}
	return out, nil
}

func (h *Host) addTo(ns *namespace, p netip.Prefix) error {
	eth0, err := ns.links.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("host %s: find eth0: %w", h.Name, err)
	}
	a := &netlink.Addr{IPNet: ipNet(p)}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	if err := ns.links.AddrAdd(eth0, a); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("host %s: add %s: %w", h.Name, p, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
