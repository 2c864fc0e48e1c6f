package vrrp

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// step is one event and what follows from it.
type step struct {
	e     Event
	want  string // the actions, joined by "; "
	state State
	timer time.Duration // until the timer fires, counted from the event
}

// scene is a router and what happens to it. Its sentence is of the RFC, or of what an option promises.
type scene struct {
	section  string
	sentence string
	change   func(*Config)
	steps    []step
}

func at(k EventKind, d time.Duration) Event { return Event{Kind: k, At: d} }

// hears is an advert of the listed router 192.168.1.10, which says that it sends one each 100 ms.
func hears(d time.Duration, p Priority) Event {
	return Event{Kind: Advertised, At: d, Source: addr("192.168.1.10"), Role: Listed, Priority: p, Interval: 100 * ms}
}

func from(e Event, source string, r Role) Event {
	e.Source, e.Role = addr(source), r
	return e
}

// The router of the scenes: 192.168.1.1, priority 150, an advert a second, version 3. Its skew is 106/256 s, in version 2 too.
const (
	skew150 = 106 * sec / 256
	down150 = 3*sec + skew150
	// learned is the Active_Down_Interval after an advert that says 100 ms.
	learnedSkew = 106 * 100 * ms / 256
	learned     = 300*ms + learnedSkew
)

func play(t *testing.T, scenes []scene) {
	t.Helper()
	for _, x := range scenes {
		t.Run(strings.ReplaceAll(x.section+" "+x.sentence, "/", "-"), func(t *testing.T) {
			c := base()
			if x.change != nil {
				x.change(&c)
			}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			m := NewMachine(c)
			for i, s := range x.steps {
				var got []string
				for _, a := range m.Step(s.e) {
					got = append(got, a.String())
				}
				if g := strings.Join(got, "; "); g != s.want {
					t.Errorf("step %d, %s: did %q, want %q", i+1, s.e.Kind, g, s.want)
				}
				due, runs := m.Deadline()
				if m.State() != s.state || runs != (s.state != Initialize) || runs && due-s.e.At != s.timer {
					t.Errorf("step %d, %s: %s, timer in %s (%t); want %s, %s", i+1, s.e.Kind, m.State(), due-s.e.At, runs, s.state, s.timer)
				}
			}
		})
	}
}

func owner(c *Config)     { c.Priority = Owner }
func modest(c *Config)    { c.Preempt = false }
func version2(c *Config)  { c.Version = V2 }
func appointed(c *Config) { c.Mode = Appointed }

var (
	startup = step{at(Startup, 0), "enter backup: started", Backup, down150}
	elected = step{at(Tick, down150), "send 150; enter active: active-down; announce: active-down", Active, sec}
)

