package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/integration/lab"
)

// servicesText is the configuration of [TestServices]: a service of two servers with slow start, and one that needs both.
const servicesText = `
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
  vip        = "web"
  port       = 80
  scheduler  = "wrr"
  forward    = "nat"
  slow_start = "8s"
  %[4]s
  server "%[5]s" { weight = 100 }
  server "%[6]s" { weight = 100 }
}
service "both" {
  vip       = "web"
  port      = 81
  scheduler = "wrr"
  forward   = "nat"
  quorum    = 2
  %[4]s
  server "%[5]s" {}
  server "%[6]s" {}
  sorry_server "%[7]s" {}
}
`

// services is what the parts of TestServices share.
type services struct {
	pace
	bed   *lab.Bed
	owner *lab.Director
	vip   netip.Addr
}

// TestServices: what happens to services and their servers while real agents balance them in a real kernel.
func TestServices(t *testing.T) {
	p := paceOf()
	bed := newBed(t, 3, 3)
	const forward = "net.ipv4.ip_forward"
	for _, d := range bed.Directors {
		must(t, d.Sysctl(forward, "0"))
	}
	form(t, bed)
	var at []any
	for i := range 3 {
		at = append(at, bed.ServerAddr(i))
	}
	check := fmt.Sprintf("check \"http\" {\n    path = \"/healthz\"\n    interval = %q\n    timeout = %q\n    rise = 2\n    fall = 2\n  }", p.checks, p.checks*3/4)
	text := fmt.Sprintf(servicesText, append([]any{strings.Join(p.settings(), "\n"), lab.VIP(1), lab.VIP(2), check}, at...)...)
	_, err := bed.Directors[0].Apply(within(t, 30*time.Second*p.times), "cluster.hcl", text)
	must(t, err)
	wayBack(t, bed, bed.Client, lab.VIP(2).Addr())
	for _, service := range []string{"web", "both"} {
		must(t, bed.AwaitServers(within(t, 30*time.Second*p.times), service, 2))
	}
	owner, err := bed.AwaitOwner(within(t, 20*time.Second*p.times), lab.VIP(1).Addr(), nil)
	must(t, err)
	s := &services{p, bed, owner, lab.VIP(1).Addr()}
	s.isSet(t, forward, "0", "1")
	if ipvs := s.plane(t) == "ipvs"; ipvs {
		s.isSet(t, "net.ipv4.vs.sync_threshold", "3 50", "0 0")
		t.Run("drift", s.drift)
	}
	t.Run("quorum lost and met, then slow start", s.quorum)
	t.Run("drain", s.drain)

	must(t, owner.End(within(t, 20*time.Second*p.times)))
	for name, want := range map[string]string{forward: "0", "net.ipv4.vs.sync_threshold": "3 50"} {
		if got, err := owner.ReadSysctl(name); !errors.Is(err, fs.ErrNotExist) && got != want {
			t.Errorf("the agent has ended, and %s is %q, %v; it was %q before", name, got, err, want)
		}
	}
}

