package health

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quorate/health/bfd"
)

// TypeBFD has a session of BFD with the target.
const TypeBFD Type = "bfd"

// BFDQuery is the part of a Target that only bfd has.
type BFDQuery struct {
	Transmit   time.Duration `json:"transmit,omitempty"`   // between two packets, while the session is up; 100 ms
	Receive    time.Duration `json:"receive,omitempty"`    // between two of the neighbour's, at least; 100 ms
	Multiplier int           `json:"multiplier,omitempty"` // packets that may be missing; 3
	Multihop   bool          `json:"multihop,omitempty"`   // the neighbour is behind routers
	MinTTL     int           `json:"min_ttl,omitempty"`    // of what comes over several hops
	Passive    bool          `json:"passive,omitempty"`    // the neighbour speaks first
}

// The times of a session take the place of a probe's. A session tells of itself; that it is asked besides is for those that never come up.
const (
	bfdInterval = time.Second
	bfdTimeout  = 3 * time.Second
	// bfdBegin is how long a new session may take to come up before it is called down: the first packets are a second apart.
	bfdBegin = 5 * time.Second
)

// bfdPath is whose life the session tells.
func (t Target) bfdPath() bfd.Path {
	return bfd.Path{Peer: t.Addr.Addr(), Source: t.Egress.Source, Interface: t.Egress.Interface, Multihop: t.BFD.Multihop}
}

func (q BFDQuery) want() bfd.Want {
	return bfd.Want{
		Params: bfd.Params{Transmit: q.Transmit, Receive: q.Receive, Multiplier: uint8(min(max(q.Multiplier, 1), 255)), Passive: q.Passive},
		MinTTL: uint8(min(max(q.MinTTL, 0), 255)),
	}
}

// bfdWants are the sessions of targets: one for each path, whatever the number of targets that want it (RFC 5881 §3).
func bfdWants(targets map[string]Target) map[bfd.Path]bfd.Want {
	out := map[bfd.Path]bfd.Want{}
	for _, t := range targets {
		p, w := t.bfdPath(), t.BFD.want()
		if other, ok := out[p]; ok {
			w = w.Both(other)
		}
		out[p] = w
	}
	return out
}

// bfdProber says how a session stands: one that the Watch has, or else one for the time of the probe.
type bfdProber struct {
	watch   *Watch // nil = there is none
	network bfd.Network
}

func (p bfdProber) Probe(ctx context.Context, t Target) (Answer, error) {
	if p.watch == nil {
		// It is as long as the probe may take.
		st := bfd.Try(ctx, p.network, t.bfdPath(), t.BFD.want())
		return bfdAnswer(t, st, st.Since.Add(bfdBegin))
	}
	s := p.watch.speaking()
	if s == nil {
		return Answer{}, unasked(errors.New("the sessions of BFD have not been begun"))
	}
	st, ok := s.Status(t.bfdPath())
	if !ok {
		return Answer{}, unasked(errors.New("the session of BFD has not been begun"))
	}
	return bfdAnswer(t, st, time.Now())
}

// bfdAnswer is what follows from a session.
func bfdAnswer(t Target, st bfd.Status, now time.Time) (Answer, error) {
	peer := t.Addr.Addr()
	switch {
	case st.State == bfd.Up:
		return Answer{Detail: fmt.Sprintf("session is up, silence is noticed within %v", st.Detection)}, nil
	case !st.WasUp && st.Err != nil:
		return Answer{}, unasked(st.Err)
	case !st.WasUp && now.Sub(st.Since) < bfdBegin && (st.State == bfd.Init || st.Diag == bfd.NoDiag):
		return Answer{}, unasked(fmt.Errorf("the session with %v is not up yet", peer))
	case st.State == bfd.Init:
		return Answer{}, fmt.Errorf("%v is heard, and does not hear this machine", peer)
	case st.Remote == bfd.AdminDown:
		return Answer{}, fmt.Errorf("%v has switched the session off (AdminDown)", peer)
	case st.Diag == bfd.NeighborDown:
		return Answer{}, fmt.Errorf("%v has ended the session (%v)", peer, st.RemoteDiag)
	case st.Diag == bfd.TimeExpired:
		return Answer{}, fmt.Errorf("%v has been silent for longer than %v", peer, st.Detection)
	case st.Err != nil:
		return Answer{}, fmt.Errorf("no session with %v: %w", peer, st.Err)
	default:
		return Answer{}, fmt.Errorf("%v does not speak BFD with this machine", peer)
	}
}