// TestRFC9568 has a scene for each sentence of RFC 9568 section 6 that says what a router does, in its order. What it says of answering ARP and of routing is
// up to who puts the addresses; that it is told when, is here.
func TestRFC9568(t *testing.T) {
	play(t, []scene{
		{"6.1", "Active_Adver_Interval: the initial value is the same as Advertisement_Interval", func(c *Config) { c.Interval = 200 * ms }, []step{
			{at(Startup, 0), "enter backup: started", Backup, 600*ms + 106*200*ms/256}}},
		{"6.1", "Skew_Time: ((256 - Priority) * Active_Adver_Interval) / 256", func(c *Config) { c.Priority = 1 }, []step{
			{at(Startup, 0), "enter backup: started", Backup, 3*sec + 255*sec/256}}},
		{"6.1", "Active_Down_Interval: (3 * Active_Adver_Interval) + Skew_Time", nil, []step{startup}},
		{"6.1", "Preempt_Mode: the router that owns the addresses always preempts", func(c *Config) { owner(c); modest(c) }, []step{
			{at(Startup, 0), "send 255; enter active: started; announce: started", Active, sec},
			{from(hears(1*ms, Owner), "192.168.1.10", Listed), "enter backup: higher-address 192.168.1.10", Backup, 300*ms + 100*ms/256},
			{hears(2*ms, 254), "", Backup, 300*ms + 100*ms/256 - 1*ms},
			{at(Tick, 301*ms+100*ms/256), "send 255; enter active: lower-priority; announce: lower-priority", Active, sec}}},

		{"6.4.1", "Initialize: wait for a Startup event", nil, []step{
			{at(Tick, 0), "", Initialize, 0}, {hears(0, 0), "", Initialize, 0}, {hears(0, 255), "", Initialize, 0}, {at(Shutdown, 0), "", Initialize, 0}}},
		{"6.4.1", "If the Priority is 255: send an ADVERTISEMENT, announce, set the Adver_Timer to Advertisement_Interval, transition to Active", owner, []step{
			{at(Startup, 5*sec), "send 255; enter active: started; announce: started", Active, sec}}},
		{"6.4.1", "else set Active_Adver_Interval to Advertisement_Interval, set the Active_Down_Timer to Active_Down_Interval, transition to Backup", nil, []step{
			{at(Startup, 5*sec), "enter backup: started", Backup, down150}}},

		{"6.4.2", "Shutdown: cancel the Active_Down_Timer, transition to Initialize", nil, []step{
			startup, {at(Shutdown, sec), "enter initialize: stopped", Initialize, 0}, {at(Tick, down150), "", Initialize, 0}}},
		{"6.4.2", "If the Active_Down_Timer fires: send an ADVERTISEMENT, announce, set the Adver_Timer to Advertisement_Interval, transition to Active", nil, []step{
			startup, {at(Tick, down150-1), "", Backup, 1}, elected}},
		{"6.4.2", "ADVERTISEMENT with Priority 0: set the Active_Down_Timer to Skew_Time", nil, []step{
			startup, {hears(sec, 0), "", Backup, skew150}, {at(Tick, sec+skew150), "send 150; enter active: active-released; announce: active-released", Active, sec}}},
		{"6.4.2", "ADVERTISEMENT with Priority 0 of an Active Router whose interval was learned: Skew_Time is of that interval", nil, []step{
			startup, {hears(sec, 200), "", Backup, learned}, {hears(sec, 0), "", Backup, learnedSkew}}},
		{"6.4.2", "Preempt_Mode is False: set Active_Adver_Interval to the advert's, recompute, set the Active_Down_Timer to Active_Down_Interval", modest, []step{
			startup, {hears(sec, 1), "", Backup, learned}}},
		{"6.4.2", "Priority greater than the local one: set Active_Adver_Interval to the advert's, recompute, set the Active_Down_Timer to Active_Down_Interval", nil, []step{
			startup, {hears(sec, 151), "", Backup, learned}}},
		{"6.4.2", "Priority equal to the local one: likewise, whosever address is higher", nil, []step{
			startup, {from(hears(sec, 150), "192.168.1.0", Listed), "", Backup, learned}, {hears(sec, 150), "", Backup, learned}}},
		{"6.4.2", "else (preemption, and a lower Priority): discard the ADVERTISEMENT", nil, []step{
			startup, {hears(sec, 149), "", Backup, down150 - sec}, {hears(2*sec, 149), "", Backup, down150 - 2*sec},
			{at(Tick, down150), "send 150; enter active: lower-priority; announce: lower-priority", Active, sec}}},

		{"6.4.3", "Shutdown: cancel the Adver_Timer, send an ADVERTISEMENT with Priority = 0, transition to Initialize", nil, []step{
			startup, elected, {at(Shutdown, 4*sec), "enter initialize: stopped; send 0", Initialize, 0}, {at(Tick, 10*sec), "", Initialize, 0}}},
		{"6.4.3", "If the Adver_Timer fires: send an ADVERTISEMENT, reset the Adver_Timer to Advertisement_Interval", nil, []step{
			startup, elected, {at(Tick, down150+sec-1), "", Active, 1}, {at(Tick, down150+sec), "send 150", Active, sec}, {at(Tick, down150+2*sec), "send 150", Active, sec}}},
		{"6.4.3", "ADVERTISEMENT with Priority 0: send an ADVERTISEMENT, reset the Adver_Timer to Advertisement_Interval", nil, []step{
			startup, elected, {hears(4*sec, 0), "send 150", Active, sec}}},
		{"6.4.3", "Priority greater than the local one: cancel the Adver_Timer, learn, set the Active_Down_Timer to Active_Down_Interval, transition to Backup", nil, []step{
			startup, elected, {hears(4*sec, 151), "enter backup: higher-priority 192.168.1.10", Backup, learned}}},
		{"6.4.3", "Priority equal and the sender's address greater: likewise", nil, []step{
			startup, elected, {hears(4*sec, 150), "enter backup: higher-address 192.168.1.10", Backup, learned}}},
		{"6.4.3", "based on an unsigned integer comparison of the addresses in network byte order", func(c *Config) { c.Source = addr("10.0.0.9") }, []step{
			startup, elected, {hears(4*sec, 150), "enter backup: higher-address 192.168.1.10", Backup, learned}}},
		{"6.4.3", "else (new Active Router logic): discard the ADVERTISEMENT, send an ADVERTISEMENT immediately", nil, []step{
			startup, elected, {hears(down150+400*ms, 149), "send 150; announce: lower-priority", Active, 600 * ms}}},
		{"6.4.3", "else: also for an equal Priority and a lower address", nil, []step{
			startup, elected, {from(hears(down150+sec/2, 150), "192.168.1.0", Listed), "send 150; announce: lower-priority", Active, sec / 2}}},
	})
}

