package lvs

import (
	"cmp"
	"time"
)

// Timeouts are how long a kernel keeps connections that are silent. They are of the network namespace, for all services alike; whole seconds,
// 0 = as it is. An established SCTP association is none of these.
type Timeouts struct {
	TCP    time.Duration `json:"tcp,omitempty"`     // established
	TCPFin time.Duration `json:"tcp_fin,omitempty"` // after a FIN
	UDP    time.Duration `json:"udp,omitempty"`
}

// Or is t with what it leaves as it is taken from o.
func (t Timeouts) Or(o Timeouts) Timeouts {
	return Timeouts{TCP: cmp.Or(t.TCP, o.TCP), TCPFin: cmp.Or(t.TCPFin, o.TCPFin), UDP: cmp.Or(t.UDP, o.UDP)}
}
