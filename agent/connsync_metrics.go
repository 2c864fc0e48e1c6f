package agent

import "github.com/prometheus/client_golang/prometheus"

// syncCounts reads the counters of connection sync when it is asked.
type syncCounts struct{ a *Agent }

var (
	syncedDesc     = prometheus.NewDesc(metricSynced, "1 once the connections of the other directors are here, as far as they are to be had.", nil, nil)
	syncFramesDesc = prometheus.NewDesc(metricSyncFrames, "Frames of connection sync, by peer: sent, received, lost, reordered, replayed, forged, dropped.",
		[]string{"peer", "what"}, nil)
	syncLagDesc   = prometheus.NewDesc(metricSyncLag, "Age of the oldest message that the peer has not acknowledged; it does so once a second.", []string{"peer"}, nil)
	syncConnsDesc = prometheus.NewDesc(metricSyncConns, "Connections of the peer that this node's kernel was given.", []string{"peer"}, nil)
)

// Describe implements prometheus.Collector.
func (s syncCounts) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{syncedDesc, syncFramesDesc, syncLagDesc, syncConnsDesc} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (s syncCounts) Collect(c chan<- prometheus.Metric) {
	st, _ := s.a.syncStatus()
	if st == nil {
		return
	}
	c <- prometheus.MustNewConstMetric(syncedDesc, prometheus.GaugeValue, number(st.Synced))
	for _, p := range st.Peers {
		peer := string(p.Node)
		c <- prometheus.MustNewConstMetric(syncLagDesc, prometheus.GaugeValue, float64(p.LagMS)/1000, peer)
		c <- prometheus.MustNewConstMetric(syncConnsDesc, prometheus.CounterValue, float64(p.Connections), peer)
		for _, x := range []struct {
			what string
			n    uint64
		}{{"sent", p.Sent}, {"received", p.Received}, {"lost", p.Lost}, {"reordered", p.Reordered}, {"replayed", p.Replayed}, {"forged", p.Forged},
			{"dropped", p.Dropped}} {
			c <- prometheus.MustNewConstMetric(syncFramesDesc, prometheus.CounterValue, float64(x.n), peer, x.what)
		}
	}
}
