package gate

import (
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	prober "quorate/vip/probe"
)

// asks demands that a host on which both addresses are closed, though its kernel has them, hears the MAC of the one that owns them.
func asks(t testing.TB, in func(func() error) error, link string, want string, addrs ...netip.Addr) {
	t.Helper()
	for _, a := range addrs {
		var got []prober.MAC
		for end := time.Now().Add(5 * time.Second); len(got) == 0 && time.Now().Before(end); {
			must(t, in(func() (err error) {
				got, err = prober.New().Who(t.Context(), link, a, 200*time.Millisecond)
				return err
			}))
		}
		if len(got) != 1 || got[0].String() != want {
			t.Errorf("%v answer for %s, want %s alone", got, a, want)
		}
	}
}

// TestAskingPasses: where an address is closed, this host can still ask who has it, and hears the answer.
func TestAskingPasses(t *testing.T) {
	each(t, func(t *testing.T, how string) {
		p := newPair(t)
		g := p.host.gate(how)
		must(t, g.Set([]Entry{{Addr: ip(vip4)}, {Addr: ip(vip6)}}))
		check(t, g)
		p.peer.Address("e0", vip4+"/24", vip6+"/64")
		asks(t, p.host.In, "e0", p.peer.Link("e0").Attrs().HardwareAddr.String(), ip(vip4), ip(vip6))
	})
}

func TestNFTAskingPasses(t *testing.T) {
	b := newNFTBed(t)
	owned := []netip.Addr{netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("2001:db8::77")}
	nftMust(t, b.gate.Set([]Entry{{Addr: owned[0]}, {Addr: owned[1]}}))
	var mac string
	nftMust(t, b.Client.Do(func() error {
		l, err := netlink.LinkByName("front")
		if err != nil {
			return err
		}
		mac = l.Attrs().HardwareAddr.String()
		for i, bits := range []string{"/24", "/64"} {
			a, err := netlink.ParseAddr(owned[i].String() + bits)
			if err != nil {
				return err
			}
			a.Flags = 0x02 // IFA_F_NODAD
			if err := netlink.AddrAdd(l, a); err != nil {
				return err
			}
		}
		return nil
	}))
	asks(t, b.Director.Do, "front", mac, owned...)
}
