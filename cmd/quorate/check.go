package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"quorate/agent/target"
	"quorate/api/client"
	"quorate/fsm"
	"quorate/health"
)

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Try checks from here",
		Long:    `Try the checks of a configuration from this machine.`,
		Example: `  quorate check test cluster.hcl`,
	}
	cmd.AddCommand(a.checkTest())
	return cmd
}

// checkFlags are those of `quorate check test`.
type checkFlags struct{ check, server string }

func (a *app) checkTest() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "test FILE…|SERVICE",
		Short: "Run each check once from here, and say what it saw",
		Long: `Run each check of each server once from this machine, and say what it saw. It changes nothing, and nobody hears of it.

FILE is a configuration, as of quorate plan; then no agent is needed, and its node checks are run as well. Anything that is
neither a file nor a directory is the name of a SERVICE that the cluster has.

It exits with 1 when a check failed, or could not be tried from here: what another node sees may differ (quorate server
show). Checks with through = "forwarding" go to the server's own address here. Scripts, files, processes and interfaces
are for agents alone.`,
		Example: `  quorate check test cluster.hcl
  quorate check test web-http
  quorate check test web-http --server 10.0.0.11:8080 --check http`,
		Args:              needs("FILE… or SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.configOf(cmd, args)
			if err != nil {
				return err
			}
			trials, err := f.trials(c)
			if err != nil {
				return err
			}
			return a.try(cmd.Context(), trials)
		},
	}
	cmd.Flags().StringVar(&f.check, "check", "", "only the checks of this type, or the one of this number (the first is 0)")
	cmd.Flags().StringVar(&f.server, "server", "", "only this server, ADDRESS:PORT")
	return cmd
}

// configOf is the configuration in the files, or that of one service of the cluster.
func (a *app) configOf(cmd *cobra.Command, args []string) (fsm.Config, error) {
	if _, err := os.Stat(args[0]); err == nil || len(args) > 1 || args[0] == "-" || strings.ContainsAny(args[0], "/") || strings.HasSuffix(args[0], ".hcl") || strings.HasSuffix(args[0], ".json") {
		doc, err := a.load(args)
		if err != nil {
			return fsm.Config{}, err
		}
		return doc.Config, nil
	}
	var c fsm.Config
	err := a.ask(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		now, err := cl.Config(cmd.Context())
		if err != nil {
			return err
		}
		s, ok := now.Config.Services[args[0]]
		if !ok {
			return fmt.Errorf("there is no service %q, and no such file; the cluster has %s", args[0], strings.Join(slices.Sorted(maps.Keys(now.Config.Services)), ", "))
		}
		c.Services = map[string]fsm.Service{s.Name: s}
		return nil
	})(cmd, args)
	return c, err
}

// trial is one check of one server, and what came of it.
type trial struct {
	Service   string         `json:"service,omitempty"`
	NodeCheck string         `json:"node_check,omitempty"` // in place of a service
	Server    string         `json:"server,omitempty"`
	Check     int            `json:"check"` // its number in the service or the node check
	Type      string         `json:"type"`
	Address   netip.AddrPort `json:"address,omitzero"` // that was asked
	Result    string         `json:"result"`           // ok, failed or not asked
	Latency   string         `json:"latency"`
	Detail    string         `json:"detail"`
	Weight    health.Weight  `json:"weight,omitzero"` // that the server asks for

	target health.Target
}

// trials are the checks to try, in order.
func (f checkFlags) trials(c fsm.Config) ([]trial, error) {
	var out []trial
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		for _, server := range s.Servers {
			for i, check := range s.Checks {
				t := trial{Service: name, Server: server.Address.String(), Check: i, Type: string(check.Type), target: target.Of(check, server.Address)}
				t.Address = t.target.Addr
				out = append(out, t)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		for i, check := range c.NodeChecks[name].Checks {
			t := trial{NodeCheck: name, Check: i, Type: string(check.Type), target: target.OfNode(name, i, check)}
			t.Address = t.target.Addr
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no check of a server to try; add check blocks and servers")
	}
	wanted := slices.DeleteFunc(slices.Clone(out), func(t trial) bool {
		return f.check != "" && f.check != t.Type && f.check != strconv.Itoa(t.Check) || f.server != "" && f.server != t.Server
	})
	if len(wanted) == 0 {
		return nil, fmt.Errorf("none of the %d checks is meant by --check and --server; leave them out to try all", len(out))
	}
	return wanted, nil
}

// maxTrials bounds the checks that are tried at the same time.
const maxTrials = 64

// try runs the checks and prints what they saw.
func (a *app) try(ctx context.Context, trials []trial) error {
	var group errgroup.Group
	group.SetLimit(maxTrials)
	for i := range trials {
		group.Go(func() error {
			trials[i].run(ctx)
			return nil
		})
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return errors.New("interrupted before all checks were tried")
	}
	failed := 0
	for _, t := range trials {
		if t.Result != "ok" {
			failed++
		}
	}
	err := a.print(struct {
		Checks []trial `json:"checks"`
		Failed int     `json:"failed"`
	}{trials, failed}, func(w io.Writer) {
		t := a.table("OF", "SERVER", "CHECK", "RESULT", "LATENCY", "DETAIL")
		for _, x := range trials {
			tone := map[string]tone{"ok": good, "failed": bad, "not asked": warn}[x.Result]
			t.row(x.of(), x.Server, fmt.Sprintf("%d %s", x.Check, x.Type), cell{x.Result, tone}, x.Latency, x.Detail)
		}
		t.write(w, "")
		fmt.Fprintf(w, "\n%d of %d checks passed.\n", len(trials)-failed, len(trials))
	})
	if err == nil && failed > 0 {
		return errSaid
	}
	return err
}

func (t trial) of() string {
	if t.NodeCheck != "" {
		return "node_check " + t.NodeCheck
	}
	return t.Service
}

func (t *trial) run(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if !slices.Contains(fsm.NetworkChecks(), fsm.CheckType(t.Type)) {
		t.Result, t.Detail = "not asked", "only an agent does that, on its own node"
		return
	}
	start := time.Now()
	answer, err := health.Ask(ctx, t.target)
	t.Latency = time.Since(start).Round(10 * time.Microsecond).String()
	t.Result, t.Detail, t.Weight = "ok", answer.Detail, answer.Weight
	switch {
	case errors.Is(err, health.ErrNotAsked):
		t.Result, t.Detail = "not asked", strings.TrimPrefix(err.Error(), health.ErrNotAsked.Error()+": ")
	case err != nil:
		t.Result, t.Detail = "failed", err.Error()
	}
}
