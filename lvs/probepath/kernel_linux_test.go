package probepath_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/probepath"
	"quorate/lvs/realserver"
)

// onlooker is d2 of the bed, which does not have the VIP, with paths in its kernel.
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
	if errors.Is(err, ipvs.ErrNotLoaded) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.plane.Close() })
	return o
}

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

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		vip     netip.Addr
		forward string
		tunnel  string
		encap   lvs.Encap
	}{
		{lvstest.VIP4, lvs.DirectRouting, "", lvs.Encap{}}, {lvstest.VIP6, lvs.DirectRouting, "", lvs.Encap{}},
		{lvstest.VIP4, lvs.Tunnel, realserver.IPIP, lvs.Encap{}}, {lvstest.VIP6, lvs.Tunnel, realserver.IPIP, lvs.Encap{}},
		{lvstest.VIP4, lvs.Tunnel, realserver.GRE, lvs.Encap{Type: lvs.GRE}}, {lvstest.VIP6, lvs.Tunnel, realserver.GRE, lvs.Encap{Type: lvs.GRE}},
	} {
		t.Run(strings.TrimSpace(c.forward+" "+c.tunnel)+" "+c.vip.String(), func(t *testing.T) {
			f := lvstest.NewFlat(t)
			o := newOnlooker(t, f.Directors[1])
			vip := netip.AddrPortFrom(c.vip, lvstest.Port)
			path := func(i int) probepath.Path {
				return probepath.Path{Server: f.Addr(i, c.vip).Addr(), IPv6: c.vip.Is6(), Forward: c.forward, Encap: c.encap}
			}
			o.paths(path(0), path(1), path(2))
			v := realserver.VIP{Addr: c.vip, Forward: c.forward, Tunnel: c.tunnel}
			move := f.Ready(t, 0, v)
			f.Ready(t, 2, v)
			for range 3 {
				for i, want := range []string{"s1", "", "s3"} {
					within := 10 * time.Second
					if want == "" {
						within = 700 * time.Millisecond
					}
					who, err := o.ask(path(i), vip, within)
					if who != want || (err == nil) != (want != "") {
						t.Errorf("through the path to s%d: %q, %v; want %q", i+1, who, err, want)
					}
				}
			}
			if err := move(c.vip, false); err != nil {
				t.Fatal(err)
			}
			if who, err := o.ask(path(0), vip, 700*time.Millisecond); err == nil {
				t.Errorf("%s answers without the VIP", who)
			}
			if err := move(c.vip, true); err != nil {
				t.Fatal(err)
			}
			if who, err := o.ask(path(0), vip, 10*time.Second); who != "s1" {
				t.Errorf("with the VIP again: %q, %v; want s1", who, err)
			}
		})
	}
}
