package vrrp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAppointedWalk: whatever is heard in whatever order, a router of a cluster speaks only between being appointed and letting go, says priority 0 for a Release
// alone, never becomes Active by itself unless there is no quorum, is moved by no stranger, and answers a flood with no flood.
func TestAppointedWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := base()
		c.Mode = Appointed
		c.Version = rapid.SampledFrom([]Version{V2, V3}).Draw(t, "version")
		c.Preempt = rapid.Bool().Draw(t, "preempt")
		c.Contest = rapid.Bool().Draw(t, "contest")
		c.LastWord = rapid.Bool().Draw(t, "last word")
		if c.Preempt {
			c.PreemptDelay = time.Duration(rapid.IntRange(0, 3).Draw(t, "delay")) * sec
		}
		m := NewMachine(c)
		var now time.Duration
		var sent, alarms int
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			next := now + time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms"))*ms
			if due, runs := m.Deadline(); runs && due < next {
				next = max(due, now)
			}
			now = next
			e := Event{Kind: rapid.SampledFrom([]EventKind{Startup, Shutdown, Tick, Tick, Tick, Advertised, Advertised, Advertised, Appoint, HandOver, Release, Elect, Abstain}).Draw(t, "kind"), At: now}
			if e.Kind == Advertised {
				e.Source = rapid.SampledFrom(addrs("192.168.1.0", "192.168.1.2", "192.168.1.10")).Draw(t, "source")
				e.Role = rapid.SampledFrom([]Role{Stranger, Fellow, Listed}).Draw(t, "role")
				e.Priority = rapid.SampledFrom([]Priority{0, 1, 149, 150, 151, 255}).Draw(t, "priority")
				e.Interval = rapid.SampledFrom([]time.Duration{10 * ms, sec, MaxIntervalV3}).Draw(t, "interval")
			}
			if e.Kind == Elect {
				e.Priority = rapid.SampledFrom([]Priority{0, 1, 149, 255}).Draw(t, "elect")
			}
			before, electing := m.State(), m.Electing()
			due, _ := m.Deadline()
			for _, a := range m.Step(e) {
				switch {
				case a.Kind == Send && a.Priority == Releasing && !(e.Kind == Release && before == Active):
					t.Fatalf("%s in %s: says that it lets go", e.Kind, before)
				case a.Kind == Send && a.Priority != Releasing && before != Active && e.Kind != Appoint && !electing:
					t.Fatalf("%s in %s: speaks", e.Kind, before)
				case a.Kind == Enter && a.State == Active && e.Kind != Appoint && !electing:
					t.Fatalf("%s in %s: becomes active by itself", e.Kind, before)
				case a.Kind == Send:
					sent++
				case a.Kind == Alarm:
					alarms++
				}
			}
			governed := e.Kind == Appoint || e.Kind == HandOver || e.Kind == Release || e.Kind == Shutdown
			if governed && before != Initialize && (m.Electing() || m.Priority() != c.Priority) {
				t.Fatalf("%s: electing %t by priority %d", e.Kind, m.Electing(), m.Priority())
			}
			if e.Kind == Advertised && e.Role == Stranger {
				if after, _ := m.Deadline(); m.State() != before || after != due && e.Priority != Releasing {
					t.Fatalf("a stranger moves it from %s to %s, its timer by %s", before, m.State(), after-due)
				}
			}
			if due, runs := m.Deadline(); runs && due < now-MaxIntervalV3 || due > now+101*MaxIntervalV3 {
				t.Fatalf("timer in %s", due-now)
			}
		}
		if alarms > int(now/alarmGap)+1 {
			t.Fatalf("%d alarms in %s", alarms, now)
		}
	})
}

// TestFloodOfAdverts: 50,000 adverts a second are answered by 100.
func TestFloodOfAdverts(t *testing.T) {
	c := base()
	c.Mode = Appointed
	m := NewMachine(c)
	m.Step(at(Startup, 0))
	m.Step(at(Appoint, 0))
	did := map[ActionKind]int{}
	for i := range 50_000 {
		e := hears(time.Duration(i)*sec/50_000, Priority(i%150))
		e.Role = Role(i % 3)
		for _, a := range m.Step(e) {
			did[a.Kind]++
		}
	}
	if did[Send] > 100 || did[Announce] > 2 || did[Alarm] > 2 || m.State() != Active {
		t.Errorf("did %v, is %s", did, m.State())
	}
}

