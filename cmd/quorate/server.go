package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) serverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "List, show, drain, disable and enable real servers",
		Long:  `List the real servers, take one out of rotation without cutting its connections, and put it back.`,
		Example: `  quorate server list
  quorate server show web-http 10.0.0.11:8080
  quorate server drain web-http 10.0.0.11:8080 --timeout 5m
  quorate server enable web-http 10.0.0.11:8080`,
	}
	cmd.AddCommand(a.serverList(), a.serverShow(), a.serverAdmin("drain", fsm.Drain), a.serverAdmin("disable", fsm.Disabled), a.serverAdmin("enable", fsm.Enabled))
	return cmd
}

func (a *app) serverList() *cobra.Command {
	return &cobra.Command{
		Use:     "list [SERVICE]",
		Aliases: []string{"ls"},
		Short:   "List the real servers",
		Long:    `List the real servers of one service, or of all: what the checks say, what the operator wants, and what follows.`,
		Example: `  quorate server list
  quorate server list web-http`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return needs("SERVICE")(cmd, args)
		},
		ValidArgsFunction: a.completeServices,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			ss, err := c.Servers(cmd.Context(), first(args...))
			if err != nil {
				return err
			}
			return a.print(ss, func(w io.Writer) {
				if len(ss.Servers) == 0 {
					fmt.Fprintln(w, "There are no servers.")
				}
				a.serverTable(ss.Servers, true).write(w, "")
			})
		}),
	}
}

func (a *app) serverAdmin(verb string, admin fsm.Admin) *cobra.Command {
	var limit time.Duration
	short, long := "Give a real server no new connections", `Give a real server no new connections; those that it has go on. The drain ends when the last
one is gone, or after --timeout: then the server is disabled, and stays so until it is enabled again, over restarts and
changes of the configuration.

The director that has the VIP counts the connections, in its kernel: of TCP and SCTP those that are established; there
must have been none for five seconds. Where it cannot count them (nftables without nf_conntrack_netlink), only the
limit ends a drain.`
	switch admin {
	case fsm.Enabled:
		short, long = "Put a drained or disabled real server back", `End a drain, or put a disabled server back: it gets new connections again as soon as its checks say that it is up.`
	case fsm.Disabled:
		short, long = "Take a real server out at once", `Take a real server out of the table at once, whatever connections it has (quorate server drain lets them end). Its
checks go on. It holds until the server is enabled again, over restarts and changes of the configuration.`
	}
	cmd := &cobra.Command{
		Use:   verb + " SERVICE ADDRESS:PORT",
		Short: short,
		Long:  long,
		Example: fmt.Sprintf(`  quorate server %[1]s web-http 10.0.0.11:8080
  quorate server %[1]s web-http/10.0.0.11:8080`, verb),
		Args:              serverArgs,
		ValidArgsFunction: a.completeServers,
	}
	cmd.RunE = a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
		key, err := serverKey(args)
		if err != nil {
			return &usageError{cmd, err}
		}
		set := func() (api.RealServer, error) { return c.SetAdmin(cmd.Context(), key.Service, key.Address, admin) }
		if cmd.Flags().Changed("timeout") {
			if limit != 0 && limit < time.Second || limit > fsm.MaxDrainTimeout {
				return &usageError{cmd, fmt.Errorf("--timeout %v: want 1s to %v, or 0 for no limit", limit, fsm.MaxDrainTimeout)}
			}
			set = func() (api.RealServer, error) { return c.DrainServer(cmd.Context(), key.Service, key.Address, limit) }
		}
		r, err := set()
		if err != nil {
			return err
		}
		return a.print(r, func(w io.Writer) { fmt.Fprintln(w, adminText(r)) })
	})
	if admin == fsm.Drain {
		cmd.Example += "\n  quorate server drain web-http 10.0.0.11:8080 --timeout 5m"
		cmd.Flags().DurationVar(&limit, "timeout", 0, "how long the drain may last; 0 = as long as there are connections (default: drain_timeout of the service)")
	}
	return cmd
}

func adminText(r api.RealServer) string {
	at := fmt.Sprintf("%s of %s", r.Address, r.Service)
	switch {
	case r.Admin == fsm.Drain && !r.Until.IsZero():
		return fmt.Sprintf("%s is drained: no new connections, those that it has go on until %s.", at, r.Until.Local().Format(time.DateTime))
	case r.Admin == fsm.Drain:
		return at + " is drained: no new connections, those that it has go on."
	case r.Admin == fsm.Disabled:
		return at + " is disabled: no connections."
	case r.In:
		return at + " is enabled and gets new connections."
	case r.Weight == 0:
		return at + " is enabled, but gets no new connections: its weight is 0."
	case r.Verdict == fsm.Up:
		return fmt.Sprintf("%s is enabled, but gets no new connections: %s.", at, r.Why)
	default:
		return fmt.Sprintf("%s is enabled, but gets no new connections: its health is %s. %s", at, r.Verdict, r.Detail)
	}
}

func serverArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && strings.Contains(args[0], "/") {
		return nil
	}
	return needs("a SERVICE", "the ADDRESS:PORT of a server")(cmd, args)
}

// serverKey reads "SERVICE ADDRESS:PORT" or "SERVICE/ADDRESS:PORT".
func serverKey(args []string) (fsm.ServerKey, error) {
	service, at := args[0], args[len(args)-1]
	if len(args) == 1 {
		service, at, _ = strings.Cut(args[0], "/")
	}
	addr, err := netip.ParseAddrPort(at)
	if err != nil {
		return fsm.ServerKey{}, fmt.Errorf("%q is not ADDRESS:PORT: write it like 10.0.0.11:8080 or [2001:db8::11]:8080", at)
	}
	return fsm.ServerKey{Service: service, Address: addr}, nil
}
