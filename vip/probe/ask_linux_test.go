package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// host is a network namespace that goes when the test ends, however it ends.
type host struct {
	t  testing.TB
	ns netns.NsHandle
	nl *vnl.Handle
}

func newHost(t testing.TB) *host {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	h := &host{t: t}
	must(t, onThread(func() (err error) {
		h.ns, err = netns.New()
		return err
	}))
	t.Cleanup(func() { h.ns.Close() })
	var err error
	h.nl, err = vnl.NewHandleAt(h.ns, unix.NETLINK_ROUTE) // alone: not every kernel has the other families
	must(t, err)
	t.Cleanup(h.nl.Close)
	return h
}

// onThread runs f on a thread that ends with it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

func (h *host) in(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(h.ns); err != nil {
			return err
		}
		return f()
	})
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (h *host) add(addr string) {
	h.t.Helper()
	p := netip.MustParsePrefix(addr)
	l, err := h.nl.LinkByName("eth0")
	must(h.t, err, h.nl.AddrAdd(l, &vnl.Addr{Flags: 0x02, // IFA_F_NODAD
		IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}))
}

func (h *host) mac() MAC {
	h.t.Helper()
	l, err := h.nl.LinkByName("eth0")
	must(h.t, err)
	m, _ := macOf(l.Attrs().HardwareAddr)
	return m
}

func (h *host) prober() *Prober { return &Prober{in: h.in} }

// wire makes n hosts whose eth0 are on one bridge.
func wire(t testing.TB, n int) []*host {
	t.Helper()
	hub := newHost(t)
	at := vnl.NewLinkAttrs()
	at.Name = "br0"
	must(t, hub.nl.LinkAdd(&vnl.Bridge{LinkAttrs: at}))
	bridge, err := hub.nl.LinkByName("br0")
	must(t, err, hub.nl.LinkSetUp(bridge))
	var out []*host
	for i := range n {
		h := newHost(t)
		at := vnl.NewLinkAttrs()
		at.Name = fmt.Sprintf("port%d", i)
		must(t, hub.nl.LinkAdd(&vnl.Veth{LinkAttrs: at, PeerName: "eth0", PeerNamespace: vnl.NsFd(h.ns)}))
		port, err := hub.nl.LinkByName(at.Name)
		must(t, err, hub.nl.LinkSetMaster(port, bridge), hub.nl.LinkSetUp(port))
		l, err := h.nl.LinkByName("eth0")
		must(t, err, h.nl.LinkSetUp(l))
		out = append(out, h)
	}
	return out
}

// TestWhoAnswers: nobody, one, and two hosts, for both families; the asker has no IPv4 address.
func TestWhoAnswers(t *testing.T) {
	h := wire(t, 3)
	p := h[0].prober()
	h[0].add("fe80::99/64")
	for _, prefix := range []string{"192.0.2.10/24", "2001:db8::10/64"} {
		addr := netip.MustParsePrefix(prefix).Addr()
		var want []MAC
		for _, holder := range []*host{nil, h[1], h[2]} {
			if holder != nil {
				holder.add(prefix)
				want = append(want, holder.mac())
			}
			// A host that has just got an IPv6 address may not answer for it yet.
			macs, err := p.Who(t.Context(), "eth0", addr, 150*time.Millisecond)
			must(t, err)
			for end := time.Now().Add(5 * time.Second); len(macs) < len(want) && time.Now().Before(end); {
				macs, err = p.Who(t.Context(), "eth0", addr, 150*time.Millisecond)
				must(t, err)
			}
			sort := func(m []MAC) []MAC {
				return slices.SortedFunc(slices.Values(m), func(a, b MAC) int { return slices.Compare(a[:], b[:]) })
			}
			if !slices.Equal(sort(macs), sort(want)) {
				t.Errorf("%s: %v answer, want %v", addr, macs, want)
			}
		}
	}
}

// TestManyInOneRound asks for a thousand addresses at once and ends as soon as all have answered, also where the kernel has no room for such a filter.
func TestManyInOneRound(t *testing.T) {
	h := wire(t, 2)
	h[0].add("fe80::99/64")
	var addrs []netip.Addr
	for i := range 500 {
		a4, a6 := fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250), fmt.Sprintf("2001:db8::%x", 0x10+i)
		h[1].add(a4 + "/16")
		h[1].add(a6 + "/64")
		addrs = append(addrs, netip.MustParseAddr(a4), netip.MustParseAddr(a6))
	}
	all := func(t *testing.T) {
		n := 0
		found, err := h[0].prober().Ask(t.Context(), Question{Link: "eth0", Addresses: addrs, Wait: MaxWait,
			Enough: func(Answer) bool { n++; return n == len(addrs) }})
		must(t, err)
		if len(found) != len(addrs) {
			t.Errorf("%d answers for %d addresses", len(found), len(addrs))
		}
	}
	t.Run("the kernel's own room", all)
	t.Run("little room", func(t *testing.T) {
		if err := h[0].in(func() error { return os.WriteFile("/proc/sys/net/core/optmem_max", []byte("4096"), 0) }); err != nil {
			t.Skipf("this kernel's net.core.optmem_max is not a namespace's own: it needs Linux 6.8: %v", err)
		}
		all(t)
	})
}

func TestWhereNobodyCanBeAsked(t *testing.T) {
	h := wire(t, 2)
	h[1].add("192.0.2.10/24")
	p := h[0].prober()
	for _, link := range []string{"lo", "nothere"} {
		if _, err := p.Who(t.Context(), link, vip4, time.Second); !errors.Is(err, ErrNoLink) {
			t.Errorf("%s: %v", link, err)
		}
	}
	must(t, h[0].in(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0o644) }))
	found, err := p.Ask(t.Context(), Question{Link: "eth0", Addresses: []netip.Addr{vip4, vip6}, Wait: MaxWait, Enough: func(Answer) bool { return true }})
	if !errors.Is(err, ErrNoSource) || len(found) != 1 || found[0].Claim != (Claim{vip4, h[1].mac()}) {
		t.Errorf("without IPv6: %v, %v; want the answer for %v alone, and ErrNoSource", found, err, vip4)
	}
	if !Asked(vip4, err) || Asked(vip6, err) {
		t.Errorf("what was asked for without IPv6 is not %v alone", vip4)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Who(ctx, "eth0", vip4, MaxWait); !errors.Is(err, context.Canceled) {
		t.Errorf("a round that is called off: %v", err)
	}
	if _, err := p.Ask(ctx, Question{Link: "eth0", Addresses: []netip.Addr{vip4, vip6}, Wait: MaxWait}); !errors.Is(err, context.Canceled) || Asked(vip4, err) || Asked(vip6, err) {
		t.Errorf("IPv4 failed, too: %v, as if %v had been asked for", err, vip4)
	}
}
