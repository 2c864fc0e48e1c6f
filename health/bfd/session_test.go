package bfd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	start  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	params = Params{Transmit: 50 * time.Millisecond, Receive: 60 * time.Millisecond, Multiplier: 3}
)

func never() float64 { return 1 } // no jitter

// from is what a peer says.
func from(s State) Packet {
	return Packet{State: s, Multiplier: 5, Mine: 7, Yours: 1, DesiredMinTx: 40 * time.Millisecond, RequiredMinRx: 30 * time.Millisecond}
}

// in is a session in the state, whose polls have been answered and which has sent what it had to say.
func in(t *testing.T, s State, p Params) *Session {
	t.Helper()
	x := NewSession(p, 1, never)
	switch s {
	case AdminDown:
		x.Disable()
	case Down:
	case Init:
		x.Receive(from(Down), start)
	case Up:
		x.Receive(from(Init), start)
		final := from(Up)
		final.Final = true
		x.Receive(final, start)
	}
	if got, _ := x.State(); got != s {
		t.Fatalf("it is %v, want %v", got, s)
	}
	x.flush(start)
	return x
}

// flush has it send all that it has to say.
func (s *Session) flush(now time.Time) (out []Packet) {
	for {
		p, ok := s.Packet(now)
		if !ok {
			return out
		}
		if out = append(out, p); len(out) > 10 {
			panic("it has always something to say")
		}
	}
}

// TestTransitions is the state machine of RFC 5880 §6.8.6, each state with all that may be heard.
func TestTransitions(t *testing.T) {
	for _, c := range []struct {
		is, hears, becomes State
		diag               Diag
	}{
		{AdminDown, AdminDown, AdminDown, DiagAdmin}, {AdminDown, Down, AdminDown, DiagAdmin}, {AdminDown, Init, AdminDown, DiagAdmin}, {AdminDown, Up, AdminDown, DiagAdmin},
		{Down, AdminDown, Down, NoDiag}, {Down, Down, Init, NoDiag}, {Down, Init, Up, NoDiag}, {Down, Up, Down, NoDiag},
		{Init, AdminDown, Down, NeighborDown}, {Init, Down, Init, NoDiag}, {Init, Init, Up, NoDiag}, {Init, Up, Up, NoDiag},
		{Up, AdminDown, Down, NeighborDown}, {Up, Down, Down, NeighborDown}, {Up, Init, Up, NoDiag}, {Up, Up, Up, NoDiag},
	} {
		x := in(t, c.is, params)
		x.Receive(from(c.hears), start.Add(time.Millisecond))
		if s, d := x.State(); s != c.becomes || d != c.diag {
			t.Errorf("%v hears %v: %v (%v), want %v (%v)", c.is, c.hears, s, d, c.becomes, c.diag)
		}
		said := x.flush(start.Add(time.Millisecond))
		if changed := c.is != c.becomes; changed != (len(said) == 1 && said[0].State == c.becomes) { // §6.8.7: news go at once
			if changed || len(said) != 0 && c.is != Down && c.is != AdminDown { // these two learn the discriminator
				t.Errorf("%v hears %v: it sends %+v at once", c.is, c.hears, said)
			}
		}
	}
}

func TestDetection(t *testing.T) {
	for _, s := range []State{Init, Up} {
		x := in(t, s, params)
		// §6.8.4: their multiplier by the larger of what we can receive and what they want to send.
		if got := x.DetectionTime(); got != 300*time.Millisecond {
			t.Errorf("detection time %v", got)
		}
		x.Expire(start.Add(300*time.Millisecond - 1))
		if got, _ := x.State(); got != s {
			t.Errorf("%v: it became %v too early", s, got)
		}
		x.Expire(start.Add(300 * time.Millisecond))
		if got, why := x.State(); got != Down || why != TimeExpired {
			t.Errorf("%v: %v (%v) when the time is over", s, got, why)
		}
		said := x.flush(start.Add(300 * time.Millisecond))
		if len(said) != 1 || said[0].State != Down || said[0].Diag != TimeExpired || said[0].Yours != 0 || said[0].DesiredMinTx != time.Second || said[0].Poll {
			t.Errorf("%v: it says %+v", s, said)
		}
		if !x.End().IsZero() {
			t.Error("it waits for silence to end")
		}
	}
	x := in(t, Up, params)
	slow := from(Up)
	slow.DesiredMinTx = 200 * time.Millisecond
	if x.Receive(slow, start); x.DetectionTime() != time.Second {
		t.Errorf("detection time %v of a peer that sends slowly", x.DetectionTime())
	}
}