// TestAcceptMode: packets for the addresses are taken by an Active Router that owns them or has Accept_Mode, by a Backup Router never (RFC 9568 sections 6.4.2, 6.4.3).
func TestAcceptMode(t *testing.T) {
	for _, x := range []struct {
		p      Priority
		accept bool
		want   bool
	}{{150, false, false}, {150, true, true}, {Owner, false, true}, {Owner, true, true}} {
		c := base()
		c.Priority, c.AcceptMode = x.p, x.accept
		m := NewMachine(c)
		m.Step(at(Startup, 0))
		if m.State() == Backup && m.Accepts() {
			t.Error("a Backup Router accepts packets")
		}
		m.Step(at(Tick, 10*sec))
		if m.Accepts() != x.want {
			t.Errorf("priority %d, Accept_Mode %t: %t", x.p, x.accept, m.Accepts())
		}
	}
}

// TestRFC3768 is where version 2 differs.
func TestRFC3768(t *testing.T) {
	play(t, []scene{
		{"6.1", "Skew_Time: (256 - Priority) / 256 seconds, whatever the interval", func(c *Config) { version2(c); c.Interval = 10 * sec }, []step{
			{at(Startup, 0), "enter backup: started", Backup, 30*sec + skew150}}},
		{"6.4.2", "Master_Down_Interval is of this router's own interval, not of the advert's", version2, []step{
			startup, {hears(sec, 200), "", Backup, down150}, {hears(2*sec, 0), "", Backup, skew150}}},
		{"6.4.3", "a greater Priority: set the Master_Down_Timer to Master_Down_Interval, transition to Backup", version2, []step{
			startup, elected, {hears(4*sec, 151), "enter backup: higher-priority 192.168.1.10", Backup, down150}}},
		{"6.4.3", "a lower Priority: discard the ADVERTISEMENT, and no more", func(c *Config) { version2(c); c.LowerPriorityQuiet = true }, []step{
			startup, elected, {hears(down150+sec/2, 149), "announce: lower-priority", Active, sec / 2}}},
	})
}

// TestKeepalived is what keepalived does beyond the RFCs, by option or always.
func TestKeepalived(t *testing.T) {
	delayed := func(c *Config) { c.PreemptDelay = 2 * sec }
	play(t, []scene{
		{"down_timer_adverts", "more or fewer adverts may fail to come", func(c *Config) { c.DownAdverts = 5 }, []step{
			{at(Startup, 0), "enter backup: started", Backup, 5*sec + skew150}}},
		{"preempt_delay", "a lower Active Router is left alone for so long, then preempted", delayed, []step{
			startup, {hears(sec, 100), "", Backup, learned}, {hears(2*sec, 100), "", Backup, learned}, {hears(3*sec-1, 100), "", Backup, learned},
			{hears(3*sec, 100), "", Backup, learned - 1},
			{at(Tick, 3*sec-1+learned), "send 150; enter active: lower-priority; announce: lower-priority", Active, sec}}},
		{"preempt_delay", "it begins anew when a higher one was heard between", delayed, []step{
			startup, {hears(sec, 100), "", Backup, learned}, {hears(2*sec, 200), "", Backup, learned}, {hears(3*sec, 100), "", Backup, learned}, {hears(4*sec, 100), "", Backup, learned}}},
		{"preempt_delay", "it does not delay a router that nobody speaks against", delayed, []step{
			startup, {hears(sec, 100), "", Backup, learned}, {at(Tick, sec+learned), "send 150; enter active: active-down; announce: active-down", Active, sec}}},
		{"priority", "a change re-times the running down timer", nil, []step{
			startup, {Event{Kind: Reprioritised, At: sec, Priority: 200}, "", Backup, 2*sec + 56*sec/256}, {hears(2*sec, 180), "", Backup, sec + 56*sec/256}}},
		{"priority", "a change counts at once in Active", nil, []step{
			startup, elected, {Event{Kind: Reprioritised, At: 4 * sec, Priority: 99}, "", Active, down150 + sec - 4*sec},
			{hears(4*sec, 100), "enter backup: higher-priority 192.168.1.10", Backup, 300*ms + 157*100*ms/256}}},
		{"higher_prio_send_advert", "one more advert goes before it yields", func(c *Config) { c.LastWord = true }, []step{
			startup, elected, {hears(4*sec, 200), "send 150; enter backup: higher-priority 192.168.1.10", Backup, learned}}},
	})
}

