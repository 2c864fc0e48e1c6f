package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/vip/probe"
)

const (
	// verifyFor is how long a new owner has until it must be heard: a new address may wait for its services.
	verifyFor = 3 * time.Second
	// nudgedFor is how long it has after it was asked to announce again.
	nudgedFor = 2 * time.Second
	// askEvery is how often it is asked for meanwhile.
	askEvery = 50 * time.Millisecond
	// rankPause is how long each auditor waits for those before it.
	rankPause = time.Second
	// unheardEvery is the least time between two releases that this node asks for: what is wrong with many VIPs at once is not
	// cured by moving them.
	unheardEvery = 10 * time.Second
	// singleEvents is up to how many VIPs of one change have an event each.
	singleEvents = 8
	// verifying bounds how many changes are looked at at once.
	verifying = 16
)

// turn is what came to one owner by one entry.
type turn struct {
	owner fsm.NodeID
	epoch fsm.Epoch
	keys  []fsm.AddressKey // sorted
	rank  int              // this node's place among the auditors
	at    time.Time        // when this node applied the entry
	asked time.Time        // when it applied the one that asked for the release; zero = it was no planned move
	fence bool             // it was taken from a node that was fenced
}

// turns notices changes of owners in the states as they come.
type turns struct {
	seen  map[fsm.AddressKey]fsm.Epoch
	asked map[fsm.AddressKey]time.Time
}

// next are the changes since the state before that this node is to verify; none for the first state.
func (t *turns) next(s *fsm.State, self fsm.NodeID, now time.Time) []turn {
	first := t.seen == nil
	if first {
		t.seen, t.asked = map[fsm.AddressKey]fsm.Epoch{}, map[fsm.AddressKey]time.Time{}
	}
	gone := func(k fsm.AddressKey) bool { _, ok := s.Assignments[k]; return !ok }
	maps.DeleteFunc(t.seen, func(k fsm.AddressKey, _ fsm.Epoch) bool { return gone(k) })
	maps.DeleteFunc(t.asked, func(k fsm.AddressKey, _ time.Time) bool { return gone(k) })
	type id struct {
		owner   fsm.NodeID
		epoch   fsm.Epoch
		rank    int
		planned bool
	}
	found := map[id]*turn{}
	for k, a := range s.Assignments {
		asked, planned := t.asked[k]
		switch {
		case a.Release == nil:
			delete(t.asked, k)
		case !planned:
			t.asked[k] = now
		}
		if t.seen[k] == a.Epoch {
			continue
		}
		t.seen[k] = a.Epoch
		if first || a.Owner == "" || a.Owner == self || a.Shadow {
			continue
		}
		rank := slices.Index(fsm.Auditors(s, k), self)
		if rank < 0 {
			continue
		}
		i := id{a.Owner, a.Epoch, rank, planned}
		if found[i] == nil {
			found[i] = &turn{owner: a.Owner, epoch: a.Epoch, rank: rank, at: now, asked: asked, fence: a.Reason.Code == fsm.ReasonFenced && !planned}
		}
		found[i].keys = append(found[i].keys, k)
		if asked.Before(found[i].asked) {
			found[i].asked = asked
		}
	}
	out := make([]turn, 0, len(found))
	for _, x := range found {
		slices.SortFunc(x.keys, fsm.AddressKey.Compare)
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.owner, b.owner), cmp.Compare(a.rank, b.rank))
	})
	return out
}

