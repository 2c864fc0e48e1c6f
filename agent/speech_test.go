package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate/agent/speak"
	"quorate/cluster"
	"quorate/fsm"
	"quorate/vip"
	"quorate/vip/vrrp"
)

// worldVoices are the virtual routers of a node as its actuator tells them. What is heard is the world's to say.
type worldVoices struct {
	*world
	view speak.View
	told map[speak.ID]string
	want []speak.Router
	news chan struct{}
	seen cluster.ForeignReport
	// carries is what was said last of whether the addresses are here, with their MAC.
	carries bool
}

func (v *worldVoices) Want(r []speak.Router) { v.mu.Lock(); defer v.mu.Unlock(); v.want = r }

func (v *worldVoices) View(speak.ID) speak.View { v.mu.Lock(); defer v.mu.Unlock(); return v.view }

func (v *worldVoices) say(id speak.ID, what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.told == nil {
		v.told = map[speak.ID]string{}
	}
	if v.told[id] != what {
		v.told[id] = what
		v.note("%s", what)
	}
}

func (v *worldVoices) Speak(id speak.ID, _ uint64) { v.say(id, fmt.Sprintf("vrid %d: speak", id.VRID)) }
func (v *worldVoices) Mute(id speak.ID)            { v.say(id, fmt.Sprintf("vrid %d: mute", id.VRID)) }
func (v *worldVoices) Silence(id speak.ID)         { v.say(id, fmt.Sprintf("vrid %d: silence", id.VRID)) }
func (v *worldVoices) LastWord(id speak.ID)        { v.say(id, fmt.Sprintf("vrid %d: last word", id.VRID)) }

func (v *worldVoices) Carries(id speak.ID, here bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if here && !v.carries {
		v.note("vrid %d: from its MAC", id.VRID)
	}
	v.carries = here
}

func (v *worldVoices) Elect(id speak.ID, _ uint64, p vrrp.Priority) {
	v.say(id, fmt.Sprintf("vrid %d: elect %d", id.VRID, p))
}

// Abstain is done at once, as speak.View has it.
func (v *worldVoices) Abstain(id speak.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.view.Speaks = false
	v.note("vrid %d: abstain", id.VRID)
}

// hear changes what is heard.
func (v *worldVoices) hear(f func(*speak.View)) {
	v.mu.Lock()
	f(&v.view)
	v.mu.Unlock()
	v.news <- struct{}{}
}

func (v *worldVoices) reported() cluster.ForeignReport {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen
}

var legacyRouter = netip.MustParseAddr("192.0.2.5")

// routed is n1 in a cluster of two whose VIP has a virtual router, and which has listened for a while.
func routed(t *testing.T, change ...func(*fsm.VirtualRouter)) (*world, *worldVoices) {
	t.Helper()
	w := newWorld()
	w.gated = true
	w.form(t)
	configureRouter(t, w, true, change...)
	v := &worldVoices{world: w, news: make(chan struct{}, 10), view: speak.View{Since: time.Now().Add(-time.Minute)}}
	w.mu.Lock()
	w.speaks = v
	w.mu.Unlock()
	w.start(t)
	w.lease(w.State().Nodes["n1"].Epoch, true)
	w.expect(t, "at the start")
	return w, v
}

func configureRouter(t *testing.T, w *world, there bool, change ...func(*fsm.VirtualRouter)) {
	t.Helper()
	r := fsm.VirtualRouter{VRID: 51, Priority: 200, Peers: []netip.Addr{legacyRouter}}
	for _, f := range change {
		f(&r)
	}
	x := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
	if there {
		x.VRRP = &r
	}
	w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{"web": x}}}})
}

// give moves web from n2, which has opened it, to n1 for a reason.
func (w *world) give(t *testing.T, why fsm.ReasonCode) {
	t.Helper()
	w.assign(t, "n2", 0)
	w.found(t, "n2")
	w.pass(t, why)
}

