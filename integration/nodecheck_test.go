package integration

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/fsm"
	"quorate/integration/lab"
)

// proxied are directors with a program each, by whose process the VIP goes.
type proxied struct {
	bed     *lab.Bed
	program lab.Program
	args    func(d *lab.Director) []string
	runs    map[string]*lab.Process
}

// newProxied writes a configuration of HAProxy for each director.
func newProxied(t *testing.T, bed *lab.Bed) *proxied {
	t.Helper()
	p := &proxied{bed: bed, runs: map[string]*lab.Process{}}
	path, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("there is no haproxy; install the package haproxy (make deps)")
	}
	p.program = lab.Program{Path: path}
	p.args = func(d *lab.Director) []string { return []string{"-f", filepath.Join(d.Dir, "haproxy.cfg"), "-db"} }
	for _, d := range bed.Directors {
		const text = "defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 1s\nfrontend web\n  bind :8080\n  http-request return status 200\n"
		must(t, os.WriteFile(filepath.Join(d.Dir, "haproxy.cfg"), []byte(text), 0o644))
	}
	return p
}

func (p *proxied) start(t *testing.T, d *lab.Director) {
	t.Helper()
	prog := p.program
	prog.Args = p.args(d)
	run, err := d.Host.Start(t.Context(), prog)
	must(t, err)
	p.runs[d.Name] = run
}

// config has one check for each director, as all of them are one machine and see each other's processes.
func (p *proxied) config(more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "vip \"web\" {\n  address = %q\n}\n", lab.VIP(1))
	for _, d := range p.bed.Directors {
		var quoted []string
		for _, a := range p.args(d) {
			quoted = append(quoted, fmt.Sprintf("%q", a))
		}
		fmt.Fprintf(&b, "node_check \"haproxy-%s\" {\n  required = true\n  nodes = [%q]\n  check \"process\" {\n    process = \"haproxy\"\n    arguments = [%s]\n    interval = \"500ms\"\n    timeout = \"250ms\"\n  }\n", d.Name, d.Name, strings.Join(quoted, ", "))
		b.WriteString("  check \"tcp\" {\n    port = 8080\n    interval = \"500ms\"\n    timeout = \"250ms\"\n    rise = 1\n  }\n}\n")
	}
	return b.String() + more
}

// owner waits until the VIP is on one director alone, which is not the one.
func (p *proxied) owner(t *testing.T, not *lab.Director) *lab.Director {
	t.Helper()
	var on *lab.Director
	must(t, lab.Await(within(t, 20*time.Second), time.Millisecond, func(context.Context) error {
		c := p.bed.Carriers(lab.VIP(1).Addr())
		if len(c) != 1 || c[0] == not {
			return fmt.Errorf("the VIP is on %d directors, or where it was", len(c))
		}
		on = c[0]
		return nil
	}))
	return on
}

// verdict waits until the check of HAProxy on a director is agreed to be so.
func (p *proxied) verdict(t *testing.T, d *lab.Director, want fsm.Verdict) {
	t.Helper()
	awaitVerdict(t, d, "haproxy-"+d.Name, want)
}

// awaitVerdict waits until a check of a director is agreed to be so.
func awaitVerdict(t *testing.T, d *lab.Director, check string, want fsm.Verdict) {
	t.Helper()
	must(t, lab.Await(within(t, 20*time.Second), 5*time.Millisecond, func(ctx context.Context) error {
		n, err := d.API.Node(ctx)
		if err != nil {
			return err
		}
		for _, c := range n.Checks {
			if c.Name == check && c.Verdict == want {
				return nil
			}
		}
		return fmt.Errorf("the check %s of %s is not %s: %+v", check, d.Name, want, n.Checks)
	}))
}

