package lvstest

import (
	"net/netip"
	"testing"

	"quorate/lvs"
)

// Large is a table of services × destinations on one address.
func Large(services, destinations int) []lvs.Service {
	out := make([]lvs.Service, services)
	for i := range out {
		s := lvs.Service{Addr: VIP4, Port: uint16(1000 + i), Protocol: lvs.TCP, Scheduler: "wlc", Forward: lvs.NAT}
		for j := range destinations {
			a := netip.AddrFrom4([4]byte{10, byte(1 + i/250), byte(i % 250), byte(1 + j)})
			s.Destinations = append(s.Destinations, lvs.Destination{Addr: netip.AddrPortFrom(a, Port), Weight: 1 + j%3})
		}
		out[i] = s
	}
	return out
}

// BenchmarkReconcile measures a plane on 500 services with 10 destinations each: writing all, changing one weight,
// finding nothing to change, by a look and by a glance, removing all.
func BenchmarkReconcile(b *testing.B, p lvs.Plane) {
	full := Large(500, 10)
	reconcile := func(b *testing.B, want []lvs.Service) {
		if _, err := p.Reconcile(lvs.Scope{Addrs: []netip.Addr{VIP4}}, want); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			reconcile(b, full)
			b.StopTimer()
			reconcile(b, nil)
			b.StartTimer()
		}
	})
	reconcile(b, full)
	b.Run("change", func(b *testing.B) {
		other := Clone(full)
		other[250].Destinations[0].Weight++
		for b.Loop() {
			full, other = other, full
			reconcile(b, full)
		}
	})
	b.Run("update", func(b *testing.B) {
		other := Clone(full)
		other[250].Destinations[0].Weight++
		for b.Loop() {
			full, other = other, full
			if _, err := p.Update(lvs.Scope{Addrs: []netip.Addr{VIP4}}, full); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			reconcile(b, full)
		}
	})
	if g, has := p.(glancer); has {
		b.Run("glance", func(b *testing.B) {
			g.Differs()
			reconcile(b, full)
			for b.Loop() {
				if differs, _ := g.Differs(); differs {
					b.Fatal("nobody has changed anything")
				}
			}
		})
	}
	b.Run("remove", func(b *testing.B) {
		for b.Loop() {
			reconcile(b, nil)
			b.StopTimer()
			reconcile(b, full)
			b.StartTimer()
		}
	})
	reconcile(b, nil)
}