// found says of a node that it has found the opposite of what is agreed of web.
func (w *world) found(t *testing.T, node fsm.NodeID) {
	t.Helper()
	a := w.State().Assignments[web]
	w.apply(t, fsm.Command{SetFresh: &fsm.SetFresh{Node: node, VIPs: []fsm.FreshVIP{{Key: web, Epoch: a.Epoch, Fresh: a.Fresh}}}})
}

// pass moves web from n2 to n1.
func (w *world) pass(t *testing.T, why fsm.ReasonCode) {
	t.Helper()
	w.letGo(t, "n1", why)
	s := w.State()
	w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{
		Key: web, VIP: "web", Owner: "n1", OwnerEpoch: s.Nodes["n1"].Epoch, Epoch: s.Assignments[web].Epoch, ReleaseIndex: s.Assignments[web].Release.Index, Reason: fsm.Reason{Code: why},
	}}}})
}

func (w *world) letGo(t *testing.T, to fsm.NodeID, why fsm.ReasonCode) {
	t.Helper()
	w.apply(t, fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{Key: web, Epoch: w.State().Assignments[web].Epoch, To: to, Reason: fsm.Reason{Code: why}}}}})
}

// open is n1 with the VIP open.
func opened(t *testing.T, change ...func(*fsm.VirtualRouter)) (*world, *worldVoices) {
	t.Helper()
	w, v := routed(t, change...)
	w.give(t, fsm.ReasonDrained) // from n2: nobody is asked
	w.expect(t, "from another node", "vrid 51: speak", "192.0.2.10 open", "put 192.0.2.10/24")
	return w, v
}

// TestSpeaksThenAsksThenOpens: where nobody of the cluster had the address, the adverts begin, then it is asked who answers, and nothing opens as long as somebody does.
func TestSpeaksThenAsksThenOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := routed(t)
		w.hears(web.Addr, "02:00:00:00:00:05")
		w.assign(t, "n1", 0)
		w.expect(t, "at once", "vrid 51: speak")
		time.Sleep(10 * time.Second)
		w.expect(t, "while another answers")
		if text := w.actuator.status.Load().asking[web].text(); !strings.Contains(text, "02:00:00:00:00:05 still answers") {
			t.Errorf("status says %q", text)
		}
		w.hears(web.Addr, "")
		time.Sleep(time.Second)
		w.expect(t, "when nobody does, and whoever did so for long may only be slow")
		time.Sleep(stubborn)
		w.expect(t, "when nobody does", "192.0.2.10 open", "put 192.0.2.10/24")
	})
}

// TestAsksInShortRounds: with leases of 3 s nobody waits for half of that until it is seen that another router has given way: clients do not wait either.
func TestAsksInShortRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := routed(t)
		c := w.State().Config
		c.Settings.Profile = fsm.WAN
		w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}})
		w.hears(web.Addr, "02:00:00:00:00:05")
		w.assign(t, "n1", 0)
		w.expect(t, "at once", "vrid 51: speak")
		time.Sleep(10 * time.Millisecond)
		w.hears(web.Addr, "")
		time.Sleep(480 * time.Millisecond)
		w.expect(t, "a round in which it had answered, and one in which nobody did")
		time.Sleep(20 * time.Millisecond)
		w.expect(t, "then", "192.0.2.10 open", "put 192.0.2.10/24")
	})
}

// TestSpeaksForWhatIsOpen: a VIP that is added to a virtual router, and has no owner yet, does not make this node fall silent for the others.
func TestSpeaksForWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		x := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Router: "VI_1", Group: "pair"}
		y := fsm.VIP{Name: "api", Address: netip.MustParsePrefix("192.0.2.11/24"), Router: "VI_1", Group: "pair"}
		w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{
			Settings: fsm.DefaultSettings(), Groups: map[string]fsm.Group{"pair": {Name: "pair"}}, VIPs: map[string]fsm.VIP{"web": x, "api": y},
			Routers: map[string]fsm.VirtualRouter{"VI_1": {VRID: 51, Priority: 200, Peers: []netip.Addr{legacyRouter}}},
		}}})
		time.Sleep(2 * sweep)
		w.expect(t, "with a VIP that has no owner")
	})
}

