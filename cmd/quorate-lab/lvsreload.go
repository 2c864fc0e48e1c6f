package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	moby "github.com/moby/ipvs"

	"quorate/integration/lab"
	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// reloads measures how long a changed weight takes from the file to the kernel: quorate apply of the whole file against SIGHUP to a keepalived that
// has the same services.
func (b *bench) reloads(ctx context.Context, bed *lab.Bed, runs int, note func(system, what string, d time.Duration)) error {
	if err := bed.Form(ctx); err != nil {
		return err
	}
	d := bed.Directors[0]
	full := lvstest.Large(500, 10)
	vip := netip.PrefixFrom(lvstest.VIP4, 24)
	k, err := startBalancer(ctx, bed, full)
	if err != nil {
		return err
	}
	if _, err := d.Apply(ctx, "cluster.hcl", balancerConfig(vip, full)); err != nil {
		return err
	}
	if err := awaitWeight(ctx, d.Host, full, 3*time.Minute); err != nil {
		return fmt.Errorf("quorate: %w", err)
	}
	for i := range runs {
		full = lvstest.Clone(full)
		full[250].Destinations[3].Weight = 10 + i
		from := time.Now()
		if _, err := d.Apply(ctx, "cluster.hcl", balancerConfig(vip, full)); err != nil {
			return err
		}
		applied := time.Since(from)
		if err := awaitWeight(ctx, d.Host, full, time.Minute); err != nil {
			return fmt.Errorf("quorate: %w", err)
		}
		note("quorate", applying, time.Since(from))
		took, err := k.reload(ctx, full)
		if err != nil {
			log, _ := os.ReadFile(k.Log)
			return fmt.Errorf("keepalived: %w; it said:\n%s", err, log)
		}
		note("keepalived", applying, took)
		b.say("run %d of %d: one weight of 5,000 in the kernel %s after quorate apply (which said so after %s), %s after keepalived's SIGHUP", i+1, runs,
			lab.Millis(time.Since(from)-took), lab.Millis(applied), lab.Millis(took))
	}
	return errors.Join(k.Signal(syscall.SIGTERM))
}

// balancerConfig is the file with those services, without checks, and without an address that the bed does not have.
func balancerConfig(vip netip.Prefix, services []lvs.Service) string {
	var w strings.Builder
	fmt.Fprintf(&w, "cluster {\n  data_plane = \"ipvs\"\n  profile = \"wan\"\n}\nvip \"web\" {\n  address = %q\n  interface = \"eth0\"\n}\n", vip)
	for _, s := range services {
		fmt.Fprintf(&w, "service \"s%d\" {\n  vip = \"web\"\n  port = %d\n  scheduler = %q\n  forward = \"nat\"\n", s.Port, s.Port, s.Scheduler)
		for _, d := range s.Destinations {
			fmt.Fprintf(&w, "  server \"%s\" { weight = %d }\n", d.Addr, d.Weight)
		}
		w.WriteString("}\n")
	}
	return w.String()
}

// balancer is a keepalived that only keeps an IPVS table.
type balancer struct {
	*lab.Process
	host *lab.Host
	conf string
}

func startBalancer(ctx context.Context, bed *lab.Bed, services []lvs.Service) (*balancer, error) {
	path, err := lab.FindKeepalived()
	if err != nil {
		return nil, err
	}
	h, err := bed.AddHost("keepalived", lab.HostPrefixes(84)...)
	if err != nil {
		return nil, err
	}
	k := &balancer{host: h, conf: filepath.Join(h.Dir, "keepalived.conf")}
	if err := k.write(services); err != nil {
		return nil, err
	}
	k.Process, err = h.Start(ctx, lab.Program{Name: "keepalived", Path: path, Args: []string{
		"--dont-fork", "--log-console", "--check", "--use-file", k.conf,
		"--pid", filepath.Join(h.Dir, "keepalived.pid"), "--checkers_pid", filepath.Join(h.Dir, "checkers.pid"),
	}})
	if err != nil {
		return nil, err
	}
	return k, awaitWeight(ctx, h, services, time.Minute)
}

func (k *balancer) write(services []lvs.Service) error {
	var w strings.Builder
	w.WriteString("global_defs {\n  router_id bench\n}\n")
	for _, s := range services {
		fmt.Fprintf(&w, "virtual_server %s %d {\n  lvs_sched %s\n  lvs_method NAT\n  protocol TCP\n", s.Addr, s.Port, s.Scheduler)
		for _, d := range s.Destinations {
			fmt.Fprintf(&w, "  real_server %s %d {\n    weight %d\n  }\n", d.Addr.Addr(), d.Addr.Port(), d.Weight)
		}
		w.WriteString("}\n")
	}
	// In one step: keepalived may be reading it still, for the signal before.
	if err := os.WriteFile(k.conf+".new", []byte(w.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(k.conf+".new", k.conf)
}

// reload has keepalived read its file again, and returns how long it takes until the kernel has what is new in it.
func (k *balancer) reload(ctx context.Context, services []lvs.Service) (time.Duration, error) {
	if err := k.write(services); err != nil {
		return 0, err
	}
	from := time.Now()
	if err := k.Signal(syscall.SIGHUP); err != nil {
		return 0, err
	}
	err := awaitWeight(ctx, k.host, services, time.Minute)
	return time.Since(from), err
}

// awaitWeight waits until the host's kernel has the last service and the weight that the measurement changes.
func awaitWeight(ctx context.Context, h *lab.Host, services []lvs.Service, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	want := services[250].Destinations[3]
	return lab.Await(ctx, 5*time.Millisecond, func(context.Context) error {
		return h.Do(func() error {
			handle, err := moby.New("")
			if err != nil {
				return err
			}
			defer handle.Close()
			if !handle.IsServicePresent(mobyService(services[len(services)-1])) {
				return errors.New("the kernel does not have all services")
			}
			have, err := handle.GetDestinations(mobyService(services[250]))
			if err != nil {
				return err
			}
			for _, d := range have {
				if a, _ := netip.AddrFromSlice(d.Address); a.Unmap() == want.Addr.Addr() && d.Weight == want.Weight {
					return nil
				}
			}
			return fmt.Errorf("the kernel does not have %v with weight %d", want.Addr, want.Weight)
		})
	})
}

// largeTable measures an agent that has many services.
func (b *bench) largeTable(ctx context.Context, bed *lab.Bed) error {
	const most = 150 << 20
	d := bed.Directors[0]
	full := lvstest.Large(2300, 16)
	if _, err := d.Apply(ctx, "cluster.hcl", balancerConfig(netip.PrefixFrom(lvstest.VIP4, 24), full)); err != nil {
		return err
	}
	if err := awaitWeight(ctx, d.Host, full, 3*time.Minute); err != nil {
		return err
	}
	if err := lab.Sleep(ctx, 10*time.Second); err != nil {
		return err
	}
	u, err := d.Agent().Usage()
	if err != nil {
		return err
	}
	if err := b.emit(idleRow{System: "quorate", Setting: "2300 × 16 servers", Node: d.Name, Leader: true, VIPs: 1, RSS: float64(u.Resident) / (1 << 20)}); err != nil {
		return err
	}
	b.promise(u.Resident <= most, "an agent with 2,300 services of 16 servers: %.1f MB resident, promised at most 150", float64(u.Resident)/(1<<20))
	return nil
}
