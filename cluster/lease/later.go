package lease

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// later is a log that never holds up who writes to it: a pipe that nobody reads, or another thread that was stopped with the log's lock in its
// hands, must not cost a lease. Lines wait for run; those that find no room are counted.
type later struct {
	slog.Handler
	lines chan line
	lost  *atomic.Int64
}

// line is one record and where it goes.
type line struct {
	to     slog.Handler
	record slog.Record
}

// laterLines is how many lines wait at most.
const laterLines = 256

func newLater(next slog.Handler) *later {
	return &later{Handler: next, lines: make(chan line, laterLines), lost: new(atomic.Int64)}
}

// Handle implements slog.Handler.
func (l *later) Handle(_ context.Context, r slog.Record) error {
	select {
	case l.lines <- line{l.Handler, r.Clone()}:
	default:
		l.lost.Add(1)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (l *later) WithAttrs(as []slog.Attr) slog.Handler {
	return &later{l.Handler.WithAttrs(as), l.lines, l.lost}
}

// WithGroup implements slog.Handler.
func (l *later) WithGroup(name string) slog.Handler {
	return &later{l.Handler.WithGroup(name), l.lines, l.lost}
}

// run writes until last is closed, and then what is there still.
func (l *later) run(last <-chan struct{}) {
	for {
		select {
		case x := <-l.lines:
			l.write(x)
		case <-last:
			for {
				select {
				case x := <-l.lines:
					l.write(x)
				default:
					return
				}
			}
		}
	}
}

func (l *later) write(x line) {
	if n := l.lost.Swap(0); n > 0 {
		slog.New(l.Handler).Warn("lines of the lease's log were lost: it takes too long to write", "lines", n)
	}
	_ = x.to.Handle(context.Background(), x.record)
}
