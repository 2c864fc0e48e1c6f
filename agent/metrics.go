package agent

import (
	"iter"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"quorate/api"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/lvs/suspect"
)

// The names of the metrics.
const (
	metricBuild           = "quorate_build_info"
	metricApplied         = "quorate_applied_index"
	metricLeader          = "quorate_leader"               // 1 on the node that leads
	metricLease           = "quorate_lease_held"           // 1 while the node holds its lease
	metricLeaseLosses     = "quorate_lease_losses_total"   // times that a lease was lost
	metricRenewals        = "quorate_lease_renewals_total" // times that a lease was gained or extended
	metricFence           = "quorate_fence"                // 1, with the kind of the active fence
	metricGateDrops       = "quorate_gate_dropped_frames_total"
	metricGateFails       = "quorate_gate_renewal_failures_total"
	metricLateness        = "quorate_lease_renewal_lateness_seconds"
	metricAddresses       = "quorate_addresses_present"  // addresses of the cluster in this node's kernel
	metricServices        = "quorate_services_present"   // services in this node's data plane
	metricProblems        = "quorate_problems"           // what the node complains about
	metricVIPs            = "quorate_vips"               // configured
	metricUnowned         = "quorate_vips_without_owner" // by the applied state
	metricUnguarded       = "quorate_vips_held_without_quorum"
	metricKeptClosed      = "quorate_vips_kept_closed"
	metricServersUp       = "quorate_real_servers_up" // by the agreed verdicts
	metricServers         = "quorate_real_servers"
	metricQuorumLost      = "quorate_services_without_quorum" // by the agreed verdicts
	metricDraining        = "quorate_real_servers_draining"
	metricFailover        = "quorate_failover_stage_seconds" // by stage, see fsm.Stages
	metricMisheard        = "quorate_vips_misheard"          // by finding
	metricClaims          = "quorate_foreign_claims_total"
	metricHints           = "quorate_health_hints_total"      // by reason
	metricRouterActive    = "quorate_vrrp_active"             // 1 while this node advertises a virtual router
	metricRouterForeign   = "quorate_vrrp_foreign_owner"      // 1 while a router outside the cluster has its VIPs
	metricRouterSent      = "quorate_vrrp_sent_total"         // by what: advert, last-word, withheld
	metricRouterHeard     = "quorate_vrrp_received_total"     // by reason: accepted, or why it was dropped
	metricRouterUnread    = "quorate_vrrp_unread_total"       // adverts that were never read
	metricRouterNeighbour = "quorate_vrrp_neighbour_priority" // 0 while it does not advertise
	metricSynced          = "quorate_sync_synced"             // 1 once the connections of the other directors are here
	metricSyncFrames      = "quorate_sync_frames_total"       // by peer and what became of them
	metricSyncLag         = "quorate_sync_lag_seconds"        // by peer
	metricTold            = "quorate_notifications_total"     // by notifier and what became of them
	metricWaiting         = "quorate_notifications_waiting"   // by notifier
	metricNotifyFails     = "quorate_notifier_failing"        // 1 while the last attempt failed
	metricSyncConns       = "quorate_sync_connections_total"
)

// metrics are the agent's own, read when they are asked for.
type metrics struct {
	registry *prometheus.Registry
	probes   *probeMetrics
	losses   prometheus.Counter
	renewals prometheus.Counter
	lateness prometheus.Histogram
	stages   *prometheus.HistogramVec
	findings *prometheus.GaugeVec
	claims   prometheus.Counter
	hints    *prometheus.CounterVec
}