// TestVIPFollowsHAProxy kills HAProxy where the VIP is, again and again, with real agents, and then everywhere. Two of them hear of it by the kernel's process
// events, the third has no right to these in a network namespace of its own. Then links lose their carrier, which the VIP follows as well.
func TestVIPFollowsHAProxy(t *testing.T) {
	bed := newBed(t, 3, 0)
	p := newProxied(t, bed)
	d := bed.Directors
	d[2].Without = []uintptr{unix.CAP_SYS_ADMIN}
	form(t, bed)
	for _, x := range d {
		p.start(t, x)
	}
	_, err := d[0].Apply(within(t, 30*time.Second), "cluster.hcl", p.config(""))
	must(t, err)
	for _, x := range d {
		p.verdict(t, x, fsm.Up)
	}
	events := map[*lab.Director]bool{}
	must(t, lab.Await(within(t, 20*time.Second), 5*time.Millisecond, func(ctx context.Context) error {
		st, err := d[0].API.Status(ctx)
		for _, x := range d {
			events[x] = !slices.ContainsFunc(st.Problems, func(p string) bool { return strings.HasPrefix(p, "node "+x.Name+": the start of a process") })
		}
		if err == nil && events[d[2]] {
			err = fmt.Errorf("n3 has no right to process events and says nothing of it: %q", st.Problems)
		}
		return err
	}))
	t.Logf("process events are heard on n1: %v, n2: %v, n3: %v", events[d[0]], events[d[1]], events[d[2]])
	on := p.owner(t, nil)
	// Until the leader hears of it, and until it asks the node to hand the VIP over; by whether the node hears process events.
	heard, begun := map[bool][]time.Duration{}, map[bool][]time.Duration{}
	var moved []time.Duration
	for range 10 {
		killed := time.Now()
		must(t, p.runs[on.Name].Kill())
		must(t, lab.Await(within(t, 20*time.Second), time.Millisecond, func(context.Context) error {
			if !slices.ContainsFunc(bed.Carriers(lab.VIP(1).Addr()), func(x *lab.Director) bool { return x != on }) {
				return fmt.Errorf("no other director than %s has the VIP", on.Name)
			}
			return nil
		}))
		moved = append(moved, time.Since(killed))
		next := p.owner(t, on) // alone, once what lingers has ended
		said, release := p.after(t, on, killed)
		by := events[on]
		heard[by], begun[by] = append(heard[by], said.Sub(killed)), append(begun[by], release.Sub(killed))
		<-p.runs[on.Name].Done()
		p.start(t, on)
		p.verdict(t, on, fsm.Up)
		on = next
	}
	for by, all := range begun {
		t.Logf("from the death of HAProxy, process events %v, until the leader hears that its check is down: %s", by, spread(heard[by]))
		t.Logf("until its node is asked to hand the VIP over: %s", spread(all))
		if m := median(all); m > 50*time.Millisecond*paceOf().times {
			t.Errorf("the median from the death until the VIP begins to move is %v, process events %v", m, by)
		}
	}
	t.Logf("until another director has it: %s", spread(moved))
	tells(t, d[0], "up → down: no process haproxy", "no process haproxy; ")
	p.followsLink(t)

	// Without HAProxy anywhere nobody has the VIP, and it says why; each director's own notifiers are told that it could not have it.
	news := newTold(t, bed)
	_, err = d[0].Apply(within(t, 30*time.Second), "cluster.hcl", p.config(news.config()))
	must(t, err)
	on = p.owner(t, nil)
	for _, x := range d {
		news.await(t, x, map[bool]string{true: "MASTER", false: "BACKUP"}[x == on])
	}
	for _, x := range d {
		must(t, p.runs[x.Name].Kill())
	}
	must(t, lab.Await(within(t, 20*time.Second), 5*time.Millisecond, func(context.Context) error {
		if c := bed.Carriers(lab.VIP(1).Addr()); len(c) > 0 {
			return fmt.Errorf("the VIP is still on %s", c[0].Name)
		}
		return nil
	}))
	for _, x := range d {
		p.verdict(t, x, fsm.Down)
		news.await(t, x, "FAULT")
	}
	if out := says(t, d[0], "explain", "vip", "web"); !strings.Contains(out, "check haproxy-n2 fails on n2: no process haproxy") {
		t.Errorf("explain:\n%s", out)
	}
	if out := says(t, d[0], "status"); !strings.Contains(out, "check haproxy-n1 fails, and it may not own the VIPs that need it: no process haproxy") {
		t.Errorf("status:\n%s", out)
	}
	if out := says(t, d[1], "node", "show"); !strings.Contains(out, "haproxy-n2") || !strings.Contains(out, "owns nothing") {
		t.Errorf("node show:\n%s", out)
	}
	p.start(t, d[2])
	if got := p.owner(t, nil); got != d[2] {
		t.Errorf("the VIP is on %s, and HAProxy on n3", got.Name)
	}
	news.await(t, d[2], "MASTER")

	// An agent that is started anew does not go by what the one before it found.
	must(t, d[2].Kill())
	must(t, lab.Await(within(t, 20*time.Second), 5*time.Millisecond, func(ctx context.Context) error {
		st, err := bed.Status(ctx)
		if err == nil && (len(st.VIPs) != 1 || st.VIPs[0].Owner != "") {
			err = fmt.Errorf("the VIP is still %s's", st.VIPs[0].Owner)
		}
		return err
	}))
	must(t, p.runs[d[2].Name].Kill())
	must(t, d[2].Restart(within(t, 20*time.Second)))
	p.verdict(t, d[2], fsm.Down)
	st, err := bed.Status(t.Context())
	must(t, err)
	if st.VIPs[0].Owner != "" {
		t.Errorf("the VIP came back to %s without HAProxy", st.VIPs[0].Owner)
	}
	must(t, lab.Await(within(t, 5*time.Second), 5*time.Millisecond, func(context.Context) error { // the killed agent has left it in its kernel, silent
		if c := bed.Carriers(lab.VIP(1).Addr()); len(c) > 0 {
			return fmt.Errorf("the VIP is still on %s", c[0].Name)
		}
		return nil
	}))
	news.await(t, d[2], "FAULT")
	if all := news.lines(t, d[0]); !strings.Contains(all[len(all)-1], "FAULT") {
		t.Errorf("of a node that nothing has changed on the last is %q", all[len(all)-1])
	}
}

