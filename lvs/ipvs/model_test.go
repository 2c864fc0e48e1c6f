package ipvs

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// TestContractOnModel is the contract of all planes on a kernel that every machine has.
func TestContractOnModel(t *testing.T) {
	k := newKernel()
	p := k.plane(t)
	drift := lvstest.DriftService(p.Capabilities())
	foreign, marked := drift, drift
	foreign.Addr = netip.MustParseAddr("203.0.113.1")
	marked.Mark, marked.Port, marked.Protocol, marked.Destinations = 99, 0, "", nil
	put := func(change func(s *lvs.Service)) func(*testing.T) {
		return func(*testing.T) {
			s := drift
			s.Destinations = slices.Clone(drift.Destinations)
			change(&s)
			k.put(s)
		}
	}
	lvstest.Contract(t, lvstest.Subject{
		Plane:   p,
		Glances: true,
		Hidden:  []string{"limited"},
		Foreign: func(t *testing.T) func(*testing.T) {
			k.put(foreign)
			k.put(marked)
			return func(t *testing.T) {
				t.Helper()
				if k.table[foreign.Key()] == nil || k.table[marked.Key()] == nil {
					t.Error("a foreign service is gone")
				}
			}
		},
		Tamper: map[string]func(*testing.T){
			"service deleted":     func(*testing.T) { delete(k.table, drift.Key()) },
			"service added":       put(func(s *lvs.Service) { s.Port = 7777 }),
			"scheduler changed":   put(func(s *lvs.Service) { s.Scheduler = "rr" }),
			"made persistent":     put(func(s *lvs.Service) { s.Persistence.Timeout = 300e9 }),
			"weight changed":      put(func(s *lvs.Service) { s.Destinations[0].Weight = 77 }),
			"method changed":      put(func(s *lvs.Service) { s.Destinations[0].Forward = lvs.DirectRouting }),
			"limited":             put(func(s *lvs.Service) { s.Destinations[0].Upper = 5 }),
			"destination deleted": put(func(s *lvs.Service) { s.Destinations = s.Destinations[1:] }),
		},
	})
}

// TestRandomWalk goes from any table to any other, 500 steps, by Reconcile and Update in turns; now and then another program changes the table,
// a command fails, or a dump is inconsistent. After each step the kernel holds what is wanted, or an error says that it does not, and the next
// step without a failure heals it.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(8) {
		k := newKernel()
		p := k.plane(t)
		r := rand.New(rand.NewPCG(seed, 1))
		errnos := []syscall.Errno{unix.EEXIST, unix.ENOENT, unix.EBUSY, unix.ESRCH, unix.ENOMEM, unix.EPERM}
		want := lvstest.RandomServices(r, p.Capabilities())
		var left []lvs.Service
		failures := 0
		for step := range 500 {
			broken := r.IntN(4) == 0
			if broken {
				left := 1 + r.IntN(3)
				k.fail = func(cmd uint8) syscall.Errno {
					if left == 0 || r.IntN(3) > 0 {
						return 0
					}
					left--
					if cmd == cmdGetService || cmd == cmdGetDest { // of a service that is there the kernel does not say that it is not
						return unix.EBUSY
					}
					return errnos[r.IntN(len(errnos))]
				}
				k.interrupt = r.IntN(dumpAttempts + 2)
			}
			drifted := r.IntN(8) == 0
			if drifted {
				k.put(lvstest.DriftService(p.Capabilities()))
			}
			if differs, known := p.Differs(); known && !differs && !equal(k.services(), left) {
				t.Fatalf("seed %d, step %d: a glance says that nothing has changed; the kernel has\n%sit was left as\n%s", seed, step, lvs.Text(k.services()), lvs.Text(left))
			}
			// Update does not see what another program did since the last look.
			update := r.IntN(2) == 0 && !drifted
			var err error
			if update {
				_, err = p.Update(lvstest.Scope, want)
			} else {
				var st lvs.Status
				st, err = p.Reconcile(lvstest.Scope, want)
				if got := lvs.Text(st.Have()); err == nil && got != lvs.Text(want) {
					t.Fatalf("seed %d, step %d: no error, and the status says\n%swanted\n%s", seed, step, got, lvs.Text(want))
				}
			}
			switch same := equal(k.services(), want); {
			case err == nil && !same:
				t.Fatalf("seed %d, step %d, update %t: no error, and the kernel has\n%swanted\n%s", seed, step, update, lvs.Text(k.services()), lvs.Text(want))
			case err != nil && !broken:
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			case err != nil:
				failures++
			}
			k.fail, k.interrupt = nil, 0
			if err != nil { // nothing fails any more
				if _, err := p.Update(lvstest.Scope, want); err != nil || !equal(k.services(), want) {
					t.Fatalf("seed %d, step %d: does not heal: %v; the kernel has\n%swanted\n%s", seed, step, err, lvs.Text(k.services()), lvs.Text(want))
				}
			}
			left = want
			if want = lvstest.Mutate(r, p.Capabilities(), want); r.IntN(20) == 0 {
				want = lvstest.RandomServices(r, p.Capabilities())
			}
		}
		if failures == 0 {
			t.Errorf("seed %d: nothing has failed", seed)
		}
	}
}

