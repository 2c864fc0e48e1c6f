package integration

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/integration/lab"
)

// healthText is the configuration of [TestHealth].
const healthText = `
cluster {
  observers = 3
  %[1]s
}
vip "web" { address = "%[2]s" }
service "web" {
  vip        = "web"
  port       = 80
  scheduler  = "wrr"
  forward    = "nat"
  masquerade = true
  %[8]s
  check "http" {
    path     = "/healthz"
    interval = %[3]q
    timeout  = %[4]q
    rise     = 2
    fall     = 2
  }
  server "%[5]s" {}
  server "%[6]s" {}
  server "%[7]s" {}
}
`

// healthBed is what the parts of TestHealth share.
type healthBed struct {
	pace
	bed  *lab.Bed
	vip  netip.Addr
	load *lab.Load
	// interval and timeout of the check, of which two failures count.
	interval, timeout time.Duration
}

// TestHealth: three directors probe three servers, and a client asks all the time while paths, servers and agents fail.
func TestHealth(t *testing.T) {
	p := paceOf()
	bed := newBed(t, 3, 3)
	form(t, bed)
	h := &healthBed{pace: p, bed: bed, vip: lab.VIP(1).Addr(), interval: p.checks, timeout: p.checks * 3 / 4}
	h.apply(t, "")
	must(t, bed.AwaitServers(within(t, 30*time.Second*p.times), "web", 3))
	_, err := bed.AwaitOwner(within(t, 20*time.Second*p.times), h.vip, nil)
	must(t, err)
	h.load, err = bed.Client.StartLoad(t.Context(), netip.AddrPortFrom(h.vip, 80), p.rate, p.answer)
	must(t, err)
	t.Run("one observer's path is cut", h.observerCut)
	t.Run("the owner's path is cut", h.ownerCut)
	t.Run("the owner's path is cut, and it alone decides", h.ownerDecides)
	t.Run("a server dies", h.serverDies)
	t.Run("the leader and a server die at once", h.leaderAndServerDie)
	t.Run("the whole cluster restarts", h.restart)
	must(t, h.load.Kill())
}

// apply has the service make this of its checks.
func (h *healthBed) apply(t *testing.T, health string) {
	t.Helper()
	text := fmt.Sprintf(healthText, strings.Join(h.settings(), "\n"), lab.VIP(1), h.interval, h.timeout, h.bed.ServerAddr(0), h.bed.ServerAddr(1), h.bed.ServerAddr(2), health)
	_, err := h.someone(t).Apply(within(t, 30*time.Second*h.times), "cluster.hcl", text)
	must(t, err)
}

// someone is a director whose agent runs.
func (h *healthBed) someone(t *testing.T) *lab.Director {
	t.Helper()
	for _, d := range h.bed.Directors {
		if d.API != nil {
			if _, err := d.API.Status(within(t, 5*time.Second*h.times)); err == nil {
				return d
			}
		}
	}
	t.Fatal("no director answers")
	return nil
}

// cut loses all frames between a director and the servers.
func (h *healthBed) cut(t *testing.T, d *lab.Director) {
	t.Helper()
	for _, w := range h.bed.Servers {
		must(t, d.Drop(lab.Both, w.Host()))
	}
}

// healthEvents are the changes of verdicts after an entry.
func (h *healthBed) healthEvents(t *testing.T, after uint64) (out []fsm.Event) {
	t.Helper()
	es, err := h.someone(t).API.LastEvents(within(t, 5*time.Second*h.times), 500)
	must(t, err)
	for _, e := range es.Events {
		if e.Kind == fsm.EventHealth && e.Index > after {
			out = append(out, e)
		}
	}
	return out
}

// applied is the last entry that a director has applied.
func (h *healthBed) applied(t *testing.T) uint64 {
	t.Helper()
	st, err := h.someone(t).API.Status(within(t, 5*time.Second*h.times))
	must(t, err)
	return st.Index
}

// server waits until a server is seen as it should be. A busy machine changes leaders, and each looks anew for how long a path has been well.
func (h *healthBed) server(t *testing.T, n int, what string, like func(api.ServerDetail) bool) (d api.ServerDetail) {
	t.Helper()
	at := h.bed.ServerAddr(n)
	must(t, lab.Await(within(t, time.Minute*h.times), 50*time.Millisecond, func(ctx context.Context) (err error) {
		if d, err = h.someone(t).API.Server(ctx, "web", at); err == nil && !like(d) {
			err = fmt.Errorf("%s is not %s: %+v", at, what, d)
		}
		return err
	}))
	return d
}

