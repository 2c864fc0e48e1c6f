package nft

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"quorate/lvs"
)

func counts(order []int, n int) []int {
	out := make([]int, n)
	for _, i := range order {
		out[i]++
	}
	return out
}

func servers(n int) (out []netip.AddrPort) {
	a := netip.MustParseAddr("10.0.0.1")
	for range n {
		out = append(out, netip.AddrPortFrom(a, 80))
		a = a.Next()
	}
	return out
}

func TestSequence(t *testing.T) {
	for _, c := range []struct {
		weights []int
		want    string
	}{
		{[]int{1}, "[0]"},
		{[]int{7}, "[0]"},
		{[]int{1, 1}, "[0 1]"},
		{[]int{100, 300}, "[1 0 1 1]"},
		{[]int{5, 1, 1}, "[0 0 1 0 2 0 0]"}, // the example of nginx's smooth weighted round robin
	} {
		if got := fmt.Sprint(sequence(c.weights)); got != c.want {
			t.Errorf("sequence(%v) = %s, want %s", c.weights, got, c.want)
		}
	}
}

// TestShares: every server gets its share, exactly where it fits and within one slot otherwise, and never none.
func TestShares(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		weights := make([]int, 1+r.IntN(30))
		for i := range weights {
			weights[i] = 1 + r.IntN(1<<r.IntN(17))
		}
		order := sequence(weights)
		got, total := counts(order, len(weights)), len(order)
		if total > maxSlots {
			t.Fatalf("%v: %d slots", weights, total)
		}
		for i, n := range got {
			want := float64(weights[i]) * float64(total) / float64(sum(weights))
			// The minimum of one slot is paid by the largest share.
			if n == 0 || float64(n) > want+1 && n != 1 || float64(n) < want-1-float64(len(weights)) {
				t.Fatalf("%v: server %d has %d of %d slots, its share is %.1f", weights, i, n, total, want)
			}
		}
	}
}

// TestHashTableMovesLittle: a server that goes moves few slots of those that stay.
func TestHashTableMovesLittle(t *testing.T) {
	for _, n := range []int{2, 5, 20, 60} {
		all := servers(n)
		weights := make([]int, n)
		for i := range weights {
			weights[i] = 1 + i%3
		}
		before := hashTable(all, weights, hashSize("sh", n))
		after := hashTable(all[1:], weights[1:], hashSize("sh", n))
		moved := 0
		for slot, s := range before {
			if s != 0 && after[slot] != s-1 {
				moved++
			}
		}
		if limit := len(before) / 4; moved > limit {
			t.Errorf("%d servers: %d of %d slots moved without need", n, moved, len(before))
		}
		for i, c := range counts(before, n) {
			want := len(before) * weights[i] / sum(weights)
			if c < want || c > want+1 {
				t.Errorf("%d servers: server %d has %d slots, its share is %d", n, i, c, want)
			}
		}
	}
	if n := len(hashTable(servers(1200), make1(1200), hashSlotsMany)); n != 1200 {
		t.Errorf("1200 servers have %d slots", n)
	}
}

// TestLeavingServerMovesFewClients: of mh, when one of n servers leaves, at most 2/n of the slots change, its own 1/n included; so it is
// the other way round.
func TestLeavingServerMovesFewClients(t *testing.T) {
	for _, n := range []int{2, 3, 5, 10, 15, 20, 21, 30, 40} {
		all, size, worst := servers(n), hashSize("mh", n), 0
		before := hashTable(all, make1(n), size)
		for gone := 0; gone < n; gone += 1 + n/20 {
			rest := slices.Delete(slices.Clone(all), gone, gone+1)
			moved := 0
			for slot, s := range hashTable(rest, make1(n-1), size) {
				if rest[s] != all[before[slot]] {
					moved++
				}
			}
			worst = max(worst, moved)
		}
		t.Logf("%d servers, %d slots: one that leaves moves %.2f/n of them at worst", n, size, float64(worst*n)/float64(size))
		if worst*n > 2*size {
			t.Errorf("%d servers: %d of %d slots moved", n, worst, size)
		}
	}
}

// TestSameTableEverywhere: whatever the order in which servers and services come, the rules are the same, slot by slot.
func TestSameTableEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, scheduler := range []string{"sh", "mh", "dh"} {
		s := lvs.Service{Addr: netip.MustParseAddr("192.0.2.10"), Port: 80, Protocol: lvs.TCP, Scheduler: scheduler, Forward: lvs.NAT}
		for i, a := range servers(7) {
			s.Destinations = append(s.Destinations, lvs.Destination{Addr: a, Weight: i})
		}
		first := compile(lvs.Canonical([]lvs.Service{s}))
		for range 20 {
			s.Destinations = slices.Clone(s.Destinations)
			r.Shuffle(len(s.Destinations), func(i, j int) { s.Destinations[i], s.Destinations[j] = s.Destinations[j], s.Destinations[i] })
			if !compile(lvs.Canonical([]lvs.Service{s})).same(first) {
				t.Fatalf("%s: the order of the servers matters", scheduler)
			}
		}
	}
}

func make1(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}
