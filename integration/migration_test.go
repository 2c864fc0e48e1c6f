package integration

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/lab"
)

// migration is what the parts of [TestMigration] share.
type migration struct {
	pace
	bed     *lab.Bed
	boxes   []*lab.Keepalived // directors of keepalived
	vip     netip.Prefix
	hosts   []string // that may answer for it
	capture *lab.Capture
	guide   guide
}

// TestMigration is docs/migrate-from-keepalived.md from end to end: two keepalived directors with IPVS, and clients; three nodes in shadow beside them with what is
// imported from their files; the VIP is taken over, given back and taken over again; keepalived ends. No request of a client fails, connections that are open go on, and nobody
// answers for the VIP beside a node.
func TestMigration(t *testing.T) {
	needIPVS(t)
	version, err := lab.KeepalivedVersion(t.Context())
	if err != nil {
		t.Skip(err)
	}
	m := &migration{pace: paceOf(), vip: netip.MustParsePrefix("192.0.2.10/24"), hosts: []string{"lb1", "lb2", "n1", "n2", "n3"}, guide: readGuide(t, "migrate-from-keepalived.md")}
	before, err := lab.TakeFootprint()
	must(t, err)
	m.bed, err = lab.NewBed(context.Background(), m.bedOptions())
	must(t, err)
	t.Cleanup(func() { closeBed(t, m.bed, before) })

	imports := m.startKeepalived(t)
	form(t, m.bed) // which touches nothing
	k1, k2 := m.boxes[0], m.boxes[1]
	m.await(t, "keepalived serves", func() error {
		if s, n := k1.State("web"), inTable(k1.Host()); s != "MASTER" || n != 2 {
			return fmt.Errorf("lb1 is %s with %d servers", s, n)
		}
		return nil
	})
	m.capture, err = m.bed.StartCapture(m.vip.Addr())
	must(t, err)
	_, err = m.bed.Bystander.StartWatch(10*time.Millisecond*m.times, m.vip.Addr())
	must(t, err)
	stood := watchStalls(t)
	began := lab.Now()
	load, err := m.bed.Client.StartLoad(t.Context(), netip.AddrPortFrom(m.vip.Addr(), 80), 10, 15*time.Second) // Linux repeats what begins a connection after 1, 3 and 7 s
	must(t, err)
	few := m.pace
	few.conns, few.every = 10, time.Second
	open := talk(t, m.bed.Client, few, netip.AddrPortFrom(m.vip.Addr(), 80))

	m.rehearse(t, imports)
	m.on(t, "before", "lb1")
	t.Logf("keepalived %s", version)
	m.shows(t, "vrrp takeover web --check", "vrrp", "takeover", "web", "--check")
	serve := map[string][]string{"takeover": {"n1", "n2", "n3"}, "giveback": {"lb1", "lb2"}}
	for i, way := range []string{"takeover", "giveback", "takeover"} {
		out := m.says(t, "vrrp", way, "web", "--wait", "1m") // a slow machine may need longer than the default, which says the same
		if i < len(serve) {
			m.guide.shows(t, "vrrp "+way+" web", out)
		}
		m.on(t, way, serve[way]...)
		open.goOn(t, way, 100)
	}
	for _, k := range []*lab.Keepalived{k2, k1} {
		must(t, k.End(within(t, 20*time.Second*m.times)))
	}
	m.on(t, "keepalived has ended", serve["takeover"]...)
	open.goOn(t, "keepalived has ended", 100)
	window := lab.Span{From: began, To: lab.Now()}
	must(t, load.Finish(within(t, 20*time.Second*m.times)))
	m.judge(t, window, load, stood())
}

func (m *migration) bedOptions() lab.BedOptions {
	return m.pace.bed(lab.BedOptions{Binary: quorate, Directors: 3, Servers: 2, Direct: []netip.Addr{m.vip.Addr()}})
}

// startKeepalived starts two boxes. It returns the command that imports their files.
func (m *migration) startKeepalived(t *testing.T) (imports []string) {
	t.Helper()
	imports = []string{"import", "keepalived", "--shadow"}
	for i := range 2 {
		h, err := m.bed.AddHost(fmt.Sprintf("lb%d", i+1), lab.HostPrefixes(2+i)...)
		must(t, err)
		must(t, h.Sysctl("net.ipv4.vs.sloppy_tcp", "1")) // as its administrator has set it for its own failover
		k, err := h.StartKeepalived(within(t, 20*time.Second*m.times), lab.KeepalivedOptions{
			Servers: []netip.AddrPort{m.bed.ServerAddr(0), m.bed.ServerAddr(1)}, Scheduler: "mh mh-port",
			Instances: []lab.KeepalivedInstance{{
				Name: "web", VRID: 51, Version: 2, Password: "s3cr3t", Priority: 150 - 50*i, Preempt: true, Addresses: []netip.Prefix{m.vip},
				Advert: 3 * time.Second, // a cluster of the profile wan, which a slow machine needs, is too slow for keepalived's default of a second
			}},
		})
		must(t, err)
		m.boxes = append(m.boxes, k)
		imports = append(imports, "--node", fmt.Sprintf("n%d=%s", i+1, filepath.Join(h.Dir, "keepalived.conf")), "--peer", h.Addr().String())
	}
	return imports
}