func (h *healthBed) over(t *testing.T, from lab.Instant) lab.Summary {
	t.Helper()
	to := lab.Now()
	must(t, h.load.Settle(t.Context()))
	return h.load.Summary(lab.Span{From: from, To: to})
}

// differs reports whether the node sees something else than what is agreed.
func differs(d api.ServerDetail, n fsm.NodeID) bool {
	return slices.ContainsFunc(d.Views, func(v api.ServerView) bool { return v.Node == n && v.Differs })
}

// One observer that is not the owner does not reach the servers: its view says so, it would not get the VIP, and nothing else changes.
func (h *healthBed) observerCut(t *testing.T) {
	owner, err := h.bed.AwaitOwner(within(t, 20*time.Second*h.times), h.vip, nil)
	must(t, err)
	i := slices.IndexFunc(h.bed.Directors, func(d *lab.Director) bool { return d != owner })
	blind := h.bed.Directors[i]
	before, from := h.applied(t), lab.Now()
	h.cut(t, blind)
	for n := range 3 {
		d := h.server(t, n, "disputed", func(d api.ServerDetail) bool { return d.Disputed && differs(d, blind.ID()) })
		if d.Verdict != fsm.Up || len(d.Views) != 3 {
			t.Errorf("%+v", d)
		}
	}
	out := says(t, owner, "server", "show", "web", h.bed.ServerAddr(0).String())
	if !strings.Contains(out, "down (!)") || !strings.Contains(out, "Observers disagree") {
		t.Errorf("server show does not mark it:\n%s", out)
	}
	t.Logf("server show:\n%s", out)
	if list := says(t, owner, "server", "list", "web"); strings.Count(list, "(disputed)") != 3 {
		t.Errorf("server list does not mark it:\n%s", list)
	}
	<-time.After(2*(h.interval+h.timeout) + 2*time.Second) // longer than a path fault would take to be one
	if es := h.healthEvents(t, before); len(es) > 0 {
		t.Errorf("verdicts changed: %+v", es)
	}
	if now, err := h.bed.AwaitOwner(within(t, 5*time.Second*h.times), h.vip, nil); err != nil || now != owner {
		t.Errorf("the VIP moved from %s to %v: %v", owner.Name, now, err)
	}
	if s := h.over(t, from); s.Failed > 0 {
		t.Errorf("%s %v", s, s.Errors)
	}
	d := h.server(t, 0, "known to be seen by a cut path", func(d api.ServerDetail) bool {
		return slices.ContainsFunc(d.Views, func(v api.ServerView) bool { return v.Node == blind.ID() && !v.Path.IsZero() })
	})
	if slices.ContainsFunc(d.Views, func(v api.ServerView) bool { return v.Counts == (v.Node == blind.ID()) }) {
		t.Errorf("the view by the cut path counts, or another does not: %+v", d.Views)
	}
	why := says(t, owner, "explain", "vip", "web")
	if !strings.Contains(why, blind.Name+" does not reach the servers, and other nodes do") {
		t.Errorf("explain does not say that the VIP would not go to %s:\n%s", blind.Name, why)
	}
	must(t, blind.Heal())
	for n := range 3 {
		h.server(t, n, "seen the same by all", func(d api.ServerDetail) bool {
			return !d.Disputed && d.Verdict == fsm.Up && !slices.ContainsFunc(d.Views, func(v api.ServerView) bool { return !v.Path.IsZero() })
		})
	}
}

