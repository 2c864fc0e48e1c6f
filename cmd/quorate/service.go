package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) serviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "List and look at virtual services",
		Long:  `List the virtual services, look at one with its real servers, and watch their traffic.`,
		Example: `  quorate service list
  quorate service show web-http
  quorate service top`,
	}
	cmd.AddCommand(a.serviceList(), a.serviceShow(), a.serviceTop())
	return cmd
}

func (a *app) serviceList() *cobra.Command {
	var format string
	var node string
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the virtual services",
		Long: `List the virtual services: where each listens, how it forwards, and how many of its servers get new connections.

With --format ipvsadm they are written as "ipvsadm -Sn" writes them, and "ipvsadm -R" takes them: all services with
the servers that are in, as they are agreed, or with --node those that this director's kernel has. Connection
thresholds are in it, too, which ipvsadm itself does not save.`,
		Example: `  quorate service list
  quorate service list --format ipvsadm > table
  quorate service list --format ipvsadm --node n1`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			switch {
			case format == "ipvsadm":
				return a.listIPVSAdm(cmd.Context(), c, fsm.NodeID(node))
			case format != "table":
				return &usageError{cmd, fmt.Errorf("--format %q: want table or ipvsadm", format)}
			case node != "":
				return &usageError{cmd, errors.New("--node goes with --format ipvsadm: the services are the same on all nodes; `quorate service top --node` shows one node's traffic")}
			}
			ss, err := c.Services(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(ss, func(w io.Writer) {
				if len(ss.Services) == 0 {
					fmt.Fprintln(w, "The configuration has no services.")
				}
				a.serviceTable(ss.Services).write(w, "")
			})
		}),
	}
	cmd.Flags().StringVar(&format, "format", "table", "table, or ipvsadm for what ipvsadm -R takes")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"table", "ipvsadm"}, cobra.ShellCompDirectiveNoFileComp))
	a.nodeFlag(cmd, &node, "what this director's kernel has, in place of what is agreed")
	return cmd
}

// listIPVSAdm writes what ipvsadm -R takes, and nothing else, to standard output.
func (a *app) listIPVSAdm(ctx context.Context, c *client.Client, node fsm.NodeID) error {
	t, err := c.IPVSAdm(ctx, node)
	if err != nil {
		return err
	}
	for _, l := range t.Left {
		fmt.Fprintf(a.err, "quorate: left out: %s\n", oneLine(l))
	}
	return a.print(t, func(w io.Writer) { fmt.Fprint(w, t.Text) })
}

// nodeFlag is --node, for commands that ask the owner of a VIP unless told otherwise.
func (a *app) nodeFlag(cmd *cobra.Command, node *string, usage string) {
	cmd.Flags().StringVar(node, "node", "", usage)
	_ = cmd.RegisterFlagCompletionFunc("node", func(cmd *cobra.Command, _ []string, s string) ([]string, cobra.ShellCompDirective) {
		return a.completeNodes(cmd, nil, s)
	})
}

func (a *app) serviceTable(services []api.ServiceSummary) *table {
	t := a.table("SERVICE", "VIP", "LISTENS ON", "FORWARD", "SCHEDULER", "OWNER", "SERVERS")
	for _, s := range services {
		tn := good
		switch {
		case s.In == 0:
			tn = bad
		case s.In < s.Servers:
			tn = warn
		}
		t.row(s.Name, vipText(s), listens(s), forwardText(s), s.Scheduler, ownerText(s), cell{serversText(s), tn})
	}
	return t
}

// serversText is like "2 of 3 in", with what became of the quorum where more than the servers' number has to do with it.
func serversText(s api.ServiceSummary) string {
	text := fmt.Sprintf("%d of %d in", s.In, s.Servers)
	switch {
	case s.Sorry:
		text += ", sorry server"
	case s.Quorum != nil && !s.Quorum.Met && s.Quorum.Have > 0:
		text += ", quorum lost"
	}
	return text
}

