package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"quorate/fsm"
	"quorate/integration/lab"
)

// timeline is what a director that answers has of the cluster's events.
func timeline(ctx context.Context, bed *lab.Bed) ([]fsm.Event, error) {
	var last error
	for _, d := range bed.Directors {
		if d.Name == "spare" {
			continue
		}
		limit, cancel := context.WithTimeout(ctx, time.Second) // an agent may be stopped
		es, err := d.API.LastEvents(limit, fsm.MaxEvents)
		cancel()
		if err == nil {
			return es.Events, nil
		}
		last = fmt.Errorf("events of %s: %w", d.Name, err)
	}
	return nil, last
}

// latest is the index of the last event.
func latest(events []fsm.Event) uint64 {
	if len(events) == 0 {
		return 0
	}
	return events[len(events)-1].Index
}

// since are the events after an entry.
func since(events []fsm.Event, after uint64) []fsm.Event {
	i := slices.IndexFunc(events, func(e fsm.Event) bool { return e.Index > after })
	if i < 0 {
		return nil
	}
	return events[i:]
}

// stageMedians are the median times, in milliseconds, at which the VIP's changes of owner came to each stage, by the cluster's own measure;
// nil when there were none.
func stageMedians(events []fsm.Event, vip string) map[string]float64 {
	all := map[string][]float64{}
	for _, e := range events {
		if e.VIP != vip {
			continue
		}
		for stage, us := range map[string]int64{"suspect": e.Stages.Suspect, "promised": e.Stages.Promised, "committed": e.Stages.Committed,
			"applied": e.Stages.Applied, "announced": e.Stages.Announced, "verified": e.Stages.Verified} {
			if us > 0 {
				all[stage] = append(all[stage], float64(us)/1000)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	out := map[string]float64{}
	for stage, ms := range all {
		slices.Sort(ms)
		out[stage] = math.Round(median(ms)*10) / 10
	}
	return out
}
