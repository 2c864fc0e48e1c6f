package marker

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"quorate/lvs"
	"quorate/lvs/nft"
)

// kernel is what marks packets and takes in routed addresses.
type kernel interface {
	marks() ([]nft.Mark, error)
	setMarks(want []nft.Mark) (have []nft.Mark, changed int, err error)
	routes() ([]netip.Prefix, error)
	addRoute(netip.Prefix) error
	removeRoute(netip.Prefix) error
	connected() ([]netip.Prefix, error)
}

// Plane is a plane that does services with matches, around one that does services by firewall mark.
type Plane struct {
	lvs.Plane // the inner one
	caps      lvs.Capabilities
	kernel    kernel

	mu sync.Mutex // guards what follows; held while the kernel is changed
	// left are the services with matches as the last call has left them; none are known before the first one, and after an error.
	left  []lvs.Service
	known bool
}

// Wrap makes a plane that also does services with matches, where this kernel can, in the network namespace of the calling thread: its Capabilities have Ports and
// Addresses. It takes inner over.
func Wrap(inner lvs.Plane) *Plane { return wrap(inner, linux{}, nft.ProbeMarks()) }

func wrap(inner lvs.Plane, k kernel, without error) *Plane {
	return &Plane{Plane: inner, kernel: k, caps: inner.Capabilities().WithMatches(without)}
}

// Capabilities implements lvs.Plane.
func (p *Plane) Capabilities() lvs.Capabilities { return p.caps }

// Bare is the inner plane. The marks are the same for every plane, so whoever empties one of two empties the bare one.
func (p *Plane) Bare() lvs.Plane { return p.Plane }

// Taken are those of the firewall marks by which there is a service that the inner plane has not made; none where every service that it can have is its own.
func (p *Plane) Taken(marks []uint32) ([]uint32, error) {
	if t, ok := p.Plane.(interface {
		Taken([]uint32) ([]uint32, error)
	}); ok {
		return t.Taken(marks)
	}
	return nil, nil
}

// Differs is what the inner plane sees at a glance, which is not the marks; false, false where it has none.
func (p *Plane) Differs() (differs, known bool) {
	if g, ok := p.Plane.(interface {
		Differs() (differs, known bool)
	}); ok {
		return g.Differs()
	}
	return false, false
}

// Update implements lvs.Plane.
func (p *Plane) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok, refused := p.accept(want)
	if p.known && len(refused) == 0 && slices.EqualFunc(withMatches(ok), p.left, sameMatches) {
		return p.Plane.Update(scope, plain(ok))
	}
	status, err := p.reconcile(scope, want)
	return status.Changed, err
}

// Reconcile implements lvs.Plane.
func (p *Plane) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reconcile(scope, want)
}

// accept splits what can be done from the reasons why the rest cannot. Where nothing has matches, which is the most frequent case and may be a large table, that is left to the
// inner plane.
func (p *Plane) accept(want []lvs.Service) ([]lvs.Service, map[lvs.Key]error) {
	if !slices.ContainsFunc(want, hasMatches) {
		return want, map[lvs.Key]error{}
	}
	return p.caps.Accept(want)
}

func hasMatches(s lvs.Service) bool { return len(s.Matches) > 0 }

func (p *Plane) reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	ok, errs := p.accept(want)
	t := &turn{Plane: p, scope: scope, want: lvs.Canonical(want), errs: errs}
	ok, unlisted := t.refuse(ok)
	err := errors.Join(unlisted, t.run(ok))
	st := t.status()
	if st.Err() == nil {
		err = errors.Join(err, t.failed) // of what nobody wants any more
	}
	p.known = err == nil && st.Err() == nil
	if p.left = nil; p.known {
		p.left = withMatches(ok)
	}
	return st, errors.Join(st.Err(), err)
}

// turn is one Reconcile.
type turn struct {
	*Plane
	scope lvs.Scope
	want  []lvs.Service
	errs  map[lvs.Key]error

	inner   lvs.Status
	changed int      // by the turn, beside what inner says
	changes []string // of them
	marks   []nft.Mark
	routes  []netip.Prefix
	failed  error // that the marks or routes are not as they should be
}

// run makes the services and their marks, in the order that the package says.
func (t *turn) run(ok []lvs.Service) (err error) {
	going := t.going(ok)
	if len(going) > 0 {
		n, uerr := t.Plane.Plane.Update(t.scope, slices.Concat(plain(ok), plain(going)))
		t.changed, err = t.changed+n, uerr
	} else if !t.known {
		t.unmark(ok)
	}
	if len(going) == 0 || err != nil {
		if err = t.balance(ok); err != nil && len(t.inner.Services) == 0 {
			return err // the plane could not look: neither what it has is known, nor what may be marked
		}
	}
	t.mark(slices.DeleteFunc(slices.Clone(ok), func(s lvs.Service) bool { return t.lacks(s.Key()) }))
	if len(going) > 0 {
		err = t.balance(ok)
	}
	return err
}

// going are the services with matches that there were until now.
func (t *turn) going(ok []lvs.Service) (out []lvs.Service) {
	wanted := keysOf(ok)
	for _, s := range t.left {
		if !wanted[s.Key()] {
			out = append(out, s)
		}
	}
	return out
}

