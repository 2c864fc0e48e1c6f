package fsm

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// place reads INDEX.N.
func place(text string) Place {
	index, n, _ := strings.Cut(text, ".")
	var p Place
	p.Index, _ = strconv.ParseUint(index, 10, 64)
	p.N, _ = strconv.Atoi(n)
	return p
}

func (p Place) text() string { return fmt.Sprintf("%d.%d", p.Index, p.N) }

func (st *script) task(name string, most int) string {
	t, ok := st.s.NextTask(name, st.now, most)
	switch {
	case !ok:
		return "no such notifier of the leader"
	case t.Summary != Untold{}:
		return fmt.Sprintf("say that %d were suppressed, %d given up, %d lost", t.Summary.Suppressed, t.Summary.GivenUp, t.Summary.Lost)
	case t.Suppress:
		return fmt.Sprintf("suppress what is before %s", t.To.text())
	case len(t.Events) == 0 && !t.Again.IsZero():
		return "nothing before " + clock(t.Again)
	case len(t.Events) == 0:
		return "nothing"
	}
	var out strings.Builder
	for _, e := range t.Events {
		fmt.Fprintf(&out, "tell %s %s: %s\n", e.Place().text(), e.Kind, e.Text)
	}
	return out.String()
}

func (st *script) outbox(name string) string {
	o := st.s.Outbox[name]
	count, _ := st.s.Waiting(name)
	out := fmt.Sprintf("at %s, %d wait; told %d, suppressed %d, given up %d, lost %d", o.Next.text(), count, o.Told, o.Untold.Suppressed, o.Untold.GivenUp, o.Untold.Lost)
	if o.Attempts > 0 {
		out += fmt.Sprintf("; failed %d times since %s: %s", o.Attempts, clock(o.Failing), o.Error)
	}
	return out
}

// many is a cluster with notifiers and one service of so many servers, whose verdicts make as many events at once.
func many(t tb, servers int, notifiers ...Notifier) (*world, func(Verdict)) {
	w := newWorld(t)
	w.encode = false
	w.form(1)
	c := config([]string{"vip web 192.0.2.10/24"})
	s := Service{Name: "s", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: NAT, Checks: config([]string{"service x vip=web check"}).Services["x"].Checks}
	for i := range servers {
		s.Servers = append(s.Servers, Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80), Weight: 1})
	}
	c.Services["s"] = s
	for _, n := range notifiers {
		c.Notifiers[n.Name] = n
	}
	w.must(Command{Configure: &Configure{Base: w.s.ConfigVersion, Config: c}})
	return w, func(v Verdict) {
		var vs []ServerVerdict
		for _, x := range s.Servers {
			vs = append(vs, ServerVerdict{Server: ServerKey{Service: "s", Address: x.Address}, Verdict: v})
		}
		w.must(Command{SetHealth: &SetHealth{Verdicts: vs}})
	}
}

func hook(name string, limit NotifyLimit, kinds ...EventKind) Notifier {
	return Notifier{Name: name, Events: kinds, Limit: limit, Webhook: &Webhook{URL: "https://hooks.example.org/"}}
}

