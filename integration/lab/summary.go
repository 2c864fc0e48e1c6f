package lab

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Summary is what a client saw in a window.
type Summary struct {
	Window  Span
	Total   int
	Failed  int
	Gap     Span           // the longest stretch without a successful answer
	Servers map[string]int // successful answers by server
	Errors  map[string]int // failures by error
	Median  time.Duration  // of the successful requests
	Slowest time.Duration  // of the successful requests
}

// summarize is the arithmetic of [Load.Summary].
func summarize(requests []Request, window Span) Summary {
	s := Summary{Window: window, Servers: map[string]int{}, Errors: map[string]int{}}
	var ended []Instant
	var took []time.Duration
	for _, r := range requests {
		inside := r.At >= window.From && r.At < window.To
		if inside {
			s.Total++
		}
		if r.Err != "" {
			if inside {
				s.Failed++
				s.Errors[r.Err]++
			}
			continue
		}
		ended = append(ended, r.At.Add(r.Took))
		if inside {
			s.Servers[r.Server]++
			took = append(took, r.Took)
		}
	}
	slices.Sort(ended)
	s.Gap = longestGap(ended, window)
	if len(took) > 0 {
		slices.Sort(took)
		s.Median, s.Slowest = took[len(took)/2], took[len(took)-1]
	}
	return s
}

// String is one line for a person: "2500 requests, 0 failed (w1 1250, w2 1250), longest gap 4 ms", and the most frequent
// failure if there was one.
func (s Summary) String() string {
	var by []string
	for _, name := range slices.Sorted(maps.Keys(s.Servers)) {
		by = append(by, fmt.Sprintf("%s %d", name, s.Servers[name]))
	}
	servers := "no answers"
	if len(by) > 0 {
		servers = strings.Join(by, ", ")
	}
	text := fmt.Sprintf("%d requests, %d failed (%s), longest gap %s", s.Total, s.Failed, servers, Millis(s.Gap.Duration()))
	if s.Failed > 0 {
		text += ": " + s.CommonError()
	}
	return text
}

// CommonError is the most frequent failure, or "".
func (s Summary) CommonError() string {
	if len(s.Errors) == 0 {
		return ""
	}
	return slices.MaxFunc(slices.Sorted(maps.Keys(s.Errors)), func(a, b string) int { return cmp.Compare(s.Errors[a], s.Errors[b]) })
}

// Apart is how far requests are from all having been under way at one moment: for how long the first of them had ended when the last one
// began. It is 0 if there was such a moment.
func Apart(requests []Request) time.Duration {
	if len(requests) == 0 {
		return 0
	}
	begun, ended := requests[0].At, requests[0].At.Add(requests[0].Took)
	for _, r := range requests {
		begun, ended = max(begun, r.At), min(ended, r.At.Add(r.Took))
	}
	return max(0, begun.Sub(ended))
}

// Millis writes a duration as a person compares them here: "312 ms", "4.2 ms", "2.9 s".
func Millis(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f ms", ms)
	}
}
