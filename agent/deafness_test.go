package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quorate/agent/speak"
	"quorate/fsm"
	"quorate/vip"
	"quorate/vip/vrrp"
	"quorate/vip/vrrp/vrrptest"
)

// TestDeafnessIsAFact: a node says for which virtual routers with peers it has had no sockets for 1.75 intervals, or half a second where it does not speak,
// and takes that back when it has heard for three seconds.
func TestDeafnessIsAFact(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, c *vrrptest.Cable) {
		var broken atomic.Bool
		var told atomic.Int32
		link := vip.Link{Name: "eth0", Index: 2, Up: true, Carrier: true, Primary: netip.MustParseAddr("192.0.2.1")}
		links := func() ([]vip.Link, error) {
			l := link
			if broken.Load() {
				l.Index = 3 // a new one, so that the sockets of the old one end
			}
			return []vip.Link{l}, nil
		}
		voices := speak.New(speak.Options{Links: links, Live: func(uint64) bool { return true }, Open: func(vrrp.ConnOptions) (speak.Wire, error) {
			if broken.Load() {
				return nil, errors.New("raw socket: operation not permitted")
			}
			return c.Plug(), nil
		}})
		go func() { _ = voices.Run(ctx) }()
		d := &deafness{heard: voices.Heard, refresh: func() { told.Add(1) }}
		go func() { _ = d.run(ctx) }()
		f := &facts{fence: new(fence).kind, plane: newPlaneWorker(slog.New(slog.DiscardHandler)), deaf: d, links: noLinks, log: slog.New(slog.DiscardHandler)}
		says := func(when, want string, times int32) {
			t.Helper()
			synctest.Wait()
			if got := fmt.Sprint(f.read().NoVRRP); got != want || told.Load() != times {
				t.Errorf("%s: %s, told %d times; want %s, %d times", when, got, told.Load(), want, times)
			}
		}
		r := func(name string, vrid uint8, peers ...netip.Addr) fsm.LocalRouter {
			x := fsm.VIP{Name: name, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, vrid}), 24)}
			return fsm.LocalRouter{Link: "eth0", Router: fsm.ResolvedRouter{Name: name, VirtualRouter: fsm.VirtualRouter{VRID: vrid, Peers: peers}.Whole(), VIPs: []fsm.VIP{x}}}
		}
		state := fsm.New()
		voices.Want(wantedRouters(state, "n1", []fsm.LocalRouter{r("web", 51, legacyRouter), r("alone", 52)}))
		id, _ := routerID(r("web", 51))
		voices.Speak(id, 1)
		time.Sleep(10 * time.Second)
		says("it hears", "[]", 0)
		lose := func(lost bool) { broken.Store(lost); voices.Look() }
		const web = "[{web on eth0: raw socket: operation not permitted}]"
		lose(true)
		time.Sleep(1500 * time.Millisecond)
		says("for a moment", "[]", 0)
		time.Sleep(time.Second)
		says("for longer", web, 1)
		time.Sleep(time.Minute)
		says("for a minute", web, 1)
		lose(false)
		time.Sleep(listensFor - 2*deafLook)
		says("it has begun to hear", web, 1)
		lose(true)
		time.Sleep(time.Second)
		lose(false)
		time.Sleep(listensFor - 2*deafLook)
		says("again", web, 1)
		time.Sleep(3 * time.Second)
		says("it has heard for a while", "[]", 2)
		lose(true)
		time.Sleep(3 * time.Second)
		says("once more", web, 3)
		lose(false)
		time.Sleep(5 * time.Second)
		says("it hears again", "[]", 4)
		voices.Silence(id)
		time.Sleep(time.Second)
		lose(true)
		time.Sleep(deafLeast - time.Millisecond)
		says("it does not speak: for a moment", "[]", 4)
		time.Sleep(2*deafLook + time.Millisecond)
		says("it does not speak", web, 5)
		routers := wantedRouters(state, "n1", []fsm.LocalRouter{r("web", 51, legacyRouter)})
		for range 3 {
			voices.Want(nil)
			time.Sleep(deafGone - time.Second)
			says("the router has gone", web, 5)
			voices.Want(routers)
			time.Sleep(time.Second)
			says("it is back", web, 5)
		}
		voices.Want(nil)
		time.Sleep(deafGone + time.Second)
		says("the router is gone", "[]", 6)
	})
}

// TestShortIntervals: sockets that are being opened are not missing, however short the interval.
func TestShortIntervals(t *testing.T) {
	now := time.Unix(1000, 0)
	h := speak.Heard{ID: speak.ID{Link: "eth0"}, Name: "web", Config: vrrp.Config{Interval: 10 * time.Millisecond, Listed: []netip.Addr{legacyRouter}}, Problem: "it is being opened", Speaks: true}
	d := &deafness{heard: func() []speak.Heard { return []speak.Heard{h} }}
	for _, x := range []struct {
		after time.Duration
		news  bool
		said  int
	}{{0, false, 0}, {deafLeast - time.Millisecond, false, 0}, {deafLeast, true, 1}, {deafLeast + time.Second, false, 1}} {
		if news := d.look(now.Add(x.after)); news != x.news || len(d.facts()) != x.said {
			t.Errorf("after %v: news %v, said %v", x.after, news, d.facts())
		}
	}
	if text := d.facts()[0].Reason; !strings.HasPrefix(text, "on eth0: ") {
		t.Error(text)
	}
}

