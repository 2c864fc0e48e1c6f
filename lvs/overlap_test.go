package lvs

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestOverlapping compares the sweep with a look at every pair: whoever is left when those that were told of are left out overlaps nobody, and
// what is told of overlaps.
func TestOverlapping(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	told := 0
	for range 3000 {
		var list []Match
		for range r.IntN(12) {
			list = append(list, randomMatch(r))
		}
		out := map[int]bool{}
		Overlapping(list, func(i, j int) {
			told++
			if i >= j || !list[i].Overlaps(list[j]) {
				t.Fatalf("told of %d %v and %d %v", i, list[i], j, list[j])
			}
			out[i], out[j] = true, true
		})
		for i := range list {
			for j := range i {
				if !out[i] && !out[j] && list[i].Overlaps(list[j]) {
					t.Fatalf("not told of %v and %v\nof %v", list[j], list[i], list)
				}
			}
		}
	}
	if told == 0 {
		t.Error("nothing has overlapped")
	}
}

func randomMatch(r *rand.Rand) Match {
	addr := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }
	from, to := r.IntN(20), r.IntN(4)
	m := Match{First: addr(from), Last: addr(from + to), Protocol: []string{TCP, UDP}[r.IntN(2)]}
	if r.IntN(5) > 0 {
		m.FromPort = uint16(1 + r.IntN(20))
		m.ToPort = m.FromPort + uint16(r.IntN(4))
	}
	return m
}

func BenchmarkOverlapping(b *testing.B) {
	var list []Match
	for i := range 1000 {
		a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 10)})
		list = append(list, Match{First: a, Last: a, Protocol: TCP, FromPort: uint16(1000 + 10*i), ToPort: uint16(1005 + 10*i)})
	}
	for b.Loop() {
		Overlapping(list, func(i, j int) { b.Fatal(list[i], list[j]) })
	}
}
