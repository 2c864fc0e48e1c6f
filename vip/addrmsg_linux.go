package vip

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Numbers that golang.org/x/sys/unix lacks (linux/if_addr.h).
const (
	ifaProto = 11 // IFA_PROTO, since 5.18
	// ourProto is our mark: the value that ip(8) shows as "proto 0x51". The kernel itself uses 1 to 3.
	ourProto = 0x51

	ifAddrMsgLen  = 8  // struct ifaddrmsg
	cacheInfoLen  = 16 // struct ifa_cacheinfo
	noLifetimeEnd = 0xffffffff
)

// addrEntry is one RTM_NEWADDR or RTM_DELADDR message.
type addrEntry struct {
	index  uint32
	prefix netip.Prefix
	flags  uint32
	proto  uint8
	label  string
	valid  uint32 // seconds left, noLifetimeEnd for ever
}

// parseAddr reads the payload of an address message (struct ifaddrmsg and attributes, rtnetlink(7)). ok is false for
// families other than IPv4 and IPv6.
func parseAddr(b []byte) (e addrEntry, ok bool, err error) {
	if len(b) < ifAddrMsgLen {
		return e, false, fmt.Errorf("address message of %d bytes: too short", len(b))
	}
	family, bits := b[0], int(b[1])
	e.flags = uint32(b[2])
	e.index = binary.NativeEndian.Uint32(b[4:])
	e.valid = noLifetimeEnd
	if family != unix.AF_INET && family != unix.AF_INET6 {
		return e, false, nil
	}
	attrs, err := netlink.NewAttributeDecoder(b[ifAddrMsgLen:])
	if err != nil {
		return e, false, fmt.Errorf("address message: %w", err)
	}
	var local, address netip.Addr
	for attrs.Next() {
		switch attrs.Type() {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(attrs.Bytes())
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(attrs.Bytes())
		case unix.IFA_FLAGS: // replaces the eight bits of the header
			e.flags = attrs.Uint32()
		case unix.IFA_LABEL:
			e.label = attrs.String()
		case unix.IFA_CACHEINFO:
			if c := attrs.Bytes(); len(c) >= cacheInfoLen {
				e.valid = binary.NativeEndian.Uint32(c[4:])
			}
		case ifaProto:
			e.proto = attrs.Uint8()
		}
	}
	if err := attrs.Err(); err != nil {
		return e, false, fmt.Errorf("address message: %w", err)
	}
	// With a peer, local is the host's own address and the prefix length is the peer's.
	switch {
	case !local.IsValid():
		local = address
	case address.IsValid() && local != address:
		bits = local.BitLen()
	}
	want := 4
	if family == unix.AF_INET6 {
		want = 16
	}
	if local.BitLen() != want*8 {
		return e, false, fmt.Errorf("address message: family %d without an address of it", family)
	}
	e.prefix = netip.PrefixFrom(local, bits)
	if !e.prefix.IsValid() {
		return e, false, fmt.Errorf("address message: %s with prefix length %d", local, bits)
	}
	return e, true, nil
}

// validFor is the rest of the lifetime as [Address].ValidFor has it.
func (e addrEntry) validFor() time.Duration {
	if e.valid == noLifetimeEnd {
		return Forever
	}
	return time.Duration(e.valid) * time.Second
}

// encodePut is the payload of a RTM_NEWADDR for w. label is for kernels without IFA_PROTO.
//
// noprefixroute: the subnet's route belongs to the host's own address, and a VIP that brings one takes it along when it
// goes. nodad: the address must answer at once, and the lease has settled that nobody else holds it; duplicate address
// detection would keep it silent for a second or more.
//
// The preferred lifetime of an IPv6 address is zero, which makes it deprecated (RFC 4862 section 5.5.4): it answers and
// serves as ever, but the host does not choose it as the source of connections of its own (RFC 6724 rule 3) while it has
// another. Those would break when the VIP moves, and so would probes of real servers and masqueraded connections
// before it came. IPv4 has no such choice: there it is the valid lifetime, because the flag would only look odd.
func encodePut(index uint32, w Wanted, label string) ([]byte, error) {
	addr := w.Prefix.Addr()
	valid := uint32(min(wholeSeconds(w.Lifetime)/time.Second, noLifetimeEnd-1))
	preferred, flags := valid, uint32(unix.IFA_F_NOPREFIXROUTE)
	if bringsRoute(addr, w.parent != "") {
		flags = 0
	}
	if addr.Is6() {
		preferred = 0
		flags |= unix.IFA_F_NODAD
	}
	var life [cacheInfoLen]byte
	binary.NativeEndian.PutUint32(life[0:], preferred)
	binary.NativeEndian.PutUint32(life[4:], valid)

	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.IFA_LOCAL, addr.AsSlice())
	ae.Bytes(unix.IFA_ADDRESS, addr.AsSlice())
	ae.Uint32(unix.IFA_FLAGS, flags)
	ae.Bytes(unix.IFA_CACHEINFO, life[:])
	ae.Uint8(ifaProto, ourProto)
	if label != "" && addr.Is4() {
		ae.String(unix.IFA_LABEL, label)
	}
	return addrPayload(index, w.Prefix, ae)
}

// bringsRoute says that an address brings the route of its subnet along: a link-local one on a link that has nothing but what we put there.
// Neighbours that ask it by their own link-local addresses get their answers that way.
func bringsRoute(addr netip.Addr, virtual bool) bool {
	return virtual && addr.Is6() && addr.IsLinkLocalUnicast()
}

// encodeRemove is the payload of a RTM_DELADDR. Without IFA_ADDRESS the kernel matches the local address alone, so that
// one with a peer goes too.
func encodeRemove(index uint32, p netip.Prefix) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
	return addrPayload(index, p, ae)
}

// encodeProbe is the payload of a RTM_NEWADDR that no kernel carries out, but which those that know IFA_PROTO refuse
// for another reason than those that do not: its IFA_PROTO is empty, and its link does not exist.
func encodeProbe() ([]byte, error) {
	p := netip.MustParsePrefix("192.0.2.1/32")
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
	ae.Bytes(ifaProto, nil)
	return addrPayload(0x7fffffff, p, ae)
}

// addrPayload puts struct ifaddrmsg in front of attributes.
func addrPayload(index uint32, p netip.Prefix, ae *netlink.AttributeEncoder) ([]byte, error) {
	attrs, err := ae.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode address %s: %w", p, err)
	}
	b := make([]byte, ifAddrMsgLen, ifAddrMsgLen+len(attrs))
	b[0] = unix.AF_INET
	if p.Addr().Is6() {
		b[0] = unix.AF_INET6
	}
	b[1] = byte(p.Bits())
	binary.NativeEndian.PutUint32(b[4:], index)
	return append(b, attrs...), nil
}
