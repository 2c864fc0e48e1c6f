package health

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"quorate/health/bfd"
)

// Watch hears of what happens on this machine to what targets are about (a process starts or ends, a file changes, a link loses its carrier), or to the sessions that it has for them (bfd), and
// has them asked at once. It decides nothing: the probe reads what is true. Without news a target is asked at its interval, as any other.
type Watch struct {
	log   *slog.Logger
	table *processTable

	mu      sync.Mutex
	wanted  map[string]Target
	changed chan struct{}     // closed when wanted changes
	faults  map[string]string // by source: why it tells nothing, or less
	speaker *bfd.Speaker      // nil = no sessions are kept

	network bfd.Network
}

// watchRetry is how long a source that has failed is left alone.
const watchRetry = 10 * time.Second

// NewWatch returns a Watch that watches nothing yet; see Want and Run.
func NewWatch(log *slog.Logger) *Watch {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Watch{log: log, table: newProcessTable(), wanted: map[string]Target{}, changed: make(chan struct{}), faults: map[string]string{}, network: bfd.Sockets{}}
}

// orNew is a Watch where there is none: without Run it knows nothing by itself.
func (w *Watch) orNew() *Watch {
	if w == nil {
		return NewWatch(nil)
	}
	return w
}

// Want says which targets to watch for; those of other types than file, process, interface and bfd are left out.
func (w *Watch) Want(targets []Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wanted := map[string]Target{}
	for _, t := range targets {
		switch t.Type {
		case TypeFile, TypeProcess, TypeInterface, TypeBFD:
			wanted[t.ID] = t.withDefaults()
		}
	}
	if maps.EqualFunc(wanted, w.wanted, Target.sameQuestion) {
		return
	}
	w.wanted = wanted
	w.table.want(wanted)
	close(w.changed)
	w.changed = make(chan struct{})
}

// of are the targets of a type, and what tells of the next change.
func (w *Watch) of(t Type) (map[string]Target, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]Target{}
	for id, x := range w.wanted {
		if x.Type == t {
			out[id] = x
		}
	}
	return out, w.changed
}

// Problems says which news do not come, and what that means; sorted.
func (w *Watch) Problems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Values(w.faults))
}

func (w *Watch) fault(source, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.faults[source] == text {
		return
	}
	if text == "" {
		delete(w.faults, source)
		return
	}
	w.faults[source] = text
	w.log.Warn("a source of news has failed", "source", source, "reason", text)
}

// source tells of changes of targets of one type until ctx ends or it fails. It calls ready once it misses nothing any more.
type source func(ctx context.Context, hint func(id string)) error

// Run watches until ctx ends and returns nil then. hint, which may be called from several goroutines, has the target asked now.
func (w *Watch) Run(ctx context.Context, hint func(id string)) error {
	var g sync.WaitGroup
	defer g.Wait()
	for _, x := range []struct {
		kind Type
		run  source
	}{{TypeFile, w.files}, {TypeInterface, w.links}, {TypeProcess, w.processes}, {TypeBFD, w.sessions}} {
		g.Go(func() { w.keep(ctx, x.kind, x.run, hint) })
	}
	return nil
}

// keep runs a source while there are targets of its type.
func (w *Watch) keep(ctx context.Context, kind Type, run source, hint func(id string)) {
	for ctx.Err() == nil {
		targets, changed := w.of(kind)
		var retry <-chan time.Time
		if len(targets) > 0 {
			err := run(ctx, hint)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				w.fault(string(kind), fmt.Sprintf("checks of type %s are done at their intervals only: %v", kind, err))
				retry = time.After(watchRetry)
			} else {
				continue
			}
		} else {
			w.fault(string(kind), "")
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-retry:
		}
	}
}
