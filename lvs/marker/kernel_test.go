package marker_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/marker"
	"quorate/lvs/nft"
)

// everyPlane runs a test on each plane that this kernel has. It has both in integration/qemu.
func everyPlane(t *testing.T, test func(t *testing.T, open func() (lvs.Plane, error))) {
	t.Run("nft", func(t *testing.T) { test(t, openNFT) })
	t.Run("ipvs", func(t *testing.T) {
		needIPVS(t)
		test(t, openIPVS)
	})
}

// needIPVS skips the test on a kernel without it.
func needIPVS(t *testing.T) {
	t.Helper()
	p, err := ipvs.New()
	if errors.Is(err, ipvs.ErrNotLoaded) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
}

func openNFT() (lvs.Plane, error) {
	p, err := nft.New()
	if err != nil {
		return nil, err
	}
	return marker.Wrap(p), nil
}

func openIPVS() (lvs.Plane, error) {
	p, err := ipvs.New()
	if err != nil {
		return nil, err
	}
	return marker.Wrap(p), nil
}

const table = "quorate-marks"

func TestContract(t *testing.T) {
	everyPlane(t, func(t *testing.T, open func() (lvs.Plane, error)) {
		b := lvstest.NewBed(t)
		p := b.Plane(t, open)
		ours := &nftables.Table{Name: table, Family: nftables.TableFamilyINet}
		marked := &nftables.Table{Name: "other", Family: nftables.TableFamilyINet}
		lvstest.Contract(t, lvstest.Subject{
			Plane: p,
			Foreign: func(t *testing.T) func(*testing.T) {
				b.Director.Nftables(t, func(c *nftables.Conn) error {
					c.AddTable(marked)
					c.AddChain(&nftables.Chain{Table: marked, Name: "prerouting", Type: nftables.ChainTypeFilter,
						Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle})
					return nil
				})
				foreign := &netlink.Route{Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST, Dst: netlink.NewIPNet([]byte{203, 0, 113, 1})}
				route(t, b, foreign, netlink.RouteAdd)
				return func(t *testing.T) {
					t.Helper()
					if got := tables(t, b); !strings.Contains(got, "other") {
						t.Errorf("another program's table has gone: %s", got)
					}
					if !strings.Contains(localRoutes(t, b), "203.0.113.1") {
						t.Error("another program's local route has gone")
					}
				}
			},
			Tamper: map[string]func(*testing.T){
				"marks deleted": func(t *testing.T) {
					b.Director.Nftables(t, func(c *nftables.Conn) error {
						c.AddTable(ours) // it may not be there
						c.AddRule(&nftables.Rule{Table: ours, Exprs: []expr.Any{&expr.Counter{}}, Chain: c.AddChain(&nftables.Chain{Table: ours, Name: "intruder"})})
						return nil
					})
				},
				"route added": func(t *testing.T) {
					route(t, b, &netlink.Route{Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST, Protocol: 0x51,
						Dst: netlink.NewIPNet([]byte{203, 0, 113, 9})}, netlink.RouteAdd)
				},
			},
		})
		nothing(t, b, "other")
	})
}

// TestMatches sends traffic through services of port ranges, several VIPs and routed addresses.
func TestMatches(t *testing.T) {
	everyPlane(t, func(t *testing.T, open func() (lvs.Plane, error)) {
		lvstest.Matches(t, open, func(t *testing.T, b *lvstest.Bed, want []lvs.Service) {
			if strings.HasSuffix(t.Name(), "/taken") && strings.Contains(t.Name(), "/ipvs/") {
				listed(t, b, want)
			}
		}, func(t *testing.T, b *lvstest.Bed) { nothing(t, b) })
	})
}

// listed: the kernel's own tool shows the service by its mark.
func listed(t *testing.T, b *lvstest.Bed, want []lvs.Service) {
	t.Helper()
	var out []byte
	err := b.Director.Do(func() (err error) { out, err = exec.Command("ipvsadm", "-Ln").CombinedOutput(); return err })
	if err != nil {
		t.Fatalf("ipvsadm: %v: %s", err, out)
	}
	for _, s := range want {
		if line := fmt.Sprintf("FWM  %d", s.Mark); !strings.Contains(string(out), line) {
			t.Errorf("want %q in\n%s", line, out)
		}
		for _, d := range s.Destinations {
			if line := fmt.Sprintf("-> %v", d.Addr); !strings.Contains(string(out), line) {
				t.Errorf("want %q in\n%s", line, out)
			}
		}
	}
}

