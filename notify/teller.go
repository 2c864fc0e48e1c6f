package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate/fsm"
)

// saveEvery is how often at most the disk learns what has states that were written into pipes. Of scripts it learns all at once.
const saveEvery = time.Second

// untold stands for a state that is being told, or of which an agent that was killed has not written down whether it was: the present one is told anew.
const untold State = ""

// Teller tells the notifiers that each node carries out itself: whenever something has another state than they were told last, also by an agent that
// ran here before.
type Teller struct {
	self fsm.NodeID
	path string
	save func(path string, content []byte) error
	log  *slog.Logger

	ready chan struct{} // closed when Run has begun
	disk  sync.Mutex    // held while the file is written; taken before mu

	mu      sync.Mutex
	ctx     context.Context // of Run; nil = it does not run
	stopped bool
	desks   map[string]*desk
	wg      sync.WaitGroup
	unsaved bool
}

// page is the content of the file: what each notifier was told last. Of a pipe it is only what has a state: its lines are too many to write each down
// before and after, and an agent that starts tells all states, as keepalived does.
type page map[string][]Transition

// NewTeller reads what was told before from the file at path; save replaces that. An error means that it starts as if nothing had been told.
func NewTeller(self fsm.NodeID, path string, save func(string, []byte) error, log *slog.Logger) (*Teller, error) {
	t := &Teller{self: self, path: path, save: save, log: log, ready: make(chan struct{}), desks: map[string]*desk{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	var p page
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return t, fmt.Errorf("what notifiers were told last is not known, and they are told all states: %s: %w", path, err)
	}
	for name, list := range p {
		d := newDesk()
		for _, x := range list {
			d.told[x.Subject], d.last[x.Subject] = x.State, x.State
		}
		t.desks[name] = d
	}
	return t, nil
}

// Ready is closed when Run has begun: what is seen before that is lost.
func (t *Teller) Ready() <-chan struct{} { return t.ready }

// Run tells until ctx ends. A Teller runs once.
func (t *Teller) Run(ctx context.Context) error {
	t.mu.Lock()
	t.ctx = ctx
	t.mu.Unlock()
	close(t.ready)
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	defer func() {
		t.mu.Lock()
		t.ctx = nil
		t.mu.Unlock()
		t.wg.Wait()
		t.keep()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			t.keep()
		}
	}
}

// See compares what there is with what was told, and queues the difference. scene is what Look finds by the state s.
func (t *Teller) See(s *fsm.State, scene Scene) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx == nil || t.ctx.Err() != nil || t.stopped {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Config.Notifiers)) {
		n := s.Config.Notifiers[name]
		if !mine(n, t.self) {
			continue
		}
		d := t.desks[name]
		if d == nil {
			d = newDesk()
			t.desks[name] = d
		}
		if d.stop == nil || !reflect.DeepEqual(d.notifier, n) {
			t.open(d, n)
		}
		d.push(d.compare(s, n, t.self, scene))
	}
	for name, d := range t.desks {
		if n, stays := s.Config.Notifiers[name]; !stays || !mine(n, t.self) {
			if d.stop != nil {
				d.stop()
			}
			delete(t.desks, name)
			t.unsaved = true
		}
	}
}

// mine reports whether node self carries the notifier out.
func mine(n fsm.Notifier, self fsm.NodeID) bool {
	return n.Where() == fsm.ByNode && (len(n.Nodes) == 0 || slices.Contains(n.Nodes, self))
}

// open starts a worker for the notifier as it is now, which begins when the one before it has ended.
func (t *Teller) open(d *desk, n fsm.Notifier) {
	before := d.done
	if d.stop != nil {
		d.stop()
	}
	ctx, stop := context.WithCancel(t.ctx)
	done := make(chan struct{})
	d.notifier, d.stop, d.done = n, stop, done
	t.wg.Go(func() {
		defer close(done)
		defer stop()
		if before != nil {
			<-before
		}
		t.work(ctx, d, n)
	})
}

// work tells one thing after the other.
func (t *Teller) work(ctx context.Context, d *desk, n fsm.Notifier) {
	var out teller
	if n.FIFO != nil {
		out = &pipe{path: n.FIFO.Path}
	} else {
		out = runner{t.self, n}
	}
	defer out.close()
	for {
		t.mu.Lock()
		var x Transition
		some := len(d.queue) > 0
		if d.busy = some; some {
			x = d.queue[0]
			d.queue = d.queue[1:]
			t.begin(d, n, x)
		} else if d.idle != nil {
			close(d.idle)
			d.idle = nil
		}
		t.mu.Unlock()
		if !some {
			select {
			case <-ctx.Done():
				return
			case <-d.news:
			}
			continue
		}
		if n.Script != nil {
			t.keep()
		}
		err := out.tell(ctx, x)
		t.mu.Lock()
		if ctx.Err() != nil && err != nil { // it has not been told; the next worker does it, or the next agent
			d.busy = false
			d.queue = slices.Insert(d.queue, 0, x)
			t.mu.Unlock()
			return
		}
		t.note(d, n, x, err)
		t.mu.Unlock()
		if n.Script != nil {
			t.keep()
		}
	}
}