// TestLongIntervals: with an interval of ten seconds an owner has time; a node that has nothing open says at once what it lacks, so that nothing comes to it and waits.
func TestLongIntervals(t *testing.T) {
	now := time.Unix(1000, 0)
	h := speak.Heard{ID: speak.ID{Link: "eth0"}, Name: "web", Config: vrrp.Config{Interval: 10 * time.Second, Listed: []netip.Addr{legacyRouter}}, Problem: "no carrier", Speaks: true}
	d := &deafness{heard: func() []speak.Heard { return []speak.Heard{h} }}
	for _, x := range []struct {
		after  time.Duration
		speaks bool
		said   int
	}{{0, true, 0}, {17*time.Second + 499*time.Millisecond, true, 0}, {17*time.Second + 499*time.Millisecond, false, 1}} {
		h.Speaks = x.speaks
		if d.look(now.Add(x.after)); len(d.facts()) != x.said {
			t.Errorf("after %v, speaks %t: said %v", x.after, x.speaks, d.facts())
		}
	}
	d = &deafness{heard: d.heard}
	for _, x := range []struct {
		after time.Duration
		said  int
	}{{0, 0}, {deafLeast - time.Millisecond, 0}, {deafLeast, 1}} {
		if d.look(now.Add(x.after)); len(d.facts()) != x.said {
			t.Errorf("after %v, nothing open: said %v", x.after, d.facts())
		}
	}
}

// TestCannotAskIsAFact: an owner that is silent since it cannot ask says so, and goes on saying it without the VIPs, until it has been able to ask for a while.
func TestCannotAskIsAFact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		var there atomic.Bool
		var link atomic.Value
		link.Store("eth0")
		rounds := 0
		ask := scriptAsker(func(int, func(string)) error {
			rounds++
			if failing.Load() {
				return errors.New("no buffer space available, try again")
			}
			return nil
		})
		failing.Store(true)
		there.Store(true)
		told := 0
		d := &deafness{ask: ask, refresh: func() { told++ }, heard: func() []speak.Heard {
			if !there.Load() {
				return nil
			}
			return []speak.Heard{{ID: speak.ID{Link: link.Load().(string)}, Name: "web", Config: vrrp.Config{Interval: time.Second, Listed: []netip.Addr{legacyRouter}, Addresses: []netip.Addr{web.Addr}}}}
		}}
		go func() { _ = d.run(context.WithValue(t.Context(), askerKey{}, new(int))) }()
		says := func(when string, after time.Duration, want bool) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			text := "[]"
			if want {
				text = "[{web on eth0: nobody can be asked whether another router has its addresses: no buffer space available}]"
			}
			if got := fmt.Sprint(d.facts()); got != text {
				t.Errorf("%s: %s, want %s", when, got, text)
			}
		}
		owns := map[string]unasked{"web": {"eth0", []netip.Addr{web.Addr}, "no buffer space available"}}
		says("it owns nothing", time.Minute, false)
		if rounds > 0 {
			t.Error("asks of its own accord")
		}
		d.cannotAsk(owns, nil)
		says("it cannot ask", time.Second, true)
		d.cannotAsk(map[string]unasked{"web": {"eth0", []netip.Addr{web.Addr}, "another error"}}, nil)
		says("it cannot ask for a minute", time.Minute, true)
		if rounds > 0 {
			t.Error("asks beside the owner's own rounds")
		}
		d.cannotAsk(nil, nil)
		says("another node has it", time.Minute, true)
		failing.Store(false)
		says("it can ask", listensFor-time.Second, true)
		failing.Store(true)
		says("for a moment", time.Minute, true)
		failing.Store(false)
		says("it can ask for good", listensFor+2*tryAgain, false)
		if n := rounds; n > 150 || told != 2 {
			t.Errorf("asked in %d rounds, told %d times", n, told)
		}
		was := rounds
		says("and so it stays", time.Minute, false)
		if rounds != was {
			t.Error("goes on asking")
		}
		d.cannotAsk(owns, nil)
		says("once more", time.Second, true)
		d.cannotAsk(nil, nil)
		failing.Store(true)
		there.Store(false)
		says("the router is gone", deafGone-2*time.Second, true)
		says("for good", 4*time.Second, false)

		there.Store(true)
		d.cannotAsk(owns, nil)
		says("once more", time.Second, true)
		d.cannotAsk(nil, map[string]bool{"web": true})
		says("it could be asked, and the owner has opened", deafLook, false)
		d.cannotAsk(owns, nil)
		says("once more", time.Second, true)
		d.cannotAsk(nil, nil)
		says("another node has it", time.Minute, true)
		link.Store("eth1")
		says("the router is on another link", deafLook, false)
	})
}
