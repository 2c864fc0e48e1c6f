package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"golang.org/x/net/ipv6"
	"golang.org/x/sync/errgroup"
)

// claimGap is the least time between two frames that are read from a link: whoever floods it with claims is heard, and no more
// than that.
const claimGap = 5 * time.Millisecond

// Watch hears who claims addresses on a link, until ctx ends; then it returns nil. heard is called for each frame that another host sent, by one
// goroutine at a time for each family; it must not block. What this host says itself is left out.
//
// ARP is heard whoever it is for, requests and replies. Of IPv6 only advertisements to all nodes are heard, or to this host, by an ICMPv6
// socket: a packet socket would be shown every IPv6 packet of the link. A host that takes an address announces it so (RFC 4861 section
// 7.2.6), and so does one that answers a probe for duplicates.
func (p *Prober) Watch(ctx context.Context, link string, addrs []netip.Addr, heard func(Claim)) error {
	addrs = slices.Clone(addrs)
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	v6 := slices.IndexFunc(addrs, netip.Addr.Is6)
	if v6 < 0 {
		v6 = len(addrs)
	}
	var arps *packet.Conn
	var nas *ipv6.PacketConn
	var index int
	err := p.in(func() error {
		ifi, err := net.InterfaceByName(link)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrNoLink, link, err)
		}
		index = ifi.Index
		if v6 > 0 {
			raw, err := arpFilter(addrs[:v6])
			if err != nil {
				return err
			}
			if arps, err = packet.Listen(ifi, packet.Raw, etherTypeARP, &packet.Config{Filter: raw}); err != nil {
				return fmt.Errorf("watch %s: %w", link, err)
			}
		}
		if v6 < len(addrs) {
			if nas, err = listenNA(); err != nil {
				return fmt.Errorf("watch %s: %w", link, err)
			}
		}
		return nil
	})
	if arps != nil {
		defer arps.Close()
	}
	if nas != nil {
		defer nas.Close()
	}
	if err != nil {
		return err
	}
	tell := func(c Claim, asked []netip.Addr) {
		if _, ok := slices.BinarySearchFunc(asked, c.Addr, netip.Addr.Compare); ok && !p.ours(c.MAC) {
			heard(c)
		}
	}
	g, both := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-both.Done()
		if arps != nil {
			_ = arps.SetDeadline(time.Now())
		}
		if nas != nil {
			_ = nas.SetDeadline(time.Now())
		}
		return nil
	})
	if arps != nil {
		g.Go(func() error {
			b := make([]byte, 2048)
			for {
				n, _, err := arps.ReadFrom(b)
				if err != nil {
					return fmt.Errorf("watch %s: %w", link, err)
				}
				if c, ok := ParseClaim(b[:n]); ok {
					tell(c, addrs[:v6])
				}
				time.Sleep(claimGap)
			}
		})
	}
	if nas != nil {
		g.Go(func() error {
			b := make([]byte, 2048)
			for {
				n, cm, _, err := nas.ReadFrom(b)
				if err != nil {
					return fmt.Errorf("watch %s: %w", link, err)
				}
				if cm == nil || cm.IfIndex != index || cm.HopLimit != ndpHopLimit {
					continue
				}
				if c, ok := parseAdvertisement(b[:n]); ok {
					tell(c, addrs[v6:])
				}
				time.Sleep(claimGap)
			}
		})
	}
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// listenNA opens a socket for the neighbour advertisements that come to this host.
func listenNA() (*ipv6.PacketConn, error) {
	c, err := net.ListenPacket("ip6:ipv6-icmp", "::")
	if err != nil {
		return nil, err
	}
	nas := ipv6.NewPacketConn(c)
	var f ipv6.ICMPFilter
	f.SetAll(true)
	f.Accept(ipv6.ICMPTypeNeighborAdvertisement)
	if err := errors.Join(nas.SetICMPFilter(&f), nas.SetControlMessage(ipv6.FlagInterface|ipv6.FlagHopLimit, true)); err != nil {
		nas.Close()
		return nil, err
	}
	return nas, nil
}

// parseAdvertisement reads an advertisement without its IPv6 header. One that names no MAC changes nobody's cache here: whose
// frame it was is not known.
func parseAdvertisement(b []byte) (Claim, bool) {
	m, err := ndp.ParseMessage(b)
	if err != nil {
		return Claim{}, false
	}
	na, ok := m.(*ndp.NeighborAdvertisement)
	if !ok {
		return Claim{}, false
	}
	c, ok := claimOf(na.TargetAddress, na.Options, ndp.Target, MAC{})
	return c, ok && c.MAC.station()
}

// ours reports whether a MAC is one of this host's links. It is asked for claims of addresses that this host has, of which there are none as a
// rule, so nothing is remembered.
func (p *Prober) ours(m MAC) bool {
	found := false
	_ = p.in(func() error {
		list, err := net.Interfaces()
		for _, l := range list {
			hw, ok := macOf(l.HardwareAddr)
			found = found || ok && hw == m
		}
		return err
	})
	return found
}
