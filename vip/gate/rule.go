package gate

import "time"

// Leases is what [Lease] has written: epoch → until, an absolute instant of CLOCK_BOOTTIME.
type Leases map[uint64]time.Duration

// Passes is the rule of the gate for an address that has this entry: whether what claims it (ARP, NDP) or carries its traffic
// (IP) passes at now. The gates in the kernel do it by themselves; here it is for whoever models one. A test holds the BPF
// program against it.
func (e Entry) Passes(p Protocol, leases Leases, now time.Duration) bool {
	if e.Epoch == 0 || now >= leases[e.Epoch] {
		return false
	}
	if p != IP {
		return e.ARP && e.IPUntil == 0
	}
	return e.IP && (e.IPUntil == 0 || now < e.IPUntil)
}