// isSet waits until the owner's agent has set something in its kernel, and says so.
func (s *services) isSet(t *testing.T, name, was, value string) {
	t.Helper()
	must(t, lab.Await(within(t, 10*time.Second*s.times), 100*time.Millisecond, func(ctx context.Context) error {
		n, err := s.owner.API.Node(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(n.Sysctls, func(x api.Sysctl) bool { return x.Name == name })
		if now, err := s.owner.ReadSysctl(name); i < 0 || n.Sysctls[i].Was != was || n.Sysctls[i].Value != value || now != value {
			return fmt.Errorf("%s is %q, %v; the agent says %+v, problems %q", name, now, err, n.Sysctls, n.Problems)
		}
		return nil
	}))
	if out := says(t, s.owner, "node", "show"); !strings.Contains(out, name+" = "+value+" (was "+was+")") {
		t.Errorf("node show does not say that %s is set:\n%s", name, out)
	}
}

func (s *services) plane(t *testing.T) string {
	t.Helper()
	n, err := s.owner.API.Node(within(t, 5*time.Second*s.times))
	must(t, err)
	return n.DataPlane.Name
}

// event waits until the timeline has an event that is like this.
func (s *services) event(t *testing.T, what string, like func(fsm.Event) bool) {
	t.Helper()
	must(t, lab.Await(within(t, 10*time.Second*s.times), 100*time.Millisecond, func(ctx context.Context) error {
		es, err := s.owner.API.LastEvents(ctx, 100)
		if err == nil && !slices.ContainsFunc(es.Events, like) {
			err = fmt.Errorf("no event tells %s: %+v", what, es.Events)
		}
		return err
	}))
}

// weights are those that the owner's kernel has, by server; -1 = it has not the server.
func (s *services) weights(ctx context.Context, service string) (map[netip.AddrPort]int, error) {
	tr, err := s.owner.API.Traffic(ctx, "", true, service)
	if err != nil {
		return nil, err
	}
	out := map[netip.AddrPort]int{}
	for _, x := range tr.Services[0].Servers {
		if out[x.Address] = -1; x.Have != nil {
			out[x.Address] = *x.Have
		}
	}
	return out, nil
}

// drift: what ipvsadm changes in a service of ours is put right within a second, and the timeline tells of it.
func (s *services) drift(t *testing.T) {
	if s.times > 1 {
		// Where looks at the kernel were slow twice in a row, as they may be on a slow kernel while all agents begin, the next ones come less often for a while.
		<-time.After(8 * time.Second)
	}
	to := netip.AddrPortFrom(s.vip, 80).String()
	server := s.bed.ServerAddr(0).String()
	table := func() string { // as the kernel shows it, without what it counts
		t.Helper()
		text, err := s.owner.ProcNet("ip_vs")
		must(t, err)
		var lines []string
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			lines = append(lines, strings.Join(f[:min(len(f), 4)], " "))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	before := table()
	stood := watchStalls(t)
	for _, change := range [][]string{{"-D", "-t", to}, {"-e", "-t", to, "-r", server, "-m", "-w", "7"}, {"-d", "-t", to, "-r", server}, {"-E", "-t", to, "-s", "rr"},
		{"-A", "-t", netip.AddrPortFrom(s.vip, 99).String(), "-s", "rr"}} {
		r, err := s.owner.Run(within(t, 10*time.Second*s.times), "/usr/sbin/ipvsadm", change...)
		from, stalled := lab.Now(), stood()
		if must(t, err); r.Code != 0 {
			t.Fatalf("ipvsadm %v: %s", change, r.Stderr)
		}
		now := table()
		for ; now != before && lab.Since(from) < 20*time.Second; now = table() {
			<-time.After(20 * time.Millisecond)
		}
		took := lab.Since(from)
		stalled = stood() - stalled
		t.Logf("ipvsadm %s: put right within %s, of which the machine stood still for %s", strings.Join(change, " "), lab.Millis(took), lab.Millis(stalled))
		if now != before {
			t.Errorf("ipvsadm %v: the kernel has\n%s\nwanted\n%s", change, now, before)
		}
		// The agent looks every second after it has looked.
		if limit := time.Second + 100*time.Millisecond*s.times + stalled; took > limit {
			t.Errorf("ipvsadm %v: that took %s, want at most %s", change, lab.Millis(took), lab.Millis(limit))
		}
	}
	s.event(t, "that another program has changed the table", func(e fsm.Event) bool {
		return e.Kind == fsm.EventReported && string(e.Node) == s.owner.Name && strings.Contains(e.Text, "another program has changed the table of ipvs")
	})
}

// answer is who answers one request on a connection of its own.
func (s *services) answer(port uint16) (string, error) {
	c, r, err := s.open(port)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return exchange(c, r)
}

func (s *services) open(port uint16) (c net.Conn, r *bufio.Reader, err error) {
	err = s.bed.Client.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", netip.AddrPortFrom(s.vip, port).String(), 5*time.Second*s.times)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	c.SetDeadline(time.Now().Add(time.Minute * s.times))
	return c, bufio.NewReader(c), nil
}

// answers waits until five requests in a row are answered by these and nobody else.
func (s *services) answers(t *testing.T, port uint16, want ...string) {
	t.Helper()
	must(t, lab.Await(within(t, 15*time.Second*s.times), 50*time.Millisecond, func(context.Context) error {
		got := map[string]bool{}
		for range 5 {
			who, err := s.answer(port)
			if err != nil {
				return err
			}
			got[who] = true
		}
		for _, w := range want {
			if !got[w] {
				return fmt.Errorf("%v answer on port %d, want %q", got, port, want)
			}
		}
		if len(got) != len(want) {
			return fmt.Errorf("%v answer on port %d, want %q", got, port, want)
		}
		return nil
	}))
}

// quorum: while one of the two servers is sick the sorry server answers for the service that needs both; when it is well again both do, and in the
// service with slow start its weight in the kernel grows by steps.
func (s *services) quorum(t *testing.T) {
	s.answers(t, 81, "w1", "w2")
	must(t, s.bed.Servers[0].Sicken())
	s.answers(t, 81, "w3")
	s.event(t, "that the quorum is lost", func(e fsm.Event) bool { return e.Reason == fsm.ReasonQuorumDown })
	s.answers(t, 80, "w2")
	// What the kernel has is up to a second old.
	must(t, lab.Await(within(t, 10*time.Second*s.times), 50*time.Millisecond, func(ctx context.Context) error {
		w, err := s.weights(ctx, "web")
		if err == nil && w[s.bed.ServerAddr(0)] > 0 {
			err = fmt.Errorf("the kernel has the sick server still: %v", w)
		}
		return err
	}))

	must(t, s.bed.Servers[0].Cure())
	var seen []int
	var began lab.Instant
	must(t, lab.Await(within(t, 30*time.Second*s.times), 200*time.Millisecond, func(ctx context.Context) error {
		w, err := s.weights(ctx, "web")
		if err != nil {
			return err
		}
		now := w[s.bed.ServerAddr(0)]
		if now > 0 && len(seen) == 0 {
			began = lab.Now()
		}
		if now > 0 && (len(seen) == 0 || seen[len(seen)-1] != now) {
			seen = append(seen, now)
		}
		if now < 100 {
			return fmt.Errorf("its weight is %d, after %v", now, seen)
		}
		return nil
	}))
	t.Logf("slow start of 8 s: the kernel had the weights %v, in %s", seen, lab.Millis(lab.Since(began)))
	if len(seen) < 4 || !slices.IsSorted(seen) || seen[0] > 50 || lab.Since(began) < 5*time.Second {
		t.Errorf("slow start of 8 s: the kernel had the weights %v, in %s", seen, lab.Millis(lab.Since(began)))
	}
	s.event(t, "that the quorum is met", func(e fsm.Event) bool { return e.Reason == fsm.ReasonQuorumUp })
	s.answers(t, 81, "w1", "w2")
}

// drain: a server that is drained with a limit gets no new connections, keeps those that it has, and is disabled when the last one ends.
func (s *services) drain(t *testing.T) {
	drained := s.bed.ServerAddr(0)
	var held net.Conn
	var lines *bufio.Reader
	for range 10 {
		c, r, err := s.open(80)
		must(t, err)
		who, err := exchange(c, r)
		must(t, err)
		if who == "w1" {
			held, lines = c, r
			break
		}
		c.Close()
	}
	if held == nil {
		t.Fatal("ten connections did not reach w1")
	}
	defer held.Close()
	admin := func(ctx context.Context) (api.RealServer, error) {
		all, err := s.owner.API.Servers(ctx, "web")
		if err != nil {
			return api.RealServer{}, err
		}
		return all.Servers[slices.IndexFunc(all.Servers, func(x api.RealServer) bool { return x.Address == drained })], nil
	}
	says(t, s.owner, "server", "drain", "web", drained.String(), "--timeout", "10m")
	s.answers(t, 80, "w2")
	for end := lab.Now().Add(8 * time.Second); lab.Since(end) < 0; <-time.After(500 * time.Millisecond) { // longer than it takes to see that there is none
		if who, err := exchange(held, lines); who != "w1" || err != nil {
			t.Fatalf("the connection to the drained server: %s, %v", who, err)
		}
		if x, err := admin(t.Context()); err != nil || x.Admin != fsm.Drain {
			t.Fatalf("the drain ended with a connection left: %+v, %v", x, err)
		}
	}
	must(t, held.Close())
	from := lab.Now()
	must(t, lab.Await(within(t, 20*time.Second*s.times), 100*time.Millisecond, func(ctx context.Context) error {
		x, err := admin(ctx)
		if err == nil && x.Admin != fsm.Disabled {
			err = fmt.Errorf("%+v", x)
		}
		return err
	}))
	t.Logf("the drain ended %s after its last connection", lab.Millis(lab.Since(from)))
	s.event(t, "that the drain has ended", func(e fsm.Event) bool { return e.Kind == fsm.EventServer && e.Reason == fsm.ReasonDrained })
	w, err := s.weights(t.Context(), "web")
	if must(t, err); w[drained] > 0 {
		t.Errorf("the kernel has the disabled server with weight %d", w[drained])
	}
	says(t, s.owner, "server", "enable", "web", drained.String())
	s.answers(t, 80, "w1", "w2")
}