// TestHandedOverIsNotAsked, but where a listed router speaks: it may have taken over meanwhile.
func TestHandedOverIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened(t)
	})
	synctest.Test(t, func(t *testing.T) {
		w, v := routed(t)
		v.hear(func(x *speak.View) { x.Active = speak.Claim{Source: legacyRouter, Priority: 100} })
		w.give(t, fsm.ReasonFenced)
		w.expect(t, "at once", "vrid 51: speak")
		time.Sleep(time.Second)
		w.expect(t, "when nobody answered", "192.0.2.10 open", "put 192.0.2.10/24")
	})
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		e := w.State().Nodes["n1"].Epoch
		w.lease(e, false)
		w.expect(t, "without the lease", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24")
		time.Sleep(time.Minute)
		w.expect(t, "a minute")
		w.lease(e, true)
		w.expect(t, "with the lease: another may have had it in between", "vrid 51: speak")
		time.Sleep(time.Second)
		w.expect(t, "when nobody answered", "192.0.2.10 open", "put 192.0.2.10/24")
	})
}

// TestNeverOpened: what the owner before never opened, since another host answers for it that says nothing by VRRP, the next one does not open either, however it gets it. And
// it says so itself: it has opened it, or it has not, of what is agreed to have been open.
func TestNeverOpened(t *testing.T) {
	for _, why := range []fsm.ReasonCode{fsm.ReasonFenced, fsm.ReasonRequested} {
		for _, was := range []bool{false, true} { // it was open, and is not any more
			synctest.Test(t, func(t *testing.T) {
				w, v := routed(t)
				w.hears(web.Addr, "02:00:00:00:00:05")
				w.assign(t, "n2", 0)
				if was {
					w.found(t, "n2")
					w.found(t, "n2")
				}
				w.pass(t, why)
				w.expect(t, "at once", "vrid 51: speak")
				time.Sleep(10 * time.Second)
				w.expect(t, "while the other answers")
				a := w.State().Assignments[web]
				if r := v.reported(); a.Fresh == 0 || len(r.Fresh) > 0 {
					t.Errorf("%s: agreed %+v, reported %+v", why, a, r)
				}
				w.hears(web.Addr, "")
				time.Sleep(time.Second + stubborn)
				w.expect(t, "when it does not", "192.0.2.10 open", "put 192.0.2.10/24")
				if r := v.reported(); len(r.Fresh) != 1 || r.Fresh[0] != (fsm.FreshVIP{Key: web, Epoch: a.Epoch, Fresh: a.Fresh}) {
					t.Fatalf("%s: opened, and reported %+v", why, r)
				}
				w.found(t, "n1")
				synctest.Wait()
				if r := v.reported(); w.State().Assignments[web].Fresh != 0 || len(r.Fresh) > 0 {
					t.Errorf("%s: reported %+v of what is agreed", why, r)
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) { // it had it open, was silent, and finds another there
		w, v := opened(t)
		e := w.State().Nodes["n1"].Epoch
		w.lease(e, false)
		synctest.Wait()
		w.hears(web.Addr, "02:00:00:00:00:05")
		w.lease(e, true)
		time.Sleep(time.Second)
		synctest.Wait()
		if r := v.reported(); len(r.Fresh) != 1 || r.Fresh[0] != (fsm.FreshVIP{Key: web, Epoch: w.State().Assignments[web].Epoch}) {
			t.Errorf("another answers for what was open: reported %+v", r)
		}
	})
}

// TestWantedOpenIsNotOpen: an owner whose kernel does not take the address has not opened it, and does not say so: whoever gets it next asks who answers.
func TestWantedOpenIsNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := routed(t)
		refuse := func(on bool) { w.mu.Lock(); defer w.mu.Unlock(); w.refuses = on }
		refuse(true)
		w.assign(t, "n1", 0)
		time.Sleep(10 * time.Second)
		w.expect(t, "nobody answers", "vrid 51: speak", "192.0.2.10 open")
		a := w.State().Assignments[web]
		if r := v.reported(); a.Fresh == 0 || len(r.Fresh) > 0 {
			t.Errorf("not in the kernel: agreed %+v, reported %+v", a, r)
		}
		refuse(false)
		time.Sleep(sweep + time.Second)
		w.expect(t, "the kernel takes it", "put 192.0.2.10/24")
		if r := v.reported(); len(r.Fresh) != 1 || r.Fresh[0] != (fsm.FreshVIP{Key: web, Epoch: a.Epoch, Fresh: a.Fresh}) {
			t.Errorf("in the kernel: reported %+v", r)
		}
	})
}

