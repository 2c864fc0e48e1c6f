package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/integration/lab"
)

// TestInterop is the story of a cluster beside old routers, for every way in which they can be spoken with at once: see docs/vrrp.md. No old router that is below the cluster
// notices what happens inside it; each takes over when the whole cluster is gone, and gives way when it is back. One that is above the cluster gets what it claims. At no
// moment of what is planned do two hosts answer for an address.
func TestInterop(t *testing.T) {
	b := newInterop(t, interopRows())
	form(t, b.bed)
	n1, n2, n3 := b.bed.Directors[0], b.bed.Directors[1], b.bed.Directors[2]
	directors := []string{n1.Name, n2.Name, n3.Name}
	b.listen()
	_, err := n1.Apply(within(t, 20*time.Second), "cluster.hcl", b.config())
	must(t, err)
	b.await("the cluster has everything", 15*time.Second, of(n1.Name))

	// The old routers are below the cluster.
	b.startOld(below)
	b.stage("move", func() {
		for _, to := range []*lab.Director{n2, n1} {
			var g errgroup.Group
			for _, r := range b.rows {
				g.Go(func() error { return b.tells(n2, "vip", "move", r.name+"-1", to.Name) })
			}
			must(t, g.Wait())
			b.await("moved to "+to.Name, 10*time.Second, of(to.Name))
		}
	})
	b.stage("drain", func() {
		for _, step := range []struct {
			does, node string
			then       []string
		}{
			{"drain", "n1", []string{"n2", "n3"}}, {"drain", "n2", []string{"n3"}}, {"resume", "n1", []string{"n1"}},
			{"resume", "n2", []string{"n1"}}, {"drain", "n3", []string{"n1"}}, {"resume", "n3", []string{"n1"}},
		} {
			b.says(n3, "node", step.does, step.node)
			b.await(step.does+" "+step.node, 10*time.Second, of(step.then...))
		}
	})
	b.stage("restarted", func() { // the leadership goes, too
		must(t, n1.End(within(t, 15*time.Second)))
		b.await("the owner has ended", 10*time.Second, of(n2.Name, n3.Name))
		must(t, n1.Start(within(t, 10*time.Second)))
		must(t, b.bed.AwaitReady(within(t, 20*time.Second)))
		b.await("the owner is back", 15*time.Second, of(n1.Name))
	})
	b.stage("leader killed", func() {
		leader, err := b.bed.Leader(t.Context())
		must(t, err)
		must(t, leader.Kill())
		b.await("the leader is killed", 10*time.Second, of(directors...))
		must(t, leader.Start(within(t, 10*time.Second)))
		must(t, b.bed.AwaitReady(within(t, 20*time.Second)))
		b.await("all is well again", 15*time.Second, of(n1.Name))
	})
	b.stage("owner killed", func() {
		must(t, n1.PowerOff())
		b.await("the owner is gone", 10*time.Second, of(n2.Name, n3.Name))
	})
	b.stage("owner back", func() {
		must(t, n1.Reboot(within(t, 10*time.Second)))
		must(t, b.bed.AwaitReady(within(t, 20*time.Second)))
		b.await("the owner is back", 15*time.Second, of(n1.Name))
	})
	b.stage("stopped", func() {
		var g errgroup.Group
		for _, d := range b.bed.Directors {
			g.Go(func() error { return d.End(within(t, 20*time.Second)) })
		}
		must(t, g.Wait())
		b.await("the cluster has stopped", 10*time.Second, b.theOld)
	})
	back := func() {
		var g errgroup.Group
		for _, d := range b.bed.Directors {
			g.Go(func() error { return d.Reboot(within(t, 20*time.Second)) })
		}
		must(t, g.Wait())
		must(t, b.bed.AwaitReady(within(t, 20*time.Second)))
		b.await("the cluster is back", 20*time.Second, func(r virtualRouter, host string) bool {
			return r.keep && b.theOld(r, host) || !r.keep && host == n1.Name
		})
	}
	b.stage("returned", back)
	b.stage("let go", func() {
		// What is left to the old router for it has it, goes to the cluster when that one ends.
		b.endOld()
		b.await("the old routers have ended", 10*time.Second, of(directors...))
		b.startOld(below)
		b.heard(1)
	})
	b.stage("crashed", func() {
		var g errgroup.Group
		for _, d := range b.bed.Directors {
			g.Go(d.Kill) // the kernels keep the addresses, and their gates close
		}
		must(t, g.Wait())
		b.await("the cluster has crashed", 10*time.Second, b.theOld)
	})
	b.stage("returned again", back)

	// The old routers are above the cluster.
	b.endOld()
	b.await("the old routers have ended", 10*time.Second, of(directors...))
	b.stage("yielded", func() {
		b.startOld(above)
		b.await("the cluster yields", 10*time.Second, b.theOld)
	})
	b.stage("old stopped", func() {
		b.endOld()
		b.await("the old routers have ended", 10*time.Second, of(directors...))
	})
	b.stage("yielded again", func() {
		b.startOld(above)
		b.await("the cluster yields", 10*time.Second, b.theOld)
	})
	b.stage("old killed", func() {
		// keepalived speaks no more, and its kernel still answers: nobody else may. FRR and virtual MACs are left alone: those addresses are on a macvlan, whose broadcasts wait in a
		// queue that a busy machine may leave for longer than anybody asks.
		must(t, b.running()[0].Kill()) // all its processes at once: one that outlives the others cleans up
		<-time.After(b.slowest(above) + time.Second)
		b.await("the old kernels answer", time.Second, b.theOld)
	})
	b.stage("old crashed", func() {
		for _, h := range b.oldHosts() {
			must(t, h.PowerOff())
		}
		b.await("the old routers are gone", 10*time.Second, of(directors...))
	})
	must(t, b.capture.Err())
	b.judge()
}

