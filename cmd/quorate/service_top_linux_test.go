package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/api"
	"quorate/api/apitest"
	"quorate/api/client"
	"quorate/fsm"
)

// served is one agent that listens on a unix socket and carries a service with two servers.
func served(t *testing.T) (w *apitest.World, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	w = apitest.NewWorld()
	agent := w.Cluster("n1")[0]
	config := fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}},
		Services: map[string]fsm.Service{"http": {Name: "http", VIP: "web", Port: 80, Protocol: fsm.TCP, Scheduler: "rr", Forward: fsm.NAT,
			Servers: []fsm.Server{{Address: netip.MustParseAddrPort("10.0.0.11:80"), Weight: 1}, {Address: netip.MustParseAddrPort("10.0.0.12:80"), Weight: 2}}}}}
	if _, err := agent.Propose(t.Context(), fsm.Command{Configure: &fsm.Configure{Force: true, Config: config}}); err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	l, err := api.ListenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.NewServer(agent.Options()).Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return w, socket
}

// TestTopOnATerminal: on a terminal of 40 columns and 3 rows the table is redrawn in place, never wider or longer than that, without clearing first; and when it is
// interrupted the terminal is as it was, and that is no failure.
func TestTopOnATerminal(t *testing.T) {
	master, slave := pty(t, 40, 3)
	w, socket := served(t)
	w.Count(10, true)
	ctx, interrupt := context.WithCancel(t.Context())
	a := &app{in: strings.NewReader(""), out: slave, err: os.Stderr, color: true, getenv: func(k string) string { return map[string]string{"TERM": "xterm"}[k] }}
	code := make(chan int, 1)
	go func() {
		code <- a.execute(ctx, []string{"service", "top", "http", "--interval", "1s", "--socket", socket})
	}()
	var seen bytes.Buffer
	buf := make([]byte, 1<<16)
	for strings.Count(seen.String(), screenHome) < 3 {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, seen.String())
		}
		seen.Write(buf[:n])
	}
	interrupt()
	if c := <-code; c != exitDone {
		t.Errorf("exit code %d", c)
	}
	for !strings.HasSuffix(seen.String(), screenClose) {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatalf("the terminal is not given back: %v after %q", err, seen.String())
		}
		seen.Write(buf[:n])
	}
	text, opened := strings.CutPrefix(seen.String(), screenOpen)
	if !opened || strings.Contains(text, "\x1b[2J") {
		t.Errorf("%q", seen.String())
	}
	for i, p := range strings.Split(strings.TrimSuffix(text, screenClose), screenHome)[1:] {
		lines := strings.Split(strings.ReplaceAll(p, screenRest, ""), "\r\n")
		if len(lines) != 3 || !strings.HasPrefix(plainText(lines[1]), "http") || plainText(lines[2]) != "… 2 more lines" {
			t.Errorf("page %d: %q", i, lines)
		}
		for _, l := range lines {
			if n := len([]rune(plainText(l))); n > 40 {
				t.Errorf("page %d: %d columns: %q", i, n, l)
			}
		}
	}
}

// plainText is a line without what sets colours and clears its rest.
func plainText(l string) string {
	for {
		at := strings.IndexByte(l, '\x1b')
		if at < 0 {
			return l
		}
		end := at + strings.IndexAny(l[at:], "mK")
		l = l[:at] + l[end+1:]
	}
}

// pty is a terminal of this size, as its two ends.
func pty(t *testing.T, columns, rows uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be made: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		t.Fatal(err)
	}
	attr, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err == nil {
		attr.Oflag &^= unix.OPOST // what is written is what is seen
		err = unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, attr)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = slave.Close(), master.Close() })
	return master, slave
}

func TestPage(t *testing.T) {
	red := "\x1b[31mabcdef\x1b[0m"
	for _, x := range []struct {
		lines         []string
		width, height int
		want          string
	}{
		{[]string{"abcdef", "ä€c"}, 3, 5, "\x1b[Habc\x1b[K\r\nä€c\x1b[K\x1b[J"},
		{[]string{red}, 3, 5, "\x1b[H\x1b[31mabc\x1b[0m\x1b[K\x1b[J"},
		{[]string{"a", "b", "c"}, 20, 2, "\x1b[Ha\x1b[K\r\n… 2 more lines\x1b[K\x1b[J"},
		{[]string{"a", "b"}, 5, 1, "\x1b[H… 2 m\x1b[K\x1b[J"},
		{[]string{"a\x1b["}, 5, 1, "\x1b[Ha\x1b[K\x1b[J"},
	} {
		if got := page(x.lines, x.width, x.height); got != x.want {
			t.Errorf("%q in %d×%d: %q, want %q", x.lines, x.width, x.height, got, x.want)
		}
	}
}

// TestTopRates: where the kernel estimates no rates they come of two readings; a reading that is the same again, counters that began anew, and another director's do
// not make them up.
func TestTopRates(t *testing.T) {
	tp := &top{last: map[topKey]topSample{}}
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for i, x := range []struct {
		node        fsm.NodeID
		after       time.Duration
		connections uint64
		known       bool
		rate        uint64
	}{
		{"n1", 0, 1000, false, 0},
		{"n1", 2 * time.Second, 1300, true, 150},
		{"n1", 2 * time.Second, 1300, true, 150},
		{"n1", 3 * time.Second, 1300, true, 0},
		{"n1", 4 * time.Second, 10, false, 0},
		{"n1", 5 * time.Second, 20, true, 10},
		{"n2", 6 * time.Second, 5000, false, 0},
		{"n2", 8 * time.Second, 5001, true, 1},
	} {
		s := api.ServiceTraffic{Service: "http", Node: x.node, Present: true, At: at.Add(x.after), Counters: api.Counters{Connections: x.connections}}
		if tp.rates(&s); s.Rates != x.known || s.ConnectionRate != x.rate && x.known {
			t.Errorf("reading %d: %t, %d/s; want %t, %d/s", i, s.Rates, s.ConnectionRate, x.known, x.rate)
		}
	}
}

func TestByteText(t *testing.T) {
	for n, want := range map[uint64]string{0: "0B", 1023: "1023B", 1024: "1.0K", 1536: "1.5K", 1023 << 10: "1023.0K", 1<<20 - 1: "1.0M", 5 << 30: "5.0G", 1<<64 - 1: "16.0E"} {
		if got := byteText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestTopPiped: where nothing can be redrawn each refresh is printed below the last, and interrupting it is no failure.
func TestTopPiped(t *testing.T) {
	w, socket := served(t)
	w.Count(10, true)
	c, err := client.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out lineWriter
	out.each = func(n int) {
		if n == 3 {
			interrupt()
		}
	}
	a := &app{out: &out, err: os.Stderr, output: "json", getenv: func(string) string { return "" }}
	tp := &top{app: a, client: c, sort: "rate", interval: time.Millisecond, last: map[topKey]topSample{}}
	if err := tp.watch(ctx); err != nil {
		t.Fatal(err)
	}
	if len(out.lines) < 3 || !strings.HasPrefix(out.lines[2], `{"services":[{"service":"http"`) {
		t.Errorf("%q", out.lines)
	}
}

// lineWriter counts writes, each of which is one line.
type lineWriter struct {
	lines []string
	each  func(n int)
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.lines = append(w.lines, string(b))
	w.each(len(w.lines))
	return len(b), nil
}
