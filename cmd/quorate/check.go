package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"quorate/agent/target"
	"quorate/api/client"
	"quorate/fsm"
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
		Use:   "test FILE…|SERVICE…",
		Short: "Run each check once from here, and say what it saw",
		Long: `Run each check of each server once from this machine, and say what it saw. Nobody hears of it, and no state changes but by
what scripts do.

FILE is a configuration, as of quorate plan; then no agent is needed, and its node checks are run as well. Anything that is
neither a file nor a directory is the name of a SERVICE, or of a node check, that the cluster has. What a configuration has
for other directors is tried here all the same.

What a check needs of this machine and does not find (certificates, programs that are safe to run) is said first, whatever the
servers answer. Scripts are run here as an agent runs them: as the check's user, else quorate_script or nobody, in a process
group of their own, killed at the timeout; QUORATE_NODE is the name of the agent at --socket, else that of this machine. Only
root can run them as another user, so run this as root on a director for what its agent sees. Checks with
through = "forwarding" go to the server's own address here.

It exits with 0 when all checks passed, and with 1 when one failed, could not be tried from here, or lacks something of this
machine: what another node sees may differ (quorate server show). Interrupted, it kills what it has started, prints what it
has seen so far, and exits with 1.`,
		Example: `  quorate check test cluster.hcl
  quorate check test web-http haproxy
  quorate check test web-http --server 10.0.0.11:8080 --check http`,
		Args:              needs("FILE… or SERVICE…"),
		ValidArgsFunction: a.completeChecks,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.configOf(cmd, args)
			if err != nil {
				return err
			}
			trials, err := f.trials(c)
			if err != nil {
				return err
			}
			return a.try(cmd.Context(), a.nodeHere(cmd.Context()), trials)
		},
	}
	cmd.Flags().StringVar(&f.check, "check", "", "only the checks of this type, or the one of this number (the first is 0)")
	cmd.Flags().StringVar(&f.server, "server", "", "only this server, ADDRESS:PORT")
	return cmd
}

// completeChecks offers the services of the cluster beside files.
func (a *app) completeChecks(cmd *cobra.Command, args []string, s string) ([]string, cobra.ShellCompDirective) {
	names, _ := a.completeServices(cmd, args, s)
	return names, cobra.ShellCompDirectiveDefault
}

// configOf is the configuration in the files, or as much of the cluster's as has the names.
func (a *app) configOf(cmd *cobra.Command, args []string) (fsm.Config, error) {
	if slices.ContainsFunc(args, isFile) {
		doc, err := a.load(args)
		if err != nil {
			return fsm.Config{}, err
		}
		return doc.Config, nil
	}
	c := fsm.Config{Services: map[string]fsm.Service{}, NodeChecks: map[string]fsm.NodeCheck{}}
	err := a.ask(func(cmd *cobra.Command, cl *client.Client, names []string) error {
		now, err := cl.Config(cmd.Context())
		if err != nil {
			return fmt.Errorf("there is no file %q, and the cluster cannot be asked for a service of that name: %w", names[0], err)
		}
		for _, name := range names {
			s, service := now.Config.Services[name]
			if service {
				c.Services[name] = s
			}
			n, node := now.Config.NodeChecks[name]
			if node {
				c.NodeChecks[name] = n
			}
			if !service && !node {
				return fmt.Errorf("there is no file, service or node check %q; %s", name, hasNames(now.Config))
			}
		}
		return nil
	})(cmd, args)
	return c, err
}

// isFile reports whether an argument is meant as a file: it is there, or looks like one.
func isFile(arg string) bool {
	_, err := os.Stat(arg)
	return err == nil || arg == "-" || strings.Contains(arg, "/") || strings.HasSuffix(arg, ".hcl") || strings.HasSuffix(arg, ".json")
}

// hasNames says what could have been meant.
func hasNames(c fsm.Config) string {
	var has []string
	if len(c.Services) > 0 {
		has = append(has, "the services "+strings.Join(slices.Sorted(maps.Keys(c.Services)), ", "))
	}
	if len(c.NodeChecks) > 0 {
		has = append(has, "the node checks "+strings.Join(slices.Sorted(maps.Keys(c.NodeChecks)), ", "))
	}
	if len(has) == 0 {
		return "the cluster has no services: name a file"
	}
	return "the cluster has " + strings.Join(has, " and ")
}

// trials are the checks to try, in order.
func (f checkFlags) trials(c fsm.Config) ([]trial, error) {
	var out []trial
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		for _, server := range s.Servers {
			for i, check := range s.Checks {
				out = append(out, newTrial(trial{Service: name, Server: server.Address.String(), Check: i}, check, target.Of(check, server.Address)))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		for i, check := range c.NodeChecks[name].Checks {
			out = append(out, newTrial(trial{NodeCheck: name, Check: i}, check, target.OfNode(name, i, check)))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no check to try; add check blocks and servers, or node_check blocks")
	}
	wanted := slices.DeleteFunc(slices.Clone(out), func(t trial) bool {
		return f.check != "" && f.check != t.Type && f.check != strconv.Itoa(t.Check) || f.server != "" && f.server != t.Server
	})
	if len(wanted) == 0 {
		return nil, fmt.Errorf("none of the %d checks is meant by --check and --server; leave them out to try all", len(out))
	}
	return wanted, nil
}