// slowest is the longest Master_Down_Interval of the rows.
func (b *interop) slowest(priority int) (out time.Duration) {
	for _, r := range b.rows {
		out = max(out, r.masterDown(priority))
	}
	return out
}

// judged is what must hold of a stage.
type judged struct {
	stage string
	// quiet: the old router below the cluster enters no state.
	quiet bool
	// together is for how long a node and the old router may answer at once, by row; nil = not at all.
	together func(r virtualRouter) time.Duration
	// after is how long after the last word of the cluster the old router may answer at the latest, by row; nil = as long as it takes.
	after func(r virtualRouter) time.Duration
}

var interopStages = []judged{
	{stage: "move", quiet: true}, {stage: "drain", quiet: true}, {stage: "restarted", quiet: true}, {stage: "leader killed", quiet: true}, {stage: "owner killed", quiet: true}, {stage: "owner back", quiet: true},
	// It is told by priority 0, which is judged by itself: without, it would wait for three intervals more. One interval is for its own process, in which a score of routers
	// change hands in the same moment.
	{stage: "stopped", after: func(r virtualRouter) time.Duration { return r.skew(below) + r.advert }},
	{stage: "returned"},
	{stage: "let go"},
	{stage: "crashed", after: func(r virtualRouter) time.Duration { return r.masterDown(below) + r.advert }},
	{stage: "returned again"},
	// It speaks and answers in the same moment: until the cluster has heard it, both answer.
	{stage: "yielded", together: func(r virtualRouter) time.Duration { return r.advert + slack }},
	{stage: "old stopped"},
	{stage: "yielded again", together: func(r virtualRouter) time.Duration { return r.advert + slack }},
	{stage: "old killed"},
	{stage: "old crashed"},
}

// slack is what may come on top in the cluster: 100 ms, and as much and a half for a machine with other work, on which a score of routers change hands in the same moment.
const slack = 250 * time.Millisecond

// linkUp is for how long FRR may wait for its kernel link, after it has become master and before it speaks and answers ("Delaying VRRP advertisement until interface is up").
const linkUp = 500 * time.Millisecond

