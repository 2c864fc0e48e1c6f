package fsm

import "time"

// Profile names a set of timings, one committed setting for the whole cluster (design §3 “Timing profiles”).
type Profile string

// The timing profiles.
const (
	LAN  Profile = "lan"
	Fast Profile = "fast"
	WAN  Profile = "wan"
)

// Timing is what a profile means.
type Timing struct {
	TTL    time.Duration // T: how long a lease lasts from the sending of its Renew
	Renew  time.Duration // R: how often a holder renews
	Margin time.Duration // m: from the gate to the wire, timers
	Raft   time.Duration // Raft's heartbeat and election timeout: shorter than TTL, so that an election ends inside a lease
}

// Timing of the profile; an unknown or empty name means lan.
func (p Profile) Timing() Timing {
	switch p {
	case Fast:
		return Timing{TTL: 40 * time.Millisecond, Renew: 8 * time.Millisecond, Margin: time.Millisecond, Raft: 50 * time.Millisecond}
	case WAN:
		return Timing{TTL: 3 * time.Second, Renew: 600 * time.Millisecond, Margin: 20 * time.Millisecond, Raft: time.Second}
	default:
		return Timing{TTL: 250 * time.Millisecond, Renew: 50 * time.Millisecond, Margin: 2 * time.Millisecond, Raft: 80 * time.Millisecond}
	}
}

// Settings are the cluster-wide options.
type Settings struct {
	Profile   Profile `json:"profile"`
	DataPlane string  `json:"data_plane"` // auto, ipvs, nft
	Observers int     `json:"observers"`  // how many nodes probe each server; all nodes if there are fewer
}

// DefaultSettings are those of a new cluster.
func DefaultSettings() Settings { return Settings{Profile: LAN, DataPlane: "auto", Observers: 3} }

// Config is what an operator writes: the whole wanted configuration, applied as one transaction.
type Config struct {
	Settings Settings           `json:"settings"`
	VIPs     map[string]VIP     `json:"vips,omitempty"`
	Groups   map[string]Group   `json:"groups,omitempty"`
	Services map[string]Service `json:"services,omitempty"`
}
