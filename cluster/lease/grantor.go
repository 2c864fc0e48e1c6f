package lease

import (
	"maps"
	"slices"
	"time"

	"quorate/fsm"
)

// grantor is the part that grants leases and promises to refuse them: design §3 Grantor and Fence. Its decisions depend on
// its floors, its set floor, its cap and its clock, never on how far it has applied: one that lags, or that is not in its own
// applied set, is as safe as any.
type grantor struct {
	// memory is what is refused from now on; disk is what is known to be durable. memory runs ahead of disk.
	memory, disk Durable
	saving       struct {
		seq   uint64 // of the Persist under way; 0 = none
		value Durable
		since time.Duration
	}
	saves   uint64
	promise time.Duration // smoothed time that a promise takes to become durable; -1 before the first

	// until is per node, never reset: the end, on RAW, of the longest grant that may be out. startUntil stands for what an
	// earlier process may have granted to anybody.
	until      map[fsm.NodeID]time.Duration
	startUntil time.Duration
	capUntil   time.Duration // grants longer than the applied ttl may be out until then

	asked map[fsm.NodeID]lastAsked

	term    uint64 // the highest that was heard of
	fences  map[fsm.NodeID]request[Fence]
	refuses *request[RefuseOlderSets]
}

// request is one that waits for its answer.
type request[B any] struct {
	from fsm.NodeID
	boot BootID
	body B
}

// lastAsked is the newest Renew of a node that was looked at.
type lastAsked struct {
	boot BootID
	seq  uint64
}

// maxNodes bounds what is kept per node. A Fence of another node is not promised and a Renew of another is refused.
const maxNodes = 1024

func newGrantor(d Durable, start Instant) grantor {
	if d.Floors == nil {
		d.Floors = make(map[fsm.NodeID]fsm.Epoch)
	}
	return grantor{
		memory:  d.Clone(),
		disk:    d.Clone(),
		promise: -1,
		until:   make(map[fsm.NodeID]time.Duration),
		// §3 Grantor: "After a start: until[every node] = start + cap·(1+ρ)/(1−ρ) + m".
		startUntil: start.Raw + grantSpan(d.Cap),
		capUntil:   start.Raw + grantSpan(d.Cap),
		asked:      make(map[fsm.NodeID]lastAsked),
		fences:     make(map[fsm.NodeID]request[Fence]),
	}
}

// fresh reports whether a Renew is newer than the last one of its sender that was looked at. A copy or a late one has
// nothing to say: neither does it show that the sender is still there, nor would its acknowledgement help it.
func (g *grantor) fresh(from fsm.NodeID, boot BootID, seq uint64) bool {
	last, ok := g.asked[from]
	if ok && last.boot == boot && seq <= last.seq {
		return false
	}
	if !ok && len(g.asked) >= maxNodes {
		return true
	}
	g.asked[from] = lastAsked{boot: boot, seq: seq}
	return true
}

// renew grants or refuses: §3 Grantor, "in one critical section". Zero means granted.
func (g *grantor) renew(now Instant, from fsm.NodeID, r Renew, v *view) Refusal {
	// §3: "refuses epochs ≤ floor[n]" — those promised in memory too: "refuses n at epochs ≤ e from now on".
	if r.Epoch <= g.memory.Floors[from] {
		return RefusedPromise
	}
	// §3: "sets older than its set floor".
	if r.GrantorIndex < g.memory.SetFloor {
		return RefusedSet
	}
	// §3: "ttl above its durable cap"; "the cap is raised on disk before the first longer grant".
	if r.TTL > v.ttl {
		// Somebody still asks for more than the applied profile: the cap may not be lowered for a while.
		g.capUntil = max(g.capUntil, now.Raw+grantSpan(r.TTL))
	}
	if r.TTL > g.limit() {
		g.raiseCap(r.TTL)
		return RefusedTTL
	}
	if _, ok := g.until[from]; !ok && len(g.until) >= maxNodes && !g.forgetPassed(now) {
		return RefusedFull
	}
	// §3: "else until[n] = max(until[n], now + ttl·(1+ρ)/(1−ρ) + m), acknowledges". "until is per node, never reset".
	g.until[from] = max(g.until[from], now.Raw+grantSpan(r.TTL))
	return 0
}

// forgetPassed drops the grants that have run out, which is no different from keeping them. It reports whether there was one.
func (g *grantor) forgetPassed(now Instant) bool {
	n := len(g.until)
	maps.DeleteFunc(g.until, func(_ fsm.NodeID, until time.Duration) bool { return until < now.Raw })
	return len(g.until) < n
}

// runOut is when the last grant to n, of this process or of an earlier one, has run out.
func (g *grantor) runOut(n fsm.NodeID) time.Duration { return max(g.until[n], g.startUntil) }

// limit is the longest ttl that may be granted: not above what is surely on disk, whichever way a write under way ends.
func (g *grantor) limit() time.Duration {
	l := min(g.memory.Cap, g.disk.Cap)
	if g.saving.seq != 0 {
		l = min(l, g.saving.value.Cap)
	}
	return l
}

func (g *grantor) raiseCap(ttl time.Duration) {
	if ttl > g.memory.Cap {
		g.memory.Cap = ttl
		g.memory.Promises++
	}
}

