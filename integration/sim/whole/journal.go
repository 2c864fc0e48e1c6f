package whole

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"quorate/cluster"
	"quorate/fsm"
)

// verdict is what a client knows of a command that it sent.
type verdict uint8

const (
	uncertain verdict = iota // it may have happened, once
	done                     // acknowledged
	refused                  // said not to have happened
)

// writers is how many clients record events at the same time.
const writers = 2

// journal is what clients were told.
type journal struct {
	mu      sync.Mutex
	events  map[string]verdict
	acked   uint64 // the highest index that was acknowledged
	configs []configured
}

// configured is one configuration that was proposed.
type configured struct {
	base, version uint64
	tag           string
	verdict       verdict
}

func (j *journal) init() { j.events = map[string]verdict{} }

// verdict of an answer that p gave. What a process says that is dead already, nobody hears.
func (w *World) verdict(p *process, err error) verdict {
	w.mu.Lock()
	dead := p.dead
	w.mu.Unlock()
	var ps fsm.Problems
	switch {
	case dead:
		return uncertain
	case err == nil:
		return done
	case errors.Is(err, cluster.ErrUncertain):
		return uncertain
	case errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrNoMembership), errors.Is(err, fsm.ErrConflict), errors.As(err, &ps):
		return refused
	default:
		w.tracef("%s: an error of an unknown kind: %v", p.m.id, err)
		w.did("odd error")
		return uncertain
	}
}

func (j *journal) acknowledge(index uint64) { j.acked = max(j.acked, index) }

func (j *journal) configured(c fsm.Configure, r fsm.Result, v verdict) {
	j.mu.Lock()
	defer j.mu.Unlock()
	x := configured{base: c.Base, version: r.Index, verdict: v}
	for tag := range c.Config.Groups {
		x.tag = tag
	}
	j.configs = append(j.configs, x)
	if v == done {
		j.acknowledge(r.Index)
	}
}

// write records one event after the other, each with a text of its own.
func (w *World) write(client int) {
	w.mu.Lock()
	rng := w.random()
	w.mu.Unlock()
	j := &w.journal
	for n := 0; pause(w.chaos, below(rng, 150*time.Millisecond)); n++ {
		_, p := w.any(rng)
		if p == nil {
			continue
		}
		text := fmt.Sprintf("c%d-%d", client, n)
		ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond+below(rng, 2*time.Second))
		r, err := p.propose(ctx, fsm.Command{Actor: "client", Record: &fsm.Record{Event: fsm.Event{Text: text}}})
		cancel()
		v := w.verdict(p, err)
		j.mu.Lock()
		if j.events[text] = v; v == done {
			j.acknowledge(r.Index)
		}
		j.mu.Unlock()
		w.did([]string{"write uncertain", "write done", "write refused"}[v])
	}
}

// read asks nodes for the present state.
func (w *World) read() {
	w.mu.Lock()
	rng := w.random()
	w.mu.Unlock()
	j := &w.journal
	for pause(w.chaos, below(rng, 200*time.Millisecond)) {
		m, p := w.any(rng)
		if p == nil {
			continue
		}
		j.mu.Lock()
		acked := j.acked
		j.mu.Unlock()
		ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond+below(rng, time.Second))
		s, err := p.read(ctx)
		cancel()
		switch {
		case err != nil:
			w.did("read failed")
		case s.Index < acked:
			w.fail("a read at %s gave entry %d, though %d had been acknowledged before", m.id, s.Index, acked)
		default:
			w.did("read done")
		}
	}
}

// propose is a client's: a frozen process neither hears it nor answers.
func (p *process) propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	if !p.reach(ctx) {
		return fsm.Result{}, fmt.Errorf("%w: %w", cluster.ErrUncertain, errFrozen)
	}
	defer p.wait()
	return p.node.Propose(ctx, c)
}

// read is a client's too.
func (p *process) read(ctx context.Context) (*fsm.State, error) {
	if !p.reach(ctx) {
		return nil, errFrozen
	}
	defer p.wait()
	return p.node.Read(ctx)
}

// checkJournal compares what clients were told with what the cluster has agreed in the end.
func (w *World) checkJournal() {
	w.mu.Lock()
	s := w.latest
	w.mu.Unlock()
	if len(s.Events) == fsm.MaxEvents {
		w.fail("the schedule made too many events to see all of them")
		return
	}
	times := map[string]int{}
	for i, e := range s.Events {
		if i > 0 && e.Index < s.Events[i-1].Index {
			w.fail("the event of entry %d comes after that of entry %d", e.Index, s.Events[i-1].Index)
		}
		if e.Kind == fsm.EventReported {
			times[e.Text]++
		}
	}
	j := &w.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	for text, v := range j.events {
		switch n := times[text]; {
		case v == done && n == 0:
			w.fail("event %s was acknowledged, and is lost", text)
		case v == refused && n > 0:
			w.fail("event %s was said not to have been recorded, and was", text)
		case n > 1:
			w.fail("event %s was recorded %d times", text, n)
		}
	}
	w.checkConfigs(s)
}

// checkConfigs: each configuration replaced the one that its operator had seen.
func (w *World) checkConfigs(s *fsm.State) {
	tags := map[uint64]string{}
	on := map[uint64]uint64{}
	for _, c := range w.journal.configs {
		_, is := s.Config.Groups[c.tag]
		switch {
		case c.verdict == refused && is:
			w.fail("configuration %s was said not to have been applied, and was", c.tag)
		case c.verdict == done && c.version > s.ConfigVersion:
			w.fail("configuration %d was acknowledged, and the last one is %d", c.version, s.ConfigVersion)
		}
		if c.verdict == done {
			if other := on[c.base]; other != 0 {
				w.fail("configurations %d and %d both replaced %d", other, c.version, c.base)
			}
			on[c.base], tags[c.version] = c.version, c.tag
		}
	}
	if tag, ok := tags[s.ConfigVersion]; ok {
		if _, is := s.Config.Groups[tag]; !is {
			w.fail("configuration %d is not the one that was acknowledged under this version", s.ConfigVersion)
		}
	}
}