// TestAnswers: what this host answers for is in the kernel with nothing wrong about it, and wanted there.
func TestAnswers(t *testing.T) {
	is := vip.AddressStatus{Prefix: netip.MustParsePrefix("192.0.2.10/24"), Link: "eth0", Wanted: true, Actual: true}
	absent, silent, leftover, other := is, is, is, is
	absent.Actual = false
	silent.Err = vip.ErrNoCarrier
	leftover.Wanted = false
	other.Prefix = netip.MustParsePrefix("192.0.2.11/24")
	for _, x := range []struct {
		name string
		have []vip.AddressStatus
		want bool
	}{
		{"nothing", nil, false},
		{"it is there", []vip.AddressStatus{is}, true},
		{"it is not", []vip.AddressStatus{absent}, false},
		{"its link has no carrier", []vip.AddressStatus{silent}, false},
		{"it is to go", []vip.AddressStatus{leftover}, false},
		{"another one", []vip.AddressStatus{other}, false},
		{"one to go, and it", []vip.AddressStatus{leftover, is}, true},
	} {
		if got := answers(vip.Status{Addresses: x.have}, web.Addr); got != x.want {
			t.Errorf("%s: %t", x.name, got)
		}
	}
}

// TestCannotAsk: an owner that cannot ask who answers falls silent after a while, so that a router outside the cluster can take over; when it can ask again it speaks first, and
// what it heard before counts no more.
func TestCannotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := routed(t)
		set := func(err error) { w.mu.Lock(); defer w.mu.Unlock(); w.deaf = err }
		set(errors.New("no buffer space available"))
		w.assign(t, "n1", 0)
		w.expect(t, "at once", "vrid 51: speak")
		time.Sleep(patientlyDeaf - 500*time.Millisecond)
		w.expect(t, "while it may be for a moment")
		time.Sleep(time.Second)
		w.expect(t, "it cannot ask", "vrid 51: silence")
		if text := w.actuator.status.Load().asking[web].text(); !strings.Contains(text, "does not speak for virtual router web, so that another can") || !strings.Contains(text, "no buffer space") {
			t.Errorf("status says %q", text)
		}
		said := func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			x := w.unasked["web"]
			return fmt.Sprintf("%d %s %v %s", len(w.unasked), x.link, x.addrs, x.why)
		}
		time.Sleep(time.Minute)
		w.expect(t, "for a minute")
		if got, want := said(), "1 eth0 [192.0.2.10] no buffer space available"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		set(nil)
		for range 1000 {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if said := w.said(); said == "vrid 51: speak" {
				break
			} else if said != "" {
				t.Fatalf("before it speaks: %s", said)
			}
		}
		time.Sleep(askRound(fsm.LAN.Timing()) / 2)
		w.expect(t, "it has not asked since it speaks")
		if got := said(); got != "0  [] " {
			t.Errorf("when it can ask again, it tells %s", got)
		}
		time.Sleep(time.Second)
		w.expect(t, "nobody answers", "192.0.2.10 open", "put 192.0.2.10/24")
	})
}

