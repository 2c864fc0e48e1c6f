package notify

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"quorate/fsm"
)

// View gives the agreed state.
type View interface {
	State() *fsm.State
	Changed() <-chan struct{} // closed at the next change; get it before State
}

// Courier tells notifiers what the leader has to tell them. It runs while this node leads.
type Courier struct {
	Self    fsm.NodeID
	View    View
	Propose func(context.Context, fsm.Command) (fsm.Result, error)
	Open    func(fsm.Notifier) Channel // the package's, outside tests
	Log     *slog.Logger

	commits chan commit
}

// Bounds of the time between attempts.
const (
	firstBackOff = time.Second
	maxBackOff   = time.Minute
)

// commitPause is how long is waited after a commit that came to nothing.
const commitPause = 250 * time.Millisecond

// maxDeliveries bounds one entry.
const maxDeliveries = 64

// Run tells until ctx ends, which is when this node leads no more: then it drops what is under way, and the next leader tells it again.
func (c *Courier) Run(ctx context.Context) error {
	c.commits = make(chan commit)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { c.committer(ctx) })
	busy, ended := map[string]bool{}, make(chan string)
	for {
		changed := c.View.Changed()
		for _, name := range c.View.State().NotifiersByLeader() {
			if busy[name] {
				continue
			}
			busy[name] = true
			wg.Go(func() {
				(&worker{c: c, name: name}).run(ctx)
				select {
				case ended <- name:
				case <-ctx.Done():
				}
			})
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case name := <-ended: // its notifier was removed; by now there may be one of that name again
			delete(busy, name)
		}
	}
}

// commit is a delivery on its way into the log.
type commit struct {
	fsm.Delivery
	done chan error
}

// committer puts the deliveries of all workers into the log, those that come meanwhile in one entry.
func (c *Courier) committer(ctx context.Context) {
	for {
		var batch []commit
		select {
		case <-ctx.Done():
			return
		case x := <-c.commits:
			batch = append(batch, x)
		}
		for more := true; more && len(batch) < maxDeliveries; {
			select {
			case x := <-c.commits:
				batch = append(batch, x)
			default:
				more = false
			}
		}
		var d fsm.Delivered
		for _, x := range batch {
			d.Deliveries = append(d.Deliveries, x.Delivery)
		}
		_, err := c.Propose(ctx, fsm.Command{Actor: "notify", Delivered: &d})
		for _, x := range batch {
			x.done <- err
		}
	}
}

// deliver commits what came of an attempt; false = ctx has ended. It does not give up: otherwise what was told would be told again.
func (c *Courier) deliver(ctx context.Context, d fsm.Delivery) bool {
	done := make(chan error, 1)
	for {
		select {
		case <-ctx.Done():
			return false
		case c.commits <- commit{d, done}:
		}
		// The committer answers each; it ends with ctx.
		select {
		case <-ctx.Done():
			return false
		case err := <-done:
			if err == nil || errors.Is(err, fsm.ErrStale) || errors.Is(err, fsm.ErrInvalid) || errors.Is(err, fsm.ErrSchema) {
				return true // whether it counted, the state says
			}
			c.Log.Warn("what came of a notification is not in the log yet", "notifier", d.Notifier, "err", err)
		}
		if !pause(ctx, commitPause) {
			return false
		}
	}
}

// worker tells one notifier, one thing after the other.
type worker struct {
	c    *Courier
	name string

	tried fsm.Notifier // as it was at the last attempt
	next  time.Time    // not before; of the clock of this process
}

