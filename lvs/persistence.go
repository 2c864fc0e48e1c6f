package lvs

import (
	"strconv"
	"time"
)

// SIP is the persistence engine that keeps calls by their Call-ID together (ip_vs_pe_sip).
const SIP = "sip"

// Persistence sends the connections of a client to the same server. The zero value is none.
type Persistence struct {
	Timeout time.Duration `json:"timeout,omitempty"` // since the client's last connection; whole seconds
	// Prefix is how many bits of the client's address count, so that a network is one client; 0 = all of them.
	Prefix int    `json:"prefix,omitempty"`
	Engine string `json:"engine,omitempty"` // sip; "" = by address
}

func (p Persistence) words() (out []string) {
	if p.Timeout != 0 {
		out = append(out, "persistent", strconv.FormatFloat(p.Timeout.Seconds(), 'f', -1, 64))
	}
	if p.Prefix != 0 {
		out = append(out, "prefix", strconv.Itoa(p.Prefix))
	}
	if p.Engine != "" {
		out = append(out, "engine", p.Engine)
	}
	return out
}
