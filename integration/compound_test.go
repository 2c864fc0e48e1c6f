package integration

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/integration/lab"
)

// TestServiceOfManyAddresses: one service has two VIPs on two directors, a range of ports and a network that is routed to one of the VIPs. Traffic flows to all of
// them, at the port that was asked for; when the one director is lost, the other one's clients notice nothing, and its own come back.
func TestServiceOfManyAddresses(t *testing.T) {
	bed := newBed(t, 3, 2)
	form(t, bed)
	a, b, routed := lab.VIP(1), lab.VIP(2), netip.MustParsePrefix("203.0.113.0/28")
	var text strings.Builder
	fmt.Fprintf(&text, "vip \"a\" {\n  address = %q\n  prefer = [%q]\n}\n", a, bed.Directors[0].Name)
	fmt.Fprintf(&text, "vip \"b\" {\n  address = %q\n  prefer = [%q]\n}\n", b, bed.Directors[1].Name)
	fmt.Fprintf(&text, `service "web" {
  vips       = ["a", "b"]
  ports      = [80, "8000-8099"]
  addresses  = [%q]
  scheduler  = "rr"
  forward    = "nat"
  masquerade = true
  check "http" {
    port     = %d
    path     = "/healthz"
    interval = "200ms"
    timeout  = "150ms"
  }
`, routed, bed.ServerAddr(0).Port())
	for i, w := range bed.Servers {
		fmt.Fprintf(&text, "  server \"%v:0\" {}\n", bed.ServerAddr(i).Addr())
		for _, port := range []uint16{80, 8003, 8099} {
			_, err := w.Host().ServeWeb(within(t, 10*time.Second), fmt.Sprintf("w%d-%d", i+1, port), port)
			must(t, err)
		}
	}
	text.WriteString("}\n")
	_, err := bed.Directors[0].Apply(within(t, 30*time.Second), "cluster.hcl", text.String())
	must(t, err)
	awaitServers(t, bed, 2)
	owned(t, bed, a, b)
	first, err := bed.AwaitOwner(within(t, 5*time.Second), a.Addr(), nil)
	must(t, err)
	second, err := bed.AwaitOwner(within(t, 5*time.Second), b.Addr(), nil)
	must(t, err)
	if first == second { // a director that was not ready yet when they were placed
		second = bed.Directors[map[bool]int{true: 1}[first == bed.Directors[0]]]
		says(t, second, "vip", "move", "b", second.Name)
	}
	links, err := bed.Client.Links()
	must(t, err)
	must(t, links.RouteAdd(&netlink.Route{Gw: a.Addr().AsSlice(), Dst: &net.IPNet{IP: routed.Addr().AsSlice(), Mask: net.CIDRMask(routed.Bits(), 32)}}))

	targets := map[string]netip.AddrPort{
		"80":   netip.AddrPortFrom(a.Addr(), 80),
		"8003": netip.AddrPortFrom(b.Addr(), 8003),
		"8099": netip.AddrPortFrom(routed.Addr().Next().Next(), 8099),
	}
	loads := map[string]*lab.Load{}
	for port, to := range targets {
		loads[port], err = bed.Client.StartLoad(t.Context(), to, 100, time.Second)
		must(t, err)
	}
	over := func(port string, in lab.Span) lab.Summary {
		t.Helper()
		must(t, loads[port].Settle(t.Context()))
		return loads[port].Summary(in)
	}
	steady := lab.Span{From: lab.Now()}
	<-time.After(time.Second)
	steady.To = lab.Now()
	served := map[string]int{} // by host: what one client gets in turns depends on the others
	for port, to := range targets {
		s := over(port, steady)
		t.Logf("%v: %s", to, s)
		if s.Failed > 0 || s.Servers["w1-"+port]+s.Servers["w2-"+port] < s.Total {
			t.Errorf("%v: %s %v", to, s, s.Errors)
		}
		for name, n := range s.Servers {
			served[name[:2]] += n
		}
	}
	if n := served["w1"] + served["w2"]; served["w1"] < n*2/5 || served["w2"] < n*2/5 {
		t.Errorf("by turns they served %v", served)
	}
	shown := says(t, bed.Directors[2], "service", "show", "web")
	for _, want := range []string{"Mark         1358954496 (0x51000000)", "Owner        " + first.Name + ", " + second.Name, "On " + first.Name + ":", "On " + second.Name + ":"} {
		if !strings.Contains(shown, want) {
			t.Errorf("it does not say %q:\n%s", want, shown)
		}
	}
	// Nobody else takes what the service does not.
	must(t, bed.Client.Do(func() error {
		if c, err := net.DialTimeout("tcp", netip.AddrPortFrom(b.Addr(), 8100).String(), time.Second); err == nil {
			_ = c.Close()
			t.Error("port 8100 is none of its ports, and answers")
		}
		return nil
	}))

	lost := lab.Span{From: lab.Now()}
	must(t, first.PowerOff())
	next, err := bed.AwaitOwner(within(t, 5*time.Second), a.Addr(), first)
	must(t, err)
	<-time.After(time.Second)
	lost.To = lab.Now()
	for port, to := range targets {
		s := over(port, lost)
		t.Logf("%s lost its power, %s has a: %v: %s", first.Name, next.Name, to, s)
		if gap := s.Gap.Duration(); gap > 3*time.Second || port == "8003" && s.Failed > 0 {
			t.Errorf("%v: %s %v", to, s, s.Errors)
		}
		must(t, loads[port].Kill())
	}

	before, err := second.Tables()
	must(t, err)
	must(t, second.End(within(t, 10*time.Second)))
	if after, err := second.Tables(); err != nil || len(after) > 0 || len(before) < 2 {
		t.Errorf("%s has tables %q after the end of its agent, %q before: %v", second.Name, after, before, err)
	}
}
