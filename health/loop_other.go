//go:build !linux

package health

import (
	"errors"
	"log/slog"
	"net"
	"time"
)

// loop is for Linux alone: elsewhere every probe has a goroutine.
type loop struct{ web httpProber }

type call struct {
	entry           *entry
	visit           *visit
	question        *question
	unsent          []byte
	start, deadline time.Time
}

func connections() int { return 1024 }

func newLoop(httpProber, *slog.Logger) *loop { return nil }

func (*loop) start(*entry, time.Time) (*call, outcome, bool) { return nil, outcome{}, false }
func (*loop) wait(time.Time, time.Time, <-chan struct{})     {}
func (*loop) poke()                                          {}
func (*loop) finished(time.Time) []outcome                   { return nil }
func (*loop) late(out []outcome, _ time.Time) []outcome      { return out }
func (*loop) deadline() time.Time                            { return time.Time{} }
func (*loop) abandon(*call) bool                             { return false }
func (*loop) takeLong() *call                                { return nil }
func (*loop) release(*call) (net.Conn, error)                { return nil, errors.ErrUnsupported }
func (*loop) close()                                         {}
