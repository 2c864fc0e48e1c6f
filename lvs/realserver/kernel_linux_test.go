package realserver

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// killAt, in the environment of this test program, makes it a setup or undo that kills itself: "4 before", "4 after" or "0" for not at all;
// doing says what it does, in the file.
const (
	killAt = "QUORATE_REALSERVER_KILL"
	doing  = "QUORATE_REALSERVER_DO"
	inFile = "QUORATE_REALSERVER_FILE"
)

func TestMain(m *testing.M) {
	if at := os.Getenv(killAt); at != "" {
		os.Exit(mortal(at))
	}
	os.Exit(m.Run())
}

// doomed is the kernel, until its process has taken so many steps.
type doomed struct {
	linux
	left  int
	after bool
}

func (d *doomed) take(s Step) error {
	d.left--
	if d.left == 0 && !d.after {
		die()
	}
	err := d.linux.take(s)
	if d.left == 0 {
		die()
	}
	return err
}

func die() {
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

func mortal(at string) int {
	n, when, _ := strings.Cut(at, " ")
	left, _ := strconv.Atoi(n)
	s := &Server{path: os.Getenv(inFile), kernel: &doomed{left: left, after: when == "after"}}
	var err error
	if os.Getenv(doing) == "undo" {
		_, err = s.Undo(nil, false)
	} else {
		_, err = s.Setup(both, false)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

var both = []VIP{{Addr: netip.MustParseAddr("192.0.2.10"), Forward: "dr"}, {Addr: netip.MustParseAddr("2001:db8::10"), Forward: "dr"}}

// space is a network namespace with eth0, 192.0.2.5/24, that goes with the test.
type space struct {
	t  *testing.T
	ns netns.NsHandle
}

func newSpace(t *testing.T) *space {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("no root: network namespaces cannot be made")
	}
	s := &space{t: t}
	s.ns = -1
	s.onThread(func() (err error) {
		if s.ns, err = netns.New(); err != nil {
			return err
		}
		a := netlink.NewLinkAttrs()
		a.Name = "eth0"
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		v := &netlink.Veth{LinkAttrs: a, PeerName: "peer0"}
		if err := errors.Join(os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0), netlink.LinkSetUp(lo), netlink.LinkAdd(v)); err != nil {
			return err
		}
		n := &net.IPNet{IP: net.IPv4(192, 0, 2, 5), Mask: net.CIDRMask(24, 32)}
		return errors.Join(netlink.LinkSetUp(v), netlink.AddrAdd(v, &netlink.Addr{IPNet: n}))
	})
	t.Cleanup(func() { s.ns.Close() })
	return s
}

// onThread runs f on a thread that may be in another namespace: it ends with f.
func (s *space) onThread(f func() error) {
	s.t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

func (s *space) in(f func() error) {
	s.t.Helper()
	s.onThread(func() error {
		if err := netns.Set(s.ns); err != nil {
			return err
		}
		return f()
	})
}

// snapshot is all there is to see of the namespace's network, and of a directory: links, addresses as the kernel lists them, routes,
// every sysctl, every file.
func (s *space) snapshot(dir string) (out []string) {
	s.t.Helper()
	s.in(func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		names := map[int]string{}
		for _, l := range links {
			a := l.Attrs()
			names[a.Index] = a.Name
			out = append(out, fmt.Sprint("link ", a.Index, a.Name, l.Type(), a.RawFlags&^(unix.IFF_RUNNING|unix.IFF_LOWER_UP), a.MTU, a.HardwareAddr, a.Alias))
			addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
			if err != nil {
				return err
			}
			for _, x := range addrs {
				out = append(out, fmt.Sprint("address ", a.Name, x.IPNet, x.Label, x.Flags, x.Scope, x.PreferedLft, x.ValidLft))
			}
		}
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
			if err != nil {
				return err
			}
			for _, r := range routes {
				out = append(out, fmt.Sprint("route ", r))
			}
		}
		return filepath.WalkDir("/proc/sys/net", func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(p, "_count") {
				return nil
			}
			if b, err := os.ReadFile(p); err == nil {
				out = append(out, p+" "+string(b))
			}
			return nil
		})
	})
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(p)
			out = append(out, "file "+p+" "+string(b))
		} else if err == nil {
			out = append(out, "directory "+p)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *space) same(what string, before, now []string) {
	s.t.Helper()
	for _, x := range now {
		if !slices.Contains(before, x) {
			s.t.Errorf("%s: new: %s", what, x)
		}
	}
	for _, x := range before {
		if !slices.Contains(now, x) {
			s.t.Errorf("%s: missing: %s", what, x)
		}
	}
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// process runs this program in the namespace as one that may kill itself, and says whether it did.
func (s *space) process(what, at, file string) (died bool) {
	s.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), killAt+"="+at, doing+"="+what, inFile+"="+file)
	var text strings.Builder
	cmd.Stderr = &text
	var err error
	s.in(func() error { err = cmd.Start(); return err }) // a process is in the namespace of the thread that makes it
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(interface{ Signal() unix.Signal }).Signal() == unix.SIGKILL:
		return true
	}
	s.t.Fatalf("%s %s: %v: %s", what, at, err, text.String())
	return false
}

// ready runs Setup and demands that a Check finds everything, and a second Setup nothing to do.
func (s *space) ready(srv *Server, vips []VIP) {
	s.t.Helper()
	s.in(func() error {
		if r, err := srv.Setup(vips, false); err != nil || !r.Ready {
			return fmt.Errorf("setup: %w\n%+v", err, r)
		}
		if r, err := srv.Check(vips); err != nil || !r.Ready {
			return fmt.Errorf("check after setup: %v\n%+v", err, r)
		}
		if r, err := srv.Setup(vips, false); err != nil || len(r.Steps) > 0 {
			return fmt.Errorf("second setup: %v\n%+v", err, r)
		}
		return nil
	})
}

