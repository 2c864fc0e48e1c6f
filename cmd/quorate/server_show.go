package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) serverShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show SERVICE ADDRESS:PORT",
		Short: "Show what each node sees of a real server",
		Long: `Show what is agreed of a real server and why, and what each node that probes it sees: by which check and path, since when,
how fast it answered, its last error, and when it is probed next. Views that differ from what is agreed are marked.`,
		Example: `  quorate server show web-http 10.0.0.11:8080
  quorate server show web-http/10.0.0.11:8080 --output json`,
		Args:              serverArgs,
		ValidArgsFunction: a.completeServers,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			key, err := serverKey(args)
			if err != nil {
				return &usageError{cmd, err}
			}
			d, err := c.Server(cmd.Context(), key.Service, key.Address)
			if err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) { a.serverDetail(w, d, time.Now()) })
		}),
	}
}

func (a *app) serverDetail(w io.Writer, d api.ServerDetail, now time.Time) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%-10s  %s\n", label, oneLine(fmt.Sprintf(format, args...)))
	}
	line("Server", "%s of %s", d.Address, d.Service)
	verdict := string(d.Verdict)
	if !d.Since.IsZero() {
		verdict += " since " + d.Since.Local().Format(time.DateTime)
	}
	if d.Detail != "" {
		verdict += ": " + d.Detail
	}
	line("Agreed", "%s", verdict)
	line("Admin", "%s", d.Admin)
	weight := fmt.Sprintf("%d of %d", d.Effective, d.Weight)
	if d.Why != "" {
		weight += ": " + d.Why
	}
	line("Weight", "%s", weight)
	if d.Asked != "" {
		line("Asks for", "%s", d.Asked)
	}
	if d.Checks == 0 {
		line("Checks", "none: it is taken to be up")
		return
	}
	policy := d.Policy + " of the observers"
	if d.Policy == string(fsm.ByOwner) {
		policy = "the owner of the VIP alone"
	}
	line("Decided by", "%s; %d of %d checks have to pass", policy, d.Needed, d.Checks)
	if d.Falls > 0 {
		text := fmt.Sprintf("went down %d times in a row", d.Falls)
		if !d.HeldUntil.IsZero() {
			text += ": held down until " + d.HeldUntil.Local().Format(time.DateTime)
		}
		line("Damping", "%s", text)
	}
	panics := d.Panic
	if !d.PanicFrom.IsZero() {
		panics += ": the service is in one since " + d.PanicFrom.Local().Format(time.DateTime)
	}
	line("Panic", "%s", panics)
	fmt.Fprintln(w)
	t := a.table("NODE", "SEES", "SINCE", "CHECK", "PROBED", "LATENCY", "STREAK", "NEXT", "DETAIL")
	for _, v := range d.Views {
		a.viewRows(t, v, now)
	}
	t.write(w, "")
	if d.Disputed {
		fmt.Fprintln(w, "\nObservers disagree: (!) marks who sees something else than what is agreed.")
	}
}

func (a *app) viewRows(t *table, v api.ServerView, now time.Time) {
	name := string(v.Node)
	var notes []string
	if v.Owner {
		notes = append(notes, "owner")
	}
	if !v.Counts {
		notes = append(notes, "does not count")
	}
	if len(notes) > 0 {
		name += " (" + strings.Join(notes, ", ") + ")"
	}
	sees := cell{v.Sees, warn}
	switch v.Sees {
	case string(fsm.Up):
		sees.tone = good
	case string(fsm.Down):
		sees.tone = bad
	}
	if v.Differs {
		sees.text += " (!)"
	}
	problem := v.Problem
	if !v.Path.IsZero() {
		problem = strings.TrimPrefix(problem+"; its path to the servers is cut since "+v.Path.Local().Format(time.DateTime), "; ")
	}
	if len(v.Probes) == 0 {
		t.row(name, sees, "", "", "", "", "", "", problem)
	}
	for i, p := range v.Probes {
		check := p.Check
		if p.Through != "" {
			check += " through " + p.Through
		}
		detail := p.Detail
		if p.Asked != "" {
			detail = strings.TrimSuffix("asks for "+p.Asked+"; "+detail, "; ")
		}
		if p.LastError != "" && p.LastError != p.Detail {
			detail = strings.TrimPrefix(fmt.Sprintf("%s; last error %s: %s", detail, agoText(p.LastErrorAt, now), p.LastError), "; ")
		}
		if i == 0 {
			detail = strings.TrimSuffix(strings.TrimPrefix(problem+"; "+detail, "; "), "; ")
		}
		streak := ""
		if p.Streak > 0 {
			streak = fmt.Sprintf("%d %s", p.Streak, map[bool]string{true: "passed", false: "failed"}[p.Passed])
		}
		latency := ""
		if !p.Probed.IsZero() {
			latency = (time.Duration(p.LatencyUS) * time.Microsecond).Round(10 * time.Microsecond).String()
		}
		t.row(name, sees, agoText(p.Since, now), check, agoText(p.Probed, now), latency, streak, aheadText(p.Next, now), detail)
		name, sees = "", cell{"", plain}
	}
}

// agoText is like "3s ago"; "" for no time.
func agoText(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return spanText(now.Sub(t)) + " ago"
}

func aheadText(t, now time.Time) string {
	if t.IsZero() {
		return "now"
	}
	return "in " + spanText(t.Sub(now))
}

func spanText(d time.Duration) string {
	d = max(0, d)
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
