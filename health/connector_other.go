//go:build !linux

package health

import (
	"log/slog"
	"time"
)

// connector is for Linux alone: elsewhere every probe has a goroutine.
type connector struct{}

type connecting struct{}

func connections() int { return 1024 }

func newConnector(*slog.Logger) *connector { return nil }

func (*connector) start(*entry, time.Time) (*connecting, outcome, bool) { return nil, outcome{}, false }
func (*connector) ready() <-chan struct{}                               { return nil }
func (*connector) finished(struct{}) []outcome                          { return nil }
func (*connector) late(out []outcome, _ time.Time) []outcome            { return out }
func (*connector) deadline() time.Time                                  { return time.Time{} }
func (*connector) abandon(*connecting) bool                             { return false }
func (*connector) close()                                               {}
