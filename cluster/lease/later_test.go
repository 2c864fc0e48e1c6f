package lease

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

// gated is a log that takes no line before it is opened.
type gated struct {
	slog.Handler
	open chan struct{}
}

func (g gated) Handle(ctx context.Context, r slog.Record) error {
	<-g.open
	return g.Handler.Handle(ctx, r)
}

func (g gated) WithAttrs(as []slog.Attr) slog.Handler { return gated{g.Handler.WithAttrs(as), g.open} }

// A log that hangs holds nobody up. Once it goes on, it has what there was room for, and how much was lost.
func TestLogThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		open := make(chan struct{})
		l := newLater(gated{slog.NewTextHandler(&b, nil), open})
		last, ended := make(chan struct{}), make(chan struct{})
		go func() {
			l.run(last)
			close(ended)
		}()
		log := slog.New(l).With("node", "n1")
		log.Info("first")
		synctest.Wait() // it is being written
		for range laterLines + 7 {
			log.Info("more")
		}
		log.Debug("not asked for")
		close(open)
		synctest.Wait()
		close(last)
		<-ended
		text := b.String()
		if n := strings.Count(text, "msg=more node=n1"); n != laterLines || strings.Count(text, "msg=first node=n1") != 1 ||
			!strings.Contains(text, "lines=7") || strings.Contains(text, "not asked") {
			t.Errorf("%d lines more, in:\n%s", n, text)
		}
	})
}
