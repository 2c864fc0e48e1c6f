package integration

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/integration/lab"
)

// compoundText is the configuration of [TestServiceOfManyAddresses].
const compoundText = `
cluster {
  %[1]s
}
vip "a" {
  address = "%[2]s"
  prefer  = ["n1"]
}
vip "b" {
  address = "%[3]s"
  prefer  = ["n2"]
}
service "web" {
  vips      = ["a", "b"]
  ports     = [80, "8000-8099"]
  addresses = ["%[4]s"]
  scheduler = "rr"
  forward   = "nat"
  check "http" {
    port     = 8080
    path     = "/healthz"
    interval = "%[5]s"
    timeout  = "%[5]s"
    fall     = 10
  }
  server "%[6]s:0" {}
  server "%[7]s:0" {}
}
`

// compound is what the parts of TestServiceOfManyAddresses share. The client asks at VIP a and at the network that is routed to it, the bystander at VIP b:
// the servers' way back to each of them leads through that VIP.
type compound struct {
	pace
	bed           *lab.Bed
	first, second *lab.Director    // the owners of a and b
	targets       []netip.AddrPort // one for each port
	loads         []*lab.Load      // to the targets
	a, b          *talkers
}

// atB is the target that is at VIP b; the others are at a, or routed to it.
const atB = 1

// TestServiceOfManyAddresses: one service has two VIPs on two directors, a range of ports and a network that is routed to one of the VIPs. Traffic flows to all of
// them, at the port that was asked for; when the one director is lost, the other one's clients notice nothing, its own come back, and their connections go on; so
// they do in planned moves. Agents that leave or end leave nothing in their kernels.
func TestServiceOfManyAddresses(t *testing.T) {
	bed := newBed(t, 3, 2)
	p := paceOf()
	p.conns, p.every = p.conns/4, p.every/2 // there are two clients, and others besides
	c := &compound{pace: p, bed: bed, first: bed.Directors[0], second: bed.Directors[1]}
	empty := map[*lab.Director][]string{}
	for _, d := range bed.Directors {
		empty[d] = traces(t, d)
	}
	must(t, bed.Join(within(t, 30*time.Second*p.times)))
	c.serve(t)
	c.ask(t)
	t.Run("steady", c.steady)
	must(t, bed.AwaitReady(within(t, 20*time.Second*p.times)))
	synced(t, bed, p, "all is well")
	t.Run("power lost", c.lose)
	must(t, c.first.Reboot(within(t, 15*time.Second*p.times)))
	must(t, bed.AwaitReady(within(t, 20*time.Second*p.times)))
	synced(t, bed, p, "the lost one has the connections again")
	t.Run("planned moves", c.move)
	c.a.end()
	c.b.end()

	d := c.owner(t, c.targets[atB])
	says(t, d, "leave")
	cleared(t, d, "left", p, empty[d])
	d = c.owner(t, c.targets[0])
	must(t, d.End(within(t, 10*time.Second*p.times)))
	cleared(t, d, "ended", p, empty[d])
}

// owner is the director whose kernel has a VIP, and with it what the service needs.
func (c *compound) owner(t *testing.T, vip netip.AddrPort) *lab.Director {
	t.Helper()
	d, err := c.bed.AwaitOwner(within(t, 10*time.Second*c.times), vip.Addr(), nil)
	must(t, err)
	has, needs := strings.Join(traces(t, d), "\n"), []string{"quorate-marks", "route "}
	if ipvsHere() {
		needs = append(needs, "ip_vs FWM", "daemon master")
	}
	for _, x := range needs {
		if !strings.Contains(has, x) {
			t.Errorf("%s owns %v without %q:\n%s", d.Name, vip.Addr(), x, has)
		}
	}
	return d
}

