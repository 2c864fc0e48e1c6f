package nft

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"slices"
)

const (
	// maxSlots bounds the round-robin sequence of one service. Weights whose sum, after division by their greatest
	// common divisor, is higher are approximated within 1/maxSlots.
	maxSlots = 512
	// Sizes of the hash tables: primes, so that every step width visits every slot. The larger ones are for services with
	// so many servers that the small one would round their weights too much.
	hashSlots, hashSlotsMany = 251, 1021
	manyServers              = 50
	// Those of mh, of which it is expected that a server that leaves moves few clients of the others: the more slots there are for each
	// server, the fewer. Besides those of the server itself at most another 1/n of the clients move, up to 40 servers; the larger size is what
	// IPVS has (CONFIG_IP_VS_MH_TAB_INDEX).
	mhSlots, mhSlotsMany = 1021, 4093
	mhManyServers        = 20
)

// sequence is the order in which servers with these weights (all > 0) take connections: indexes into weights, one for
// each slot. The turns of each server are spread evenly (smooth weighted round robin), so that a heavy server does not
// get a burst.
func sequence(weights []int) []int {
	quota := reduce(weights)
	if sum(quota) > max(maxSlots, len(weights)) {
		quota = shares(weights, max(maxSlots, len(weights)))
	}
	return smooth(quota)
}

// hashSize is the number of slots that a scheduler has for so many servers.
func hashSize(scheduler string, servers int) int {
	switch {
	case scheduler == "mh" && servers > mhManyServers:
		return mhSlotsMany
	case scheduler == "mh":
		return mhSlots
	case servers > manyServers:
		return hashSlotsMany
	}
	return hashSlots
}

// hashTable assigns the slots of a source hash to servers, in proportion to their weights (all > 0). Each server fills
// the slots in an order of its own, made from its address alone (Maglev, NSDI 2016, §3.4), so that every director
// computes the same table, and a server that comes or goes moves few slots of the others. The number of slots is a prime.
func hashTable(servers []netip.AddrPort, weights []int, size int) []int {
	if len(servers) > size {
		return smooth(shares(weights, len(servers)))
	}
	type walk struct{ next, step int }
	walks := make([]walk, len(servers))
	for i, s := range servers {
		h := fnv.New64a()
		b, _ := s.MarshalBinary() // cannot fail: no zone, checked before
		h.Write(b)
		v := mix(h.Sum64())
		walks[i] = walk{next: int(v % uint64(size)), step: 1 + int((v>>32)%uint64(size-1))}
	}
	table := slices.Repeat([]int{-1}, size)
	for _, s := range smooth(shares(weights, size)) {
		w := &walks[s]
		for table[w.next] >= 0 {
			w.next = (w.next + w.step) % size
		}
		table[w.next] = s
	}
	return table
}

// mix spreads the bits of FNV's result, whose high half is poor for short input (the finalizer of MurmurHash3).
func mix(v uint64) uint64 {
	v ^= v >> 33
	v *= 0xff51afd7ed558ccd
	v ^= v >> 33
	v *= 0xc4ceb9fe1a85ec53
	return v ^ v>>33
}

// smooth orders quota[i] turns of each i evenly over sum(quota) turns.
func smooth(quota []int) []int {
	total := sum(quota)
	credit := make([]int, len(quota))
	out := make([]int, 0, total)
	for range total {
		best := 0
		for i, q := range quota {
			credit[i] += q
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		out = append(out, best)
	}
	return out
}

// shares divides total turns in proportion to weights by largest remainder, at least one each. len(weights) ≤ total.
func shares(weights []int, total int) []int {
	type rest struct{ i, r int }
	all := sum(weights)
	out := make([]int, len(weights))
	rests := make([]rest, len(weights))
	left := total
	for i, w := range weights {
		out[i], rests[i] = w*total/all, rest{i, w * total % all}
		if out[i] == 0 {
			out[i], rests[i].r = 1, 0 // already has more than its share
		}
		left -= out[i]
	}
	slices.SortStableFunc(rests, func(a, b rest) int { return b.r - a.r })
	for k := 0; left > 0; k, left = (k+1)%len(rests), left-1 {
		out[rests[k].i]++
	}
	for ; left < 0; left++ { // the minimum of one gave out too many: the largest share pays
		largest := 0
		for i := range out {
			if out[i] > out[largest] {
				largest = i
			}
		}
		out[largest]--
	}
	return out
}

// reduce divides the weights by their greatest common divisor.
func reduce(weights []int) []int {
	gcd := 0
	for _, w := range weights {
		for a, b := gcd, w; ; a, b = b, a%b {
			if b == 0 {
				gcd = a
				break
			}
		}
	}
	out := make([]int, len(weights))
	for i, w := range weights {
		out[i] = w / gcd
	}
	return out
}

func sum(v []int) (n int) {
	for _, x := range v {
		n += x
	}
	return n
}

// slot is the key of one element of a service's map: numgen and jhash leave their result in a register in the host's
// byte order.
func slot(i int) [4]byte {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(i))
	return b
}

// slotNumber is the inverse of slot.
func slotNumber(raw string) uint32 { return binary.NativeEndian.Uint32([]byte(raw)) }
