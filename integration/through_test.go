package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/integration/lab"
)

// pathsIn are the lines of services by firewall mark in a kernel's table that are for probes.
func pathsIn(table string) (out []string) {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "FWM  518") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// awaitPaths waits until a director's kernel has so many paths of probes.
func awaitPaths(t *testing.T, d *lab.Director, want int) {
	t.Helper()
	must(t, lab.Await(within(t, time.Minute), 300*time.Millisecond, func(context.Context) error {
		table, err := d.ProcNet("ip_vs")
		if err == nil && len(pathsIn(table)) != want {
			err = fmt.Errorf("%s has %d paths, want %d:\n%s", d.Name, len(pathsIn(table)), want, table)
		}
		return err
	}))
}

// TestServerLacksVIP: of three servers by direct routing one answers on its own address only. It is seen, out it goes, and it comes back with the VIP; so after the
// owner's death, and over IPv6. What probes leave behind is looked for where it would do harm.
func TestServerLacksVIP(t *testing.T) {
	needIPVS(t)
	vip, vip6 := lab.VIP(1), lab.VIP6(1)
	before, err := lab.TakeFootprint()
	must(t, err)
	bed, err := lab.NewBed(context.Background(), lab.BedOptions{Binary: quorate, Directors: 3, Servers: 3, Direct: []netip.Addr{vip.Addr(), vip6.Addr()}})
	must(t, err)
	t.Cleanup(func() { closeBed(t, bed, before) })
	servers, servers6 := make([]netip.AddrPort, 3), make([]netip.AddrPort, 3)
	for i, w := range bed.Servers {
		servers[i] = bed.ServerAddr(i)
		servers6[i] = netip.AddrPortFrom(w.Host().Prefixes[1].Addr(), 80)
	}
	w1, w2, w3 := bed.Servers[0].Host(), bed.Servers[1].Host(), bed.Servers[2].Host()
	must(t, w1.CeaseFor(vip6.Addr()))
	must(t, w2.CeaseFor(vip.Addr()))

	ctx := within(t, 4*time.Minute)
	must(t, bed.Start(ctx))
	first := bed.Directors[0]
	join, err := lab.JoinCommand(says(t, first, "bootstrap", "--profile", "wan")) // a guest's only processor is too slow for the others
	must(t, err)
	for _, d := range bed.Directors[1:] {
		says(t, d, join...)
	}
	must(t, bed.AwaitReady(ctx))
	config := &lab.Config{CheckInterval: 2 * time.Second, Through: true}
	config.Settings(`profile = "wan"`).VIP("web", vip, `prefer = ["n1"]`).VIP("web6", vip6, `prefer = ["n1"]`).DirectWeb("web", "web", servers...).DirectWeb("web6", "web6", servers6...)
	apply(t, first, config)
	await := func(service string, in int) {
		t.Helper()
		must(t, bed.AwaitServers(within(t, time.Minute), service, in))
	}
	await("web", 2)
	await("web6", 2)
	detail := func(server netip.AddrPort) (found api.RealServer) {
		t.Helper()
		var out api.Servers
		must(t, json.Unmarshal([]byte(says(t, first, "server", "list", "-o", "json")), &out))
		for _, s := range out.Servers {
			if s.Address == server {
				found = s
			}
		}
		return found
	}
	want := fmt.Sprintf("answers on %s, but not on the VIP %s:80 by dr (no answer within 1.5s): run quorate realserver check on it", servers[1], vip.Addr())
	is := func(v fsm.Verdict) {
		t.Helper()
		must(t, lab.Await(within(t, time.Minute), 500*time.Millisecond, func(context.Context) error {
			if s := detail(servers[1]); s.Verdict != v {
				return fmt.Errorf("%+v, want it %s", s, v)
			}
			return nil
		}))
	}
	for try := 0; ; try++ {
		is(fsm.Down)
		s := detail(servers[1])
		if strings.Contains(s.Detail, want) {
			break
		}
		if try == 2 || !strings.Contains(s.Detail, "no HTTP answer") {
			t.Fatalf("%+v\nwant %q", s, want)
		}
		// The guest is so busy that the server did not answer in time on its own address either: once more.
		must(t, w2.AnswerFor(vip.Addr()))
		is(fsm.Up)
		must(t, w2.CeaseFor(vip.Addr()))
	}
	if shown := says(t, first, "service", "show", "web"); !strings.Contains(shown, want) {
		t.Errorf("service show does not say why:\n%s", shown)
	}
	owned(t, bed, vip)
	owned(t, bed, vip6)
	awaitPaths(t, bed.Directors[0], 0)
	for _, d := range bed.Directors[1:] {
		awaitPaths(t, d, 6) // one for each server and family
	}

	must(t, w2.AnswerFor(vip.Addr()))
	must(t, w1.AnswerFor(vip6.Addr()))
	await("web", 3)
	await("web6", 3)

	// Nobody is connected: no probe is told to the owner, and none is listed on who makes it.
	conns, err := bed.Directors[0].ProcNet("ip_vs_conn")
	must(t, err)
	if n := strings.Count(conns, "\n"); n > 1 {
		t.Errorf("the owner knows connections, and nobody has any:\n%s", conns)
	}
	probing, err := bed.Directors[1].ProcNet("ip_vs_conn")
	must(t, err)
	if n := strings.Count(probing, "\n"); n < 2 || n > 13 {
		t.Errorf("connections of probes, one for each question:\n%s", probing)
	}
	for _, d := range bed.Directors[1:] {
		if out := says(t, d, "conn", "list", "--service", "web", "--node", d.Name, "-o", "json"); strings.TrimSpace(out) != "" {
			t.Errorf("%s lists its own probes as connections:\n%s", d.Name, out)
		}
	}

	// An agent that is killed finds what it left, and a cluster that wants it no more has it removed.
	must(t, bed.Directors[2].Kill())
	must(t, bed.Directors[2].Start(ctx))
	must(t, bed.AwaitReady(ctx))
	awaitPaths(t, bed.Directors[2], 6)

	// The owner dies: who has the VIP now probes so no longer, and the one that is left sees what fails.
	must(t, bed.Directors[0].PowerOff())
	first = bed.Directors[1]
	for _, v := range []netip.Prefix{vip, vip6} {
		_, err := bed.AwaitOwner(ctx, v.Addr(), bed.Directors[0])
		must(t, err)
	}
	must(t, w3.CeaseFor(vip.Addr()))
	must(t, lab.Await(within(t, time.Minute), 500*time.Millisecond, func(context.Context) error {
		if s := detail(servers[2]); s.Verdict != fsm.Down || !strings.Contains(s.Detail, "but not on the VIP") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	}))
	// Without the option nothing stays.
	plain := &lab.Config{CheckInterval: 2 * time.Second}
	plain.Settings(`profile = "wan"`).VIP("web", vip).VIP("web6", vip6).DirectWeb("web", "web", servers...).DirectWeb("web6", "web6", servers6...)
	apply(t, first, plain)
	for _, d := range bed.Directors[1:] {
		awaitPaths(t, d, 0)
	}
}
