package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"quorate/vip/vrrp"
)

// routerCounts reads what is said and heard of virtual routers when it is asked.
type routerCounts struct{ a *Agent }

var (
	routerLabels  = []string{"router", "vrid", "link"}
	routerActive  = prometheus.NewDesc(metricRouterActive, "1 while this node advertises the virtual router.", routerLabels, nil)
	routerForeign = prometheus.NewDesc(metricRouterForeign, "1 while a router outside the cluster has the virtual router's VIPs, as agreed.", []string{"router"}, nil)
	routerSent    = prometheus.NewDesc(metricRouterSent, "Adverts of the virtual router: advert, last-word (priority 0), withheld (not sent, as the lease had ended).",
		append(routerLabels[:3:3], "what"), nil)
	routerHeard = prometheus.NewDesc(metricRouterHeard, "Adverts that were heard for the virtual router: accepted, or the reason why one was dropped.",
		append(routerLabels[:3:3], "reason"), nil)
	routerUnread = prometheus.NewDesc(metricRouterUnread, "Adverts that came faster than they are read, on a link and family, and were dropped in the kernel.",
		[]string{"link", "family"}, nil)
	routerNeighbour = prometheus.NewDesc(metricRouterNeighbour, "Priority of a listed router or fellow node that advertises the virtual router; 0 while it does not.",
		append(routerLabels[:3:3], "source", "role"), nil)
)

// Describe implements prometheus.Collector.
func (r routerCounts) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{routerActive, routerForeign, routerSent, routerHeard, routerUnread, routerNeighbour} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (r routerCounts) Collect(c chan<- prometheus.Metric) {
	if r.a.voices == nil || r.a.node == nil {
		return
	}
	s := r.a.node.State()
	for _, x := range s.Config.VirtualRouters() {
		_, foreign := s.Foreign[x.Name]
		c <- prometheus.MustNewConstMetric(routerForeign, prometheus.GaugeValue, number(foreign), x.Name)
	}
	counted := map[[2]string]bool{}
	for _, x := range r.a.voices.Status() {
		if on := [2]string{x.ID.Link, x.ID.Family.String()}; !counted[on] {
			counted[on] = true
			c <- prometheus.MustNewConstMetric(routerUnread, prometheus.CounterValue, float64(x.Unread), on[:]...)
		}
		l := []string{x.Name, vridText(x.ID.VRID), x.ID.Link}
		c <- prometheus.MustNewConstMetric(routerActive, prometheus.GaugeValue, number(x.Speaks && x.State == vrrp.Active), l...)
		for _, n := range []struct {
			what string
			n    uint64
		}{{"advert", x.Sent - x.LastWords}, {"last-word", x.LastWords}, {"withheld", x.Kept}} {
			c <- prometheus.MustNewConstMetric(routerSent, prometheus.CounterValue, float64(n.n), append(l[:3:3], n.what)...)
		}
		for reason := range vrrp.Reasons {
			if n := x.Counts[reason]; n > 0 || reason == vrrp.Accepted {
				c <- prometheus.MustNewConstMetric(routerHeard, prometheus.CounterValue, float64(n), append(l[:3:3], reason.String())...)
			}
		}
		for i, n := range x.Neighbours {
			if n.Role == vrrp.Stranger {
				continue // anybody can be one
			}
			p := 0.0
			if x.Heeded[i] {
				p = float64(n.Priority)
			}
			c <- prometheus.MustNewConstMetric(routerNeighbour, prometheus.GaugeValue, p, append(l[:3:3], n.Source.String(), n.Role.String())...)
		}
	}
}
