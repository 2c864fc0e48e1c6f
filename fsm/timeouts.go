package fsm

import "time"

// Timeouts are how long the directors' IPVS keeps connections that are silent, of all services alike; whole seconds, 0 = what the kernel has. Since
// schema 5.
type Timeouts struct {
	TCP    time.Duration `json:"tcp,omitempty"`     // established
	TCPFin time.Duration `json:"tcp_fin,omitempty"` // after a FIN
	UDP    time.Duration `json:"udp,omitempty"`
}

// MaxTimeout is the longest of the Timeouts: the kernel's limit (2^31 ticks, at up to a thousand a second) is at 24 days.
const MaxTimeout = 20 * 24 * time.Hour

// each calls f for all of them, by the names of the configuration file.
func (t Timeouts) each(f func(key string, d time.Duration)) {
	f("tcp", t.TCP)
	f("tcp_fin", t.TCPFin)
	f("udp", t.UDP)
}

func (t Timeouts) validate(ps *Problems) {
	const object = "cluster.ipvs_timeouts"
	t.each(func(key string, d time.Duration) {
		if d != 0 {
			inRange(ps, object, key, d, time.Second, MaxTimeout)
		}
		if d%time.Second != 0 {
			ps.add(object, key, d.String(), "the kernel counts whole seconds", `use one like "15m"`)
		}
	})
}

// fields flattens the timeouts, for a diff.
func (t Timeouts) fields(object func(string) fields) {
	if t != (Timeouts{}) {
		t.each(object("cluster.ipvs_timeouts").span)
	}
}