// What the timeline forgets waits in the backlog for those who have not been told, up to its bound; beyond that it is counted, and the notifier learns
// of it. checkStep sees to it that no event is neither told nor counted.
func TestBacklogKeepsAndCounts(t *testing.T) {
	const servers = 500
	w, change := many(t, servers, hook("slow", NotifyLimit{}, EventHealth), hook("quick", NotifyLimit{}, EventHealth), hook("other", NotifyLimit{}, EventFence))
	w.now = epochTime
	var said []string // of notifiers, in the timeline
	note := func() {
		for _, e := range w.s.Events {
			if e.Kind == EventNotify && e.Index == w.s.Index {
				said = append(said, e.Notifier+": "+e.Text)
			}
		}
	}
	verdicts := func(v Verdict) {
		change(v)
		note()
	}
	expect := func(about string, want ...string) {
		t.Helper()
		if !slices.Equal(said, want) {
			t.Errorf("%s: the timeline says %q, want %q", about, said, want)
		}
		said = nil
	}
	tell := func(name string, most int) int {
		told := 0
		for {
			task, ok := w.s.NextTask(name, w.now, most)
			if !ok {
				t.Fatalf("no task for %s", name)
			}
			d := Delivery{Notifier: name, From: task.From, To: task.To, Outcome: OutcomeTold}
			switch {
			case task.Summary != Untold{}:
				d.Outcome, d.Untold = OutcomeSummarized, task.Totals
			case len(task.Events) == 0:
				return told
			}
			told += len(task.Events)
			w.must(Command{Delivered: &Delivered{[]Delivery{d}}})
			note()
		}
	}
	made := 0
	for i := range 20 { // 10,000 events
		verdicts([]Verdict{Up, Down}[i%2])
		made += servers
		if got := tell("quick", 300); got != servers {
			t.Fatalf("quick was told %d of %d", got, servers)
		}
	}
	if n, _ := w.s.Waiting("slow"); n != made || len(w.s.Events) != MaxEvents || len(w.s.Backlog) < made-MaxEvents {
		t.Fatalf("%d wait for slow, want %d; timeline %d, backlog %d", n, made, len(w.s.Events), len(w.s.Backlog))
	}
	for i := range 4 { // and 2,000 more: 1,000 too many
		verdicts([]Verdict{Up, Down}[i%2])
		made += servers
	}
	// Others are told of it, once and not for each event.
	begun := "slow: too many events wait for notifier slow, and it loses the oldest: no more than 10000 are kept beyond the timeline"
	expect("loss", begun)
	if l := w.s.Outbox["slow"].Loss; !l.Since.Equal(w.now) || l.Before != 0 {
		t.Errorf("loss %+v", l)
	}
	// The timeline holds a few others besides: the service's quorum was met and lost.
	lost := w.s.Outbox["slow"].Untold.Lost
	if n, _ := w.s.Waiting("slow"); lost < uint64(made-MaxEvents-MaxBacklog) || lost > uint64(made-MaxEvents-MaxBacklog)+10 || uint64(n)+lost != uint64(made) {
		t.Fatalf("slow lost %d and %d wait, of %d", lost, n, made)
	}
	if o := w.s.Outbox["quick"]; o.Untold.Lost != 0 {
		t.Errorf("quick lost %d of what it had been told", o.Untold.Lost)
	}
	task, _ := w.s.NextTask("slow", w.now, 10)
	if task.Summary != (Untold{Lost: lost}) {
		t.Errorf("slow is told first that %+v, want %d lost", task.Summary, lost)
	}
	if got := tell("slow", 1000); got != made-int(lost) {
		t.Errorf("slow was told %d, want %d", got, made-int(lost))
	}
	if got := tell("quick", 1000); got != 4*servers || len(w.s.Backlog) != 0 {
		t.Errorf("quick was told %d, want %d; backlog %d", got, 4*servers, len(w.s.Backlog))
	}
	expect("end", fmt.Sprintf("slow: notifier slow has caught up, and has lost %d events", lost))
	if l := w.s.Outbox["slow"].Loss; l != (Loss{}) {
		t.Errorf("after it has caught up: loss %+v", l)
	}
	// The next time is told of too: but not before all is full again.
	for i := range 21 {
		verdicts([]Verdict{Up, Down}[i%2])
		tell("quick", 1000)
	}
	expect("not yet")
	for i := range 3 {
		verdicts([]Verdict{Up, Down}[i%2])
	}
	expect("again", begun)
	if l := w.s.Outbox["slow"].Loss; l.Before != lost {
		t.Errorf("loss %+v, want what was lost before to be %d", l, lost)
	}
}