// serve starts the servers of more ports, configures the service and waits until both directors have their VIPs.
func (c *compound) serve(t *testing.T) {
	t.Helper()
	for i, w := range c.bed.Servers {
		for _, port := range []uint16{80, 8099} { // the bed's own listen on 8080
			_, err := w.Host().ServeWeb(t.Context(), fmt.Sprintf("w%d-%d", i+1, port), port)
			must(t, err)
		}
	}
	a, b, routed := lab.VIP(1), lab.VIP(2), netip.MustParsePrefix("203.0.113.0/28")
	_, err := c.bed.Directors[0].Apply(within(t, 30*time.Second*c.times), "cluster.hcl", fmt.Sprintf(compoundText, strings.Join(c.settings(), "\n"), a, b, routed,
		c.checks, c.bed.ServerAddr(0).Addr(), c.bed.ServerAddr(1).Addr()))
	must(t, err)
	c.targets = []netip.AddrPort{netip.AddrPortFrom(a.Addr(), 80), netip.AddrPortFrom(b.Addr(), 8080), netip.AddrPortFrom(routed.Addr().Next().Next(), 8099)}
	wayBack(t, c.bed, c.bed.Client, a.Addr())
	wayBack(t, c.bed, c.bed.Bystander, b.Addr())
	links, err := c.bed.Client.Links()
	must(t, err)
	must(t, links.RouteAdd(&netlink.Route{Gw: a.Addr().AsSlice(), Dst: &net.IPNet{IP: routed.Addr().AsSlice(), Mask: net.CIDRMask(routed.Bits(), 32)}}))
	must(t, c.bed.AwaitServers(within(t, 20*time.Second*c.times), "web", 2))
	for name, v := range map[string]struct {
		addr  netip.Addr
		owner *lab.Director
	}{"a": {a.Addr(), c.first}, "b": {b.Addr(), c.second}} {
		on, err := c.bed.AwaitOwner(within(t, 10*time.Second*c.times), v.addr, nil)
		if must(t, err); on != v.owner { // which was not ready yet when they were placed
			says(t, v.owner, "vip", "move", name, v.owner.Name)
		}
	}
}

// ask starts the clients: to each target some that make new connections, and to both VIPs, at several ports, some that keep theirs.
func (c *compound) ask(t *testing.T) {
	t.Helper()
	for i, to := range c.targets {
		from := c.bed.Client
		if i == atB {
			from = c.bed.Bystander
		}
		load, err := from.StartLoad(t.Context(), to, c.rate, c.answer)
		must(t, err)
		c.loads = append(c.loads, load)
	}
	port := func(a netip.AddrPort, port uint16) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), port) }
	c.a = talk(t, c.bed.Client, c.pace, c.targets[0], port(c.targets[0], 8099), c.targets[2])
	c.b = talk(t, c.bed.Bystander, c.pace, c.targets[atB], port(c.targets[atB], 80))
}

