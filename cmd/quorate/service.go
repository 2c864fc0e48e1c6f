package main

import (
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
		Long:  `List the virtual services, and look at one with its real servers.`,
		Example: `  quorate service list
  quorate service show web-http`,
	}
	cmd.AddCommand(a.serviceList(), a.serviceShow())
	return cmd
}

func (a *app) serviceList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the virtual services",
		Long:    `List the virtual services: where each listens, how it forwards, and how many of its servers get new connections.`,
		Example: `  quorate service list`,
		Args:    needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
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
		t.row(s.Name, s.VIP, listens(s), forwardText(s), s.Scheduler, s.Owner, cell{serversText(s), tn})
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
	if !s.Address.IsValid() {
		return fmt.Sprintf("%s port %d", s.Protocol, s.Port)
	}
	return fmt.Sprintf("%s %s", s.Protocol, netip.AddrPortFrom(s.Address, s.Port))
}

func forwardText(s api.ServiceSummary) string {
	if s.Masquerade {
		return string(s.Forward) + "+masq"
	}
	return string(s.Forward)
}

func (a *app) serviceShow() *cobra.Command {
	return &cobra.Command{
		Use:               "show SERVICE",
		Short:             "Show one virtual service with its real servers",
		Long:              `Show one virtual service: how it is checked, and each real server with its verdict, admin state and weight.`,
		Example:           `  quorate service show web-http`,
		Args:              needs("the name of a SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			s, err := c.Service(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) {
				fmt.Fprintf(w, "Service    %s\n", s.Name)
				fmt.Fprintf(w, "Listens    %s (VIP %s)\n", listens(s.ServiceSummary), s.VIP)
				fmt.Fprintf(w, "Owner      %s\n", orDash(string(s.Owner)))
				fmt.Fprintf(w, "Forward    %s, scheduler %s\n", forwardText(s.ServiceSummary), s.Scheduler)
				for i, c := range s.Checks {
					label := "Checks"
					if i > 0 {
						label = ""
					}
					fmt.Fprintf(w, "%-9s  %s\n", label, checkText(c))
				}
				fmt.Fprintf(w, "Servers    %d of %d get new connections\n", s.In, s.Servers)
				if s.Quorum != nil {
					fmt.Fprintf(w, "Quorum     %s\n", quorumText(s.ServiceSummary))
				}
				if len(s.RealServers) > 0 {
					fmt.Fprintln(w)
					a.serverTable(s.RealServers, false).write(w, "")
				}
				if s.Problem != "" {
					a.writeProblems(w, []string{s.Problem})
				}
			})
		}),
	}
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

func checkText(c fsm.Check) string {
	var b strings.Builder
	b.WriteString(string(c.Type))
	if c.HTTP != nil {
		fmt.Fprintf(&b, " GET %s", c.HTTP.Path)
		if c.HTTP.Host != "" {
			fmt.Fprintf(&b, " at %s", c.HTTP.Host)
		}
	}
	if c.Port != 0 {
		fmt.Fprintf(&b, " on port %d", c.Port)
	}
	fmt.Fprintf(&b, " every %s, timeout %s, up after %d, down after %d", c.Interval, c.Timeout, c.Rise, c.Fall)
	return b.String()
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
