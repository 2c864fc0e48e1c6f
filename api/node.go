package api

import (
	"context"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Phase is how far an agent has come.
type Phase string

// The phases of an agent.
const (
	PhaseWaiting  Phase = "waiting"  // in no cluster; waits for bootstrap or join
	PhaseStarting Phase = "starting" // a member that has not passed its start barrier: it acts on nothing yet
	PhaseReady    Phase = "ready"    // carries out what is agreed
	PhaseLeaving  Phase = "leaving"  // hands its VIPs over
)

// NodeStatus is one node's report about itself: what it should carry out and what its kernel really has.
type NodeStatus struct {
	Node      fsm.NodeID        `json:"node"`
	Addr      string            `json:"addr,omitempty" doc:"host:port at which peers reach it"`
	Version   string            `json:"version,omitempty"`
	Phase     Phase             `json:"phase" enum:"waiting,starting,ready,leaving"`
	ClusterID string            `json:"cluster_id,omitempty"`
	Leader    fsm.NodeID        `json:"leader,omitempty" doc:"The leader as this node knows it"`
	Applied   uint64            `json:"applied" doc:"Index of the last entry applied here"`
	Epoch     fsm.Epoch         `json:"epoch,omitempty" doc:"Its node epoch"`
	Started   time.Time         `json:"started"`
	Lease     Lease             `json:"lease"`
	Fence     Fence             `json:"fence"`
	DataPlane DataPlane         `json:"data_plane"`
	Sync      *SyncStatus       `json:"sync,omitempty" doc:"How it keeps the connections of the other directors; absent where nothing is kept"`
	Sysctls   []Sysctl          `json:"sysctls,omitempty" doc:"Settings of its kernel that it has set, as set_sysctls allows, and puts back when it ends"`
	Checks    []NodeCheckStatus `json:"checks,omitempty" doc:"Checks of nodes that it carries out"`
	Addresses []Address         `json:"addresses,omitempty" doc:"Cluster addresses that it should carry or does carry"`
	Routers   []NodeRouter      `json:"virtual_routers,omitempty" doc:"Virtual routers that it hears, and speaks for in its turn"`
	Services  []Carried         `json:"services,omitempty" doc:"Services that its data plane should carry or does carry"`
	Links     []fsm.Link        `json:"links,omitempty"`
	// MACs are what other nodes compare with what they hear on the wire.
	MACs      map[string]string `json:"macs,omitempty" doc:"Ethernet address of each interface, by name"`
	Decisions []Decision        `json:"decisions,omitempty" doc:"The latest fences that this node decided as the leader, and how long they took"`
	Notifiers []NodeNotifier    `json:"notifiers,omitempty" doc:"Notifiers that it carries out itself"`
	Problems  []string          `json:"problems,omitempty" doc:"What its preflight and its actuators complain about"`
}

// Lease is the node's quorum lease, without which it carries no address.
type Lease struct {
	Held        bool      `json:"held"`
	Epoch       fsm.Epoch `json:"epoch,omitempty" doc:"Node epoch under which it was granted"`
	RemainingMS int64     `json:"remaining_ms,omitempty" doc:"How long it lasts if it is not renewed"`
	Reason      string    `json:"reason,omitempty" doc:"Why it is not held"`
	Thread      string    `json:"thread,omitempty" doc:"How the kernel schedules the thread that renews it: deadline (before all others), nice or ordinary"`
	ThreadWhy   string    `json:"thread_reason,omitempty" doc:"Why it is no better than that"`
	LateUS      int64     `json:"late_us,omitempty" doc:"The most by which a renewal was late so far, in microseconds"`
}

// Fence is what silences a node that has lost its lease, even when its agent is dead.
type Fence struct {
	Kind    string `json:"kind" doc:"bpf (a program on every link), nft (timed elements of nftables) or address-lifetime (the kernel drops an address that is not renewed, after whole seconds); none on a witness" example:"bpf"`
	Detail  string `json:"detail,omitempty" doc:"What it does when the lease ends and the agent does nothing"`
	Missing string `json:"missing,omitempty" doc:"Why this node has no stronger one, and the cure"`
}

// DataPlane is the kernel's load balancer on that node.
type DataPlane struct {
	Name    string `json:"name" doc:"ipvs, nft or none"`
	Detail  string `json:"detail,omitempty" doc:"Its version and the like, where the kernel tells" example:"IPVS 1.2.1, 4096 buckets for connections"`
	Problem string `json:"problem,omitempty" doc:"What it could not carry out, and the cure"`
}

// Sysctl is a setting of the kernel that an agent has set.
type Sysctl struct {
	Name  string `json:"name" example:"net.ipv4.ip_forward"`
	Value string `json:"value"`
	Was   string `json:"was" doc:"What it was before, and will be again"`
	For   string `json:"for" enum:"services,sync"`
}

// SyncStatus is how a director keeps the connections of the others, and they its own. Counters are since its agent, or the setting, started.
type SyncStatus struct {
	Transport string     `json:"transport" enum:"relay,multicast"`
	Synced    bool       `json:"synced" doc:"It has the connections of the others, as far as they are to be had"`
	Waived    string     `json:"waived,omitempty" doc:"Whose connections it does not wait for any longer"`
	Captured  uint64     `json:"captured" doc:"Connections of its own that its kernel told of; with multicast the kernel tells the others by itself"`
	Unwanted  uint64     `json:"unwanted" doc:"Of those, the ones of services with sync = false"`
	Forged    uint64     `json:"forged" doc:"Datagrams that did not open with the cluster's key"`
	Malformed uint64     `json:"malformed" doc:"Others that were not for it, or made no sense"`
	Peers     []SyncPeer `json:"peers,omitempty"`
	Notes     []string   `json:"notes,omitempty" doc:"What is set otherwise in the kernel, with the command that sets it"`
}

// SyncPeer is another director as this one sees it. Frames are datagrams.
type SyncPeer struct {
	Node        fsm.NodeID `json:"node"`
	Reached     bool       `json:"reached" doc:"It was heard in the last seconds"`
	Synced      bool       `json:"synced" doc:"Its connections are here"`
	LagMS       int64      `json:"lag_ms" doc:"Age of the oldest message that it has not acknowledged; it does so once a second"`
	Sent        uint64     `json:"sent" doc:"Frames"`
	Received    uint64     `json:"received" doc:"Frames"`
	Connections uint64     `json:"connections" doc:"That this node's kernel was given"`
	Lost        uint64     `json:"lost" doc:"Frames that never came"`
	Reordered   uint64     `json:"reordered" doc:"Frames that came before their turn"`
	Replayed    uint64     `json:"replayed" doc:"Frames that came before, or of a process that is gone"`
	Forged      uint64     `json:"forged" doc:"Datagrams from its address that did not open"`
	Dropped     uint64     `json:"dropped" doc:"Messages that the kernel could not be given"`
	Problem     string     `json:"problem,omitempty"`
}

// Address is one cluster address on one node.
type Address struct {
	Prefix     netip.Prefix `json:"prefix" doc:"Address and prefix length on the interface"`
	Network    string       `json:"network,omitempty"`
	VIP        string       `json:"vip,omitempty" doc:"Name of the VIP; empty for a leftover"`
	Link       string       `json:"link,omitempty" doc:"Interface"`
	Wanted     bool         `json:"wanted" doc:"The agreed state and the lease say that it should be here"`
	Present    bool         `json:"present" doc:"The kernel has it"`
	ValidForMS int64        `json:"valid_for_ms,omitempty" doc:"How long the kernel keeps it if it is not renewed"`
	HeldSince  time.Time    `json:"held_without_quorum_since,omitzero" doc:"Set while the node claims it without a quorum: another node may claim it too"`
	Reason     string       `json:"reason,omitempty" doc:"Why it is wanted, or not"`
	Problem    string       `json:"problem,omitempty"`
	// Of the time at which it came here; absent when this agent did not see that.
	Epoch       fsm.Epoch `json:"epoch,omitempty" doc:"Index of the entry that made this node its owner"`
	AppliedUS   int64     `json:"applied_us,omitempty" doc:"From when this node applied that entry until its kernel had the address, in microseconds"`
	AnnouncedUS int64     `json:"announced_us,omitempty" doc:"Until it was announced"`
}

// Decision is a fence that a leader decided. Each time is counted from the one before.
type Decision struct {
	Index       uint64     `json:"index" doc:"Of its entry"`
	Node        fsm.NodeID `json:"node" doc:"That was fenced"`
	SilentUS    int64      `json:"silent_us,omitempty" doc:"From the last word that was heard of it until a majority of the grantors suspected it; 0 = another cause"`
	PromisedUS  int64      `json:"promised_us,omitempty" doc:"Until a majority had promised to grant it nothing, and its lease had ended"`
	CommittedUS int64      `json:"committed_us,omitempty" doc:"Until the entry was committed"`
}

// Carried is one service in one node's data plane.
type Carried struct {
	Service string `json:"service"`
	VIP     string `json:"vip,omitempty" doc:"Several with commas between them"`
	Wanted  bool   `json:"wanted"`
	Present bool   `json:"present"`
	Servers int    `json:"servers" doc:"Real servers in the kernel's table"`
	Problem string `json:"problem,omitempty"`
}

type nodeOutput struct{ Body NodeStatus }

func (s *Server) registerNode(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "node", Method: "GET", Path: "/v1/node", Tags: []string{"node"},
		Summary:     "This agent",
		Description: "What this node should carry out and what its kernel really has. Answers before there is a cluster, too.",
	}, func(context.Context, *struct{}) (*nodeOutput, error) {
		return &nodeOutput{Body: s.reporter.Local()}, nil
	})
}