// TestJoinsWhatIsOpen: a VIP that nobody of the cluster had is asked for also where its virtual router has others open; those stay open.
func TestJoinsWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		w.hears(netip.MustParseAddr("192.0.2.11"), "02:00:00:00:00:05")
		x := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Router: "VI_1", Group: "pair"}
		y := fsm.VIP{Name: "api", Address: netip.MustParsePrefix("192.0.2.11/24"), Router: "VI_1", Group: "pair"}
		w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{
			Settings: fsm.DefaultSettings(), Groups: map[string]fsm.Group{"pair": {Name: "pair"}}, VIPs: map[string]fsm.VIP{"web": x, "api": y},
			Routers: map[string]fsm.VirtualRouter{"VI_1": {VRID: 51, Priority: 200, Peers: []netip.Addr{legacyRouter}}},
		}}})
		w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: y.Key(), VIP: "api", Owner: "n1", OwnerEpoch: w.State().Nodes["n1"].Epoch, Reason: fsm.Reason{Code: fsm.ReasonGrouped}}}}})
		time.Sleep(5 * time.Second)
		w.expect(t, "while another answers for it")
		w.hears(y.Key().Addr, "")
		time.Sleep(time.Second + stubborn)
		w.expect(t, "when nobody does", "192.0.2.11 open", "put 192.0.2.11/24")
	})
}

// TestHandsOverInSilence: no last word when another node gets it, nor when a router outside the cluster has it.
func TestHandsOverInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		w.letGo(t, "n2", fsm.ReasonRequested)
		synctest.Wait()
		if said := w.said(); !strings.HasPrefix(said, "vrid 51: silence") || strings.Contains(said, "last word") {
			t.Errorf("handed over: %s", said)
		}
	})
}

// TestLastWord comes after the address has gone: when nobody is to have it, and when the virtual router is configured no more together with its VIP.
func TestLastWord(t *testing.T) {
	gone := []string{"vrid 51: mute", "192.0.2.10 closed", "remove 192.0.2.10/24", "vrid 51: last word"}
	released := func(w *world) string {
		return fmt.Sprintf("confirm %v %d", web, w.State().Assignments[web].Release.Index)
	}
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		w.letGo(t, "", fsm.ReasonDrained)
		w.expect(t, "released to nobody", append(gone, released(w))...)
	})
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		w.mu.Lock()
		w.stuck = true
		w.mu.Unlock()
		w.letGo(t, "", fsm.ReasonDrained)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if said := w.said(); strings.Contains(said, "last word") {
			t.Errorf("while the kernel has the address: %s", said)
		}
		w.mu.Lock()
		w.stuck = false
		w.mu.Unlock()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if said := w.said(); !strings.Contains(said, "remove 192.0.2.10/24\nvrid 51: last word") {
			t.Errorf("when it is gone: %s", said)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings()}}})
		synctest.Wait()
		if said := w.said(); !strings.Contains(said, "remove 192.0.2.10/24") && !strings.Contains(said, "last word") {
			w.letGo(t, "", fsm.ReasonRemoved)
			w.expect(t, "removed from the configuration", append(gone, released(w))...)
		} else if !strings.Contains(said, "remove 192.0.2.10/24\nvrid 51: last word") {
			t.Errorf("removed from the configuration: %s", said)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		w.mode(t, fsm.ShadowMode)
		w.expect(t, "given back: nobody has to wait", append(gone, released(w))...)
	})
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		c := w.State().Config
		x := c.VIPs["web"]
		x.Address = netip.MustParsePrefix("192.0.2.10/25")
		c.VIPs = map[string]fsm.VIP{"web": x}
		w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}})
		w.expect(t, "this node has it again in a moment", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24", released(w))
	})
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		configureRouter(t, w, false)
		w.expect(t, "the router is removed, the VIP stays", "vrid 51: silence")
	})
}

// TestEnds: an agent that ends with the address still its own says the last word after it has gone; so does one that loses its lease while it ends. One that is not asked to
// end, as when its membership is over, says nothing.
func TestEnds(t *testing.T) {
	for _, ending := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := opened(t)
			w.mu.Lock()
			w.ending = ending
			w.mu.Unlock()
			w.stop()
			want := []string{"192.0.2.10 closed", "remove 192.0.2.10/24", "vrid 51: last word"}
			if !ending {
				want[2] = "vrid 51: silence"
			}
			w.expect(t, "stopped", want...)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w, _ := opened(t)
		w.mu.Lock()
		w.ending = true
		w.mu.Unlock()
		w.lease(w.State().Nodes["n1"].Epoch, false)
		w.expect(t, "the lease is lost while it ends", "vrid 51: mute", "192.0.2.10 closed", "remove 192.0.2.10/24", "vrid 51: last word")
	})
}

