package probe

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ndp"
)

const (
	etherTypeARP  = 0x0806
	etherTypeIPv6 = 0x86dd

	etherHeader = 14
	ipv6Header  = 40
	protoICMPv6 = 58
	// ndpHopLimit: a lower one has been forwarded, and no host takes it (RFC 4861 section 7.1).
	ndpHopLimit = 255
)

var broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// question is the frame by which the holder of mac asks who has target, and where it goes. source is the asker's own address
// on the link; it matters to IPv6 only.
func question(mac MAC, source, target netip.Addr) (frame []byte, to MAC, err error) {
	if target.Is4() {
		frame, err = arpProbe(mac, target)
		return frame, broadcast, err
	}
	return solicitation(mac, source, target)
}

// arpProbe is an ARP Probe: a request, broadcast, without a sender address, so that nobody learns from it (RFC 5227 section
// 2.1.1). Linux answers it as any other (net/ipv4/arp.c, arp_process, "Special case: IPv4 duplicate address detection").
func arpProbe(mac MAC, target netip.Addr) ([]byte, error) {
	p, err := arp.NewPacket(arp.OperationRequest, mac[:], netip.IPv4Unspecified(), make([]byte, 6), target)
	if err != nil {
		return nil, fmt.Errorf("ARP probe: %w", err)
	}
	b, err := p.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("ARP probe: %w", err)
	}
	return append(header(broadcast, mac, etherTypeARP), b...), nil
}

// solicitation asks the solicited-node group of target, in the name of source (RFC 4861 section 7.2.2). Without a source it would be a
// duplicate address detection: the word of somebody about to take the address.
func solicitation(mac MAC, source, target netip.Addr) ([]byte, MAC, error) {
	group, err := ndp.SolicitedNodeMulticast(target)
	if err != nil {
		return nil, MAC{}, fmt.Errorf("neighbour solicitation: %w", err)
	}
	icmp, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{
		TargetAddress: target,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac[:]}},
	}, source, group)
	if err != nil {
		return nil, MAC{}, fmt.Errorf("neighbour solicitation: %w", err)
	}
	g := group.As16()
	to := MAC{0x33, 0x33, g[12], g[13], g[14], g[15]} // RFC 2464 section 7
	b := header(to, mac, etherTypeIPv6)
	b = append(b, 0x60, 0, 0, 0) // version 6, no traffic class, no flow label
	b = binary.BigEndian.AppendUint16(b, uint16(len(icmp)))
	b = append(b, protoICMPv6, ndpHopLimit)
	b = append(b, source.AsSlice()...)
	b = append(b, g[:]...)
	return append(b, icmp...), to, nil
}

func header(to, from MAC, etherType uint16) []byte {
	b := make([]byte, 0, etherHeader+ipv6Header+32)
	b = append(append(b, to[:]...), from[:]...)
	return binary.BigEndian.AppendUint16(b, etherType)
}

// Claim is what a frame makes its hearers believe: that Addr is at MAC.
type Claim struct {
	Addr netip.Addr
	MAC  MAC
}

// ParseClaim reads a frame from its Ethernet header on. ok is false for what claims nothing: questions without a sender, other
// protocols, and what no host would take.
func ParseClaim(frame []byte) (c Claim, ok bool) {
	if len(frame) < etherHeader {
		return Claim{}, false
	}
	payload := frame[etherHeader:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherTypeARP:
		c, ok = parseARP(payload)
	case etherTypeIPv6:
		c, ok = parseNDP(payload, MAC(frame[6:12]))
	}
	return c, ok && c.MAC.station()
}

// parseARP: whoever is named as the sender is learnt, from requests and replies alike (RFC 826).
func parseARP(b []byte) (Claim, bool) {
	var p arp.Packet
	if p.UnmarshalBinary(b) != nil || p.HardwareType != 1 || p.ProtocolType != 0x0800 || p.IPLength != 4 {
		return Claim{}, false
	}
	mac, ok := macOf(p.SenderHardwareAddr)
	if !ok || p.Operation != arp.OperationRequest && p.Operation != arp.OperationReply || p.SenderIP.IsUnspecified() {
		return Claim{}, false
	}
	return Claim{Addr: p.SenderIP, MAC: mac}, true
}

// parseNDP takes advertisements, and solicitations that are asked in an address's name. An answer to one host may leave the
// link-layer address out (RFC 4861 section 4.4); then it is the sender's. The checksum is not looked at: the kernel drops
// what is wrong before anybody learns from it.
func parseNDP(b []byte, from MAC) (Claim, bool) {
	if len(b) < ipv6Header || b[0]>>4 != 6 || b[6] != protoICMPv6 || b[7] != ndpHopLimit {
		return Claim{}, false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n > len(b)-ipv6Header {
		return Claim{}, false
	}
	source := netip.AddrFrom16([16]byte(b[8:24]))
	m, err := ndp.ParseMessage(b[ipv6Header:][:n])
	if err != nil {
		return Claim{}, false
	}
	switch m := m.(type) {
	case *ndp.NeighborAdvertisement:
		return claimOf(m.TargetAddress, m.Options, ndp.Target, from)
	case *ndp.NeighborSolicitation:
		if source.IsUnspecified() {
			return Claim{}, false
		}
		return claimOf(source, m.Options, ndp.Source, from)
	}
	return Claim{}, false
}

func claimOf(addr netip.Addr, options []ndp.Option, d ndp.Direction, from MAC) (Claim, bool) {
	if addr.Is4In6() || addr.IsMulticast() || addr.IsUnspecified() {
		return Claim{}, false
	}
	for _, o := range options {
		if l, ok := o.(*ndp.LinkLayerAddress); ok && l.Direction == d {
			mac, ok := macOf(l.Addr)
			return Claim{Addr: addr, MAC: mac}, ok
		}
	}
	return Claim{Addr: addr, MAC: from}, true
}
