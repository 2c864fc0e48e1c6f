package main

import (
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// screen redraws a page in place on a terminal: on the alternate screen, so that what was there before comes back, each page in one write and without
// clearing first, so that nothing flickers.
type screen struct {
	f *os.File
}

// Sequences of ECMA-48 and of xterm's private modes.
const (
	screenOpen  = "\x1b[?1049h\x1b[?25l\x1b[?7l" // alternate screen, no cursor, long lines are not wrapped
	screenClose = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	lineRest    = "\x1b[K"
	screenRest  = "\x1b[J"
	screenHome  = "\x1b[H"
)

// terminal is w as a screen that can be redrawn; ok is false for a file, a pipe and a dumb terminal.
func terminal(w any, getenv func(string) string) (s *screen, ok bool) {
	f, is := w.(*os.File)
	if !is || getenv("TERM") == "dumb" || getenv("TERM") == "" {
		return nil, false
	}
	if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err != nil {
		return nil, false
	}
	return &screen{f}, true
}

func (s *screen) open() error {
	_, err := s.f.WriteString(screenOpen)
	return err
}

func (s *screen) close() error {
	_, err := s.f.WriteString(screenClose)
	return err
}

// draw shows the lines, as many and as much of them as the terminal has room for now.
func (s *screen) draw(lines []string) error {
	width, height := 80, 24
	if size, err := unix.IoctlGetWinsize(int(s.f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 && size.Row > 0 {
		width, height = int(size.Col), int(size.Row)
	}
	_, err := s.f.WriteString(page(lines, width, height))
	return err
}

// page is what redraws a screen of this size.
func page(lines []string, width, height int) string {
	if len(lines) > height {
		rest := len(lines) - height + 1
		lines = append(lines[:height-1:height-1], "… "+plural(rest, "more line"))
	}
	var b strings.Builder
	b.WriteString(screenHome)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(cut(l, width))
		b.WriteString(lineRest)
	}
	b.WriteString(screenRest)
	return b.String()
}

// cut shortens a line to so many columns. What sets colours takes none, and is kept whole, so that a colour that was begun is ended.
func cut(line string, width int) string {
	var b strings.Builder
	for at, used := 0, 0; at < len(line); {
		if line[at] == '\x1b' {
			end := strings.IndexByte(line[at:], 'm')
			if end < 0 {
				break
			}
			b.WriteString(line[at : at+end+1])
			at += end + 1
			continue
		}
		_, n := utf8.DecodeRuneInString(line[at:])
		if used++; used <= width {
			b.WriteString(line[at : at+n])
		}
		at += n
	}
	return b.String()
}
