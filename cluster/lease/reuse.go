package lease

import "time"

// slab is storage of values that are valid until the next reset.
type slab[T any] struct {
	values []*T
	used   int
}

func (s *slab[T]) put(v T) *T {
	if s.used == len(s.values) {
		s.values = append(s.values, new(T))
	}
	p := s.values[s.used]
	s.used++
	*p = v
	return p
}

// outputs are the outputs of one Step that every round has. With reuse they are pointers into storage that the next Step uses
// again, so that a renewal allocates nothing; without, which is for whoever keeps outputs, they are values.
type outputs struct {
	reuse   bool
	sends   slab[Send]
	changes slab[LeaseChanged]
	renews  slab[Renew]
	acks    slab[Ack]
	reports slab[Report]
}

func (o *outputs) reset() {
	o.sends.used, o.changes.used, o.renews.used, o.acks.used, o.reports.used = 0, 0, 0, 0, 0
}

func (o *outputs) send(v Send) Output {
	if o.reuse {
		return o.sends.put(v)
	}
	return v
}

func (o *outputs) change(v LeaseChanged) Output {
	if o.reuse {
		return o.changes.put(v)
	}
	return v
}

func (o *outputs) renew(v Renew) Body {
	if o.reuse {
		return o.renews.put(v)
	}
	return v
}

func (o *outputs) ack(v Ack) Body {
	if o.reuse {
		return o.acks.put(v)
	}
	return v
}

func (o *outputs) report(v Report) Body {
	if o.reuse {
		return o.reports.put(v)
	}
	return v
}

// parser reads messages, one at a time, without allocating for those that every round has.
type parser struct {
	names  map[string]string // of nodes, stores and networks; only holders of the cluster key can add one
	in     Received
	renew  Renew
	ack    Ack
	report Report
}

// maxNames bounds the names that are kept.
const maxNames = 4096

func newParser() parser { return parser{names: make(map[string]string)} }

// received is the input that a plain form makes, valid until the next call.
func (p *parser) received(b []byte) (*Received, error) {
	var err error
	p.in.From, p.in.Msg, err = unmarshal(reader{b: b, keep: p})
	return &p.in, err
}

func (p *parser) name(b []byte) string {
	if s, ok := p.names[string(b)]; ok {
		return s
	}
	if len(p.names) >= maxNames {
		clear(p.names)
	}
	s := string(b)
	p.names[s] = s
	return s
}

// lateness follows the rounds of Renews: how much later than planned each went out.
type lateness struct {
	planned time.Duration // RAW of the next round; 0 = none is planned
	last    time.Duration
	round   bool // this Step had a round
}

// sent notes a round at now; the next is planned for next.
func (l *lateness) sent(now, next time.Duration) {
	l.last = 0
	if l.planned != 0 {
		l.last = max(0, now-l.planned) // a round may come early, with those of its peers
	}
	l.planned, l.round = next, true
}