// settle waits until all requests that have begun have come to their end.
func (c *compound) settle(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	for _, l := range c.loads {
		all.Go(func() {
			if err := l.Settle(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// saw is what the clients saw in a window, by target.
func (c *compound) saw(t *testing.T, what string, in lab.Span) (out []lab.Summary) {
	t.Helper()
	for i, l := range c.loads {
		out = append(out, l.Summary(in))
		t.Logf("%s: %v: %s", what, c.targets[i], out[i])
	}
	return out
}

// flowed wants that in a window nothing failed and each port was answered by what listens there. It returns how many requests each server's host answered.
func (c *compound) flowed(t *testing.T, what string, in lab.Span) map[string]int {
	t.Helper()
	served := map[string]int{} // by host: what one client gets in turns depends on the others
	for i, s := range c.saw(t, what, in) {
		port := fmt.Sprint("-", c.targets[i].Port())
		if c.targets[i].Port() == 8080 {
			port = ""
		}
		if s.Total == 0 || s.Failed > 0 || s.Servers["w1"+port]+s.Servers["w2"+port] < s.Total {
			t.Errorf("%s: %v: %s %v", what, c.targets[i], s, s.Errors)
		}
		for name, n := range s.Servers {
			served[name[:2]] += n
		}
	}
	return served
}

// moment is a window of some length that begins now.
func moment(d time.Duration) lab.Span {
	now := lab.Now()
	<-time.After(d)
	return lab.Span{From: now, To: lab.Now()}
}

// steady: while nothing happens both servers serve alike, and nobody takes what the service does not. At its end connections are so old that other directors know them.
func (c *compound) steady(t *testing.T) {
	old := time.After(3500 * time.Millisecond)
	span := moment(time.Second)
	c.settle(t)
	served := c.flowed(t, "steady", span)
	if n := served["w1"] + served["w2"]; served["w1"] < n*2/5 || served["w2"] < n*2/5 {
		t.Errorf("by turns they served %v", served)
	}
	shown := says(t, c.bed.Directors[2], "service", "show", "web")
	for _, want := range []string{"Mark         1358954496 (0x51000000)", "Owner        " + c.first.Name + ", " + c.second.Name, "On " + c.first.Name + ":", "On " + c.second.Name + ":"} {
		if !strings.Contains(shown, want) {
			t.Errorf("it does not say %q:\n%s", want, shown)
		}
	}
	must(t, c.bed.Bystander.Do(func() error {
		if c, err := net.DialTimeout("tcp", netip.AddrPortFrom(c.targets[atB].Addr(), 8100).String(), time.Second); err == nil {
			_ = c.Close()
			t.Error("port 8100 is none of its ports, and answers")
		}
		return nil
	}))
	<-old
}

// lose cuts the power of a's owner.
func (c *compound) lose(t *testing.T) {
	lost := lab.Span{From: lab.Now()}
	must(t, c.first.PowerOff())
	next, err := c.bed.AwaitOwner(within(t, 5*time.Second*c.times), c.targets[0].Addr(), c.first)
	must(t, err)
	what := fmt.Sprintf("%s lost its power, %s has a", c.first.Name, next.Name)
	c.a.goOn(t, what+": at a", 99)
	c.b.goOn(t, what+": at b", 100)
	lost.To = lab.Now()
	after := moment(time.Second)
	c.settle(t)
	for i, s := range c.saw(t, what, lost) {
		if s.Gap.Duration() > 3*time.Second*c.times || i == atB && s.Failed > 0 {
			t.Errorf("%v: %s %v", c.targets[i], s, s.Errors)
		}
	}
	c.flowed(t, "after that", after)
}

// move has one director have both VIPs, and then two again. Requests that are under way when a moves are of connections that the one director has not told the
// next one of yet: they may fail.
func (c *compound) move(t *testing.T) {
	var moving, moved []lab.Span
	to := []*lab.Director{c.second, c.first}
	for _, d := range to {
		what := fmt.Sprintf("planned move of a to %s", d.Name)
		a, b := c.a.alive, c.b.alive
		from := lab.Now()
		says(t, d, "vip", "move", "a", d.Name)
		asked := lab.Now()
		c.a.goOn(t, what+": at a", 0)
		c.b.goOn(t, what+": at b", 0)
		if c.a.alive < a || c.b.alive < b {
			t.Errorf("%s: %d connections at a and %d at b ended", what, a-c.a.alive, b-c.b.alive)
		}
		on, err := c.bed.AwaitOwner(within(t, 5*time.Second*c.times), c.targets[0].Addr(), nil)
		if must(t, err); on != d {
			t.Fatalf("%s: it is on %s", what, on.Name)
		}
		after := moment(time.Second)
		moving, moved = append(moving, lab.Span{From: from, To: asked}), append(moved, lab.Span{From: asked, To: after.To})
	}
	c.settle(t)
	for i, d := range to {
		what := fmt.Sprintf("planned move of a to %s", d.Name)
		for k, s := range c.saw(t, what, moving[i]) {
			if k == atB && s.Failed > 0 {
				t.Errorf("%s: %v: %s %v", what, c.targets[k], s, s.Errors)
			}
		}
		c.flowed(t, "after the "+what, moved[i])
	}
}
