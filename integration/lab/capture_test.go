package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// kinds lists, by host, which kinds of frames were captured about an address.
func kinds(c *Capture, a netip.Addr, window Span, hosts ...string) map[string]bool {
	out := map[string]bool{}
	for _, f := range c.Frames(a, window, hosts...) {
		out[f.Host+" "+f.Kind.String()] = true
	}
	return out
}

func TestCaptureSeesWhoeverSpeaksForAnAddress(t *testing.T) {
	l := newLab(t)
	a, b := addHost(t, l, "a", "192.0.2.1/24", "2001:db8::1/64"), addHost(t, l, "b", "192.0.2.2/24", "2001:db8::2/64")
	c := addHost(t, l, "c", "192.0.2.3/24", "2001:db8::3/64")
	vips := []netip.Prefix{netip.MustParsePrefix("192.0.2.101/24"), netip.MustParsePrefix("2001:db8::101/64")}
	capture, err := l.StartCapture(vips[0].Addr(), vips[1].Addr())
	if err != nil {
		t.Fatal(err)
	}
	for i, vip := range vips {
		claim := []string{"ARP", "NDP"}[i]
		from := Now()
		all := func() map[string]bool { return kinds(capture, vip.Addr(), Span{from, Now()}, "a", "b", "c") }
		probe, err := c.StartProbe(vip.Addr(), 2*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "pings without an owner", func() bool { return Since(from) > 20*time.Millisecond })
		if got := all(); len(got) > 0 {
			t.Errorf("%s: nobody has it, and %v spoke for it", vip, got)
		}
		if err := a.AddAddress(vip); err != nil {
			t.Fatal(err)
		}
		eventually(t, "an answer of a", func() bool { return probe.Answered(from) })
		if got := all(); !got["a "+claim] || !got["a IP"] || len(got) != 2 {
			t.Errorf("%s on a: %v", vip, got)
		}

		// What nobody hears is captured, too: a's port is deaf to it.
		if err := a.Drop(Out, nil); err != nil {
			t.Fatal(err)
		}
		cut := Now()
		eventually(t, "a frame of a host that is not heard", func() bool {
			return len(capture.Frames(vip.Addr(), Span{cut, Now()}, "a")) > 3
		})
		if err := a.RemoveAddress(vip); err != nil {
			t.Fatal(err)
		}
		moved := Now()
		if err := b.AddAddress(vip); err != nil {
			t.Fatal(err)
		}
		watch, err := c.StartWatch(2*time.Millisecond, vip.Addr())
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "a claim of b", func() bool { return kinds(capture, vip.Addr(), Span{moved, Now()}, "b")["b "+claim] })
		window := Span{from, Now()}
		if o := capture.Overlap(vip.Addr(), window, []string{"a", "b"}, 0, "a", "b", "c"); o.Frames != 0 {
			t.Errorf("%s: %s", vip, o)
		}
		if o := capture.Overlap(vip.Addr(), window, []string{"a"}, 0, "a", "b", "c"); o.Frames == 0 || o.Worst.Host != "b" {
			t.Errorf("%s: b was no owner, and: %s", vip, o)
		}
		for _, err := range []error{a.Heal(), probe.Close(), watch.Close()} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// A new port is the same host.
	if err := b.PowerOff(); err != nil {
		t.Fatal(err)
	}
	if err := b.PowerOn(); err != nil {
		t.Fatal(err)
	}
	on := Now()
	if _, err := c.StartWatch(2*time.Millisecond, vips[0].Addr()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a frame by the new port", func() bool { return len(capture.Frames(vips[0].Addr(), Span{on, Now()}, "b")) > 0 })
	if err := capture.Err(); err != nil {
		t.Error(err)
	}
	capture.Forget(Now())
	if left := capture.Frames(vips[0].Addr(), Span{0, on}, "a", "b", "c"); len(left) > 0 {
		t.Errorf("forgotten, yet there: %v", left)
	}
}

// advert is a VRRPv3 advertisement (RFC 9568 §5.1) in its frame.
func advert(h *Host, priority byte, addrs ...netip.Addr) []byte {
	vrrp := []byte{3<<4 | 1, 51, priority, byte(len(addrs)), 0, 100, 0, 0}
	for _, a := range addrs {
		vrrp = append(vrrp, a.AsSlice()...)
	}
	ip := make([]byte, 20, 20+len(vrrp))
	ip[0], ip[8], ip[9] = 0x45, 255, protoVRRP
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(vrrp)))
	copy(ip[12:], h.Addr().AsSlice())
	copy(ip[16:], []byte{224, 0, 0, 18})
	frame := ethernet.Frame{Destination: net.HardwareAddr{1, 0, 0x5e, 0, 0, 18}, Source: h.MAC, EtherType: etherTypeIP, Payload: append(ip, vrrp...)}
	b, err := frame.MarshalBinary()
	if err != nil {
		panic(err) // the frame is complete
	}
	return b
}

