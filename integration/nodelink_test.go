package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/fsm"
	"quorate/integration/lab"
)

// cable is a link of a director to somebody's switch: uplink0, and the port at its other end.
type cable struct{ d *lab.Director }

func newCable(t *testing.T, d *lab.Director) cable {
	t.Helper()
	nl, err := d.Links()
	must(t, err)
	must(t, nl.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "uplink0"}, PeerName: "port0"}))
	c := cable{d}
	c.set(t, "uplink0", true)
	c.set(t, "port0", true)
	return c
}

// plugged says whether the port at the other end is up: if not, uplink0 has lost its carrier.
func (c cable) plugged(t *testing.T, up bool) {
	t.Helper()
	c.set(t, "port0", up)
}

func (c cable) set(t *testing.T, name string, up bool) {
	t.Helper()
	nl, err := c.d.Links()
	must(t, err)
	link, err := nl.LinkByName(name)
	must(t, err)
	if up {
		must(t, nl.LinkSetUp(link))
		return
	}
	must(t, nl.LinkSetDown(link))
}

// states are what the notifier of each node has been told of the VIP, in keepalived's words.
type states struct{ dir string }

// newStates writes the script that each node runs, and returns the notifier that runs it.
func newStates(t *testing.T) (states, string) {
	t.Helper()
	dir := t.TempDir()
	for at := dir; at != "/" && at != os.TempDir(); at = filepath.Dir(at) {
		must(t, os.Chmod(at, 0o755))
	}
	script := filepath.Join(dir, "told")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho \"$3\" >>\""+dir+"/$QUORATE_NODE\"\n"), 0o755))
	return states{dir}, fmt.Sprintf("notify \"told\" {\n  script {\n    command = [%q]\n    user = \"root\"\n  }\n}\n", script)
}

// await waits until a director has been told these states in that order, with no other than BACKUP between them.
func (s states) await(t *testing.T, d *lab.Director, want ...string) {
	t.Helper()
	must(t, lab.Await(within(t, 20*time.Second), 5*time.Millisecond, func(context.Context) error {
		text, _ := os.ReadFile(filepath.Join(s.dir, d.Name))
		left := want
		for _, is := range strings.Fields(string(text)) {
			switch {
			case len(left) > 0 && is == left[0]:
				left = left[1:]
			case is != "BACKUP":
				return fmt.Errorf("%s was told %q, want %q", d.Name, text, want)
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("%s was told %q, want %q", d.Name, text, want)
		}
		return nil
	}))
}

// followsLink has the VIP go by a link besides: it leaves where the carrier is lost, does not come back for nothing, and is nowhere when there is no link anywhere. Each
// node's notifier is told what becomes of it there.
func (p *proxied) followsLink(t *testing.T) {
	d := p.bed.Directors
	cables := map[*lab.Director]cable{}
	for _, x := range d {
		cables[x] = newCable(t, x)
	}
	before := p.owner(t, nil)
	told, notifier := newStates(t)
	_, err := d[0].Apply(within(t, 30*time.Second), "cluster.hcl", p.config(notifier+"node_check \"uplink\" {\n  required = true\n  check \"interface\" { interface = \"uplink0\" }\n}\n"))
	must(t, err)
	for _, x := range d {
		awaitVerdict(t, x, "uplink", fsm.Up)
	}
	on := p.owner(t, nil)
	if on != before {
		t.Errorf("a check that passes everywhere moved the VIP from %s to %s", before.Name, on.Name)
	}

	told.await(t, on, "MASTER")
	for _, x := range d {
		if x != on {
			told.await(t, x, "BACKUP")
		}
	}

	pulled := time.Now()
	cables[on].plugged(t, false)
	next := p.owner(t, on)
	said, release := p.after(t, on, pulled)
	t.Logf("from the loss of the carrier until it is agreed: %v, until its node is asked to hand the VIP over: %v",
		said.Sub(pulled).Round(100*time.Microsecond), release.Sub(pulled).Round(100*time.Microsecond))
	if took := said.Sub(pulled); took > time.Second*paceOf().times {
		t.Errorf("the loss of the carrier is agreed after %v, with an interval of 2s: that is no reaction to an event", took)
	}
	tells(t, d[0], "up → down: uplink0 has no carrier")
	told.await(t, on, "MASTER", "FAULT")
	told.await(t, next, "BACKUP", "MASTER")
	if out := says(t, on, "node", "show"); !strings.Contains(out, "uplink0 has no carrier") {
		t.Errorf("node show:\n%s", out)
	}
	if out := says(t, next, "explain", "vip", "web"); !strings.Contains(out, "check uplink fails on "+on.Name+": uplink0 has no carrier") {
		t.Errorf("explain:\n%s", out)
	}

	if m, err := on.Metric(within(t, 20*time.Second), `quorate_node_check{check="uplink",verdict="down"}`); err != nil || m != 1 {
		t.Errorf("metric %v, %v", m, err)
	}

	// The link is back, and nothing asks for the VIP to come back.
	cables[on].plugged(t, true)
	awaitVerdict(t, on, "uplink", fsm.Up)
	if c := p.bed.Carriers(lab.VIP(1).Addr()); len(c) != 1 || c[0] != next {
		t.Errorf("the VIP left %s, where the link is as well as anywhere", next.Name)
	}

	told.await(t, on, "MASTER", "FAULT", "BACKUP")

	// Set down by an operator is as bad as cut. Where no director has a link nobody has the VIP, until one has it again. Its owner loses its link last: the VIP goes
	// within some milliseconds, and to whoever has a link still.
	for _, x := range append(slices.DeleteFunc(slices.Clone(d), func(x *lab.Director) bool { return x == next }), next) {
		cables[x].set(t, "uplink0", false)
		awaitVerdict(t, x, "uplink", fsm.Down)
	}
	must(t, lab.Await(within(t, 20*time.Second), 5*time.Millisecond, func(context.Context) error {
		if c := p.bed.Carriers(lab.VIP(1).Addr()); len(c) > 0 {
			return fmt.Errorf("the VIP is still on %s", c[0].Name)
		}
		return nil
	}))
	if out := says(t, d[0], "status"); !strings.Contains(out, "check uplink fails, and it may not own the VIPs that need it: uplink0 is not set up") {
		t.Errorf("status:\n%s", out)
	}
	for x, want := range map[*lab.Director][]string{on: {"MASTER", "FAULT", "BACKUP", "FAULT"}, next: {"BACKUP", "MASTER", "FAULT"}} {
		told.await(t, x, want...)
	}
	cables[on].set(t, "uplink0", true)
	if got := p.owner(t, nil); got != on {
		t.Errorf("the VIP is on %s, and the link on %s", got.Name, on.Name)
	}
	for _, x := range d {
		cables[x].set(t, "uplink0", true)
		awaitVerdict(t, x, "uplink", fsm.Up)
		switch x {
		case on:
			told.await(t, x, "MASTER", "FAULT", "BACKUP", "FAULT", "MASTER")
		case next:
			told.await(t, x, "BACKUP", "MASTER", "FAULT", "BACKUP")
		default:
			told.await(t, x, "BACKUP", "FAULT", "BACKUP")
		}
	}
	_, err = d[0].Apply(within(t, 30*time.Second), "cluster.hcl", p.config(""))
	must(t, err)
}
