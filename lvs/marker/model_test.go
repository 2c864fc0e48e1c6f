package marker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/nft"
)

// model is a kernel in memory that can be made to fail, and checks at each change that no mark is set for a service that is not there.
type model struct {
	lvs    *lvstest.Model
	set    []nft.Mark
	taken  []netip.Prefix
	subnet []netip.Prefix
	fail   func() error // asked before each call
	bad    []string     // what must never be
	log    []string
}

func newModel() *model {
	m := &model{lvs: &lvstest.Model{}}
	caps := m.lvs.Capabilities()
	caps.Ports, caps.Addresses = false, false
	m.lvs.Limit(caps)
	return m
}

func (m *model) failing() error {
	if m.fail == nil {
		return nil
	}
	return m.fail()
}

func (m *model) marks() ([]nft.Mark, error) { return m.set, m.failing() }

func (m *model) setMarks(want []nft.Mark) ([]nft.Mark, int, error) {
	if err := m.failing(); err != nil {
		return m.set, 0, err
	}
	want = slices.SortedFunc(slices.Values(want), func(a, b nft.Mark) int { return a.Compare(b.Match) })
	n := 0
	if !slices.Equal(m.set, want) {
		n, m.set = 1, want
		m.log = append(m.log, fmt.Sprintf("marks %v", want))
	}
	m.check()
	return want, n, nil
}

func (m *model) routes() ([]netip.Prefix, error) { return m.taken, m.failing() }

func (m *model) addRoute(p netip.Prefix) error {
	if err := m.failing(); err != nil {
		return err
	}
	if slices.Contains(m.taken, p) {
		m.bad = append(m.bad, fmt.Sprintf("route %v added twice", p))
	}
	m.taken = slices.SortedFunc(slices.Values(append(slices.Clone(m.taken), p)), netip.Prefix.Compare)
	return nil
}

func (m *model) removeRoute(p netip.Prefix) error {
	if err := m.failing(); err != nil {
		return err
	}
	m.taken = slices.DeleteFunc(slices.Clone(m.taken), func(q netip.Prefix) bool { return p == q })
	return nil
}

func (m *model) connected() ([]netip.Prefix, error) { return m.subnet, m.failing() }

// check takes note of what must not be where nothing fails: with what does the rest goes on, and a mark may stay that nobody has a service for.
func (m *model) check() {
	if m.fail != nil {
		return
	}
	for _, x := range m.set {
		k := lvs.Service{Mark: x.Mark, Addr: x.First}.Key()
		if !slices.ContainsFunc(m.lvs.Table(), func(s lvs.Service) bool { return s.Key() == k }) {
			m.bad = append(m.bad, fmt.Sprintf("%v is marked, and nobody has service %v", x.Match, k))
		}
	}
}

// watched is the inner plane, whose every call is followed by the check.
type watched struct {
	*lvstest.Model
	m *model
}

func (w watched) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	st, err := w.Model.Reconcile(scope, want)
	w.log()
	return st, err
}

func (w watched) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	n, err := w.Model.Update(scope, want)
	w.log()
	return n, err
}

func (w watched) log() {
	for _, c := range w.Changes() {
		w.m.log = append(w.m.log, c.String())
	}
	w.m.check()
}

func (m *model) plane() *Plane { return wrap(watched{m.lvs, m}, m, nil) }

// holds are the services with matches that the model has.
func (m *model) holds() string {
	services := m.lvs.Table()
	for i := range services {
		s := &services[i]
		for _, x := range m.set {
			if (lvs.Service{Mark: x.Mark, Addr: x.First}).Key() == s.Key() {
				x.Routed = lvstest.Routed4.Contains(x.First) || lvstest.Routed6.Contains(x.First)
				s.Matches = append(s.Matches, x.Match)
			}
		}
	}
	return lvs.Text(services)
}

func TestContractOnModel(t *testing.T) {
	m := newModel()
	lvstest.Contract(t, lvstest.Subject{
		Plane: m.plane(),
		Tamper: map[string]func(*testing.T){
			"marks gone": func(t *testing.T) {
				if m.set = nil; len(m.lvs.Table()) > 0 {
					m.lvs.Delete(m.lvs.Table()[0].Key()) // whether or not it has matches
				}
			},
			"mark added": func(*testing.T) {
				a := netip.MustParseAddr("203.0.113.1")
				m.set = append(m.set, nft.Mark{Match: lvs.Match{First: a, Last: a, Protocol: lvs.TCP}, Mark: 1})
			},
			"route added": func(*testing.T) { m.taken = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} },
		},
	})
	if len(m.set) > 0 || len(m.taken) > 0 {
		t.Errorf("left %v, %v", m.set, m.taken)
	}
}

// TestRandomWalk goes from any table to any other, by Reconcile and Update in turns, through failures and through new processes that know nothing of what was there. After
// each step the kernel holds what is wanted, or an error says that it does not, and the next step without a failure heals it. At no time a mark is set for a
// service that is not there.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(8) {
		m := newModel()
		p := m.plane()
		r := rand.New(rand.NewPCG(seed, 1))
		want := lvstest.RandomServices(r, p.Capabilities())
		scope := lvstest.Scope
		failures := 0
		for step := range 500 {
			switch r.IntN(6) {
			case 0:
				left := 1 + r.IntN(3)
				m.fail = func() error {
					if left--; left < 0 || r.IntN(2) == 0 {
						return nil
					}
					return errors.New("the kernel says no")
				}
			case 1: // by the ledger the marks are known to be ours
				p = m.plane()
				for mark := range uint32(8) {
					scope.Marks = append(scope.Marks, 8000+mark)
				}
				slices.Sort(scope.Marks)
				scope.Marks = slices.Compact(scope.Marks)
			}
			var err error
			if r.IntN(2) == 0 {
				_, err = p.Update(scope, want)
			} else {
				var st lvs.Status
				st, err = p.Reconcile(scope, want)
				if got := lvs.Text(st.Have()); err == nil && got != lvs.Text(want) {
					t.Fatalf("seed %d, step %d: no error, and the status says\n%swanted\n%s", seed, step, got, lvs.Text(want))
				}
			}
			right := func() bool {
				return m.holds() == lvs.Text(want) && slices.Equal(m.taken, routedPrefixes(lvs.Canonical(want)))
			}
			switch same := right(); {
			case err == nil && !same:
				t.Fatalf("seed %d, step %d: no error, and the kernel has\n%s%v\nwanted\n%s", seed, step, m.holds(), m.taken, lvs.Text(want))
			case err != nil && m.fail == nil:
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			case err != nil:
				failures++
			}
			m.fail = nil
			if err != nil {
				if _, err := p.Update(scope, want); err != nil || !right() {
					t.Fatalf("seed %d, step %d: does not heal: %v; the kernel has\n%s%v\nwanted\n%s", seed, step, err, m.holds(), m.taken, lvs.Text(want))
				}
			}
			if len(m.bad) > 0 {
				t.Fatalf("seed %d, step %d: %s", seed, step, strings.Join(m.bad, "\n")+"\n"+strings.Join(m.log[max(0, len(m.log)-14):], "\n"))
			}
			if want = lvstest.Mutate(r, p.Capabilities(), want); r.IntN(20) == 0 {
				want = lvstest.RandomServices(r, p.Capabilities())
			}
		}
		if failures == 0 {
			t.Errorf("seed %d: nothing has failed", seed)
		}
	}
}
