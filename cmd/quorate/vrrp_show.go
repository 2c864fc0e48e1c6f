package main

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) vrrpShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a virtual router: what each node says and hears of it",
		Long: `Show a virtual router: what each node says and hears of it, every router outside the cluster that was heard with what it
advertises, and what in that differs from ours, with the cure.`,
		Example: `  quorate vrrp show VI_1
  quorate vrrp show VI_1 --output json`,
		Args:              needs("the name of a virtual router"),
		ValidArgsFunction: a.completeRouters,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			r, err := c.VirtualRouter(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { a.routerDetail(w, r) })
		}),
	}
}

func (a *app) routerDetail(w io.Writer, r api.Router) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%-10s  %s\n", label, oneLine(fmt.Sprintf(format, args...)))
	}
	state := routerState(r)
	line("Router", "%s: vrid %d, version %d, priority %d, every %s", r.Name, r.VRID, r.Version, r.Priority, milliseconds(r.IntervalMS))
	line("VIPs", "%s", join(r.VIPs))
	line("Addresses", "%s", addresses(r.Addresses))
	line("Peers", "%s", orDash(addresses(r.Peers)))
	line("Owner", "%s", orDash(string(r.Owner)))
	line("State", "%s", a.paint(state.tone, state.text))
	fmt.Fprintln(w)
	t := a.table("NODE", "LINK", "FROM", "STATE", "SENT", "LAST WORDS", "WITHHELD", "ACCEPTED", "DROPPED")
	for _, n := range r.Nodes {
		t.row(n.Node, n.Link, n.Source, n.State, n.Sent, n.LastWords, n.Withheld, n.Received, orDash(dropped(n)))
	}
	t.write(w, "")
	if others := hearings(r); len(others) > 0 {
		t := a.table("ROUTER", "ROLE", "STATE", "PRIORITY", "VERSION", "INTERVAL", "AUTHENTICATION", "LAST", "HEARD BY", "ADDRESSES")
		for _, h := range others {
			x := h.RouterNeighbour
			t.row(x.Source, x.Role, neighbourState(x), x.Priority, x.Version, milliseconds(x.IntervalMS), neighbourAuth(x),
				(time.Duration(x.HeardMS)*time.Millisecond).Round(100*time.Millisecond).String()+" ago", some(h.by), some(x.Addresses))
		}
		fmt.Fprintln(w)
		t.write(w, "")
	}
	a.writeProblems(w, r.Problems())
}

// hearing is a router as several nodes hear it alike.
type hearing struct {
	api.RouterNeighbour
	by []fsm.NodeID
}

// hearings are the other routers by address, those that nodes hear alike once; of when they were heard it is the latest.
func hearings(r api.Router) (out []hearing) {
	for _, n := range r.Nodes {
		for _, x := range n.Neighbours {
			i := slices.IndexFunc(out, func(h hearing) bool {
				return h.Source == x.Source && h.Role == x.Role && neighbourState(h.RouterNeighbour) == neighbourState(x) && h.Priority == x.Priority && h.Version == x.Version &&
					h.IntervalMS == x.IntervalMS && neighbourAuth(h.RouterNeighbour) == neighbourAuth(x) && slices.Equal(h.Addresses, x.Addresses)
			})
			if i < 0 {
				out = append(out, hearing{RouterNeighbour: x})
				i = len(out) - 1
			}
			out[i].by = append(out[i].by, n.Node)
			out[i].HeardMS = min(out[i].HeardMS, x.HeardMS)
		}
	}
	slices.SortStableFunc(out, func(a, b hearing) int { return a.Source.Compare(b.Source) })
	return out
}

func neighbourState(x api.RouterNeighbour) cell {
	switch {
	case x.State == "active" && !x.Counts:
		return cell{"active, not counted", bad}
	case x.State == "active":
		return cell{"active", warn}
	}
	return cell{x.State, good}
}

func neighbourAuth(x api.RouterNeighbour) string {
	if x.Signed {
		return "signed"
	}
	return x.Auth
}

func dropped(n api.NodeRouter) string {
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(n.Dropped)) {
		out = append(out, fmt.Sprintf("%s %d", reason, n.Dropped[reason]))
	}
	return strings.Join(out, ", ")
}

// speechTable shows who speaks for each virtual router.
func (a *app) speechTable(routers []api.Router) *table {
	t := a.table("VIRTUAL ROUTER", "VRID", "OWNER", "STATE", "PRIORITY", "INTERVAL", "OTHERS", "VIPS")
	for _, r := range routers {
		t.row(r.Name, r.VRID, orDash(string(r.Owner)), routerState(r), r.Priority, milliseconds(r.IntervalMS), orDash(routerOthers(r)), some(r.VIPs))
	}
	return t
}

// routerState is who speaks for a virtual router.
func routerState(r api.Router) cell {
	var speaks []string
	for _, n := range r.Nodes {
		if n.Speaks {
			speaks = append(speaks, string(n.Node))
		}
	}
	switch {
	case len(speaks) > 1:
		return cell{"SPOKEN BY " + strings.Join(speaks, ", "), bad}
	case r.Foreign != nil:
		return cell{"left to " + r.Foreign.Source.String(), warn}
	case len(speaks) == 1 && len(r.Problems()) > 0:
		return cell{"spoken by " + speaks[0], warn}
	case len(speaks) == 1:
		return cell{"spoken by " + speaks[0], good}
	case r.Mode == "shadow":
		return cell{"shadow", warn}
	}
	return cell{"silent", bad}
}

// routerOthers are the routers outside the cluster that are heard, each once.
func routerOthers(r api.Router) string {
	others := map[netip.Addr]string{}
	for _, n := range r.Nodes {
		for _, x := range n.Neighbours {
			if x.Role != "fellow" && (others[x.Source] == "" || x.State == "active") {
				others[x.Source] = fmt.Sprintf("%v %s (%d)", x.Source, x.State, x.Priority)
			}
		}
	}
	var out []string
	for _, a := range slices.SortedFunc(maps.Keys(others), netip.Addr.Compare) {
		out = append(out, others[a])
	}
	return some(out)
}

// addresses are a list with commas between.
func addresses(all []netip.Addr) string {
	var out []string
	for _, x := range all {
		out = append(out, x.String())
	}
	return strings.Join(out, ", ")
}