// equal compares what the kernel has with what is wanted; of a service without destinations the kernel has no method.
func equal(have, want []lvs.Service) bool {
	spelled := func(services []lvs.Service) string {
		out := lvstest.Clone(lvs.Canonical(services))
		for i := range out {
			s := &out[i]
			for j := range s.Destinations {
				d := &s.Destinations[j]
				d.Forward, d.Encap = s.Method(*d)
			}
			s.Forward, s.Encap = "", lvs.Encap{}
		}
		return lvs.Text(out)
	}
	return spelled(have) == spelled(want)
}

// TestUpdateDoesNotLook: a changed weight is one command and its answer, whatever the table holds.
func TestUpdateDoesNotLook(t *testing.T) {
	k := newKernel()
	p := k.plane(t)
	want := lvstest.Large(50, 10)
	scope := lvs.Scope{Addrs: []netip.Addr{lvstest.VIP4}}
	if _, err := p.Update(scope, want); err != nil { // nothing is known yet: it looks
		t.Fatal(err)
	}
	k.calls, k.dumps = 0, 0
	want = lvstest.Clone(want)
	want[20].Destinations[3].Weight = 9
	if n, err := p.Update(scope, want); n != 1 || err != nil || k.calls != 2 || k.dumps != 0 || !equal(k.services(), want) {
		t.Errorf("%d changes, %v, %d calls, %d dumps", n, err, k.calls, k.dumps)
	}
}

// TestMarkThatIsTakenMeanwhile: a service by a firewall mark that another program adds after the look is not taken for ours, then or later.
func TestMarkThatIsTakenMeanwhile(t *testing.T) {
	k := newKernel()
	p := k.plane(t)
	foreign := lvs.Service{Addr: netip.IPv4Unspecified(), Mark: 7, Scheduler: "rr", Forward: lvs.NAT,
		Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("10.0.0.9:80"), Weight: 1}}}
	k.fail = func(cmd uint8) syscall.Errno {
		if cmd != cmdNewService {
			return 0
		}
		k.put(foreign)
		return unix.EEXIST
	}
	ours := foreign
	ours.Scheduler, ours.Destinations = "wlc", nil
	scope := lvs.Scope{Addrs: []netip.Addr{lvstest.VIP4}}
	for i := range 3 {
		if _, err := p.Reconcile(scope, []lvs.Service{ours}); err == nil || i > 0 && !strings.Contains(err.Error(), "use another mark") {
			t.Errorf("Reconcile %d: %v", i, err)
		}
		k.fail = nil
	}
	if _, err := p.Reconcile(scope, nil); err != nil {
		t.Error(err)
	}
	if got := k.services(); !equal(got, []lvs.Service{foreign}) {
		t.Errorf("the other program's service became\n%s", lvs.Text(got))
	}
}

