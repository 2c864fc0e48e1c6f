package nft

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// tracked is the kernel's message about one connection, as NLMSG.
func tracked(t testing.TB, protocol uint8, state uint8, status uint32, addrs ...netip.AddrPort) []byte {
	t.Helper()
	ae := netlink.NewAttributeEncoder()
	ae.ByteOrder = binary.BigEndian
	tuple := func(kind uint16, from, to netip.AddrPort) {
		ae.Nested(kind, func(ae *netlink.AttributeEncoder) error {
			ae.ByteOrder = binary.BigEndian
			ae.Nested(tupleIP, func(ae *netlink.AttributeEncoder) error {
				source := uint16(ipv4Source)
				if from.Addr().Is6() {
					source = ipv6Source
				}
				ae.Bytes(source, from.Addr().AsSlice())
				ae.Bytes(source+1, to.Addr().AsSlice())
				return nil
			})
			ae.Nested(tupleProto, func(ae *netlink.AttributeEncoder) error {
				ae.ByteOrder = binary.BigEndian
				ae.Uint8(protoNumber, protocol)
				ae.Uint16(protoSource, from.Port())
				ae.Uint16(protoDestination, to.Port())
				return nil
			})
			return nil
		})
	}
	tuple(ctTupleOrig, addrs[0], addrs[1])
	tuple(ctTupleReply, addrs[2], addrs[0])
	ae.Uint32(ctStatus, status)
	ae.Uint32(ctTimeout, 120)
	if protocol == unix.IPPROTO_TCP {
		ae.Nested(ctProtoInfo, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(protoInfoTCP, func(ae *netlink.AttributeEncoder) error { ae.Uint8(stateOf, state); return nil })
			return nil
		})
	}
	b, err := ae.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return message(conntrackNew, append([]byte{unix.AF_INET, 0, 0, 0}, b...))
}

func message(kind uint16, payload []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, make([]byte, 10)...)
	return append(b, payload...)
}

var (
	trackedClient = netip.MustParseAddrPort("192.0.2.100:40000")
	trackedVIP    = netip.MustParseAddrPort("192.0.2.10:80")
	trackedServer = netip.MustParseAddrPort("10.9.0.11:8080")
)

func TestReadConntrack(t *testing.T) {
	var b []byte
	b = append(b, tracked(t, unix.IPPROTO_TCP, 3, statusBalanced|statusAssured, trackedClient, trackedVIP, trackedServer)...)
	b = append(b, tracked(t, unix.IPPROTO_TCP, 3, statusAssured, trackedClient, trackedServer, trackedServer)...) // nobody balanced it
	b = append(b, tracked(t, unix.IPPROTO_UDP, 0, statusBalanced, netip.MustParseAddrPort("[2001:db8::1]:5000"), netip.MustParseAddrPort("[2001:db8::10]:53"),
		netip.MustParseAddrPort("[fd00::1]:53"))...)
	b = append(b, message(unix.NLMSG_DONE, make([]byte, 4))...)
	var got []lvs.Connection
	more, err := readConntrack(b, func(c lvs.Connection) bool { got = append(got, c); return true })
	want := []lvs.Connection{
		{Protocol: "tcp", Client: trackedClient, Virtual: trackedVIP, Server: trackedServer, State: "ESTABLISHED", Expires: 2 * time.Minute},
		{Protocol: "udp", Client: netip.MustParseAddrPort("[2001:db8::1]:5000"), Virtual: netip.MustParseAddrPort("[2001:db8::10]:53"),
			Server: netip.MustParseAddrPort("[fd00::1]:53"), State: "UNREPLIED", Expires: 2 * time.Minute},
	}
	if err != nil || more || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("more %t, %v:\n%+v\nwant\n%+v", more, err, got, want)
	}
	n := 0
	if more, err := readConntrack(b, func(lvs.Connection) bool { n++; return false }); more || err != nil || n != 1 {
		t.Errorf("it does not stop: %t, %v, %d", more, err, n)
	}
	for cut := 1; cut < unix.NLMSG_HDRLEN+60; cut++ {
		if _, err := readConntrack(b[:cut], func(lvs.Connection) bool { return true }); err == nil {
			t.Errorf("%d bytes are taken for a whole message", cut)
		}
	}
	if _, err := readConntrack(message(unix.NLMSG_ERROR, binary.NativeEndian.AppendUint32(nil, ^uint32(0))), nil); err != unix.EPERM {
		t.Errorf("the error is %v", err)
	}
}

// FuzzReadConntrack: whatever the kernel says, what is taken of it is whole.
func FuzzReadConntrack(f *testing.F) {
	f.Add(tracked(f, unix.IPPROTO_TCP, 3, statusBalanced, trackedClient, trackedVIP, trackedServer))
	f.Add(tracked(f, unix.IPPROTO_UDP, 3, statusBalanced|statusReplied, trackedClient, trackedVIP, trackedServer))
	f.Add(message(unix.NLMSG_ERROR, make([]byte, 4)))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readConntrack(b, func(c lvs.Connection) bool {
			if !c.Client.IsValid() || !c.Virtual.IsValid() || !c.Server.IsValid() || c.Protocol == "" || c.State == "" || c.Expires < 0 {
				t.Fatalf("%+v", c)
			}
			return true
		})
	})
}

// TestConnections: who is connected to what is what the kernel says.
func TestConnections(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	var want []lvs.Service
	for _, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		want = append(want, lvs.Service{Addr: vip, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT,
			Destinations: []lvs.Destination{{Addr: b.Servers[0].Addr(vip), Weight: 1}}})
	}
	if _, err := p.Reconcile(lvs.Scope{}, want); err != nil {
		t.Fatal(err)
	}
	for i, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		open := map[netip.AddrPort]bool{}
		for range 3 {
			c, err := b.Client.Open("tcp", netip.AddrPortFrom(vip, 80), netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			open[c.Conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()] = true
		}
		mine := lvs.ConnectionsOf(want[i], want)
		err := b.Director.Do(func() error {
			for c, err := range Connections() {
				if err != nil {
					return err
				}
				if !mine(c) {
					continue
				}
				if !open[c.Client] || c.Server != b.Servers[0].Addr(vip) || c.State != "ESTABLISHED" || c.Expires <= 0 {
					t.Errorf("%+v is not one of %v", c, open)
				}
				delete(open, c.Client)
			}
			return nil
		})
		if err != nil || len(open) > 0 {
			t.Errorf("%v; missing are %v", err, open)
		}
	}
}
