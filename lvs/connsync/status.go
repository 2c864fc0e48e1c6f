package connsync

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Counters of a relay, since it started.
type Counters struct {
	Captured  uint64 `json:"captured"`  // connections that the kernel has told of
	Unwanted  uint64 `json:"unwanted"`  // of services that are not synced
	Forged    uint64 `json:"forged"`    // datagrams that do not open: another key, damaged, cut off
	Malformed uint64 `json:"malformed"` // that open, and cannot be read; or messages of the kernel's
	Strange   uint64 `json:"strange"`   // of nobody who is a peer, or for somebody else
}

// PeerCounters count frames of and for one peer, since this relay started.
type PeerCounters struct {
	Sent          uint64 `json:"sent"`
	SentBytes     uint64 `json:"sent_bytes"`
	SendErrors    uint64 `json:"send_errors"`
	Received      uint64 `json:"received"`
	ReceivedBytes uint64 `json:"received_bytes"`
	Conns         uint64 `json:"connections"` // given to the kernel
	Lost          uint64 `json:"lost"`        // that were not waited for any longer
	Reordered     uint64 `json:"reordered"`
	Replayed      uint64 `json:"replayed"` // that came before, or of a process that is not any more
	Forged        uint64 `json:"forged"`   // from its address, that do not open
	Dropped       uint64 `json:"dropped"`  // whose message the kernel could not be given
	Tables        uint64 `json:"tables"`   // whole tables that came
}

// PeerStatus is one peer as this node sees it.
type PeerStatus struct {
	Peer    string        `json:"peer"`
	There   bool          `json:"there"`   // heard in the last few seconds
	Synced  bool          `json:"synced"`  // its connections are here
	Lag     time.Duration `json:"lag"`     // age of the oldest message that it has not acknowledged; it does so once a second
	Problem string        `json:"problem"` // what went wrong with the last datagram to it, or the last message from it
	PeerCounters
}

// RelayStatus is what a relay does.
type RelayStatus struct {
	Synced bool `json:"synced"`
	// Waived says which peers' connections were not waited for any longer.
	Waived string `json:"waived,omitempty"`
	Counters
	Peers []PeerStatus `json:"peers,omitempty"` // by name
}

// Synced reports whether the connections of all peers that are there have come since this relay started or Resync was called, or were waited
// for long enough. Once it was true it stays so until Resync.
func (r *Relay) Synced(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(now)
	return r.settled
}

// Resync asks all peers for their tables again: this host's kernel has lost connections. IPVS drops all those of a service that is taken out of
// it, also those that it knows from others (ip_vs_ctl.c, ip_vs_enqueue_expire_nodest_conns), unless the sysctl expire_nodest_conn is 0.
func (r *Relay) Resync(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled, r.why, r.began = len(r.peers) == 0, "", now
	for _, p := range r.peers {
		p.in = tableIn{wanted: true, asked: now} // not at once: the kernel drops them a moment later
	}
}

// Missed has the tables of all peers asked for again, as soon as they may be, because messages of theirs have got lost on this host.
func (r *Relay) Missed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.peers {
		p.missed = true
	}
}

// settle finds out whether this node is synced.
func (r *Relay) settle(now time.Time) {
	if r.settled || r.began.IsZero() {
		return
	}
	var missing []string
	for _, p := range r.peers {
		absent := !p.there(now) && now.Sub(r.began) >= absentAfter
		if p.in.wanted && !p.in.again && !absent {
			missing = append(missing, p.name)
		}
	}
	slices.Sort(missing)
	switch {
	case len(missing) == 0:
	case now.Sub(r.began) >= syncedWithin:
		r.why = fmt.Sprintf("the connections of %s did not come within %v", strings.Join(missing, ", "), syncedWithin)
		r.o.Log.Warn("connection sync: not waited for any longer", "reason", r.why)
	default:
		return
	}
	r.settled = true
}

// Status of the relay.
func (r *Relay) Status(now time.Time) RelayStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(now)
	st := RelayStatus{Synced: r.settled, Waived: r.why, Counters: r.count}
	for _, p := range r.peers {
		x := PeerStatus{Peer: p.name, There: p.there(now), Synced: !p.in.wanted, PeerCounters: p.count}
		if err := errors.Join(p.sendErr, p.replayErr); err != nil {
			x.Problem = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		if p.there(now) && p.acked < r.said {
			x.Lag = now.Sub(r.sent[(max(p.acked, r.said-min(r.said, sentRing-1))+1)%sentRing])
		}
		st.Peers = append(st.Peers, x)
	}
	slices.SortFunc(st.Peers, func(a, b PeerStatus) int { return strings.Compare(a.Peer, b.Peer) })
	return st
}
