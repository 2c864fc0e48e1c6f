package agent

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quorate/fsm"
	"quorate/health"
)

// The names of the metrics of health. Their labels are types of checks and results: their number does not grow with the configuration, but for that of checks of nodes,
// of which there are few.
const (
	metricProbes       = "quorate_probes_total" // by type of check and result
	metricProbeLatency = "quorate_probe_seconds"
	metricDisputed     = "quorate_real_servers_disputed"
	metricHeldDown     = "quorate_real_servers_held_down"
	metricKept         = "quorate_real_servers_kept" // by panics
	metricPanics       = "quorate_services_in_panic"
	metricPaths        = "quorate_path_faults"
	metricNodeCheck    = "quorate_node_check"              // 1, with the name and the verdict
	metricNodeProbes   = "quorate_node_check_probes_total" // by name, type and result
	metricNodeLatency  = "quorate_node_check_probe_seconds"
)

// probeMetrics count this node's probes.
type probeMetrics struct {
	total   *prometheus.CounterVec
	latency *prometheus.HistogramVec
}

func newProbeMetrics() *probeMetrics {
	return &probeMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricProbes, Help: "Probes of this node by type of check and result."}, []string{"type", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: metricProbeLatency, Help: "How long probes that passed took, by type of check.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}}, []string{"type"}),
	}
}

// count notes a result.
func (m *probeMetrics) count(p health.Probed) {
	m.total.WithLabelValues(string(p.Type), p.Result.String()).Inc()
	if p.Result == health.Passed {
		m.latency.WithLabelValues(string(p.Type)).Observe(p.Took.Seconds())
	}
}

// healthMetrics are those of what is agreed, and of what the leader has heard.
func healthMetrics(a *Agent, probes *probeMetrics) []prometheus.Collector {
	gauge := func(name, help string, f func(*fsm.State) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(f(a.node.State())) })
	}
	return []prometheus.Collector{
		probes.total, probes.latency, nodeCheckCounts{a},
		gauge(metricDisputed, "Real servers of which an observer sees something else than what is agreed. Only the leader knows; 0 on the others.", func(*fsm.State) int {
			keys, _ := a.node.Disputed()
			return len(keys)
		}),
		gauge(metricHeldDown, "Real servers that are held down as they go down again and again.", func(s *fsm.State) int {
			n, now := 0, time.Now()
			for k := range s.Servers {
				if _, held := s.HeldDown(k, now); held {
					n++
				}
			}
			return n
		}),
		gauge(metricKept, "Real servers that are down and get connections, as their service is in a panic.", func(s *fsm.State) int {
			n := 0
			for _, x := range s.Servers {
				if x.Kept {
					n++
				}
			}
			return n
		}),
		gauge(metricPanics, "Services in a panic: more of their servers went down at once than they take.", func(s *fsm.State) int { return len(s.Panics()) }),
		gauge(metricPaths, "Paths from nodes to the servers of a VIP that are cut, while other nodes reach these.", func(s *fsm.State) int {
			n := 0
			for _, x := range s.Nodes {
				n += len(x.Paths)
			}
			return n
		}),
	}
}
