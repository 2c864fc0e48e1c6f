package agent

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"quorate/fsm"
	"quorate/lvs/suspect"
)

// maxHints bounds the servers of one question.
const maxHints = 1024

// hintQuestion asks an observer to probe servers now.
type hintQuestion struct {
	From    fsm.NodeID      `json:"from"` // who carries the services
	Servers []fsm.ServerKey `json:"servers"`
}

// hintAnswer says how many of them are probed for it.
type hintAnswer struct {
	Taken int `json:"taken"`
}

// reasonAsked is the reason of hints that another node has sent, beside those of package suspect.
const reasonAsked suspect.Reason = "asked"

// hintDesk takes the hints of other nodes. A node may only hint at servers of services that it carries, and as often as the rate allows: whatever it says costs some
// probes at most.
type hintDesk struct {
	mu   sync.Mutex
	rate hintRate
}

// take returns those of the servers that are to be probed for it.
func (d *hintDesk) take(s *fsm.State, q hintQuestion, now time.Time) (out []fsm.ServerKey, err error) {
	if len(q.Servers) > maxHints {
		return nil, fmt.Errorf("hints at %d servers, at most %d are taken at once", len(q.Servers), maxHints)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rate == nil {
		d.rate = hintRate{}
	}
	d.rate.keep(func(k fsm.ServerKey) bool { return s.Servers[k].Verdict == fsm.Up })
	for _, k := range q.Servers {
		svc, known := s.Config.Services[k.Service]
		if !known || s.Servers[k].Verdict != fsm.Up || !slices.Contains(s.OwnersOf(k.Service), q.From) {
			continue
		}
		if interval := passiveInterval(svc); interval > passiveLook && d.rate.allow(k, interval, now) {
			out = append(out, k)
		}
	}
	return out, nil
}

// hinted answers another node that asks for probes.
func (a *Agent) hinted(q hintQuestion) (hintAnswer, error) {
	take, err := a.hints.take(a.node.State(), q, time.Now())
	if err != nil || len(take) == 0 {
		return hintAnswer{}, err
	}
	for range take {
		a.metrics.hint(reasonAsked)
	}
	a.hint(take)
	return hintAnswer{len(take)}, nil
}

// askProbes asks an observer to probe servers.
func (a *Agent) askProbes(ctx context.Context, observer fsm.NodeID, servers []fsm.ServerKey) error {
	var out hintAnswer
	return a.node.Query(ctx, observer, question{Hint: &hintQuestion{From: a.o.Name, Servers: servers}}, &out)
}

// hint has this node's probes of the servers made now.
func (a *Agent) hint(servers []fsm.ServerKey) { a.engine.Hint(a.observer.probesOf(servers)...) }

// probesOf are the IDs of the probes of some servers that this node has.
func (o *observer) probesOf(servers []fsm.ServerKey) (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range servers {
		out = append(out, o.servers[k].ids...)
	}
	return out
}
