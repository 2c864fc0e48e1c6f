package vrrp

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"quorate/vip/viptest"
)

// host is a network namespace with one link, eth0.
type host struct {
	*viptest.Space
	t testing.TB
}

// wire makes two hosts on one wire: 192.168.1.1 and fe80::1, 192.168.1.10 and fe80::10. A host has no addresses but these.
func wire(t testing.TB) (one, two *host) {
	t.Helper()
	one, two = &host{viptest.New(t), t}, &host{viptest.New(t), t}
	one.Veth("eth0", two.Space, "eth0")
	for i, h := range []*host{one, two} {
		must(t, h.In(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/eth0/addr_gen_mode", []byte("1"), 0) }))
		h.Up("lo")
		h.Up("eth0")
		last := []string{"1", "10"}[i]
		h.Address("eth0", "192.168.1."+last+"/24", "fe80::"+last+"/64")
	}
	return one, two
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	viptest.Must(t, errs...)
}

// conn opens a Conn on the host's link.
func (h *host) conn(o ConnOptions) *Conn {
	h.t.Helper()
	o.Link = "eth0"
	var c *Conn
	must(h.t, h.In(func() (err error) {
		c, err = Open(o)
		return err
	}))
	h.t.Cleanup(func() { c.Close() })
	return c
}

// speaker runs a Speaker with routers on the host's link until the test ends.
func (h *host) speaker(f Family, act func(VRID, Action), routers ...Config) *Speaker {
	h.t.Helper()
	var vrids []VRID
	for _, c := range routers {
		vrids = append(vrids, c.VRID)
	}
	s := NewSpeaker(SpeakerOptions{Wire: h.conn(ConnOptions{Family: f, VRIDs: vrids}), Act: act})
	for _, c := range routers {
		must(h.t, s.Add(c))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("run: %v", err)
		}
	})
	return s
}

// await waits until f says nothing more.
func await(t testing.TB, within time.Duration, f func() error) {
	t.Helper()
	end := time.Now().Add(within)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %s: %v", within, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// keepalived is a real one on a host.
type keepalived struct{ *viptest.Keepalived }

// log is what it has said since a mark, an earlier length of it.
func (k *keepalived) log(mark int) string { return k.Log(mark) }

// keepalived starts keepalived with a configuration; it ends with the test.
func (h *host) keepalived(conf string) *keepalived {
	h.t.Helper()
	return &keepalived{h.Space.Keepalived(conf)}
}

// instance is a vrrp_instance of keepalived's, named as its VRID, of priority 100.
func instance(c Config, own netip.Addr, options ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "vrrp_instance i%d {\n  state BACKUP\n  interface eth0\n  virtual_router_id %d\n  priority 100\n  version %d\n  advert_int %g\n",
		c.VRID, c.VRID, c.Version, c.Interval.Seconds())
	if c.Unicast() {
		fmt.Fprintf(&b, "  unicast_src_ip %s\n  unicast_peer {\n    %s\n  }\n", own, c.Source)
	} else {
		fmt.Fprintf(&b, "  mcast_src_ip %s\n", own)
	}
	if c.Auth == AuthPassword {
		fmt.Fprintf(&b, "  authentication {\n    auth_type PASS\n    auth_pass %s\n  }\n", strings.TrimRight(string(c.Password[:]), "\x00"))
	}
	fmt.Fprintf(&b, "  virtual_ipaddress {\n")
	for _, a := range c.Addresses {
		fmt.Fprintf(&b, "    %s/%d dev eth0\n", a, a.BitLen())
	}
	fmt.Fprintf(&b, "  }\n")
	for _, o := range options {
		fmt.Fprintf(&b, "  %s\n", o)
	}
	return b.String() + "}\n"
}
