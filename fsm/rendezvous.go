package fsm

import "math/bits"

// Rendezvous hashing (Thaler and Ravishankar, 1998): every (thing, node) pair has a cost, and a thing belongs to the node
// where its cost is lowest. A node that comes or goes changes the order of no other nodes. With a weight, -log(hash)/weight
// is the cost: the lowest of such costs falls to each node in proportion to its weight.
//
// All of it is integer arithmetic, so that the answer is the same on every machine.

// hashText is FNV-1a, 64 bits.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// hashPair mixes two hashes well (the finaliser of SplitMix64): FNV alone is too even for similar names.
func hashPair(a, b uint64) uint64 {
	h := a ^ bits.RotateLeft64(b*0x9e3779b97f4a7c15, 31)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// logBits is how many binary places a negLog has.
const logBits = 24

// negLog is -log2(h / 2^64) in units of 2^-logBits; at least 1.
func negLog(h uint64) uint64 {
	h |= 1
	zeros := bits.LeadingZeros64(h)
	x := h << zeros // 1 ≤ x/2^63 < 2
	log := uint64(63 - zeros)
	for range logBits {
		hi, lo := bits.Mul64(x, x) // x² / 2^126
		log <<= 1
		if hi>>63 != 0 {
			log |= 1
			x = hi
		} else {
			x = hi<<1 | lo>>63
		}
	}
	return 64<<logBits - log
}

// cheaper reports whether cost a at weight wa is below cost b at weight wb; weights are 1 to MaxWeight.
func cheaper(a uint64, wa int, b uint64, wb int) bool { return a*uint64(wb) < b*uint64(wa) }
