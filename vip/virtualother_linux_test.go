package vip

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"quorate/vip/vrrp"
)

// TestVirtualMACHearsAnother: an owner whose addresses are on a virtual MAC hears the adverts of another host that has the same MAC, where it
// listens, as those of any other. It can be reached as before.
func TestVirtualMACHearsAnother(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 1)
	h := l.hosts[0]
	a := h.frozenActuator(h.gate(""), "192.0.2.10", "2001:db8::10")
	for _, x := range a.Reconcile([]Wanted{virtual(51, "192.0.2.10/24"), virtual(51, "2001:db8::10/64")}).Addresses {
		if x.Err != nil {
			t.Fatal(x.Err)
		}
	}
	for _, x := range []struct {
		family vrrp.Family
		from   string
		mac    string
	}{{vrrp.IPv4, "192.0.2.9", mac4}, {vrrp.IPv6, "fe80::99", mac6}} {
		open := func(s *space) (c *vrrp.Conn) {
			must(t, s.In(func() (err error) {
				c, err = vrrp.Open(vrrp.ConnOptions{Link: "eth0", Family: x.family, VRIDs: []vrrp.VRID{51}})
				return err
			}))
			t.Cleanup(func() { c.Close() })
			return c
		}
		in, out := open(h), open(l.client)
		r, err := vrrp.NewRouter(vrrp.Config{VRID: 51, Version: vrrp.V3, Priority: 200, Interval: time.Second, Addresses: []netip.Addr{netip.MustParseAddr(x.from)}, Source: netip.MustParseAddr(x.from)})
		must(t, err)
		for _, mac := range []net.HardwareAddr{macOf(t, x.mac), l.client.Link("eth0").Attrs().HardwareAddr} {
			must(t, r.Compose(200, time.Now(), func(packet []byte, to netip.Addr) error { return out.SendFrom(mac, packet, to) }))
			must(t, in.SetReadDeadline(time.Now().Add(5*time.Second)))
			got, err := in.Receive()
			if err != nil {
				t.Fatalf("the advert from %s is not heard: %v", mac, err)
			}
			if len(got) != 1 || got[0].Source != netip.MustParseAddr(x.from) {
				t.Errorf("heard %+v", got)
			}
		}
	}

	for _, addr := range []string{"192.0.2.10", "2001:db8::10"} {
		if !l.client.pinger(addr).answers() {
			t.Errorf("%s does not answer", addr)
		}
	}
}