// The owner alone does not reach the servers: the VIP moves, no server is taken out, and the VIP does not come back before the path is well.
func (h *healthBed) ownerCut(t *testing.T) {
	owner, err := h.bed.AwaitOwner(within(t, 20*time.Second*h.times), h.vip, nil)
	must(t, err)
	before := h.applied(t)
	stood := watchStalls(t)
	from := lab.Now()
	h.cut(t, owner)
	next, err := h.bed.AwaitOwner(within(t, 20*time.Second*h.times), h.vip, owner)
	must(t, err)
	took := lab.Since(from)
	<-time.After(time.Second)
	s := h.over(t, from)
	t.Logf("the path of %s is cut: %s has the VIP after %s; %s", owner.Name, next.Name, lab.Millis(took), s)
	// Two failures, then as long as others would take to see the servers die, then the move.
	if limit := 2*h.interval + h.timeout + (h.interval + h.interval/10 + h.timeout + 500*time.Millisecond) + 2*time.Second*h.times + stood(); took > limit {
		t.Errorf("that took %s, want at most %s", lab.Millis(took), lab.Millis(limit))
	}
	if es := h.healthEvents(t, before); len(es) > 0 {
		t.Errorf("verdicts changed: %+v", es)
	}
	moved := lab.Now()
	<-time.After(2 * time.Second)
	if s := h.over(t, moved); s.Failed > 0 {
		t.Errorf("after the move: %s %v", s, s.Errors)
	}
	if now, err := h.bed.AwaitOwner(within(t, 5*time.Second*h.times), h.vip, nil); err != nil || now != next {
		t.Errorf("the VIP moved on from %s to %v: %v", next.Name, now, err)
	}
	st, err := next.API.Status(within(t, 5*time.Second*h.times))
	must(t, err)
	if !slices.ContainsFunc(st.Problems, func(p string) bool {
		return strings.Contains(p, owner.Name+": it does not reach the servers of vip web")
	}) {
		t.Errorf("the status does not say it: %q", st.Problems)
	}
	es, err := next.API.LastEvents(within(t, 5*time.Second*h.times), 100)
	must(t, err)
	if !slices.ContainsFunc(es.Events, func(e fsm.Event) bool { return e.Kind == fsm.EventRelease && e.Reason == fsm.ReasonPath }) {
		t.Errorf("no move for the path in the timeline: %+v", es.Events)
	}
	must(t, owner.Heal())
	h.server(t, 0, "well on its path again", func(d api.ServerDetail) bool {
		return !d.Disputed && !slices.ContainsFunc(d.Views, func(v api.ServerView) bool { return !v.Path.IsZero() })
	})
}

// The same as keepalived has it: one view decides, and where its path is cut, all servers are taken out, well as they are.
func (h *healthBed) ownerDecides(t *testing.T) {
	h.apply(t, "health {\n    observers = \"owner\"\n    panic     = \"off\"\n    damping   = false\n  }")
	owner, err := h.bed.AwaitOwner(within(t, 20*time.Second*h.times), h.vip, nil)
	must(t, err)
	h.cut(t, owner)
	must(t, h.bed.AwaitServers(within(t, 20*time.Second*h.times), "web", 0))
	from := lab.Now()
	<-time.After(2 * time.Second)
	s := h.over(t, from)
	t.Logf("the path of %s is cut, and it alone decides: %s", owner.Name, s)
	if now, err := h.bed.AwaitOwner(within(t, 5*time.Second*h.times), h.vip, nil); err != nil || now != owner || s.Failed < s.Total {
		t.Errorf("the VIP is on %v (%v), and clients were answered: %s", now, err, s)
	}
	must(t, owner.Heal())
	must(t, h.bed.AwaitServers(within(t, 20*time.Second*h.times), "web", 3))
	h.apply(t, "")
	must(t, h.bed.AwaitServers(within(t, 20*time.Second*h.times), "web", 3))
}

// kernel waits until the kernel of a director has the server, or has it no more.
func (h *healthBed) kernel(t *testing.T, d *lab.Director, server int, has bool) {
	t.Helper()
	must(t, lab.Await(within(t, 20*time.Second*h.times), 10*time.Millisecond, func(ctx context.Context) error {
		tr, err := d.API.Traffic(ctx, "", true, "web")
		if err != nil {
			return err
		}
		if got := slices.ContainsFunc(tr.Services[0].Servers, func(x api.ServerTraffic) bool { return x.Address == h.bed.ServerAddr(server) && x.Have != nil }); got != has {
			return fmt.Errorf("the kernel has it: %v", got)
		}
		return nil
	}))
}