// TestRhythm is about when packets go: §6.8.2, §6.8.3, §6.8.7.
func TestRhythm(t *testing.T) {
	quiet := from(Up)
	quiet.RequiredMinRx = 0
	demand := from(Up)
	demand.Demand = true
	slow := from(Up)
	slow.RequiredMinRx = 400 * time.Millisecond
	passive := params
	passive.Passive = true
	for _, c := range []struct {
		name  string
		is    State
		p     Params
		hears *Packet
		want  time.Duration // until the next packet; 0 = none comes
	}{
		{"up: as we are asked to, and want", Up, params, nil, 50 * time.Millisecond},
		{"up: the peer wants fewer", Up, params, &slow, 400 * time.Millisecond},
		{"up: the peer wants none", Up, params, &quiet, 0},
		{"up: the peer demands that we ask only", Up, params, &demand, 0},
		{"down: one in a second", Down, params, nil, time.Second},
		{"init: one in a second", Init, params, nil, time.Second},
		{"switched off: one in a second", AdminDown, params, nil, time.Second},
		{"passive, and nobody was heard", Down, passive, nil, 0},
		{"passive, and the peer was heard", Init, passive, nil, time.Second},
	} {
		x := in(t, c.is, c.p)
		if c.hears != nil {
			x.Receive(*c.hears, start)
			x.flush(start)
		}
		if c.want == 0 {
			if said := x.flush(start.Add(time.Minute)); len(said) != 0 {
				t.Errorf("%s: it sends %+v", c.name, said)
			}
			continue
		}
		if said := x.flush(start.Add(c.want - 1)); len(said) != 0 {
			t.Errorf("%s: it sends %+v too early", c.name, said)
		}
		if said := x.flush(start.Add(c.want)); len(said) != 1 {
			t.Errorf("%s: it sends %d packets when one is due", c.name, len(said))
		}
	}
}

func TestJitter(t *testing.T) {
	for multiplier, most := range map[uint8]time.Duration{1: 90 * time.Millisecond, 3: 100 * time.Millisecond} {
		x := NewSession(Params{100 * time.Millisecond, 100 * time.Millisecond, multiplier, false}, 1, rand.Float64)
		x.Receive(from(Init), start)
		now, lo, hi := start, time.Hour, time.Duration(0)
		x.flush(now)
		for range 2000 {
			x.heard = now
			next := x.Next()
			lo, hi = min(lo, next.Sub(now)), max(hi, next.Sub(now))
			if now = next; len(x.flush(now)) != 1 {
				t.Fatal("nothing is sent at Next")
			}
		}
		if lo < 75*time.Millisecond || hi > most || hi-lo < (most-75*time.Millisecond)/2 {
			t.Errorf("multiplier %d: packets are %v to %v apart", multiplier, lo, hi)
		}
	}
}

// TestPoll is about changes of intervals: §6.5, §6.8.3.
func TestPoll(t *testing.T) {
	poll := from(Up)
	poll.Poll = true
	final := from(Up)
	final.Final = true

	x := in(t, Up, params)
	x.Receive(poll, start)
	x.Receive(poll, start)
	if said := x.flush(start); len(said) != 1 || !said[0].Final || said[0].Poll {
		t.Errorf("a Poll is answered by %+v", said)
	}

	x = NewSession(params, 1, never) // up: our interval becomes shorter, and the peer is asked to confirm
	x.Receive(from(Init), start)
	for _, at := range []time.Duration{0, 50 * time.Millisecond} {
		if said := x.flush(start.Add(at)); len(said) != 1 || !said[0].Poll || said[0].Final || said[0].DesiredMinTx != params.Transmit {
			t.Errorf("after %v: %+v", at, said)
		}
	}
	if x.Receive(poll, start); true { // both at once: never in one packet
		if said := x.flush(start.Add(50 * time.Millisecond)); len(said) != 1 || !said[0].Final || said[0].Poll {
			t.Errorf("a Poll amid ours is answered by %+v", said)
		}
	}
	x.Receive(final, start)
	if said := x.flush(start.Add(time.Second)); len(said) != 1 || said[0].Poll {
		t.Errorf("after the Final: %+v", said)
	}

	x = in(t, Up, params)
	x.Configure(Params{Transmit: 500 * time.Millisecond, Receive: 10 * time.Millisecond, Multiplier: 3})
	said := x.flush(start)
	if len(said) != 1 || !said[0].Poll || said[0].DesiredMinTx != 500*time.Millisecond || said[0].RequiredMinRx != 10*time.Millisecond {
		t.Errorf("of the change it says %+v", said)
	}
	if x.Interval() != 50*time.Millisecond || x.DetectionTime() != 300*time.Millisecond {
		t.Errorf("before the Final: %v, %v", x.Interval(), x.DetectionTime())
	}
	x.Receive(final, start)
	if x.Interval() != 500*time.Millisecond || x.DetectionTime() != 200*time.Millisecond {
		t.Errorf("after the Final: %v, %v", x.Interval(), x.DetectionTime())
	}
	x.Configure(params) // a shorter interval of ours, and a longer one of theirs: at once
	if x.Interval() != 50*time.Millisecond || x.DetectionTime() != 300*time.Millisecond {
		t.Errorf("back: %v, %v", x.Interval(), x.DetectionTime())
	}
}

