package main

import (
	"cmp"
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

func (a *app) serviceShow() *cobra.Command {
	var node string
	cmd := &cobra.Command{
		Use:   "show SERVICE",
		Short: "Show everything about one virtual service",
		Long: `Show everything about one virtual service: where it listens and how it is scheduled, its quorum and its checks; each
real server with its verdict, admin state and weight (as configured / in the kernel); and what the kernel of the VIP's
owner counts: connections (active, inactive, clients that persistence binds), those that came since it has the server,
and packets and bytes with their rates. --node asks another director. A service with several VIPs has them of each
director that owns some.

A kernel that estimates no rates (nftables) shows none here: see "quorate service top".`,
		Example: `  quorate service show web-http
  quorate service show web-http --node n2`,
		Args:              needs("the name of a SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			s, err := c.Service(cmd.Context(), args[0], fsm.NodeID(node))
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) { a.writeService(w, s) })
		}),
	}
	a.nodeFlag(cmd, &node, "show the figures of this director, in place of those of the owner")
	return cmd
}

func (a *app) writeService(w io.Writer, s api.Service) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%-11s  %s\n", label, oneLine(fmt.Sprintf(format, args...)))
	}
	line("Service", "%s", s.Name)
	line("Listens", "%s (VIP %s)", listens(s.ServiceSummary), vipText(s.ServiceSummary))
	if s.Given != 0 {
		line("Mark", "%d (%#x), which quorate gives its packets", s.Given, s.Given)
	}
	line("Owner", "%s", orDash(ownerText(s.ServiceSummary)))
	line("Scheduler", "%s", schedulerText(s.Config))
	line("Forward", "%s", strings.TrimSpace(forwardText(s.ServiceSummary)+" "+encapText(s.Config.Encap)))
	if p := s.Config.Persistence; p.Timeout > 0 {
		line("Persistence", "%s", persistenceText(p))
	}
	if s.Quorum != nil {
		line("Quorum", "%s", quorumText(s.ServiceSummary))
	} else if q := quorumWanted(s.Config); q != "" {
		line("Quorum", "%s", q)
	}
	if t := timesText(s.Config); t != "" {
		line("Changes", "%s", t)
	}
	for i, c := range s.Checks {
		line(map[bool]string{true: "Checks"}[i == 0], "%s", checkText(c))
	}
	if h := healthText(s.Config); h != "" {
		line("Health", "%s", h)
	}
	line("Servers", "%d of %d get new connections", s.In, s.Servers)
	problems := []string{}
	if s.Problem != "" {
		problems = append(problems, s.Problem)
	}
	all := s.Elsewhere
	if s.Traffic != nil {
		all = append([]api.ServiceTraffic{*s.Traffic}, all...)
	}
	for _, t := range all {
		if t.Present {
			line("Kernel", "%s on %s, read at %s", t.Plane, t.Node, t.At.Local().Format(time.TimeOnly))
			if t.Counted {
				line("Connections", "%d active, %d inactive, %d persistent; %d in all%s", t.Active, t.Inactive, t.Persistent, t.Connections, rateText(t.Rates, t.ConnectionRate))
			} else {
				line("Connections", "%d in all; %s has not counted them by server: see `quorate conn list --service %s`", t.Connections, t.Node, s.Name)
			}
			if volumes(t) {
				line("In", "%s", volumeText(t.Rates, t.InPackets, t.InBytes, t.InPacketRate, t.InByteRate))
				line("Out", "%s", volumeText(t.Rates, t.OutPackets, t.OutBytes, t.OutPacketRate, t.OutByteRate))
			}
		}
		if t.Note != "" {
			line("Note", "%s", t.Note)
		}
		if t.Problem != "" {
			problems = append(problems, t.Problem)
		}
	}
	if len(s.RealServers) > 0 {
		fmt.Fprintln(w)
		a.serverTable(s.RealServers, false).write(w, "")
	}
	for _, t := range all {
		if len(t.Servers) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if len(all) > 1 {
			fmt.Fprintf(w, "On %s:\n", t.Node)
		}
		a.loadTable(s, t).write(w, "")
	}
	if len(problems) > 0 {
		a.writeProblems(w, problems)
	}
}

// loadTable is what one kernel has and counts of each server.
func (a *app) loadTable(s api.Service, traffic api.ServiceTraffic) *table {
	weights := map[netip.AddrPort]string{}
	for _, r := range s.RealServers {
		weights[r.Address] = strconv.Itoa(r.Weight)
	}
	t := a.table("SERVER", "WEIGHT", "ACTIVE", "INACT", "PERSIST", "CONNS", "CONN/S", "IN", "IN/S", "OUT", "OUT/S")
	for _, x := range traffic.Servers {
		have := cell{weightText(x.Have), plain}
		if (x.Have == nil) != (x.Want == nil) || x.Have != nil && *x.Have != *x.Want {
			have.tone = warn
		}
		have.text = cmp.Or(weights[x.Address], "-") + "/" + have.text
		volume := func(n uint64) string {
			if !volumes(traffic) {
				return "-"
			}
			return byteText(n)
		}
		rate := func(n uint64, unit func(uint64) string) string {
			if !traffic.Rates {
				return "-"
			}
			return unit(n)
		}
		if !traffic.Counted {
			t.row(x.Address, have, "", "", "", "", "", "", "", "", "")
			continue
		}
		t.row(x.Address, have, x.Active, x.Inactive, x.Persistent, x.Connections, rate(x.ConnectionRate, plainNumber),
			volume(x.InBytes), rate(x.InByteRate, volume), volume(x.OutBytes), rate(x.OutByteRate, volume))
	}
	return t
}

