package survey

import (
	"net/netip"
	"time"

	"quorate/vip/vrrp"
)

// Options say where to listen, how long, and what is known.
type Options struct {
	Links []string // none: all that are up
	For   time.Duration
	Known Known
}

// Known is what is known of the cluster; the zero value is nothing.
type Known struct {
	Cluster string
	Ours    []Ours
	Nodes   map[netip.Addr]string // names of the nodes by the addresses that they may send from
	Alone   map[netip.Addr]string // names of the VIPs that belong to no virtual router
}

// Ours is a virtual router of the cluster's configuration, as a node on this link would run it.
type Ours struct {
	Name   string
	Link   string
	Config vrrp.Config
}