// applied takes over the applied ttl. A longer one raises the cap at once, so that the first longer Renew finds it raised.
func (g *grantor) applied(now Instant, old, v *view) {
	g.raiseCap(v.ttl)
	if v.ttl < old.ttl {
		g.capUntil = max(g.capUntil, now.Raw+grantSpan(old.ttl))
	}
}

// lowerCap lowers the cap "after the old cap has passed": when no grant longer than the applied ttl can be out, neither of
// this process nor of an earlier one, and nobody has asked for one for that long.
func (g *grantor) lowerCap(now Instant, v *view) {
	if v.known() && v.ttl < g.memory.Cap && now.Raw > g.capUntil {
		g.memory.Cap = v.ttl // the limit is lower at once; the disk follows
		g.memory.Promises++
	}
}

// hear notes a leader's term. It reports false for a term lower than the highest known.
func (g *grantor) hear(term uint64) bool {
	if term < g.term {
		return false
	}
	g.term = term
	return true
}

// fence takes the promise: §3 Fence. It is answered by answers, once it is durable and the grants have run out.
func (g *grantor) fence(from fsm.NodeID, boot BootID, f Fence) {
	// §3: "v (unless it knows a higher term) refuses n at epochs ≤ e from now on".
	if !g.hear(f.Term) {
		return
	}
	floor, known := g.memory.Floors[f.Node]
	if !known && len(g.memory.Floors) >= maxNodes {
		return
	}
	if f.Epoch > floor {
		g.memory.Floors[f.Node] = f.Epoch
		g.memory.Promises++
	}
	g.fences[f.Node] = request[Fence]{from: from, boot: boot, body: f}
}

// refuseOlder takes the promise to refuse older sets: §3 “Grantor changes”.
func (g *grantor) refuseOlder(from fsm.NodeID, boot BootID, r RefuseOlderSets) {
	if !g.hear(r.Term) {
		return
	}
	if r.Index > g.memory.SetFloor {
		g.memory.SetFloor = r.Index
		g.memory.Promises++
	}
	g.refuses = &request[RefuseOlderSets]{from: from, boot: boot, body: r}
}

// answers sends what is due: a promise that is durable and, for a Fence, whose grants have run out.
func (g *grantor) answers(now Instant, send func(fsm.NodeID, Body)) {
	if len(g.fences) > 0 {
		for _, n := range slices.Sorted(maps.Keys(g.fences)) {
			r := g.fences[n]
			f := r.body
			// §3 Fence: "makes that durable, waits until until[n] has passed, and answers".
			if g.disk.Floors[n] < f.Epoch || now.Raw <= g.runOut(n) {
				continue
			}
			delete(g.fences, n)
			if f.Term < g.term {
				continue // a newer leader has asked since, for this node or for another
			}
			send(r.from, FenceAnswer{Boot: r.boot, Seq: f.Seq, Term: f.Term, Node: f.Node, Epoch: f.Epoch, GrantorIndex: f.GrantorIndex})
		}
	}
	if r := g.refuses; r != nil && g.disk.SetFloor >= r.body.Index {
		g.refuses = nil
		if r.body.Term == g.term {
			send(r.from, SetAnswer{Boot: r.boot, Seq: r.body.Seq, Term: r.body.Term, Index: r.body.Index, Cap: max(g.disk.Cap, g.memory.Cap)})
		}
	}
}

// persist says what has to be written next, if anything. One write is under way at a time; what changes meanwhile goes into
// the next.
func (g *grantor) persist(now Instant) (Persist, bool) {
	if g.saving.seq != 0 || g.memory.Promises == g.disk.Promises {
		return Persist{}, false
	}
	g.saves++
	g.saving.seq, g.saving.value, g.saving.since = g.saves, g.memory.Clone(), now.Raw
	return Persist{Seq: g.saves, Durable: g.saving.value.Clone()}, true
}

// persisted takes over what was written.
func (g *grantor) persisted(now Instant, seq uint64) {
	if seq == 0 || seq != g.saving.seq {
		return
	}
	g.disk = g.saving.value
	g.saving.seq = 0
	took := now.Raw - g.saving.since
	if g.promise < 0 {
		g.promise = took
	} else {
		g.promise += (took - g.promise) / 4
	}
}

// orphans are the durable promises that reach or pass the agreed epoch of a node: §3 “Orphaned promises”.
func (g *grantor) orphans(v *view) []Orphan {
	var out []Orphan
	for _, n := range v.nodes {
		if floor, ok := g.disk.Floors[n]; ok && floor >= v.agreed(n) {
			if out = append(out, Orphan{Node: n, Floor: floor}); len(out) == maxOrphans {
				break
			}
		}
	}
	return out
}

// timer is when the grantor next has to be looked at.
func (g *grantor) timer(v *view) time.Duration {
	at := never
	for n := range g.fences {
		if g.disk.Floors[n] >= g.fences[n].body.Epoch {
			at = min(at, g.runOut(n)+1)
		}
	}
	if v.known() && v.ttl < g.memory.Cap {
		at = min(at, g.capUntil+1)
	}
	return at
}