func (w *worker) run(ctx context.Context) {
	if o := w.c.View.State().Outbox[w.name]; o.Attempts > 0 {
		// Another leader has tried: its pause goes on, as far as the clocks agree.
		wait := backOff(o.Attempts)
		w.next = time.Now().Add(min(wait, max(0, wait-time.Since(o.Tried))))
		w.tried = w.c.View.State().Config.Notifiers[w.name]
	}
	for ctx.Err() == nil {
		changed := w.c.View.Changed()
		s := w.c.View.State()
		n := s.Config.Notifiers[w.name]
		task, ok := s.NextTask(w.name, time.Now(), most(n))
		if !ok {
			return
		}
		var until time.Time
		switch {
		case task.Suppress:
			w.settle(ctx, task, fsm.Delivery{Outcome: fsm.OutcomeSuppressed, To: task.To})
			continue
		case len(task.Events) == 0 && task.Summary == (fsm.Untold{}):
			until = task.Again
		case time.Now().Before(w.next) && reflect.DeepEqual(n, w.tried): // what an operator has changed may help at once
			until = w.next
		default:
			w.attempt(ctx, s, n, task)
			continue
		}
		var timer <-chan time.Time
		if !until.IsZero() {
			timer = time.After(max(time.Millisecond, time.Until(until)))
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer:
		}
	}
}

// attempt tells once, and notes what came of it.
func (w *worker) attempt(ctx context.Context, s *fsm.State, n fsm.Notifier, task fsm.Task) {
	w.tried = n
	limit, cancel := context.WithTimeout(ctx, n.Timeout())
	m := newMessage(s, w.c.Self, w.name, task)
	_, err := w.c.Open(n).Send(limit, m)
	late := errors.Is(limit.Err(), context.DeadlineExceeded)
	cancel()
	if ctx.Err() != nil {
		return // whoever leads next tells it again
	}
	d := fsm.Delivery{Outcome: fsm.OutcomeTold, To: task.To}
	if task.Summary != (fsm.Untold{}) {
		d.Outcome, d.Untold = fsm.OutcomeSummarized, task.Totals
	}
	if err != nil {
		d = w.failed(s, n, task, d, err, late)
	} else {
		w.next = time.Time{}
		w.c.Log.Debug("told", "notifier", w.name, "id", m.ID(), "events", len(m.Events))
	}
	w.settle(ctx, task, d)
}

// failed is what a failed attempt means for the delivery.
func (w *worker) failed(s *fsm.State, n fsm.Notifier, task fsm.Task, d fsm.Delivery, err error, late bool) fsm.Delivery {
	o := s.Outbox[w.name]
	wait := backOff(o.Attempts + 1)
	var refused Refused
	var later Later
	if errors.As(err, &later) {
		wait = max(wait, later.After)
	}
	if late {
		err = errors.Join(errors.New("no answer within "+n.Timeout().String()), err)
	}
	// Half of it at random, so that clusters do not come in step with what they overload.
	w.next = time.Now().Add(wait/2 + rand.N(wait/2+1))
	d.Error = clip(err.Error(), 400)
	w.c.Log.Warn("a notification failed", "notifier", w.name, "attempt", o.Attempts+1, "again", time.Until(w.next).Round(time.Millisecond).String(), "err", err)
	now := time.Now()
	gone := errors.As(err, &refused)
	if d.Outcome == fsm.OutcomeSummarized {
		// What is in the summary is in the state, too; it must not stand in the way of events for ever.
		if !gone && (o.Failing.IsZero() || now.Sub(o.Failing) < n.Retry()) {
			d.Outcome, d.Untold = fsm.OutcomeFailed, fsm.Untold{}
		}
		return d
	}
	if gone {
		d.Outcome = fsm.OutcomeGivenUp
		return d
	}
	d.Outcome = fsm.OutcomeFailed
	for _, e := range task.Events {
		if now.Sub(e.At) < n.Retry() {
			break
		}
		p := e.Place()
		d.Outcome, d.To = fsm.OutcomeGivenUp, fsm.Place{Index: p.Index, N: p.N + 1}
	}
	return d
}

// settle commits a delivery. One that does not count is not tried at once again: what was told before would be told in a loop.
func (w *worker) settle(ctx context.Context, task fsm.Task, d fsm.Delivery) {
	d.Notifier, d.From = w.name, task.From
	before := w.c.View.State().Outbox[w.name]
	if w.c.deliver(ctx, d) && reflect.DeepEqual(before, w.c.View.State().Outbox[w.name]) {
		pause(ctx, time.Second)
	}
}

// backOff is the longest pause after so many failures in a row.
func backOff(failures int) time.Duration {
	return min(maxBackOff, firstBackOff<<min(max(failures-1, 0), 10))
}

// pause reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