// TestKilled: what a killed process has left is taken over by the next one without a change, and goes when nobody wants it any more.
func TestKilled(t *testing.T) {
	everyPlane(t, func(t *testing.T, open func() (lvs.Plane, error)) {
		b := lvstest.NewBed(t)
		m := lvs.Match{First: lvstest.Routed4.Addr(), Last: lvstest.Routed4.Addr().Next(), Protocol: lvs.TCP, Routed: true}
		want := []lvs.Service{{Addr: lvstest.VIP4, Mark: 77, Matches: []lvs.Match{m}, Scheduler: "rr", Forward: lvs.NAT, Persistence: lvs.Persistence{Timeout: 60e9}}}
		reconcile := func(p lvs.Plane, want []lvs.Service) (lvs.Status, error) {
			return p.Reconcile(lvs.Scope{Marks: []uint32{77}}, want)
		}
		if _, err := reconcile(b.Plane(t, open), want); err != nil {
			t.Fatal(err)
		}
		next := b.Plane(t, open)
		if st, err := reconcile(next, want); err != nil || st.Changed != 0 {
			t.Errorf("the next process made %d changes: %v, %v", st.Changed, st.Changes, err)
		}
		if _, err := reconcile(b.Plane(t, open), nil); err != nil {
			t.Fatal(err)
		}
		nothing(t, b)
	})
}

// TestRefusesNeighbours: routed addresses in a subnet of this host are refused, by name, and nothing is done for them; the rest goes on.
func TestRefusesNeighbours(t *testing.T) {
	everyPlane(t, func(t *testing.T, open func() (lvs.Plane, error)) {
		b := lvstest.NewBed(t)
		p := b.Plane(t, open)
		service := func(mark uint32, first, last string) lvs.Service {
			m := lvs.Match{First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last), Protocol: lvs.TCP, FromPort: 80, ToPort: 89, Routed: true}
			return lvs.Service{Addr: m.First, Mark: mark, Matches: []lvs.Match{m}, Scheduler: "rr", Forward: lvs.NAT}
		}
		good := service(1, "198.51.100.1", "198.51.100.2")
		st, err := p.Reconcile(lvs.Scope{}, []lvs.Service{good, service(2, "192.0.1.250", "192.0.2.1"), service(3, "2001:db8:2::77", "2001:db8:2::77")})
		if err == nil || !strings.Contains(err.Error(), "192.0.1.250-192.0.2.1") || !strings.Contains(err.Error(), "2001:db8:2::77") || !strings.Contains(err.Error(), "make VIPs") {
			t.Errorf("the error is %v", err)
		}
		if got := lvs.Text(st.Have()); got != lvs.Text([]lvs.Service{good}) {
			t.Errorf("the kernel has\n%s", got)
		}
		if got := localRoutes(t, b); !strings.Contains(got, "198.51.100.1") || strings.Contains(got, "192.0.1.") || strings.Contains(got, "::77") {
			t.Errorf("local routes:\n%s", got)
		}
	})
}

// TestTakenMark: packets are not marked for a service that another program has.
func TestTakenMark(t *testing.T) {
	needIPVS(t)
	b := lvstest.NewBed(t)
	foreign, ours := b.Plane(t, func() (lvs.Plane, error) { return ipvs.New() }), b.Plane(t, openIPVS)
	s := lvs.Service{Addr: lvstest.VIP4, Mark: 77, Scheduler: "rr", Forward: lvs.NAT}
	if _, err := foreign.Reconcile(lvs.Scope{}, []lvs.Service{s}); err != nil {
		t.Fatal(err)
	}
	s.Matches = []lvs.Match{{First: lvstest.VIP4, Last: lvstest.VIP4, Protocol: lvs.TCP, FromPort: 80, ToPort: 89}}
	if _, err := ours.Reconcile(lvs.Scope{}, []lvs.Service{s}); err == nil || !strings.Contains(err.Error(), "another program has a service by this firewall mark") {
		t.Errorf("the error is %v", err)
	}
	nothing(t, b)
}

// nothing of ours is in the kernel, beside the named tables of others.
func nothing(t *testing.T, b *lvstest.Bed, others ...string) {
	t.Helper()
	if got := tables(t, b); got != strings.Join(others, " ") {
		t.Errorf("tables left: %s", got)
	}
	if got := localRoutes(t, b); strings.Contains(got, "proto 81") {
		t.Errorf("local routes left:\n%s", got)
	}
}

func tables(t *testing.T, b *lvstest.Bed) string {
	t.Helper()
	var names []string
	b.Director.Nftables(t, func(c *nftables.Conn) error {
		list, err := c.ListTables()
		for _, x := range list {
			names = append(names, x.Name)
		}
		return err
	})
	return strings.Join(names, " ")
}

func route(t *testing.T, b *lvstest.Bed, r *netlink.Route, do func(*netlink.Route) error) {
	t.Helper()
	err := b.Director.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		r.LinkIndex = lo.Attrs().Index
		return do(r)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// localRoutes are those of the table local, one a line.
func localRoutes(t *testing.T, b *lvstest.Bed) string {
	t.Helper()
	var out strings.Builder
	err := b.Director.Do(func() error {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			list, err := netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_LOCAL}, netlink.RT_FILTER_TABLE)
			if err != nil {
				return err
			}
			for _, r := range list {
				fmt.Fprintf(&out, "%v proto %d\n", r.Dst, int(r.Protocol))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