// One that wants little, and loses one now and then while others fill the backlog, makes no event of each.
func TestLossOfOneThatWantsLittle(t *testing.T) {
	w, verdicts := many(t, 1000, hook("all", NotifyLimit{}), hook("rare", NotifyLimit{}, EventReported))
	for i := range 36 {
		if i%12 == 0 {
			w.must(Command{Record: &Record{Event: Event{Kind: EventReported, Text: "odd"}}})
		}
		verdicts([]Verdict{Up, Down}[i%2])
	}
	if o := w.s.Outbox["rare"]; o.Untold.Lost != 3 || o.Loss.Before != 0 {
		t.Errorf("%+v", o)
	}
	task, _ := w.s.NextTask("rare", w.now, 1)
	w.must(Command{Delivered: &Delivered{[]Delivery{{Notifier: "rare", From: task.From, To: task.To, Outcome: OutcomeSummarized, Untold: task.Totals}}}})
	if o := w.s.Outbox["rare"]; o.Loss != (Loss{}) || w.s.Events[len(w.s.Events)-1].Text != "notifier rare has caught up, and has lost 3 events" {
		t.Errorf("%+v; the last event is %+v", o, w.s.Events[len(w.s.Events)-1])
	}
}

// What an entry's own events push out of the timeline makes events, which push out others; none of them gets lost in between.
func TestLossByOneHugeEntry(t *testing.T) {
	const servers = MaxEvents + MaxBacklog + 500
	w, verdicts := many(t, servers, hook("a", NotifyLimit{}, EventHealth), hook("b", NotifyLimit{}), hook("c", NotifyLimit{}, EventHealth, EventNotify))
	verdicts(Up)
	for name, others := range map[string]int{"a": 0, "b": 3, "c": 2} { // b is told of a and c, and that the service has its servers; c of a and b
		o := w.s.Outbox[name]
		if n, _ := w.s.Waiting(name); n+int(o.Untold.Lost) != servers+others || o.Untold.Lost == 0 || o.Loss == (Loss{}) {
			t.Errorf("for %s %d wait and %d are lost, want %d: %+v", name, n, o.Untold.Lost, servers+others, o)
		}
	}
	var told []string
	for _, e := range w.s.Events {
		if e.Kind == EventNotify {
			told = append(told, e.Notifier)
		}
	}
	if !slices.Equal(told, []string{"a", "b", "c"}) || len(w.s.Events) != MaxEvents || len(w.s.Backlog) != MaxBacklog {
		t.Errorf("losses of %v; timeline %d, backlog %d", told, len(w.s.Events), len(w.s.Backlog))
	}
}

// An entry may have more events than the timeline keeps.
func TestBacklogOfOneHugeEntry(t *testing.T) {
	w, verdicts := many(t, MaxEvents+200, hook("hook", NotifyLimit{}, EventHealth))
	verdicts(Up)
	if n, _ := w.s.Waiting("hook"); n != MaxEvents+200 || len(w.s.Backlog) < 200 {
		t.Fatalf("%d wait, backlog %d", n, len(w.s.Backlog))
	}
	task, _ := w.s.NextTask("hook", epochTime, 5000)
	for i, e := range task.Events {
		if e.N != i {
			t.Fatalf("event %d is %d of its entry", i, e.N)
		}
	}
}