func (s *space) undo(srv *Server) {
	s.t.Helper()
	s.in(func() error { _, err := srv.Undo(nil, false); return err })
}

// TestKilled: setup and undo killed with SIGKILL before and after each step. What is left is taken back entirely, and setup goes on
// from there.
func TestKilled(t *testing.T) {
	s := newSpace(t)
	dir := memory(t)
	srv := &Server{path: filepath.Join(dir, "state", "r.json"), kernel: linux{}}
	before := s.snapshot(dir)
	kills := 0
	for _, what := range []string{"setup", "undo"} {
		for n := 1; ; n++ {
			died := false
			for _, when := range []string{"before", "after"} {
				for _, then := range []string{"undo", "setup"} {
					if what == "undo" {
						s.ready(srv, both)
					}
					at := fmt.Sprint(n, " ", when)
					if s.process(what, at, srv.path) {
						died = true
						kills++
					}
					if then == "setup" {
						s.ready(srv, both)
					}
					s.undo(srv)
					s.same(fmt.Sprintf("%s killed at step %s, then %s", what, at, then), before, s.snapshot(dir))
				}
			}
			if !died {
				break // there are fewer steps
			}
		}
	}
	if kills != 48 { // 6 steps each way, before and after, two ways on
		t.Errorf("%d processes were killed, want 48", kills)
	}
}

// TestFailedSetup: a tunnel that the kernel cannot make ends a setup that has begun; what came before is taken back, or stays as it is.
func TestFailedSetup(t *testing.T) {
	s := newSpace(t)
	dir := t.TempDir()
	srv := &Server{path: filepath.Join(dir, "state", "r.json"), kernel: linux{}}
	before := s.snapshot(dir)
	vips := []VIP{{Addr: netip.MustParseAddr("192.0.2.10"), Forward: "tun"}}
	var rep Report
	var err error
	s.in(func() error {
		// Another program's device that takes everything in is in the way, where the kernel has ipip at all.
		if e := netlink.LinkAdd(newLink("other", "ipip")); e != nil && !errors.Is(e, unix.EOPNOTSUPP) {
			return e
		}
		rep, err = srv.Setup(vips, false)
		return nil
	})
	if err == nil || rep.Ready || rep.Done() != 4 || len(rep.Steps) != 8 {
		t.Fatalf("setup: %v, %d of %d steps", err, rep.Done(), len(rep.Steps))
	}
	if !strings.Contains(err.Error(), "modprobe ipip") && !strings.Contains(err.Error(), "takes such packets in from everywhere already") {
		t.Errorf("the cure is not named: %v", err)
	}
	t.Log(err)
	s.in(func() error {
		c, err := srv.Check(nil)
		if err == nil && (c.Ready || len(c.Steps) != 4) {
			err = fmt.Errorf("after half a setup: %s", commands(c.Steps))
		}
		return err
	})
	s.undo(srv)
	s.in(func() error {
		if l, err := netlink.LinkByName("other"); err == nil {
			return netlink.LinkDel(l)
		}
		return nil
	})
	s.same("undo after half a setup", before, s.snapshot(dir))
}

// TestEveryForward: each way of forwarding on the real kernel, and the host as it was afterwards. Index numbers of devices that came and went
// are not taken again, which nobody sees.
func TestEveryForward(t *testing.T) {
	for _, v := range []VIP{
		{Addr: both[0].Addr, Forward: "dr"}, {Addr: both[1].Addr, Forward: "dr"},
		{Addr: both[0].Addr, Forward: "tun", Tunnel: IPIP}, {Addr: both[1].Addr, Forward: "tun", Tunnel: IPIP}, {Addr: both[0].Addr, Forward: "tun", Tunnel: IPIP, Outer: IPv6},
		{Addr: both[0].Addr, Forward: "tun", Tunnel: GRE}, {Addr: both[1].Addr, Forward: "tun", Tunnel: GRE}, {Addr: both[1].Addr, Forward: "tun", Tunnel: GRE, Outer: IPv4},
		{Addr: both[0].Addr, Forward: "tun", Tunnel: GUE}, {Addr: both[1].Addr, Forward: "tun", Tunnel: GUE, Port: 7000},
	} {
		t.Run(strings.ReplaceAll(fmt.Sprint(v.Addr, v.Forward, v.Tunnel, v.Outer), " ", "-"), func(t *testing.T) {
			s := newSpace(t)
			dir := t.TempDir()
			srv := &Server{path: filepath.Join(dir, "state", "r.json"), kernel: linux{}}
			before := s.snapshot(dir)
			var lacks error
			s.in(func() error { _, lacks = srv.Setup([]VIP{v}, false); return nil })
			if lacks != nil && strings.Contains(lacks.Error(), "modprobe") {
				s.undo(srv)
				t.Skip(lacks)
			}
			s.ready(srv, []VIP{v})
			s.undo(srv)
			s.same("undo", before, s.snapshot(dir))
			s.undo(srv)
			// Without the record: the address and the device are known by their marks.
			s.ready(srv, []VIP{v})
			if err := os.RemoveAll(filepath.Dir(srv.path)); err != nil {
				t.Fatal(err)
			}
			s.undo(srv)
			s.same("undo without the record", others(before), others(s.snapshot(dir)))
		})
	}
}

// others is a snapshot without the sysctls whose values before setup nobody knows without the record.
func others(snapshot []string) []string {
	return slices.DeleteFunc(slices.Clone(snapshot), func(x string) bool { return strings.Contains(x, "/arp_") || strings.Contains(x, "/rp_filter") })
}