// follow verifies each change until ctx ends.
func (a *auditor) follow(ctx context.Context) error {
	var t turns
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, verifying)
	index := uint64(0)
	for {
		changed := a.view.Changed()
		if s := a.view.State(); s.Index != index {
			index = s.Index
			for _, x := range t.next(s, a.self, time.Now()) {
				select {
				case slots <- struct{}{}:
				default: // the next look at everything finds what is wrong
					continue
				}
				wg.Go(func() {
					defer func() { <-slots }()
					a.verify(ctx, x)
				})
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// verify listens for a new owner, and does what can be done when it is not heard.
func (a *auditor) verify(ctx context.Context, t turn) {
	if t.rank > 0 {
		if !sleep(ctx, time.Duration(t.rank)*rankPause) || t.done(a.view.State()) {
			return
		}
	}
	known := make(chan struct{})
	go func() { // beside the first question: it takes a call to the owner
		defer close(known)
		a.ownerMACs(ctx, t.owner, false)
	}()
	heard, left := a.listen(ctx, t, t.keys, verifyFor, known)
	if len(left) > 0 && ctx.Err() == nil {
		left = a.carried(ctx, t.owner, left)
	}
	if len(left) > 0 && ctx.Err() == nil {
		a.log.Warn("a new owner is not heard; it is asked to announce again", "peer", string(t.owner), "vips", len(left), "epoch", uint64(t.epoch))
		a.nudge(ctx, t.owner, left)
		var more map[fsm.AddressKey]time.Time
		more, left = a.listen(ctx, t, left, nudgedFor, known)
		maps.Copy(heard, more)
	}
	if len(heard) > 0 && (t.fence || !t.asked.IsZero()) {
		a.verified(ctx, t, heard)
	}
	if len(left) > 0 && ctx.Err() == nil {
		left = slices.DeleteFunc(left, func(k fsm.AddressKey) bool { return !stands(a.view.State(), k, t.epoch) })
		a.elsewhere(ctx, t.owner, left)
	}
}

// done reports whether another auditor has verified all of it, or it is over.
func (t turn) done(s *fsm.State) bool {
	return !slices.ContainsFunc(t.keys, func(k fsm.AddressKey) bool {
		return stands(s, k, t.epoch) && !slices.ContainsFunc(s.Events, func(e fsm.Event) bool {
			return e.Reason == fsm.ReasonVerified && e.Index > uint64(t.epoch) && e.Node == t.owner && (e.VIP == "" || e.VIP == s.Assignments[k].VIP)
		})
	})
}

// listen asks for keys until each has been heard from the owner, or the time is over, and returns when each was, and those that were
// not. Those that have changed hands meanwhile are in neither.
func (a *auditor) listen(ctx context.Context, t turn, keys []fsm.AddressKey, patience time.Duration, known <-chan struct{}) (map[fsm.AddressKey]time.Time, []fsm.AddressKey) {
	heard := map[fsm.AddressKey]time.Time{}
	left := slices.Clone(keys)
	end := time.Now().Add(patience)
	for fresh := false; ; fresh = true {
		began := time.Now()
		sights := look(ctx, a.wire, a.view.State(), a.self, left, askEvery, true, false)
		<-known
		macs := a.ownerMACs(ctx, t.owner, false)
		s := a.view.State()
		left = slices.DeleteFunc(left, func(k fsm.AddressKey) bool {
			at, ok := heardFrom(sights[k], macs)
			if ok {
				heard[k] = at
			}
			return ok || !stands(s, k, t.epoch)
		})
		if len(left) == 0 || !time.Now().Before(end) || ctx.Err() != nil {
			return heard, left
		}
		if !fresh { // its MAC may be another by now
			a.ownerMACs(ctx, t.owner, true)
		}
		if !sleep(ctx, askEvery/2-min(time.Since(began), askEvery/2)) { // somebody answered at once, and not the owner
			return heard, left
		}
	}
}

// heardFrom is when an owner was heard. Where its MACs are not known, one host that answers alone is taken for it.
func heardFrom(x sight, owner []probe.MAC) (at time.Time, ok bool) {
	for _, m := range x.macs {
		if slices.Contains(owner, m) || len(owner) == 0 && len(x.macs) == 1 {
			return x.first[m], true
		}
	}
	return time.Time{}, false
}

// carried are those of keys that the owner says it has. With one that says otherwise, or nothing, the wire is not what is wrong: it
// is fenced, or its status says what it lacks.
func (a *auditor) carried(ctx context.Context, owner fsm.NodeID, keys []fsm.AddressKey) []fsm.AddressKey {
	st, err := a.status(ctx, owner)
	if err != nil {
		return nil
	}
	a.learn(st)
	return slices.DeleteFunc(slices.Clone(keys), func(k fsm.AddressKey) bool {
		_, ok := present(st, k)
		return !ok
	})
}

// verified writes down how long it took.
func (a *auditor) verified(ctx context.Context, t turn, heard map[fsm.AddressKey]time.Time) {
	s := a.view.State()
	st := a.announced(ctx, t, heard)
	start, base := a.decision(ctx, t)
	keys := slices.SortedFunc(maps.Keys(heard), fsm.AddressKey.Compare)
	each := map[fsm.AddressKey]fsm.Stages{}
	slowest := keys[0]
	for _, k := range keys {
		each[k] = base.with(st, k, heard[k].Sub(t.at))
		if a.stages != nil {
			a.stages(each[k])
		}
		if each[k].Verified > each[slowest].Verified {
			slowest = k
		}
	}
	if len(keys) > singleEvents {
		a.record(ctx, fsm.Event{Node: t.owner, Reason: fsm.ReasonVerified, Stages: each[slowest],
			Text: fmt.Sprintf("%s answers for %d VIPs, as %s hears; the last was %s%s", t.owner, len(keys), a.self, vipText(s, slowest), inWords(start, each[slowest]))})
		return
	}
	for _, k := range keys {
		a.record(ctx, fsm.Event{Node: t.owner, VIP: s.Assignments[k].VIP, Reason: fsm.ReasonVerified, Stages: each[k],
			Text: fmt.Sprintf("%s: %s answers, as %s hears%s", vipText(s, k), t.owner, a.self, inWords(start, each[k]))})
	}
}

// announced asks the owner when it had what was heard, and when it had announced it; that may be a moment after the first answer.
func (a *auditor) announced(ctx context.Context, t turn, heard map[fsm.AddressKey]time.Time) api.NodeStatus {
	for try := 0; ; try++ {
		st, err := a.status(ctx, t.owner)
		if err == nil {
			a.learn(st)
			all := true
			for k := range heard {
				x, _ := present(st, k)
				all = all && x.Epoch == t.epoch && x.AnnouncedUS > 0
			}
			if all {
				return st
			}
		}
		if try == 3 || !sleep(ctx, 2*askEvery) {
			return st
		}
	}
}

// timing is what is known of the stages up to the commit.
type timing struct {
	fsm.Stages
	known bool
	epoch fsm.Epoch
}

// decision is what the leader, or in a planned move this node itself, knows of how the entry came about, and what its times are
// counted from.
func (a *auditor) decision(ctx context.Context, t turn) (start string, base timing) {
	base.epoch = t.epoch
	if !t.asked.IsZero() {
		base.known, base.Committed = true, max(1, t.at.Sub(t.asked).Microseconds())
		return "its release was asked for", base
	}
	for id := range a.view.State().Nodes {
		// Whoever led then may not lead any more.
		st, err := a.status(ctx, id)
		if err != nil {
			continue
		}
		for _, d := range st.Decisions {
			if d.Index == uint64(t.epoch) {
				base.known = true
				base.Suspect = d.SilentUS
				base.Promised = base.Suspect + d.PromisedUS
				base.Committed = base.Promised + d.CommittedUS
				return fmt.Sprintf("the last word of %s", d.Node), base
			}
		}
	}
	return "", base
}

// with adds what the owner says of an address, and when it was heard after the commit.
func (t timing) with(st api.NodeStatus, k fsm.AddressKey, heard time.Duration) fsm.Stages {
	out := t.Stages
	if !t.known {
		return fsm.Stages{}
	}
	if x, ok := present(st, k); x.Epoch == t.epoch {
		if x.AppliedUS > 0 || ok { // one that lingered there is in the kernel already
			out.Applied = out.Committed + x.AppliedUS
		}
		if x.AnnouncedUS > 0 {
			out.Announced = out.Committed + x.AnnouncedUS
		}
	}
	out.Verified = max(out.Committed+max(1, heard.Microseconds()), out.Applied) // the nodes' beginnings differ a little, see fsm.Stages
	return out
}

// inWords is the second half of a sentence.
func inWords(start string, t fsm.Stages) string {
	if t.Verified == 0 {
		return ""
	}
	var parts []string
	for _, x := range []struct {
		what string
		us   int64
	}{{"suspected", t.Suspect}, {"promised", t.Promised}, {"committed", t.Committed}, {"applied", t.Applied}, {"announced", t.Announced}} {
		if x.us > 0 {
			parts = append(parts, fmt.Sprintf("%s %.0f", x.what, float64(x.us)/1000))
		}
	}
	return fmt.Sprintf(", %.0f ms after %s (%s)", float64(t.Verified)/1000, start, strings.Join(parts, ", "))
}

// elsewhere asks for a release of what the owner has and nobody hears, and returns that. It needs more than this node's word that silence is
// the owner's fault: every other auditor that can be asked is asked, and one that hears the owner is enough to leave all as it is; and at
// least one of them must hear other nodes on that link. A VIP that came here in this way stays: there is no second try.
func (a *auditor) elsewhere(ctx context.Context, owner fsm.NodeID, keys []fsm.AddressKey) (away []fsm.AddressKey) {
	if len(keys) == 0 {
		return nil
	}
	s := a.view.State()
	var d fsm.Decide
	for _, k := range keys {
		rec := s.Assignments[k]
		if rec.Owner == owner && stands(s, k, rec.Epoch) && rec.Reason.Code != fsm.ReasonUnheard && !a.soon() && a.nobodyHears(ctx, s, owner, k) {
			away = append(away, k)
			d.Release = append(d.Release, fsm.StartRelease{Key: k, Epoch: rec.Epoch, Reason: fsm.Reason{Code: fsm.ReasonUnheard,
				Text: fmt.Sprintf("%s has it, was asked to announce it again, and %s hears no answer of it", owner, a.self)}})
		}
	}
	a.mu.Lock()
	soon := a.soonLocked()
	if len(away) > 0 && !soon {
		a.moved = time.Now()
	}
	a.mu.Unlock()
	if len(away) == 0 || soon {
		a.log.Warn("an owner is not heard, and its VIPs stay", "peer", string(owner), "vips", len(keys))
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := a.peers.Propose(limit, fsm.Command{Actor: string(a.self), Decide: &d}); err != nil && ctx.Err() == nil {
		a.log.Warn("a release was not committed", "peer", string(owner), "err", err)
	}
	return away
}

// soon reports whether this node has asked for a release a short time ago.
func (a *auditor) soon() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.soonLocked()
}

// soonLocked is soon for who holds mu.
func (a *auditor) soonLocked() bool { return !a.moved.IsZero() && time.Since(a.moved) < unheardEvery }

// nobodyHears reports whether no auditor hears the owner, and some hear others.
func (a *auditor) nobodyHears(ctx context.Context, s *fsm.State, owner fsm.NodeID, k fsm.AddressKey) bool {
	macs := a.ownerMACs(ctx, owner, true)
	if len(macs) == 0 {
		return false
	}
	sure := false
	for _, n := range fsm.Auditors(s, k) {
		if n == a.self {
			x := look(ctx, a.wire, s, a.self, []fsm.AddressKey{k}, 5*askEvery, false, true)[k]
			if _, ok := heardFrom(x, macs); ok || !x.asked {
				return false
			}
			sure = sure || x.peers
			continue
		}
		limit, cancel := context.WithTimeout(ctx, askLimit)
		list, err := a.peers.Look(limit, n, []fsm.AddressKey{k})
		cancel()
		if err != nil {
			continue
		}
		for _, x := range list {
			if x.Key != k {
				continue
			}
			for _, text := range x.MACs {
				var m probe.MAC
				if m.UnmarshalText([]byte(text)) == nil && slices.Contains(macs, m) {
					return false
				}
			}
			sure = sure || x.Hears
		}
	}
	return sure
}