// A server dies: it is out after as many failures as count, and it comes back.
func (h *healthBed) serverDies(t *testing.T) {
	owner, err := h.bed.AwaitOwner(within(t, 20*time.Second*h.times), h.vip, nil)
	must(t, err)
	h.kernel(t, owner, 1, true) // the figures are up to a second old
	stood := watchStalls(t)
	from := lab.Now()
	must(t, h.bed.Servers[1].Sicken())
	h.kernel(t, owner, 1, false)
	took := lab.Since(from)
	t.Logf("a server is sick: out of the kernel's table after %s", lab.Millis(took))
	if limit := 2*h.interval + h.timeout + 1500*time.Millisecond*h.times + stood(); took > limit {
		t.Errorf("that took %s, want at most %s", lab.Millis(took), lab.Millis(limit))
	}
	must(t, h.bed.Servers[1].Cure())
	must(t, h.bed.AwaitServers(within(t, 20*time.Second*h.times), "web", 3))
}

// The leader is killed when a server dies: the verdict lands all the same.
func (h *healthBed) leaderAndServerDie(t *testing.T) {
	leader, err := h.bed.Leader(within(t, 10*time.Second*h.times))
	must(t, err)
	other := h.bed.Directors[slices.IndexFunc(h.bed.Directors, func(d *lab.Director) bool { return d != leader })]
	stood := watchStalls(t)
	from := lab.Now()
	must(t, h.bed.Servers[2].Sicken())
	must(t, leader.Kill())
	must(t, lab.Await(within(t, 20*time.Second*h.times), 10*time.Millisecond, func(ctx context.Context) error {
		all, err := other.API.Servers(ctx, "web")
		if err != nil {
			return err
		}
		for _, x := range all.Servers {
			if x.Address == h.bed.ServerAddr(2) && x.Verdict == fsm.Down {
				return nil
			}
		}
		return fmt.Errorf("%+v", all.Servers)
	}))
	took := lab.Since(from)
	limit := 2*h.interval + time.Second*h.times + stood()
	t.Logf("the leader %s and a server die: the verdict is there after %s; two intervals and a second, and what the machine stood still, are %s", leader.Name, lab.Millis(took), lab.Millis(limit))
	if took > limit+time.Second*h.times { // other tests run beside this one
		t.Errorf("that took %s, want at most %s", lab.Millis(took), lab.Millis(limit))
	}
	must(t, leader.Start(within(t, 20*time.Second*h.times)))
	must(t, h.bed.AwaitReady(within(t, 30*time.Second*h.times)))
}

// All agents are killed and start again: who was down gets nothing, and who was up is never taken out.
func (h *healthBed) restart(t *testing.T) {
	h.server(t, 2, "down", func(d api.ServerDetail) bool { return d.Verdict == fsm.Down })
	owner, err := h.bed.AwaitOwner(within(t, 30*time.Second*h.times), h.vip, nil)
	must(t, err)
	h.kernel(t, owner, 0, true)  // the figures are up to a second old: of a node that was not the owner yet they would say that no server is there
	h.kernel(t, owner, 2, false) // what is agreed is carried out a moment later
	before := h.applied(t)
	from := lab.Now()
	for _, d := range h.bed.Directors {
		must(t, d.Kill())
	}
	for _, d := range h.bed.Directors {
		must(t, d.Start(within(t, 30*time.Second*h.times)))
	}
	must(t, h.bed.AwaitReady(within(t, 60*time.Second*h.times)))
	// An owner whose lease ran out while all were away may be fenced, and the VIP moves once more.
	for was := (*lab.Director)(nil); ; {
		now, err := h.bed.AwaitOwner(within(t, 30*time.Second*h.times), h.vip, nil)
		must(t, err)
		if now == was {
			break
		}
		was = now
		<-time.After(time.Second)
	}
	back := lab.Now()
	<-time.After(3 * time.Second)
	if es := h.healthEvents(t, before); len(es) > 0 {
		t.Errorf("verdicts changed: %+v", es)
	}
	s := h.over(t, back)
	if s.Failed > 0 || s.Servers["w1"] == 0 || s.Servers["w2"] == 0 {
		t.Errorf("%s %v", s, s.Errors)
	}
	if all := h.over(t, from); all.Servers["w3"] > 0 {
		t.Errorf("the server that is down got connections: %s", all)
	}
	must(t, h.bed.Servers[2].Cure())
	must(t, h.bed.AwaitServers(within(t, 20*time.Second*h.times), "web", 3))
}
