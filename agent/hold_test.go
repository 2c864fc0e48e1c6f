package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"quorate/cluster/lease"
	"quorate/fsm"
)

var db = fsm.AddressKey{Addr: netip.MustParseAddr("192.0.2.20")}

// holding is n1 as the owner of web, which is to be held, and of db, which is not, with its lease. The diary is empty.
func holding(t *testing.T) (*world, fsm.Epoch) {
	t.Helper()
	w := newWorld()
	w.gated = true
	w.run(t)
	w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{
		Settings: fsm.DefaultSettings(),
		VIPs: map[string]fsm.VIP{
			"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), QuorumLost: fsm.HoldVIP},
			"db":  {Name: "db", Address: netip.MustParsePrefix("192.0.2.20/24")},
		},
	}}})
	e := w.State().Nodes["n1"].Epoch
	w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: web, VIP: "web", Owner: "n1", OwnerEpoch: e}, {Key: db, VIP: "db", Owner: "n1", OwnerEpoch: e}}}})
	w.lease(e, true)
	time.Sleep(time.Second)
	w.expectAddresses(t, "with the lease", web.Addr, db.Addr)
	return w, e
}

// expectAddresses compares what the kernel has.
func (w *world) expectAddresses(t *testing.T, what string, want ...netip.Addr) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []netip.Addr
	for p := range w.have {
		got = append(got, p.Addr())
	}
	slices.SortFunc(got, netip.Addr.Compare)
	if !slices.Equal(got, want) {
		t.Fatalf("%s: the kernel has %v, want %v; news: %q", what, got, want, w.news)
	}
}

// grants is until when n1 has granted itself, from now; and under which epoch.
func (w *world) grants() (fsm.Epoch, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, until := range w.granted {
		if until != (lease.Instant{}) {
			return e, until.Boot - worldClock{w}.Now().Boot
		}
	}
	return 0, 0
}

// hears is who answers for an address when it is asked for; "" = nobody.
func (w *world) hears(a netip.Addr, mac string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[a] = mac
}

func (w *world) newsHas(t *testing.T, words ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, word := range words {
		if !slices.ContainsFunc(w.news, func(n string) bool { return strings.Contains(n, word) }) {
			t.Errorf("%q is not in the news: %q", word, w.news)
		}
	}
}

func TestHoldKeepsOnlyWhatIsToBeHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, e := holding(t)
		w.said()
		ttl := fsm.LAN.Timing().TTL
		w.lease(e, false)
		w.expectAddresses(t, "without a lease", web.Addr)
		w.mu.Lock()
		under := w.gate[web.Addr]
		w.mu.Unlock()
		if under != "open" {
			t.Fatalf("the gate has it %s", under)
		}
		for range 100 {
			time.Sleep(ttl / 10)
			epoch, left := w.grants()
			if epoch < 1<<63 || left <= 0 || left > ttl {
				t.Fatalf("granted under %d for another %v, want a fresh epoch and T at the most", epoch, left)
			}
		}
		w.expectAddresses(t, "for ten T", web.Addr)
		w.newsHas(t, "HELD WITHOUT A QUORUM since")
		w.lease(e, true)
		w.expectAddresses(t, "with the lease again", web.Addr, db.Addr)
		if _, left := w.grants(); left != 0 {
			t.Errorf("it still grants itself %v", left)
		}
		w.newsHas(t, "the quorum is back")
		if d := w.said(); strings.Contains(d, "remove 192.0.2.10/24") {
			t.Errorf("it was taken off in between:\n%s", d)
		}
	})
}

func TestHoldEndsAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(w *world)
		within  time.Duration
		why     string
	}{
		"another one claims it":        {func(w *world) { w.hears(web.Addr, "02:00:00:00:00:09") }, 2 * time.Millisecond, "02:00:00:00:00:09 claims it"},
		"nobody can be heard":          {func(w *world) { w.mu.Lock(); w.deaf = errors.New("the link is down"); w.mu.Unlock() }, 2 * time.Millisecond, "the link is down"},
		"the others have gone on":      {func(w *world) { w.mu.Lock(); w.overtaken = true; w.mu.Unlock() }, 110 * time.Millisecond, "has not heard yet"},
		"it becomes another's":         {nil, time.Millisecond, "no longer this node's"},
		"it is to be released instead": {nil, time.Millisecond, "no longer this node's"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, e := holding(t)
				w.lease(e, false)
				time.Sleep(time.Second)
				w.expectAddresses(t, "held", web.Addr)
				switch name {
				case "it becomes another's":
					s := w.State()
					w.apply(t, fsm.Command{Fenced: &fsm.Fenced{Node: "n1", Epoch: s.Nodes["n1"].Epoch, GrantorIndex: s.Grantors.Index,
						Moves: []fsm.Move{{Key: web, VIP: "web", Epoch: s.Assignments[web].Epoch, To: "n2", ToEpoch: s.Nodes["n2"].Epoch}}}})
				case "it is to be released instead":
					c := w.State().Config
					v := c.VIPs["web"]
					v.QuorumLost = fsm.ReleaseVIP
					w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: c.Settings, VIPs: map[string]fsm.VIP{"web": v, "db": c.VIPs["db"]}}}})
				default:
					c.happens(w)
				}
				time.Sleep(c.within)
				w.expectAddresses(t, name)
				w.newsHas(t, c.why)
				if _, left := w.grants(); left != 0 {
					t.Errorf("it still grants itself %v", left)
				}
				w.mu.Lock()
				clear(w.answers)
				w.deaf, w.overtaken = nil, false
				w.mu.Unlock()
				time.Sleep(10 * time.Second)
				w.expectAddresses(t, "it does not come back without a lease")
			})
		})
	}
}

// What is not open under a lease is never held: a process that starts anew, or gets an address without a lease.
func TestHoldOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gated = true
		w.run(t)
		w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings(),
			VIPs: map[string]fsm.VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), QuorumLost: fsm.HoldVIP}}}}})
		w.assign(t, "n1", 0)
		time.Sleep(10 * time.Second)
		w.expectAddresses(t, "never had a lease")
		e := w.State().Nodes["n1"].Epoch
		w.lease(e, true)
		time.Sleep(time.Second)
		w.expectAddresses(t, "with the lease", web.Addr)
	})
}

// suspendedWorld is n1 as the new owner of web, of which n2 was fenced: n2 may hold it.
func suspendedWorld(t *testing.T, answers string) *world {
	w := newWorld()
	w.gated = true
	w.run(t)
	w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings(),
		VIPs: map[string]fsm.VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), QuorumLost: fsm.HoldVIP}}}}})
	w.assign(t, "n2", 0)
	w.lease(w.State().Nodes["n1"].Epoch, true)
	time.Sleep(time.Second)
	w.hears(web.Addr, answers)
	s := w.State()
	w.apply(t, fsm.Command{Fenced: &fsm.Fenced{Node: "n2", Epoch: s.Nodes["n2"].Epoch, GrantorIndex: s.Grantors.Index,
		Moves: []fsm.Move{{Key: web, VIP: "web", Epoch: s.Assignments[web].Epoch, To: "n1", ToEpoch: s.Nodes["n1"].Epoch}}}})
	return w
}

func TestSuspendedIsAskedForBeforeItOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := suspendedWorld(t, "")
		ask := askedFor(fsm.LAN.Timing())
		if ttl := fsm.LAN.Timing().TTL; ask <= ttl*101/99+2*time.Millisecond {
			t.Fatalf("asked for %v; whoever holds it may be silent for T = %v of its clock", ask, ttl)
		}
		time.Sleep(ask - time.Millisecond)
		w.expectAddresses(t, "it has not been asked for long enough")
		time.Sleep(2 * askRound(fsm.LAN.Timing()))
		w.expectAddresses(t, "nobody has answered", web.Addr)
	})
}

func TestSuspendedStaysClosedWhileAnotherAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := suspendedWorld(t, "02:00:00:00:00:02")
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			w.expectAddresses(t, "n2 answers")
		}
		c := w.actuator.status.Load()
		if x := c.asking[web]; x.heard.by != "02:00:00:00:00:02" || !slices.Equal(x.by, []fsm.NodeID{"n2"}) {
			t.Errorf("the status has %+v", c.asking)
		}
		w.hears(web.Addr, "") // one lost answer, one late one
		time.Sleep(askedFor(fsm.LAN.Timing()) / 2)
		w.hears(web.Addr, "02:00:00:00:00:02")
		time.Sleep(2 * time.Millisecond)
		w.hears(web.Addr, "")
		time.Sleep(askedFor(fsm.LAN.Timing()) - time.Millisecond)
		w.expectAddresses(t, "n2 was heard again")
		time.Sleep(2 * askRound(fsm.LAN.Timing()))
		w.expectAddresses(t, "n2 is silent", web.Addr)
	})
}

// Once n2 has said that it holds nothing, nobody needs to be asked.
func TestConfirmedIsNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := suspendedWorld(t, "02:00:00:00:00:02")
		time.Sleep(time.Second)
		s := w.State()
		w.apply(t, fsm.Command{HoldOff: &fsm.HoldOff{Node: "n2", Epoch: s.Nodes["n2"].Epoch, Index: s.Index}})
		w.expectAddresses(t, "confirmed", web.Addr)
	})
}

// TestHoldWalk: whatever happens to a node, what it holds without a quorum was open under its lease, has not been silent
// for T, and is granted for T at the longest. Everything else of the protocol rests on that: whoever asks for longer than T hears it. What
// an operator forces is never claimed after its time, nor with a quorum.
func TestHoldWalk(t *testing.T) {
	const ttl = 250 * time.Millisecond
	rapid.Check(t, func(rt *rapid.T) {
		h := newHolds(lease.Instant{Raw: time.Hour, Boot: time.Hour})
		now := lease.Instant{Raw: time.Hour, Boot: time.Hour}
		keys := []fsm.AddressKey{web, db}
		open := lease.Opened{}
		claimed := map[fsm.AddressKey]lease.Instant{} // when it was last certain that the key was open
		orders := map[fsm.AddressKey]lease.Instant{}  // until when what is forced may be claimed
		const epoch = fsm.Epoch(7)
		for i := range rapid.IntRange(1, 60).Draw(rt, "steps") {
			d := time.Duration(rapid.SampledFrom([]int{1, 50, 100, 100, 100, 249, 250, 251, 400}).Draw(rt, "later")) * time.Millisecond
			slept := time.Duration(0)
			if rapid.IntRange(0, 20).Draw(rt, "suspend") == 0 {
				slept = time.Second // the machine: BOOTTIME counts it, RAW does not
			}
			now = lease.Instant{Raw: now.Raw + d, Boot: now.Boot + d + slept}
			in := holdInput{now: now, wall: time.Unix(int64(i), 0), ttl: ttl, own: map[fsm.AddressKey]string{}, open: open, next: lease.Opened{},
				leased: rapid.IntRange(0, 3).Draw(rt, "leased") == 0, superseded: rapid.IntRange(0, 15).Draw(rt, "superseded") == 0}
			in.led = rapid.IntRange(0, 10).Draw(rt, "led") == 0
			can := rapid.IntRange(0, 10).Draw(rt, "can") > 0
			in.can = func(fsm.AddressKey) bool { return can }
			var fresh fsm.AddressKey // just ordered: it may open
			if rapid.IntRange(0, 5).Draw(rt, "order") == 0 {
				k := rapid.SampledFrom(keys).Draw(rt, "forced")
				orders[k] = after(now, time.Duration(rapid.IntRange(1, 1500).Draw(rt, "for"))*time.Millisecond)
				h.order(k, force{VIP: k.String(), Until: orders[k]})
				fresh = k
			}
			bad := map[netip.Addr]bool{}
			for _, k := range keys {
				if rapid.IntRange(0, 10).Draw(rt, "own") > 0 {
					in.own[k] = k.String()
					if in.leased {
						in.next[k] = epoch
					}
				}
				bad[k.Addr] = rapid.IntRange(0, 15).Draw(rt, "claimed") == 0
			}
			in.against = func(a netip.Addr) string {
				if bad[a] {
					return "somebody"
				}
				return ""
			}
			out := h.step(in)
			for k, until := range orders {
				if in.leased || in.led || !can || in.superseded || bad[k.Addr] || now.Raw >= until.Raw || now.Boot >= until.Boot {
					delete(orders, k)
				}
			}
			for k := range out {
				_, was := open[k]
				_, forced := orders[k]
				last := claimed[k]
				switch {
				case k == fresh && forced:
				case !was && forced:
					rt.Fatalf("%v is forced, and opens later than when that was asked for", k)
				case !was:
					rt.Fatalf("%v is held and was not open", k)
				case in.own[k] == "" && !forced || in.leased || in.superseded || bad[k.Addr]:
					rt.Fatalf("%v is held: %+v", k, in)
				case now.Raw-last.Raw >= ttl || now.Boot-last.Boot >= ttl:
					rt.Fatalf("%v was silent for %v and is claimed again", k, now.Boot-last.Boot)
				case out[k] != h.epoch || h.epoch < 1<<63:
					rt.Fatalf("%v is held under epoch %d", k, out[k])
				}
			}
			if len(out) > 0 && (h.granted.Raw != now.Raw+ttl || h.granted.Boot != now.Boot+ttl) || len(out) == 0 && h.granted != (lease.Instant{}) {
				rt.Fatalf("granted until %v at %v", h.granted, now)
			}
			open = lease.Opened{}
			for k, e := range in.next {
				open[k] = e
				claimed[k] = now
			}
			for k, e := range out {
				open[k] = e
				claimed[k] = now
			}
		}
	})
}

