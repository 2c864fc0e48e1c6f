package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

// top is one run of service top.
type top struct {
	app      *app
	client   *client.Client
	node     fsm.NodeID
	services []string // none = all, without their servers
	sort     string
	interval time.Duration
	last     map[topKey]topSample
}

// topKey is whose counters they are: those of another director say nothing about these.
type topKey struct {
	service string
	server  netip.AddrPort
	node    fsm.NodeID
}

// topSample is what was counted at some time, with the rates that followed from it.
type topSample struct {
	at    time.Time
	known bool // the rates
	api.Counters
}

// topOrders are the values of --sort, with what each looks at.
var topOrders = map[string]func(api.Counters) uint64{
	"rate":   func(c api.Counters) uint64 { return c.ConnectionRate },
	"active": func(c api.Counters) uint64 { return uint64(c.Active) },
	"conns":  func(c api.Counters) uint64 { return c.Connections },
	"in":     func(c api.Counters) uint64 { return c.InByteRate },
	"out":    func(c api.Counters) uint64 { return c.OutByteRate },
	"name":   func(api.Counters) uint64 { return 0 },
}

func topOrderNames() []string { return []string{"rate", "active", "conns", "in", "out", "name"} }

func (a *app) serviceTop() *cobra.Command {
	var once bool
	var node string
	t := &top{app: a, last: map[topKey]topSample{}}
	cmd := &cobra.Command{
		Use:   "top [SERVICE…]",
		Short: "Watch connections and rates",
		Long: `Watch what the kernels of the owners count: connections (active, inactive, all), and for a second the new connections,
packets and bytes. With names, these services with their servers. On a terminal the table is redrawn in place until
Ctrl-C; elsewhere each refresh is printed below the last, and --output json prints one document on each line.

IPVS estimates rates itself and brings them up to date every two seconds. Where the kernel does not (nftables) they
are the differences between two refreshes: the first has none.`,
		Example: `  quorate service top
  quorate service top web-http --sort out
  quorate service top --once -o json | jq .services`,
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, s string) ([]string, cobra.ShellCompDirective) {
			return a.completeServices(cmd, nil, s)
		},
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			switch {
			case topOrders[t.sort] == nil:
				return &usageError{cmd, fmt.Errorf("--sort %q: want %s", t.sort, strings.Join(topOrderNames(), ", "))}
			case t.interval < time.Second || t.interval > time.Hour:
				return &usageError{cmd, fmt.Errorf("--interval %s: want 1s to 1h; the kernel brings rates up to date every 2s", t.interval)}
			}
			t.client, t.node, t.services = c, fsm.NodeID(node), args
			if once {
				got, err := t.look(cmd.Context())
				if err != nil {
					return err
				}
				return t.print(got, true)
			}
			return t.watch(cmd.Context())
		}),
	}
	cmd.Flags().DurationVar(&t.interval, "interval", 2*time.Second, "time from one refresh to the next")
	cmd.Flags().StringVar(&t.sort, "sort", "rate", "what comes first: "+strings.Join(topOrderNames(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(topOrderNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().BoolVar(&once, "once", false, "print it once")
	a.nodeFlag(cmd, &node, "ask this director, not the owners of the VIPs")
	return cmd
}

// look asks for the figures, completes rates and sorts.
func (t *top) look(ctx context.Context) (api.Traffic, error) {
	got, err := t.client.Traffic(ctx, t.node, len(t.services) > 0, t.services...)
	if err != nil {
		return got, err
	}
	for i := range got.Services {
		t.rates(&got.Services[i])
	}
	t.order(got.Services)
	return got, nil
}

// rates fills in the rates of a kernel that does not estimate them, from what it counted before.
func (t *top) rates(s *api.ServiceTraffic) {
	if s.Rates || !s.Present {
		return
	}
	known := t.rate(topKey{s.Service, netip.AddrPort{}, s.Node}, s.At, &s.Counters)
	for i := range s.Servers {
		t.rate(topKey{s.Service, s.Servers[i].Address, s.Node}, s.At, &s.Servers[i].Counters)
	}
	s.Rates = known
}

func (t *top) rate(k topKey, at time.Time, c *api.Counters) (known bool) {
	before, seen := t.last[k]
	took := at.Sub(before.at).Seconds()
	if seen && took == 0 { // the same reading
		*c = before.Counters
		return before.known
	}
	if known = seen && took > 0; known {
		for _, x := range []struct{ now, then, rate *uint64 }{
			{&c.Connections, &before.Connections, &c.ConnectionRate}, {&c.InPackets, &before.InPackets, &c.InPacketRate}, {&c.OutPackets, &before.OutPackets, &c.OutPacketRate},
			{&c.InBytes, &before.InBytes, &c.InByteRate}, {&c.OutBytes, &before.OutBytes, &c.OutByteRate},
		} {
			if *x.now < *x.then { // the counters began anew
				known = false
				continue
			}
			*x.rate = uint64(float64(*x.now-*x.then)/took + 0.5)
		}
	}
	t.last[k] = topSample{at, known, *c}
	return known
}

func (t *top) order(services []api.ServiceTraffic) {
	by := topOrders[t.sort]
	slices.SortStableFunc(services, func(a, b api.ServiceTraffic) int {
		return cmp.Or(cmp.Compare(by(b.Counters), by(a.Counters)), strings.Compare(a.Service, b.Service))
	})
	for _, s := range services {
		slices.SortStableFunc(s.Servers, func(a, b api.ServerTraffic) int {
			return cmp.Or(cmp.Compare(by(b.Counters), by(a.Counters)), a.Address.Compare(b.Address))
		})
	}
}

// watch refreshes until it is interrupted. What goes wrong at first is an error; later it is said, and asked again.
func (t *top) watch(ctx context.Context) error {
	got, err := t.look(ctx)
	if err != nil {
		return err
	}
	scr, redraw := terminal(t.app.out, t.app.getenv)
	redraw = redraw && t.app.output != "json"
	if redraw {
		if err := scr.open(); err != nil {
			return err
		}
		defer func() { _ = scr.close() }()
	}
	tick := time.NewTicker(t.interval)
	defer tick.Stop()
	for first, said := true, false; ; first = false {
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case redraw:
			if err := scr.draw(t.lines(got, err)); err != nil {
				return err
			}
		case err == nil:
			said = false
			if err := t.print(got, first); err != nil {
				return err
			}
		case !said:
			said = true
			fmt.Fprintf(t.app.err, "quorate: %v; asking again until it answers\n", err)
		}
		select {
		case <-ctx.Done():
			return nil // interrupted: that is how it ends
		case <-tick.C:
		}
		var now api.Traffic
		if now, err = t.look(ctx); err == nil {
			got = now
		}
	}
}

// print writes one refresh where nothing can be redrawn.
func (t *top) print(got api.Traffic, first bool) error {
	if t.app.output == "json" {
		b, err := json.Marshal(got)
		if err == nil {
			_, err = fmt.Fprintf(t.app.out, "%s\n", b)
		}
		return err
	}
	text := strings.Join(t.lines(got, nil), "\n") + "\n"
	if !first {
		text = "\n" + text
	}
	_, err := io.WriteString(t.app.out, text)
	return err
}

// lines are the table, with what is wrong below it.
func (t *top) lines(got api.Traffic, failed error) []string {
	if len(got.Services) == 0 && failed == nil {
		return []string{"The configuration has no services."}
	}
	tb := t.app.table("SERVICE", "NODE", "ACTIVE", "INACT", "CONN/S", "PKT/S IN", "PKT/S OUT", "IN/S", "OUT/S", "CONNS")
	var wrong []string
	for _, s := range got.Services {
		known := figures{active: s.Counted, rates: s.Rates, volumes: volumes(s)}
		t.row(tb, cell{s.Service, plain}, s.Node, s.Present, known, s.Counters)
		for _, x := range s.Servers {
			t.row(tb, cell{"  " + x.Address.String(), plain}, "", x.Have != nil && s.Counted, known, x.Counters)
		}
		if s.Problem != "" {
			wrong = append(wrong, s.Service+": "+s.Problem)
		}
	}
	var b strings.Builder
	if failed != nil {
		fmt.Fprintf(&b, "%s\n", t.app.paint(bad, oneLine(failed.Error()+"; asking again until it answers")))
	}
	tb.write(&b, "")
	if len(wrong) > 0 {
		t.app.writeProblems(&b, wrong)
	}
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}

// figures says which of the figures a kernel has.
type figures struct{ active, rates, volumes bool }

func (t *top) row(tb *table, name cell, node fsm.NodeID, present bool, known figures, c api.Counters) {
	if !present {
		tb.row(name, node, "", "", "", "", "", "", "", "")
		return
	}
	rate := func(n uint64, known bool, unit func(uint64) string) string {
		if !known {
			return ""
		}
		return unit(n)
	}
	active, inactive := strconv.Itoa(c.Active), strconv.Itoa(c.Inactive)
	if !known.active {
		active, inactive = "", ""
	}
	volumes := known.rates && known.volumes
	tb.row(name, node, active, inactive, rate(c.ConnectionRate, known.rates, plainNumber), rate(c.InPacketRate, volumes, plainNumber),
		rate(c.OutPacketRate, volumes, plainNumber), rate(c.InByteRate, volumes, byteText), rate(c.OutByteRate, volumes, byteText), c.Connections)
}
