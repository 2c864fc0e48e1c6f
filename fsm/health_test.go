package fsm

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// healthBed is a service of n servers on one node, all up.
func healthBed(t tb, n int, change func(*Service)) *world {
	w := newWorld(t)
	w.form(1)
	w.pass(0)
	c := vips(1)
	s := Service{Name: "web", VIP: "v0000", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: NAT,
		Checks: []Check{{Type: CheckTCP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}}}
	for i := range n {
		s.Servers = append(s.Servers, Server{Address: webServer(i).Address, Weight: 10})
	}
	change(&s)
	c.Services = map[string]Service{"web": s}
	w.configure(c)
	for i := range n {
		w.see(i, Up)
	}
	return w
}

func webServer(i int) ServerKey {
	return ServerKey{"web", netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 80)}
}

// see commits one verdict.
func (w *world) see(i int, v Verdict) {
	w.t.Helper()
	w.must(Command{SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: webServer(i), Verdict: v}}}})
}

// table are the servers in the table, like "1 2*0".
func (w *world) table() string {
	var out []string
	for _, s := range w.s.localService(w.s.Config.Services["web"], []string{"v0000"}).Servers {
		text := fmt.Sprint(s.Address.Addr().As4()[3])
		if s.Weight != 10 {
			text += fmt.Sprintf("*%d", s.Weight)
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func (w *world) want(what, table string) {
	w.t.Helper()
	if got := w.table(); got != table {
		w.t.Fatalf("%s: the table has %q, want %q", what, got, table)
	}
}

func (w *world) lastEvents(n int) (out []ReasonCode) {
	for _, e := range w.s.Events[max(0, len(w.s.Events)-n):] {
		out = append(out, e.Reason)
	}
	return out
}

// The servers that fall together stay; the ones that were down before do not come back with them.
func TestPanic(t *testing.T) {
	w := healthBed(t, 4, func(*Service) {})
	w.see(3, Down)
	w.pass(time.Hour)
	w.see(0, Down)
	w.pass(300 * time.Millisecond)
	w.want("one has fallen", "2 3")
	w.see(1, Down)
	w.pass(300 * time.Millisecond)
	w.want("two have fallen", "3")
	w.see(2, Down)
	w.want("all have fallen at once", "1 2 3")
	if w.s.Services["web"].Panic.IsZero() || !w.s.Services["web"].Quorum || !slices.Contains(w.lastEvents(2), ReasonPanic) {
		t.Errorf("%+v, %v", w.s.Services["web"], w.lastEvents(3))
	}
	if st := w.s.Servers[webServer(0)]; st.Verdict != Down || !st.Kept {
		t.Errorf("the verdict is the truth: %+v", st)
	}
	w.pass(24 * time.Hour)
	w.want("however long it lasts", "1 2 3")
	w.must(Command{SetAdmin: &SetAdmin{Server: webServer(2), Admin: Disabled}})
	w.want("an operator's word counts more", "1 2")
	w.see(1, Up)
	w.want("one is up: the others leave", "2")
	if !w.s.Services["web"].Panic.IsZero() || !slices.Contains(w.lastEvents(2), ReasonPanicOver) {
		t.Errorf("%+v, %v", w.s.Services["web"], w.lastEvents(3))
	}
	w.pass(time.Minute)
	w.see(1, Down)
	w.want("the last one that is left falls alone", "")
}

func TestPanicShare(t *testing.T) {
	half := func(s *Service) { s.Health.Panic = "50%" }
	w := healthBed(t, 4, half)
	w.see(0, Down)
	w.see(1, Down)
	w.want("half of them is not more than half", "3 4")
	w.pass(time.Minute)
	w.see(2, Down)
	w.want("what fell long ago did not fall at once", "4")

	w = healthBed(t, 4, half)
	for i := range 3 {
		w.see(i, Down)
	}
	w.want("three of four", "1 2 3 4")
	w.see(3, Down)
	w.want("and one more", "1 2 3 4")
	w.see(3, Up)
	w.want("still three of four", "1 2 3 4")
	w.see(0, Up)
	w.want("two are up", "1 4")

	for name, change := range map[string]func(*Service){
		"it is off":                 func(s *Service) { s.Health.Panic = "off" },
		"a sorry server stands in":  func(s *Service) { s.Sorry = &Server{Address: netip.MustParseAddrPort("10.0.0.99:80"), Weight: 10} },
		"a single server is no set": func(s *Service) { s.Servers = s.Servers[:1] },
	} {
		w = healthBed(t, 2, func(s *Service) {})
		c := w.s.Config
		s := c.Services["web"]
		change(&s)
		c.Services = map[string]Service{"web": s}
		w.must(Command{Configure: &Configure{Force: true, Config: c}})
		for i := range s.Servers {
			w.see(i, Down)
		}
		if got := w.table(); got != "" && got != "99*1" {
			t.Errorf("%s: the table has %q", name, got)
		}
	}
}

// A configuration that takes it away ends a panic, and one that has come to the schema has none.
func TestPanicEndsByConfiguration(t *testing.T) {
	w := healthBed(t, 2, func(*Service) {})
	w.see(0, Down)
	w.see(1, Down)
	w.want("a panic", "1 2")
	c := w.s.Config
	s := c.Services["web"]
	s.Health.Panic = "off"
	c.Services = map[string]Service{"web": s}
	w.must(Command{Configure: &Configure{Force: true, Config: c}})
	w.want("it is off", "")
}

// However servers fall and come: with a panic threshold, a service that had two servers or more within the window is never empty, as long as
// nobody takes servers out by hand; what is kept is down, and only in a panic; and once one is up again no more than those that are up are in.
func TestPanicNeverEmpties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(rt, "servers")
		share := rapid.SampledFrom([]string{"", "all", "50%", "99%", "1%"}).Draw(rt, "panic")
		w := healthBed(rt, n, func(s *Service) { s.Health.Panic = share })
		window := w.s.Config.Services["web"].panicWindow()
		since := w.now // for how long two servers or more have been in
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			w.pass(time.Duration(rapid.IntRange(0, 9).Draw(rt, "pass")) * time.Second)
			i := rapid.IntRange(0, n-1).Draw(rt, "server")
			was := len(strings.Fields(w.table()))
			w.see(i, rapid.SampledFrom([]Verdict{Up, Down, Down}).Draw(rt, "verdict"))
			up := 0
			for i := range n {
				if w.s.Servers[webServer(i)].Verdict == Up {
					up++
				}
			}
			in := len(strings.Fields(w.table()))
			if in == 0 && was > 0 && w.now.Sub(since) < window {
				rt.Fatalf("%d servers, %q: from %d to none %v after there were two or more", n, share, was, w.now.Sub(since))
			}
			if in >= 2 {
				since = w.now
			}
			if inPanic := !w.s.Services["web"].Panic.IsZero(); !inPanic && in != up || inPanic && in < up {
				rt.Fatalf("panic %v: %d in, %d up", inPanic, in, up)
			}
		}
		for i := range n {
			w.see(i, Up)
		}
		if !w.s.Services["web"].Panic.IsZero() || len(strings.Fields(w.table())) != n {
			rt.Fatalf("all are up: %+v, table %q", w.s.Services["web"], w.table())
		}
	})
}

