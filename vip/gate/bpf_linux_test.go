package gate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var quiet = slog.New(slog.DiscardHandler)

// roleEnv makes the test program a daemon that is to be killed.
const roleEnv = "QUORATE_GATE_TEST_DAEMON"

func TestMain(m *testing.M) {
	if how := os.Getenv(roleEnv); how != "" {
		if err := daemon(how); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// daemon opens both addresses and renews their lease until it is killed.
func daemon(how string) error {
	g, err := openBPFAs(Options{Log: quiet, In: func(f func() error) error { return f() }}, how)
	if err != nil {
		return err
	}
	if err := g.Set(opened(7)); err != nil {
		return err
	}
	if _, err := g.Check(); err != nil {
		return err
	}
	for first := true; ; first = false {
		n, err := boottime()
		if err != nil {
			return err
		}
		if err := g.Renew(7, n+leaseTime); err != nil {
			return err
		}
		if first {
			fmt.Println("ready")
		}
		time.Sleep(leaseTime / 5)
	}
}

const leaseTime = 250 * time.Millisecond

func opened(epoch uint64) []Entry {
	return []Entry{{Addr: ip(vip4), Epoch: epoch, ARP: true, IP: true}, {Addr: ip(vip6), Epoch: epoch, ARP: true, IP: true}}
}

// each runs a test with each attachment that this kernel has.
func each(t *testing.T, f func(t *testing.T, how string)) {
	for _, how := range []string{"tcx", "clsact"} {
		t.Run(how, func(t *testing.T) {
			s := newSpace(t)
			g, err := openBPFAs(Options{In: s.In, Log: quiet}, how)
			if err != nil {
				t.Skip(err)
			}
			g.Close()
			f(t, how)
		})
	}
}

func TestOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, how string) {
		p := newPair(t)
		demand := func(what string, want bool, addrs ...string) {
			t.Helper()
			for _, a := range addrs {
				if want && !p.answers(a) {
					t.Errorf("%s: %s does not answer", what, a)
				} else if !want && !p.silent(a) {
					t.Errorf("%s: %s answers", what, a)
				}
			}
		}
		demand("no gate", true, own4, vip4, own6, vip6)
		g := p.host.gate(how)
		must(t, g.Set([]Entry{{Addr: ip(vip4)}, {Addr: ip(vip6)}}))
		check(t, g)
		demand("closed", false, vip4, vip6)
		demand("closed, others", true, own4, own6)
		must(t, g.Set(opened(7)))
		demand("open without a lease", false, vip4, vip6)
		must(t, g.Renew(7, now(t)+time.Hour))
		demand("open", true, vip4, vip6)

		// The linger: who knows the MAC is served, who asks is not.
		for _, a := range []string{vip4, vip6} {
			if !p.ask(a, patience) {
				t.Fatalf("%s does not answer", a)
			}
		}
		until := now(t) + time.Hour
		must(t, g.Set([]Entry{{Addr: ip(vip4), Epoch: 7, IP: true, IPUntil: until}, {Addr: ip(vip6), Epoch: 7, IP: true, IPUntil: until}}))
		for _, a := range []string{vip4, vip6} {
			if !p.ask(a, patience) {
				t.Errorf("in a linger: %s does not answer one who knows its MAC", a)
			}
		}
		demand("in a linger, asked for", false, vip4, vip6)

		must(t, g.Set(nil))
		demand("gated no more", true, vip4, vip6)
	})
}

// TestSilence: nobody does anything, and the address falls silent in the very millisecond. That it is not too late the answers show, and that it is not
// too early what the gate has dropped: an answer that does not come may have waited for a processor.
func TestSilence(t *testing.T) {
	p := newPair(t)
	g := p.host.gate("")
	must(t, g.Set(opened(7)), g.Renew(7, now(t)+time.Hour))
	check(t, g)
	if !p.answers(vip4) {
		t.Fatal("open, and does not answer")
	}
	until := now(t) + 200*time.Millisecond
	must(t, g.Renew(7, until))
	for dropped := uint64(0); dropped == 0 || now(t) < until+100*time.Millisecond; {
		asked := now(t)
		if p.ask(vip4, 5*time.Millisecond) && asked >= until {
			t.Fatalf("a question was answered that was asked %s after the deadline", asked-until)
		}
		drops, err := g.Drops()
		must(t, err)
		dropped = sum(drops, In, ARP, Expired) + sum(drops, In, IP, Expired)
		switch at := now(t); {
		case dropped > 0 && at < until:
			t.Fatalf("%d frames were dropped %s before the deadline", dropped, until-at)
		case at > until+patience:
			t.Fatal("nothing was dropped after the deadline")
		}
	}
}