// Random histories: limits, failures, stale and odd deliveries, changes of the configuration. checkStep holds after each step; and whoever goes on
// asking comes to an end with all told or counted.
func TestOutboxProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := []string{"a", "b", "c"}
		draw := func() (out []Notifier) {
			for _, name := range names {
				if rapid.IntRange(0, 3).Draw(rt, "there") == 0 {
					continue
				}
				n := hook(name, NotifyLimit{})
				if rapid.Bool().Draw(rt, "limited") {
					n.Limit = NotifyLimit{rapid.IntRange(1, 4).Draw(rt, "count"), time.Duration(rapid.IntRange(1, 20).Draw(rt, "per")) * time.Second}
				}
				switch rapid.IntRange(0, 3).Draw(rt, "filter") {
				case 0:
					n.Events = []EventKind{EventHealth, EventNotify}
				case 1:
					n.VIPs = []string{"web"}
				case 2:
					n.Services = []string{"s"}
				}
				out = append(out, n)
			}
			return out
		}
		w, _ := many(rt, 3, draw()...)
		w.encode = true
		w.now = epochTime
		keys := w.s.Config.Services["s"].Servers
		step := func(name string, real bool) {
			task, ok := w.s.NextTask(name, w.now, rapid.IntRange(1, 5).Draw(rt, "most"))
			if !ok {
				return
			}
			d := Delivery{Notifier: name, From: task.From, To: task.To, Error: "no"}
			switch {
			case task.Summary != Untold{}:
				d.Outcome, d.Untold = OutcomeSummarized, task.Totals
			case task.Suppress:
				d.Outcome = OutcomeSuppressed
			case len(task.Events) > 0:
				d.Outcome = rapid.SampledFrom([]Outcome{OutcomeTold, OutcomeTold, OutcomeGivenUp, OutcomeFailed}).Draw(rt, "outcome")
			default:
				return
			}
			if !real {
				d.Outcome = rapid.SampledFrom([]Outcome{OutcomeTold, OutcomeSummarized, OutcomeSuppressed, OutcomeGivenUp, OutcomeFailed}).Draw(rt, "any")
				d.From.Index += uint64(rapid.IntRange(0, 2).Draw(rt, "from"))
				d.To.Index += uint64(rapid.IntRange(0, 2).Draw(rt, "to"))
				d.To.N += rapid.IntRange(-1, 2).Draw(rt, "n")
				d.Untold.Lost += uint64(rapid.IntRange(0, 1).Draw(rt, "lost"))
				w.apply(Command{Delivered: &Delivered{[]Delivery{d}}})
				return
			}
			w.must(Command{Delivered: &Delivered{[]Delivery{d}}})
		}
		rt.Repeat(map[string]func(*rapid.T){
			"verdict": func(rt *rapid.T) {
				var vs []ServerVerdict
				for _, x := range keys {
					vs = append(vs, ServerVerdict{Server: ServerKey{Service: "s", Address: x.Address}, Verdict: rapid.SampledFrom([]Verdict{Up, Down}).Draw(rt, "verdict")})
				}
				w.apply(Command{SetHealth: &SetHealth{Verdicts: vs}})
			},
			"record": func(rt *rapid.T) {
				w.must(Command{Record: &Record{Event: Event{VIP: "web", Text: "odd"}}})
			},
			"time":  func(rt *rapid.T) { w.pass(time.Duration(rapid.IntRange(-2, 8).Draw(rt, "s")) * time.Second) },
			"hour":  func(rt *rapid.T) { w.pass(10 * time.Minute) },
			"tell":  func(rt *rapid.T) { step(rapid.SampledFrom(names).Draw(rt, "name"), true) },
			"odd":   func(rt *rapid.T) { step(rapid.SampledFrom(names).Draw(rt, "name"), false) },
			"again": func(rt *rapid.T) { w.apply(Command{}) },
			"config": func(rt *rapid.T) {
				c := w.s.Config
				c.Notifiers = map[string]Notifier{}
				for _, n := range draw() {
					c.Notifiers[n.Name] = n
				}
				w.must(Command{Configure: &Configure{Base: w.s.ConfigVersion, Config: c}})
			},
		})
		w.pass(time.Hour)
		for range 10000 {
			busy := false
			for _, name := range w.s.NotifiersByLeader() {
				task, _ := w.s.NextTask(name, w.now, 10)
				d := Delivery{Notifier: name, From: task.From, To: task.To, Outcome: OutcomeTold}
				switch {
				case task.Summary != Untold{}:
					d.Outcome, d.Untold = OutcomeSummarized, task.Totals
				case task.Suppress:
					d.Outcome = OutcomeSuppressed
				case len(task.Events) == 0:
					continue
				}
				busy = true
				w.must(Command{Delivered: &Delivered{[]Delivery{d}}})
			}
			if !busy {
				for _, name := range w.s.NotifiersByLeader() {
					if n, _ := w.s.Waiting(name); n != 0 {
						rt.Fatalf("%d events wait for %s, and there is nothing to do", n, name)
					}
				}
				return
			}
			w.pass(time.Minute)
		}
		rt.Fatalf("the notifiers keep each other busy")
	})
}
