package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
)

// claim is what a frame says: this hardware address has that address.
type claim struct {
	addr    netip.Addr
	mac     net.HardwareAddr
	unasked bool
}

// question is the frame by which the host asks who has a: an ARP request, or a neighbour solicitation to the
// solicited-node group (RFC 4861 §7.2.2).
func question(h *Host, a netip.Addr) ([]byte, error) {
	if a.Is4() {
		p, err := arp.NewPacket(arp.OperationRequest, h.MAC, h.Addr(), make(net.HardwareAddr, 6), a)
		if err != nil {
			return nil, err
		}
		payload, err := p.MarshalBinary()
		if err != nil {
			return nil, err
		}
		return (&ethernet.Frame{Destination: ethernet.Broadcast, Source: h.MAC, EtherType: ethernet.EtherTypeARP, Payload: payload}).MarshalBinary()
	}
	src, ok := h.addr6()
	if !ok {
		return nil, fmt.Errorf("host %s has no IPv6 address to ask from", h.Name)
	}
	group, err := ndp.SolicitedNodeMulticast(a)
	if err != nil {
		return nil, err
	}
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{
		TargetAddress: a,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: h.MAC}},
	}, src, group)
	if err != nil {
		return nil, err
	}
	g := group.As16()
	return (&ethernet.Frame{
		Destination: net.HardwareAddr{0x33, 0x33, g[12], g[13], g[14], g[15]}, // RFC 2464 §7
		Source:      h.MAC, EtherType: ethernet.EtherTypeIPv6, Payload: append(ipv6Header(src, group, len(body)), body...),
	}).MarshalBinary()
}

// Announce says once from eth0, to all, that the host has an IPv4 address: a gratuitous ARP (RFC 5227 §3), whether it has
// it or not.
func (h *Host) Announce(a netip.Addr) error {
	p, err := arp.NewPacket(arp.OperationRequest, h.MAC, a, make(net.HardwareAddr, 6), a)
	if err != nil {
		return fmt.Errorf("host %s: announce %s: %w", h.Name, a, err)
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		return err
	}
	frame, err := (&ethernet.Frame{Destination: ethernet.Broadcast, Source: h.MAC, EtherType: ethernet.EtherTypeARP, Payload: payload}).MarshalBinary()
	if err != nil {
		return err
	}
	return h.Do(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return fmt.Errorf("host %s: find eth0: %w", h.Name, err)
		}
		conn, err := packet.Listen(eth0, packet.Raw, int(ethernet.EtherTypeARP), nil)
		if err != nil {
			return fmt.Errorf("host %s: announce %s: %w", h.Name, a, err)
		}
		defer conn.Close()
		_, err = conn.WriteTo(frame, &packet.Addr{HardwareAddr: ethernet.Broadcast})
		return err
	})
}

const (
	ipv6HeaderLen = 40
	protoICMPv6   = 58
)

// ipv6Header is that of an NDP message: hop limit 255 (RFC 4861 §3.1).
func ipv6Header(src, dst netip.Addr, payload int) []byte {
	b := make([]byte, ipv6HeaderLen)
	b[0] = 6 << 4
	binary.BigEndian.PutUint16(b[4:], uint16(payload))
	b[6], b[7] = protoICMPv6, ndp.HopLimit
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return b
}

// parseARP reads a frame that claims an IPv4 address: a reply, or a gratuitous one, whose sender and target are the same
// (RFC 5227 §3).
func parseARP(b []byte) (claim, bool) {
	var frame ethernet.Frame
	var p arp.Packet
	if frame.UnmarshalBinary(b) != nil || frame.EtherType != ethernet.EtherTypeARP || p.UnmarshalBinary(frame.Payload) != nil {
		return claim{}, false
	}
	if len(p.SenderHardwareAddr) != 6 {
		return claim{}, false // the length is the frame's own statement
	}
	gratuitous := p.SenderIP == p.TargetIP
	if p.Operation != arp.OperationReply && !gratuitous {
		return claim{}, false
	}
	return claim{p.SenderIP, p.SenderHardwareAddr, gratuitous}, true
}

var errNoAdvertisement = errors.New("not a neighbour advertisement")

// parseNDP reads a frame that claims an IPv6 address: a neighbour advertisement with its target's hardware address.
func parseNDP(b []byte) (claim, bool) {
	na, err := advertisement(b)
	if err != nil {
		return claim{}, false
	}
	for _, o := range na.Options {
		if l, ok := o.(*ndp.LinkLayerAddress); ok && l.Direction == ndp.Target {
			return claim{na.TargetAddress, l.Addr, !na.Solicited}, true
		}
	}
	return claim{}, false
}

func advertisement(b []byte) (*ndp.NeighborAdvertisement, error) {
	var frame ethernet.Frame
	if err := frame.UnmarshalBinary(b); err != nil {
		return nil, err
	}
	p := frame.Payload
	if frame.EtherType != ethernet.EtherTypeIPv6 || len(p) < ipv6HeaderLen || p[6] != protoICMPv6 || p[7] != ndp.HopLimit {
		return nil, errNoAdvertisement
	}
	msg, err := ndp.ParseMessage(p[ipv6HeaderLen:])
	if err != nil {
		return nil, err
	}
	na, ok := msg.(*ndp.NeighborAdvertisement)
	if !ok {
		return nil, errNoAdvertisement
	}
	return na, nil
}
