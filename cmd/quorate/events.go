package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

// reconnectEvery is how long events --follow waits before it asks an agent again that went away.
const reconnectEvery = time.Second

func (a *app) eventsCommand() *cobra.Command {
	var follow bool
	var after string
	var last int
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened, who caused it and why",
		Long: `Show the cluster's timeline: who got which VIP and why, fences, drains, servers that went down, configurations applied.
It is agreed by the cluster and the same on every node, which keeps the latest 1000 events.

--since takes an event's index (the first column) and shows what came after it. With --follow the command goes on until it is
interrupted, and finds its place again when the agent restarts. --output json prints one event on each line.`,
		Example: `  quorate events --last 20
  quorate events --follow
  quorate events --since 1234 --output json`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			if _, err := api.ParseCursor(after); err != nil {
				return &usageError{cmd, fmt.Errorf("--since: %w", err)}
			}
			if last < 0 || last > fsm.MaxEvents {
				return &usageError{cmd, fmt.Errorf("--last %d: want 0 to %d", last, fsm.MaxEvents)}
			}
			at, err := a.pastEvents(cmd.Context(), c, after, last)
			if err != nil || !follow {
				return err
			}
			return a.followEvents(cmd.Context(), c, at)
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on and print what happens")
	cmd.Flags().StringVar(&after, "since", "", "only what came after this index")
	cmd.Flags().IntVarP(&last, "last", "n", 0, "only the latest so many; 0 = all that are kept")
	cmd.MarkFlagsMutuallyExclusive("since", "last")
	return cmd
}

// pastEvents prints what there is and returns the place after it.
func (a *app) pastEvents(ctx context.Context, c *client.Client, after string, last int) (string, error) {
	if last > 0 {
		es, err := c.LastEvents(ctx, last)
		if err != nil {
			return "", err
		}
		return es.Next, a.writeEvents(es.Events)
	}
	for {
		es, err := c.Events(ctx, after, 0)
		if err != nil {
			return "", err
		}
		if es.Forgotten {
			fmt.Fprintln(a.err, "quorate: events before the first one shown are no longer kept")
		}
		if err := a.writeEvents(es.Events); err != nil {
			return "", err
		}
		after = es.Next
		if !es.More {
			return after, nil
		}
	}
}

func (a *app) followEvents(ctx context.Context, c *client.Client, at string) error {
	said := false
	for {
		next, err := a.followOnce(ctx, c, at)
		if next != at {
			said = false
		}
		at = next
		var refused *api.Error
		switch {
		case ctx.Err() != nil:
			return nil // interrupted: that is how it ends
		case errors.As(err, &refused) && refused.Status < 500:
			return err
		case !said:
			fmt.Fprintf(a.err, "quorate: the agent went away (%v); asking again until it answers\n", err)
			said = true
		}
		select {
		case <-time.After(reconnectEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// followOnce prints events until the stream breaks; it returns where to resume.
func (a *app) followOnce(ctx context.Context, c *client.Client, at string) (string, error) {
	s, err := c.Follow(ctx, at)
	if err != nil {
		return at, err
	}
	defer func() { _ = s.Close() }()
	for {
		e, err := s.Next()
		switch {
		case errors.Is(err, client.ErrForgotten):
			fmt.Fprintln(a.err, "quorate: some events were missed: they are no longer kept")
		case err != nil:
			return s.At(), err
		default:
			if err := a.writeEvents([]fsm.Event{e}); err != nil {
				return s.At(), err
			}
		}
	}
}

func (a *app) writeEvents(es []fsm.Event) error {
	for _, e := range es {
		line := a.eventLine(e)
		if a.output == "json" {
			b, err := json.Marshal(e)
			if err != nil {
				return err
			}
			line = string(b)
		}
		if _, err := io.WriteString(a.out, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// eventLine is one event on one line, with columns of fixed width: a stream cannot align by what comes later.
func (a *app) eventLine(e fsm.Event) string {
	var about []string
	if e.VIP != "" {
		about = append(about, "vip "+e.VIP)
	}
	if e.Service != "" {
		about = append(about, "service "+e.Service)
	}
	if e.Server != "" {
		about = append(about, "server "+e.Server)
	}
	if e.Notifier != "" {
		about = append(about, "notifier "+e.Notifier)
	}
	if e.Node != "" {
		about = append(about, "node "+string(e.Node))
	}
	text := e.Text
	if text == "" {
		text = string(e.Reason)
	}
	line := fmt.Sprintf("%8d  %s  %s  %-24s  %s", e.Index, e.At.Local().Format("2006-01-02 15:04:05.000"),
		a.paint(eventTone(e.Kind), oneLine(fmt.Sprintf("%-8s", e.Kind))), oneLine(strings.Join(about, ", ")), oneLine(text))
	if e.Actor != "" {
		line += "  (" + oneLine(e.Actor) + ")"
	}
	return strings.TrimRight(line, " ")
}

func eventTone(k fsm.EventKind) tone {
	switch k {
	case fsm.EventFence, fsm.EventRaise, fsm.EventNotify:
		return bad
	case fsm.EventAssign, fsm.EventRelease, fsm.EventHealth, fsm.EventService, fsm.EventVRRP:
		return warn
	default:
		return plain
	}
}
