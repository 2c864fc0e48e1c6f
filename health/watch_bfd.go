package health

import (
	"context"
	"sync"

	"quorate/health/bfd"
)

// sessions has the sessions of BFD, and tells when one changes.
func (w *Watch) sessions(ctx context.Context, hint func(id string)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := bfd.NewSpeaker(w.network, func(p bfd.Path) {
		targets, _ := w.of(TypeBFD)
		for id, t := range targets {
			if t.bfdPath() == p {
				hint(id)
			}
		}
	})
	w.speak(s)
	defer w.speak(nil)
	var g sync.WaitGroup
	defer g.Wait()
	g.Go(func() {
		defer stop()
		for {
			targets, changed := w.of(TypeBFD)
			s.Set(bfdWants(targets))
			if len(targets) == 0 {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	})
	s.Run(ctx)
	return nil
}

// speaking has the sessions; nil = none are kept.
func (w *Watch) speaking() *bfd.Speaker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.speaker
}

func (w *Watch) speak(s *bfd.Speaker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.speaker = s
}
