package main

import (
	"context"
	"encoding/json"
	"errors"
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

func (a *app) connCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "conn",
		Short:   "Look at the connections that are balanced",
		Long:    `Look at the connections that the directors balance.`,
		Example: `  quorate conn list --service web-http`,
	}
	cmd.AddCommand(a.connList())
	return cmd
}

// connPage is how many connections are asked for at once: all that there may be, since the director reads its table from the start for each page.
const connPage = api.MaxConnections

func (a *app) connList() *cobra.Command {
	var service, server, node string
	var limit int
	cmd := &cobra.Command{
		Use:     "list --service NAME",
		Aliases: []string{"ls"},
		Short:   "List who is connected to what",
		Long: `List the connections of one service in the kernel of the VIP's owner (or of --node): client, server, state, how long
the kernel remembers it if nothing comes, and where that director knows it from: local, or sync when another director
told of it. PERSISTENT in place of a state is no connection but what persistence remembers of a client. Of a service
with several VIPs all owners are asked, one after the other.

They come in the kernel's order, and the table goes on changing while it is read: one may be missed or come twice. At
most --limit are listed; 0 lists all of them. --output json prints one connection on each line.`,
		Example: `  quorate conn list --service web-http
  quorate conn list --service web-http --server 10.0.0.11:8080 --limit 0
  quorate conn list --service web-http --node n2 -o json`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			q := api.ConnectionQuery{Service: service}
			switch {
			case service == "":
				return &usageError{cmd, errors.New("whose connections? Name a service with --service; `quorate service list` lists them")}
			case limit < 0:
				return &usageError{cmd, fmt.Errorf("--limit %d: want 0 for all, or more", limit)}
			case server != "":
				var err error
				if q.Server, err = netip.ParseAddrPort(server); err != nil {
					return &usageError{cmd, fmt.Errorf("--server %q is not ADDRESS:PORT: write it like 10.0.0.11:8080 or [2001:db8::11]:8080", server)}
				}
			}
			return a.listConnections(cmd, c, fsm.NodeID(node), q, limit)
		}),
	}
	cmd.Flags().StringVar(&service, "service", "", "the service")
	cmd.Flags().StringVar(&server, "server", "", "only connections to this ADDRESS:PORT")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many; 0 = all")
	a.nodeFlag(cmd, &node, "ask this director, not the owner of the VIP")
	_ = cmd.RegisterFlagCompletionFunc("service", func(cmd *cobra.Command, _ []string, s string) ([]string, cobra.ShellCompDirective) {
		return a.completeServices(cmd, nil, s)
	})
	return cmd
}

// listConnections prints page after page, so that a large table takes little memory, of one director after the other.
func (a *app) listConnections(cmd *cobra.Command, c *client.Client, node fsm.NodeID, q api.ConnectionQuery, limit int) error {
	l := connLister{app: a, client: c, limit: limit}
	others, err := l.of(cmd.Context(), node, q)
	for len(others) > 0 && err == nil {
		_, err = l.of(cmd.Context(), others[0], q)
		others = others[1:]
	}
	switch {
	case err != nil || a.output == "json":
		return err
	case l.more:
		fmt.Fprintf(a.err, "quorate: there are more: --limit 0 lists all\n")
	case l.listed == 0:
		_, err = fmt.Fprintf(a.out, "%s knows of no such connections.\n", strings.Join(l.asked, ", "))
	}
	return err
}

// connLister is one run of conn list.
type connLister struct {
	app    *app
	client *client.Client
	limit  int // 0 = none
	listed int
	asked  []string
	more   bool // than the limit
}

// of lists those of one director, and returns the others that have some.
func (l *connLister) of(ctx context.Context, node fsm.NodeID, q api.ConnectionQuery) (others []fsm.NodeID, err error) {
	for first := true; ; first = false {
		q.Limit = connPage
		if l.limit > 0 {
			q.Limit = min(connPage, max(1, l.limit-l.listed)) // at the limit, to see whether there are more
		}
		page, err := l.client.Connections(ctx, node, q)
		if err != nil {
			return nil, err
		}
		if node = page.Node; first {
			others = page.Others
			l.asked = append(l.asked, string(node))
		}
		if l.limit > 0 && l.listed >= l.limit {
			l.more = l.more || len(page.Connections) > 0
			return others, nil
		}
		if err := l.app.writeConnections(page, l.listed == 0); err != nil {
			return nil, err
		}
		l.listed += len(page.Connections)
		switch {
		case page.Next == 0:
			return others, nil
		case page.Next <= q.Skip:
			return nil, fmt.Errorf("%s answers with connections again that it has given: its version is another one", node)
		case l.limit > 0 && l.listed >= l.limit:
			l.more = true
			return others, nil
		}
		q.Skip = page.Next
	}
}

func (a *app) writeConnections(page api.Connections, first bool) error {
	if a.output == "json" {
		enc := json.NewEncoder(a.out)
		for _, c := range page.Connections {
			if err := enc.Encode(c); err != nil {
				return err
			}
		}
		return nil
	}
	if len(page.Connections) == 0 {
		return nil
	}
	// Columns of fixed width: a stream cannot align by what comes later.
	line := func(tn tone, fields ...any) error {
		_, err := io.WriteString(a.out, a.paint(tn, oneLine(fmt.Sprintf("%-5s %-22s %-22s %-22s %-12s %9s  %s", fields...)))+"\n")
		return err
	}
	if first {
		if err := line(head, "PROTO", "CLIENT", "VIRTUAL", "SERVER", "STATE", "EXPIRES", "FROM"); err != nil {
			return err
		}
	}
	for _, c := range page.Connections {
		state := c.State
		if c.Binding {
			state = "PERSISTENT"
		}
		if err := line(plain, c.Protocol, c.Client, c.Virtual, c.Server, state, time.Duration(c.ExpiresIn)*time.Second, orDash(c.Origin)); err != nil {
			return err
		}
	}
	return nil
}
