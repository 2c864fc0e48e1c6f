package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quorate/fsm"
)

// agreement is a log and its state, as all nodes of a cluster share them. It may lose the answer to a proposal, and refuse for some time.
type agreement struct {
	mu      sync.Mutex
	state   *fsm.State
	changed chan struct{}
	down    bool // nothing can be committed
	deaf    func() bool
	commits int
}

var errNoQuorum = errors.New("no quorum")

func (a *agreement) State() *fsm.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

func (a *agreement) Changed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

func (a *agreement) propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	time.Sleep(2 * time.Millisecond) // a round trip
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return fsm.Result{}, errNoQuorum
	}
	c.At, c.Schema = time.Now(), fsm.MaxSchema
	b, err := fsm.Encode(c)
	if err == nil {
		c, err = fsm.Decode(b)
	}
	if err != nil {
		return fsm.Result{}, err
	}
	next, res := a.state.Apply(a.state.Index+1, c)
	a.state = next
	a.commits++
	close(a.changed)
	a.changed = make(chan struct{})
	if a.deaf != nil && a.deaf() {
		return fsm.Result{}, errNoQuorum // it is in the log, and the proposer does not know
	}
	return res, res.Err
}

func (a *agreement) entries() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.commits
}

func (a *agreement) must(t *testing.T, c fsm.Command) {
	t.Helper()
	if _, err := a.propose(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// agree forms a cluster with notifiers and the VIP web.
func agree(t *testing.T, notifiers ...fsm.Notifier) *agreement {
	t.Helper()
	a := &agreement{state: fsm.New(), changed: make(chan struct{})}
	a.must(t, fsm.Command{Init: &fsm.Init{ClusterID: "c1", Node: fsm.Node{ID: "n1", Store: "s1", Role: fsm.Director, Facts: fsm.Facts{Schema: fsm.MaxSchema}}}})
	c := fsm.Config{VIPs: map[string]fsm.VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}}, Notifiers: map[string]fsm.Notifier{}}
	for _, n := range notifiers {
		c.Notifiers[n.Name] = n
	}
	a.must(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}})
	return a
}

func (a *agreement) event(t *testing.T, text string) {
	t.Helper()
	a.must(t, fsm.Command{Record: &fsm.Record{Event: fsm.Event{VIP: "web", Text: text}}})
}

// receiver is who is told. It remembers all, and answers as its mood says.
type receiver struct {
	mu   sync.Mutex
	got  []Message
	mood func(ctx context.Context, m Message) error
}

func (r *receiver) Send(ctx context.Context, m Message) (string, error) {
	r.mu.Lock()
	r.got = append(r.got, m)
	mood := r.mood
	r.mu.Unlock()
	if mood != nil {
		return "", mood(ctx, m)
	}
	return "", nil
}

// texts are the events in the order in which they first came, and how many came again.
func (r *receiver) texts(t *testing.T) (texts []string, again int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]string{}
	for _, m := range r.got {
		for _, e := range m.Events {
			if was, ok := seen[e.ID]; ok {
				if again++; was != e.Text {
					t.Errorf("id %s is of %q and of %q", e.ID, was, e.Text)
				}
				continue
			}
			seen[e.ID] = e.Text
			texts = append(texts, e.Text)
		}
	}
	return texts, again
}

// all are the messages so far.
func (r *receiver) all() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func hook(name string) fsm.Notifier {
	return fsm.Notifier{Name: name, Events: []fsm.EventKind{fsm.EventReported}, Webhook: &fsm.Webhook{URL: "https://hooks.example.org/"}}
}

func courier(a *agreement, to map[string]*receiver) *Courier {
	return &Courier{Self: "n1", View: a, Propose: a.propose, Log: slog.New(slog.DiscardHandler), Open: func(n fsm.Notifier) Channel { return to[n.Name] }}
}

