package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// model is a kernel with memory: addresses live on links, run out, go with their links, and can be taken away by others.
// It keeps time by the time package, so that it runs in virtual time.
type model struct {
	mu       sync.Mutex
	links    map[string]*Link
	addrs    map[modelKey]*modelAddr
	watchers map[int]func()
	nextID   int
	deaf     bool                 // notifications are lost
	refuse   map[netip.Addr]error // Put fails
	stuck    map[netip.Addr]error // Remove fails
	unlisted error                // List fails
	unmade   error                // MakeVirtual fails
	parents  map[string]string    // of links with a virtual MAC
	cascade  bool                 // promote_secondaries off: our first address takes our others of its subnet along
	puts     int
	lists    int
}

// modelKey: the kernel has an IPv6 address once per link, an IPv4 address once per prefix length and link.
type modelKey struct {
	link string
	addr netip.Addr
	bits int // 0 for IPv6
}

type modelAddr struct {
	Address
	seq   int
	ends  time.Time // zero: never
	timer *time.Timer
}

func newModel(links ...string) *model {
	m := &model{links: map[string]*Link{}, parents: map[string]string{}, addrs: map[modelKey]*modelAddr{}, watchers: map[int]func(){},
		refuse: map[netip.Addr]error{}, stuck: map[netip.Addr]error{}}
	for i, l := range links {
		m.links[l] = &Link{Name: l, Index: i + 1, MAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)}, Up: true, Carrier: true}
	}
	return m
}

func modelKeyOf(p netip.Prefix, link string) modelKey {
	if p.Addr().Is6() {
		return modelKey{link, p.Addr(), 0}
	}
	return modelKey{link, p.Addr(), p.Bits()}
}

// changed wakes the watchers, outside the lock as a kernel would.
func (m *model) changed() {
	if m.deaf {
		return
	}
	for _, w := range m.watchers {
		w()
	}
}

func (m *model) List() ([]Address, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lists++
	if m.unlisted != nil {
		return nil, m.unlisted
	}
	var have []Address
	for _, a := range m.addrs {
		x := a.Address
		x.ValidFor = Forever
		if !a.ends.IsZero() {
			x.ValidFor = wholeSeconds(time.Until(a.ends))
		}
		have = append(have, x)
	}
	return have, nil
}

func (m *model) Survey() ([]Address, []Link, error) {
	have, err := m.List()
	if err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var links []Link
	for _, l := range m.links {
		links = append(links, *l)
	}
	return have, links, nil
}

func (m *model) MakeVirtual(v Virtual, up bool) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.links[v.Parent]
	switch {
	case m.unmade != nil:
		return false, m.unmade
	case p == nil:
		return false, fmt.Errorf("%w: %s", ErrNoLink, v.Parent)
	case !p.Up:
		return false, fmt.Errorf("%w: %s", ErrLinkDown, v.Parent)
	}
	l := m.links[v.Name()]
	if l == nil {
		l = &Link{Name: v.Name(), Index: 1000 + m.nextID, MAC: v.MAC(), Virtual: true}
		m.nextID++
		m.links[v.Name()] = l
	} else if l.Up == up {
		return false, nil
	}
	l.Up, l.Carrier = up, up && p.Carrier
	for _, a := range m.addrs {
		if !up && a.Link == l.Name && a.Prefix.Addr().Is6() {
			m.drop(a)
		}
	}
	m.parents[v.Name()] = v.Parent
	m.changed()
	return true, nil
}

func (m *model) RemoveVirtual(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.links[name] == nil || !m.links[name].Virtual {
		return nil
	}
	m.gone(name)
	m.changed()
	return nil
}

// gone takes a link away with what is on it and over it.
func (m *model) gone(name string) {
	delete(m.links, name)
	for _, a := range m.addrs {
		if a.Link == name {
			m.drop(a)
		}
	}
	for over, parent := range m.parents {
		if parent == name && m.links[over] != nil {
			m.gone(over)
		}
	}
}

func (m *model) Put(w Wanted) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	l := m.links[w.Link]
	switch {
	case l == nil:
		return fmt.Errorf("%w: %s", ErrNoLink, w.Link)
	case !l.Up && w.Prefix.Addr().Is6():
		return fmt.Errorf("%w: %s", ErrLinkDown, w.Link)
	case m.refuse[w.Prefix.Addr()] != nil:
		return m.refuse[w.Prefix.Addr()]
	}
	a := m.put(w.Prefix, w.Link)
	a.Ours = true
	m.endsIn(a, wholeSeconds(w.Lifetime))
	m.changed()
	return nil
}

