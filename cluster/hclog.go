package cluster

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// hcLog lets HashiCorp's libraries log through slog. What they call an error is for this program an event of the network,
// at most a warning, and the same one is said once in repeatAfter; all else is Debug, because the transitions that matter
// to an operator are logged by this package in its own words.
type hcLog struct {
	hclog.Logger // the null logger: whatever is not overridden below
	log          *slog.Logger
	name         string
	args         []any
	said         *sayOnce
}

const repeatAfter = 30 * time.Second

func newHCLog(l *slog.Logger, name string) hclog.Logger {
	return hcLog{Logger: hclog.NewNullLogger(), log: l, name: name, said: &sayOnce{}}
}

// Log implements hclog.Logger.
func (h hcLog) Log(level hclog.Level, msg string, args ...any) {
	l := slog.LevelDebug
	if level >= hclog.Error && msg != "failed to accept connection" && msg != "failed to decode incoming command" {
		l = slog.LevelWarn // the two are what a closed stream looks like
	}
	if !h.log.Enabled(context.Background(), l) {
		return
	}
	all := make([]any, 0, len(h.args)+len(args)+2)
	all = append(append(append(all, "part", h.name), h.args...), args...)
	for i, a := range all {
		switch v := a.(type) {
		case hclog.Format:
			if len(v) > 0 {
				all[i] = fmt.Sprintf(fmt.Sprint(v[0]), v[1:]...)
			}
		case error, fmt.Stringer:
			all[i] = fmt.Sprint(v)
		}
	}
	if l == slog.LevelWarn {
		key := msg
		for i := 0; i+1 < len(all); i += 2 {
			if all[i] == "peer" || all[i] == "server-id" {
				key += fmt.Sprint(all[i+1])
			}
		}
		if !h.said.first(key) {
			return
		}
	}
	h.log.Log(context.Background(), l, msg, all...)
}

// Trace implements hclog.Logger.
func (h hcLog) Trace(msg string, args ...any) { h.Log(hclog.Trace, msg, args...) }

// Debug implements hclog.Logger.
func (h hcLog) Debug(msg string, args ...any) { h.Log(hclog.Debug, msg, args...) }

// Info implements hclog.Logger.
func (h hcLog) Info(msg string, args ...any) { h.Log(hclog.Info, msg, args...) }

// Warn implements hclog.Logger.
func (h hcLog) Warn(msg string, args ...any) { h.Log(hclog.Warn, msg, args...) }

// Error implements hclog.Logger.
func (h hcLog) Error(msg string, args ...any) { h.Log(hclog.Error, msg, args...) }

// With implements hclog.Logger.
func (h hcLog) With(args ...any) hclog.Logger {
	h.args = append(h.args[:len(h.args):len(h.args)], args...)
	return h
}

// Named implements hclog.Logger.
func (h hcLog) Named(name string) hclog.Logger { h.name += "." + name; return h }

// ResetNamed implements hclog.Logger.
func (h hcLog) ResetNamed(name string) hclog.Logger { h.name = name; return h }

// IsDebug implements hclog.Logger.
func (h hcLog) IsDebug() bool { return h.log.Enabled(context.Background(), slog.LevelDebug) }

// sayOnce remembers what was said lately.
type sayOnce struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (s *sayOnce) first(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if t, ok := s.last[key]; ok && now.Sub(t) < repeatAfter {
		return false
	}
	if s.last == nil || len(s.last) > 256 {
		s.last = make(map[string]time.Time)
	}
	s.last[key] = now
	return true
}

// newStdLog is the same for memberlist, which writes lines like "[WARN] memberlist: …" to a log.Logger.
func newStdLog(l *slog.Logger, name string) *log.Logger {
	return log.New(&lineLog{log: l, name: name, said: &sayOnce{}}, "", 0)
}

type lineLog struct {
	log  *slog.Logger
	name string
	said *sayOnce
}

var _ io.Writer = (*lineLog)(nil)

// Write implements io.Writer.
func (w *lineLog) Write(p []byte) (int, error) {
	level := slog.LevelDebug
	line := strings.TrimSpace(string(p))
	if rest, ok := strings.CutPrefix(line, "["); ok {
		if tag, msg, ok := strings.Cut(rest, "] "); ok {
			line = strings.TrimPrefix(msg, "memberlist: ")
			if tag == "ERR" && !strings.Contains(line, net.ErrClosed.Error()) {
				level = slog.LevelWarn
			}
		}
	}
	if w.log.Enabled(context.Background(), level) && (level < slog.LevelWarn || w.said.first(line)) {
		w.log.Log(context.Background(), level, line, "part", w.name)
	}
	return len(p), nil
}