func TestKilled(t *testing.T) {
	each(t, func(t *testing.T, how string) {
		p := newPair(t)
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), roleEnv+"="+how)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		must(t, err)
		stay := make(chan struct{})
		defer close(stay)
		started := make(chan error)
		go func() {
			_ = p.host.In(func() error { // the thread lives as long as its child
				started <- cmd.Start()
				<-stay
				return nil
			})
		}()
		must(t, <-started)
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatal(line, err)
		}
		if !p.answers(vip4) || !p.answers(vip6) {
			t.Fatal("open, and does not answer")
		}
		must(t, cmd.Process.Kill())
		killed := now(t)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		for at := killed; at < killed+leaseTime+20*time.Millisecond; at = now(t) {
			if p.ask(vip4, 5*time.Millisecond) && at > killed+leaseTime {
				t.Fatal("it still answers when the lease has run out")
			}
		}
		if !p.silent(vip4) || !p.silent(vip6) {
			t.Error("it answers again")
		}

		// The next process finds what was open, and opens nothing by coming up.
		g := p.host.gate(how)
		have, err := g.list()
		must(t, err)
		if k, v := encode(opened(7)[0]); have[k] != v || len(have) != 2 {
			t.Errorf("the next process finds %v", have)
		}
		check(t, g)
		if !p.silent(vip4) {
			t.Error("it answers, though nobody has renewed the lease")
		}
		must(t, g.Renew(7, now(t)+time.Hour))
		if !p.answers(vip4) || !p.answers(vip6) {
			t.Error("it does not answer after a renewal")
		}
		must(t, g.Set(nil), g.Remove())
		p.host.clean(t)
	})
}

// clean demands that nothing of ours is left.
func (s *space) clean(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(s.pins); !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", s.pins, err)
	}
	links, err := s.NL.LinkList()
	must(t, err)
	for _, l := range links {
		qdiscs, err := s.NL.QdiscList(l)
		must(t, err)
		for _, q := range qdiscs {
			if q.Attrs().Parent == netlink.HANDLE_CLSACT {
				t.Errorf("%s still has a %s qdisc", l.Attrs().Name, q.Type())
			}
		}
	}
}

func TestLinks(t *testing.T) {
	each(t, func(t *testing.T, how string) {
		s := newSpace(t)
		add := func(l netlink.Link) netlink.Link {
			t.Helper()
			must(t, s.NL.LinkAdd(l))
			return s.Link(l.Attrs().Name)
		}
		named := func(n string) netlink.LinkAttrs { return netlink.LinkAttrs{Name: n} }
		g := s.gate(how)
		must(t, g.Set([]Entry{{Addr: ip(vip4)}}))
		if r := check(t, g); len(r.Links) != 0 {
			t.Errorf("lo alone: %v", r)
		}

		// Links that come later, of all kinds.
		eth := add(&netlink.Veth{LinkAttrs: named("e0"), PeerName: "e1"})
		add(&netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: "mv", ParentIndex: eth.Attrs().Index}, Mode: netlink.MACVLAN_MODE_PRIVATE})
		br := add(&netlink.Bridge{LinkAttrs: named("br")})
		add(&netlink.Veth{LinkAttrs: named("p0"), PeerName: "p1"})
		must(t, s.NL.LinkSetMaster(s.Link("p0"), br))
		r := check(t, g)
		var names []string
		for _, l := range r.Links {
			names = append(names, l.Name)
		}
		if got := fmt.Sprint(names, r.Ports); got != "[br e0 e1 mv p1] map[p0:br]" {
			t.Errorf("gated: %s", got)
		}
		for _, n := range []string{"e0", "mv"} {
			must(t, r.Fenced(n))
		}
		for _, n := range []string{"p0", "lo", "none"} {
			if err := r.Fenced(n); err == nil {
				t.Errorf("%s is fenced", n)
			}
		}

		// Taken off by another program: put back, and said. The kernel takes it off in the background.
		index := eth.Attrs().Index
		switch a := g.attach.(type) {
		case *tcx:
			must(t, os.Remove(filepath.Join(s.pins, linkPin(index, In))))
		case *clsact:
			f, _, err := a.filters(index, In)
			must(t, err, s.NL.FilterDel(f))
		}
		mended, err := g.Check()
		for end := time.Now().Add(10 * time.Second); err == nil && mended.Fenced("e0") != nil && time.Now().Before(end); {
			mended, err = g.Check()
		}
		must(t, err, mended.Fenced("e0"))
		for i, l := range append(mended.Links, check(t, g).Links...) {
			if first := i < len(r.Links); (l.Mended != "") != (first && l.Name == "e0") {
				t.Errorf("%s: mended: %q", l.Name, l.Mended)
			}
		}

		// A link that goes leaves no pin; one that comes with its index is gated anew.
		must(t, s.NL.LinkDel(s.Link("mv")))
		check(t, g)
		left, err := filepath.Glob(filepath.Join(s.pins, "*-*"))
		must(t, err)
		if want := map[string]int{"tcx": 8, "clsact": 4}[how]; len(left) != want {
			t.Errorf("%d pins of 4 links: %v", len(left), left)
		}
		must(t, g.Remove())
		s.clean(t)
		if _, err := g.Check(); err == nil {
			t.Error("Check after Remove puts it back")
		}
	})
}

