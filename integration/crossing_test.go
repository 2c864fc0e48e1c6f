package integration

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"quorate/integration/lab"
)

// kernelOf is what the kernel of a host has: links, addresses, rules, routes, nftables, filters of links and settings, without what only counts.
func kernelOf(t *testing.T, h *lab.Host) string {
	t.Helper()
	var out []byte
	must(t, h.Do(func() (err error) {
		out, err = exec.Command("sh", "-c", `ip -d link; ip addr show; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; nft list ruleset
			for l in eth0 lo; do tc qdisc show dev $l; tc filter show dev $l ingress; tc filter show dev $l egress; done
			cat /proc/net/ip_vs 2>/dev/null; sysctl net 2>/dev/null | grep -v -e conntrack_count -e hash`).CombinedOutput()
		return err
	}))
	return string(out)
}

// TestTakeoverAndGiveback: a VIP that two keepalived have, one of them on a director itself, is rehearsed in shadow, where no kernel changes by a byte; taken over; given back; and what
// cannot be made sure of is undone.
func TestTakeoverAndGiveback(t *testing.T) {
	if _, err := lab.FindKeepalived(); err != nil {
		t.Skip(err)
	}
	bed := newBed(t, 3, 1)
	vip, p := lab.VIP(1), paceOf()
	form(t, bed)
	h, err := bed.AddHost("k1", lab.HostPrefixes(31)...)
	must(t, err)
	n1, n2, n3 := bed.Directors[0], bed.Directors[1], bed.Directors[2]
	start := func(on *lab.Host, priority int) *lab.Keepalived {
		t.Helper()
		k, err := on.StartKeepalived(within(t, 20*time.Second*p.times), lab.KeepalivedOptions{Instances: []lab.KeepalivedInstance{{
			Name: "lab", VRID: 51, Version: 3, Priority: priority, Advert: 200 * time.Millisecond * p.times, Addresses: lab.KeepalivedVIP(vip, 1, time.Second)[0].Addresses, Preempt: true}}})
		must(t, err)
		return k
	}
	has := func(on *lab.Host, want bool) {
		t.Helper()
		must(t, lab.Await(within(t, 20*time.Second*p.times), 5*time.Millisecond, func(context.Context) error {
			if is, err := on.Carries(vip.Addr()); err != nil || is != want {
				return fmt.Errorf("%s has the address: %t, want %t (%v)", on.Name, is, want, err)
			}
			return nil
		}))
	}
	crosses := func(ok bool, args ...string) string {
		t.Helper()
		out, err := n1.Quorate(within(t, 90*time.Second*p.times), append([]string{"vrrp"}, args...)...)
		if (err == nil) != ok {
			t.Fatalf("quorate vrrp %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	awaits := func(d *lab.Director, text string, args ...string) {
		t.Helper()
		must(t, lab.Await(within(t, 20*time.Second*p.times), 50*time.Millisecond, func(ctx context.Context) error {
			if out, err := d.Quorate(ctx, args...); err != nil || !strings.Contains(out, text) {
				return fmt.Errorf("%v does not say %q: %v\n%s", args, text, err, out)
			}
			return nil
		}))
	}

	// In shadow, beside a keepalived on another host and one on a director.
	k1, k3 := start(h, 100), start(n3.Host, 150)
	has(n3.Host, true)
	before := []string{kernelOf(t, n1.Host), kernelOf(t, n2.Host)}
	same := func(when, except string) {
		t.Helper()
		for i, d := range []*lab.Director{n1, n2} {
			but := func(s string) string { return strings.ReplaceAll(s, except+" = 1", except+" = 0") }
			if now := kernelOf(t, d.Host); but(now) != but(before[i]) {
				t.Fatalf("%s, the kernel of %s is another:\n%s\nbefore:\n%s", when, d.Name, now, before[i])
			}
		}
	}
	config := func(mode string, peers ...string) {
		t.Helper()
		c := new(lab.Config).VIP("web", vip, `prefer = ["n1"]`, mode, fmt.Sprintf(`vrrp {
    vrid     = 51
    interval = %q
    peers    = [%s]
  }`, 200*time.Millisecond*p.times, strings.Join(peers, ", ")))
		apply(t, n1, c.Web("http", "web", bed.ServerAddr(0)))
	}
	config(`mode = "shadow"`, fmt.Sprintf("%q", h.Addr()), fmt.Sprintf("%q", n3.Addr()))
	awaits(n1, "n1 would own it; the master is "+n3.Addr().String()+" (priority 150)", "vip", "show", "web")
	awaits(n1, "up", "server", "list")
	same("in shadow", "-")
	if out := crosses(false, "takeover", "web", "--check"); !strings.Contains(out, "n3 has "+vip.Addr().String()+" in its own kernel") || !strings.Contains(out, "this is node n3, which is no router outside the cluster") {
		t.Errorf("the check says:\n%s", out)
	}
	if out := says(t, n1, "vrrp", "scan", "eth0", "--for", (time.Second * p.times).String(), "--output", "json"); !strings.Contains(out, `"virtual_router": "web"`) || !strings.Contains(out, `"node": "n3"`) ||
		!strings.Contains(out, `"priority": 150`) || !strings.Contains(out, `"findings": []`) {
		t.Errorf("scan says:\n%s", out)
	}
	must(t, k3.End(within(t, 10*time.Second*p.times)))
	has(h, true)
	says(t, n1, "vip", "move", "web", "n2")
	awaits(n1, "n2 would have taken it over from n1", "events")
	says(t, n1, "vip", "move", "web", "n1")
	awaits(n1, "n1 would have taken it over from n2", "events")
	same("after two moves in shadow", "-")

	// Taken over; a director can be no peer of what is live. What its kernel had is in its facts for some seconds more.
	must(t, lab.Await(within(t, 20*time.Second*p.times), 50*time.Millisecond, func(ctx context.Context) error {
		if out, _ := n1.Quorate(ctx, "vrrp", "takeover", "web", "--check"); strings.Contains(out, "for itself") {
			return errors.New(out)
		}
		return nil
	}))
	if out := crosses(false, "takeover", "web"); !strings.Contains(out, "this is node n3, which is no router outside the cluster") || !strings.Contains(out, "Nothing is changed: 1 reason against it.") {
		t.Errorf("the takeover with a director among the peers says:\n%s", out)
	}
	config(`mode = "shadow"`, fmt.Sprintf("%q", h.Addr()))
	out := crosses(true, "takeover", "web")
	for _, w := range []string{"ok agreed", "ok adverts  n1 speaks for web, as n2, n3 hear", "ok silence", "ok answers  n1 answers for", `in vip "web": take mode = "shadow" out`, "Done:"} {
		if !strings.Contains(out, w) {
			t.Errorf("takeover does not say %q:\n%s", w, out)
		}
	}
	has(n1.Host, true)
	has(h, false)
	if s := k1.State("lab"); s != "BACKUP" {
		t.Errorf("keepalived is %s", s)
	}
	if out := crosses(true, "takeover", "web"); !strings.Contains(out, "is live already: nothing is changed") {
		t.Errorf("a second takeover says:\n%s", out)
	}

	// Given back.
	out = crosses(true, "giveback", "web")
	for _, w := range []string{"ok gone", "ok master", h.Addr().String() + " (priority 100) speaks for web", "Done:"} {
		if !strings.Contains(out, w) {
			t.Errorf("giveback does not say %q:\n%s", w, out)
		}
	}
	has(h, true)
	has(n1.Host, false)
	same("after takeover and giveback", "net.ipv4.conf.eth0.promote_secondaries") // a link that has had an address of ours keeps that until the agent ends

	// The keepalived that is left has ended, its host answers: the giveback is undone.
	crosses(true, "takeover", "web")
	must(t, k1.End(within(t, 10*time.Second*p.times)))
	if out := crosses(false, "giveback", "web", "--wait", (4 * time.Second * p.times).String()); !strings.Contains(out, "-- master") || !strings.Contains(out, "Undone: everything is as it was before, web is live again.") {
		t.Errorf("a giveback to nobody says:\n%s", out)
	}
	has(n1.Host, true)

	// Nobody would have it at all: refused, and nothing has happened.
	config(``, `"192.0.2.250"`)
	if out := crosses(false, "giveback", "web", "--output", "json"); !strings.Contains(out, `"nobody-left"`) || !strings.Contains(out, `"mode": "live"`) {
		t.Errorf("a giveback without peers says:\n%s", out)
	}
	has(n1.Host, true)
}
