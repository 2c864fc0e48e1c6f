package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) serverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "List, drain and enable real servers",
		Long:  `List the real servers, take one out of rotation without cutting its connections, and put it back.`,
		Example: `  quorate server list
  quorate server drain web-http 10.0.0.11:8080
  quorate server enable web-http 10.0.0.11:8080`,
	}
	cmd.AddCommand(a.serverList(), a.serverAdmin("drain", fsm.Drain), a.serverAdmin("enable", fsm.Enabled))
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
	short, long := "Give a real server no new connections", `Give a real server no new connections; those that it has go on. It holds until the server is enabled again, over
restarts and changes of the configuration.`
	if admin == fsm.Enabled {
		short, long = "Put a drained real server back", `End a drain: the server gets new connections again as soon as its checks say that it is up.`
	}
	return &cobra.Command{
		Use:   verb + " SERVICE ADDRESS:PORT",
		Short: short,
		Long:  long,
		Example: fmt.Sprintf(`  quorate server %[1]s web-http 10.0.0.11:8080
  quorate server %[1]s web-http/10.0.0.11:8080`, verb),
		Args:              serverArgs,
		ValidArgsFunction: a.completeServers,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			key, err := serverKey(args)
			if err != nil {
				return &usageError{cmd, err}
			}
			r, err := c.SetAdmin(cmd.Context(), key.Service, key.Address, admin)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { fmt.Fprintln(w, adminText(r)) })
		}),
	}
}

func adminText(r api.RealServer) string {
	at := fmt.Sprintf("%s of %s", r.Address, r.Service)
	switch {
	case r.Admin == fsm.Drain:
		return at + " is drained: no new connections, those that it has go on."
	case r.In:
		return at + " is enabled and gets new connections."
	case r.Weight == 0:
		return at + " is enabled, but gets no new connections: its weight is 0."
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
