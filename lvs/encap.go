package lvs

import "strconv"

// The kinds of tunnel (ipvsadm's --tun-type) and what checksums a GUE or GRE tunnel has.
const (
	IPIP = "ipip" // also IPv6 in either direction; the default
	GUE  = "gue"  // generic UDP encapsulation
	GRE  = "gre"

	NoChecksum     = "none" // the default
	Checksum       = "csum"
	RemoteChecksum = "remcsum" // GUE's remote checksum offload
)

// Encap is how packets are wrapped on their way through a tunnel. The zero value is IPIP.
type Encap struct {
	Type     string `json:"type,omitempty"`     // gue, gre; "" = ipip
	Port     uint16 `json:"port,omitempty"`     // of GUE
	Checksum string `json:"checksum,omitempty"` // csum, remcsum; "" = none
}

func (e Encap) canonical() Encap {
	if e.Type == IPIP {
		e.Type = ""
	}
	if e.Checksum == NoChecksum {
		e.Checksum = ""
	}
	return e
}

func (e Encap) words() (out []string) {
	if e.Type != "" {
		out = append(out, e.Type)
	}
	if e.Port != 0 {
		out = append(out, "port", strconv.Itoa(int(e.Port)))
	}
	if e.Checksum != "" {
		out = append(out, e.Checksum)
	}
	return out
}

// none is quicker than the comparison with Encap{}, for tens of thousands of destinations.
func (e Encap) none() bool { return e.Type == "" && e.Port == 0 && e.Checksum == "" }