// Each fall that comes soon holds a server longer, ordinary restarts are not held, and quiet forgets.
func TestDamping(t *testing.T) {
	w := healthBed(t, 2, func(*Service) {})
	k := webServer(0)
	w.pass(time.Hour)
	for i, hold := range []time.Duration{0, 0, 5, 10, 20, 40, 80, 160, 300, 300} {
		w.pass(time.Minute)
		w.see(0, Down)
		until, held := w.s.HeldDown(k, w.now)
		if held != (hold > 0) || held && until.Sub(w.now) != hold*time.Second {
			t.Fatalf("fall %d: held %v until %v, want %v", i+1, held, until.Sub(w.now), hold*time.Second)
		}
		w.pass(hold * time.Second)
		if _, held := w.s.HeldDown(k, w.now); held {
			t.Fatalf("fall %d: it does not end", i+1)
		}
		w.see(0, Up)
	}
	if falls := w.s.Servers[k].Falls; falls != 10 {
		t.Fatalf("%d falls", falls)
	}
	w.pass(15 * time.Minute)
	w.see(0, Down)
	if falls := w.s.Servers[k].Falls; falls != 8 {
		t.Errorf("after 15 quiet minutes: %d falls, want 10 - 3 + 1", falls)
	}
	w.see(0, Up)
	w.pass(24 * time.Hour)
	w.see(0, Down)
	if _, held := w.s.HeldDown(k, w.now); held || w.s.Servers[k].Falls != 1 {
		t.Errorf("after a quiet day it is held: %+v", w.s.Servers[k])
	}
}

