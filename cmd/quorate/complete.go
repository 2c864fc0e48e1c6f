package main

import (
	"slices"

	"github.com/spf13/cobra"

	"quorate/api/client"
)

// complete offers what the agent knows; without an agent there is nothing to offer.
func (a *app) complete(_ *cobra.Command, list func(*client.Client) ([]string, error), wanted bool) ([]string, cobra.ShellCompDirective) {
	if !wanted {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	names, err := list(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeNodes(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(c *client.Client) (names []string, err error) {
		ms, err := c.Members(cmd.Context())
		for _, m := range ms.Members {
			names = append(names, string(m.ID))
		}
		return names, err
	}, len(args) == 0)
}

func (a *app) completeVIPs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(c *client.Client) (names []string, err error) {
		cfg, err := c.Config(cmd.Context())
		for name := range cfg.Config.VIPs {
			names = append(names, name)
		}
		return names, err
	}, len(args) == 0)
}

func (a *app) completeRouters(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(c *client.Client) (names []string, err error) {
		rs, err := c.VirtualRouters(cmd.Context())
		for _, r := range rs.VirtualRouters {
			names = append(names, r.Name)
		}
		return names, err
	}, len(args) == 0)
}

func (a *app) completeNotifiers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(c *client.Client) (names []string, err error) {
		ns, err := c.Notifiers(cmd.Context())
		for _, n := range ns.Notifiers {
			names = append(names, n.Name)
		}
		return names, err
	}, len(args) == 0)
}

func (a *app) completeServices(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(c *client.Client) (names []string, err error) {
		ss, err := c.Services(cmd.Context())
		for _, s := range ss.Services {
			names = append(names, s.Name)
		}
		return names, err
	}, len(args) == 0)
}

func (a *app) completeServers(cmd *cobra.Command, args []string, s string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeServices(cmd, args, s)
	}
	return a.complete(cmd, func(c *client.Client) (names []string, err error) {
		ss, err := c.Servers(cmd.Context(), args[0])
		for _, r := range ss.Servers {
			names = append(names, r.Address.String())
		}
		return names, err
	}, len(args) == 1)
}
