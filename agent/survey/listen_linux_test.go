package survey

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/vip/viptest"
	"quorate/vip/vrrp"
)

// theirs is what a legacy pair has: one instance of each kind that is to be told apart.
const theirs = `
global_defs {
  router_id test
  vrrp_garp_master_delay 0
}
vrrp_instance three {
  state MASTER
  interface eth0
  virtual_router_id 51
  priority 150
  version 3
  advert_int 0.1
  virtual_ipaddress {
    192.168.1.51/24
    192.168.1.52/24
  }
}
vrrp_instance two {
  state MASTER
  interface eth0
  virtual_router_id 52
  priority 200
  version 2
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass theirs
  }
  virtual_ipaddress {
    192.168.1.53/24
  }
}
vrrp_instance wrapped {
  state MASTER
  interface eth0
  virtual_router_id 53
  priority 120
  version 2
  advert_int 1
  authentication {
    auth_type AH
    auth_pass theirs
  }
  virtual_ipaddress {
    192.168.1.54/24
  }
}
vrrp_instance six {
  state MASTER
  interface eth0
  virtual_router_id 51
  priority 101
  version 3
  advert_int 0.1
  virtual_ipaddress {
    fe80::51/64
    2001:db8::51/64
  }
}
`

// link makes two hosts on one wire: 192.168.1.1 and fe80::1, 192.168.1.10 and fe80::10.
func link(t *testing.T) (us, them *viptest.Space) {
	t.Helper()
	us, them = viptest.New(t), viptest.New(t)
	us.Veth("eth0", them, "eth0")
	for i, h := range []*viptest.Space{us, them} {
		viptest.Must(t, h.In(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/eth0/addr_gen_mode", []byte("1"), 0) }))
		h.Up("lo")
		h.Up("eth0")
		last := []string{"1", "10"}[i]
		h.Address("eth0", "192.168.1."+last+"/24", "fe80::"+last+"/64")
	}
	return us, them
}

// speak sends a router's adverts from a host, whatever else is there, until ctx ends. The test's end waits for the last of them, and so for ctx: the link goes
// after that.
func speak(ctx context.Context, t *testing.T, h *viptest.Space, c vrrp.Config) {
	t.Helper()
	r, err := vrrp.NewRouter(c)
	viptest.Must(t, err)
	var conn *vrrp.Conn
	viptest.Must(t, h.In(func() (err error) {
		conn, err = vrrp.Open(vrrp.ConnOptions{Link: "eth0", Family: c.Family()})
		return err
	}))
	ended := make(chan struct{})
	t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		defer conn.Close()
		for tick := time.Tick(c.Interval); ctx.Err() == nil; {
			if err := r.Compose(c.Priority, time.Now(), conn.Send); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-tick:
			case <-ctx.Done():
			}
		}
	}()
}

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// TestListen hears a real keepalived and two routers that should not be there, and says what does not fit the configuration.
func TestListen(t *testing.T) {
	us, them := link(t)
	base := vrrp.Config{Version: vrrp.V3, Priority: 254, Interval: time.Second, Mode: vrrp.Appointed, Preempt: true, Source: netip.MustParseAddr("192.168.1.1")}
	one, two := base, base
	one.VRID, one.Addresses, one.Listed = 51, addrs("192.168.1.51", "192.168.1.59"), addrs("192.168.1.10")
	two.VRID, two.Version, two.Auth, two.Password, two.Addresses = 52, vrrp.V2, vrrp.AuthPassword, vrrp.PasswordOf("ours"), addrs("192.168.1.53")
	three := base
	three.VRID, three.Addresses = 60, addrs("192.168.1.60") // nobody speaks for it
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	k := them.Keepalived(theirs)
	collides, rival := base, base
	collides.VRID, collides.Interval, collides.Source, collides.Addresses = 52, 100*time.Millisecond, netip.MustParseAddr("192.168.1.20"), addrs("192.168.1.99")
	rival.VRID, rival.Version, rival.Source, rival.Addresses = 51, vrrp.V2, netip.MustParseAddr("192.168.1.20"), addrs("192.168.1.51")
	speak(ctx, t, them, collides)
	speak(ctx, t, them, rival)

	var r *Report
	for range 3 { // a busy machine may let keepalived start late
		viptest.Must(t, us.In(func() (err error) {
			r, err = Listen(ctx, Options{
				Links: []string{"eth0"}, For: 2500 * time.Millisecond,
				Known: Known{
					Ours:  []Ours{{"VI_1", "eth0", one}, {"VI_2", "eth0", two}, {"VI_3", "eth0", three}},
					Nodes: map[netip.Addr]string{netip.MustParseAddr("192.168.1.20"): "n2"},
					Alone: map[netip.Addr]string{netip.MustParseAddr("2001:db8::51"): "six"},
				},
			})
			return err
		}))
		if len(r.Routers) == 6 {
			break
		}
		t.Logf("heard %d routers; keepalived: %s", len(r.Routers), k.Log(0))
	}
	text := r.Routers[:0:0]
	for _, x := range r.Routers {
		if x.Adverts == 0 || x.Activity != vrrp.Speaking {
			t.Errorf("%+v", x)
		}
		x.Adverts = 0
		text = append(text, x)
	}
	want := []Router{
		{Link: "eth0", Family: "IPv4", VRID: 51, Ours: "VI_1", Source: addrs("192.168.1.10")[0], Activity: vrrp.Speaking, Version: 3, Priority: 150, IntervalMS: 100,
			Addresses: addrs("192.168.1.51", "192.168.1.52"), Sent: "multicast", Auth: "none", Checksum: "pseudo-header"},
		{Link: "eth0", Family: "IPv4", VRID: 51, Ours: "VI_1", Node: "n2", Source: addrs("192.168.1.20")[0], Activity: vrrp.Speaking, Version: 2, Priority: 254, IntervalMS: 1000,
			Addresses: addrs("192.168.1.51"), Sent: "multicast", Auth: "none"},
		{Link: "eth0", Family: "IPv4", VRID: 52, Ours: "VI_2", Source: addrs("192.168.1.10")[0], Activity: vrrp.Speaking, Version: 2, Priority: 200, IntervalMS: 1000,
			Addresses: addrs("192.168.1.53"), Sent: "multicast", Auth: "password"},
		{Link: "eth0", Family: "IPv4", VRID: 52, Ours: "VI_2", Node: "n2", Source: addrs("192.168.1.20")[0], Activity: vrrp.Speaking, Version: 3, Priority: 254, IntervalMS: 100,
			Addresses: addrs("192.168.1.99"), Sent: "multicast", Auth: "none", Checksum: "pseudo-header"},
		{Link: "eth0", Family: "IPv4", VRID: 53, Source: addrs("192.168.1.10")[0], Activity: vrrp.Speaking, Version: 2, Priority: 120, IntervalMS: 1000,
			Addresses: addrs("192.168.1.54"), Sent: "multicast", Auth: "ah"},
		{Link: "eth0", Family: "IPv6", VRID: 51, Source: addrs("fe80::10")[0], Activity: vrrp.Speaking, Version: 3, Priority: 101, IntervalMS: 100,
			Addresses: addrs("fe80::51", "2001:db8::51"), Sent: "multicast", Auth: "none"},
	}
	if len(text) != len(want) {
		t.Fatalf("heard %+v", text)
	}
	for i := range want {
		slices.SortFunc(text[i].Addresses, netip.Addr.Compare)
		slices.SortFunc(want[i].Addresses, netip.Addr.Compare)
		if !slices.Equal(text[i].Addresses, want[i].Addresses) {
			t.Errorf("addresses of %+v, want %+v", text[i], want[i])
		}
		text[i].Addresses, want[i].Addresses = nil, nil
		if g, w := text[i], want[i]; g.Ours != w.Ours || g.Link != w.Link || g.Family != w.Family || g.VRID != w.VRID || g.Node != w.Node || g.Source != w.Source || g.Version != w.Version ||
			g.Priority != w.Priority || g.IntervalMS != w.IntervalMS || g.Sent != w.Sent || g.Auth != w.Auth || g.Checksum != w.Checksum || g.Signed {
			t.Errorf("router %d: %+v\nwant %+v", i, g, w)
		}
	}
	if l := r.Links; len(l) != 2 || l[0].Free != "1-50, 54-59, 61-255" || l[1].Free != "1-50, 52-255" || l[0].Problem != "" || l[0].Heard == 0 {
		t.Errorf("links: %+v", l)
	}
	var found []string
	for _, f := range r.Findings {
		found = append(found, strings.TrimRight(strings.Join([]string{string(f.Kind), f.Difference}, " "), " "))
		for _, w := range []string{"\n", "%!"} {
			if strings.Contains(f.Text, w) {
				t.Errorf("finding %q", f.Text)
			}
		}
	}
	for _, w := range []string{"two-active", "collision", "mismatch interval", "mismatch addresses", "mismatch authentication", "mismatch version", "unlisted", "mismatch vrid-collision", "no-virtual-router", "authentication-header"} {
		if !slices.Contains(found, w) {
			t.Errorf("no finding %q: %+v", w, r.Findings)
		}
	}
	for _, f := range r.Findings {
		if f.VRID == 60 || f.Kind == Contested && f.VRID != 51 || f.Kind == Collides && f.VRID != 52 || (f.Kind == InHeader) != (f.VRID == 53) {
			t.Errorf("finding %+v", f)
		}
	}
}