// An agent that stood still says so, and holds nothing.
func TestHoldAfterStandingStill(t *testing.T) {
	at := func(d time.Duration) lease.Instant { return lease.Instant{Raw: time.Hour + d, Boot: d} }
	h := newHolds(at(0))
	in := holdInput{ttl: 250 * time.Millisecond, own: map[fsm.AddressKey]string{web: "web"}, open: lease.Opened{web: 7}, against: func(netip.Addr) string { return "" }}
	step := func(d time.Duration) string {
		in.now = at(d)
		in.open = h.step(in)
		return fmt.Sprint(len(in.open), len(h.barred))
	}
	h.leased(at(0))
	for _, c := range []struct {
		at   time.Duration
		want string
	}{{200, "1 0"}, {300, "1 0"}, {549, "1 0"}, {800, "0 1"}, {900, "0 1"}} {
		if got := step(c.at * time.Millisecond); got != c.want {
			t.Fatalf("at %d ms: %s, want %s", c.at, got, c.want)
		}
	}
}

// forcedWorld is n1 without a lease, while web is n2's by what was agreed last; then it is forced onto n1 for a minute.
func forcedWorld(t *testing.T) *world {
	w := newWorld()
	w.gated = true
	w.run(t)
	w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: web, VIP: "web", Owner: "n2", OwnerEpoch: w.State().Nodes["n2"].Epoch}}}})
	time.Sleep(10 * time.Second)
	w.expectAddresses(t, "it is n2's")
	w.force(time.Minute)
	w.expectAddresses(t, "forced", web.Addr)
	w.newsHas(t, "is FORCED onto this node WITHOUT A QUORUM by cli:root, until")
	return w
}

func (w *world) force(d time.Duration) {
	w.actuator.orders <- order{web, force{VIP: "web", By: "cli:root", Until: after(worldClock{w}.Now(), d), End: time.Now().Add(d)}}
}