// rehearse gives the cluster what is imported, in shadow, and waits until it sees what they do.
func (m *migration) rehearse(t *testing.T, imports []string) {
	t.Helper()
	n1 := m.bed.Directors[0]
	text := regexp.MustCompile(`(?m)^(\s*)profile\s*=\s*"lan".*$`).ReplaceAllString(says(t, n1, imports...), strings.Join(m.settings("set_sysctls = true"), "\n"))
	file := filepath.Join(n1.Dir, "cluster.hcl")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	scan, _, _ := strings.Cut(m.says(t, "vrrp", "scan", "eth0", "--for", "6s"), "\nNothing was compared with") // where the agent did not answer at once
	m.guide.shows(t, "vrrp scan eth0 --for 6s", scan)
	m.shows(t, "plan imported/cluster.hcl", "plan", file)
	says(t, n1, "apply", file)
	m.await(t, "the cluster sees the servers and the master", func() error {
		s, err := m.bed.Status(t.Context())
		if err != nil {
			return err
		}
		if len(s.Services) != 1 || s.Services[0].Up != 2 {
			return fmt.Errorf("services %+v", s.Services)
		}
		out, err := n1.Quorate(t.Context(), "vip", "show", "web")
		if err != nil || !strings.Contains(out, "the master is "+m.boxes[0].Host().Addr().String()) {
			return fmt.Errorf("%v\n%s", err, out)
		}
		return nil
	})
	for _, d := range m.bed.Directors {
		if has, err := d.Carries(m.vip.Addr()); err != nil || has {
			t.Errorf("%s carries a VIP in shadow: %v", d.Name, err)
		}
		if n := inTable(d.Host); n > 0 {
			t.Errorf("%s has %d servers in its table for a VIP in shadow", d.Name, n)
		}
	}
}

// judge says what the clients and the wire have seen in the window, and what keepalived said.
func (m *migration) judge(t *testing.T, window lab.Span, load *lab.Load, stood time.Duration) {
	t.Helper()
	s := load.Summary(window)
	t.Logf("%s, slowest %s", s, lab.Millis(s.Slowest))
	if s.Failed > 0 || s.Total < 100 {
		t.Errorf("%d of %d requests failed: %v", s.Failed, s.Total, s.Errors)
		for _, f := range load.Failures(window) {
			t.Log(lab.Millis(f.At.Sub(window.From)), lab.Millis(f.Took), f.Err)
		}
	}
	for _, k := range m.boxes { // what the boxes do to each other is their own matter
		if wrong := together(m.capture, m.vip.Addr(), window, []string{"n1", "n2", "n3"}, 0, k.Host().Name); wrong != "" {
			t.Errorf("of the nodes and %s: %s", k.Host().Name, wrong)
		}
	}
	last := 0
	adverts := m.capture.Adverts(51, false, window)
	for _, a := range adverts {
		if a.Priority == 0 && strings.HasPrefix(a.Host, "n") {
			last++
		}
	}
	if last != 1 {
		t.Errorf("the cluster said %d times that nobody has to wait, want once: when the VIP was given back", last)
	}
	for _, k := range m.boxes {
		for _, c := range k.Complaints() {
			if strings.Contains(c.Text, "(web)") { // it also tells what its checks find
				t.Errorf("keepalived on %s complains: %s", k.Host().Name, c.Text)
			}
		}
	}
	must(t, m.capture.Err())
	answering := m.capture.Answering(m.vip.Addr(), window, m.hosts...)
	for i, o := range answering {
		if i > 0 && strings.HasPrefix(o.Host, "n") != strings.HasPrefix(answering[i-1].Host, "n") {
			gap := o.Span.From.Sub(answering[i-1].Span.To)
			t.Logf("from %s to %s: nobody answered for %s", answering[i-1].Host, o.Host, lab.Millis(gap))
			if gap > 4*time.Second+stood { // keepalived's own failover takes longer than 9 s here
				t.Errorf("from %s to %s: nobody answered for %s, and the machine stood still for %s", answering[i-1].Host, o.Host, lab.Millis(gap), lab.Millis(stood))
			}
		}
	}
	if !t.Failed() {
		return
	}
	for _, a := range adverts {
		t.Log(lab.Millis(a.At.Sub(window.From)), a)
	}
	for _, o := range answering {
		t.Log(o.Host, lab.Millis(o.Span.From.Sub(window.From)), lab.Millis(o.Span.To.Sub(window.From)))
	}
	for _, k := range m.boxes {
		t.Log(k.Output())
	}
}

// on waits until one of these hosts answers for the VIP, and nobody else.
func (m *migration) on(t *testing.T, what string, names ...string) {
	t.Helper()
	m.await(t, what, func() error {
		now := lab.Now()
		var who []string
		for _, o := range m.capture.Answering(m.vip.Addr(), lab.Span{From: now.Add(-50 * time.Millisecond * m.times), To: now}, m.hosts...) {
			who = append(who, o.Host)
		}
		if len(slices.Compact(who)) != 1 || !slices.Contains(names, who[0]) {
			return fmt.Errorf("%q answer; lb1 is %s, lb2 %s", who, m.boxes[0].State("web"), m.boxes[1].State("web"))
		}
		return nil
	})
}

func (m *migration) await(t *testing.T, what string, ok func() error) {
	t.Helper()
	if err := lab.Await(within(t, 20*time.Second*m.times), 50*time.Millisecond, func(context.Context) error { return ok() }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// shows runs a command, whose output has to be of the form that the guide shows for it.
func (m *migration) shows(t *testing.T, command string, args ...string) {
	t.Helper()
	out := m.says(t, args...)
	m.guide.shows(t, command, out)
}

// says runs a command that may take its time.
func (m *migration) says(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.bed.Directors[0].Quorate(within(t, 60*time.Second*m.times), args...)
	t.Logf("$ quorate %s\n%s", strings.Join(args, " "), out)
	must(t, err)
	return out
}
