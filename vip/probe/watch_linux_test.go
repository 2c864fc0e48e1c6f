package probe

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
)

// shout sends a frame from the host's eth0 until stop is closed, since nobody knows when the other end has begun to listen.
func (h *host) shout(frame []byte, to MAC, stop <-chan struct{}) {
	h.t.Helper()
	var c *packet.Conn
	must(h.t, h.in(func() error {
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		c, err = packet.Listen(ifi, packet.Raw, 0, nil)
		return err
	}))
	go func() {
		defer c.Close()
		for {
			_, _ = c.WriteTo(frame, &packet.Addr{HardwareAddr: to[:]})
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
}

// announcement is what a host says that takes an address.
func announcement(t *testing.T, mac MAC, addr netip.Addr) ([]byte, MAC) {
	t.Helper()
	if addr.Is4() {
		f, err := arpProbe(mac, addr)
		must(t, err)
		copy(f[28:], addr.AsSlice())
		return f, broadcast
	}
	all := netip.MustParseAddr("ff02::1")
	icmp, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{Override: true, TargetAddress: addr,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac[:]}}}, addr, all)
	must(t, err)
	to := MAC{0x33, 0x33, 0, 0, 0, 1}
	b := append(header(to, mac, etherTypeIPv6), 0x60, 0, 0, 0, 0, byte(len(icmp)), protoICMPv6, ndpHopLimit)
	b = append(append(b, addr.AsSlice()...), all.AsSlice()...)
	return append(b, icmp...), to
}

// TestWatch: the owner of two addresses hears another host claim them, and not itself, nor claims of other addresses.
func TestWatch(t *testing.T) {
	h := wire(t, 2)
	h[0].add("192.0.2.10/24")
	h[0].add("2001:db8::10/64")
	stop := make(chan struct{})
	defer close(stop)
	for _, a := range []string{"192.0.2.10", "2001:db8::10", "192.0.2.11", "2001:db8::11"} {
		addr := netip.MustParseAddr(a)
		for _, from := range h {
			frame, to := announcement(t, from.mac(), addr)
			from.shout(frame, to, stop)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	claims := make(chan Claim, 1000)
	done := make(chan error, 1)
	go func() {
		done <- h[0].prober().Watch(ctx, "eth0", []netip.Addr{vip6, vip4}, func(c Claim) { claims <- c })
	}()
	seen := map[Claim]bool{}
	for end := time.After(5 * time.Second); len(seen) < 2; {
		select {
		case c := <-claims:
			seen[c] = true
		case <-end:
			t.Fatalf("heard %v", seen)
		}
	}
	if !seen[Claim{vip4, h[1].mac()}] || !seen[Claim{vip6, h[1].mac()}] {
		t.Errorf("heard %v", seen)
	}
	cancel()
	must(t, <-done)
	if err := h[0].prober().Watch(t.Context(), "nothere", []netip.Addr{vip4}, nil); err == nil {
		t.Error("a link that is not there is watched")
	}
}