// put finds or makes an entry. An IPv6 entry keeps the prefix length that it has.
func (m *model) put(p netip.Prefix, link string) *modelAddr {
	k := modelKeyOf(p, link)
	a := m.addrs[k]
	if a == nil {
		m.nextID++
		a = &modelAddr{Address: Address{Prefix: p, Link: link}, seq: m.nextID}
		m.addrs[k] = a
	}
	return a
}

func (m *model) endsIn(a *modelAddr, d time.Duration) {
	if a.timer != nil {
		a.timer.Stop()
	}
	ends := time.Now().Add(d)
	a.ends = ends
	a.timer = time.AfterFunc(d, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if a.ends.Equal(ends) {
			m.drop(a)
		}
	})
}

func (m *model) drop(a *modelAddr) {
	k := modelKeyOf(a.Prefix, a.Link)
	if m.addrs[k] != a {
		return
	}
	delete(m.addrs, k)
	if a.timer != nil {
		a.timer.Stop()
		a.ends = time.Time{}
	}
	m.changed()
}

func (m *model) Remove(x Address) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stuck[x.Prefix.Addr()]; err != nil {
		return err
	}
	a := m.addrs[modelKeyOf(x.Prefix, x.Link)]
	if a == nil {
		return nil
	}
	if !a.Ours {
		panic("the actuator removes a foreign address: " + x.Prefix.String())
	}
	m.drop(a)
	if m.cascade && a.Prefix.Addr().Is4() {
		for _, b := range m.addrs {
			if b.Ours && b.seq > a.seq && b.Link == a.Link && b.Prefix.Masked() == a.Prefix.Masked() {
				m.drop(b)
			}
		}
	}
	return nil
}

func (m *model) Watch(ctx context.Context, wake func()) error {
	m.mu.Lock()
	m.nextID++
	id := m.nextID
	m.watchers[id] = wake
	m.mu.Unlock()
	wake()
	<-ctx.Done()
	m.mu.Lock()
	delete(m.watchers, id)
	m.mu.Unlock()
	return nil
}

// set changes the model's fields under its lock.
func (m *model) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// size is the number of addresses there.
func (m *model) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.addrs)
}

// has says whether an address is there.
func (m *model) has(p netip.Prefix, link string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.addrs[modelKeyOf(p, link)] != nil
}

// What other programs and the world do.

func (m *model) otherAdds(p netip.Prefix, link string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.links[link] == nil || m.addrs[modelKeyOf(p, link)] != nil {
		return errors.New("cannot be added")
	}
	m.put(p, link)
	m.changed()
	return nil
}

func (m *model) otherRemoves(p netip.Prefix, link string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.addrs[modelKeyOf(p, link)]; a != nil {
		m.drop(a)
	}
	return nil
}

// otherChanges takes mark and lifetime off an address, as `ip address change` does.
func (m *model) otherChanges(p netip.Prefix, link string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.addrs[modelKeyOf(p, link)]
	if a == nil {
		return errors.New("not there")
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	a.Ours, a.ends = false, time.Time{}
	m.changed()
	return nil
}

func (m *model) setLink(name string, up, carrier bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.links[name]
	if l == nil {
		return errors.New("no such link")
	}
	l.Up, l.Carrier = up, up && carrier
	for over, parent := range m.parents {
		if o := m.links[over]; parent == name && o != nil {
			o.Carrier = o.Up && l.Carrier
		}
	}
	for _, a := range m.addrs {
		if !up && a.Link == name && a.Prefix.Addr().Is6() {
			m.drop(a)
		}
	}
	m.changed()
	return nil
}

func (m *model) unplug(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone(name)
	m.changed()
}

func (m *model) plug(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nextID++
	m.links[name] = &Link{Name: name, Index: m.nextID, MAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(m.nextID)}, Up: true, Carrier: true}
	m.changed()
}

// table is a kernel's list as text, one address a line, sorted; lifetimes left out.
func table(have []Address) string {
	slices.SortFunc(have, compareAddresses)
	var b strings.Builder
	for _, a := range have {
		who := "foreign"
		if a.Ours {
			who = "ours"
		}
		fmt.Fprintf(&b, "%s %s %s\n", a.Link, a.Prefix, who)
	}
	return b.String()
}

// horn is an announcer that remembers.
type horn struct {
	mu    sync.Mutex
	start time.Time
	heard []string
	fail  error
}

func newHorn() *horn { return &horn{start: time.Now()} }

func (h *horn) Announce(link string, addr netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return h.fail
	}
	h.heard = append(h.heard, fmt.Sprintf("%v %s %s", time.Since(h.start), link, addr))
	return nil
}

func (h *horn) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.heard
	h.heard = nil
	return x
}
