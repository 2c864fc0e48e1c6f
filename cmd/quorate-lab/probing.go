package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"quorate/health"
	"quorate/integration/lab"
)

// probingSettings are the checks of a process that does nothing but probe.
type probingSettings struct {
	Checks   []probingCheck `json:"checks"`
	Interval time.Duration  `json:"interval"`
	Watch    time.Duration  `json:"watch"` // how long the timers are looked at
}

// probingCheck is a check of many servers: those at consecutive addresses.
type probingCheck struct {
	Type  health.Type `json:"type"`
	First netip.Addr  `json:"first"`
	Count int         `json:"count"`
	Port  uint16      `json:"port"`
	CA    string      `json:"ca,omitempty"`
}

// probingTimers are how far the times between the probes of a server are from the interval, as shares of it.
type probingTimers struct {
	Probes int     `json:"probes"`
	Median float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
	Down   int     `json:"down"` // servers that are not up, which are none
}

// probingCommand is the process that bench health measures: the engine, and nothing of the measurement while it is measured.
func probingCommand() *cobra.Command {
	return &cobra.Command{Use: "probing SETTINGS", Hidden: true, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		var s probingSettings
		if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
			return usageError{err}
		}
		return s.run(cmd.Context())
	}}
}

func (s probingSettings) targets() (out []health.Target) {
	for _, c := range s.Checks {
		for i, a := 0, c.First; i < c.Count; i, a = i+1, a.Next() {
			out = append(out, health.Target{
				ID: fmt.Sprintf("%s %v:%d", c.Type, a, c.Port), Type: c.Type, Addr: netip.AddrPortFrom(a, c.Port),
				Interval: s.Interval, Timeout: min(time.Second, s.Interval), Rise: 2, Fall: 3,
				TLS: health.TLS{CA: c.CA, ServerName: map[bool]string{true: serverName}[c.CA != ""]},
			})
		}
	}
	return out
}

// run probes, says so once all servers are up, and looks at the timers when it is asked to: SIGUSR1.
func (s probingSettings) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGUSR1)
	targets := s.targets()
	up, all := atomic.Int64{}, make(chan struct{})
	e := health.New(health.Options{OnTransition: func(t health.Transition) {
		if !t.Up {
			up.Add(-1)
		} else if up.Add(1) == int64(len(targets)) {
			select {
			case <-all:
			default:
				close(all)
			}
		}
	}})
	e.Set(targets)
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	for {
		select {
		case <-all:
			all = nil
			fmt.Println("up")
		case <-ask:
			t, err := timers(ctx, e, s)
			if err != nil {
				return err
			}
			if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
				return err
			}
		case err := <-done:
			return err
		}
	}
}

// timers looks twice in each interval at when each server was probed last, so that it sees every probe.
func timers(ctx context.Context, e *health.Engine, s probingSettings) (probingTimers, error) {
	var out probingTimers
	last := map[string]time.Time{}
	var off []float64
	for end := time.Now().Add(s.Watch); time.Now().Before(end); {
		out.Down = 0
		for _, st := range e.Snapshot() {
			if st.Verdict != health.Up {
				out.Down++
			}
			before, known := last[st.Target.ID]
			if last[st.Target.ID] = st.Probed; known && st.Probed.After(before) {
				off = append(off, (st.Probed.Sub(before)-s.Interval).Abs().Seconds()/s.Interval.Seconds())
			}
		}
		if err := lab.Sleep(ctx, s.Interval*2/5); err != nil {
			return out, err
		}
	}
	slices.Sort(off)
	if out.Probes = len(off); out.Probes > 0 {
		out.Median, out.P99, out.Max = median(off), off[len(off)*99/100], off[len(off)-1]
	}
	return out, nil
}