// TestVLAN: an address on a VLAN, whose frames the link below sees with their tag beside them.
func TestVLAN(t *testing.T) {
	each(t, func(t *testing.T, how string) {
		p := newPair(t)
		for s, addrs := range map[*space][]string{p.host: {"198.51.100.1/24", "198.51.100.10/24"}, p.peer: {"198.51.100.9/24"}} {
			l := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "e0.7", ParentIndex: s.Link("e0").Attrs().Index}, VlanId: 7}
			if err := s.NL.LinkAdd(l); err != nil {
				t.Skipf("this kernel makes no VLANs (module 8021q): %v", err)
			}
			must(t, s.NL.LinkSetUp(l))
			s.Address("e0.7", addrs...)
		}
		p.echo(t, "198.51.100.1", "198.51.100.10")
		g := p.host.gate(how)
		must(t, g.Set([]Entry{{Addr: ip("198.51.100.10")}}))
		if check(t, g); !p.answers("198.51.100.1") || !p.silent("198.51.100.10") {
			t.Error("closed, on both links")
		}
		// Off the VLAN's own link: the one below is enough.
		l := Link{Name: "e0.7", Index: p.host.Link("e0.7").Attrs().Index}
		switch a := g.attach.(type) {
		case *tcx:
			must(t, a.unpin(func(index int) bool { return index == l.Index }))
		case *clsact:
			must(t, a.removeFrom(l))
		}
		if !p.silent("198.51.100.10") {
			t.Error("closed, on the link below alone")
		}
	})
}

// TestOthers: what others have on a link stays, and sees the frames that pass.
func TestOthers(t *testing.T) {
	s := newSpace(t)
	must(t, s.NL.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "e0"}, PeerName: "e1"}))
	index := s.Link("e0").Attrs().Index
	must(t, s.NL.QdiscAdd(newClsact(index)))
	// Their program is ours under another name, over maps of its own.
	other := newBench(t)
	theirs := func() int {
		list, err := s.NL.FilterList(s.Link("e0"), netlink.HANDLE_MIN_INGRESS)
		must(t, err)
		n := 0
		for _, f := range list {
			if b, ok := f.(*netlink.BpfFilter); ok && b.Name == "theirs" {
				n++
			}
		}
		return n
	}
	must(t, s.NL.FilterAdd(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: index, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1, Priority: 1, Protocol: unix.ETH_P_ALL},
		Fd:          other.objects.QuorateIn.FD(), Name: "theirs", DirectAction: true,
	}))
	g := s.gate("clsact")
	check(t, g)
	if theirs() != 1 {
		t.Error("their filter has gone")
	}
	must(t, g.Remove())
	if theirs() != 1 {
		t.Error("their filter went with ours")
	}
	must(t, s.NL.QdiscDel(newClsact(index)))
	s.clean(t)
}

// TestOneAgent: two would each undo what the other does.
func TestOneAgent(t *testing.T) {
	s := newSpace(t)
	check(t, s.gate(""))
	if g, err := openBPFAs(Options{In: s.In, Log: quiet}, ""); err == nil {
		g.Close()
		t.Error("a second gate of the same namespace was opened")
	}
	other := newSpace(t)
	check(t, other.gate(""))
}

// TestOtherVersion: maps of another layout are replaced, and what they gated is gated, closed.
func TestOtherVersion(t *testing.T) {
	p := newPair(t)
	g := p.host.gate("")
	must(t, g.Set(opened(7)), g.Renew(7, now(t)+time.Hour))
	check(t, g)
	// Make them look like those of another version.
	other, err := ebpf.NewMap(&ebpf.MapSpec{Name: "quorate_vip_0", Type: ebpf.Hash, KeySize: 16, ValueSize: 4, MaxEntries: 8})
	must(t, err)
	defer other.Close()
	k, _ := encode(opened(7)[0])
	pin := filepath.Join(p.host.pins, pinVIP)
	must(t, other.Put(k[:], uint32(1)), os.Remove(pin), other.Pin(pin), g.Close())

	next := p.host.gate("")
	check(t, next)
	must(t, next.Renew(7, now(t)+time.Hour))
	if have, err := next.list(); err != nil || len(have) != 1 || have[k] != (entry{}) {
		t.Errorf("has %v, %v; want one address, closed", have, err)
	}
	if !p.silent(vip4) {
		t.Error("it answers")
	}
}

