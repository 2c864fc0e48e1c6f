// Package survey hears who speaks VRRP on the links of this machine, without being one of them, also where no agent runs: `quorate vrrp scan`. It sends nothing and
// changes nothing. Where the cluster's configuration is known it says what does not fit it, with the judgement of the very router that an agent would run.
//
//	Conn (each link, family) ─► ear: vrrp.Survey, and one vrrp.Router for each of our virtual routers there ─► Report
//
// Only Active Routers are heard: a Backup Router is silent. Of unicast adverts only those to this machine are.
package survey

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate/vip/vrrp"
)

// Report is what was heard.
type Report struct {
	// ForMS is how long was listened.
	ForMS   int64    `json:"for_ms"`
	Links   []Link   `json:"links"`
	Routers []Router `json:"routers"` // by link, family, VRID and address
	// Findings are what should not be so.
	Findings []Finding `json:"findings"`
	// Cluster says whose configuration the findings know; without it they are of what was heard alone.
	Cluster string `json:"cluster,omitempty"`
}

// Link is one link and family that was listened on.
type Link struct {
	Link   string `json:"link"`
	Family string `json:"family"`
	// Free are the VRIDs that nobody was heard to use, and that the cluster does not use, as ranges.
	Free string `json:"free"`
	// Heard counts datagrams; Dropped those that were no sound adverts, by reason.
	Heard   uint64            `json:"heard"`
	Dropped map[string]uint64 `json:"dropped,omitempty"`
	Problem string            `json:"problem,omitempty"` // it was not listened to the end
}

// Router is one router that was heard for one virtual router.
type Router struct {
	Link   string    `json:"link"`
	Family string    `json:"family"`
	VRID   vrrp.VRID `json:"vrid"`
	// Ours is the virtual router of the configuration that this is; Node is the node of the cluster that it comes from.
	Ours       string        `json:"virtual_router,omitempty"`
	Node       string        `json:"node,omitempty"`
	Source     netip.Addr    `json:"source"`
	Activity   vrrp.Activity `json:"activity"`
	Version    vrrp.Version  `json:"version"`
	Priority   vrrp.Priority `json:"priority"`
	IntervalMS int64         `json:"interval_ms"`
	Addresses  []netip.Addr  `json:"addresses"`
	Sent       string        `json:"sent"` // multicast or unicast
	Auth       string        `json:"auth"`
	Signed     bool          `json:"signed,omitempty"`
	Checksum   string        `json:"checksum,omitempty"` // its form; only version 3 over IPv4 has several
	Adverts    uint64        `json:"adverts"`
}

// Kind is what a finding is about.
type Kind string

// The kinds of findings.
const (
	// Collides: two virtual routers of one link have the same VRID.
	Collides Kind = "collision"
	// Contested: two routers speak as the Active Router of one virtual router at the same time.
	Contested Kind = "two-active"
	// Differs: what a router says is not as the cluster's configuration has it.
	Differs Kind = "mismatch"
	// Unlisted: a router speaks for a virtual router of ours and is not among its peers.
	Unlisted Kind = "unlisted"
	// Unspoken: a router speaks for a VIP of ours that has no virtual router.
	Unspoken Kind = "no-virtual-router"
	// InHeader: a router wraps its adverts in the IP authentication header.
	InHeader Kind = "authentication-header"
)

// Finding is something that should not be so, with its cure.
type Finding struct {
	Kind Kind      `json:"kind"`
	Link string    `json:"link"`
	VRID vrrp.VRID `json:"vrid"`
	// Difference is in what a router differs, of [Differs].
	Difference string `json:"difference,omitempty"`
	Text       string `json:"text"`
}

// ranges writes the VRIDs that are not taken: "1-50, 52-255".
func ranges(taken map[vrrp.VRID]bool) string {
	var out []string
	for from := 1; from <= 255; from++ {
		if taken[vrrp.VRID(from)] {
			continue
		}
		to := from
		for to < 255 && !taken[vrrp.VRID(to+1)] {
			to++
		}
		if out = append(out, fmt.Sprint(from)); to > from {
			out[len(out)-1] += fmt.Sprintf("-%d", to)
		}
		from = to
	}
	return strings.Join(out, ", ")
}

// addresses are a few of a list, for a sentence.
func addresses(all []netip.Addr) string {
	const most = 5
	var out []string
	for _, a := range all[:min(len(all), most)] {
		out = append(out, a.String())
	}
	if n := len(all) - most; n > 0 {
		out = append(out, fmt.Sprintf("%d more", n))
	}
	return strings.Join(out, ", ")
}

// sortFindings brings them into an order that does not depend on when what was heard.
func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Link, b.Link), cmp.Compare(a.VRID, b.VRID), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Text, b.Text))
	})
}
