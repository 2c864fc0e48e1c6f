package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// recovery is what the first node of a new cluster takes over from a lost one. It goes through the new cluster's log:
// configuration and admin states, never epochs, owners or grantors (design §3).
type recovery struct {
	Cluster string         `json:"cluster"` // that is lost
	Index   uint64         `json:"index"`   // of the last entry that is known of it
	Actor   string         `json:"actor"`
	At      time.Time      `json:"at"`
	Config  fsm.Config     `json:"config"`
	Admin   []fsm.SetAdmin `json:"admin,omitempty"` // of the servers, where it was changed
	Members []fsm.NodeID   `json:"members"`
	Zero    uint64         `json:"zero"` // the index after which the new log begins
}

// indexGap is how far the new log begins after the last entry that is known of the lost one. Others may have known more
// entries, but not a million. So no epoch of the lost cluster comes again, under which an address is still marked as open in
// some kernel.
const indexGap = 1_000_000

// begin makes the new log begin after Zero: with a snapshot of a state in which nothing is agreed yet.
func (r *recovery) begin(s raft.SnapshotStore, self raft.ServerID) error {
	_, codec := raft.NewInmemTransport("") // a snapshot's old form of the members is encoded by a transport
	sink, err := s.Create(1, r.Zero, 1, raft.Configuration{Servers: []raft.Server{{
		Suffrage: raft.Voter, ID: self, Address: raft.ServerAddress(self),
	}}}, r.Zero, codec)
	if err != nil {
		return fmt.Errorf("begin the raft log: %w", err)
	}
	empty := fsm.New()
	empty.Index = r.Zero
	if err := empty.Snapshot(sink); err != nil {
		_ = sink.Cancel()
		return fmt.Errorf("begin the raft log: %w", err)
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("begin the raft log: %w", err)
	}
	return nil
}

// next is what is still to be said in the new cluster's log, in this order; false = it has all been said. What an operator
// has configured meanwhile goes before.
func (r *recovery) next(s *fsm.State) (fsm.Command, bool) {
	if slices.ContainsFunc(s.Events, func(e fsm.Event) bool { return e.Reason == fsm.ReasonRecovered }) {
		return fsm.Command{}, false
	}
	if schema, ok := schemaFor(s); ok { // the configuration may need it
		return fsm.Command{Actor: plannerActor, SetSchema: &fsm.SetSchema{Schema: schema}}, true
	}
	if s.ConfigVersion == 0 && len(fsm.Diff(s.Config, r.Config)) > 0 {
		return fsm.Command{Actor: r.Actor, Configure: &fsm.Configure{Config: r.Config}}, true
	}
	for i := range r.Admin {
		if a := r.Admin[i]; s.Servers[a.Server].Admin != a.Admin {
			if _, ok := s.Servers[a.Server]; ok {
				return fsm.Command{Actor: r.Actor, SetAdmin: &a}, true
			}
		}
	}
	return fsm.Command{Actor: r.Actor, Record: &fsm.Record{Event: fsm.Event{Reason: fsm.ReasonRecovered, Text: r.text()}}}, true
}

func (r *recovery) text() string {
	names := make([]string, len(r.Members))
	for i, id := range r.Members {
		names[i] = string(id)
	}
	return fmt.Sprintf("recovered without quorum from cluster %s (members %s) as of its entry %d, asked for at %s; entries that this node "+
		"had not stored are lost", r.Cluster, strings.Join(names, ", "), r.Index, r.At.UTC().Format(time.RFC3339))
}

// recovered reports whether a new cluster has agreed on all that it takes over from a lost one. It is true of any other.
func (m *membership) recovered(s *fsm.State) bool {
	r := m.identity().Recovery
	if r == nil {
		return true
	}
	_, more := r.next(s)
	return !more
}

// outlast waits, before a new cluster that was made of a lost one decides anything, until every lease of the lost one has
// run out: this node or its peers may have granted one just before they were stopped. It counts from the start of this
// process; a crash makes it wait anew. false = ctx ended.
func (m *membership) outlast(ctx context.Context) bool {
	if m.identity().Recovery == nil {
		return true
	}
	clock := m.node.o.Clock
	end := clock.Now().Raw + lease.LongestGrant()
	m.log.Warn("this node begins a new cluster with the configuration of a lost one; it waits until the leases of that one have run out",
		"cluster", m.identity().Cluster, "reason", m.identity().Recovery.text())
	for {
		left := end - clock.Now().Raw
		if left <= 0 {
			return true
		}
		if !pause(ctx, max(left, time.Millisecond)) {
			return false
		}
	}
}

// settle puts the files of a lost cluster aside, which a crash may have prevented, and makes the identity one that forms
// the new cluster.
func (id identity) settle(s StoreFactory) (identity, error) {
	if err := s.Retire(); err != nil {
		return id, err
	}
	id.Standing = standingForming
	return id, saveIdentity(s.Identity(), id)
}

// recoveryOf is what a new cluster takes over of a state.
func recoveryOf(s *fsm.State, last uint64, actor string, at time.Time) *recovery {
	r := &recovery{
		Cluster: s.ClusterID, Index: last, Actor: actor, At: at.UTC(), Config: s.Config, Zero: last + indexGap,
		Members: slices.Sorted(maps.Keys(s.Nodes)), Admin: s.Admins(at),
	}
	return r
}