// TestStalePins: what an agent that was killed left for a namespace that is gone goes with the next agent on the host.
func TestStalePins(t *testing.T) {
	gone := newSpace(t)
	must(t, gone.NL.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "e0"}, PeerName: "e1"}))
	g := gone.gate("")
	if _, ok := g.attach.(*tcx); !ok {
		t.Skip("needs tcx (Linux 6.6): a clsact filter shows nothing of its link")
	}
	check(t, g)
	must(t, g.Close())
	sweep(quiet)
	if _, err := os.Stat(gone.pins); err != nil {
		t.Fatalf("the pins of a namespace that is there: %v", err)
	}
	must(t, gone.NL.LinkDel(gone.Link("e0"))) // what the end of a namespace does to its links
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		sweep(quiet) // which leaves them to an agent that starts elsewhere on this host at the same moment
		_, err := os.Stat(gone.pins)
		if os.IsNotExist(err) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the pins are still there (%v)", err)
		}
	}
}

// beside does f again and again until the test ends.
func beside(t *testing.T, f func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				f()
			}
		}
	}()
	t.Cleanup(func() { close(end); <-ended })
}

// TestSweepDisturbsNobody: an agent that starts, in another network namespace, does not keep one from the directory of its pins.
func TestSweepDisturbsNobody(t *testing.T) {
	s := newSpace(t)
	g := s.gate("")
	check(t, g)
	must(t, g.Close())
	beside(t, func() { sweep(quiet) })
	for range 20_000 {
		if inUse(s.pins) {
			t.Fatal("sweep locked the pins of a namespace that is there")
		}
	}
}

// TestFirstPinsBesideTheLast: two agents start while the last of the other namespaces' ends, and takes the root with it.
func TestFirstPinsBesideTheLast(t *testing.T) {
	root := t.TempDir() + "/quorate"
	beside(t, func() { _ = os.Remove(root) }) // it may not be there, or have the directory
	var agents sync.WaitGroup
	for _, dir := range []string{"/netns-1", "/netns-2"} {
		agents.Go(func() {
			for range 1_000 {
				if err := errors.Join(makePins(root+dir), os.Remove(root+dir)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	agents.Wait()
}

func TestRenewAllocatesNothing(t *testing.T) {
	b := newBench(t)
	n := now(t)
	if a := testing.AllocsPerRun(100, func() { n++; must(t, b.Renew(7, n)) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// TestEpochs: more epochs than there is room for; the highest matter.
func TestEpochs(t *testing.T) {
	b := newBench(t)
	for e := uint64(1); e <= 100; e++ {
		b.renew(t, e, now(t)+time.Hour)
	}
	b.set(t, Entry{Addr: ip(vip4), Epoch: 100, ARP: true, IP: true})
	if !b.passes(t, Out, arpFrame(reply, vip4, peer4)) {
		t.Error("the highest epoch has no lease")
	}
	b.set(t, Entry{Addr: ip(vip4), Epoch: 90, ARP: true, IP: true})
	if b.passes(t, Out, arpFrame(reply, vip4, peer4)) {
		t.Error("an epoch of long ago has a lease")
	}
}

// TestSetLists: the kernel's map is compared, not what was said before.
func TestSetLists(t *testing.T) {
	b := newBench(t)
	var many []Entry
	for i := range 3000 {
		many = append(many, Entry{Addr: ip(fmt.Sprintf("10.0.%d.%d", i>>8, i&255)), Epoch: 7, ARP: true, IP: true})
	}
	must(t, b.Set(many))
	k, want := encode(many[5])
	must(t, b.put([]address{k}, []entry{{}}))
	must(t, b.Set(many))
	have, err := b.list()
	must(t, err)
	if len(have) != len(many) || have[k] != want {
		t.Errorf("%d entries; the one that another changed is %+v", len(have), have[k])
	}
	must(t, b.Set(many[:10]))
	if have, err = b.list(); err != nil || len(have) != 10 {
		t.Errorf("%d entries, %v; want 10", len(have), err)
	}
	if err := b.Set([]Entry{{Addr: ip(vip4), Epoch: 1, ARP: true, IPUntil: 5}}); err == nil {
		t.Error("an entry that makes no sense was taken")
	}
}

func BenchmarkRenew(b *testing.B) {
	x := newBench(b)
	n := now(b)
	for b.Loop() {
		n++
		must(b, x.Renew(7, n))
	}
}

// BenchmarkClose1000 closes a thousand addresses, and opens them again.
func BenchmarkClose1000(b *testing.B) {
	x := newBench(b)
	var open, shut []Entry
	for i := range 1000 {
		a := ip(fmt.Sprintf("10.0.%d.%d", i>>8, i&255))
		open = append(open, Entry{Addr: a, Epoch: 7, ARP: true, IP: true})
		shut = append(shut, Entry{Addr: a})
	}
	for b.Loop() {
		must(b, x.Set(open), x.Set(shut))
	}
}