// TestEndsBeforeAnother: the hand-over was stuck when the agent ended, or lost its lease on the way: where another node gets the address by a fence the peers are not woken for the moment
// in between.
func TestEndsBeforeAnother(t *testing.T) {
	others := map[fsm.NodeID]bool{"n2": true}
	for _, x := range []struct {
		name   string
		change func(t *testing.T, w *world)
		last   bool
	}{
		{"another node goes on", func(t *testing.T, w *world) { w.others = others }, false},
		{"nobody does", func(t *testing.T, w *world) { w.others = map[fsm.NodeID]bool{} }, true},
		{"one that is drained", func(t *testing.T, w *world) {
			w.mu.Unlock()
			defer w.mu.Lock()
			w.apply(t, fsm.Command{SetDrain: &fsm.SetDrain{Node: "n2", Draining: true}})
			w.others = others
		}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := opened(t)
			w.mu.Lock()
			w.ending = true
			x.change(t, w)
			w.mu.Unlock()
			w.stop()
			want := []string{"192.0.2.10 closed", "remove 192.0.2.10/24", "vrid 51: silence"}
			if x.last {
				want[2] = "vrid 51: last word"
			}
			w.expect(t, x.name, want...)
		})
	}
	for _, led := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := opened(t)
			w.mu.Lock()
			w.ending, w.led, w.others = true, led, others
			w.mu.Unlock()
			w.lease(w.State().Nodes["n1"].Epoch, false)
			if led { // the others have the quorum
				w.expect(t, "the lease is lost while it ends", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24")
			} else {
				w.expect(t, "the quorum is lost while it ends", "vrid 51: mute", "192.0.2.10 closed", "remove 192.0.2.10/24", "vrid 51: last word")
			}
		})
	}
}

// TestEndsMuted: an agent that ends while it waits for its kernel to let go of the address leaves no router behind that is neither silent nor speaks.
func TestEndsMuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := opened(t)
		w.mu.Lock()
		w.stuck = true
		w.mu.Unlock()
		w.letGo(t, "", fsm.ReasonDrained)
		time.Sleep(time.Second)
		w.stop()
		v.mu.Lock()
		defer v.mu.Unlock()
		if told := v.told[speak.ID{Link: "eth0", Family: vrrp.IPv4, VRID: 51}]; told != "vrid 51: silence" {
			t.Errorf("told last: %q", told)
		}
	})
}

// TestYieldsAtOnce: the Speaker has fallen silent before a better claim: closed and removed by this node itself, before anybody has agreed on it; and not opened again
// while the claim lasts.
func TestYieldsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := opened(t)
		v.hear(func(x *speak.View) { x.Yielded = true })
		w.expect(t, "yields", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24")
		v.hear(func(x *speak.View) {
			x.Active, x.Outranks = speak.Claim{Source: legacyRouter, Priority: 220}, true
		})
		time.Sleep(time.Minute)
		w.expect(t, "while it lasts")
		if r := v.reported(); len(r.Seen) != 1 || r.Seen[0] != (cluster.ForeignSight{Router: "web", Source: legacyRouter, Priority: 220, Better: true}) {
			t.Errorf("reported %+v", r)
		}
		v.hear(func(x *speak.View) { *x = speak.View{Since: x.Since} })
		w.expect(t, "it is over", "vrid 51: speak")
		time.Sleep(time.Second)
		w.expect(t, "and nobody answers", "192.0.2.10 open", "put 192.0.2.10/24")
		if r := v.reported(); len(r.Seen)+len(r.Unsure) != 0 {
			t.Errorf("reported %+v", r)
		}
	})
}