// lead runs a courier until stop is called.
func lead(t *testing.T, c *Courier) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// A hundred flaps while leaders come and go in the midst of everything: each is told in order, none is missing, and what comes twice has the same id.
func TestLeadersComeAndGo(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				var mu sync.Mutex
				draw := func(of int) int {
					mu.Lock()
					defer mu.Unlock()
					return rnd.IntN(of)
				}
				chance := func(of int) bool { return draw(of) == 0 }
				a := agree(t, hook("hook"), hook("other"))
				a.deaf = func() bool { return chance(8) }
				r := &receiver{mood: func(ctx context.Context, m Message) error {
					switch {
					case chance(6):
						return errors.New("HTTP 500")
					case chance(10): // it has it, and nobody learns of that
						<-ctx.Done()
						return ctx.Err()
					}
					time.Sleep(20 * time.Millisecond)
					return nil
				}}
				stop := lead(t, courier(a, map[string]*receiver{"hook": r, "other": {}}))
				var want []string
				for i := range 100 {
					want = append(want, fmt.Sprintf("flap %d", i))
					// It is in the log, whatever the answer: this model loses that alone.
					_, _ = a.propose(t.Context(), fsm.Command{Record: &fsm.Record{Event: fsm.Event{Text: want[i]}}})
					time.Sleep(time.Duration(draw(50)) * time.Millisecond)
					if chance(10) {
						stop()
						stop = lead(t, courier(a, map[string]*receiver{"hook": r, "other": {}}))
					}
				}
				time.Sleep(30 * time.Minute)
				stop()
				got, again := r.texts(t)
				if !slices.Equal(got, want) {
					t.Errorf("told %d: %q", len(got), got)
				}
				t.Logf("%d came again", again)
				if o := a.State().Outbox["hook"]; o.Told != 100 || o.Untold.Sum() != 0 {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

// One that hangs, or is refused for ever, does not hold back the others; it is tried again with pauses, given up in time, and said to have been.
func TestFailingOneHoldsBackNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := agree(t, hook("hangs"), hook("down"), hook("wrong"), hook("well"))
		var down atomic.Bool
		down.Store(true)
		to := map[string]*receiver{
			"hangs": {mood: func(ctx context.Context, _ Message) error { <-ctx.Done(); return ctx.Err() }},
			"wrong": {mood: func(context.Context, Message) error { return Refused{errors.New("HTTP 404 Not Found")} }},
			"well":  {},
		}
		to["down"] = &receiver{mood: func(context.Context, Message) error {
			if down.Load() {
				return errors.New("connection refused")
			}
			return nil
		}}
		stop := lead(t, courier(a, to))
		began := time.Now()
		a.event(t, "one")
		synctest.Wait()
		time.Sleep(10 * time.Millisecond)
		if got, _ := to["well"].texts(t); !slices.Equal(got, []string{"one"}) || time.Since(began) > 50*time.Millisecond {
			t.Errorf("well was told %q within %v", got, time.Since(began))
		}
		time.Sleep(time.Minute)
		if o := a.State().Outbox["wrong"]; o.Untold.GivenUp != 1 || o.Error != "HTTP 404 Not Found" || len(to["wrong"].all()) > 8 {
			t.Errorf("wrong: %+v after %d attempts", o, len(to["wrong"].all()))
		}
		if n := len(to["down"].all()); n < 4 || n > 12 {
			t.Errorf("down was tried %d times in a minute", n)
		}
		commits := a.entries()
		time.Sleep(2 * time.Hour)
		if n := len(to["down"].all()); n > 12+2*120 {
			t.Errorf("down was tried %d times in two hours", n)
		}
		if made := a.entries() - commits; made > 3*2*120+100 {
			t.Errorf("%d entries in two hours", made)
		}
		for _, name := range []string{"hangs", "down"} {
			if o := a.State().Outbox[name]; o.Untold.GivenUp != 1 || !o.Alarmed || !o.GaveUp {
				t.Errorf("%s: %+v", name, o)
			}
		}
		a.event(t, "two")
		down.Store(false)
		time.Sleep(2 * time.Minute)
		if got, _ := to["down"].texts(t); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("down was told %q", got)
		}
		last := to["down"].all()
		last = last[len(last)-2:]
		if last[0].Untold == nil || last[0].Untold.GivenUp != 1 || len(last[1].Events) != 1 {
			t.Errorf("at the end down was told %+v", last)
		}
		stop()
	})
}

// Retry-After is obeyed, and a change of the notifier is tried at once.
func TestLaterAndChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := agree(t, hook("busy"))
		r := &receiver{mood: func(context.Context, Message) error { return Later{errors.New("HTTP 429"), 4 * time.Minute} }}
		stop := lead(t, courier(a, map[string]*receiver{"busy": r}))
		defer stop()
		a.event(t, "one")
		time.Sleep(119 * time.Second)
		if len(r.all()) != 1 {
			t.Errorf("%d attempts in two minutes", len(r.all()))
		}
		r.mu.Lock()
		r.mood = nil
		r.mu.Unlock()
		c := a.State().Config
		n := hook("busy")
		n.Webhook.URL = "https://other.example.org/"
		c.Notifiers = map[string]fsm.Notifier{"busy": n}
		a.must(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}})
		time.Sleep(time.Second)
		if got, again := r.texts(t); len(got) != 1 || again != 1 || r.all()[1].Attempt != 2 {
			t.Errorf("%d, %d again: %+v", len(got), again, r.all())
		}
	})
}

// While nothing can be committed, what was told is not told again and again.
func TestToldOnceWithoutQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := agree(t, hook("hook"))
		r := &receiver{mood: func(context.Context, Message) error {
			a.mu.Lock()
			a.down = true
			a.mu.Unlock()
			return nil
		}}
		stop := lead(t, courier(a, map[string]*receiver{"hook": r}))
		a.event(t, "one")
		time.Sleep(time.Hour)
		if len(r.all()) != 1 {
			t.Errorf("told %d times", len(r.all()))
		}
		a.mu.Lock()
		a.down = false
		a.mu.Unlock()
		time.Sleep(time.Second)
		stop()
		if o := a.State().Outbox["hook"]; o.Told != 1 || len(r.all()) != 1 {
			t.Errorf("told %d times, %+v", len(r.all()), o)
		}
	})
}

// Of an event storm a limit lets pass what it says, and the rest is told in a summary.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := hook("hook")
		n.Limit = fsm.NotifyLimit{Count: 10, Per: time.Minute}
		a := agree(t, n)
		r := &receiver{}
		stop := lead(t, courier(a, map[string]*receiver{"hook": r}))
		for i := range 50 {
			a.event(t, fmt.Sprint(i))
		}
		time.Sleep(59 * time.Second)
		if got, _ := r.texts(t); len(got) != 10 {
			t.Errorf("told %q", got)
		}
		time.Sleep(2 * time.Second)
		stop()
		all := r.all()
		last := all[len(all)-1]
		if last.Untold == nil || *last.Untold != (fsm.Untold{Suppressed: 40}) || last.ID() == "" {
			t.Errorf("%+v", last)
		}
	})
}
