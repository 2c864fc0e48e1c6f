package lvstest

import (
	"net/netip"
	"sync"

	"quorate/lvs"
)

// Model is a plane whose kernel is a table in memory. The zero value is an empty kernel that can do everything.
type Model struct {
	mu    sync.Mutex
	table map[lvs.Key]lvs.Service
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
		Schedulers: []string{"rr", "wrr", "lc", "wlc", "sh"}, Protocols: []string{lvs.TCP, lvs.UDP}, Masquerade: true,
	}
}

// Close implements lvs.Plane.
func (m *Model) Close() error { return nil }

// Reconcile implements lvs.Plane.
func (m *Model) Reconcile(managed []netip.Addr, want []lvs.Service) (lvs.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ok, refused := m.Capabilities().Accept(want)
	ours := make(map[netip.Addr]bool)
	for _, a := range managed {
		ours[a.Unmap()] = true
	}
	for _, s := range ok {
		ours[s.Addr] = true
	}
	list := func() (out []lvs.Service) {
		for _, s := range m.table {
			if ours[s.Addr] {
				out = append(out, s)
			}
		}
		return out
	}
	changes := lvs.Diff(list(), ok)
	for _, c := range changes {
		m.apply(c)
	}
	m.changes = append(m.changes, changes...)
	var have []lvs.Observed
	for _, s := range list() {
		have = append(have, lvs.Observed{Service: s})
	}
	status := lvs.Compare(m.Capabilities(), want, have, refused)
	status.Changed = len(changes)
	return status, status.Err()
}

// Put writes a service past the plane, as another program would; Delete removes one.
func (m *Model) Put(s lvs.Service) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(lvs.Canonical([]lvs.Service{s})[0])
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
