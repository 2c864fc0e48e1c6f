package agent

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// notifyCounts reads how notifiers do when it is asked. What the leader tells is agreed, so every agent says the same of it.
type notifyCounts struct{ a *Agent }

var (
	toldDesc = prometheus.NewDesc(metricTold, "Events that notifiers were told by the leader, or states by this node (by = node), by what became of them: told, suppressed, given_up, lost; failed, dropped.",
		[]string{"notifier", "by", "outcome"}, nil)
	waitingDesc     = prometheus.NewDesc(metricWaiting, "Events or states that wait for a notifier.", []string{"notifier", "by"}, nil)
	notifyFailsDesc = prometheus.NewDesc(metricNotifyFails, "1 while the last attempt to tell a notifier has failed.", []string{"notifier", "by"}, nil)
)

// Describe implements prometheus.Collector.
func (n notifyCounts) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{toldDesc, waitingDesc, notifyFailsDesc} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (n notifyCounts) Collect(c chan<- prometheus.Metric) {
	one := func(name, by string, waiting int, fails bool, outcomes map[string]uint64) {
		c <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(waiting), name, by)
		c <- prometheus.MustNewConstMetric(notifyFailsDesc, prometheus.GaugeValue, number(fails), name, by)
		for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
			c <- prometheus.MustNewConstMetric(toldDesc, prometheus.CounterValue, float64(outcomes[outcome]), name, by, outcome)
		}
	}
	s := n.a.node.State()
	for _, name := range s.NotifiersByLeader() {
		o := s.Outbox[name]
		waiting, _ := s.Waiting(name)
		one(name, "leader", waiting, o.Attempts > 0,
			map[string]uint64{"told": o.Told, "suppressed": o.Untold.Suppressed, "given_up": o.Untold.GivenUp, "lost": o.Untold.Lost})
	}
	for _, x := range n.a.teller.Status() {
		one(x.Notifier, "node", x.Waiting, x.Error != "", map[string]uint64{"told": x.Told, "failed": x.Failed, "dropped": x.Dropped})
	}
}