func TestDampingSettings(t *testing.T) {
	s := Service{Health: Health{DampingAfter: 1, DampingHold: time.Second, DampingMax: 6 * time.Second}}
	for falls, want := range []time.Duration{0, 1, 2, 4, 6, 6} {
		if got := s.Hold(falls); got != want*time.Second {
			t.Errorf("%d falls: %v, want %v", falls, got, want*time.Second)
		}
	}
	if got := s.Hold(1 << 40); got != 6*time.Second {
		t.Errorf("without end: %v", got)
	}
	s.Health.NoDamping = true
	if s.Hold(9) != 0 {
		t.Error("it is off")
	}
}

// Nobody is held while the service has nobody else, and a clock that was wrong holds nothing for long.
func TestDampingLetsTheLastOneIn(t *testing.T) {
	w := healthBed(t, 2, func(s *Service) { s.Health.DampingAfter, s.Health.DampingHold, s.Health.Panic = 1, time.Minute, "off" })
	w.see(0, Down)
	if _, held := w.s.HeldDown(webServer(0), w.now); !held {
		t.Fatal("it is not held")
	}
	w.see(1, Down)
	for i := range 2 {
		if _, held := w.s.HeldDown(webServer(i), w.now); held {
			t.Errorf("server %d is held, and nobody serves", i)
		}
	}
	w.see(1, Up)
	if _, held := w.s.HeldDown(webServer(0), w.now.Add(-time.Hour)); held {
		t.Error("held by a stamp that is an hour ahead")
	}
}

// A server's own wish is followed, but not against an operator's, and it is no quorum's business unless it wants nothing.
func TestAskedWeights(t *testing.T) {
	w := healthBed(t, 3, func(s *Service) { s.Quorum = 30 })
	ask := func(i int, a Asked) {
		t.Helper()
		w.must(Command{SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: webServer(i), Verdict: Up, Asked: a}}}})
	}
	before := len(w.s.Events)
	ask(0, Asked{Is: true, Percent: true, Value: 75})
	w.want("75 % of 10", "1*7 2 3")
	ask(0, Asked{Is: true, Percent: true, Value: 1})
	w.want("never nothing", "1*1 2 3")
	ask(0, Asked{Is: true, Value: 200})
	w.want("in its place", "1*200 2 3")
	if len(w.s.Events) != before {
		t.Errorf("events: %v", w.s.Events[before:])
	}
	if !w.s.QuorumOf("web").Met {
		t.Error("the quorum is lost")
	}
	ask(1, Asked{Is: true, Percent: true})
	w.want("its connections go on, and the quorum is lost", "2*0")
	if w.s.QuorumOf("web").Met || len(w.s.Events) != before+2 {
		t.Errorf("%+v, %v", w.s.QuorumOf("web"), w.s.Events[before:])
	}
	ask(1, Asked{})
	w.want("it asks no more", "1*200 2 3")
	w.see(0, Down)
	w.see(0, Up)
	w.want("with a fall it is forgotten", "1 2 3")
}

func TestAskedOf(t *testing.T) {
	for _, c := range []struct {
		a        Asked
		of, want int
	}{
		{Asked{}, 5, 5},
		{Asked{Is: true, Percent: true, Value: 50}, 5, 2},
		{Asked{Is: true, Percent: true, Value: 200}, 5, 10},
		{Asked{Is: true, Percent: true, Value: 1 << 60}, MaxWeight, MaxWeight},
		{Asked{Is: true, Percent: true, Value: 50}, 0, 0},
		{Asked{Is: true, Value: 7}, 0, 0},
		{Asked{Is: true, Value: 1 << 40}, 3, MaxWeight},
		{Asked{Is: true, Value: -1}, 3, 0},
	} {
		if got := c.a.Of(c.of); got != c.want {
			t.Errorf("%+v of %d: %d, want %d", c.a, c.of, got, c.want)
		}
	}
}