// balance has the inner plane do what it does.
func (t *turn) balance(ok []lvs.Service) (err error) {
	if c, counts := t.Plane.Plane.(interface{ Takes([]lvs.Service) }); counts {
		c.Takes(withMatches(ok))
	}
	t.inner, err = t.Plane.Plane.Reconcile(t.scope, plain(ok))
	t.changed, t.changes = t.changed+t.inner.Changed, append(t.changes, t.inner.Changes...)
	return err
}

// lacks reports whether the inner plane does not have the service, and so must not get packets by its mark.
func (t *turn) lacks(k lvs.Key) bool {
	i, found := slices.BinarySearchFunc(t.inner.Services, k, func(s lvs.ServiceStatus, k lvs.Key) int { return s.Key.Compare(k) })
	return len(t.inner.Services) > 0 && (!found || t.inner.Services[i].Have == nil)
}

// unmark takes the marks away of which nobody wants the service: those of an agent before.
func (t *turn) unmark(ok []lvs.Service) {
	wanted := keysOf(ok)
	have, err := t.kernel.marks()
	keep := slices.DeleteFunc(slices.Clone(have), func(m nft.Mark) bool {
		return !wanted[keyOf(m)]
	})
	if err == nil && len(keep) < len(have) {
		_, n, serr := t.kernel.setMarks(keep)
		t.note(n, "firewall marks")
		err = serr
	}
	t.failed = err // tried again when all marks are set
}

// mark makes the marks and the routes those of the services. Addresses are taken in before they are marked, and let go after.
func (t *turn) mark(ok []lvs.Service) {
	var err error
	if t.failed = nil; !t.caps.Ports && len(withMatches(ok)) == 0 {
		return // and what there is can be none of ours
	}
	want := routedPrefixes(ok)
	if t.routes, err = t.kernel.routes(); err != nil {
		t.failed = err
	}
	had := t.routes
	t.add(want, had)
	marks, n, err := t.kernel.setMarks(marksOf(ok))
	t.marks = marks
	t.note(n, "firewall marks")
	t.failed = errors.Join(t.failed, err)
	for _, p := range had {
		if !slices.Contains(want, p) {
			t.route("remove local route %v", p, t.kernel.removeRoute)
		}
	}
	if t.routes, err = t.kernel.routes(); err != nil {
		t.failed = errors.Join(t.failed, err)
	}
}

func (t *turn) add(want, have []netip.Prefix) {
	for _, p := range want {
		if _, there := slices.BinarySearchFunc(have, p, netip.Prefix.Compare); !there {
			t.route("add local route %v", p, t.kernel.addRoute)
		}
	}
}

func (t *turn) route(what string, p netip.Prefix, do func(netip.Prefix) error) {
	what = fmt.Sprintf(what, p)
	if err := do(p); err != nil {
		t.failed = errors.Join(t.failed, fmt.Errorf("%s: %w", what, err))
		return
	}
	t.changed, t.changes = t.changed+1, append(t.changes, what)
}

func (t *turn) note(n int, what string) {
	if n > 0 {
		t.changed, t.changes = t.changed+n, append(t.changes, fmt.Sprintf("%d changes of the %s", n, what))
	}
}

// refuse leaves services out of ok whose routed addresses cannot be taken in, because they are in a subnet of this host: see the package. Where its subnets
// cannot be listed, services go on.
func (t *turn) refuse(ok []lvs.Service) ([]lvs.Service, error) {
	if !slices.ContainsFunc(ok, func(s lvs.Service) bool { return slices.ContainsFunc(s.Matches, isRouted) }) {
		return ok, nil
	}
	subnets, err := t.kernel.connected()
	return slices.DeleteFunc(slices.Clone(ok), func(s lvs.Service) bool {
		i := slices.IndexFunc(s.Matches, func(m lvs.Match) bool {
			return isRouted(m) && slices.ContainsFunc(subnets, func(n netip.Prefix) bool { return meets(m, n) })
		})
		if i >= 0 {
			t.errs[s.Key()] = fmt.Errorf("service %v: match %v is in a subnet of this host, whose neighbours ask each other for it and not a router: make VIPs of those addresses",
				s.Key(), s.Matches[i])
		}
		return i >= 0
	}), err
}

func isRouted(m lvs.Match) bool { return m.Routed }

func meets(m lvs.Match, n netip.Prefix) bool {
	return m.First.BitLen() == n.Addr().BitLen() && m.First.Compare(end(n)) <= 0 && n.Addr().Compare(m.Last) <= 0
}

func withMatches(services []lvs.Service) (out []lvs.Service) {
	for _, s := range services {
		if hasMatches(s) {
			out = append(out, s)
		}
	}
	return out
}

// keyOf is that of the service that the mark is for.
func keyOf(m nft.Mark) lvs.Key { return lvs.Service{Mark: m.Mark, Addr: m.First}.Key() }

func keysOf(services []lvs.Service) map[lvs.Key]bool {
	out := make(map[lvs.Key]bool, len(services))
	for _, s := range services {
		out[s.Key()] = true
	}
	return out
}

func sameMatches(a, b lvs.Service) bool {
	return a.Key() == b.Key() && slices.Equal(a.Matches, b.Matches)
}

// plain are the services as the inner plane knows them.
func plain(services []lvs.Service) []lvs.Service {
	out := slices.Clone(services)
	for i := range out {
		out[i].Matches = nil
	}
	return out
}

func marksOf(services []lvs.Service) (out []nft.Mark) {
	for _, s := range services {
		for _, m := range s.Matches {
			m.Routed = false
			out = append(out, nft.Mark{Match: m, Mark: s.Mark})
		}
	}
	return out
}