// judge says what is wrong, with its timeline, and what was measured.
func (b *interop) judge() {
	b.t.Helper()
	var table strings.Builder
	for _, j := range interopStages {
		window, stalled := b.window(j.stage)
		fmt.Fprintf(&table, "%s (%s to %s)\n", j.stage, lab.Millis(window.From.Sub(b.began)), lab.Millis(window.To.Sub(b.began)))
		for _, r := range b.rows {
			m := b.measure(r, window)
			fmt.Fprintf(&table, "  %-18s %s\n", r.name, m)
			beside := stalled
			if j.quiet {
				beside = 0
			}
			if j.together != nil {
				beside += j.together(r)
			}
			var wrong []string
			if why := together(b.capture, r.pinged(), window, b.nodes(), beside, b.hosts...); why != "" {
				wrong = append(wrong, why)
			}
			if j.after != nil {
				if why := b.inherited(r, window, j.stage == "stopped", j.after(r), stalled); why != "" {
					wrong = append(wrong, why)
				}
			}
			for _, a := range b.capture.Adverts(r.vrid, r.six(), window) {
				if r.shared && a.Host != b.old(r).Name && a.Source != r.source() {
					wrong = append(wrong, "an advert of the cluster is not from its source: "+a.String())
					break
				}
			}
			if states := b.entered(r, window); j.quiet && slices.ContainsFunc(states, func(s string) bool { return s == "MASTER" || s == "Master" }) {
				wrong = append(wrong, fmt.Sprintf("the old router entered %q", states))
			}
			if len(wrong) > 0 {
				b.t.Errorf("%s, %s: %s\n%s", r.name, j.stage, strings.Join(wrong, "; "), b.timeline(r, window))
			}
		}
	}
	b.t.Logf("measured:\n%s", table.String())
	for _, k := range b.keepalived {
		for _, c := range k.Complaints() {
			b.t.Errorf("keepalived complains: %s", c.Text)
		}
	}
	for _, f := range b.frr {
		for _, c := range f.Complaints() {
			b.t.Errorf("FRR complains: %s", c.Text)
		}
	}
}

// inherited says what is wrong when the old router has taken over from the whole cluster: where that was planned, the cluster has said so with its last word, as soon as the
// address was gone and not before; and the old router answers in time after that. The machine stood still for stalled.
func (b *interop) inherited(r virtualRouter, window lab.Span, planned bool, limit, stalled time.Duration) string {
	old := b.old(r).Name
	var last lab.Advert
	for _, a := range b.capture.Adverts(r.vrid, r.six(), lab.Span{From: window.From.Add(-2 * r.advert), To: window.To}) {
		if a.Host != old {
			last = a
		}
	}
	began, ok := b.capture.Began(r.pinged(), window, old)
	if !ok || last.Host == "" {
		return "the cluster has said nothing, or the old router does not answer"
	}
	if r.frr {
		limit += linkUp
	}
	if took := began.Sub(last.At); took > limit+stalled {
		return fmt.Sprintf("the old router answers %s after the cluster's last word, want at most %s", lab.Millis(took), lab.Millis(limit+stalled))
	}
	if !planned {
		return ""
	}
	if last.Priority != 0 {
		return "the cluster has not said that it stops: " + last.String()
	}
	for _, name := range b.hosts {
		if name == old {
			continue
		}
		if ended, ok := b.capture.Ended(r.pinged(), window, name); ok && (ended > last.At || name == last.Host && last.At.Sub(ended) > slack+stalled) {
			return fmt.Sprintf("%s answered last %s before the cluster's last word", name, lab.Millis(last.At.Sub(ended)))
		}
	}
	return ""
}

// measured is what was seen of one row in one stage.
type interopMeasured struct {
	owners   []string
	together time.Duration
	gap      time.Duration // the longest in which no host answered for the address
	silence  time.Duration // the longest in which the client got no answer
}

// String is for a person.
func (m interopMeasured) String() string {
	return fmt.Sprintf("together %-7s gap %-8s client %-8s %s", lab.Millis(m.together), lab.Millis(m.gap), lab.Millis(m.silence), strings.Join(m.owners, " > "))
}

func (b *interop) measure(r virtualRouter, window lab.Span) interopMeasured {
	m := interopMeasured{together: b.capture.Together(r.pinged(), window, b.hosts...), silence: b.pings[r.name].Gap(window).Duration()}
	var last lab.Instant
	for _, o := range b.capture.Answering(r.pinged(), window, b.hosts...) {
		if len(m.owners) == 0 || m.owners[len(m.owners)-1] != o.Host {
			m.owners = append(m.owners, o.Host)
		}
		if last != 0 && o.Span.From > last {
			m.gap = max(m.gap, o.Span.From.Sub(last))
		}
		last = max(last, o.Span.To)
	}
	return m
}

// entered are the states that the row's old router entered in the window.
func (b *interop) entered(r virtualRouter, window lab.Span) []string {
	var out []string
	var all []lab.Line
	for _, f := range b.frr {
		all = append(all, f.States(r.vrid, r.six())...)
	}
	for _, k := range b.keepalived {
		all = append(all, k.States(r.name)...)
	}
	for _, l := range all {
		if l.At >= window.From && l.At < window.To {
			out = append(out, l.Text)
		}
	}
	return out
}
