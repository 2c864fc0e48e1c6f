package vip

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// walker drives an actuator on a model through random calls of the caller and deeds of others, and knows which
// foreign addresses have to be there.
type walker struct {
	*rapid.T
	m       *model
	door    *door
	a       *Actuator
	want    []Wanted          // the caller's last word
	foreign map[modelKey]bool // that must not be touched
}

var (
	walkAddrs = []netip.Prefix{
		prefix("192.0.2.10/24"), prefix("192.0.2.11/24"), prefix("192.0.2.11/32"), prefix("198.51.100.10/24"),
		prefix("2001:db8::10/64"), prefix("2001:db8::11/64"), prefix("2001:db8::11/128"),
	}
	walkLinks = []string{"eth0", "eth1"}
)

func (w *walker) prefix() netip.Prefix { return rapid.SampledFrom(walkAddrs).Draw(w.T, "prefix") }
func (w *walker) link() string         { return rapid.SampledFrom(walkLinks).Draw(w.T, "link") }

// isWanted says whether the caller wants what foreign address k is, to stay; that one is taken over.
func (w *walker) isWanted(k modelKey) bool {
	return slices.ContainsFunc(carried(w.want), func(x Wanted) bool { return modelKeyOf(x.Prefix, x.Link) == k && !x.lingers() })
}

// mayStay says whether the caller's word lets k stay, for a while at least.
func (w *walker) mayStay(k modelKey) bool {
	return slices.ContainsFunc(carried(w.want), func(x Wanted) bool { return modelKeyOf(x.Prefix, x.Link) == k })
}

// say is a call of Reconcile or Clear.
func (w *walker) say(want []Wanted, clear bool) {
	w.want = want
	for k := range w.foreign {
		if w.isWanted(k) {
			delete(w.foreign, k)
		}
	}
	var s Status
	if clear {
		s = w.a.Clear()
	} else {
		s = w.a.Reconcile(want)
	}
	w.quiet(s)
	// Whatever fails, and as long as the kernel lets go: nothing of ours that is not wanted is left after the call.
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for k, x := range w.m.addrs {
		if x.Ours && !w.mayStay(k) && w.m.stuck[k.addr] == nil && w.m.unlisted == nil {
			w.Fatalf("%s on %s is ours, not wanted, and still there", x.Prefix, x.Link)
		}
	}
}

// quiet: what may be confirmed as given up is claimed by nobody on this host.
func (w *walker) quiet(s Status) {
	for _, p := range walkAddrs {
		addr := p.Addr()
		if !s.Silent(addr) || s.Absent(addr) {
			continue
		}
		if e := w.door.entry(addr.String()); e.ARP || e.Epoch != 0 && e.IPUntil == 0 {
			w.Fatalf("%s is said to be silent, and its entry is %+v", addr, e)
		}
		have, _ := w.m.List()
		for _, h := range have {
			if h.Prefix.Addr() == addr && (!h.Ours || !w.door.carries(h.Link)) {
				w.Fatalf("%s is said to be silent, and there is %+v", addr, h)
			}
		}
	}
}

func (w *walker) actions() map[string]func(*rapid.T) {
	each := func(f func()) func(*rapid.T) {
		return func(t *rapid.T) { w.T = t; f(); synctest.Wait() }
	}
	return map[string]func(*rapid.T){
		"reconcile": each(func() {
			var want []Wanted
			for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(walkAddrs), 0, 5, netip.Prefix.Addr).Draw(w.T, "want") {
				life := time.Duration(rapid.IntRange(500, 6000).Draw(w.T, "life")) * time.Millisecond
				x := Wanted{Prefix: p, Link: w.link(), Lifetime: life, Epoch: 7, VRID: rapid.SampledFrom([]uint8{0, 51, 52}).Draw(w.T, "vrid")}
				if rapid.Bool().Draw(w.T, "linger") {
					x.IPUntil = time.Hour
				}
				want = append(want, x)
			}
			w.say(want, false)
		}),
		"clear": each(func() { w.say(nil, true) }),
		"keep":  each(func() { w.a.Keep() }),
		"pause": each(func() {
			time.Sleep(time.Duration(rapid.IntRange(1, 3000).Draw(w.T, "ms")) * time.Millisecond)
		}),
		"other adds": each(func() {
			p, l := w.prefix(), w.link()
			if w.m.otherAdds(p, l) == nil && !w.isWanted(modelKeyOf(p, l)) {
				w.foreign[modelKeyOf(p, l)] = true
			}
		}),
		"other removes": each(func() {
			p, l := w.prefix(), w.link()
			delete(w.foreign, modelKeyOf(p, l))
			must2(w.T, w.m.otherRemoves(p, l))
		}),
		"other changes": each(func() {
			// The mark is lost: wanted, it comes back; not wanted, it is foreign from here on.
			p, l := w.prefix(), w.link()
			if w.m.otherChanges(p, l) == nil && !w.isWanted(modelKeyOf(p, l)) {
				w.foreign[modelKeyOf(p, l)] = true
			}
		}),
		"link down": each(func() { l := w.link(); w.m.setLink(l, false, false); w.forget(l) }),
		"link up":   each(func() { w.m.setLink(w.link(), true, rapid.Bool().Draw(w.T, "carrier")) }),
		"unplug":    each(func() { l := w.link(); w.m.unplug(l); w.forget(l) }),
		"plug": each(func() {
			if l := w.link(); w.m.links[l] == nil {
				w.m.plug(l)
			}
		}),
		"prepare": each(func() {
			var list []Virtual
			for _, vrid := range rapid.SliceOfNDistinct(rapid.SampledFrom([]uint8{51, 52, 53}), 0, 3, rapid.ID).Draw(w.T, "prepare") {
				list = append(list, Virtual{Parent: w.link(), VRID: vrid, IPv6: rapid.Bool().Draw(w.T, "six")})
			}
			w.a.Prepare(list)
		}),
		"other unplugs": each(func() {
			for name, l := range w.m.links {
				if l.Virtual {
					w.m.unplug(name)
					return
				}
			}
		}),
		"unmade":   each(func() { w.m.set(func() { w.m.unmade = errors.New("unmade") }) }),
		"refuse":   each(func() { w.m.set(func() { w.m.refuse[w.prefix().Addr()] = errors.New("refused") }) }),
		"stick":    each(func() { w.m.set(func() { w.m.stuck[w.prefix().Addr()] = errors.New("stuck") }) }),
		"unlisted": each(func() { w.m.set(func() { w.m.unlisted = errors.New("unlisted") }) }),
		"deaf":     each(func() { w.m.set(func() { w.m.deaf = true }) }),
		"cascade":  each(func() { w.m.set(func() { w.m.cascade = true }) }),
		"gate gone": each(func() {
			l := w.link()
			w.door.with(func() { w.door.carried[l], w.door.broken[l] = false, errors.New("no room") })
		}),
		"gate fails": each(func() { w.door.with(func() { w.door.fail = errors.New("no memory") }) }),
		"heal":       each(w.heal),
		"":           each(w.check),
	}
}

