package fsm

import "net/netip"

// NodeID is a director's or witness's name, unique in the cluster: 1–63 characters of [a-z0-9._-].
type NodeID string

// StoreID is the random identity of one data directory, made together with it. A node whose directory was lost or
// replaced comes back as another store and is another member (design §3 “Identities”).
type StoreID string

// Epoch is the Raft index of the entry that made it; 0 means none. Epochs are never reused.
type Epoch uint64

// Role says whether a node may own VIPs.
type Role string

// The roles of a node.
const (
	Director Role = "director" // votes, grants leases, owns VIPs
	Witness  Role = "witness"  // votes and grants leases, has no data plane
)

// Node is one member of the cluster.
type Node struct {
	ID       NodeID  `json:"id"`
	Store    StoreID `json:"store"`
	Addr     string  `json:"addr"` // host:port at which peers reach it: Raft, calls (TCP), lease and gossip (UDP)
	Role     Role    `json:"role"`
	Zone     string  `json:"zone,omitempty"`
	Weight   int     `json:"weight"` // share of VIPs relative to the other nodes; 0 = owns none unless preferred
	Draining bool    `json:"draining,omitempty"`
	Leaving  bool    `json:"leaving,omitempty"` // drains for good; removed when it owns nothing
	Facts    Facts   `json:"facts"`
	// Epoch is the node epoch: leases are granted under it, a fence raises it (design §3).
	Epoch Epoch `json:"epoch"`
	// Flap counts fences. Since schema 2.
	Flap Flap `json:"flap,omitzero"`
	// Checks are what it found by the checks of nodes that it carries out, by name; what is not known is not there. Since schema 6; never changed
	// in place.
	Checks map[string]CheckState `json:"checks,omitempty"`
	// Paths are the VIPs whose servers the node does not reach, while others do. Sorted; since schema 6.
	Paths []PathFault `json:"path_faults,omitempty"`
	// Joined is the index of the entry that added the node.
	Joined uint64 `json:"joined"`
}

// Facts are what a node reported about itself. They change rarely and are committed, so that a plan made by any leader,
// or by `quorate plan` against any node, is the same.
type Facts struct {
	Version    string       `json:"version,omitempty"`
	Schema     Schema       `json:"schema"`               // highest schema version it understands
	Links      []Link       `json:"links,omitempty"`      // sorted by name
	Addresses  []netip.Addr `json:"addresses,omitempty"`  // that the node has for itself, VIPs not among them; sorted
	DataPlane  string       `json:"data_plane"`           // that the node uses: "ipvs", "nft" or "none"
	Forwards   []Forward    `json:"forwards,omitempty"`   // forwarding methods that its data plane can do
	Schedulers []string     `json:"schedulers,omitempty"` // schedulers that its data plane can do
	Planes     []Plane      `json:"planes,omitempty"`     // all data planes that it could use; sorted by name
	Problems   []string     `json:"problems,omitempty"`   // what the preflight found, e.g. "no NET_ADMIN"

	// Since schema 3.
	Fence       string `json:"fence,omitempty"`        // what silences its addresses: "bpf", "nft", "address-lifetime"
	LeaseThread string `json:"lease_thread,omitempty"` // how its kernel schedules the lease's thread: "deadline", "nice", "ordinary"

	// Features are what its data plane can do beyond that: see Service.Features. Since schema 5.
	Features []string `json:"features,omitempty"`
	// Unsynced says that the node does not have the connections of the other directors yet: what nobody needs to move waits until it has
	// them. It lasts for seconds, and ends by itself. Since schema 5.
	Unsynced bool `json:"unsynced,omitempty"`

	// NoVMAC is why the node can have no virtual MACs; "" = it can. Since schema 7.
	NoVMAC string `json:"no_vmac,omitempty"`
	// NoVRRP are the virtual routers with peers for which the node does not speak VRRP, though it has their link: for want of sockets, or since it cannot ask who answers. Sorted by router; since schema 7.
	NoVRRP []DeafRouter `json:"no_vrrp,omitempty"`
}

// DeafRouter is a virtual router for which a node does not speak: its peers would take the VIPs.
type DeafRouter struct {
	Router string `json:"router"`
	Reason string `json:"reason"`
}

// deafTo says why the node does not speak for the virtual router, or "".
func (f Facts) deafTo(router string) string {
	for _, d := range f.NoVRRP {
		if d.Router == router {
			return d.Reason
		}
	}
	return ""
}

// Plane is what a data plane of a node can do.
type Plane struct {
	Name       string    `json:"name"`
	Forwards   []Forward `json:"forwards,omitempty"`
	Schedulers []string  `json:"schedulers,omitempty"`
	Features   []string  `json:"features,omitempty"` // see Service.Features; since schema 5
}

// Link is a network interface of a node with the subnets on it.
type Link struct {
	Name     string         `json:"name"`
	Prefixes []netip.Prefix `json:"prefixes,omitempty"` // masked; sorted
}

// LinkFor returns the interface on which the node would carry addr: the named one, or, when name is empty, the one whose
// subnet contains addr (the longest prefix wins, then the name). ok is false where the node has none.
func (f Facts) LinkFor(addr netip.Addr, name string) (link string, ok bool) {
	best := -1
	for _, l := range f.Links {
		if name != "" {
			if l.Name == name {
				return l.Name, true
			}
			continue
		}
		for _, p := range l.Prefixes {
			if p.Contains(addr) && p.Bits() > best {
				best, link, ok = p.Bits(), l.Name, true
			}
		}
	}
	return link, ok
}

// Grantor is one member of the set that grants leases: a node together with its store.
type Grantor struct {
	Node  NodeID  `json:"node"`
	Store StoreID `json:"store"`
}

// GrantorSet is the agreed set of grantors. It follows Raft's voters, one member per entry (design §3 “Grantor changes”).
type GrantorSet struct {
	Index   uint64    `json:"index"`   // of the entry that made this set
	Members []Grantor `json:"members"` // sorted by node
}

// Has reports whether g is a member of the set.
func (g GrantorSet) Has(m Grantor) bool {
	for _, x := range g.Members {
		if x == m {
			return true
		}
	}
	return false
}

// Majority is the smallest number of members that any two sets of that size must share a member: len/2 + 1.
func (g GrantorSet) Majority() int { return len(g.Members)/2 + 1 }