// TestContests: with yield = false a better claim moves nothing.
func TestContests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := opened(t, func(r *fsm.VirtualRouter) { r.NoYield = true })
		v.hear(func(x *speak.View) {
			x.Active, x.Outranks = speak.Claim{Source: legacyRouter, Priority: 220}, true
		})
		w.expect(t, "a better claim")
		if r := v.reported(); len(r.Seen) > 0 {
			t.Errorf("reported %+v", r)
		}
	})
}

// TestLeavesItToTheOther: with preempt = false a node that has nothing open listens for an interval and a quarter, and leaves what a router of lower priority has to that one;
// with preempt_delay for that time.
func TestLeavesItToTheOther(t *testing.T) {
	off := func(r *fsm.VirtualRouter) { r.NoPreempt = true }
	late := func(r *fsm.VirtualRouter) { r.PreemptDelay = 30 * time.Second }
	synctest.Test(t, func(t *testing.T) {
		w, v := routed(t, off)
		v.hear(func(x *speak.View) { x.Since = time.Now() })
		w.assign(t, "n1", 0)
		time.Sleep(1290 * time.Millisecond)
		w.expect(t, "while it listens")
		time.Sleep(100 * time.Millisecond)
		w.expect(t, "nobody was heard", "vrid 51: speak")
	})
	synctest.Test(t, func(t *testing.T) { // its sockets are not there yet
		w, v := routed(t, off)
		v.hear(func(x *speak.View) { x.Since = time.Time{} })
		w.assign(t, "n1", 0)
		time.Sleep(10 * time.Second)
		w.expect(t, "while it has no ears")
		v.hear(func(x *speak.View) { x.Since = time.Now() })
		time.Sleep(1310 * time.Millisecond)
		w.expect(t, "it has listened", "vrid 51: speak")
	})
	for _, x := range []struct {
		change func(*fsm.VirtualRouter)
		ends   bool
	}{{off, false}, {late, true}} {
		synctest.Test(t, func(t *testing.T) {
			w, v := routed(t, x.change)
			v.hear(func(x *speak.View) {
				x.Active, x.ActiveSince = speak.Claim{Source: legacyRouter, Priority: 100}, time.Now()
			})
			w.assign(t, "n1", 0)
			time.Sleep(29 * time.Second)
			w.expect(t, "while the other has it")
			if r := v.reported(); len(r.Seen) != 1 || r.Seen[0].Better {
				t.Errorf("reported %+v", r)
			}
			if why := w.actuator.status.Load().waits[web]; !strings.Contains(why, "is left it") {
				t.Errorf("status says %q", why)
			}
			time.Sleep(1100 * time.Millisecond)
			if want := []string{"vrid 51: speak"}; x.ends {
				synctest.Wait()
				w.expect(t, "after the delay", want...)
			} else {
				w.expect(t, "after a while")
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // it is open: it is not left to one that begins
		w, v := opened(t, off)
		v.hear(func(x *speak.View) { x.Active = speak.Claim{Source: legacyRouter, Priority: 100} })
		w.expect(t, "another begins")
		if r := v.reported(); len(r.Seen) > 0 {
			t.Errorf("reported %+v", r)
		}
	})
}

// TestWithoutSockets: a node that can neither hear nor speak leaves the addresses to the peers, who hear nobody and take them; before they do. It says for a time that it does not know
// who has them, then nothing, and opens them again when it hears, and nobody answers. Without peers it has nobody to mind.
func TestWithoutSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := opened(t)
		v.hear(func(x *speak.View) { *x = speak.View{} })
		synctest.Wait()
		if r := v.reported(); !slices.Equal(r.Unsure, []string{"web"}) {
			t.Errorf("reported %+v", r)
		}
		time.Sleep(1700 * time.Millisecond)
		w.expect(t, "while they may be opened again")
		time.Sleep(300 * time.Millisecond) // the last advert may have been a second before, and the peers wait for three
		w.expect(t, "without sockets", "vrid 51: silence", "192.0.2.10 closed", "remove 192.0.2.10/24")
		if why := w.actuator.status.Load().waits[web]; !strings.Contains(why, "neither hears nor speaks VRRP on eth0") {
			t.Errorf("status says %q", why)
		}
		time.Sleep(time.Minute)
		w.expect(t, "for as long as it has none")
		if r := v.reported(); len(r.Unsure) > 0 {
			t.Errorf("reported %+v", r)
		}
		v.hear(func(x *speak.View) { x.Since = time.Now() })
		w.expect(t, "it hears", "vrid 51: speak")
		time.Sleep(time.Second)
		w.expect(t, "and nobody answers", "192.0.2.10 open", "put 192.0.2.10/24")
	})
	synctest.Test(t, func(t *testing.T) {
		w, v := opened(t)
		v.hear(func(x *speak.View) { *x = speak.View{} })
		time.Sleep(time.Second)
		v.hear(func(x *speak.View) { x.Since = time.Now() })
		time.Sleep(10 * time.Second)
		w.expect(t, "a moment without sockets")
	})
	synctest.Test(t, func(t *testing.T) {
		w, v := opened(t, func(r *fsm.VirtualRouter) { r.Peers = nil })
		v.hear(func(x *speak.View) { *x = speak.View{} })
		time.Sleep(time.Minute)
		w.expect(t, "without sockets, and without peers")
	})
}