func newMetrics(a *Agent) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		losses:   prometheus.NewCounter(prometheus.CounterOpts{Name: metricLeaseLosses, Help: "Times that this node lost its lease."}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{Name: metricLateness,
			Help:    "How much later than planned this node asked for its lease again.",
			Buckets: []float64{.0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2}}),
		renewals: prometheus.NewCounter(prometheus.CounterOpts{Name: metricRenewals, Help: "Times that this node's lease was gained or extended."}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: metricFailover,
			Help:    "When VIPs that changed hands came to each stage, as this node verified: since the last word of the earlier owner, or since its release was asked for.",
			Buckets: []float64{.005, .01, .02, .05, .1, .2, .3, .4, .5, .75, 1, 2, 5}}, []string{"stage"}),
		hints: prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricHints,
			Help: "Servers that were probed out of turn: clients found them unanswered or refused, by this node's kernel, or the owner of the VIP has asked."}, []string{"reason"}),
		claims: prometheus.NewCounter(prometheus.CounterOpts{Name: metricClaims, Help: "Frames by which other hosts claimed an address that this node owns."}),
		findings: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: metricMisheard,
			Help: "VIPs that are not as they should be on the wire, among those that this node looked at last."}, []string{"finding"}),
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: metricBuild, Help: "1, with the version of this agent.",
		ConstLabels: prometheus.Labels{"version": a.o.Version, "go": runtime.Version(), "node": string(a.o.Name)}})
	build.Set(1)
	for _, r := range []suspect.Reason{suspect.Unanswered, suspect.Refused, reasonAsked} {
		m.hints.WithLabelValues(string(r))
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build, m.losses, m.renewals, m.lateness, m.stages, m.findings, m.claims, m.hints,
		gauge(metricApplied, "Index of the last entry applied on this node.", func() float64 { return float64(a.node.State().Index) }),
		gauge(metricLeader, "1 on the node that leads.", func() float64 {
			l, ok := a.node.Leader()
			return number(ok && l == a.o.Name)
		}),
		gauge(metricLease, "1 while this node holds its lease.", func() float64 { return number(a.local().Lease.Held) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: metricFence, Help: "1, with the kind of the active fence: bpf, nft or address-lifetime; none on a witness.",
			ConstLabels: prometheus.Labels{"kind": fenceOf(a)}}, func() float64 { return 1 }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: metricGateFails, Help: "Renewals of which the kernel's gate could not be told."},
			func() float64 { return float64(a.fence.failures.Load()) }),
		gateDrops{a.fence},
		syncCounts{a},
		routerCounts{a},
		notifyCounts{a},
		gauge(metricAddresses, "Addresses of the cluster in this node's kernel.", func() float64 {
			return count(slices.Values(a.local().Addresses), func(x api.Address) bool { return x.Present })
		}),
		gauge(metricServices, "Services in this node's data plane.", func() float64 {
			return count(slices.Values(a.local().Services), func(x api.Carried) bool { return x.Present })
		}),
		gauge(metricProblems, "Things that this node complains about; see quorate status.", func() float64 { return float64(len(a.local().Problems)) }),
		gauge(metricVIPs, "Configured VIPs.", func() float64 { return float64(len(a.node.State().Config.VIPs)) }),
		gauge(metricUnowned, "Configured VIPs that no node owns, but for those in shadow, by the state applied on this node.", func() float64 {
			s := a.node.State()
			return count(maps.Values(s.Config.VIPs), func(v fsm.VIP) bool { return s.Assignments[v.Key()].Owner == "" && !s.Config.Shadows(v) })
		}),
		gauge(metricUnguarded, "VIPs that this node claims without a quorum: another node may claim them too.", func() float64 {
			if act := a.actuator.Load(); act != nil {
				if c := act.status.Load(); c != nil {
					return float64(len(c.held))
				}
			}
			return 0
		}),
		gauge(metricKeptClosed, "VIPs that this node owns and does not open, as another host answers for them.", func() float64 {
			if act := a.actuator.Load(); act != nil {
				if c := act.status.Load(); c != nil {
					return float64(c.keptClosed())
				}
			}
			return 0
		}),
		gauge(metricServers, "Configured real servers.", func() float64 { return float64(len(a.node.State().Servers)) }),
		gauge(metricQuorumLost, "Services whose servers do not make up their quorum: the sorry server serves, or nobody.", func() float64 {
			return count(maps.Values(a.node.State().Services), func(x fsm.ServiceState) bool { return !x.Quorum })
		}),
		gauge(metricDraining, "Real servers that are drained and may still have connections.", func() float64 {
			return count(maps.Values(a.node.State().Servers), func(x fsm.ServerState) bool { return x.Admin == fsm.Drain })
		}),
		gauge(metricServersUp, "Real servers whose agreed verdict is up.", func() float64 {
			return count(maps.Values(a.node.State().Servers), func(x fsm.ServerState) bool { return x.Verdict == "up" })
		}),
	)
	m.probes = newProbeMetrics()
	m.registry.MustRegister(healthMetrics(a, m.probes)...)
	return m
}

// hint counts a server that is probed out of turn.
func (m *metrics) hint(why suspect.Reason) { m.hints.WithLabelValues(string(why)).Inc() }

// lease counts renewals and losses; it is called by the goroutine that renews.
func (m *metrics) lease(c lease.LeaseChanged) {
	if c.Until == (lease.Instant{}) {
		m.losses.Inc()
	} else {
		m.renewals.Inc()
	}
}

// round notes a round of renewals; it is called by the goroutine that renews.
func (m *metrics) round(late time.Duration) { m.lateness.Observe(late.Seconds()) }

// failover notes the stages of a VIP that changed hands.
func (m *metrics) failover(t fsm.Stages) {
	for stage, us := range map[string]int64{"suspect": t.Suspect, "promised": t.Promised, "committed": t.Committed, "applied": t.Applied,
		"announced": t.Announced, "verified": t.Verified} {
		if us > 0 {
			m.stages.WithLabelValues(stage).Observe(float64(us) / 1e6)
		}
	}
}

// misheard notes what the last look at the wire found.
func (m *metrics) misheard(counts map[finding]int) {
	for _, f := range []finding{nobody, duplicate, foreign} {
		m.findings.WithLabelValues(string(f)).Set(float64(counts[f]))
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// count is how many there are of which that is true.
func count[T any](all iter.Seq[T], is func(T) bool) float64 {
	n := 0
	for x := range all {
		if is(x) {
			n++
		}
	}
	return float64(n)
}

// gateDrops reads the gate's counters from the kernel when it is asked.
type gateDrops struct{ fence *fence }

var gateDropsDesc = prometheus.NewDesc(metricGateDrops, "Frames of cluster addresses that the gate has dropped on this host.",
	[]string{"direction", "protocol", "reason"}, nil)

// Describe implements prometheus.Collector.
func (g gateDrops) Describe(c chan<- *prometheus.Desc) { c <- gateDropsDesc }

// Collect implements prometheus.Collector.
func (g gateDrops) Collect(c chan<- prometheus.Metric) {
	drops, err := g.fence.drops()
	if err != nil {
		c <- prometheus.NewInvalidMetric(gateDropsDesc, err)
	}
	for _, d := range drops {
		c <- prometheus.MustNewConstMetric(gateDropsDesc, prometheus.CounterValue, float64(d.Frames), string(d.Direction), string(d.Protocol), string(d.Reason))
	}
}

// fenceOf is the kind of the node's fence, as its status names it.
func fenceOf(a *Agent) string {
	if a.o.Role == fsm.Witness {
		return "none"
	}
	return string(a.fence.kind())
}
