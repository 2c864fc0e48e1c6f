package main

import (
	"context"
	"net/netip"
	"time"

	"quorate/integration/lab"
)

// show is the state of a running demo.
type show struct {
	*report
	terms
	bed           *lab.Bed
	web, api, six netip.Addr // the VIPs

	began  lab.Instant // of the traffic
	load   *lab.Load
	pings  map[netip.Addr]*lab.Probe
	watch  *lab.Watch
	strain *lab.Strain
	lost   *lab.Director // whose power was cut
}

// over waits until a stretch that began at from is over, and returns what the client saw in it.
func (s *show) over(ctx context.Context, from lab.Instant, length time.Duration) (lab.Summary, error) {
	if err := lab.Sleep(ctx, length-lab.Since(from)); err != nil {
		return lab.Summary{}, err
	}
	to := max(from.Add(length), lab.Now())
	if err := s.load.Settle(ctx); err != nil {
		return lab.Summary{}, err
	}
	return s.load.Summary(lab.Span{From: from, To: to}), nil
}

// tell says of each request that failed when it began, counted from an event, and how it failed.
func (s *show) tell(failed []lab.Request, from lab.Instant, event string) {
	for _, r := range failed {
		s.saw("%s after %s, failed after %s: %s", lab.Millis(r.At.Sub(from)), event, lab.Millis(r.Took), r.Err)
	}
}

// single promises that no address had two owners in the window.
func (s *show) single(window lab.Span) {
	var dual time.Duration
	for _, a := range []netip.Addr{s.web, s.api, s.six} {
		dual += s.watch.Dual(a, window)
	}
	s.promise(dual == 0, "never did two hosts answer for one VIP: %s", lab.Millis(dual))
	if wait := s.strain.Longest(window); dual > 0 && wait.Length > 0 {
		s.saw("in that time %s: this machine is busy with other things", wait)
	}
}