// TestUnsureAtFirst: a node that has just begun to listen does not say that there is nobody.
func TestUnsureAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, v := routed(t)
		v.hear(func(x *speak.View) { x.Since = time.Now() })
		synctest.Wait()
		if r := v.reported(); !slices.Equal(r.Unsure, []string{"web"}) {
			t.Errorf("reported %+v", r)
		}
		time.Sleep(4100 * time.Millisecond)
		synctest.Wait()
		if r := v.reported(); len(r.Unsure) > 0 {
			t.Errorf("after four intervals: %+v", r)
		}
	})
}

// TestWantedRouter: each setting reaches the wire's configuration, which takes it.
func TestWantedRouter(t *testing.T) {
	r := fsm.ResolvedRouter{Name: "VI_1", VIPs: []fsm.VIP{{Name: "a", Address: netip.MustParsePrefix("192.0.2.10/24")}}, VirtualRouter: fsm.VirtualRouter{
		VRID: 51, Version: 2, Priority: 150, Interval: 2 * time.Second, Password: "secret12", Peers: []netip.Addr{legacyRouter}, Unicast: true, NoPreempt: true, NoYield: true,
		Source: netip.MustParseAddr("192.0.2.250"), Checksum: fsm.ChecksumLearn,
	}}
	id := speak.ID{Link: "eth0", Family: vrrp.IPv4, VRID: 51}
	others := []netip.Addr{netip.MustParseAddr("fe80::2"), netip.MustParseAddr("192.0.2.2"), legacyRouter, netip.MustParseAddr("192.0.2.2")}
	got := wantedRouter(id, r, others)
	c := got.Config
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Version != vrrp.V2 || c.Priority != 150 || c.Interval != 2*time.Second || c.Auth != vrrp.AuthPassword || c.Password != vrrp.PasswordOf("secret12") || !c.SharedSource ||
		c.Preempt || !c.Contest || !c.Unicast() || !slices.Equal(c.Listed, r.Peers) || !slices.Equal(c.Fellows, others[1:2]) || c.Form != vrrp.Learn || c.Mode != vrrp.Appointed {
		t.Errorf("%+v", got)
	}
	r.Unicast, r.Group = false, netip.MustParseAddr("224.0.0.99")
	r.Version, r.Password, r.Source, r.Checksum, r.HMACMode = 3, "", netip.Addr{}, fsm.ChecksumMessage, fsm.HMACPermissive
	r.HMACKeys = []string{"1:" + strings.Repeat("ab", 32), "2:" + strings.Repeat("cd", 32)}
	got = wantedRouter(id, r, others)
	if len(got.Keys) != 2 || got.Keys[0].ID != 1 || len(got.Keys[1].Secret) != 32 || got.Config.Signing != vrrp.Permissive || got.Config.Form != vrrp.MessageOnly || got.Config.SharedSource || got.Config.Group != r.Group {
		t.Errorf("%+v", got)
	}
}
