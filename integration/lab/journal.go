package lab

import (
	"bytes"
	"strings"
	"sync"
)

// Journal takes what a program writes, and notes when each line came. The zero value is ready.
type Journal struct {
	mu    sync.Mutex
	lines []Line
	rest  []byte // of a line that has no end yet
}

// Line is one line, without its end, and when it was written.
type Line struct {
	At   Instant
	Text string
}

// Write implements io.Writer.
func (j *Journal) Write(p []byte) (int, error) {
	at := Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rest = append(j.rest, p...)
	for {
		line, rest, whole := bytes.Cut(j.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		j.lines = append(j.lines, Line{at, string(line)})
		j.rest = rest
	}
}

// Lines are those that came at or after t.
func (j *Journal) Lines(t Instant) []Line {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Line
	for _, l := range j.lines {
		if l.At >= t {
			out = append(out, l)
		}
	}
	return out
}

// String is all that came.
func (j *Journal) String() string {
	var b strings.Builder
	for _, l := range j.Lines(0) {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}
