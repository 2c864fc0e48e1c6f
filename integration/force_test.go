package integration

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"quorate/api"
	"quorate/integration/lab"
)

// Break-glass: refused with a quorum, while another host answers, and without the word; then it is served, and ends by itself.
func TestForceOwner(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	ds := bed.Directors
	apply(t, ds[0], new(lab.Config).VIP("web", lab.VIP(1), `prefer = ["`+ds[0].Name+`"]`))
	owned(t, bed, lab.VIP(1))
	web := lab.VIP(1).Addr()
	force := func(d string) []string {
		return []string{"vip", "force-owner", "web", "--for", d, "--i-accept-split-brain"}
	}
	refused(t, ds[2], 1, []string{"there is a quorum", "quorate vip move web " + ds[2].Name}, force("1m")...)
	refused(t, ds[2], 2, []string{"without a quorum nobody can know", "--i-accept-split-brain"}, "vip", "force-owner", "web", "--for", "1m")

	// Cut off on its own, while the majority goes on and its owner can be heard.
	mend := cut(t, ds[2], ds[0], ds[1])
	state(t, ds[0], "web", api.VIPHeld)
	unled(t, ds[2])
	refused(t, ds[2], 1, []string{ds[0].MAC.String() + " answers for"}, force("1m")...)
	mend()
	must(t, bed.AwaitReady(within(t, 20*time.Second)))

	must(t, ds[0].PowerOff())
	must(t, ds[1].PowerOff())
	gone(t, web, 5*time.Second, ds[2])
	unled(t, ds[2])
	w, err := bed.Bystander.StartWatch(2*time.Millisecond, web)
	must(t, err)
	from := lab.Now()
	says(t, ds[2], force("3s")...)
	state(t, ds[2], "web", api.VIPUnguarded)
	gone(t, web, 10*time.Second, ds[2])
	claims := w.Claims(web)
	if len(claims) == 0 {
		t.Fatal("nobody claimed it")
	}
	t.Logf("forced for 3 s; it answered from %s to %s", lab.Millis(claims[0].At.Sub(from)), lab.Millis(claims[len(claims)-1].At.Sub(from)))

	// Again, and the agent is restarted: nothing of it is left but the record.
	says(t, ds[2], force("10m")...)
	state(t, ds[2], "web", api.VIPUnguarded)
	must(t, ds[2].End(within(t, 20*time.Second)))
	if has, err := ds[2].Carries(web); err != nil || has {
		t.Errorf("an agent that has ended left web: %v", err)
	}
	must(t, ds[2].Start(within(t, 10*time.Second)))
	refused(t, ds[2], 1, []string{"started without a majority", "quorate recover"}, force("10m")...)
	for _, d := range ds[:2] {
		must(t, d.Reboot(within(t, 10*time.Second)))
	}
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	tells(t, ds[0], "web ("+web.String()+") is FORCED onto this node WITHOUT A QUORUM by ", "the time for which it was forced is over", "this agent was stopped")

	// The quorum ends it, too.
	must(t, ds[0].PowerOff())
	must(t, ds[1].PowerOff())
	unled(t, ds[2])
	gone(t, web, 5*time.Second, ds[2])
	says(t, ds[2], force("10m")...)
	state(t, ds[2], "web", api.VIPUnguarded)

	for _, d := range ds[:2] {
		must(t, d.Reboot(within(t, 10*time.Second)))
	}
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	is := state(t, ds[0], "web", api.VIPHeld)
	tells(t, ds[0], "there is a quorum again")
	settled := lab.Now()
	<-time.After(time.Second)
	if who, again := claimants(w, web, settled); !slices.Equal(who, []string{string(is.Owner)}) || again != "" {
		t.Errorf("with a quorum web is claimed by %v", who)
	}
}

// unled waits until a node knows no leader and holds no lease.
func unled(t *testing.T, d *lab.Director) {
	t.Helper()
	must(t, lab.Await(within(t, 10*time.Second), 10*time.Millisecond, func(ctx context.Context) error {
		if n, err := d.API.Node(ctx); err != nil || n.Leader != "" || n.Lease.Held {
			return errors.Join(err, errors.New(d.Name+" still has a leader, or a lease"))
		}
		return nil
	}))
}
