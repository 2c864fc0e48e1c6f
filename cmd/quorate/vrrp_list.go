package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
)

func (a *app) vrrpList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the cluster's virtual routers, and who has each",
		Long: `List the virtual routers of the configuration. OWNER is the node that speaks, as the cluster agreed, in parentheses where
it would and the VIPs are in shadow; OTHER is the router outside the cluster that has it in its place. MASTER DOWN is how
long the most impatient of those hears nothing before it takes over. Without a quorum it is what the agent knew last, and
says so.`,
		Example: `  quorate vrrp list`,
		Args:    needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			rs, err := c.VirtualRouters(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(rs, func(w io.Writer) {
				if rs.Leader == "" {
					fmt.Fprintln(w, a.paint(bad, "Nobody leads, as far as this agent knows: this is what it knew last, and may be old."))
				}
				if len(rs.VirtualRouters) == 0 {
					fmt.Fprintln(w, "The configuration has no virtual routers.")
					return
				}
				a.routerTable(rs.VirtualRouters).write(w, "")
			})
		}),
	}
}

func (a *app) routerTable(routers []api.RouterStatus) *table {
	t := a.table("ROUTER", "VRID", "VERSION", "PRIORITY", "INTERVAL", "MASTER DOWN", "AUTH", "OWNER", "OTHER", "VIPS")
	for _, r := range routers {
		owner := orDash(string(r.Owner))
		if r.Mode == "shadow" && r.Owner != "" {
			owner = "(" + owner + ")"
		}
		other := cell{"-", plain}
		if r.Foreign != nil {
			other = cell{r.Foreign.String(), warn}
		}
		t.row(r.Name, r.VRID, r.Version, r.Priority, milliseconds(r.IntervalMS), milliseconds(r.MasterDownMS), r.Authentication, cell{owner, plain}, other, some(r.VIPs))
	}
	return t
}

func milliseconds(n int64) string { return (time.Duration(n) * time.Millisecond).String() }
