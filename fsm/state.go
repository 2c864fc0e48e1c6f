package fsm

import (
	"slices"
	"time"
)

// Schema is a version of the command and state format.
type Schema uint32

// The schemas. What a newer one brought is neither accepted nor written before the cluster runs at it: an older member could
// not read it.
const (
	schemaFirst  Schema = 1
	schemaMoves  Schema = 2 // moves are budgeted: settings for it, flaps, State.Moves, Decide.Back
	schemaStages Schema = 3 // events have stages, facts say what silences a node and how its lease runs
	schemaHold   Schema = 4 // VIP.QuorumLost, Assignment.Holders, HoldOff

	// All of IPVS (Service.needs, Facts.Features); directors keep each other's connections (Settings.Sync, Service.NoSync, Facts.Unsynced); states
	// of services, and servers that come and go (State.Services, Disabled, SetAdmin.Timeout, EndDrain, Event.Service); services that take more than
	// one port of one address (Service.Compound, State.Marks, Settings.MarkBase, ServerState.Quiet).
	schemaLVS Schema = 5

	// Health that can be believed: all types of checks and what is common to them, verdicts by policy, weights that servers ask for, checks of nodes,
	// notifications.
	schemaHealth Schema = 6

	// The cluster as one VRRP router, whose VIPs a router outside of it may have (Config.Routers, VIP.Router and VRRP, State.Foreign, SetForeign), and
	// VIPs in shadow (Settings.Mode, VIP.Mode, Assignment.Shadow).
	schemaVRRP Schema = 7

	// MaxSchema is the newest schema this build understands.
	MaxSchema = schemaVRRP
)

// State is all that the cluster has agreed. A published State is never changed; see Apply.
type State struct {
	ClusterID string `json:"cluster_id"` // "" until Init
	Index     uint64 `json:"index"`      // of the last applied entry
	Schema    Schema `json:"schema"`

	Nodes    map[NodeID]Node `json:"nodes"`
	Grantors GrantorSet      `json:"grantors"`

	Config        Config `json:"config"`
	ConfigVersion uint64 `json:"config_version"` // index of the entry that last changed Config; 0 = never

	Assignments map[AddressKey]Assignment `json:"assignments"`
	Servers     map[ServerKey]ServerState `json:"servers"`
	// Foreign are the routers outside the cluster that have the VIPs of a virtual router, by its name. Since schema 7.
	Foreign map[string]ForeignOwner `json:"foreign,omitempty"`
	// Services holds each configured service, since schema 5.
	Services map[string]ServiceState `json:"services,omitempty"`
	// Marks are the firewall marks of the compound services, by name; each keeps its own for as long as it exists and is compound. Since schema 5.
	Marks map[string]uint32 `json:"fwmarks,omitempty"`
	// Moves holds when the latest moves for preference or balance began, as many as the settings allow in a minute; oldest first.
	Moves []time.Time `json:"moves,omitempty"`

	Events Timeline `json:"events"`
	// Outbox holds what each notifier that the leader carries out was told, by name. Since schema 6.
	Outbox map[string]Outbox `json:"outbox,omitempty"`
	// Backlog are events that the timeline has forgotten and some notifier has not been told yet, oldest first. Since schema 6.
	Backlog Timeline `json:"backlog,omitempty"`
}

// New returns the state before Init.
func New() *State {
	return &State{
		Nodes:       map[NodeID]Node{},
		Assignments: map[AddressKey]Assignment{},
		Servers:     map[ServerKey]ServerState{},
	}
}

// VIPByKey finds the configured VIP that has the address; ok is false for a tombstone. It is quick for an address whose
// record bears the VIP's name, and otherwise looks through all VIPs.
func (s *State) VIPByKey(k AddressKey) (VIP, bool) {
	if v, ok := s.Config.VIPs[s.Assignments[k].VIP]; ok && v.Key() == k {
		return v, true
	}
	for _, v := range s.Config.VIPs {
		if v.Key() == k {
			return v, true
		}
	}
	return VIP{}, false
}

// Tombstone reports whether somebody owns the address of a without the configuration asking for exactly that any more:
// the VIP is gone, or has another name, prefix length, interface or mode. The owner has to confirm its release first.
func (s *State) Tombstone(a Assignment) bool {
	v, ok := s.Config.VIPs[a.VIP]
	return a.Owner != "" && (!ok || !s.Config.Matches(a, v))
}

// lingers reports whether a is a tombstone whose owner may still have the address on the wire. In shadow it never had.
func (s *State) lingers(a Assignment) bool { return !a.Shadow && s.Tombstone(a) }

// Owned returns the keys that node owns, sorted. A released but unconfirmed address counts as owned.
func (s *State) Owned(node NodeID) []AddressKey {
	var out []AddressKey
	for k, a := range s.Assignments {
		if a.Owner == node && node != "" {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, AddressKey.Compare)
	return out
}