// after are the times of the first events after killed: the check of the director is down, and the VIP is released.
func (p *proxied) after(t *testing.T, d *lab.Director, killed time.Time) (down, released time.Time) {
	t.Helper()
	must(t, lab.Await(within(t, 10*time.Second), 5*time.Millisecond, func(ctx context.Context) error {
		ev, err := p.bed.Directors[0].API.LastEvents(ctx, 100)
		if err != nil {
			return err
		}
		down, released = time.Time{}, time.Time{}
		for _, e := range ev.Events {
			switch {
			case e.At.Before(killed):
			case e.Kind == fsm.EventHealth && e.Node == d.ID() && down.IsZero():
				down = e.At
			case e.Kind == fsm.EventRelease && e.Node == d.ID() && e.Reason == fsm.ReasonUnhealthy && released.IsZero():
				released = e.At
			}
		}
		if down.IsZero() || released.IsZero() {
			return fmt.Errorf("no event says that the check on %s is down and that the VIP moves", d.Name)
		}
		return nil
	}))
	return down, released
}

func spread(all []time.Duration) string {
	all = slices.Sorted(slices.Values(all))
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("%d times, least %v, median %v, most %v", len(all), round(all[0]), round(median(all)), round(all[len(all)-1]))
}

func median(all []time.Duration) time.Duration { return slices.Sorted(slices.Values(all))[len(all)/2] }