// TestAppointed: the cluster decides who is Active; the machine is its voice and its ear.
func TestAppointed(t *testing.T) {
	in := step{at(Appoint, sec), "send 150; enter active: appointed", Active, sec}
	play(t, []scene{
		{"own", "nobody is heard: it says so each Active_Down_Interval, and speaks not", appointed, []step{
			startup, {at(Tick, down150), "vacant: active-down", Backup, down150}, {at(Tick, 2*down150), "vacant: active-down", Backup, down150}}},
		{"own", "it speaks from when it owns the addresses", appointed, []step{
			startup, in, {at(Tick, 2*sec), "send 150", Active, sec}, {at(Appoint, 2500*ms), "", Active, sec / 2}}},
		{"hand-over", "is silent", appointed, []step{
			startup, in, {at(HandOver, 2*sec), "enter backup: handed-over", Backup, down150}, {at(HandOver, 2*sec), "", Backup, down150}, {at(Release, 2*sec), "", Backup, down150}}},
		{"hand-over", "the fellow's adverts are heard, whatever its priority", appointed, []step{
			startup, in, {at(HandOver, 2*sec), "enter backup: handed-over", Backup, down150}, {from(hears(3*sec, 10), "192.168.1.2", Fellow), "", Backup, learned}}},
		{"release", "says priority 0 once", appointed, []step{
			startup, in, {at(Release, 2*sec), "enter backup: let-go; send 0", Backup, down150}, {at(Release, 2*sec), "", Backup, down150}}},
		{"shutdown", "says nothing: whoever stops a node has handed over before, or is fenced", appointed, []step{
			startup, in, {at(Shutdown, 2*sec), "enter initialize: stopped", Initialize, 0}}},
		{"elected", "HandOver, Release and Appoint are nothing to a router that is elected", nil, []step{
			startup, {at(Appoint, 0), "", Backup, down150}, elected, {at(HandOver, down150), "", Active, sec}, {at(Release, down150), "", Active, sec}}},
		{"foreign owner", "a better claim of a listed router: fall silent, and ask to yield", appointed, []step{
			startup, in, {hears(1500*ms, 200), "yield: higher-priority 192.168.1.10 200; enter backup: higher-priority 192.168.1.10", Backup, learned},
			{hears(1600*ms, 200), "", Backup, learned}, {at(Tick, 1600*ms+learned), "vacant: active-down", Backup, down150}}},
		{"foreign owner", "it stops: the addresses are vacant after Skew_Time", appointed, []step{
			startup, {hears(sec, 200), "", Backup, learned}, {hears(2*sec, 0), "", Backup, learnedSkew}, {at(Tick, 2*sec+learnedSkew), "vacant: active-released", Backup, down150}}},
		{"foreign owner", "of lower priority: vacant while it speaks, if we preempt", appointed, []step{
			startup, {hears(sec, 100), "", Backup, down150 - sec}, {at(Tick, down150), "vacant: lower-priority 192.168.1.10", Backup, down150},
			{hears(down150+sec, 100), "", Backup, down150 - sec}, {at(Tick, 2*down150), "vacant: lower-priority 192.168.1.10", Backup, down150},
			{at(Tick, 3*down150), "vacant: active-down", Backup, down150}}},
		{"foreign owner", "of lower priority: left alone, if we do not preempt", func(c *Config) { appointed(c); modest(c) }, []step{
			startup, {hears(sec, 100), "", Backup, learned}, {hears(2*sec, 100), "", Backup, learned}, {at(Tick, 2*sec+learned), "vacant: active-down", Backup, down150}}},
		{"foreign owner", "is contested where we are told to", func(c *Config) { appointed(c); c.Contest = true }, []step{
			startup, in, {hears(1500*ms, 200), "alarm: higher-priority 192.168.1.10 200; send 150", Active, sec / 2}}},
		{"lower claim", "is answered, and the addresses are announced", appointed, []step{
			startup, in, {hears(1500*ms, 100), "send 150; announce: lower-priority", Active, sec / 2}}},
		{"lower claim", "many in one interval: announced once, and once more after the last", appointed, []step{
			startup, in, {hears(1500*ms, 100), "send 150; announce: lower-priority", Active, sec / 2},
			{from(hears(1600*ms, 101), "192.168.1.11", Listed), "send 150", Active, 400 * ms}, {at(Tick, 2*sec), "send 150; announce: lower-priority", Active, sec},
			{at(Tick, 3*sec), "send 150", Active, sec}}},
		{"flood", "of adverts: an answer each 10 ms at most", appointed, []step{
			startup, in, {hears(1500*ms, 0), "send 150", Active, sec}, {hears(1501*ms, 0), "", Active, 999 * ms}, {hears(1509*ms, 0), "", Active, 991 * ms}, {hears(1510*ms, 0), "send 150", Active, sec}}},
		{"priority", "that a router of a cluster cannot have is not taken", appointed, []step{
			startup, {Event{Kind: Reprioritised, At: 0, Priority: Owner}, "", Backup, down150}, {Event{Kind: Reprioritised, At: 0}, "", Backup, down150}}},
		{"stranger", "of higher priority: an alarm a second, and nothing moves", appointed, []step{
			startup, in, {from(hears(1500*ms, 255), "192.168.1.66", Stranger), "alarm: stranger 192.168.1.66 255", Active, sec / 2},
			{from(hears(1600*ms, 255), "192.168.1.67", Stranger), "", Active, 400 * ms}, {from(hears(2500*ms, 255), "192.168.1.66", Stranger), "alarm: stranger 192.168.1.66 255", Active, -sec / 2}}},
		{"stranger", "in Backup: an alarm, and the timer runs on", appointed, []step{
			startup, {from(hears(sec, 255), "192.168.1.66", Stranger), "alarm: stranger 192.168.1.66 255", Backup, down150 - sec},
			{from(hears(2*sec, 0), "192.168.1.66", Stranger), "alarm: stranger 192.168.1.66 0", Backup, down150 - 2*sec}}},
		{"fellow", "that speaks while we own: an alarm, and nothing moves", appointed, []step{
			startup, in, {from(hears(1500*ms, 255), "192.168.1.2", Fellow), "alarm: fellow 192.168.1.2 255", Active, sec / 2},
			{from(hears(2500*ms, 150), "192.168.1.2", Fellow), "alarm: fellow 192.168.1.2 150", Active, -sec / 2}}},
		{"fellow", "of lower priority, as one that has lost the quorum: it is answered too, and so is a last word", appointed, []step{
			startup, in, {from(hears(1500*ms, 149), "192.168.1.2", Fellow), "alarm: fellow 192.168.1.2 149; send 150", Active, sec / 2},
			{from(hears(1600*ms, 0), "192.168.1.2", Fellow), "send 150", Active, sec}}},
	})
}

// TestTimers are those of keepalived's users: what a neighbour waits before it takes over.
func TestTimers(t *testing.T) {
	for _, x := range []struct {
		v        Version
		p        Priority
		interval time.Duration
		down     string
		skew     string
	}{
		{V2, 100, sec, "3.609375s", "609.375ms"}, {V3, 150, sec, "3.4140625s", "414.0625ms"}, {V3, 254, sec, "3.0078125s", "7.8125ms"},
		{V3, 100, 100 * ms, "360.9375ms", "60.9375ms"}, {V3, 254, 100 * ms, "300.78125ms", "781.25µs"}, {V2, 254, 10 * sec, "30.0078125s", "7.8125ms"},
	} {
		if d, s := ActiveDownInterval(x.v, x.p, x.interval, 3), SkewTime(x.v, x.p, x.interval); fmt.Sprint(d) != x.down || fmt.Sprint(s) != x.skew {
			t.Errorf("version %d, priority %d, %s: %s, %s", x.v, x.p, x.interval, d, s)
		}
	}
}
