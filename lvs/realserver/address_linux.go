package realserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	ifaProto = 11 // IFA_PROTO, kernels since 5.18 (linux/if_addr.h); the library does not know it
	// ourProto is what ip(8) shows as "proto 0x52". It is not that of the addresses that a director owns (0x51): the agent
	// takes those off where it does not own them, and a director may be a real server too.
	ourProto = 0x52
)

// request is one about addresses.
func request(typ, flags, index int, p netip.Prefix) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(typ, flags)
	msg := nl.NewIfAddrmsg(unix.AF_INET)
	if p.Addr().Is6() {
		msg.Family = unix.AF_INET6
	}
	msg.Prefixlen = uint8(p.Bits())
	msg.Index = uint32(index)
	if p.Addr().Is4() {
		msg.Scope = unix.RT_SCOPE_HOST
	}
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, p.Addr().AsSlice()))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, p.Addr().AsSlice()))
	return req
}

// addAddress puts an address on a link. Its scope, and in IPv6 its preferred lifetime of zero, keep the host from choosing it as the
// source of connections of its own (RFC 6724 section 5 rule 3; net/ipv4/devinet.c, inet_select_addr).
func addAddress(index int, p netip.Prefix, label string) error {
	req := request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK, index, p)
	req.AddData(nl.NewRtAttr(ifaProto, []byte{ourProto}))
	if p.Addr().Is6() {
		req.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(shape)))
		forever := ^uint32(0)
		req.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, (&nl.IfaCacheInfo{IfaCacheinfo: unix.IfaCacheinfo{Prefered: 0, Valid: forever}}).Serialize()))
	} else if label != "" {
		req.AddData(nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(label)))
	}
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// shape are the flags that our IPv6 addresses are put with; being deprecated follows from the preferred lifetime.
const shape = unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE

func removeAddress(index int, p netip.Prefix) error {
	_, err := request(unix.RTM_DELADDR, unix.NLM_F_ACK, index, p).Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// readAddresses lists the addresses of all links of both families.
func readAddresses(names map[int]string) ([]address, error) {
	messages, err := dumped(func() ([][]byte, error) {
		req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
		req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
		return req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	})
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("list addresses: they change all the time: %w", err)
	}
	var out []address
	for _, b := range messages {
		a, ok, err := parseAddress(b, names)
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		if ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// parseAddress reads the payload of one RTM_NEWADDR (rtnetlink(7)); ok is false for other families, and for links that came since.
func parseAddress(b []byte, names map[int]string) (a address, ok bool, err error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return a, false, fmt.Errorf("a message of %d bytes", len(b))
	}
	msg := nl.DeserializeIfAddrmsg(b)
	name, known := names[int(msg.Index)]
	if !known || msg.Family != unix.AF_INET && msg.Family != unix.AF_INET6 {
		return a, false, nil
	}
	list := slices.Clone(b[unix.SizeofIfAddrmsg:])
	list = append(list, make([]byte, -len(list)&(unix.NLA_ALIGNTO-1))...) // the library panics where the last one is not padded
	attrs, err := nl.ParseRouteAttr(list)
	if err != nil {
		return a, false, err
	}
	flags := uint32(msg.IfAddrmsg.Flags)
	var local, remote netip.Addr
	for _, x := range attrs {
		switch x.Attr.Type {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(x.Value)
		case unix.IFA_ADDRESS:
			remote, _ = netip.AddrFromSlice(x.Value)
		case unix.IFA_LABEL:
			a.marked = a.marked || label(name) != "" && string(x.Value) == label(name)+"\x00"
		case unix.IFA_FLAGS:
			if len(x.Value) == 4 {
				flags = nl.NativeEndian().Uint32(x.Value)
			}
		case ifaProto:
			a.marked = a.marked || len(x.Value) == 1 && x.Value[0] == ourProto
		}
	}
	bits := int(msg.Prefixlen)
	if !local.IsValid() {
		local = remote
	} else if remote.IsValid() && remote != local {
		bits = local.BitLen() // the length is the peer's
	}
	a.link, a.prefix = name, netip.PrefixFrom(local, bits)
	a.shaped = local.Is6() && flags&shape == shape && flags&unix.IFA_F_DEPRECATED != 0
	if !a.prefix.IsValid() {
		return a, false, fmt.Errorf("address %s with prefix length %d", local, bits)
	}
	return a, true, nil
}
