package agent

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"quorate/fsm"
	"quorate/health"
)

// part is a check of one type within a node check.
type part struct {
	check string
	kind  health.Type
}

func (p part) compare(o part) int {
	return cmp.Or(strings.Compare(p.check, o.check), strings.Compare(string(p.kind), string(o.kind)))
}

// tally counts the probes of a part.
type tally struct {
	results map[health.Result]uint64
	seconds float64 // that those took which passed
}

// count notes the result of a probe, if it is one of a node check.
func (n *nodeChecks) count(p health.Probed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, ok := n.tallies[n.parts[p.ID]]
	if !ok {
		return
	}
	t.results[p.Result]++
	if p.Result == health.Passed {
		t.seconds += p.Took.Seconds()
	}
}

// partsLocked has those counted that there are now; what is counted of the others is forgotten with them.
func (n *nodeChecks) partsLocked(parts map[string]part) {
	n.parts = parts
	wanted := map[part]bool{}
	for _, p := range parts {
		wanted[p] = true
		if n.tallies[p] == nil {
			n.tallies[p] = &tally{results: map[health.Result]uint64{health.Passed: 0, health.Failed: 0, health.NotAsked: 0}}
		}
	}
	maps.DeleteFunc(n.tallies, func(p part, _ *tally) bool { return !wanted[p] })
}

// nodeCheckCounts reads how this node's own checks do when it is asked.
type nodeCheckCounts struct{ a *Agent }

var (
	nodeCheckDesc  = prometheus.NewDesc(metricNodeCheck, "1, with what is agreed of a check of this node: up, down or unknown.", []string{"check", "verdict"}, nil)
	nodeProbesDesc = prometheus.NewDesc(metricNodeProbes, "Probes of a check of this node, by type and result.", []string{"check", "type", "result"}, nil)
	nodeTookDesc   = prometheus.NewDesc(metricNodeLatency, "How long probes of a check of this node took that passed, by type.", []string{"check", "type"}, nil)
)

// Describe implements prometheus.Collector.
func (x nodeCheckCounts) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{nodeCheckDesc, nodeProbesDesc, nodeTookDesc} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (x nodeCheckCounts) Collect(c chan<- prometheus.Metric) {
	if x.a.checks != nil {
		x.a.checks.collect(c, x.a.node.State())
	}
}

func (n *nodeChecks) collect(c chan<- prometheus.Metric, s *fsm.State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.checks {
		for _, v := range []fsm.Verdict{fsm.Up, fsm.Down, fsm.Unknown} {
			c <- prometheus.MustNewConstMetric(nodeCheckDesc, prometheus.GaugeValue, number(s.Nodes[n.self].Found(name).Verdict == v), name, string(v))
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(n.tallies), part.compare) {
		t := n.tallies[p]
		for _, r := range []health.Result{health.Passed, health.Failed, health.NotAsked} {
			c <- prometheus.MustNewConstMetric(nodeProbesDesc, prometheus.CounterValue, float64(t.results[r]), p.check, string(p.kind), r.String())
		}
		c <- prometheus.MustNewConstSummary(nodeTookDesc, t.results[health.Passed], t.seconds, nil, p.check, string(p.kind))
	}
}
