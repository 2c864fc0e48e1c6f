package vip

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ndp"
)

const (
	etherTypeARP  = 0x0806
	etherTypeIPv6 = 0x86dd
)

var (
	broadcast    = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodesMAC  = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1} // RFC 2464 section 7
	allNodes     = netip.MustParseAddr("ff02::1")
	noHardware   = net.HardwareAddr{0, 0, 0, 0, 0, 0}
	ndpHopLimit  = byte(255) // RFC 4861 section 7.1.2: receivers drop any other
	protoICMPv6  = byte(58)
	ipv6HeaderSz = 40
)

// announcement builds the Ethernet frame by which mac claims addr, and says where it goes.
func announcement(mac net.HardwareAddr, addr netip.Addr) (frame []byte, to net.HardwareAddr, err error) {
	if len(mac) != 6 {
		return nil, nil, fmt.Errorf("%w: %q is no Ethernet address", ErrNoNeighbours, mac)
	}
	if addr.Is4() {
		frame, err = gratuitousARP(mac, addr)
		return frame, broadcast, err
	}
	frame, err = unsolicitedNA(mac, addr)
	return frame, allNodesMAC, err
}

// gratuitousARP is an ARP Announcement: a request, broadcast, whose sender and target protocol address are both addr
// (RFC 5227 section 2.3).
//
// A request and not a reply: RFC 5227 section 3 finds that every implementation updates its cache from a request, while
// some ignore replies that they did not ask for; Linux takes a gratuitous request at once, even within its lock time, and
// a reply only with the right target hardware address (net/ipv4/arp.c, arp_is_garp). keepalived sends requests too. One
// form is enough, and half the frames. The target hardware address is zero, as RFC 5227 wants it; nobody reads it.
func gratuitousARP(mac net.HardwareAddr, addr netip.Addr) ([]byte, error) {
	p, err := arp.NewPacket(arp.OperationRequest, mac, addr, noHardware, addr)
	if err != nil {
		return nil, fmt.Errorf("gratuitous ARP: %w", err)
	}
	b, err := p.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("gratuitous ARP: %w", err)
	}
	return append(etherHeader(broadcast, mac, etherTypeARP), b...), nil
}

// unsolicitedNA is a neighbour advertisement to all nodes (RFC 4861 section 7.2.6): override set, so that caches take the
// new link-layer address at once; solicited not, as it must not be in multicast; router not, because the VIP of a load
// balancer is no host's next hop, and a host that learnt one from it would use it. Its source is the address itself,
// which the link is sure to have (a link-local one it may not), as keepalived does.
func unsolicitedNA(mac net.HardwareAddr, addr netip.Addr) ([]byte, error) {
	icmp, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Override:      true,
		TargetAddress: addr,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
	}, addr, allNodes)
	if err != nil {
		return nil, fmt.Errorf("neighbour advertisement: %w", err)
	}
	b := etherHeader(allNodesMAC, mac, etherTypeIPv6)
	b = append(b, 0x60, 0, 0, 0) // version 6, no traffic class, no flow label
	b = binary.BigEndian.AppendUint16(b, uint16(len(icmp)))
	b = append(b, protoICMPv6, ndpHopLimit)
	b = append(b, addr.AsSlice()...)
	b = append(b, allNodes.AsSlice()...)
	return append(b, icmp...), nil
}

// etherHeader starts a frame, with room for what we send.
func etherHeader(to, from net.HardwareAddr, etherType uint16) []byte {
	b := make([]byte, 0, 14+ipv6HeaderSz+32)
	b = append(b, to...)
	b = append(b, from...)
	return binary.BigEndian.AppendUint16(b, etherType)
}