func TestCaptureReadsAdverts(t *testing.T) {
	l := newLab(t)
	a := addHost(t, l, "a", "192.0.2.1/24")
	vip, other := netip.MustParseAddr("192.0.2.101"), netip.MustParseAddr("198.51.100.7")
	capture, err := l.StartCapture(vip)
	if err != nil {
		t.Fatal(err)
	}
	var conn *packet.Conn
	err = a.Do(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err == nil {
			conn, err = packet.Listen(eth0, packet.Raw, etherTypeIP, nil)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i, c := range []struct {
		frame []byte
		want  int
	}{
		{advert(a, 100, other), 0}, {advert(a, 0, vip), 0}, {advert(a, 100, other, vip), 1}, {advert(a, 1, vip), 2},
		{advert(a, 100, vip)[:etherLen+20+6], 2}, {advert(a, 100, vip)[:etherLen+20+vrrpHeader+3], 2},
	} {
		if _, err := conn.WriteTo(c.frame, &packet.Addr{HardwareAddr: ethernet.Broadcast}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the frames so far", func() bool { return len(capture.Frames(vip, Span{0, Now()}, "a")) >= c.want })
		if got := capture.Frames(vip, Span{0, Now()}, "a"); len(got) != c.want || c.want > 0 && got[0].Kind != FrameAdvert {
			t.Errorf("after frame %d: %v, want %d adverts", i, got, c.want)
		}
	}
}

// TestCaptureThatLosesFramesSaysSo floods a capture that is kept from reading.
func TestCaptureThatLosesFramesSaysSo(t *testing.T) {
	l := newLab(t)
	a := addHost(t, l, "a", "192.0.2.1/24")
	b := addHost(t, l, "b", "192.0.2.2/24")
	capture, err := l.StartCapture(a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := capture.Err(); err != nil {
		t.Errorf("nothing was sent: %v", err)
	}
	capture.mu.Lock()
	var small error
	err = errors.Join(capture.raw.Control(func(fd uintptr) { small = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1) }), small)
	if err == nil {
		to := mailbox(t, b)
		from := mailbox(t, a)
		// The first waits for the neighbour's address; more than some hundred with it would be dropped before the capture.
		if _, err = from.WriteTo([]byte{0}, to.LocalAddr()); err == nil {
			_ = to.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, _, err = to.ReadFrom(make([]byte, 1))
		}
		for range 2000 {
			if _, err = from.WriteTo(make([]byte, 900), to.LocalAddr()); err != nil {
				break
			}
		}
	}
	capture.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "2000 frames into a small buffer: an error that counts the lost ones", func() bool {
		err := capture.Err()
		return err != nil && strings.Contains(err.Error(), "lost")
	})
}

// frames reads a list of them: each its host, the letter's case being its kind (upper case claims, lower case IP), at its
// millisecond.
func frames(t *testing.T, text string) []Frame {
	t.Helper()
	var out []Frame
	for _, f := range strings.Fields(text) {
		var at float64
		if _, err := fmt.Sscan(f[1:], &at); err != nil {
			t.Fatal(err)
		}
		kind := FrameARP
		if f[0] >= 'a' {
			kind = FrameIP
		}
		out = append(out, Frame{Instant(at * float64(time.Millisecond)), strings.ToUpper(f[:1]), kind})
	}
	return out
}

func TestHandovers(t *testing.T) {
	got := handovers(frames(t, "A1 A2 a5 b6 B7 b8 B9 A12"))
	if len(got) != 2 || got[0].Last.At != 2*ms || got[0].First.At != 7*ms || got[1].Last.At != 9*ms || got[1].First.Host != "A" {
		t.Errorf("%+v", got)
	}
}

func TestOverlapRule(t *testing.T) {
	for _, c := range []struct {
		name, frames, owners string
		linger               time.Duration
		late                 int
		lasted               time.Duration
	}{
		{"one owner", "A1 a2 A3", "A", 0, 0, 0},
		{"nobody", "", "A", 0, 0, 0},
		{"one after the other", "A1 a2 B3 b4 B5", "A B", 0, 0, 0},
		{"in flight", "A1 B3 a3.5 A4 B5", "A B", 0, 0, 0},
		{"a late claim", "A1 B3 B9 A14 B20", "A B", 0, 1, 11 * time.Millisecond},
		{"late packets", "A1 B3 a5 a7 b8", "A B", 0, 2, 4 * time.Millisecond},
		{"a linger lets packets pass", "A1 B3 a5 a7 b8", "A B", 100 * time.Millisecond, 0, 0},
		{"but no claim", "A1 B3 a5 A7 b8", "A B", 100 * time.Millisecond, 1, 4 * time.Millisecond},
		{"and not for ever", "A1 B3 a5 a107 b108", "A B", 100 * time.Millisecond, 1, 104 * time.Millisecond},
		{"there and back", "A1 B3 A9 A12", "A B A", 0, 0, 0},
		{"back without a decision", "A1 B3 A9", "A B", 0, 1, 6 * time.Millisecond},
		{"an owner that never spoke", "A1 C3", "A B C", 0, 0, 0},
		{"its late frame", "A1 C3 B9", "A B C", 0, 1, 6 * time.Millisecond},
		{"a stranger", "A1 C2 A3", "A B", 0, 1, time.Millisecond},
		{"a stranger is never in flight", "A1 C1.2", "A B", 0, 1, 200 * time.Microsecond},
		{"only a stranger", "C1 C3", "A", 0, 2, 2 * time.Millisecond},
		{"the new one before the old one is heard", "b1 A5", "A B", 0, 1, 4 * time.Millisecond},
	} {
		got := overlapOf(frames(t, c.frames), strings.Fields(c.owners), c.linger)
		if got.Frames != c.late || got.Lasted.Round(10*time.Microsecond) != c.lasted {
			t.Errorf("%s: %d frames, %v; want %d, %v", c.name, got.Frames, got.Lasted, c.late, c.lasted)
		}
	}
}

func TestCover(t *testing.T) {
	for _, c := range []struct {
		addrs     string
		four, six string
	}{
		{"192.0.2.101", "192.0.2.101/32", "invalid Prefix"},
		{"192.0.2.101 192.0.2.102", "192.0.2.100/30", "invalid Prefix"},
		{"10.1.0.1 10.1.3.232 2001:db8::1", "10.1.0.0/22", "2001:db8::1/128"},
		{"2001:db8::1 2001:db9::1", "invalid Prefix", "2001:db8::/31"},
		{"", "invalid Prefix", "invalid Prefix"},
	} {
		var addrs []netip.Addr
		for _, a := range strings.Fields(c.addrs) {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		slices.Reverse(addrs)
		if four, six := cover(addrs, true).String(), cover(addrs, false).String(); four != c.four || six != c.six {
			t.Errorf("%q: %s and %s, want %s and %s", c.addrs, four, six, c.four, c.six)
		}
	}
}

func FuzzParseStatements(f *testing.F) {
	h := &Host{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, Prefixes: HostPrefixes(1)}
	for _, a := range []netip.Addr{VIP(1).Addr(), VIP6(1).Addr()} {
		b, err := question(h, a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(advert(h, 100, VIP(1).Addr(), VIP(2).Addr()))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range parseStatements(b) {
			if !s.addr.IsValid() {
				t.Errorf("%x: a statement about no address", b)
			}
		}
	})
}
