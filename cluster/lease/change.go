package lease

import (
	"time"

	"quorate/fsm"
)

// setChange is the permission to replace the current grantor set: design §3 “Grantor changes". "The next change may be
// proposed only after a majority of the current set has durably refused Renews naming older sets and cap·(1+ρ)/(1−ρ) + m has
// passed". Then no live lease rests on a set older than the current one, and it shares a voter with any majority of the
// next.
type setChange struct {
	index   uint64        // the current set's
	since   time.Duration // RAW at which this leader first saw it
	asking  bool
	send    time.Duration
	answers []setAnswered
	passed  time.Duration // RAW at which the wait is over; 0 before a majority has answered
	allowed bool
	say     time.Duration
}

type setAnswered struct {
	by  fsm.Grantor
	cap time.Duration
}

func (c *setChange) applied(now Instant, v *view) {
	if c.index != v.set.Index {
		*c = setChange{index: v.set.Index, since: now.Raw}
	}
}

func (c *setChange) tick(now Instant, v *view, f *fencer, p port) {
	if c.index == 0 || len(v.set.Members) == 0 {
		return
	}
	if !c.asking {
		// §3: "the leader asks for that when all live holders have applied the current set, or after 10 s". For one 2·T the
		// leader does not know yet who is alive.
		c.asking = now.Raw-c.since >= changeAfter ||
			now.Raw-max(c.since, f.since) >= 2*v.ttl && f.reports.allApplied(now, v)
		if !c.asking {
			return
		}
	}
	switch {
	case c.allowed:
		if now.Raw >= c.say {
			c.say = now.Raw + repeat
			p.emit(GrantorChangeAllowed{Index: c.index, Term: f.term})
		}
	case c.passed != 0:
		if now.Raw > c.passed {
			c.allowed = true
			c.tick(now, v, f, p)
		}
	case now.Raw >= c.send:
		c.send = now.Raw + max(v.renew, 20*time.Millisecond)
		f.seq++
		for _, g := range v.set.Members {
			if !c.has(g) {
				p.send(g.Node, RefuseOlderSets{Term: f.term, Seq: f.seq, Index: c.index})
			}
		}
	}
}

func (c *setChange) has(g fsm.Grantor) bool {
	for _, a := range c.answers {
		if a.by == g {
			return true
		}
	}
	return false
}

// answer counts a grantor that refuses older sets durably. The wait is begun by the answer that makes the majority, and
// is as long as the longest grant that one of the answering grantors may have out.
func (c *setChange) answer(now Instant, from fsm.Grantor, a SetAnswer, f *fencer, v *view) {
	if !f.leading || a.Boot != f.boot || a.Term != f.term || a.Index != c.index || c.passed != 0 {
		return
	}
	if c.index != v.set.Index || !v.set.Has(from) || c.has(from) {
		return
	}
	c.answers = append(c.answers, setAnswered{by: from, cap: a.Cap})
	if len(c.answers) < v.set.Majority() {
		return
	}
	longest := v.ttl
	for _, a := range c.answers {
		longest = max(longest, a.cap)
	}
	c.passed = now.Raw + grantSpan(longest)
}

func (c *setChange) timer() time.Duration {
	switch {
	case c.allowed:
		return c.say
	case c.passed != 0:
		return c.passed + 1
	case c.asking:
		return c.send
	}
	return never
}
