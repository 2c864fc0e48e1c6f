package lvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Status is what a Reconcile left in the kernel, beside what was wanted.
type Status struct {
	Services []ServiceStatus `json:"services,omitempty"` // sorted by key
	// Changed counts the changes that this Reconcile made; 0 = the kernel was already right. Changes are the first of them, for people.
	Changed int      `json:"changed"`
	Changes []string `json:"changes,omitempty"`
	// Problems are what the host lacks for the wanted services, each with its cure, e.g. IP forwarding that is off.
	Problems []string `json:"problems,omitempty"`
}

// Report says in the status what was changed.
func (s *Status) Report(changes []Change) {
	const shown = 5
	s.Changed, s.Changes = len(changes), nil
	for _, c := range changes[:min(len(changes), shown)] {
		s.Changes = append(s.Changes, c.String())
	}
}

// ServiceStatus is one service, wanted and actual.
type ServiceStatus struct {
	Key  Key      `json:"key"`
	Want *Service `json:"want,omitempty"` // nil = not wanted: its removal failed
	Have *Service `json:"have,omitempty"` // nil = the kernel does not have it; a destination with weight 0 may be absent
	Note string   `json:"note,omitempty"` // e.g. "wlc on nft works as wrr"
	Err  string   `json:"err,omitempty"`  // why Have is not Want
	// Connections counts those that the kernel balanced since it has the service. IPVS adds them up every two seconds
	// (ip_vs_est.c).
	Connections  uint64              `json:"connections"`
	Traffic      Traffic             `json:"traffic,omitzero"`
	Destinations []DestinationStatus `json:"destinations,omitempty"` // sorted by address
}

// DestinationStatus is one real server of a service, wanted and actual.
type DestinationStatus struct {
	Addr netip.AddrPort `json:"addr"`
	Want *int           `json:"want,omitempty"` // weight; nil = not wanted
	Have *int           `json:"have,omitempty"` // weight; nil = the kernel does not have it
	// Counters are nil where the plane does not know them.
	Counters *Counters `json:"counters,omitempty"`
}

// Counters of one destination.
type Counters struct {
	Active      int    `json:"active"`      // established connections
	Inactive    int    `json:"inactive"`    // others that the kernel still remembers
	Connections uint64 `json:"connections"` // since the kernel has the destination
	// Persistent are the clients that are bound to it; those count as connections against its thresholds.
	Persistent int     `json:"persistent,omitempty"`
	Traffic    Traffic `json:"traffic,omitzero"`
}

// Traffic is what the kernel counted, and its estimate of the present rates, which it brings up to date every two seconds
// (ip_vs_est.c). All zero where the plane does not count it.
type Traffic struct {
	InPackets  uint64 `json:"in_packets"` // from clients to servers
	OutPackets uint64 `json:"out_packets"`
	InBytes    uint64 `json:"in_bytes"`
	OutBytes   uint64 `json:"out_bytes"` // 0 by direct routing and through tunnels: the answers do not come by

	ConnectionRate uint64 `json:"connection_rate"` // a second, as those below
	InPacketRate   uint64 `json:"in_packet_rate"`
	OutPacketRate  uint64 `json:"out_packet_rate"`
	InByteRate     uint64 `json:"in_byte_rate"`
	OutByteRate    uint64 `json:"out_byte_rate"`
}

// Observed is what a plane saw of one service in the kernel.
type Observed struct {
	Service      Service
	Connections  uint64
	Traffic      Traffic
	Destinations map[netip.AddrPort]Counters // nil where the plane does not count
}

// Compare lays what was wanted beside what a plane found. caps gives the notes, errs what went wrong with a service.
func Compare(caps Capabilities, want []Service, have []Observed, errs map[Key]error) Status {
	byKey := make(map[Key]*ServiceStatus)
	get := func(k Key) *ServiceStatus {
		s, ok := byKey[k]
		if !ok {
			s = &ServiceStatus{Key: k}
			byKey[k] = s
		}
		return s
	}
	for _, w := range Canonical(want) {
		st := get(w.Key())
		if st.Want == nil {
			st.Want, st.Note = &w, caps.Note(w)
		}
	}
	for _, o := range have {
		h := Canonical([]Service{o.Service})[0]
		st := get(h.Key())
		st.Have, st.Connections, st.Traffic = &h, o.Connections, o.Traffic
		st.Destinations = countersOf(o)
	}
	for k, err := range errs {
		get(k).Err = err.Error()
	}
	var out Status
	for _, st := range byKey {
		st.Destinations = compareDestinations(st)
		out.Services = append(out.Services, *st)
	}
	slices.SortFunc(out.Services, func(a, b ServiceStatus) int { return a.Key.Compare(b.Key) })
	return out
}

func countersOf(o Observed) []DestinationStatus {
	var out []DestinationStatus
	for a, c := range o.Destinations {
		out = append(out, DestinationStatus{Addr: a, Counters: &c})
	}
	return out
}

// compareDestinations merges the counters already in st with the wanted and the actual weights.
func compareDestinations(st *ServiceStatus) []DestinationStatus {
	byAddr := make(map[netip.AddrPort]*DestinationStatus)
	get := func(a netip.AddrPort) *DestinationStatus {
		d, ok := byAddr[a]
		if !ok {
			d = &DestinationStatus{Addr: a}
			byAddr[a] = d
		}
		return d
	}
	for _, d := range st.Destinations {
		get(d.Addr).Counters = d.Counters
	}
	if st.Want != nil {
		for _, d := range st.Want.Destinations {
			get(d.Addr).Want = &d.Weight
		}
	}
	if st.Have != nil {
		for _, d := range st.Have.Destinations {
			get(d.Addr).Have = &d.Weight
		}
	}
	var out []DestinationStatus
	for _, d := range byAddr {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b DestinationStatus) int { return a.Addr.Compare(b.Addr) })
	return out
}

// Have lists the services of ours that the kernel holds.
func (s Status) Have() []Service {
	var out []Service
	for _, st := range s.Services {
		if st.Have != nil {
			out = append(out, *st.Have)
		}
	}
	return out
}

// Err joins the errors of the services; nil when there are none.
func (s Status) Err() error {
	var errs []error
	for _, st := range s.Services {
		if st.Err != "" {
			errs = append(errs, errors.New(st.Err))
		}
	}
	return errors.Join(errs...)
}

// String renders the status for people and tests, one line per service and destination.
func (s Status) String() string {
	var b strings.Builder
	weight := func(w *int) string {
		if w == nil {
			return "-"
		}
		return fmt.Sprint(*w)
	}
	for _, st := range s.Services {
		fmt.Fprintf(&b, "%v want=%t have=%t connections=%d", st.Key, st.Want != nil, st.Have != nil, st.Connections)
		for _, x := range []struct{ k, v string }{{"note", st.Note}, {"err", st.Err}} {
			if x.v != "" {
				fmt.Fprintf(&b, " %s=%q", x.k, x.v)
			}
		}
		b.WriteByte('\n')
		for _, d := range st.Destinations {
			fmt.Fprintf(&b, "  %v want=%s have=%s", d.Addr, weight(d.Want), weight(d.Have))
			if d.Counters != nil {
				fmt.Fprintf(&b, " active=%d inactive=%d connections=%d", d.Counters.Active, d.Counters.Inactive, d.Counters.Connections)
			}
			b.WriteByte('\n')
		}
	}
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "problem: %s\n", p)
	}
	return b.String()
}
