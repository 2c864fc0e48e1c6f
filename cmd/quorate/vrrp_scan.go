package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/agent/survey"
)

// Bounds of a scan.
const (
	minScan = 100 * time.Millisecond
	maxScan = 24 * time.Hour
	// knownLimit is how long the agent is asked for the configuration, if there is one.
	knownLimit = 2 * time.Second
	// mostFindings are shown to a person.
	mostFindings = 30
)

func (a *app) vrrpScan() *cobra.Command {
	var d time.Duration
	cmd := &cobra.Command{
		Use:   "scan [INTERFACE…]",
		Short: "Hear which virtual routers are active on the links of this machine",
		Long: `Listen on the links of this machine, all that are up or those that are named, and show each virtual router that is
heard: its VRID and version, who is active with which priority, how often it advertises, its addresses, and how it
authenticates. It sends nothing, changes nothing, and needs no agent, but root (CAP_NET_RAW).

Where an agent answers, its cluster's configuration is compared with what is heard: what would make two routers deaf to
each other, and both active, is named with the cure. So are VRIDs that two virtual routers use, and those that are free.

Only active routers are heard, a backup is silent. Of adverts by unicast only those to this machine are heard; and not
what this machine sends itself. Interrupted (Ctrl-C), it shows what it has heard so far.`,
		Example: `  quorate vrrp scan
  quorate vrrp scan eth0 --for 30s
  quorate vrrp scan --output json | jq '.findings'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if slices.Contains(args, "") {
				return &usageError{cmd, fmt.Errorf("%s needs the name of an interface, not an empty argument", cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if d < minScan || d > maxScan {
				return &usageError{cmd, fmt.Errorf("--for %v: want %v to %v", d, minScan, maxScan)}
			}
			return a.scan(cmd.Context(), args, d)
		},
	}
	cmd.Flags().DurationVar(&d, "for", 5*time.Second, "how long to listen; a router with a longer interval needs longer")
	return cmd
}

func (a *app) scan(ctx context.Context, links []string, d time.Duration) error {
	known, unknown := a.known(ctx)
	if a.output != "json" {
		fmt.Fprintf(a.err, "quorate: listening for %v; Ctrl-C shows what was heard so far\n", d)
	}
	r, err := survey.Listen(ctx, survey.Options{Links: links, For: d, Known: known})
	if err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) { a.writeScan(w, r, unknown) })
}

// known is what the agent of this machine knows of its cluster; or why that is not known.
func (a *app) known(ctx context.Context) (known survey.Known, why error) {
	ctx, cancel := context.WithTimeout(ctx, knownLimit)
	defer cancel()
	c, err := a.client()
	if err != nil {
		return known, err
	}
	defer c.Close()
	st, err := c.Status(ctx)
	if err != nil {
		return known, err
	}
	cfg, err := c.Config(ctx)
	if err != nil {
		return known, err
	}
	if cfg.Hidden {
		return known, errors.New("passwords and keys of virtual routers are not shown over TCP: name the agent's unix socket")
	}
	nodes := map[netip.Addr]string{}
	for _, n := range st.Nodes {
		if at, err := netip.ParseAddrPort(n.Addr); err == nil {
			nodes[at.Addr()] = string(n.ID)
		}
	}
	return knownHere(st.ClusterID, cfg.Config, nodes)
}

func (a *app) writeScan(w io.Writer, r *survey.Report, unknown error) {
	var links []string
	for _, l := range r.Links {
		if !slices.Contains(links, l.Link) {
			links = append(links, l.Link)
		}
	}
	heard := time.Duration(r.ForMS) * time.Millisecond
	if len(r.Routers) == 0 {
		fmt.Fprintf(w, "No virtual router was heard on %s in %v: there is none, its backups alone are there, it speaks by unicast to others, or less often than that.\n",
			strings.Join(links, ", "), heard.Round(100*time.Millisecond))
	} else {
		fmt.Fprintf(w, "%s heard on %s in %v:\n\n", plural(len(r.Routers), "router"), strings.Join(links, ", "), heard.Round(100*time.Millisecond))
	}
	t := a.table("LINK", "VRID", "ROUTER", "STATE", "PRIORITY", "VERSION", "INTERVAL", "AUTH", "SENT", "ADDRESSES", "OURS")
	for _, x := range r.Routers {
		who := x.Source.String()
		if x.Node != "" {
			who += " (" + x.Node + ")"
		}
		auth := x.Auth
		if x.Signed {
			auth = "signed"
		}
		sent := x.Sent
		if x.Checksum != "" {
			sent += ", " + x.Checksum
		}
		t.row(x.Link, int(x.VRID), who, x.Activity, int(x.Priority), fmt.Sprintf("%d %s", x.Version, x.Family), time.Duration(x.IntervalMS)*time.Millisecond,
			auth, sent, some(x.Addresses), x.Ours)
	}
	t.write(w, "")
	fmt.Fprintln(w)
	for _, f := range r.Findings[:min(len(r.Findings), mostFindings)] {
		fmt.Fprintf(w, "%s %s\n", a.paint(bad, string(f.Kind)+":"), oneLine(f.Text))
	}
	if n := len(r.Findings) - mostFindings; n > 0 {
		fmt.Fprintf(w, "and %d more: --output json has all of them\n", n)
	}
	if len(r.Findings) > 0 {
		fmt.Fprintln(w)
	}
	t = a.table("LINK", "FAMILY", "FREE VRIDS", "DATAGRAMS", "DROPPED", "PROBLEM")
	for _, l := range r.Links {
		var dropped []string
		for _, reason := range slices.Sorted(maps.Keys(l.Dropped)) {
			dropped = append(dropped, fmt.Sprintf("%d %s", l.Dropped[reason], reason))
		}
		t.row(l.Link, l.Family, some(strings.Split(l.Free, ", ")), l.Heard, strings.Join(dropped, ", "), cell{l.Problem, bad})
	}
	t.write(w, "")
	if unknown != nil {
		fmt.Fprintf(w, "\nNothing was compared with a cluster's configuration: %s\n", oneLine(unknown.Error()))
	}
}
