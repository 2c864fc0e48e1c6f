package lvstest

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"quorate/lvs"
)

// Model is a plane whose kernel is a table in memory. The zero value is an empty kernel that can do everything.
type Model struct {
	mu    sync.Mutex
	table map[lvs.Key]lvs.Service
	marks map[lvs.Key]bool // of the last Reconcile
	caps  *lvs.Capabilities
	// changes carried out so far, for tests of what a plane is told to do
	changes []lvs.Change
}

// Limit makes the model refuse what caps does not list.
func (m *Model) Limit(caps lvs.Capabilities) { m.caps = &caps }

// Name implements lvs.Plane.
func (m *Model) Name() string { return "model" }

// Capabilities implements lvs.Plane.
func (m *Model) Capabilities() lvs.Capabilities {
	if m.caps != nil {
		return *m.caps
	}
	return lvs.Capabilities{
		Plane: "model", Forwards: []string{lvs.NAT, lvs.DirectRouting, lvs.Tunnel},
		Schedulers: []string{"rr", "wrr", "lc", "wlc", "sh", "mh"}, Protocols: []string{lvs.TCP, lvs.UDP, lvs.SCTP}, Masquerade: true,
		Tunnels: []string{lvs.IPIP, lvs.GUE, lvs.GRE}, Flags: []string{"mh-fallback", "mh-port", "sh-fallback", "sh-port"},
		Marks: true, AnyPort: true, Ports: true, Addresses: true, OnePacket: true, Engines: true, Thresholds: true, Persistence: true, Ends: true, EndsMarked: true,
	}
}

// Close implements lvs.Plane.
func (m *Model) Close() error { return nil }

// Update implements lvs.Plane.
func (m *Model) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	status, err := m.Reconcile(scope, want)
	return status.Changed, err
}

// Reconcile implements lvs.Plane.
func (m *Model) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ok, refused := m.Capabilities().Accept(want)
	ours := make(map[netip.Addr]bool)
	for _, a := range scope.Addrs {
		ours[a.Unmap()] = true
	}
	for _, s := range ok {
		ours[s.Addr] = true
	}
	list := func() (out []lvs.Service) {
		for _, s := range m.table {
			if s.Mark == 0 && ours[s.Addr] || s.Mark != 0 && (slices.Contains(scope.Marks, s.Mark) || m.marks[s.Key()]) {
				out = append(out, s)
			}
		}
		return out
	}
	before := list()
	foreign := func(s lvs.Service) bool {
		_, there := m.table[s.Key()]
		return s.Mark != 0 && there && !slices.ContainsFunc(before, func(o lvs.Service) bool { return o.Key() == s.Key() })
	}
	for _, s := range ok {
		if foreign(s) {
			refused[s.Key()] = fmt.Errorf("service %v: another program has it", s.Key())
		}
	}
	ok = slices.DeleteFunc(ok, foreign)
	m.marks = map[lvs.Key]bool{}
	for _, s := range ok {
		m.marks[s.Key()] = true
	}
	changes := lvs.Diff(before, ok)
	for _, c := range changes {
		m.apply(c)
	}
	m.changes = append(m.changes, changes...)
	var have []lvs.Observed
	for _, s := range list() {
		have = append(have, lvs.Observed{Service: s})
	}
	status := lvs.Compare(m.Capabilities(), want, have, refused)
	status.Report(changes)
	return status, status.Err()
}

// Taken are those of the firewall marks by which there is a service that the last Reconcile has not wanted.
func (m *Model) Taken(marks []uint32) (out []uint32, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.table {
		if k.Mark != 0 && slices.Contains(marks, k.Mark) && !m.marks[k] {
			out = append(out, k.Mark)
		}
	}
	return out, nil
}

// Forget makes the model know nothing of what it has made, as another process would.
func (m *Model) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks = nil
}

// Put writes a service past the plane, as another program would; Delete removes one.
func (m *Model) Put(s lvs.Service) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(lvs.Canonical([]lvs.Service{s})[0])
}

// Carry carries out one change past the plane.
func (m *Model) Carry(c lvs.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apply(c)
}

// Delete removes a service past the plane.
func (m *Model) Delete(k lvs.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.table, k)
}

// Table is everything that the model kernel holds.
func (m *Model) Table() (out []lvs.Service) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.table {
		out = append(out, s)
	}
	return lvs.Canonical(out)
}

// Changes are those that Reconcile has carried out since the last call.
func (m *Model) Changes() []lvs.Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.changes
	m.changes = nil
	return out
}

func (m *Model) put(s lvs.Service) {
	if m.table == nil {
		m.table = make(map[lvs.Key]lvs.Service)
	}
	m.table[s.Key()] = s
}

func (m *Model) apply(c lvs.Change) {
	k := c.Service.Key()
	s, exists := m.table[k]
	if c.Op == lvs.RemoveService {
		delete(m.table, k)
		return
	}
	if exists == (c.Op == lvs.AddService) {
		panic("model kernel: " + c.String() + " of a table with:\n" + lvs.Text([]lvs.Service{s})) // EEXIST, ENOENT
	}
	d := s.Destinations
	s = c.Service
	s.Destinations = make([]lvs.Destination, 0, len(d)+1)
	for _, x := range d {
		if x.Addr != c.Destination.Addr {
			s.Destinations = append(s.Destinations, x)
		}
	}
	if c.Op == lvs.AddDestination || c.Op == lvs.EditDestination {
		s.Destinations = append(s.Destinations, c.Destination)
	}
	m.put(lvs.Canonical([]lvs.Service{s})[0])
}
