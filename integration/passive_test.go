package integration

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/fsm"
	"quorate/integration/lab"
)

// passiveText is the configuration of [TestPassive]: two services of the same servers, which are probed rarely; clients use the first one. The second one takes no hints.
const passiveText = `
cluster {
  set_sysctls = true
  %[1]s
}
group "front" {}
vip "web" {
  address = "%[2]s"
  group   = "front"
}
vip "wayback" {
  address = "%[3]s"
  group   = "front"
}
service "web" {
  vip       = "web"
  port      = 80
  scheduler = "rr"
  forward   = "nat"
  check "tcp" {
    interval      = "%[7]s"
    fast_interval = "%[9]s"
    timeout       = "%[10]s"
    rise          = 1
    fall          = 2
  }
  server "%[4]s" {}
  server "%[5]s" {}
  server "%[6]s" {}
}
service "patient" {
  vip       = "web"
  port      = 81
  scheduler = "rr"
  forward   = "nat"
  health { passive = false }
  check "tcp" {
    interval = "%[8]s"
    timeout  = "%[10]s"
    rise     = 1
    fall     = 2
  }
  server "%[4]s" {}
  server "%[5]s" {}
  server "%[6]s" {}
}
`

// TestPassive: servers that are probed once a minute die under the clients' traffic, one that refuses and one that is silent. The owner's kernel knows at once, all three observers
// are told, and the verdict is agreed within seconds. Servers that are well are not hinted at.
func TestPassive(t *testing.T) {
	p := paceOf()
	bed := newBed(t, 3, 3)
	form(t, bed)
	fast := max(p.checks, 500*time.Millisecond)
	apply := func(web, patient time.Duration) {
		t.Helper()
		_, err := bed.Directors[0].Apply(within(t, 30*time.Second*p.times), "cluster.hcl", fmt.Sprintf(passiveText, strings.Join(p.settings(), "\n"), lab.VIP(1), lab.VIP(2),
			bed.ServerAddr(0), bed.ServerAddr(1), bed.ServerAddr(2), web, patient, fast, fast*3/4))
		must(t, err)
	}
	apply(fast, fast*2) // nobody wants to wait for a minute until they are known
	wayBack(t, bed, bed.Client, lab.VIP(2).Addr())
	for _, service := range []string{"web", "patient"} {
		must(t, bed.AwaitServers(within(t, 30*time.Second*p.times), service, 3))
	}
	owner, err := bed.AwaitOwner(within(t, 20*time.Second*p.times), lab.VIP(1).Addr(), nil)
	must(t, err)
	apply(60*time.Second, 55*time.Second)
	load, err := bed.Client.StartLoad(t.Context(), netip.AddrPortFrom(lab.VIP(1).Addr(), 80), min(p.rate, 20), p.answer)
	must(t, err)
	before := lab.Now()
	must(t, lab.Sleep(t.Context(), 5*time.Second*p.times)) // of traffic to servers that are well
	n, err := owner.API.Node(within(t, 5*time.Second*p.times))
	must(t, err)
	plane, may := n.DataPlane.Name, 0.0
	if plane == "ipvs" {
		may = 2 // its counters are cut at a time of the kernel's own, which may be in the middle of a handshake
	}
	hints := func(d *lab.Director, reason string) float64 {
		t.Helper()
		n, err := d.Metric(within(t, 5*time.Second*p.times), fmt.Sprintf("quorate_health_hints_total{reason=%q}", reason))
		must(t, err)
		return n
	}
	for _, reason := range []string{"unanswered", "refused"} {
		if n := hints(owner, reason); n > may {
			t.Errorf("%g hints (%s) at servers that are well", n, reason)
		}
	}
	if failed := load.Failures(lab.Span{From: before, To: lab.Now()}); len(failed) > 0 {
		t.Errorf("%d requests failed while all were well, the first: %+v", len(failed), failed[0])
	}

	// A hint takes a look, and a silent server the time until one; then fall probes follow at the fast interval, of which the silent ones take their timeout.
	limit := 10 * time.Second * p.times
	die := func(name, reason string, server int, kill func() error) {
		t.Run(name, func(t *testing.T) {
			asked, already := map[*lab.Director]float64{}, hints(owner, reason)
			for _, d := range bed.Directors {
				asked[d] = hints(d, "asked")
			}
			from := lab.Now()
			must(t, kill())
			hinted := time.Duration(0)
			must(t, lab.Await(within(t, limit), 10*time.Millisecond, func(context.Context) error {
				if hints(owner, reason) == already {
					return errors.New("the owner has not hinted")
				}
				hinted = lab.Since(from)
				return nil
			}))
			must(t, bed.AwaitServers(within(t, limit), "web", 3-server))
			verdict := lab.Since(from)
			t.Logf("%s: hint after %s, verdict after %s", plane, lab.Millis(hinted), lab.Millis(verdict))
			for _, d := range bed.Directors {
				if n := hints(d, "asked") - asked[d]; (n > 0) != (d != owner) {
					t.Errorf("%s was asked for %g probes, the owner is %s", d.Name, n, owner.Name)
				}
			}
			if verdict > limit {
				t.Errorf("the verdict took %s, want at most %s", lab.Millis(verdict), lab.Millis(limit))
			}
			must(t, bed.AwaitServers(within(t, limit), "patient", 3))
		})
	}
	die("the process is killed: resets", "refused", 1, bed.Servers[0].Kill)
	die("the host is cut off: silence", "unanswered", 2, bed.Servers[1].Host().Unplug)
	es, err := owner.API.LastEvents(within(t, 5*time.Second*p.times), 100)
	must(t, err)
	well := bed.ServerAddr(2).String()
	if slices.ContainsFunc(es.Events, func(e fsm.Event) bool {
		return e.Kind == fsm.EventServer && strings.Contains(e.Server, well) && strings.Contains(e.Text, "down")
	}) {
		t.Errorf("the server that is well went down: %+v", es.Events)
	}
}
