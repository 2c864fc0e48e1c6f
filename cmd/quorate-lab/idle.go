package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
)

// The promises about an idle agent in a cluster of three with 100 VIPs.
const (
	maxResident = 60 << 20 // bytes
	maxCPU      = 3.0      // percent of a core
)

// idleRow is one line of the idle benchmark's output: one agent.
type idleRow struct {
	System  string  `json:"system"`
	Setting string  `json:"setting"`
	Node    string  `json:"node"`
	Leader  bool    `json:"leader"`
	VIPs    int     `json:"vips"`
	RSS     float64 `json:"rss_mb"`
	CPU     float64 `json:"cpu_percent"` // of one core
}

func idleCommand(find func() (string, error)) *cobra.Command {
	var vips int
	var length time.Duration
	var dir, profile string
	cmd := &cobra.Command{
		Use:   "idle",
		Short: "Memory and CPU of the agents of an idle cluster",
		Long: `Form a cluster of three, give it VIPs, let it rest, and measure each agent. One row of JSON for each. The exit code is 1 when
an agent uses more than 60 MB resident or 3 % of a core (profile lan).`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if vips < 1 || vips > 100 || length < time.Second {
				return usageError{fmt.Errorf("--vips %d --for %v: want 1 to 100 VIPs and at least a second", vips, length)}
			}
			return measure(cmd, find, func(b *bench, binary string) error {
				o := lab.BedOptions{Options: lab.Options{Dir: dir}, Binary: binary, Directors: 3}
				return b.idle(cmd.Context(), o, profile, vips, length)
			})
		},
	}
	cmd.Flags().IntVar(&vips, "vips", 100, "how many VIPs")
	cmd.Flags().DurationVar(&length, "for", 20*time.Second, "how long to measure")
	cmd.Flags().StringVar(&profile, "profile", "lan", "timing profile of the cluster")
	dirFlag(cmd, &dir)
	return cmd
}

func (b *bench) idle(ctx context.Context, o lab.BedOptions, profile string, vips int, length time.Duration) (err error) {
	bed, err := lab.NewBed(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bed.Close()) }()
	if err := bed.Form(ctx); err != nil {
		return err
	}
	var c lab.Config
	c.Settings(fmt.Sprintf("profile = %q", profile))
	var addrs []netip.Addr
	for i := range vips {
		c.VIP(fmt.Sprintf("v%03d", i+1), lab.VIP(i+1))
		addrs = append(addrs, lab.VIP(i+1).Addr())
	}
	if _, err := bed.Directors[0].Apply(ctx, "cluster.hcl", c.String()); err != nil {
		return err
	}
	from := lab.Now()
	for _, a := range addrs {
		if _, err := bed.AwaitOwner(ctx, a, nil); err != nil {
			return err
		}
	}
	b.say("%d VIPs are up after %s; settling for 10 s, then measuring for %v", vips, lab.Millis(lab.Since(from)), length)
	if err := lab.Sleep(ctx, 10*time.Second); err != nil { // the bursts of announcements end after five
		return err
	}
	return b.weigh(ctx, bed, profile, vips, length)
}

// weigh measures every agent over the same stretch of time.
func (b *bench) weigh(ctx context.Context, bed *lab.Bed, profile string, vips int, length time.Duration) error {
	var before []lab.Usage
	from := lab.Now()
	for _, d := range bed.Directors {
		u, err := d.Agent().Usage()
		if err != nil {
			return err
		}
		before = append(before, u)
	}
	if err := lab.Sleep(ctx, length); err != nil {
		return err
	}
	took := lab.Since(from)
	var after []lab.Usage
	for _, d := range bed.Directors {
		u, err := d.Agent().Usage()
		if err != nil {
			return err
		}
		after = append(after, u)
	}
	leader, err := bed.Leader(ctx)
	if err != nil {
		return err
	}
	for i, d := range bed.Directors {
		r := idleRow{
			System: "quorate", Setting: profile, Node: d.Name, Leader: d == leader, VIPs: vips,
			RSS: float64(after[i].Resident) / (1 << 20),
			CPU: 100 * float64(after[i].CPU-before[i].CPU) / float64(took),
		}
		if err := b.emit(r); err != nil {
			return err
		}
		if profile == "lan" {
			b.promise(after[i].Resident <= maxResident && r.CPU <= maxCPU,
				"idle %s: %.1f MB resident (promised: at most 60), %.2f %% of a core (promised: at most 3)", d.Name, r.RSS, r.CPU)
		}
	}
	return nil
}
