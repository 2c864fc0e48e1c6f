package lvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate/lvs/sysctl"
)

// Status is what a Reconcile left in the kernel, beside what was wanted.
type Status struct {
	Services []ServiceStatus `json:"services,omitempty"` // sorted by key
	// Changed counts the changes that this Reconcile made; 0 = the kernel was already right. Changes are the first of them, for people.
	Changed int      `json:"changed"`
	Changes []string `json:"changes,omitempty"`
	// Returned: some service or destination had gone and was added. The kernel may have forgotten its connections.
	Returned bool `json:"-"`
	// Problems are what the host lacks for the wanted services, each with its cure, e.g. IP forwarding that is off.
	Problems []string `json:"problems,omitempty"`
	// Needs are those of the problems that a setting of the kernel cures.
	Needs []sysctl.Need `json:"needs,omitempty"`
}

// Lacks says in the status what has to be set in the kernel.
func (s *Status) Lacks(needs ...sysctl.Need) {
	for _, n := range needs {
		s.Needs, s.Problems = append(s.Needs, n), append(s.Problems, n.String())
	}
}

// Met takes out of the status what has been set since.
func (s *Status) Met(n sysctl.Need) {
	s.Needs = slices.DeleteFunc(slices.Clone(s.Needs), func(x sysctl.Need) bool { return x == n })
	s.Problems = slices.DeleteFunc(slices.Clone(s.Problems), func(p string) bool { return p == n.String() })
}

// Report says in the status what was changed.
func (s *Status) Report(changes []Change) {
	const shown = 5
	s.Changed, s.Changes = len(changes), nil
	s.Returned = slices.ContainsFunc(changes, func(c Change) bool { return c.Op == AddService || c.Op == AddDestination })
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
	Service     Service
	Connections uint64
	Traffic     Traffic
	Counters    []Counters // of the Service's Destinations, in their order; nil where the plane does not count
}

// Compare lays what was wanted beside what a plane found, of each service once. caps gives the notes, errs what went wrong with a service.
func Compare(caps Capabilities, want []Service, have []Observed, errs map[Key]error) Status {
	// Both are sorted and walked side by side, as in Diff: it is done every second, for tens of thousands of servers.
	want = slices.CompactFunc(Canonical(want), func(a, b Service) bool { return byKey(a, b) == 0 })
	if byService := func(a, b Observed) int { return byKey(a.Service, b.Service) }; !slices.IsSortedFunc(have, byService) {
		have = slices.SortedFunc(slices.Values(have), byService)
	}
	out := make([]ServiceStatus, 0, len(want)+len(errs))
	for len(want) > 0 || len(have) > 0 {
		order := 0
		switch {
		case len(want) == 0:
			order = 1
		case len(have) == 0:
			order = -1
		default:
			order = want[0].Key().Compare(have[0].Service.Key())
		}
		var st ServiceStatus
		if order <= 0 {
			st.Key, st.Want, st.Note = want[0].Key(), &want[0], caps.Note(want[0])
			want = want[1:]
		}
		if order >= 0 {
			h := have[0].Service.canonical()
			st.Key, st.Have, st.Connections, st.Traffic = h.Key(), &h, have[0].Connections, have[0].Traffic
			st.Destinations = countersOf(have[0])
			have = have[1:]
		}
		st.Destinations = compareDestinations(&st)
		out = append(out, st)
	}
	return Status{Services: blame(out, errs)}
}

// blame notes the errors at their services, also at those that are neither wanted nor there.
func blame(services []ServiceStatus, errs map[Key]error) []ServiceStatus {
	byKey := func(st ServiceStatus, k Key) int { return st.Key.Compare(k) }
	for k, err := range errs {
		i, found := slices.BinarySearchFunc(services, k, byKey)
		if !found {
			services = slices.Insert(services, i, ServiceStatus{Key: k})
		}
		services[i].Err = err.Error()
	}
	return services
}

// countersOf are the counters by address, sorted.
func countersOf(o Observed) []DestinationStatus {
	out := make([]DestinationStatus, len(o.Counters))
	for i := range o.Counters {
		out[i] = DestinationStatus{Addr: canonical(o.Service.Destinations[i].Addr), Counters: &o.Counters[i]}
	}
	slices.SortFunc(out, func(a, b DestinationStatus) int { return a.Addr.Compare(b.Addr) })
	return out
}

// compareDestinations merges the counters already in st with the wanted and the actual weights. All three are sorted.
func compareDestinations(st *ServiceStatus) []DestinationStatus {
	var want, have []Destination
	if st.Want != nil {
		want = st.Want.Destinations
	}
	if st.Have != nil {
		have = st.Have.Destinations
	}
	counted := st.Destinations
	out := make([]DestinationStatus, 0, max(len(want), len(have)))
	for len(want) > 0 || len(have) > 0 {
		var d DestinationStatus
		order := first(want, have, byAddr)
		if order <= 0 {
			d.Addr, d.Want = want[0].Addr, &want[0].Weight
			for len(want) > 0 && want[0].Addr == d.Addr { // of a service that is refused it may be there twice
				want = want[1:]
			}
		}
		if order >= 0 {
			d.Addr, d.Have = have[0].Addr, &have[0].Weight
			have = have[1:]
			if len(counted) > 0 {
				d.Counters, counted = counted[0].Counters, counted[1:]
			}
		}
		out = append(out, d)
	}
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