// segment is a link without loss, on which adverts take a while.
type segment struct {
	now      time.Duration
	delay    time.Duration
	machines []*Machine
	down     []bool
	flying   []flying
	mutual   time.Duration // how long more than one was Active
}

type flying struct {
	at   time.Duration
	from int
	p    Priority
}

func (s *segment) step(i int, e Event) {
	for _, a := range s.machines[i].Step(e) {
		if a.Kind == Send {
			s.flying = append(s.flying, flying{s.now + s.delay, i, a.Priority})
		}
	}
}

func (s *segment) actives() (list []int) {
	for i, m := range s.machines {
		if !s.down[i] && m.State() == Active {
			list = append(list, i)
		}
	}
	return list
}

// run lets time pass: always to the next advert that arrives or timer that fires.
func (s *segment) run(until time.Duration) {
	for {
		next, who := until, -1
		for i, m := range s.machines {
			if due, runs := m.Deadline(); runs && !s.down[i] && due < next {
				next, who = due, i
			}
		}
		arrives := len(s.flying) > 0 && s.flying[0].at <= next
		if arrives {
			next = s.flying[0].at
		}
		if len(s.actives()) > 1 {
			s.mutual += next - s.now
		}
		s.now = next
		switch {
		case arrives:
			f := s.flying[0]
			s.flying = s.flying[1:]
			c := s.machines[f.from].config
			for i := range s.machines {
				if i != f.from && !s.down[i] {
					s.step(i, Event{Kind: Advertised, At: s.now, Source: c.Source, Role: Listed, Priority: f.p, Interval: c.Interval})
				}
			}
		case who >= 0:
			s.step(who, Event{Kind: Tick, At: s.now})
		default:
			return
		}
	}
}

// TestElection: hosts that elect among themselves. The best of those that run is Active, whoever stops or dies, within the time that the protocol
// promises, and two are Active for no longer than an advert takes.
func TestElection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &segment{delay: time.Duration(rapid.IntRange(0, 2).Draw(t, "delay")) * ms}
		interval := 100 * ms
		for i := range rapid.IntRange(2, 5).Draw(t, "hosts") {
			c := base()
			c.Interval, c.Source = interval, netip.AddrFrom4([4]byte{192, 168, 1, byte(i + 1)})
			c.Priority = Priority(rapid.IntRange(1, 254).Draw(t, "priority"))
			c.Version = V3
			s.machines, s.down = append(s.machines, NewMachine(c)), append(s.down, false)
		}
		best := func() int {
			b := -1
			for i, m := range s.machines {
				if !s.down[i] && (b < 0 || m.Priority() > s.machines[b].Priority()) {
					b = i
				}
			}
			return b
		}
		for i := range s.machines {
			s.step(i, at(Startup, 0))
		}
		settle := func(what string, within time.Duration) {
			t.Helper()
			s.run(s.now + within)
			if a := s.actives(); len(a) != 1 || s.machines[a[0]].Priority() != s.machines[best()].Priority() {
				t.Fatalf("%s: active are %v, the best is %d", what, a, best())
			}
		}
		// The lowest priority waits four intervals; a wrong start is corrected with the next advert.
		settle("start", 4*interval+4*s.delay)
		for alive := len(s.machines); alive > 1; alive-- {
			b := s.actives()[0]
			if rapid.Bool().Draw(t, "dies") {
				s.down[b] = true
			} else {
				s.step(b, at(Shutdown, s.now))
				s.down[b] = true
				if !slices.ContainsFunc(s.flying, func(f flying) bool { return f.p == Releasing }) {
					t.Fatal("it stopped without a word")
				}
			}
			settle("after a loss", 4*interval+4*s.delay)
		}
		if most := time.Duration(len(s.machines)*3) * (s.delay + 1); s.mutual > most {
			t.Errorf("two were active for %s, want at most %s", s.mutual, most)
		}
	})
}
