package agent

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"quorate/agent/speak"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip"
)

// lostVoices hear until a pass has begun.
type lostVoices struct {
	noVoices
	views []speak.View
}

func (l *lostVoices) View(speak.ID) (v speak.View) {
	if len(l.views) > 0 {
		v, l.views = l.views[0], l.views[1:]
	}
	return v
}

// TestSocketsLostWithinAPass: what loses its sockets after a pass has begun is deaf since then, not for ever: what is open stays so for the time that it has in any case, and nobody is
// told that there is nobody.
func TestSocketsLostWithinAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
		r := fsm.LocalRouter{
			Router: fsm.ResolvedRouter{Name: "web", VirtualRouter: fsm.VirtualRouter{VRID: 51, Peers: []netip.Addr{legacyRouter}}.Whole(), VIPs: []fsm.VIP{x}},
			Link:   "eth0", Part: fsm.RouterSpeaks, Owner: "n1",
		}
		s := fsm.New()
		s.Assignments[web] = fsm.Assignment{Key: web, VIP: "web", Owner: "n1", Epoch: 20}
		local := fsm.Local{Routers: []fsm.LocalRouter{r}}
		heard := speak.View{Since: time.Now().Add(-time.Minute)}
		pass := func(sp *speech) (open bool, unsure []string) {
			sp.begin(s, "n1", local.Routers)
			next := lease.Opened{web: 20}
			sp.hold(speechInput{s: s, local: local, now: time.Now(), leased: true, open: lease.Opened{web: 20}}, next)
			_, open = next[web]
			return open, sp.report(s, local, next, nil, vip.Status{}, time.Now()).Unsure
		}
		for _, views := range [][]speak.View{{heard}, {heard, heard}} { // before it is decided what may be open, and before it is reported
			sp := &speech{voices: &lostVoices{views: views}}
			if open, unsure := pass(sp); !open || !slices.Equal(unsure, []string{"web"}) {
				t.Errorf("in the pass: open %t, unsure %v", open, unsure)
			}
			time.Sleep(deafFor(r) - time.Millisecond)
			if open, unsure := pass(sp); !open || !slices.Equal(unsure, []string{"web"}) {
				t.Errorf("while they may be opened again: open %t, unsure %v", open, unsure)
			}
			time.Sleep(time.Millisecond)
			if open, _ := pass(sp); open {
				t.Error("it stays open without sockets")
			}
		}
	})
}

// TestUnsureUntilSaid: however short the interval, a node without sockets does not say that there is nobody before its facts say that it has none.
func TestUnsureUntilSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := opened(t, func(r *fsm.VirtualRouter) { r.Interval = 10 * time.Millisecond })
		v.hear(func(x *speak.View) { *x = speak.View{} })
		time.Sleep(deafLeast + 2*deafLook - time.Millisecond)
		w.expect(t, "without sockets", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24")
		if r := v.reported(); !slices.Equal(r.Unsure, []string{"web"}) {
			t.Errorf("before it is said: %+v", r)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if r := v.reported(); len(r.Unsure) > 0 {
			t.Errorf("a second later: %+v", r)
		}
	})
}

// link takes n1's link away, or gives it back.
func (w *world) link(t *testing.T, there bool) {
	t.Helper()
	f := w.State().Nodes["n1"].Facts
	f.Links = nil
	if there {
		f.Links = []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	}
	w.apply(t, fsm.Command{SetFacts: &fsm.SetFacts{Node: "n1", Store: w.State().Nodes["n1"].Store, Facts: f}})
}

// TestWithoutItsLink: an owner whose link is away for so long that another router may have taken over asks when it is back, and says before that the address is not open, for whoever
// is the owner then. So does one that has never had the link. For a moment, nothing of the kind.
func TestWithoutItsLink(t *testing.T) {
	const other = "02:00:00:00:00:05"
	answers := func(w *world, mac string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.answers[web.Addr] = mac; mac == "" {
			delete(w.answers, web.Addr)
		}
	}
	says := func(t *testing.T, when string, v *worldVoices, want bool) {
		t.Helper()
		if f := v.reported().Fresh; (len(f) > 0) != want {
			t.Errorf("%s: reported %+v", when, f)
		}
	}
	for _, away := range []time.Duration{time.Second, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w, v := opened(t)
			w.link(t, false)
			w.expect(t, "its link is away", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24")
			says(t, "at once", v, false)
			time.Sleep(away)
			w.expect(t, "for a while")
			says(t, "for a while", v, away > 2*time.Second)
			answers(w, other)
			w.link(t, true)
			if away < 2*time.Second {
				w.expect(t, "it was away for a moment", "vrid 51: speak", "192.0.2.10 open", "put 192.0.2.10/24")
				return
			}
			time.Sleep(time.Second)
			w.expect(t, "while another answers", "vrid 51: speak")
			answers(w, "")
			time.Sleep(time.Second + stubborn)
			w.expect(t, "when nobody does", "192.0.2.10 open", "put 192.0.2.10/24")
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w, v := routed(t)
		w.link(t, false)
		w.give(t, fsm.ReasonFenced)
		time.Sleep(time.Second)
		w.expect(t, "it is given the address without a link")
		says(t, "it has never opened it", v, true)
		answers(w, other)
		w.link(t, true)
		time.Sleep(time.Second)
		w.expect(t, "while another answers", "vrid 51: speak")
	})
}
