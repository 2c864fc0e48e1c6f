package realserver_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs/lvstest"
	"quorate/lvs/realserver"
)

// setup prepares s3 of the bed with the record in a file that goes with the test.
func setup(t *testing.T, b *lvstest.Bed, vips ...realserver.VIP) {
	t.Helper()
	err := b.Servers[2].Do(func() error {
		s, err := realserver.Open(filepath.Join(t.TempDir(), "state", "realserver.json"))
		if err != nil {
			return err
		}
		r, err := s.Setup(vips, false)
		if err == nil && !r.Ready {
			err = fmt.Errorf("not ready: %+v", r)
		}
		return err
	})
	if err != nil && strings.Contains(err.Error(), "modprobe") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTraffic: a client that does what a director does, for each way of forwarding, is answered by the server itself from the VIP.
func TestTraffic(t *testing.T) {
	v4, v6 := lvstest.VIP4, lvstest.VIP6
	const back = "back"
	for _, v := range []realserver.VIP{
		{Addr: v4, Forward: "dr", Interface: back}, {Addr: v6, Forward: "dr"},
		{Addr: v4, Forward: "tun", Tunnel: realserver.IPIP, Interface: back}, {Addr: v6, Forward: "tun", Tunnel: realserver.IPIP},
		{Addr: v4, Forward: "tun", Tunnel: realserver.IPIP, Outer: realserver.IPv6, Interface: back},
		{Addr: v4, Forward: "tun", Tunnel: realserver.GRE, Interface: back}, {Addr: v6, Forward: "tun", Tunnel: realserver.GRE},
		{Addr: v6, Forward: "tun", Tunnel: realserver.GRE, Outer: realserver.IPv4},
		{Addr: v4, Forward: "tun", Tunnel: realserver.GUE, Interface: back}, {Addr: v6, Forward: "tun", Tunnel: realserver.GUE, Port: 7000},
	} {
		t.Run(strings.Join([]string{v.Forward, v.Tunnel, v.Addr.String(), v.Outer}, " "), func(t *testing.T) {
			b := lvstest.NewBed(t)
			s := b.Servers[2]
			if err := b.Beside(s); err != nil {
				t.Fatal(err)
			}
			setup(t, b, v)
			if v.Tunnel == realserver.GUE {
				who, err := throughGUE(b.Client, s, v)
				if err != nil || who != fmt.Sprintf("s3 %s\n", lvstest.Clients(v.Addr)[0]) {
					t.Errorf("%q, %v: want s3 to see the client", who, err)
				}
				return
			}
			var err error
			if v.Forward == "dr" {
				err = b.Straight(s, v.Addr)
			} else {
				err = b.Client.Do(func() error { return send(v, s) })
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := b.Client.Open("tcp", netip.AddrPortFrom(v.Addr, lvstest.Port), lvstest.Clients(v.Addr)[0])
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Server != "s3" || c.Source != lvstest.Clients(v.Addr)[0] {
				t.Errorf("%s saw %v, want s3 to see the client", c.Server, c.Source)
			}
		})
	}
}

// send makes a tunnel to the server, in the calling thread's namespace, and the VIP's route through it.
func send(v realserver.VIP, s *lvstest.Server) error {
	outer, local := lvstest.VIP4, lvstest.ClientBack4
	if v.Outer == realserver.IPv6 || v.Outer == "" && v.Addr.Is6() {
		outer, local = lvstest.VIP6, lvstest.ClientBack6
	}
	remote := net.IP(s.Addr(outer).Addr().AsSlice())
	from := net.IP(local.AsSlice())
	a := netlink.NewLinkAttrs()
	a.Name = "to-server"
	var l netlink.Link
	switch {
	case v.Tunnel == realserver.GRE:
		l = &netlink.Gretun{LinkAttrs: a, Local: from, Remote: remote}
	case outer.Is4():
		l = &netlink.Iptun{LinkAttrs: a, Local: from, Remote: remote}
	default:
		l = &netlink.Ip6tnl{LinkAttrs: a, Local: from, Remote: remote}
	}
	to := &net.IPNet{IP: v.Addr.AsSlice(), Mask: net.CIDRMask(v.Addr.BitLen(), v.Addr.BitLen())}
	if err := errors.Join(netlink.LinkAdd(l), netlink.LinkSetUp(l)); err != nil {
		return fmt.Errorf("the client's tunnel: %w", err)
	}
	return netlink.RouteAdd(&netlink.Route{Dst: to, LinkIndex: l.Attrs().Index})
}

// throughGUE puts a datagram for the VIP into gue by hand, because a kernel may take it in that cannot send it, and returns the answer.
func throughGUE(client *lvstest.Host, s *lvstest.Server, v realserver.VIP) (who string, err error) {
	err = client.Do(func() error {
		src := lvstest.Clients(v.Addr)[0]
		in, err := net.ListenUDP("udp", &net.UDPAddr{IP: src.AsSlice()})
		if err != nil {
			return err
		}
		defer in.Close()
		port := v.Port
		if port == 0 {
			port = realserver.DefaultPort
		}
		out, err := net.Dial("udp", netip.AddrPortFrom(s.Addr(v.Addr).Addr(), port).String())
		if err != nil {
			return err
		}
		defer out.Close()
		from := netip.AddrPortFrom(src, netip.MustParseAddrPort(in.LocalAddr().String()).Port())
		if _, err := out.Write(gue(from, netip.AddrPortFrom(v.Addr, lvstest.Port))); err != nil {
			return err
		}
		if err := in.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return err
		}
		b := make([]byte, 100)
		n, _, err := in.ReadFrom(b)
		who = string(b[:n])
		return err
	})
	return who, err
}

// gue is a datagram with one byte, as it is inside of UDP: the base header (draft-ietf-intarea-gue-09 section 3.1) and an IP packet.
func gue(from, to netip.AddrPort) []byte {
	src, dst := from.Addr().AsSlice(), to.Addr().AsSlice()
	udp := binary.BigEndian.AppendUint16(nil, from.Port())
	udp = binary.BigEndian.AppendUint16(udp, to.Port())
	udp = append(udp, 0, 9, 0, 0, '?')
	pseudo := slices.Concat(src, dst, []byte{0, 17, 0, 9}, udp)
	binary.BigEndian.PutUint16(udp[6:], checksum(pseudo))
	if from.Addr().Is6() {
		return slices.Concat([]byte{0, 41, 0, 0}, []byte{0x60, 0, 0, 0, 0, 9, 17, 64}, src, dst, udp)
	}
	head := slices.Concat([]byte{0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0}, src, dst)
	binary.BigEndian.PutUint16(head[10:], checksum(head))
	return slices.Concat([]byte{0, 4, 0, 0}, head, udp)
}

// checksum is that of the Internet (RFC 1071).
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i, x := range b {
		sum += uint32(x) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// ear hears and asks on the client's link to the servers.
type ear struct {
	t    *testing.T
	conn *packet.Conn
	mac  net.HardwareAddr // the client's
	to   net.HardwareAddr // the server's
}

func newEar(t *testing.T, b *lvstest.Bed) *ear {
	t.Helper()
	e := &ear{t: t}
	err := b.Client.Do(func() error {
		l, err := net.InterfaceByName("back")
		if err != nil {
			return err
		}
		e.mac = l.HardwareAddr
		e.conn, err = packet.Listen(l, packet.Raw, unix.ETH_P_ALL, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.conn.Close() })
	if e.to, err = b.Servers[2].MAC(); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *ear) say(to net.HardwareAddr, kind ethernet.EtherType, payload []byte) {
	e.t.Helper()
	f := &ethernet.Frame{Destination: to, Source: e.mac, EtherType: kind, Payload: payload}
	b, err := f.MarshalBinary()
	if err == nil {
		_, err = e.conn.WriteTo(b, &packet.Addr{HardwareAddr: to})
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// hear reads what the server sends, until stop.
func (e *ear) hear(stop func(f ethernet.Frame) bool) {
	e.t.Helper()
	if err := e.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		e.t.Fatal(err)
	}
	b := make([]byte, 2048)
	for {
		n, _, err := e.conn.ReadFrom(b)
		if err != nil {
			e.t.Fatalf("what was waited for never came: %v", err)
		}
		var f ethernet.Frame
		if f.UnmarshalBinary(b[:n]) == nil && slices.Equal(f.Source, e.to) && stop(f) {
			return
		}
	}
}

// solicit is a neighbour solicitation for target, to its solicited-node group or, with unicast, to itself.
func (e *ear) solicit(target netip.Addr, unicast bool) {
	e.t.Helper()
	dst, err := ndp.SolicitedNodeMulticast(target)
	if err != nil {
		e.t.Fatal(err)
	}
	b16 := dst.As16()
	mac := net.HardwareAddr{0x33, 0x33, b16[12], b16[13], b16[14], b16[15]}
	if unicast {
		dst, mac = target, e.to
	}
	src := lvstest.ClientBack6
	m, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{TargetAddress: target,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: e.mac}}}, src, dst)
	if err != nil {
		e.t.Fatal(err)
	}
	head := append([]byte{0x60, 0, 0, 0, 0, byte(len(m)), 58, 255}, src.AsSlice()...)
	e.say(mac, ethernet.EtherTypeIPv6, append(append(head, dst.AsSlice()...), m...))
}

// ask asks for an address in every way that a network does: ARP requests, probes and announcements' replies, to all and to the server alone;
// neighbour solicitations to the group and to the server alone.
func (e *ear) ask(a netip.Addr) {
	e.t.Helper()
	if a.Is6() {
		e.solicit(a, false)
		e.solicit(a, true)
		return
	}
	for _, sender := range []netip.Addr{lvstest.ClientBack4, lvstest.Clients(a)[0], netip.IPv4Unspecified()} {
		for _, to := range []net.HardwareAddr{ethernet.Broadcast, e.to} {
			p, err := arp.NewPacket(arp.OperationRequest, e.mac, sender, make(net.HardwareAddr, 6), a)
			if err != nil {
				e.t.Fatal(err)
			}
			b, err := p.MarshalBinary()
			if err != nil {
				e.t.Fatal(err)
			}
			e.say(to, ethernet.EtherTypeARP, b)
		}
	}
}

// claimed is the address that a frame says its sender has: in an ARP packet of any kind, or a neighbour advertisement, or as the source of
// a solicitation.
func claimed(f ethernet.Frame) netip.Addr {
	switch f.EtherType {
	case ethernet.EtherTypeARP:
		var p arp.Packet
		if p.UnmarshalBinary(f.Payload) == nil {
			return p.SenderIP
		}
	case ethernet.EtherTypeIPv6:
		if len(f.Payload) < 64 || f.Payload[6] != 58 {
			return netip.Addr{}
		}
		switch f.Payload[40] {
		case 136:
			return netip.AddrFrom16([16]byte(f.Payload[48:64]))
		case 135:
			return netip.AddrFrom16([16]byte(f.Payload[8:24]))
		}
	}
	return netip.Addr{}
}

// answers says whether the server answers when asked for an address: it is asked for its own afterwards, and the answer to that is waited for.
func (e *ear) answers(a, own netip.Addr) (yes bool) {
	e.t.Helper()
	e.ask(a)
	e.ask(own)
	e.hear(func(f ethernet.Frame) bool {
		yes = yes || claimed(f) == a
		return claimed(f) == own
	})
	return yes
}

// TestSilent: a server that was set up never says that it has the VIP, asked in every way, nor when it asks for others itself. The same
// ear hears one that was not set up.
func TestSilent(t *testing.T) {
	for _, forward := range []string{"dr", "tun"} {
		for _, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
			t.Run(forward+" "+vip.String(), func(t *testing.T) {
				b := lvstest.NewBed(t)
				s := b.Servers[2]
				if err := b.Beside(s); err != nil {
					t.Fatal(err)
				}
				e := newEar(t, b)
				own := s.Addr(vip).Addr()
				// What is heard of a careless server: IPv4 answers for lo, IPv6 for the asked link.
				link := "lo"
				if vip.Is6() {
					link = "back"
				}
				put := func(do func(netlink.Link, *netlink.Addr) error) {
					t.Helper()
					err := s.Do(func() error {
						l, err := netlink.LinkByName(link)
						if err != nil {
							return err
						}
						return do(l, &netlink.Addr{IPNet: &net.IPNet{IP: vip.AsSlice(), Mask: net.CIDRMask(vip.BitLen(), vip.BitLen())}, Flags: unix.IFA_F_NODAD})
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				local := func() {
					t.Helper()
					lvstest.Eventually(t, "the kernel takes packets for the VIP", func() (yes bool, last any) {
						err := s.Do(func() error {
							r, err := netlink.RouteGet(vip.AsSlice())
							yes, last = err == nil && len(r) == 1 && r[0].Type == unix.RTN_LOCAL, r
							return nil
						})
						return yes && err == nil, last
					})
				}
				put(netlink.AddrAdd)
				local()
				if !e.answers(vip, own) {
					t.Error("a careless server is not heard: this test would hear nobody")
				}
				put(netlink.AddrDel)
				v := realserver.VIP{Addr: vip, Forward: forward}
				if vip.Is4() {
					v.Interface = "back"
				}
				setup(t, b, v)
				local()
				if e.answers(vip, own) {
					t.Errorf("the server answers for %s", vip)
				}
				// It sends from the VIP to an address that it does not know yet, as when it replies to a new client: it asks for that in another name.
				stranger := netip.MustParseAddr("192.0.2.77")
				if vip.Is6() {
					stranger = netip.MustParseAddr("2001:db8:2::77")
				}
				err := s.Do(func() error {
					c, err := net.ListenUDP("udp", &net.UDPAddr{IP: vip.AsSlice()})
					if err != nil {
						return err
					}
					defer c.Close()
					_, err = c.WriteTo([]byte("reply"), &net.UDPAddr{IP: stranger.AsSlice(), Port: 9})
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				e.hear(func(f ethernet.Frame) bool {
					if c := claimed(f); c == vip {
						t.Errorf("the server asks for others in the name of %s", vip)
						return true
					}
					return asksFor(f) == stranger
				})
			})
		}
	}
}

// asksFor is the address that an ARP request or a solicitation is about.
func asksFor(f ethernet.Frame) netip.Addr {
	var p arp.Packet
	switch {
	case f.EtherType == ethernet.EtherTypeARP && p.UnmarshalBinary(f.Payload) == nil && p.Operation == arp.OperationRequest:
		return p.TargetIP
	case f.EtherType == ethernet.EtherTypeIPv6 && len(f.Payload) >= 64 && f.Payload[6] == 58 && f.Payload[40] == 135:
		return netip.AddrFrom16([16]byte(f.Payload[48:64]))
	}
	return netip.Addr{}
}
