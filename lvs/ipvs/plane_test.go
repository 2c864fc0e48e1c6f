package ipvs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	moby "github.com/moby/ipvs"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/realserver"
)

func open() (lvs.Plane, error) { return New() }

// newBed skips where the kernel has no IPVS; the tests run in full inside User-Mode Linux, see integration/uml.
func newBed(t testing.TB) *lvstest.Bed {
	t.Helper()
	if p, err := New(); errors.Is(err, ErrNotLoaded) {
		t.Skip(err)
	} else if err == nil {
		p.Close()
	}
	return lvstest.NewBed(t)
}

// other is another program that uses IPVS, with a library of its own.
type other struct {
	bed *lvstest.Bed
}

func (o other) do(t *testing.T, f func(h *moby.Handle) error) {
	t.Helper()
	err := o.bed.Director.Do(func() error {
		h, err := moby.New("")
		if err != nil {
			return err
		}
		defer h.Close()
		return f(h)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mobyService(addr netip.Addr, port uint16, scheduler string) *moby.Service {
	return &moby.Service{Address: net.IP(addr.AsSlice()), Protocol: unix.IPPROTO_TCP, Port: port, SchedName: scheduler,
		AddressFamily: unix.AF_INET, Netmask: 0xffffffff}
}

func mobyDestination(a netip.AddrPort, weight int, forward uint32) *moby.Destination {
	return &moby.Destination{Address: net.IP(a.Addr().AsSlice()), Port: a.Port(), Weight: weight, ConnectionFlags: forward,
		AddressFamily: unix.AF_INET}
}

func TestContract(t *testing.T) {
	b := newBed(t)
	p := b.Plane(t, open)
	o := other{b}
	drift := lvstest.DriftService(p.Capabilities())
	svc := mobyService(drift.Addr, drift.Port, drift.Scheduler)
	s1, s2 := drift.Destinations[0].Addr, drift.Destinations[1].Addr
	tamper := func(f func(h *moby.Handle) error) func(*testing.T) {
		return func(t *testing.T) { t.Helper(); o.do(t, f) }
	}
	persistent := *svc
	persistent.Flags, persistent.Timeout = 1, 300 // IP_VS_SVC_F_PERSISTENT
	lvstest.Contract(t, lvstest.Subject{
		Plane:   p,
		Glances: true,
		Foreign: o.foreign,
		Tamper: map[string]func(*testing.T){
			"service deleted":     tamper(func(h *moby.Handle) error { return h.DelService(svc) }),
			"destination deleted": tamper(func(h *moby.Handle) error { return h.DelDestination(svc, mobyDestination(s1, 0, 0)) }),
			"weight changed":      tamper(func(h *moby.Handle) error { return h.UpdateDestination(svc, mobyDestination(s2, 77, 0)) }),
			"method changed": tamper(func(h *moby.Handle) error {
				return h.UpdateDestination(svc, mobyDestination(s2, 1, moby.ConnectionFlagDirectRoute))
			}),
			"scheduler changed": tamper(func(h *moby.Handle) error { return h.UpdateService(mobyService(drift.Addr, drift.Port, "rr")) }),
			"made persistent":   tamper(func(h *moby.Handle) error { return h.UpdateService(&persistent) }),
			"destination added": tamper(func(h *moby.Handle) error {
				return h.NewDestination(svc, mobyDestination(netip.MustParseAddrPort("10.9.0.77:1"), 1, 0))
			}),
			"service added": tamper(func(h *moby.Handle) error { return h.NewService(mobyService(drift.Addr, 7777, "rr")) }),
		},
	})
}

// foreign makes a service on an address that is not managed, and one by firewall mark.
func (o other) foreign(t *testing.T) func(*testing.T) {
	addressed := mobyService(netip.MustParseAddr("203.0.113.1"), 80, "rr")
	marked := &moby.Service{FWMark: 99, SchedName: "wlc", AddressFamily: unix.AF_INET, Netmask: 0xffffffff}
	dest := mobyDestination(netip.MustParseAddrPort("10.9.0.11:80"), 5, 0)
	o.do(t, func(h *moby.Handle) error {
		return errors.Join(h.NewService(addressed), h.NewDestination(addressed, dest), h.NewService(marked))
	})
	return func(t *testing.T) {
		t.Helper()
		o.do(t, func(h *moby.Handle) error {
			if !h.IsServicePresent(marked) {
				t.Error("the service by firewall mark is gone")
			}
			ds, err := h.GetDestinations(addressed)
			if err == nil && (len(ds) != 1 || ds[0].Weight != 5) {
				t.Errorf("the foreign service's destinations are %+v", ds)
			}
			return err
		})
	}
}

func TestTraffic(t *testing.T) {
	b := newBed(t)
	lvstest.Traffic(t, b, b.Plane(t, open))
}

// TestBound: persistence, all ports, and firewall marks, which the kernel's traffic control sets here.
func TestBound(t *testing.T) {
	b := newBed(t)
	lvstest.Bound(t, b, b.Plane(t, open), func(t *testing.T) {
		if err := b.Director.Do(func() error { return mark("front", 9000, 7) }); err != nil {
			t.Fatal(err)
		}
	}, other{b}.forget)
}

// forget has the kernel forget connections over UDP a second after their last packet.
func (o other) forget(t *testing.T) {
	o.do(t, func(h *moby.Handle) error { return h.SetConfig(&moby.Config{TimeoutUDP: time.Second}) })
}

// mark marks what comes in on a link for a TCP port.
func mark(link string, port uint16, mark uint32) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	at := netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}
	if err := netlink.QdiscReplace(&netlink.GenericQdisc{QdiscAttrs: at, QdiscType: "clsact"}); err != nil {
		return err
	}
	tcp := nl.IPPROTO_TCP
	for i, family := range []uint16{unix.ETH_P_IP, unix.ETH_P_IPV6} {
		edit := netlink.NewSkbEditAction()
		edit.Mark = &mark
		err = errors.Join(err, netlink.FilterReplace(&netlink.Flower{
			FilterAttrs: netlink.FilterAttrs{LinkIndex: l.Attrs().Index, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1, Priority: uint16(1 + i), Protocol: family},
			EthType:     family, IPProto: &tcp, DestPort: port, Actions: []netlink.Action{edit},
		}))
	}
	return err
}

// TestFeatures: what no other plane has.
func TestFeatures(t *testing.T) {
	b := newBed(t)
	lvstest.Features(t, b, b.Plane(t, open), other{b}.forget)
}

// TestTable: every scheduler × forwarding method × protocol × family, and the kernel's own tool shows what was asked for, line by line.
func TestTable(t *testing.T) {
	newBed(t) // skips
	if _, err := exec.LookPath("ipvsadm"); err != nil {
		t.Skip("ipvsadm is not installed: run apt-get install ipvsadm")
	}
	lvstest.Table(t, open, func(t *testing.T, b *lvstest.Bed, want []lvs.Service) {
		t.Helper()
		var out []byte
		if err := b.Director.Do(func() (err error) { out, err = exec.Command("ipvsadm", "-Ln").CombinedOutput(); return err }); err != nil {
			t.Fatalf("ipvsadm: %v: %s", err, out)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			words := strings.Fields(line)
			switch {
			case len(words) == 6 && words[0] == "->" && words[1] != "RemoteAddress:Port":
				got = append(got, strings.Join(words[:4], " ")) // without the connections
			case len(words) >= 3 && slices.Contains([]string{"TCP", "UDP", "SCTP", "FWM"}, words[0]):
				got = append(got, strings.Join(words, " "))
			}
		}
		if asked := listing(want); !slices.Equal(got, asked) {
			t.Errorf("ipvsadm -Ln shows\n%s\nasked for\n%s", strings.Join(got, "\n"), strings.Join(asked, "\n"))
		}
	})
}

// listing is what ipvsadm -Ln shows of plain services, without the connections.
func listing(services []lvs.Service) (out []string) {
	methods := map[string]string{lvs.NAT: "Masq", lvs.DirectRouting: "Route", lvs.Tunnel: "Tunnel"}
	for _, s := range services {
		out = append(out, fmt.Sprintf("%s %v %s", strings.ToUpper(s.Protocol), s.Key().Addr, s.Scheduler))
		for _, d := range s.Destinations {
			out = append(out, fmt.Sprintf("-> %v %s %d", d.Addr, methods[s.Forward], d.Weight))
		}
	}
	return out
}

// TestMethods sends real traffic by direct routing and through every kind of tunnel, with every kind of checksum and in mixed families, to
// servers that were prepared as an operator would: the server has the VIP itself and answers the client without the director.
func TestMethods(t *testing.T) {
	v4, v6 := lvstest.VIP4, lvstest.VIP6
	type method struct {
		vip, outer netip.Addr
		forward    string
		encap      lvs.Encap
	}
	methods := []method{{v4, v4, lvs.DirectRouting, lvs.Encap{}}, {v6, v6, lvs.DirectRouting, lvs.Encap{}}, {v4, v6, lvs.Tunnel, lvs.Encap{}},
		{v4, v6, lvs.Tunnel, lvs.Encap{Type: lvs.GRE}}, {v6, v4, lvs.Tunnel, lvs.Encap{Type: lvs.GRE}}, {v4, v6, lvs.Tunnel, lvs.Encap{Type: lvs.GUE, Port: 7001}}}
	for _, vip := range []netip.Addr{v4, v6} {
		for _, e := range []lvs.Encap{{}, {Type: lvs.GRE}, {Type: lvs.GRE, Checksum: lvs.Checksum}, {Type: lvs.GUE, Port: 6080},
			{Type: lvs.GUE, Port: 7000, Checksum: lvs.Checksum}, {Type: lvs.GUE, Port: 6080, Checksum: lvs.RemoteChecksum}} {
			methods = append(methods, method{vip, vip, lvs.Tunnel, e})
		}
	}
	for _, m := range methods {
		t.Run(fmt.Sprintf("%s %s %s/%v to %v", m.forward, m.encap.Type, m.encap.Checksum, m.vip, m.outer), func(t *testing.T) {
			b := newBed(t)
			p := b.Plane(t, open)
			v := realserver.VIP{Addr: m.vip, Forward: m.forward, Tunnel: m.encap.Type, Port: m.encap.Port}
			if m.forward == lvs.Tunnel {
				v.Outer = map[bool]string{true: realserver.IPv4, false: realserver.IPv6}[m.outer.Is4()]
			}
			if m.encap.Type == lvs.GRE && m.encap.Checksum != "" {
				checkedGRE(t, b.Servers[2], b.Servers[2].Addr(m.outer).Addr())
				v = realserver.VIP{Addr: m.vip, Forward: lvs.DirectRouting}
			}
			b.Direct(t, b.Servers[2], v)
			real := netip.AddrPortFrom(b.Servers[2].Addr(m.outer).Addr(), lvstest.Port)
			want := []lvs.Service{{
				Addr: m.vip, Port: lvstest.Port, Protocol: lvs.TCP, Scheduler: "rr", Forward: m.forward, Encap: m.encap,
				Destinations: []lvs.Destination{{Addr: real, Weight: 1}},
			}}
			st, err := p.Reconcile(lvs.Scope{}, want)
			if err != nil || lvs.Text(st.Have()) != lvs.Text(want) {
				t.Fatalf("%v\n%v", err, st)
			}
			c, err := b.Client.Open("tcp", netip.AddrPortFrom(m.vip, lvstest.Port), netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Server != "s3" || !slices.Contains(lvstest.Clients(m.vip), c.Source) {
				t.Errorf("%s saw %v, want s3 to see the client", c.Server, c.Source)
			}
			for range 3 {
				if err := c.Alive(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// checkedGRE makes a device by hand that takes in packets with checksums, and no others, as docs/realserver.md says.
func checkedGRE(t *testing.T, s *lvstest.Server, outer netip.Addr) {
	t.Helper()
	kind := "gre"
	if outer.Is6() {
		kind = "ip6gre"
	}
	err := s.Do(func() error {
		for _, line := range []string{fmt.Sprintf("ip link add checked type %s local %s icsum", kind, outer), "ip link set checked up"} {
			words := strings.Fields(line)
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", line, err, out)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCounters reads what the kernel counts.
func TestCounters(t *testing.T) {
	b := newBed(t)
	p := b.Plane(t, open)
	want := []lvs.Service{{
		Addr: lvstest.VIP4, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT,
		Destinations: []lvs.Destination{{Addr: b.Servers[0].Addr(lvstest.VIP4), Weight: 1}},
	}}
	if _, err := p.Reconcile(lvs.Scope{}, want); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := b.Client.Open("tcp", netip.AddrPortFrom(lvstest.VIP4, 80), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	lvstest.Eventually(t, "three established connections are counted", func() (bool, any) {
		st, err := p.Reconcile(lvs.Scope{}, want)
		if err != nil {
			t.Fatal(err)
		}
		s := st.Services[0]
		c := s.Destinations[0].Counters
		return s.Connections == 3 && c != nil && c.Active == 3 && c.Connections == 3, st
	})
}

func TestRefusesMasquerade(t *testing.T) {
	b := newBed(t)
	p := b.Plane(t, open)
	s := lvstest.DriftService(p.Capabilities())
	s.Masquerade = true
	st, err := p.Reconcile(lvs.Scope{}, []lvs.Service{s})
	if err == nil || st.Services[0].Have != nil {
		t.Fatalf("masquerade was accepted:\n%v", st)
	}
	t.Log(err)
}

// TestSchedulers: what the probe found the kernel really takes, and the probe leaves nothing behind.
func TestSchedulers(t *testing.T) {
	b := newBed(t)
	p := b.Plane(t, open)
	t.Logf("schedulers: %v", p.Capabilities().Schedulers)
	for _, name := range p.Capabilities().Schedulers {
		s := lvstest.DriftService(p.Capabilities())
		s.Scheduler = name
		if _, err := p.Reconcile(lvs.Scope{}, []lvs.Service{s}); err != nil {
			t.Error(err)
		}
	}
	if _, err := p.Reconcile(lvstest.Scope, nil); err != nil {
		t.Error(err)
	}
	other{b}.do(t, func(h *moby.Handle) error {
		left, err := h.GetServices()
		if len(left) != 0 {
			t.Errorf("left behind: %+v", left)
		}
		return err
	})
}

func BenchmarkReconcile(b *testing.B) {
	bed := newBed(b)
	lvstest.BenchmarkReconcile(b, bed.Plane(b, open))
}

// BenchmarkOneCallEach is what the same table costs with one system call and its answer for each command.
func BenchmarkOneCallEach(b *testing.B) {
	bed := newBed(b)
	full := lvstest.Large(500, 10)
	err := bed.Director.Do(func() error {
		h, err := moby.New("")
		if err != nil {
			return err
		}
		defer h.Close()
		for b.Loop() {
			for _, s := range full {
				svc := mobyService(s.Addr, s.Port, s.Scheduler)
				if err := h.NewService(svc); err != nil {
					return err
				}
				for _, d := range s.Destinations {
					if err := h.NewDestination(svc, mobyDestination(d.Addr, d.Weight, 0)); err != nil {
						return err
					}
				}
			}
			b.StopTimer()
			if err := h.Flush(); err != nil {
				return err
			}
			b.StartTimer()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// TestPortThatIsUsedAgain: a client whose server has failed comes again from the same port. The old connection is still in the kernel, and
// what becomes of the new one is what the preflight speaks of.
func TestPortThatIsUsedAgain(t *testing.T) {
	b := newBed(t)
	p := b.Plane(t, open)
	set := func(servers ...int) lvs.Status {
		t.Helper()
		s := lvs.Service{Addr: lvstest.VIP4, Port: lvstest.Port, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT}
		for _, i := range servers {
			s.Destinations = append(s.Destinations, lvs.Destination{Addr: b.Servers[i].Addr(lvstest.VIP4), Weight: 1})
		}
		st, err := p.Reconcile(lvs.Scope{}, []lvs.Service{s})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	// greeting is who answers a connection from the port, which then ends without a word.
	greeting := func(port int) (string, error) {
		var c net.Conn
		err := b.Client.Do(func() (err error) {
			d := net.Dialer{Timeout: 3 * time.Second, LocalAddr: &net.TCPAddr{IP: lvstest.Clients(lvstest.VIP4)[0].AsSlice(), Port: port}}
			c, err = d.Dial("tcp", netip.AddrPortFrom(lvstest.VIP4, lvstest.Port).String())
			return err
		})
		if err != nil {
			return "", err
		}
		defer c.Close()
		name := make([]byte, 2)
		if _, err := io.ReadFull(c, name); err != nil {
			return "", err
		}
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			return "", err
		}
		var quiet error
		err = raw.Control(func(fd uintptr) { quiet = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) })
		return string(name), errors.Join(err, quiet)
	}
	// again is who answers the second connection from a port, once the first one's server is another.
	again := func(port int, setting string) (string, error) {
		t.Helper()
		if err := b.Director.Sysctl("net/ipv4/vs/expire_nodest_conn", setting); err != nil {
			t.Fatal(err)
		}
		set(0)
		if who, err := greeting(port); err != nil || who != "s1" {
			t.Fatalf("%s, %v", who, err)
		}
		st := set(1)
		if told := strings.Contains(strings.Join(st.Problems, "\n"), "sysctl -w "+expireNodest+"=1"); told != (setting == "0") {
			t.Errorf("with %s = %s the problems are %q", expireNodest, setting, st.Problems)
		}
		return greeting(port)
	}
	// The server ends the connection at the same time as the client forgets it; when its last word was too late, the kernel takes the old
	// connection for one that is over, and the new one for new.
	refused := false
	for port := 40001; port < 40006 && !refused; port++ {
		_, err := again(port, "0")
		refused = err != nil
	}
	if !refused {
		t.Errorf("with %s = 0 the server that is left always answers: the problem that the preflight speaks of is none any more", expireNodest)
	}
	if who, err := again(40010, "1"); err != nil || who != "s2" {
		t.Errorf("with %s = 1 the server that is left does not answer: %s, %v", expireNodest, who, err)
	}
}

// backup starts the backup daemon of the director for as long as the test lasts.
func backup(t *testing.T, b *lvstest.Bed) {
	t.Helper()
	var d *Daemons
	err := b.Director.Do(func() (err error) {
		if d, err = OpenDaemons(); err == nil {
			_, err = d.Reconcile(masterAndBackup()[1:], func(Daemon) bool { return false })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
}

// TestBackupOnly: the preflight says it truly: with backup_only, a director on which a sync daemon is a backup balances nothing.
func TestBackupOnly(t *testing.T) {
	b := newBed(t)
	s := lvs.Service{Addr: lvstest.VIP4, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT,
		Destinations: []lvs.Destination{{Addr: b.Servers[0].Addr(lvstest.VIP4), Weight: 1}}}
	if _, err := b.Plane(t, open).Reconcile(lvs.Scope{}, []lvs.Service{s}); err != nil {
		t.Fatal(err)
	}
	answers := func(setting string) bool {
		t.Helper()
		if err := b.Director.Sysctl(strings.ReplaceAll(backupOnly, ".", "/"), setting); err != nil {
			t.Fatal(err)
		}
		c, err := b.Client.Open(lvs.TCP, netip.AddrPortFrom(s.Addr, s.Port), netip.Addr{})
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if !answers("1") {
		t.Error("it balances nothing though no sync daemon is a backup")
	}
	backup(t, b)
	if answers("1") || !answers("0") {
		t.Errorf("a backup with backup_only = 1 balances: %t; with 0: %t", answers("1"), answers("0"))
	}
}

// TestPreflight: each sysctl is asked for where a service needs it, and only there.
func TestPreflight(t *testing.T) {
	b := newBed(t)
	var inside *Plane
	p := b.Plane(t, func() (_ lvs.Plane, err error) { inside, err = New(); return inside, err })
	inside.firewall = firewall{at: time.Now().Add(time.Hour), v4: rules{hooks: []string{"forward"}}} // for what rules that is so: see TestFirewall
	plain := lvs.Service{Addr: lvstest.VIP4, Port: lvstest.Port, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT}
	hashed, itself, translated := plain, plain, plain
	translated.Destinations = []lvs.Destination{{Addr: b.Servers[0].Addr(lvstest.VIP4), Weight: 1}}
	hashed.Scheduler = "mh"
	itself.Forward = lvs.DirectRouting
	itself.Destinations = []lvs.Destination{{Addr: netip.AddrPortFrom(netip.MustParseAddr("10.9.0.1"), lvstest.Port), Weight: 1}}
	many := lvstest.Large(910, 10)
	asksNothing := func() bool {
		st, err := p.Reconcile(lvs.Scope{}, []lvs.Service{plain})
		return err == nil && !strings.Contains(strings.Join(st.Problems, "\n"), backupOnly)
	}
	if err := b.Director.Sysctl(strings.ReplaceAll(backupOnly, ".", "/"), "1"); err != nil || !asksNothing() {
		t.Errorf("%s is asked for where no sync daemon is a backup; %v", backupOnly, err)
	}
	backup(t, b)
	for _, x := range []struct {
		sysctl, wrong, right string
		needs, not           []lvs.Service
	}{
		{expireNodest, "0", "1", []lvs.Service{plain}, nil},
		{sloppyTCP, "0", "1", []lvs.Service{hashed}, []lvs.Service{plain}},
		{backupOnly, "1", "0", []lvs.Service{plain}, nil},
		{runEstimation, "1", "0", many, []lvs.Service{plain}},
		{vsConntrack, "0", "1", []lvs.Service{translated}, []lvs.Service{itself}},
		{"net.ipv4.conf.all.arp_ignore", "0", "1", []lvs.Service{itself}, []lvs.Service{plain}},
		{"net.ipv4.conf.all.arp_announce", "0", "2", []lvs.Service{itself}, []lvs.Service{plain}},
	} {
		asks := func(setting string, want []lvs.Service) bool {
			t.Helper()
			if err := b.Director.Sysctl(strings.ReplaceAll(x.sysctl, ".", "/"), setting); err != nil {
				t.Fatal(err)
			}
			st, err := p.Reconcile(lvs.Scope{}, want)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Contains(strings.Join(st.Problems, "\n"), "sysctl -w "+x.sysctl+"="+x.right)
		}
		if !asks(x.wrong, x.needs) || asks(x.right, x.needs) || asks(x.wrong, x.not) {
			t.Errorf("%s: asked for %t, %t once it is set, %t where nothing needs it", x.sysctl, asks(x.wrong, x.needs), asks(x.right, x.needs), asks(x.wrong, x.not))
		}
	}
	for release, want := range map[string]bool{"5.10.0-46-cloud-amd64": true, "6.1.176": true, "6.2.0": false, "6.12.107": false, "7.0.1": false, "10.1": false} {
		if olderThan62(release) != want {
			t.Errorf("Linux %s is older than 6.2: %t", release, !want)
		}
	}
}