// TestErrorsNameTheirService: an error is that of the object that caused it, and spoils nothing else.
func TestErrorsNameTheirService(t *testing.T) {
	k := newKernel()
	p := k.plane(t)
	n := 0
	k.fail = func(cmd uint8) syscall.Errno {
		if n++; cmd == cmdNewDest && n%7 == 0 {
			return unix.ENOMEM
		}
		return 0
	}
	want := lvstest.Large(20, 1)
	st, err := p.Reconcile(lvs.Scope{Addrs: []netip.Addr{lvstest.VIP4}}, want)
	if err == nil {
		t.Fatal("no error")
	}
	for _, s := range st.Services {
		lacks := len(s.Have.Destinations) == 0
		if lacks != (s.Err != "") || lacks && !strings.Contains(s.Err, "add destination "+s.Key.String()) {
			t.Errorf("%v has %v, error %q", s.Key, s.Have.Destinations, s.Err)
		}
	}
}

// TestListsTogether: many lists come in one exchange, also those that another program changes meanwhile, that are longer than was thought, and that are
// refused while such a one is read.
func TestListsTogether(t *testing.T) {
	scope := lvs.Scope{Addrs: []netip.Addr{lvstest.VIP4}}
	for _, x := range []struct {
		name      string
		dumps     int // at least
		calls     int // at most
		more      int // destinations that another program adds to one service
		interrupt int
		alone     bool
	}{
		{name: "as they are wanted", dumps: 101, calls: 2 + 4*2},
		{name: "inconsistent", interrupt: 3, dumps: 104, calls: 2 + 4*2 + 3*2},
		{name: "longer", more: 500, dumps: 102, calls: 2 + 4*2 + 40*2},
		{name: "one by one", alone: true, dumps: 101, calls: 2 + 100*2},
	} {
		t.Run(x.name, func(t *testing.T) {
			k := newKernel()
			p := k.plane(t)
			want := lvstest.Large(100, 10)
			if _, err := p.Reconcile(scope, want); err != nil {
				t.Fatal(err)
			}
			there := lvstest.Clone(want)
			for i := range x.more {
				d := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 99, byte(i >> 8), byte(i)}), 80)
				there[3].Destinations = append(there[3].Destinations, lvs.Destination{Addr: d, Weight: 1})
			}
			k.put(there[3])
			k.calls, k.dumps, k.alone = 0, 0, x.alone
			k.fail = func(cmd uint8) syscall.Errno {
				if cmd == cmdGetDest {
					k.interrupt, x.interrupt = k.interrupt+x.interrupt, 0
				}
				return 0
			}
			have, foreign, err := p.list(p.owned(scope, want), lvs.Canonical(want))
			if err != nil || len(foreign) > 0 || !equal(services(have), there) {
				t.Errorf("%v, %v; the list is\n%s", foreign, err, lvs.Text(services(have)))
			}
			if k.calls > x.calls || k.dumps < x.dumps {
				t.Errorf("%d calls for %d lists, want %d at most for at least %d", k.calls, k.dumps, x.calls, x.dumps)
			}
		})
	}
}

// BenchmarkUpdateModel: one weight among 36,800 (2,300 services of 16 servers), from the wanted table to the end of the netlink exchange.
func BenchmarkUpdateModel(b *testing.B) {
	k := newKernel()
	p := k.plane(b)
	want := lvstest.Large(2300, 16)
	scope := lvs.Scope{Addrs: []netip.Addr{lvstest.VIP4}}
	if _, err := p.Reconcile(scope, want); err != nil {
		b.Fatal(err)
	}
	other := lvstest.Clone(want)
	other[1000].Destinations[3].Weight++
	for b.Loop() {
		want, other = other, want
		if n, err := p.Update(scope, want); n != 1 || err != nil {
			b.Fatal(n, err)
		}
	}
}