func (w *walker) heal() {
	w.door.with(func() { clear(w.door.broken); w.door.fail = nil })
	w.m.set(func() {
		clear(w.m.refuse)
		clear(w.m.stuck)
		w.m.unlisted, w.m.unmade, w.m.deaf = nil, nil, false
	})
}

// forget drops the foreign addresses that the kernel took with a link.
func (w *walker) forget(link string) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for k := range w.foreign {
		if k.link == link && w.m.addrs[k] == nil {
			delete(w.foreign, k)
		}
	}
}

// overlays is how many links with a virtual MAC there are.
func (w *walker) overlays() (n int) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for _, l := range w.m.links {
		if l.Virtual {
			n++
		}
	}
	return n
}

// check is what must hold at any time.
func (w *walker) check() {
	if f := w.door.fault(); f != "" {
		w.Fatal(f)
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for k := range w.foreign {
		if x := w.m.addrs[k]; x == nil || x.Ours || !x.ends.IsZero() {
			w.Fatalf("foreign address %v was touched: %+v", k, x)
		}
	}
	for k, x := range w.m.addrs {
		if x.Ours && time.Until(x.ends) > 6*time.Second {
			w.Fatalf("%v is ours and lasts until %v from now", k, time.Until(x.ends))
		}
	}
}

// must2 is must inside a property.
func must2(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// atOnce is a door for many addresses at once.
type atOnce struct{ *door }

func (d atOnce) PutAll(list []Wanted) (errs []error) {
	for _, w := range list {
		errs = append(errs, d.Put(w))
	}
	return errs
}

func (d atOnce) RemoveAll(list []Address) (errs []error) {
	for _, x := range list {
		errs = append(errs, d.Remove(x))
	}
	return errs
}

// TestRandomWalk: whatever happens, foreign addresses are not touched; once it stops, what is wanted is there; once the
// caller stops, nothing of ours is.
func TestRandomWalk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newModel(walkLinks...)
			w := &walker{T: rt, m: m, door: newDoor(m), foreign: map[modelKey]bool{}}
			var k Kernel = w.door
			if rapid.Bool().Draw(rt, "many at once") {
				k = atOnce{w.door}
			}
			w.a = New(Options{Kernel: k, Announcer: w.door, Gate: gateOf{w.door}, Log: slog.New(slog.DiscardHandler)})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go w.a.Run(ctx)
			rt.Repeat(w.actions())
			w.T = rt

			w.heal()
			for _, l := range walkLinks {
				if m.links[l] == nil {
					m.plug(l)
				}
				m.setLink(l, true, true)
			}
			var want []Wanted
			for i, p := range walkAddrs {
				if p.Bits() != 32 && p.Bits() != 128 {
					want = append(want, Wanted{Prefix: p, Link: walkLinks[i%2], Lifetime: 5 * time.Second, Epoch: 8, VRID: uint8(i % 3)})
				}
			}
			w.a.Prepare([]Virtual{{Parent: "eth0", VRID: 77}})
			w.say(want, false)
			for range 30 { // longer than any fight is remembered
				time.Sleep(300 * time.Millisecond)
				if !w.a.Keep() {
					rt.Fatal("lapsed while kept")
				}
			}
			synctest.Wait()
			w.check()
			for _, x := range w.a.Status().Addresses {
				if x.Wanted && (x.Err != nil || !x.Actual) {
					rt.Fatalf("not converged: %+v", x)
				}
			}
			var ours []string
			have, _ := m.List()
			for line := range strings.Lines(table(have)) {
				if strings.HasSuffix(line, "ours\n") {
					ours = append(ours, line)
				}
			}
			if len(ours) != len(want) {
				rt.Fatalf("ours: %q, want %d addresses", ours, len(want))
			}

			if over := w.overlays(); over != 4 {
				rt.Fatalf("%d links with a virtual MAC", over)
			}
			time.Sleep(5*time.Second + time.Millisecond)
			synctest.Wait()
			w.check()
			if ready := m.links[Virtual{Parent: "eth0", VRID: 77}.Name()]; w.overlays() != 1 || ready.Up {
				rt.Fatalf("the caller is silent, and there are still %d links with a virtual MAC", w.overlays())
			}
			have, _ = m.List()
			if text := table(have); strings.Contains(text, "ours") {
				rt.Fatalf("the caller is silent, and there is still:\n%s", text)
			}
		})
	})
}
