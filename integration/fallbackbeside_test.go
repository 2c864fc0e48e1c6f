package integration

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/integration/lab"
)

// TestFallbackBesideKeepalived: a VIP that falls back to VRRP, with a keepalived between the priorities of the second and the third director. Two die, and the second
// director is elected before keepalived; the quorum comes back; two die again, and keepalived takes over, which the third director leaves it; the quorum comes back, and the
// cluster takes over. At no moment two answer.
func TestFallbackBesideKeepalived(t *testing.T) {
	if _, err := lab.FindKeepalived(); err != nil {
		t.Skip(err)
	}
	const advert, between = time.Second, 200 // n1 has 253, n2 221, n3 189
	p := paceOf()
	bed := newBed(t, 3, 0)
	form(t, bed)
	stalls := watchStalls(t)
	n1, n2, n3 := bed.Directors[0], bed.Directors[1], bed.Directors[2]
	k1, err := bed.AddHost("k1", lab.HostPrefixes(31)...)
	must(t, err)
	vip := lab.VIP(1)
	apply(t, n1, new(lab.Config).VIP("web", vip, `prefer = ["n1", "n2", "n3"]`, `quorum_lost = "vrrp"`, fmt.Sprintf("vrrp {\n    vrid = 51\n    peers = [%q]\n  }", k1.Addr())))
	owned(t, bed, vip)
	a := vip.Addr()
	nodes := []string{"n1", "n2", "n3"}
	names := append([]string{"k1"}, nodes...)
	capture, err := bed.StartCapture(a)
	must(t, err)
	_, err = bed.Bystander.StartWatch(10*time.Millisecond, a)
	must(t, err)
	k, err := k1.StartKeepalived(within(t, 20*time.Second), lab.KeepalivedOptions{Instances: []lab.KeepalivedInstance{{
		Name: "web", VRID: 51, Version: 3, Priority: between, Advert: advert, Addresses: []netip.Prefix{vip}, Preempt: true}}})
	must(t, err)
	begin := lab.Now()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("keepalived says:\n%s", k.Output())
		}
	})
	// answers waits until a host alone has answered for a while, and says when it began.
	answers := func(host string, from lab.Instant) time.Duration {
		t.Helper()
		must(t, lab.Await(within(t, 20*time.Second*p.times), 5*time.Millisecond, func(context.Context) error {
			now := lab.Now()
			var who []string
			for _, o := range capture.Answering(a, lab.Span{From: now.Add(-settled), To: now}, names...) {
				who = append(who, o.Host)
			}
			if len(who) != 1 || who[0] != host {
				return fmt.Errorf("%v answer", who)
			}
			return nil
		}))
		began, _ := capture.Began(a, lab.Span{From: from, To: lab.Now()}, host)
		return began.Sub(from)
	}
	masters := func(since lab.Instant) int {
		all := k.States("web")
		return len(slices.DeleteFunc(all, func(l lab.Line) bool { return l.Text != "MASTER" || l.At < since }))
	}
	answers("n1", begin)
	must(t, lab.Await(within(t, 10*time.Second*p.times), 10*time.Millisecond, func(context.Context) error {
		if len(capture.Adverts(51, false, lab.Span{From: begin, To: lab.Now()})) == 0 {
			return fmt.Errorf("keepalived has heard no advert")
		}
		return nil
	}))

	from := lab.Now()
	must(t, n3.PowerOff())
	must(t, n1.PowerOff())
	died := lab.Now()
	t.Logf("n2 answers %s after the majority died", lab.Millis(answers("n2", died)))
	state(t, n2, "web", api.VIPUnguarded)
	<-time.After(2 * advert)
	if n := masters(from); n > 0 || k.State("web") != "BACKUP" {
		t.Errorf("keepalived, which has a lower priority than n2, is %s and was MASTER %d times", k.State("web"), n)
	}

	// back switches directors on, and returns all in the order in which they would be elected now: the owner first, once it is the same for a while.
	back := func(ds ...*lab.Director) []*lab.Director {
		t.Helper()
		for _, d := range ds {
			must(t, d.Reboot(within(t, 10*time.Second*p.times)))
		}
		must(t, bed.AwaitReady(within(t, 20*time.Second*p.times)))
		owner, since := fsm.NodeID(""), time.Now()
		must(t, bed.AwaitStatus(within(t, 30*time.Second*p.times), "the owner stays", func(s api.Status) error {
			if v := vipIn(s, "web"); v.State != api.VIPHeld || v.Owner != owner {
				owner, since = v.Owner, time.Now()
			}
			if d := time.Since(since); owner == "" || d < 1500*time.Millisecond {
				return fmt.Errorf("it is of %q since %s", owner, d)
			}
			return nil
		}))
		answers(string(owner), lab.Now())
		order := []*lab.Director{bed.Director(string(owner))}
		for _, d := range bed.Directors {
			if d.Name != string(owner) {
				order = append(order, d)
			}
		}
		return order
	}
	order := back(n1, n3)
	if n := masters(from); n > 0 {
		t.Errorf("keepalived was MASTER %d times while n2 or the cluster spoke", n)
	}

	last, stalled := order[2], stalls()
	must(t, order[1].PowerOff())
	must(t, order[0].PowerOff())
	died = lab.Now()
	took := answers("k1", died)
	t.Logf("keepalived answers %s after the others than %s died", lab.Millis(took), last.Name)
	stalled = stalls() - stalled
	if limit := 3*advert + (256-between)*advert/256 + slack*p.times + stalled; took > limit {
		t.Errorf("keepalived answers after %s, want its Master_Down_Interval: at most %s", lab.Millis(took), lab.Millis(limit))
	}
	<-time.After(2 * advert)
	answers("k1", lab.Now())
	if n := len(capture.Answering(a, lab.Span{From: died, To: lab.Now()}, last.Name)); n > 0 {
		t.Errorf("%s, which has a lower priority than keepalived, has answered %d times", last.Name, n)
	}
	back(order[0], order[1])

	window := lab.Span{From: begin, To: lab.Now()}
	if wrong := together(capture, a, window, nodes, 0, "k1"); wrong != "" {
		t.Error(wrong)
	}
	var line []string
	for _, o := range capture.Answering(a, window, names...) {
		line = append(line, fmt.Sprintf("%s from %s to %s", o.Host, lab.Millis(o.Span.From.Sub(begin)), lab.Millis(o.Span.To.Sub(begin))))
	}
	t.Logf("who answered: %q", line)
	for _, c := range k.Complaints() {
		t.Errorf("keepalived complains: %s", c.Text)
	}
	must(t, capture.Err())
}