// volumes reports whether packets and bytes are counted. Nftables counts connections alone.
func volumes(t api.ServiceTraffic) bool { return t.InPackets > 0 || t.Connections == 0 }

func weightText(w *int) string {
	if w == nil {
		return "-"
	}
	return strconv.Itoa(*w)
}

func schedulerText(s fsm.Service) string {
	out := s.Scheduler
	if len(s.Flags) > 0 {
		out += " (" + strings.Join(s.Flags, ", ") + ")"
	}
	if s.OnePacket {
		out += ", each datagram for itself"
	}
	return out
}

func encapText(e fsm.Encap) string {
	var w []string
	if e.Type != "" {
		w = append(w, e.Type)
	}
	if e.Port != 0 {
		w = append(w, "port "+strconv.Itoa(int(e.Port)))
	}
	if e.Checksum != "" {
		w = append(w, "checksum "+e.Checksum)
	}
	return strings.Join(w, " ")
}

func persistenceText(p fsm.Persistence) string {
	out := p.Timeout.String()
	if p.Prefix != 0 {
		out += fmt.Sprintf(", clients of a /%d together", p.Prefix)
	}
	if p.Engine != "" {
		out += ", by " + p.Engine
	}
	return out
}

// quorumWanted is for a cluster that does not keep the quorum yet.
func quorumWanted(s fsm.Service) string {
	if s.Quorum == 0 && s.Hysteresis == 0 {
		return ""
	}
	out := fmt.Sprintf("a weight of %d", max(1, s.Quorum))
	if s.Hysteresis > 0 {
		out += fmt.Sprintf(", with a hysteresis of %d", s.Hysteresis)
	}
	return out
}

// timesText says how servers come and go.
func timesText(s fsm.Service) string {
	var w []string
	if s.Inhibit {
		w = append(w, "a server that is down keeps its connections")
	}
	if s.SlowStart > 0 {
		w = append(w, "slow start of "+s.SlowStart.String())
	}
	if s.DrainTimeout > 0 {
		w = append(w, "drained for at most "+s.DrainTimeout.String())
	}
	return strings.Join(w, "; ")
}

func rateText(known bool, n uint64) string {
	if !known {
		return ""
	}
	return fmt.Sprintf(", %d/s", n)
}

func volumeText(rates bool, packets, bytes, packetRate, byteRate uint64) string {
	out := fmt.Sprintf("%d packets, %s", packets, byteText(bytes))
	if rates {
		out += fmt.Sprintf("; %d packets/s, %s/s", packetRate, byteText(byteRate))
	}
	return out
}

func plainNumber(n uint64) string { return strconv.FormatUint(n, 10) }

// byteText is a number of bytes, in at most four digits and a unit of 1,024 of the one below.
func byteText(n uint64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return strconv.FormatUint(n, 10) + "B"
	}
	x, unit := float64(n)/(1<<10), 0
	for x >= 1023.95 && unit < len(units)-1 {
		x, unit = x/(1<<10), unit+1
	}
	return strconv.FormatFloat(x, 'f', 1, 64) + units[unit:unit+1]
}

func checkText(c fsm.Check) string {
	var b strings.Builder
	b.WriteString(string(c.Type))
	if c.HTTP != nil {
		for i, r := range c.HTTP.Requests() {
			b.WriteString(map[bool]string{true: ","}[i > 0])
			fmt.Fprintf(&b, " %s %s", cmp.Or(r.Method, "GET"), r.Path)
			if r.Host != "" {
				fmt.Fprintf(&b, " at %s", r.Host)
			}
		}
	}
	if c.Port != 0 {
		fmt.Fprintf(&b, " on port %d", c.Port)
	}
	fmt.Fprintf(&b, " every %s, timeout %s, up after %d, down after %d", c.Interval, c.Timeout, c.Rise, c.Fall)
	return b.String()
}

// healthText is what the service makes of its checks, as far as it is not the default; "" = all of it is.
func healthText(s fsm.Service) string {
	h := s.Health
	if h == (fsm.Health{}) {
		return ""
	}
	var w []string
	if h.Checks != "" {
		w = append(w, fmt.Sprintf("%d of %d checks have to pass", s.ChecksNeeded(), len(s.Checks)))
	}
	w = append(w, "observers "+h.Observers.String(), "panic "+s.PanicAt())
	if h.OnDown != fsm.DropServer {
		w = append(w, "on_down "+string(h.OnDown))
	}
	if h.NoDamping {
		w = append(w, "no damping")
	}
	return strings.Join(w, ", ")
}