// TestListenEnds: to be interrupted is no failure, what was heard until then is told.
func TestListenEnds(t *testing.T) {
	us, them := link(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	speak(ctx, t, them, vrrp.Config{VRID: 7, Version: vrrp.V3, Priority: 100, Interval: 50 * time.Millisecond, Source: netip.MustParseAddr("192.168.1.10"), Addresses: addrs("192.168.1.7")})
	time.AfterFunc(2*time.Second, stop)
	var r *Report
	viptest.Must(t, us.In(func() (err error) {
		r, err = Listen(ctx, Options{For: time.Hour})
		return err
	}))
	if len(r.Routers) != 1 || r.Routers[0].VRID != 7 || r.ForMS > 60_000 {
		t.Errorf("heard %+v in %d ms", r.Routers, r.ForMS)
	}
}

// TestListenRefuses: what cannot be listened on is named.
func TestListenRefuses(t *testing.T) {
	us, _ := link(t)
	bad := vrrp.Config{VRID: 7, Version: vrrp.V3, Priority: 0, Interval: time.Second, Source: netip.MustParseAddr("192.168.1.1"), Addresses: addrs("192.168.1.7")}
	for want, o := range map[string]Options{
		`link "eth7" is not there or not up: up are eth0`: {Links: []string{"eth7"}, For: time.Second},
		"virtual router web: vrid 7: priority 0":          {For: time.Second, Known: Known{Ours: []Ours{{"web", "eth0", bad}}}},
	} {
		err := us.In(func() error {
			_, err := Listen(t.Context(), o)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
