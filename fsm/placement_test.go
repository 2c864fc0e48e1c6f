package fsm

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
)

func TestLargestRemainder(t *testing.T) {
	tie := []uint64{3, 1, 2, 0}
	for _, c := range []struct {
		total   int
		weights []int
		want    []int
	}{
		{7, []int{1, 1, 1}, []int{2, 3, 2}}, // the odd one goes to the lowest tie
		{10, []int{1, 2, 0, 1}, []int{2, 5, 0, 3}},
		{1, []int{1, 1000}, []int{0, 1}},
		{0, []int{1, 1}, []int{0, 0}},
		{5, []int{0, 0}, []int{0, 0}},
		{3, nil, []int{}},
	} {
		if got := largestRemainder(c.total, c.weights, tie); !slices.Equal(got, c.want) {
			t.Errorf("%d by %v: %v, want %v", c.total, c.weights, got, c.want)
		}
	}
}

func TestShares(t *testing.T) {
	tie := []uint64{0, 1, 2, 3}
	for _, c := range []struct {
		load, weights []int
		add           int
		want          []int // meaningful where there is room
	}{
		{[]int{0, 0, 0}, []int{1, 1, 1}, 6, []int{2, 2, 2}},
		{[]int{10, 0, 0}, []int{1, 1, 1}, 2, []int{0, 1, 1}},    // one has more than its share already
		{[]int{10, 5, 0}, []int{1, 1, 1}, 2, []int{0, 0, 2}},    // and another, once that one is left out
		{[]int{10, 0, 0}, []int{100, 1, 1}, 2, []int{12, 0, 0}}, // its share is nearly all
		{[]int{3, 0, 0}, []int{0, 1, 1}, 4, []int{0, 2, 2}},
	} {
		if got := shares(c.load, c.weights, c.add, tie); !slices.Equal(got, c.want) {
			t.Errorf("%v by %v and %d more: %v, want %v", c.load, c.weights, c.add, got, c.want)
		}
	}
}

// The cost of rendezvous hashing is a logarithm: half the hash is one binary place more.
func TestNegLog(t *testing.T) {
	for _, h := range []uint64{1, 2, 3, 1 << 20, 0xdeadbeefcafe, 1 << 63, 1<<63 + 12345678901234567, math.MaxUint64} {
		want := -math.Log2(float64(h|1)/math.Pow(2, 64)) * (1 << logBits)
		if got := float64(negLog(h)); math.Abs(got-want) > 2 {
			t.Errorf("negLog(%#x) = %v, want %v", h, got, want)
		}
	}
	if negLog(0) != 64<<logBits || negLog(math.MaxUint64) < 1 {
		t.Errorf("limits: %d, %d", negLog(0), negLog(math.MaxUint64))
	}
}

// Without bounds on the load, the lowest weighted cost falls to each node in proportion to its weight.
func TestWeightedCosts(t *testing.T) {
	weights := []int{1, 2, 3, 10}
	wins := make([]int, len(weights))
	const n = 20000
	for i := range n {
		key := hashText(fmt.Sprintf("192.0.%d.%d", i/256, i%256))
		best, low := 0, uint64(0)
		for j, w := range weights {
			cost := negLog(hashPair(key, hashText(fmt.Sprintf("n%d", j))))
			if j == 0 || cheaper(cost, w, low, weights[best]) {
				best, low = j, cost
			}
		}
		wins[best]++
	}
	for j, w := range weights {
		want := float64(n) * float64(w) / 16
		if got := float64(wins[j]); math.Abs(got-want) > 0.06*want+60 {
			t.Errorf("weight %d won %v times, want about %v", w, got, want)
		}
	}
}

func TestObservers(t *testing.T) {
	w := newWorld(t)
	w.form(1, 1, 1, 1, 1)
	witness := director("w1", 1)
	witness.Role = Witness
	w.must(Command{PutNode: &PutNode{Node: witness}})
	servers := make([]ServerKey, 3000)
	for i := range servers {
		servers[i] = ServerKey{"http", netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)}
	}
	before := map[ServerKey][]NodeID{}
	count := map[NodeID]int{}
	for _, k := range servers {
		o := Observers(w.s, k)
		if len(o) != 3 || !slices.IsSorted(o) || slices.Contains(o, "w1") {
			t.Fatalf("%v: %v", k, o)
		}
		before[k] = o
		for _, id := range o {
			count[id]++
		}
	}
	for id, n := range count {
		if n < 1600 || n > 2000 {
			t.Errorf("%s observes %d of 3000 servers, want about 1800", id, n)
		}
	}
	// A node that leaves hands over what it observed, and nothing else changes.
	w.must(Command{SetDrain: &SetDrain{Node: "n3", Draining: true, Leaving: true}})
	for _, k := range servers {
		o := Observers(w.s, k)
		for _, id := range before[k] {
			if id != "n3" && !slices.Contains(o, id) {
				t.Fatalf("%v: %v became %v", k, before[k], o)
			}
		}
	}
	w.must(Command{SetDrain: &SetDrain{Node: "n1", Leaving: true}})
	w.must(Command{SetDrain: &SetDrain{Node: "n2", Leaving: true}})
	if o := Observers(w.s, servers[0]); !slices.Equal(o, []NodeID{"n4", "n5"}) {
		t.Errorf("all that are left: %v", o)
	}
	if o := Observers(New(), servers[0]); len(o) != 0 {
		t.Errorf("without nodes: %v", o)
	}
}
