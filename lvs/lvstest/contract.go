package lvstest

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"quorate/lvs"
)

// Subject is a plane under [Contract].
type Subject struct {
	Plane lvs.Plane
	// Foreign puts something into the kernel that is not the plane's and returns a check that it is still as it was.
	Foreign func(t *testing.T) (intact func(t *testing.T))
	// Tamper changes what the plane has written, as another program would; one function for each way.
	Tamper map[string]func(t *testing.T)
	// Glances says that the plane sees at a glance what another program did; Hidden are the ways of Tamper that a glance does not show.
	Glances bool
	Hidden  []string
}

// glancer is a plane that sees at a glance what another program did.
type glancer interface{ Differs() (differs, known bool) }

// Managed are the addresses that the contract's services use.
var Managed = []netip.Addr{
	netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8:2::10"),
}

// Routed4 and Routed6 are addresses on no host, which the bed's client sends to the director.
var Routed4, Routed6 = netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:51::/120")

// Scope is what is ours in the contract's kernel.
var Scope = lvs.Scope{Addrs: Managed}

// Contract checks what every plane promises: the kernel holds what was wanted, also on a random walk; a second Reconcile
// changes nothing; drift is repaired; what is not ours stays; refusals name the cause and spoil nothing else; and an
// empty set leaves nothing of ours.
func Contract(t *testing.T, s Subject) {
	p := s.Plane
	intact := func(*testing.T) {}
	if s.Foreign != nil {
		intact = s.Foreign(t)
	}
	reconcile := func(t *testing.T, want []lvs.Service) lvs.Status {
		t.Helper()
		st, err := p.Reconcile(Scope, want)
		if err != nil {
			t.Fatalf("Reconcile: %v", err)
		}
		if got, want := lvs.Text(st.Have()), lvs.Text(want); got != want {
			t.Fatalf("the kernel has\n%swanted\n%s", got, want)
		}
		return st
	}
	settle := func(t *testing.T, want []lvs.Service) {
		t.Helper()
		reconcile(t, want)
		if st := reconcile(t, want); st.Changed != 0 {
			t.Fatalf("a second Reconcile made %d changes", st.Changed)
		}
		if s.Glances {
			if differs, known := p.(glancer).Differs(); differs || !known {
				t.Fatalf("nobody has changed anything: Differs is %t, known %t", differs, known)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	if s.Glances {
		p.(glancer).Differs() // whoever asks is told from then on
	}

	t.Run("empty", func(t *testing.T) { settle(t, nil) })
	t.Run("random walk", func(t *testing.T) {
		want := RandomServices(r, p.Capabilities())
		for range 40 {
			settle(t, want)
			want = Mutate(r, p.Capabilities(), want)
		}
		intact(t)
	})
	for name, tamper := range s.Tamper {
		t.Run("drift/"+name, func(t *testing.T) {
			want := append(RandomServices(r, p.Capabilities()), DriftService(p.Capabilities()))
			settle(t, want)
			tamper(t)
			if s.Glances {
				if differs, known := p.(glancer).Differs(); differs == slices.Contains(s.Hidden, name) || !known {
					t.Errorf("Differs is %t, known %t", differs, known)
				}
			}
			if st := reconcile(t, want); st.Changed == 0 {
				t.Error("the drift was not seen")
			}
			settle(t, want)
			intact(t)
		})
	}
	t.Run("refused", func(t *testing.T) {
		good := DriftService(p.Capabilities())
		bad := good
		bad.Port, bad.Scheduler = 81, "alphabetical"
		st, err := p.Reconcile(Scope, []lvs.Service{bad, good})
		if err == nil {
			t.Error("an unknown scheduler was accepted")
		}
		if got, want := lvs.Text(st.Have()), lvs.Text([]lvs.Service{good}); got != want {
			t.Errorf("the kernel has\n%swanted\n%s", got, want)
		}
		if st.Services[1].Err == "" {
			t.Errorf("the refused service has no error:\n%v", st)
		}
	})
	t.Run("quorum", func(t *testing.T) { quorum(t, p.Capabilities(), settle, reconcile); intact(t) })
	t.Run("removed", func(t *testing.T) { settle(t, nil); intact(t) })
}

// quorum checks that one Reconcile is enough for a service that loses its quorum of servers, and for one that has it again: the sorry server
// comes as the others go, or stay for the connections that they have.
func quorum(t *testing.T, c lvs.Capabilities, settle func(*testing.T, []lvs.Service), reconcile func(*testing.T, []lvs.Service) lvs.Status) {
	serve := DriftService(c)
	with := func(weights ...int) []lvs.Service {
		s := serve
		s.Destinations = []lvs.Destination{{Addr: netip.MustParseAddrPort("10.9.0.19:8080"), Weight: 1}}
		for i, w := range weights {
			d := serve.Destinations[i]
			d.Weight = w
			s.Destinations = append(s.Destinations, d)
		}
		return []lvs.Service{s}
	}
	for _, lost := range [][]lvs.Service{with(), with(0, 0), with(0)} {
		settle(t, []lvs.Service{serve})
		for _, want := range [][]lvs.Service{lost, {serve}} {
			reconcile(t, want)
			if st := reconcile(t, want); st.Changed != 0 {
				t.Fatalf("one Reconcile was not enough: the second made %d changes", st.Changed)
			}
		}
	}
}

// DriftService is a service that is always there when something is tampered with: 192.0.2.10, TCP port 80, with
// destinations 10.9.0.11:8080 and 10.9.0.12:8080.
func DriftService(c lvs.Capabilities) lvs.Service {
	return lvs.Service{
		Addr: Managed[0], Port: 80, Protocol: lvs.TCP, Scheduler: "wrr", Forward: lvs.NAT, Masquerade: c.Masquerade,
		Destinations: []lvs.Destination{
			{Addr: netip.MustParseAddrPort("10.9.0.11:8080"), Weight: 2},
			{Addr: netip.MustParseAddrPort("10.9.0.12:8080"), Weight: 1},
		},
	}
}