func listens(s api.ServiceSummary) string {
	if s.Mark != 0 {
		return fmt.Sprintf("fwmark %d", s.Mark)
	}
	if s.Address.IsValid() && s.Given == 0 {
		return fmt.Sprintf("%s %s", s.Protocol, netip.AddrPortFrom(s.Address, s.Port))
	}
	text := fmt.Sprintf("%s %s", s.Protocol, portsText(s))
	if len(s.Addresses) > 0 {
		text += " +" + texts(s.Addresses)
	}
	return text
}

// portsText is like "port 80", "ports 80, 8000-8099" or "all ports".
func portsText(s api.ServiceSummary) string {
	switch {
	case len(s.Ports) == 0 && s.Port == 0, len(s.Ports) == 1 && s.Ports[0] == fsm.PortRange{}:
		return "all ports"
	case len(s.Ports) == 0:
		return fmt.Sprintf("port %d", s.Port)
	default:
		return "ports " + texts(s.Ports)
	}
}

// texts are the items of a list, with commas between them.
func texts[T any](list []T) string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = fmt.Sprint(x)
	}
	return strings.Join(out, ", ")
}

// vipText are the names of the service's VIPs.
func vipText(s api.ServiceSummary) string {
	if len(s.VIPs) > 0 {
		return strings.Join(s.VIPs, ", ")
	}
	return s.VIP
}

// ownerText are the directors that carry the service.
func ownerText(s api.ServiceSummary) string {
	if len(s.Owners) > 0 {
		return texts(s.Owners)
	}
	return string(s.Owner)
}

func forwardText(s api.ServiceSummary) string {
	if s.Masquerade {
		return string(s.Forward) + "+masq"
	}
	return string(s.Forward)
}

// quorumText is like "met: weight 3 of 4, lost below 2".
func quorumText(s api.ServiceSummary) string {
	if q := s.Quorum; q.Met {
		return fmt.Sprintf("met: weight %d of %d, lost below %d", q.Have, q.All, q.Keep)
	}
	text := fmt.Sprintf("LOST since %s: weight %d of %d, met at %d", s.Quorum.Since.Local().Format(time.DateTime), s.Quorum.Have, s.Quorum.All, s.Quorum.Reach)
	if s.Sorry {
		text += "; the sorry server serves"
	}
	return text
}

func (a *app) serverTable(servers []api.RealServer, withService bool) *table {
	heads := []string{"SERVER", "HEALTH", "ADMIN", "WEIGHT", "TRAFFIC", "SINCE", "DETAIL"}
	if withService {
		heads = append([]string{"SERVICE"}, heads...)
	}
	t := a.table(heads...)
	for _, r := range servers {
		health := cell{string(r.Verdict), good}
		switch r.Verdict {
		case fsm.Down:
			health.tone = bad
		case fsm.Unknown:
			health.tone = warn
		}
		admin := cell{string(r.Admin), plain}
		switch {
		case r.Sorry:
			health, admin = cell{"not checked", plain}, cell{"sorry", plain}
		case r.Admin == fsm.Drain:
			admin = cell{"drained", warn}
		case r.Admin == fsm.Disabled:
			admin = cell{"disabled", warn}
		}
		traffic := "in"
		if !r.In {
			traffic = "out"
		}
		weight := strconv.Itoa(r.Weight)
		if r.In && r.Effective != r.Weight {
			weight = fmt.Sprintf("%d of %d", r.Effective, r.Weight)
		}
		if r.Disputed {
			health.text += " (disputed)"
			if health.tone == good {
				health.tone = warn
			}
		}
		detail := r.Why
		if r.Detail != "" {
			detail = strings.TrimPrefix(detail+"; "+r.Detail, "; ")
		}
		since := ""
		if !r.Since.IsZero() {
			since = r.Since.Local().Format(time.DateTime)
		}
		row := []any{r.Address, health, admin, weight, traffic, since, detail}
		if withService {
			row = append([]any{r.Service}, row...)
		}
		t.row(row...)
	}
	return t
}
