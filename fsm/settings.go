package fsm

import (
	"cmp"
	"slices"
	"time"
)

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

	// What may move a VIP that is served where it is. Since schema 2; 0 stands for the default, so that a cluster that does not
	// set them writes what schema 1 writes.

	// Rebalance moves VIPs without preference from nodes that have too many for their weight.
	Rebalance bool `json:"rebalance,omitempty"`
	// MaxMoves is how many moves for preference or balance may begin in a minute; a group counts as one.
	MaxMoves int `json:"max_moves_per_minute,omitempty"`
	// HoldDown is how long no VIP is moved for preference or balance to a node that came back after a fence, and how long such
	// a move leaves a VIP alone that failed over or was moved so; longer after several in a row, see Flap.
	HoldDown time.Duration `json:"hold_down,omitempty"`

	// SetSysctls lets the agents set what the services and the synchronisation of connections need in their kernels. Since schema 5.
	SetSysctls bool     `json:"set_sysctls,omitempty"`
	Sync       Sync     `json:"sync,omitzero"`
	Timeouts   Timeouts `json:"ipvs_timeouts,omitzero"`

	// MarkBase is the first of the firewall marks that compound services get; 0 = DefaultMarkBase. Since schema 5.
	MarkBase uint32 `json:"fwmark_base,omitempty"`

	// Mode is that of all VIPs. Since schema 7.
	Mode Mode `json:"mode,omitempty"`
}

// Defaults and limits of the settings for moves.
const (
	DefaultMaxMoves = 10
	MaxMaxMoves     = 600
	DefaultHoldDown = 30 * time.Second
	MinHoldDown     = time.Second
	MaxHoldDown     = time.Hour
)

// Moves is MaxMoves or its default.
func (s Settings) Moves() int { return cmp.Or(s.MaxMoves, DefaultMaxMoves) }

// Hold is HoldDown or its default.
func (s Settings) Hold() time.Duration { return cmp.Or(s.HoldDown, DefaultHoldDown) }

// needs is the schema that has all that is set.
func (s Settings) needs() Schema {
	if s.Mode != LiveMode {
		return schemaVRRP
	}
	if s.Sync != (Sync{}) || s.Timeouts != (Timeouts{}) || s.SetSysctls || s.MarkBase != 0 {
		return schemaLVS
	}
	if s.Rebalance || s.MaxMoves != 0 || s.HoldDown != 0 {
		return schemaMoves
	}
	return 1
}

// needs is the schema that has all that is set.
func (c Config) needs() Schema {
	need := c.Settings.needs()
	for _, v := range c.VIPs {
		if v.QuorumLost != ReleaseVIP {
			need = max(need, schemaHold)
		}
		if v.Router != "" || v.VRRP != nil || v.Mode != LiveMode || v.QuorumLost == VRRPVIP {
			need = max(need, schemaVRRP)
		}
	}
	if len(c.Routers) > 0 {
		need = max(need, schemaVRRP)
	}
	if len(c.NodeChecks) > 0 {
		need = max(need, schemaHealth)
	}
	for _, s := range c.Services {
		need = max(need, s.needs(c.VIPs[s.On()[0]]))
	}
	if len(c.Notifiers) > 0 {
		need = max(need, schemaHealth)
	}
	for _, n := range c.Notifiers {
		if slices.Contains(n.Events, EventVRRP) || slices.Contains(n.Events, EventShadow) {
			need = max(need, schemaVRRP)
		}
	}
	return need
}

// DefaultSettings are those of a new cluster.
func DefaultSettings() Settings { return Settings{Profile: LAN, DataPlane: "auto", Observers: 3} }

// Config is what an operator writes: the whole wanted configuration, applied as one transaction.
type Config struct {
	Settings Settings           `json:"settings"`
	VIPs     map[string]VIP     `json:"vips,omitempty"`
	Groups   map[string]Group   `json:"groups,omitempty"`
	Services map[string]Service `json:"services,omitempty"`
	// Notifiers since schema 6.
	Notifiers map[string]Notifier `json:"notifiers,omitempty"`
	// NodeChecks is since schema 6.
	NodeChecks map[string]NodeCheck `json:"node_checks,omitempty"`
	// Routers are the virtual routers that have blocks of their own, by name. Since schema 7.
	Routers map[string]VirtualRouter `json:"virtual_routers,omitempty"`
}
