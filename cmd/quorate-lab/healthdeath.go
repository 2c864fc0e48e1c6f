package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"quorate/integration/lab"
)

// deathRow is one line of the health benchmark's output: from a server's death until the kernel no longer balances to it.
type deathRow struct {
	Plane  string  `json:"data_plane"`
	Check  string  `json:"check"`
	Runs   int     `json:"runs"`
	Limit  float64 `json:"fall_times_interval_ms"`
	Median float64 `json:"p50_ms"`
	Max    float64 `json:"max_ms"`
}

// String is one line for a person.
func (r deathRow) String() string {
	return fmt.Sprintf("quorate: %s, check %s, %d deaths: out of the kernel's table after %s, at worst %s (fall × interval: %s)", r.Plane, r.Check, r.Runs, millis(r.Median), millis(r.Max), millis(r.Limit))
}

// kernelTable is a data plane's table as the kernel has it.
type kernelTable struct {
	plane string // as cluster.data_plane names it
	has   func(ctx context.Context, d *lab.Director, service, server netip.AddrPort) (bool, error)
}

// inIPVS sees a server to which IPVS balances: one that is there, and not of weight 0.
var inIPVS = kernelTable{"ipvs", func(_ context.Context, d *lab.Director, service, server netip.AddrPort) (bool, error) {
	table, err := d.ProcNet("ip_vs")
	if err != nil {
		return false, err
	}
	how, has := ipvsServers(table, service)[ipvsAddr(server)]
	return has && !strings.HasSuffix(how, " 0"), nil
}}

// inNftables sees a server that has slots of a service's map. It starts nft each time: the ten milliseconds that this takes are in what is measured.
var inNftables = kernelTable{"nft", func(ctx context.Context, d *lab.Director, _, server netip.AddrPort) (bool, error) {
	r, err := d.Run(ctx, "nft", "list", "table", "inet", "quorate")
	if err != nil {
		return false, err
	}
	if r.Code != 0 {
		return false, fmt.Errorf("%s: nft list table inet quorate: %s", d.Name, r.Stderr)
	}
	return strings.Contains(r.Stdout, fmt.Sprintf("%v . %d", server.Addr(), server.Port())), nil
}}

// outOfNftables measures how soon a dead server is out of the table of a kernel without IPVS.
func (b *bench) outOfNftables(ctx context.Context, o lab.BedOptions, runs int) (err error) {
	bed, err := lab.NewBed(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bed.Close()) }()
	return b.outOfTable(ctx, bed, inNftables, runs)
}

// outOfTable kills servers of a real agent's service.
func (b *bench) outOfTable(ctx context.Context, bed *lab.Bed, in kernelTable, runs int) error {
	const interval, fall = 200 * time.Millisecond, 3
	if err := bed.Form(ctx); err != nil {
		return err
	}
	d, vip := bed.Directors[0], lab.VIP(1)
	text := fmt.Sprintf(`cluster { data_plane = %q }
vip "web" { address = %q }
service "web" {
  vip = "web"
  port = 80
  scheduler = "wrr"
  forward = "nat"
  check "tcp" {
    interval = %q
    timeout = "150ms"
    rise = 2
    fall = %d
  }
  health { damping = false } # the same servers die again and again
`, in.plane, vip, interval, fall)
	for i := range bed.Servers {
		text += fmt.Sprintf("  server %q {}\n", bed.ServerAddr(i))
	}
	if _, err := d.Apply(ctx, "cluster.hcl", text+"}\n"); err != nil {
		return err
	}
	// await waits until the server gets connections, or no longer.
	await := func(server netip.AddrPort, want bool) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return lab.Await(ctx, 2*time.Millisecond, func(ctx context.Context) error {
			has, err := in.has(ctx, d, netip.AddrPortFrom(vip.Addr(), 80), server)
			if err != nil {
				return err
			}
			return unless(has == want, fmt.Sprintf("%v in the kernel's table: %t", server, has))
		})
	}
	var ms []float64
	for i := range runs {
		n := i % len(bed.Servers)
		for j := range bed.Servers {
			if err := await(bed.ServerAddr(j), true); err != nil {
				return err
			}
		}
		// Anywhere in the rhythm of the probes.
		if err := lab.Sleep(ctx, time.Duration(i)*interval/time.Duration(runs)); err != nil {
			return err
		}
		addr, w := bed.ServerAddr(n), bed.Servers[n]
		from := time.Now()
		if err := w.Kill(); err != nil {
			return err
		}
		if err := await(addr, false); err != nil {
			return err
		}
		took := time.Since(from)
		b.say("death %d of %d: out of the kernel's table after %s", i+1, runs, lab.Millis(took))
		ms = append(ms, float64(took)/float64(time.Millisecond))
		again, err := w.Host().ServeWeb(ctx, w.Host().Name, w.Port)
		if err != nil {
			return err
		}
		bed.Servers[n] = again
	}
	slices.Sort(ms)
	r := deathRow{in.plane, fmt.Sprintf("tcp every %v, fall %d", interval, fall), runs, float64(fall*interval) / float64(time.Millisecond), math.Round(median(ms)*10) / 10, math.Round(ms[len(ms)-1]*10) / 10}
	if err := b.emit(r); err != nil {
		return err
	}
	b.promise(r.Median <= r.Limit+50, "%s: a dead server is out of the kernel's table after %s (median), promised within fall × interval + 50 ms = %s", in.plane, millis(r.Median), millis(r.Limit+50))
	return nil
}