// TestFilesAreExamined: a configuration whose checks or notifiers need files that a director does not have, or may not use, is refused and changes nothing.
func TestFilesAreExamined(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	d := bed.Directors
	dir := t.TempDir()
	for at := dir; at != "/" && at != os.TempDir(); at = filepath.Dir(at) {
		must(t, os.Chmod(at, 0o755))
	}
	script := filepath.Join(dir, "check")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho \"$QUORATE_NODE $QUORATE_PORT\"\n"), 0o755))
	must(t, os.Chmod(script, 0o755))
	config := func(check string) string {
		return fmt.Sprintf("vip \"web\" {\n  address = %q\n}\nservice \"web\" {\n  vip  = \"web\"\n  port = 80\n%s\n  server \"%s\" {}\n}\n", lab.VIP(1), check, netip.AddrPortFrom(d[0].Addr().Next().Next().Next(), 8080))
	}
	check := func(user string) string {
		return fmt.Sprintf("  check \"script\" {\n    command = [%q]\n    user    = %q\n  }", script, user)
	}
	refuses := func(text string, words ...string) {
		t.Helper()
		before := says(t, d[0], "export")
		file := filepath.Join(dir, "bad.hcl")
		must(t, os.WriteFile(file, []byte(text), 0o644))
		refused(t, d[0], 1, append(words, "bad.hcl:8:", "on n1, n2, n3: "), "plan", file)
		refused(t, d[0], 1, append(words, "bad.hcl:8:", "nothing was changed"), "apply", file)
		if after := says(t, d[0], "export"); after != before {
			t.Errorf("refused, and changed:\n%s", after)
		}
	}
	must(t, os.Chmod(script, 0o777))
	refuses(config(check("root")), "command", "everybody may write to "+script, "chmod o-w")
	must(t, os.Chmod(script, 0o644))
	refuses(config(check("root")), "no execute bit", "chmod +x "+script)
	must(t, os.Chmod(script, 0o755))
	text := config(check("nobody-of-this-name"))
	file := filepath.Join(dir, "user.hcl")
	must(t, os.WriteFile(file, []byte(text), 0o644))
	refused(t, d[0], 1, []string{"user.hcl:9:", `user = "nobody-of-this-name"`, "make the user on this node"}, "apply", file)
	refuses(config("  check \"file\" {\n    file = \""+dir+"\"\n  }"), "no regular file")
	must(t, os.Chmod(script, 0o777))
	refuses(config("  check \"https\" {\n    ca = \""+dir+"/none.pem\"\n  }"), "ca = ", "does not exist on this node")

	// Notifiers name files too.
	secret := filepath.Join(dir, "key")
	must(t, os.WriteFile(secret, []byte("secret\n"), 0o600))
	notifier := func(channel, key, value string) string {
		return fmt.Sprintf("vip \"web\" {\n  address = %q\n}\nnotify \"ops\" {\n  %s {\n%s\n\n    %s = %s\n  }\n}\n", lab.VIP(1), channel,
			map[string]string{"webhook": "    url = \"https://192.0.2.99/\""}[channel], key, value)
	}
	must(t, os.Chmod(secret, 0o644))
	refuses(notifier("webhook", "secret_file", strconv.Quote(secret)), "secret_file = ", "everybody may read it", "chmod 600 "+secret)
	refuses(notifier("script", "command", "["+strconv.Quote(script)+"]"), "command = ", "everybody may write to "+script, "chmod o-w")
	refuses(notifier("fifo", "path", strconv.Quote(secret)), "path = ", "no named pipe", "choose another path")
	must(t, os.Chmod(script, 0o755))

	// A director that does not answer is a warning, and what is in force already is in nobody's way.
	must(t, d[2].Agent().Stop())
	file = filepath.Join(dir, "good.hcl")
	must(t, os.WriteFile(file, []byte(config(check("root"))), 0o644))
	if out := says(t, d[0], "plan", file); !strings.Contains(out, "warning:") || !strings.Contains(out, "n3 could not be asked") {
		t.Errorf("plan while n3 does not answer:\n%s", out)
	}
	must(t, d[2].Agent().Continue())
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	says(t, d[0], "apply", file)
	must(t, lab.Await(within(t, 20*time.Second), 20*time.Millisecond, func(ctx context.Context) error {
		st, err := bed.Status(ctx)
		if err == nil && (len(st.Services) != 1 || st.Services[0].Up != 1) {
			err = fmt.Errorf("the server is not up by its script: %+v", st.Services)
		}
		return err
	}))
	must(t, os.Chmod(script, 0o644))
	must(t, os.WriteFile(file, []byte(config(check("root"))+"group \"g\" {}\n"), 0o644))
	if out := says(t, d[0], "apply", file); !strings.Contains(out, "warning:") || !strings.Contains(out, "no execute bit") {
		t.Errorf("apply of another change while the script is broken:\n%s", out)
	}
}
