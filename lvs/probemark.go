package lvs

// The firewall marks that this host gives its own probes, so that the kernel leads them through the forwarding path (lvs/probepath). They are not
// agreed: each host has its own. No service of a cluster is by one of them.
const (
	FirstProbeMark uint32 = 0x51800000
	LastProbeMark  uint32 = 0x518fffff
)

// IsProbeMark reports whether the mark is for probes.
func IsProbeMark(m uint32) bool { return m >= FirstProbeMark && m <= LastProbeMark }
