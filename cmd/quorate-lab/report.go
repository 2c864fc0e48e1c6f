package main

import (
	"fmt"
	"io"
	"time"

	"quorate/integration/lab"
)

// report prints what happens, step by step, and keeps account of promises.
type report struct {
	out    io.Writer
	start  lab.Instant
	steps  int
	kept   int
	broken []string
}

func newReport(out io.Writer) *report { return &report{out: out, start: lab.Now()} }

// step begins the next step.
func (r *report) step(format string, args ...any) {
	r.steps++
	fmt.Fprintf(r.out, "\n%2d. %-82s %5.1f s\n", r.steps, fmt.Sprintf(format, args...), lab.Since(r.start).Seconds())
}

// typed shows a command as it was typed on a host.
func (r *report) typed(host, command string) { fmt.Fprintf(r.out, "    %s$ %s\n", host, command) }

// saw prints something that was measured and is not promised.
func (r *report) saw(format string, args ...any) {
	fmt.Fprintf(r.out, "           %s\n", fmt.Sprintf(format, args...))
}

// promise prints what was promised and measured, and whether the promise was kept.
func (r *report) promise(kept bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if kept {
		r.kept++
		fmt.Fprintf(r.out, "    ok     %s\n", text)
		return
	}
	r.broken = append(r.broken, fmt.Sprintf("step %d: %s", r.steps, text))
	fmt.Fprintf(r.out, "    BROKEN %s\n", text)
}

// within promises that a measured time is at most a limit.
func (r *report) within(limit, measured time.Duration, what string) {
	r.promise(measured <= limit, "%s: %s (promised: at most %s)", what, lab.Millis(measured), lab.Millis(limit))
}

// verdict is the last line, and the error if a promise was broken.
func (r *report) verdict() error {
	took := lab.Since(r.start)
	if len(r.broken) == 0 {
		fmt.Fprintf(r.out, "\nAll %d promises were kept, in %.1f s.\n", r.kept, took.Seconds())
		return nil
	}
	fmt.Fprintf(r.out, "\n%d of %d promises were broken, in %.1f s:\n", len(r.broken), r.kept+len(r.broken), took.Seconds())
	for _, b := range r.broken {
		fmt.Fprintf(r.out, "  %s\n", b)
	}
	return fmt.Errorf("%d promises were broken", len(r.broken))
}