func TestForcedEndsByItself(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(t *testing.T, w *world)
		within  time.Duration
		why     string
	}{
		"its time is over": {func(*testing.T, *world) { time.Sleep(time.Minute - time.Second) }, 1100 * time.Millisecond, "the time for which it was forced is over"},
		"a leader":         {func(_ *testing.T, w *world) { w.mu.Lock(); w.led = true; w.mu.Unlock() }, 110 * time.Millisecond, "there is a quorum again"},
		"a lease":          {func(_ *testing.T, w *world) { w.lease(w.State().Nodes["n1"].Epoch, true) }, time.Millisecond, "there is a quorum again"},
		"another claimant": {func(_ *testing.T, w *world) { w.hears(web.Addr, "02:00:00:00:00:02") }, 2 * time.Millisecond, "02:00:00:00:00:02 claims it"},
		"not configured": {func(t *testing.T, w *world) {
			w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings()}}})
		}, time.Millisecond, "not configured any more"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := forcedWorld(t)
				if w.said(); !strings.Contains(w.table, "192.0.2.10:80") {
					t.Errorf("its services are not there: %s", w.table)
				}
				ttl := fsm.LAN.Timing().TTL
				for range 20 {
					time.Sleep(ttl / 10)
					if epoch, left := w.grants(); epoch < firstHoldEpoch || left <= 0 || left > ttl {
						t.Fatalf("granted under %d for another %v, want T at the most", epoch, left)
					}
				}
				c.happens(t, w)
				time.Sleep(c.within)
				w.expectAddresses(t, name)
				w.newsHas(t, c.why)
				w.mu.Lock()
				clear(w.answers)
				w.led = false
				clear(w.live)
				w.mu.Unlock()
				time.Sleep(10 * time.Second)
				w.expectAddresses(t, "it does not come back by itself")
			})
		})
	}
}

// A new order is a new decision, also after the last one ended for a reason.
func TestForcedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := forcedWorld(t)
		w.hears(web.Addr, "02:00:00:00:00:02")
		time.Sleep(time.Second)
		w.expectAddresses(t, "another one claims it")
		w.hears(web.Addr, "")
		w.force(time.Second)
		w.expectAddresses(t, "forced again", web.Addr)
		time.Sleep(2 * time.Second)
		w.expectAddresses(t, "a second later")
	})
}

func TestUnwrittenOutlivesTheProcess(t *testing.T) {
	path := t.TempDir() + "/" + unwrittenFile
	u, err := openUnwritten(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"one", "two"} {
		if err := u.add(holdNews{Text: n}); err != nil {
			t.Fatal(err)
		}
	}
	if u, err = openUnwritten(path, slog.New(slog.DiscardHandler)); err != nil || len(u.news) != 2 || u.news[0].Text != "one" {
		t.Fatalf("%+v, %v", u, err)
	}
	for range 2 {
		if err := u.done(); err != nil {
			t.Fatal(err)
		}
	}
	if u, err = openUnwritten(path, slog.New(slog.DiscardHandler)); err != nil || len(u.news) != 0 {
		t.Fatalf("%+v, %v", u, err)
	}
}

// Without a quorum a write takes as long as it may: what happens meanwhile is in the file all the same, and so is what happens as the agent ends.
func TestUnwrittenIsKeptWhileAWriteWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir() + "/" + unwrittenFile
		u, err := openUnwritten(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var quorum atomic.Bool
		written := make(chan string, 10)
		news := make(chan holdNews, 10)
		life, end := context.WithCancel(t.Context())
		defer end()
		go func() {
			_ = u.run(life, news, func(ctx context.Context, n holdNews) error {
				if !quorum.Load() {
					<-ctx.Done()
					return ctx.Err()
				}
				written <- n.Text
				return nil
			})
		}()
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			again, err := openUnwritten(path, slog.New(slog.DiscardHandler))
			for _, n := range again.news {
				got = append(got, n.Text)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s the file has %q, %v; want %q", when, got, err, want)
			}
		}
		news <- holdNews{Text: "one"}
		time.Sleep(2 * time.Second)
		news <- holdNews{Text: "two"}
		expect("while a write waits", "one", "two")
		quorum.Store(true)
		time.Sleep(10 * time.Second)
		expect("with a quorum")
		for _, want := range []string{"one", "two"} {
			if got := <-written; got != want {
				t.Errorf("%q was written; want %q", got, want)
			}
		}
		quorum.Store(false)
		news <- holdNews{Text: "three"}
		time.Sleep(2 * time.Second)
		end()
		synctest.Wait()
		last := make(chan holdNews, 1)
		last <- holdNews{Text: "four"}
		u.rest(last)
		expect("after the end", "three", "four")
	})
}
