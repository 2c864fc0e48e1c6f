package lvstest

import (
	"fmt"
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
}

// Managed are the addresses that the contract's services use.
var Managed = []netip.Addr{
	netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8:2::10"),
}

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
		st, err := p.Reconcile(Managed, want)
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
	}
	r := rand.New(rand.NewPCG(1, 2))

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
		st, err := p.Reconcile(Managed, []lvs.Service{bad, good})
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
	t.Run("removed", func(t *testing.T) { settle(t, nil); intact(t) })
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

// RandomServices are up to eight services on the managed addresses that a plane with these capabilities can do. None is
// on port 80.
func RandomServices(r *rand.Rand, c lvs.Capabilities) (out []lvs.Service) {
	for port := range uint16(r.IntN(8)) {
		out = append(out, randomService(r, c, 8000+port))
	}
	return out
}

// Mutate changes a table in one or two places, or not at all.
func Mutate(r *rand.Rand, c lvs.Capabilities, services []lvs.Service) []lvs.Service {
	out := lvs.Canonical(services)
	for range r.IntN(3) {
		if len(out) == 0 {
			return RandomServices(r, c)
		}
		i := r.IntN(len(out))
		s := &out[i]
		switch r.IntN(6) {
		case 0:
			out = slices.Delete(out, i, i+1)
		case 1:
			s.Scheduler = pick(r, c.AllSchedulers())
		case 2:
			s.Masquerade = c.Masquerade && s.Forward == lvs.NAT && !s.Masquerade
		case 3:
			fresh := randomService(r, c, s.Port)
			s.Destinations = fresh.Destinations
			if s.Addr.Is4() != fresh.Addr.Is4() || s.Forward != fresh.Forward {
				s.Destinations = nil
			}
		default:
			for j := range s.Destinations {
				s.Destinations[j].Weight = r.IntN(4)
			}
		}
	}
	return out
}

func randomService(r *rand.Rand, c lvs.Capabilities, port uint16) lvs.Service {
	s := lvs.Service{
		Addr: pick(r, Managed), Port: port, Protocol: pick(r, c.Protocols),
		Scheduler: pick(r, c.AllSchedulers()), Forward: pick(r, c.Forwards),
	}
	s.Masquerade = c.Masquerade && s.Forward == lvs.NAT && r.IntN(2) == 0
	for i := range r.IntN(5) {
		text, to := fmt.Sprintf("10.9.0.%d", 11+i), uint16(8080)
		if s.Addr.Is6() {
			text = fmt.Sprintf("fd00:9::%d", 11+i)
		}
		if s.Forward != lvs.NAT {
			to = port
		}
		s.Destinations = append(s.Destinations, lvs.Destination{
			Addr: netip.AddrPortFrom(netip.MustParseAddr(text), to), Weight: r.IntN(5),
		})
	}
	return s
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