// begin notes that something is about to be told, which is to be on the disk before a script runs: otherwise one that ran just before its agent was killed could be the
// last word, and a wrong one.
func (t *Teller) begin(d *desk, n fsm.Notifier, x Transition) {
	if n.Script != nil {
		d.told[x.Subject] = untold
		t.unsaved = true
	}
}

// note remembers that something was told, or that it was tried.
func (t *Teller) note(d *desk, n fsm.Notifier, x Transition, err error) {
	d.status.At, d.status.Error = time.Now(), ""
	if err != nil {
		d.status.Failed++
		d.status.Error = fmt.Sprintf("%s %s %s: %v", x.Kind, x.Name, x.State, err)
		t.log.Warn("a notification failed", "notifier", n.Name, "kind", string(x.Kind), "name", x.Name, "state", string(x.State), "err", err)
	} else {
		d.status.Told++
		t.log.Debug("told", "notifier", n.Name, "kind", string(x.Kind), "name", x.Name, "state", string(x.State))
	}
	_, known := d.told[x.Subject]
	if d.told[x.Subject] = x.State; x.State == Deleted {
		delete(d.told, x.Subject)
	}
	if n.Script != nil || !known || x.State == Deleted {
		t.unsaved = true
	}
}

// keep writes down what was told. A disk that takes its time holds up those who tell by script, and nobody else. It costs what a write to the disk does, so pipes wait for
// the next tick.
func (t *Teller) keep() {
	t.disk.Lock()
	defer t.disk.Unlock()
	t.mu.Lock()
	if !t.unsaved {
		t.mu.Unlock()
		return
	}
	p := t.page()
	t.unsaved = false
	t.mu.Unlock()
	b, err := json.Marshal(p)
	if err == nil {
		err = t.save(t.path, b)
	}
	if err != nil {
		t.log.Warn("what notifiers were told is kept in memory alone: after a restart they are told again", "reason", err)
	}
}

// page is what the file is to hold now.
func (t *Teller) page() page {
	p := page{}
	for name, d := range t.desks {
		list := []Transition{}
		for x, state := range d.told {
			switch {
			case d.notifier.FIFO == nil:
				list = append(list, Transition{x, state})
			case x.Kind == Instance || x.Kind == Group:
				list = append(list, Transition{x, untold})
			}
		}
		slices.SortFunc(list, func(a, b Transition) int {
			return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name), strings.Compare(a.Service, b.Service))
		})
		p[name] = list
	}
	return p
}

// Halt tells that this node carries nothing any more.
func (t *Teller) Halt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.halt()
}

// halt queues STOP for all that has another state.
func (t *Teller) halt() {
	for _, d := range t.desks {
		if d.stop == nil {
			continue
		}
		var fresh []Transition
		for x, state := range d.last {
			if (x.Kind == Instance || x.Kind == Group) && state != Stop {
				fresh = append(fresh, Transition{x, Stop})
			}
		}
		d.push(fresh)
	}
}

// Stop tells that this node stops, and returns when that is told or ctx ends. It sees nothing more afterwards.
func (t *Teller) Stop(ctx context.Context) {
	t.mu.Lock()
	t.stopped = true
	t.halt()
	t.mu.Unlock()
	_ = t.settle(ctx)
}

// settle returns when all is told that waits now, or with the error of ctx.
func (t *Teller) settle(ctx context.Context) error {
	var idle []chan struct{}
	t.mu.Lock()
	for _, d := range t.desks {
		if d.idle == nil && d.stop != nil && (d.busy || len(d.queue) > 0) {
			d.idle = make(chan struct{})
		}
		if d.idle != nil {
			idle = append(idle, d.idle)
		}
	}
	t.mu.Unlock()
	for _, c := range idle {
		select {
		case <-c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Status is how the notifiers of this node do, by name.
func (t *Teller) Status() (out []NodeNotifier) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(t.desks)) {
		d := t.desks[name]
		if d.stop == nil {
			continue
		}
		st := d.status
		st.Notifier, st.Waiting = name, len(d.queue)
		if d.busy {
			st.Waiting++
		}
		out = append(out, st)
	}
	return out
}

// Test tells a notifier of this node something that has not happened: the state STOP of an instance that does not exist. It does not wait for its turn.
func (t *Teller) Test(ctx context.Context, n fsm.Notifier) (string, error) {
	x := Transition{Subject{Kind: Instance, Name: "quorate-test"}, Stop}
	if n.FIFO != nil {
		p := &pipe{path: n.FIFO.Path}
		defer p.close()
		return "written: " + strings.TrimSpace(x.Line()), p.tell(ctx, x)
	}
	ctx, cancel := context.WithTimeout(ctx, n.Timeout())
	defer cancel()
	return runner{t.self, n}.run(ctx, x, "QUORATE_TEST=1")
}

// teller is how a notifier of a node is told. tell returns an error when ctx has ended before it was.
type teller interface {
	tell(ctx context.Context, x Transition) error
	close()
}