func TestDisable(t *testing.T) {
	x := in(t, Up, params)
	x.Disable()
	if said := x.flush(start); len(said) != 1 || said[0].State != AdminDown || said[0].Diag != DiagAdmin {
		t.Errorf("it says %+v", said)
	}
	x.Receive(from(Up), start)
	x.Expire(start.Add(time.Hour))
	if s, _ := x.State(); s != AdminDown {
		t.Errorf("it became %v", s)
	}
}

// TestPair has two sessions talk over a wire that loses packets, is cut and comes back, in steps of a millisecond: they come up, go down within the detection time,
// and never does one say Up for longer than that while the other hears nothing.
func TestPair(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		some := func() Params {
			return Params{time.Duration(10+r.IntN(90)) * time.Millisecond, time.Duration(10+r.IntN(90)) * time.Millisecond, uint8(2 + r.IntN(4)), false}
		}
		ends := []*Session{NewSession(some(), 1, r.Float64), NewSession(some(), 2, r.Float64)}
		if r.IntN(3) == 0 {
			ends[0].params.Passive = true
		}
		now, cut := start, false
		heard := []time.Time{start, start}
		run := func(d time.Duration) {
			for end := now.Add(d); now.Before(end); now = now.Add(time.Millisecond) {
				for i, s := range ends {
					s.Expire(now)
					for _, p := range s.flush(now) {
						p, err := Parse(p.Append(nil))
						if err != nil {
							t.Fatalf("seed %d: %+v: %v", seed, p, err)
						}
						if !cut && (p.Yours == 0 || p.Yours == ends[1-i].mine) {
							ends[1-i].Receive(p, now)
							heard[1-i] = now
						}
					}
					if st, _ := s.State(); st == Up && now.Sub(heard[i]) > s.DetectionTime() {
						t.Fatalf("seed %d: end %d is up and has heard nothing for %v", seed, i, now.Sub(heard[i]))
					}
				}
			}
		}
		both := func(want State, when string) {
			t.Helper()
			for i, s := range ends {
				if st, why := s.State(); st != want {
					t.Fatalf("seed %d, %s: end %d is %v (%v), want %v", seed, when, i, st, why, want)
				}
			}
		}
		run(3 * time.Second)
		both(Up, "at first")
		for i, s := range ends {
			if want := max(s.params.Transmit, ends[1-i].params.Receive); s.Interval() != want || s.polling {
				t.Fatalf("seed %d: end %d sends every %v, want %v; polling %v", seed, i, s.Interval(), want, s.polling)
			}
		}
		cut = true
		run(max(ends[0].DetectionTime(), ends[1].DetectionTime()) + 2*time.Millisecond)
		both(Down, "cut")
		run(time.Duration(r.IntN(5000)) * time.Millisecond)
		cut = false
		run(3 * time.Second)
		both(Up, "mended")
		ends[0].Configure(some())
		run(3 * time.Second)
		both(Up, "configured")
		ends[1] = NewSession(some(), 3, r.Float64) // started anew, and another one
		run(6 * time.Second)
		both(Up, "one end is new")
	}
}

func ExampleState() {
	fmt.Println(Up, TimeExpired)
	// Output: Up control detection time expired
}
