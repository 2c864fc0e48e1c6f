package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/integration/lab"
)

// TestFallbackToVRRP: a cluster of three whose VIP falls back to VRRP, in one life: its owner is cut off from the others, and the next one takes over
// without a second claim; all are cut off from each other, and the owner goes on alone; the owner and another die, and the last one is elected in time; they come
// back, and at no moment two have the address.
func TestFallbackToVRRP(t *testing.T) {
	p := paceOf()
	bed := newBed(t, 3, 0)
	form(t, bed)
	stalls := watchStalls(t)
	vip, db := lab.VIP(1), lab.VIP(2)
	first := bed.Directors[1]
	prefer := fmt.Sprintf("prefer = [%q]", first.Name)
	apply(t, bed.Directors[0], new(lab.Config).VIP("web", vip, prefer, `quorum_lost = "vrrp"`, "vrrp { vrid = 51 }").VIP("db", db, prefer))
	owned(t, bed, vip, db)
	a := vip.Addr()
	watch, err := bed.Bystander.StartWatch(2*time.Millisecond, a)
	must(t, err)
	capture, err := bed.StartCapture(a)
	must(t, err)
	begin := lab.Now()
	names := make([]string, 0, 3)
	for _, d := range bed.Directors {
		names = append(names, d.Name)
	}
	// alone fails when two claimed the address since a moment.
	alone := func(what string, from lab.Instant) {
		t.Helper()
		window := lab.Span{From: from, To: lab.Now()}
		if wrong := together(capture, a, window, names, 0); wrong != "" {
			t.Errorf("%s: %s: %v", what, wrong, capture.Answering(a, window, names...))
		}
	}
	serving := func(but ...*lab.Director) *lab.Director {
		t.Helper()
		var is *lab.Director
		must(t, lab.Await(within(t, 20*time.Second*p.times), 2*time.Millisecond, func(context.Context) error {
			c := watch.Claims(a)
			if len(c) == 0 || lab.Since(c[len(c)-1].At) > 100*time.Millisecond {
				return fmt.Errorf("nobody claims it")
			}
			for _, d := range bed.Directors {
				if d.Name == c[len(c)-1].Host && !slices.Contains(but, d) {
					is = d
					return nil
				}
			}
			return fmt.Errorf("%s claims it", c[len(c)-1].Host)
		}))
		return is
	}
	rest := func(ds ...*lab.Director) (out []*lab.Director) {
		for _, d := range bed.Directors {
			if !slices.Contains(ds, d) {
				out = append(out, d)
			}
		}
		return out
	}
	is := serving()

	from := lab.Now()
	mend := cut(t, is, rest(is)...)
	second := serving(is)
	t.Logf("%s was cut off, and %s has it after %s", is.Name, second.Name, lab.Millis(lab.Since(from)))
	state(t, second, "web", api.VIPHeld)
	alone("the owner is cut off", from)
	mend()
	must(t, bed.AwaitReady(within(t, 20*time.Second*p.times)))

	from = lab.Now()
	is = serving()
	var mends []func()
	for _, d := range bed.Directors {
		mends = append(mends, cut(t, d, rest(d)...))
	}
	state(t, is, "web", api.VIPUnguarded)
	<-time.After(5 * time.Second)
	if now := serving(); now != is {
		t.Errorf("all are cut off from each other: %s has it after %s", now.Name, is.Name)
	}
	for _, m := range mends {
		m()
	}
	must(t, bed.AwaitReady(within(t, 20*time.Second*p.times)))
	state(t, is, "web", api.VIPHeld)
	alone("all were cut off from each other", from)

	from = lab.Now()
	is = serving()
	last := rest(is)[0]
	other := rest(is)[1]
	stalled := stalls()
	must(t, other.PowerOff())
	must(t, is.PowerOff())
	died := lab.Now()
	if now := serving(is, other); now != last {
		t.Fatalf("%s has it, not %s", now.Name, last.Name)
	}
	// Three adverts, and the skew of the second priority: (256-221)/256 s. The rest is for opening, and for what the processors stood still.
	limit := 3*time.Second + 137*time.Millisecond
	late := lab.Since(died)
	if first, ok := capture.Began(a, lab.Span{From: died, To: lab.Now()}, last.Name); ok {
		late = first.Sub(died)
	}
	t.Logf("the last one serves %s after the others died", lab.Millis(late))
	if stalled = stalls() - stalled; late > limit+slack*p.times+stalled {
		t.Errorf("the last one served after %s, want three adverts and the skew: %s (and the machine stood still for %s)", lab.Millis(late), limit, lab.Millis(stalled))
	}
	state(t, last, "web", api.VIPUnguarded)
	if out := says(t, last, "status"); !strings.Contains(out, "WITHOUT A QUORUM by "+last.Name) {
		t.Errorf("status does not say it:\n%s", out)
	}
	gone(t, db.Addr(), time.Second, last)
	for _, d := range []*lab.Director{is, other} {
		must(t, d.Reboot(within(t, 10*time.Second*p.times)))
	}
	must(t, bed.AwaitReady(within(t, 20*time.Second*p.times)))
	owner, err := bed.AwaitOwner(within(t, 20*time.Second*p.times), db.Addr(), nil)
	must(t, err)
	now := state(t, owner, "web", api.VIPHeld)
	<-time.After(time.Second)
	alone("the quorum came back", from)
	t.Logf("afterwards it is %s's", now.Owner)
	alone("all the time", begin)
	if all := capture.Answering(a, lab.Span{From: begin, To: lab.Now()}, names...); len(all) < 3 {
		t.Errorf("the capture saw %v", all)
	}
	tells(t, owner, "is CLAIMED WITHOUT A QUORUM since", "was claimed without a quorum by VRRP from")
	must(t, capture.Err())
}
