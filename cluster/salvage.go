package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// Remains is what a data directory knows of its cluster.
type Remains struct {
	Node    fsm.NodeID       `json:"node"`
	Cluster string           `json:"cluster_id"`
	Index   uint64           `json:"index"`          // of the last entry that the node has stored; whether it was agreed is not known
	At      time.Time        `json:"at,omitzero"`    // of the last event
	Version uint64           `json:"config_version"` // 0 = nothing was ever configured
	Config  fsm.Config       `json:"config"`         //
	Members []fsm.Node       `json:"members"`        // sorted by name
	Owners  []fsm.Assignment `json:"assignments"`    // as they were last known, sorted by address
}

// Salvage is the data directory of a member whose agent does not run, opened to make a new cluster of what it knows: the
// way out when a majority is lost for good. Looking changes nothing. It is not safe for concurrent use.
type Salvage struct {
	store  StoreFactory
	unlock func() error
	id     identity
	state  *fsm.State
	last   uint64
}

// OpenSalvage locks a data directory and reads it. It is refused when an agent runs on it, when it holds no member, and when
// something in it is missing or damaged. Close lets go of it.
func OpenSalvage(store StoreFactory) (s *Salvage, err error) {
	if _, err := store.Identity().Load(); errors.Is(err, fs.ErrNotExist) { // before the lock makes a directory that is not there
		return nil, fmt.Errorf("%s is not there: this is no member's data directory; name the right one with --data-dir", store.Identity())
	}
	unlock, err := store.Lock()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = unlock()
		}
	}()
	id, _, err := loadIdentity(store.Identity())
	switch {
	case err != nil:
		return nil, err
	case id.Recovery != nil:
		return nil, fmt.Errorf("%s is being made the first node of cluster %s already, out of cluster %s: start its agent, which does the rest",
			id.Node, id.Cluster, id.Recovery.Cluster)
	case id.Standing != standingMember:
		return nil, fmt.Errorf("%s: this node is not a member of a cluster (%s): there is nothing to recover here", store.Identity(), id.Standing)
	}
	stores, err := store.Open(false)
	if err != nil {
		return nil, fmt.Errorf("this node cannot be recovered from; try another survivor: %w", err)
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	s = &Salvage{store: store, unlock: unlock, id: id}
	if err := guardStore(store.Identity().String(), func() (err error) {
		s.state, s.last, err = replay(stores)
		return err
	}); err != nil {
		return nil, err
	}
	if s.state.ClusterID != id.Cluster {
		return nil, fmt.Errorf("%s names cluster %s, but the log beside it is of cluster %q: files of two nodes are mixed", store.Identity(), id.Cluster,
			s.state.ClusterID)
	}
	return s, nil
}

// replay is the state after all entries that are stored. Some at the end may never have been agreed; like Raft's own
// recovery (raft.RecoverCluster) it takes them as agreed, as one of those that are lost may have acknowledged them.
func replay(s *Stores) (*fsm.State, uint64, error) {
	state, last, _ := newestState(s.Snapshots) // what cannot be read, and matters, was reported when the stores were opened
	end, err := s.Log.LastIndex()
	if err != nil {
		return nil, 0, fmt.Errorf("read the raft log: %w", err)
	}
	for i := last + 1; i <= end; i++ {
		var e raft.Log
		if err := s.Log.GetLog(i, &e); err != nil {
			return nil, 0, fmt.Errorf("read entry %d of the raft log: %w", i, err)
		}
		if e.Type == raft.LogCommand {
			c, err := fsm.Decode(e.Data)
			if err != nil {
				return nil, 0, fmt.Errorf("entry %d of the raft log: %w", i, err)
			}
			state, _ = state.Apply(i, c)
		}
		last = i
	}
	return state, last, nil
}

// Remains is what the directory knows.
func (s *Salvage) Remains() Remains {
	r := Remains{Node: s.id.Node, Cluster: s.id.Cluster, Index: s.last, Version: s.state.ConfigVersion, Config: s.state.Config}
	if n := len(s.state.Events); n > 0 {
		r.At = s.state.Events[n-1].At
	}
	for _, id := range slices.Sorted(maps.Keys(s.state.Nodes)) {
		r.Members = append(r.Members, s.state.Nodes[id])
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.state.Assignments), fsm.AddressKey.Compare) {
		r.Owners = append(r.Owners, s.state.Assignments[k])
	}
	return r
}

// Recover makes the directory that of the first node of a new cluster, which will take over the configuration, and returns
// the new cluster's id. The rest happens when the agent starts. What was there is kept in retired/, as the files of a node
// that left are. actor goes into the timeline.
//
// The caller vouches that no majority of the lost cluster can ever run again: that one would own the same addresses. Its
// members have another key and are answered by nobody here.
func (s *Salvage) Recover(actor string, at time.Time) (cluster string, err error) {
	if ps := s.state.Config.Validate(); len(ps) > 0 {
		return "", fmt.Errorf("this version refuses the configuration of cluster %s; recover with the version that ran here: %w", s.id.Cluster, ps)
	}
	id := identity{
		Node: s.id.Node, Store: newStoreID(), Cluster: newClusterID(), Key: newKey(), Standing: standingRecovering,
		Profile: s.state.Config.Settings.Profile, Recovery: recoveryOf(s.state, s.last, actor, at),
	}
	if err := saveIdentity(s.store.Identity(), id); err != nil { // from here on the old log is nobody's
		return "", err
	}
	if _, err := id.settle(s.store); err != nil {
		return id.Cluster, fmt.Errorf("%s is the first node of cluster %s from now on, and its agent finishes this when it starts: %w", id.Node, id.Cluster, err)
	}
	return id.Cluster, nil
}

// Close lets go of the directory.
func (s *Salvage) Close() error { return s.unlock() }
