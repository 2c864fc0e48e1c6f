package probepath_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/probepath"
	"quorate/lvs/realserver"
)

// need skips the test on a kernel without IPVS.
func need(t *testing.T) {
	t.Helper()
	p, err := ipvs.New()
	if errors.Is(err, ipvs.ErrNotLoaded) {
		t.Skip(err)
	}
	if err == nil {
		err = p.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// onlooker is a director of the bed with paths in its kernel.
type onlooker struct {
	t     *testing.T
	host  *lvstest.Host
	plane lvs.Plane
	table probepath.Table
	ports probepath.Ports
}

func newOnlooker(t *testing.T, h *lvstest.Host) *onlooker {
	t.Helper()
	o := &onlooker{t: t, host: h}
	err := h.Do(func() (err error) { o.plane, err = ipvs.New(); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.plane.Close() })
	return o
}

// paths puts the paths into the kernel.
func (o *onlooker) paths(paths ...probepath.Path) {
	o.t.Helper()
	err := o.table.Set(paths)
	var st lvs.Status
	if err == nil {
		err = o.host.Do(func() (err error) { st, err = o.plane.Reconcile(lvs.Scope{}, o.table.Services()); return err })
	}
	if led := o.table.Led(st); err == nil && len(led) != len(paths) {
		err = fmt.Errorf("%d of %d paths are in the kernel: %+v", len(led), len(paths), st)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// ask is who answers through the path, or the error.
func (o *onlooker) ask(p probepath.Path, vip netip.AddrPort, within time.Duration) (who string, err error) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), within)
	defer cancel()
	port, err := o.ports.Of(p.String() + p.Server.String() + vip.String())
	if err != nil {
		return "", err
	}
	err = o.host.Do(func() error {
		c, err := probepath.Dial(ctx, p, o.table.Mark(p), port, vip)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, err := bufio.NewReader(c).ReadString('\n')
		who, _, _ = strings.Cut(line, " ")
		return err
	})
	return who, err
}

// soon is how long a server that does not answer is waited for.
const soon = 700 * time.Millisecond

func (o *onlooker) answers(p probepath.Path, vip netip.AddrPort, want string) {
	o.t.Helper()
	lvstest.Eventually(o.t, "the server answers", func() (bool, any) {
		who, err := o.ask(p, vip, 10*time.Second)
		return who == want, fmt.Sprint(who, err)
	})
}

func (o *onlooker) silent(p probepath.Path, vip netip.AddrPort, why string) {
	o.t.Helper()
	if who, err := o.ask(p, vip, soon); err == nil {
		o.t.Errorf("%s: %s answers through the path to %v", why, who, p.Server)
	}
}

// connections are those that IPVS remembers on the host.
func (o *onlooker) connections() map[netip.AddrPort]lvs.Connection {
	o.t.Helper()
	out := map[netip.AddrPort]lvs.Connection{}
	err := o.host.Do(func() error {
		for c, err := range ipvs.Connections() {
			if err != nil {
				return err
			}
			out[c.Client] = c
		}
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

// TestPaths: of three servers one is right, one was never prepared, and one loses what it needs and gets it back. d1 owns the VIP and balances it, so that
// whatever comes to the owner is answered.
func TestPaths(t *testing.T) {
	for _, c := range []struct {
		vip     netip.Addr
		forward string
		tunnel  string
		encap   lvs.Encap
		device  string
	}{
		{lvstest.VIP4, lvs.DirectRouting, "", lvs.Encap{}, ""}, {lvstest.VIP6, lvs.DirectRouting, "", lvs.Encap{}, ""},
		{lvstest.VIP4, lvs.Tunnel, realserver.IPIP, lvs.Encap{}, "quorate-ipip"}, {lvstest.VIP6, lvs.Tunnel, realserver.IPIP, lvs.Encap{}, "quorate-ip6tnl"},
		{lvstest.VIP4, lvs.Tunnel, realserver.GRE, lvs.Encap{Type: lvs.GRE}, "quorate-gre"},
		{lvstest.VIP6, lvs.Tunnel, realserver.GRE, lvs.Encap{Type: lvs.GRE}, "quorate-gre6"},
		{lvstest.VIP4, lvs.Tunnel, realserver.GUE, lvs.Encap{Type: lvs.GUE, Port: realserver.DefaultPort}, "quorate-ipip"},
		{lvstest.VIP6, lvs.Tunnel, realserver.GUE, lvs.Encap{Type: lvs.GUE, Port: realserver.DefaultPort}, "quorate-ip6tnl"},
	} {
		t.Run(strings.TrimSpace(c.forward+" "+c.tunnel)+" "+c.vip.String(), func(t *testing.T) {
			need(t)
			f := lvstest.NewFlat(t)
			o := newOnlooker(t, f.Directors[1])
			owner := newOnlooker(t, f.Directors[0])
			vip := netip.AddrPortFrom(c.vip, lvstest.Port)
			path := func(i int) probepath.Path {
				return probepath.Path{Server: f.Addr(i, c.vip).Addr(), IPv6: c.vip.Is6(), Forward: c.forward, Encap: c.encap}
			}
			balanced := lvs.Service{Addr: c.vip, Port: lvstest.Port, Protocol: lvs.TCP, Scheduler: "rr", Forward: c.forward, Encap: c.encap,
				Destinations: []lvs.Destination{{Addr: f.Addr(2, c.vip), Weight: 1}}}
			if err := owner.host.Do(func() error { _, err := owner.plane.Reconcile(lvs.Scope{}, []lvs.Service{balanced}); return err }); err != nil {
				t.Fatal(err)
			}
			o.paths(path(0), path(1), path(2))
			v := realserver.VIP{Addr: c.vip, Forward: c.forward, Tunnel: c.tunnel}
			has := f.Ready(t, 0, v)
			f.Ready(t, 2, v)
			lvstest.Eventually(t, "the owner has s3 answer", func() (bool, any) {
				who, err := o.host.Open("tcp", vip, netip.Addr{})
				if err != nil {
					return false, err
				}
				who.Close()
				return who.Server == "s3", who.Server
			})
			for range 3 {
				o.answers(path(0), vip, "s1")
				o.silent(path(1), vip, "never prepared")
				o.answers(path(2), vip, "s3")
			}
			// However often it was asked, the kernel remembers one connection for each, beside what it is about to forget.
			if got := o.connections(); len(got) != 3 {
				t.Errorf("connections in the kernel's table, want 3: %+v", got)
			}

			if err := has(c.vip, false); err != nil {
				t.Fatal(err)
			}
			o.silent(path(0), vip, "without the VIP")
			if c.forward == lvs.DirectRouting {
				// A router hands it on to the owner, who would balance it.
				if err := f.Servers[0].Sysctl("net/ipv4/ip_forward", "1"); err != nil {
					t.Fatal(err)
				}
				if err := f.Servers[0].Sysctl("net/ipv6/conf/all/forwarding", "1"); err != nil {
					t.Fatal(err)
				}
				o.silent(path(0), vip, "without the VIP, and a router")
			}
			if err := has(c.vip, true); err != nil {
				t.Fatal(err)
			}
			o.answers(path(0), vip, "s1")
			if c.device == "" {
				return
			}
			if c.vip.Is4() {
				filter := "net/ipv4/conf/" + c.device + "/rp_filter"
				if err := f.Servers[0].Sysctl(filter, "1"); err != nil {
					t.Fatal(err)
				}
				o.silent(path(0), vip, "with the reverse path filter")
				if err := f.Servers[0].Sysctl(filter, "0"); err != nil {
					t.Fatal(err)
				}
				o.answers(path(0), vip, "s1")
			}
			if err := f.Remove(0, c.device); err != nil {
				t.Fatal(err)
			}
			o.silent(path(0), vip, "without the tunnel")
		})
	}
}

// TestOwnerAbstains: the owner of the VIP cannot probe so, and knows it.
func TestOwnerAbstains(t *testing.T) {
	f := lvstest.NewFlat(t)
	for _, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		if err := f.Directors[0].Do(func() error { return probepath.Check(vip) }); !errors.Is(err, probepath.ErrLocal) {
			t.Errorf("on the owner of %v: %v", vip, err)
		}
		if err := f.Directors[1].Do(func() error { return probepath.Check(vip) }); err != nil {
			t.Errorf("on the other: %v", err)
		}
	}
	if err := f.Directors[1].Do(func() error { return probepath.Check(netip.MustParseAddr("198.51.100.1")) }); !errors.Is(err, probepath.ErrNoRoute) {
		t.Errorf("without a route: %v", err)
	}
}

// TestManyPaths: a thousand servers are programmed in one batch, and connections to them do not pile up.
func TestManyPaths(t *testing.T) {
	need(t)
	f := lvstest.NewFlat(t)
	o := newOnlooker(t, f.Directors[1])
	var all []probepath.Path
	for i := range 1000 {
		all = append(all, probepath.Path{Server: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Forward: lvs.DirectRouting})
	}
	began := time.Now()
	o.paths(all...)
	t.Logf("1,000 paths programmed in %v", time.Since(began))
	began = time.Now()
	err := o.host.Do(func() error {
		st, err := o.plane.Reconcile(lvs.Scope{}, o.table.Services())
		if st.Changed > 0 {
			t.Errorf("%d changes of what is there", st.Changed)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("and compared in %v", time.Since(began))
	began = time.Now()
	err = o.host.Do(func() error { _, err := o.plane.Reconcile(lvs.Scope{}, nil); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("and removed in %v", time.Since(began))
}

// TestConntrack: where IPVS tracks its connections, a question can be asked again at once from the same port.
func TestConntrack(t *testing.T) {
	need(t)
	f := lvstest.NewFlat(t)
	o := newOnlooker(t, f.Directors[1])
	if err := o.host.Sysctl("net/ipv4/vs/conntrack", "1"); err != nil {
		t.Fatal(err)
	}
	p := probepath.Path{Server: f.Addr(0, lvstest.VIP4).Addr(), Forward: lvs.DirectRouting}
	o.paths(p)
	f.Ready(t, 0, realserver.VIP{Addr: lvstest.VIP4, Forward: lvs.DirectRouting})
	for i := range 10 {
		if who, err := o.ask(p, netip.AddrPortFrom(lvstest.VIP4, lvstest.Port), soon); who != "s1" {
			t.Errorf("the %d. time: %q, %v", i+1, who, err)
		}
	}
}

// TestBackupOnly: with that sysctl IPVS leaves all packets alone while its sync daemon is a backup, and so a probe would be answered by whomever the owner
// chooses. The agent says then that it cannot probe so.
func TestBackupOnly(t *testing.T) {
	need(t)
	f := lvstest.NewFlat(t)
	o, owner := newOnlooker(t, f.Directors[1]), newOnlooker(t, f.Directors[0])
	vip := netip.AddrPortFrom(lvstest.VIP4, lvstest.Port)
	balanced := lvs.Service{Addr: lvstest.VIP4, Port: lvstest.Port, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.DirectRouting,
		Destinations: []lvs.Destination{{Addr: f.Addr(2, lvstest.VIP4), Weight: 1}}}
	if err := owner.host.Do(func() error { _, err := owner.plane.Reconcile(lvs.Scope{}, []lvs.Service{balanced}); return err }); err != nil {
		t.Fatal(err)
	}
	p := probepath.Path{Server: f.Addr(0, lvstest.VIP4).Addr(), Forward: lvs.DirectRouting}
	o.paths(p)
	for i := range f.Servers {
		f.Ready(t, i, realserver.VIP{Addr: lvstest.VIP4, Forward: lvs.DirectRouting})
	}
	o.answers(p, vip, "s1")
	var daemons *ipvs.Daemons
	backup := ipvs.Daemon{State: ipvs.Backup, Interface: "lo", SyncID: 1, MaxLen: 1400, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1}
	none := func(ipvs.Daemon) bool { return false }
	err := o.host.Do(func() (err error) {
		if daemons, err = ipvs.OpenDaemons(); err == nil {
			_, err = daemons.Reconcile([]ipvs.Daemon{backup}, none)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := o.host.Do(func() error {
			_, err := daemons.Reconcile(nil, func(ipvs.Daemon) bool { return true })
			return errors.Join(err, daemons.Close())
		})
		if err != nil {
			t.Error(err)
		}
	})
	o.answers(p, vip, "s1")
	if err := o.host.Sysctl("net/ipv4/vs/backup_only", "1"); err != nil {
		t.Fatal(err)
	}
	o.answers(p, vip, "s3") // through the owner
}

// TestFirewall: IPVS takes packets of direct routing out of connection tracking (ip_vs.h, ip_vs_notrack), so a firewall that lets in the answers of what it has tracked does
// not know these. A rule for answers from the VIP does.
func TestFirewall(t *testing.T) {
	need(t)
	f := lvstest.NewFlat(t)
	o := newOnlooker(t, f.Directors[1])
	vip := netip.AddrPortFrom(lvstest.VIP4, lvstest.Port)
	p := probepath.Path{Server: f.Addr(0, lvstest.VIP4).Addr(), Forward: lvs.DirectRouting}
	o.paths(p)
	f.Ready(t, 0, realserver.VIP{Addr: lvstest.VIP4, Forward: lvs.DirectRouting})
	o.answers(p, vip, "s1")
	rules := func(text string) {
		t.Helper()
		err := o.host.Do(func() error {
			cmd := exec.Command("nft", "-f", "-")
			cmd.Stdin = strings.NewReader(text)
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("nft: %w: %s", err, out)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rules("table ip host { chain in { type filter hook input priority 0; policy drop; iif lo accept; ct state established,related accept; }; }")
	own := netip.AddrPortFrom(p.Server, lvstest.Port)
	if c, err := o.host.Open("tcp", own, netip.Addr{}); err != nil {
		t.Errorf("the server's own address: %v", err)
	} else {
		c.Close()
	}
	o.silent(p, vip, "with the firewall")
	rules(fmt.Sprintf("add rule ip host in ip saddr %v tcp sport %d accept", vip.Addr(), vip.Port()))
	o.answers(p, vip, "s1")
}
