package realserver

import (
	"fmt"
	"net/netip"
	"slices"
)

// host is what the kernel has, as far as it matters here.
type host struct {
	sysctls   map[string]string // by path below /proc/sys; those that the kernel does not have are missing
	links     map[string]link
	addresses []address
	listeners map[string]string // of package fou: "ipv4/6080" → "gue" or "fou"
	gateways  map[string]string // the interface of the default route by family
}

type link struct {
	kind     string
	external bool // takes packets in from any host (collect metadata)
	up       bool
	answers  bool // it takes part in ARP, so that its addresses are known to its network
}

type address struct {
	link   string
	prefix netip.Prefix
	marked bool // has our protocol number or label
	shaped bool // IPv6, without a mark, and otherwise as we make them: all there is to see before 5.18
}

// kernel is what reads a host and takes steps.
type kernel interface {
	// identity is another one after a reboot and in another network namespace: nothing of what was made is there then.
	identity() (string, error)
	// read returns the host with these sysctls; listeners only where asked for, because that may load a module.
	read(sysctls []string, listeners bool) (host, error)
	// take carries one step out. What is already so is no error.
	take(Step) error
}

// find returns the address on that link.
func (h host) find(link string, a netip.Addr) (address, bool) {
	i := slices.IndexFunc(h.addresses, func(x address) bool { return x.link == link && x.prefix.Addr() == a })
	if i < 0 {
		return address{}, false
	}
	return h.addresses[i], true
}

// ourDevice says that a device of one of our names is one that we would make.
func (h host) ourDevice(name string) bool {
	l, ok := h.links[name]
	return ok && l.kind == kinds[name].kind && l.external
}

// choose names the interface on which packets for the VIP come in.
func (h host) choose(v VIP) (string, error) {
	if v.Interface != "" {
		if _, ok := h.links[v.Interface]; !ok {
			return "", fmt.Errorf("there is no interface %s: name the one on which packets for %s come in with --interface", v.Interface, v.Addr)
		}
		return v.Interface, nil
	}
	if v.Addr.Is6() {
		return "", nil
	}
	var found []string
	for _, a := range h.addresses {
		if h.links[a.link].answers && a.prefix.Bits() < a.prefix.Addr().BitLen() && a.prefix.Contains(v.Addr) && !slices.Contains(found, a.link) {
			found = append(found, a.link)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", fmt.Errorf("%v have a subnet of %s: name the one on which packets for it come in with --interface", found, v.Addr)
	}
	if g := h.gateways[IPv4]; g != "" {
		return g, nil
	}
	return "", fmt.Errorf("no interface has a subnet of %s, and there is no default route: name the interface on which packets for it come in with --interface", v.Addr)
}
