package checks

import (
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestAgent has agents that HAProxy asks, too, and holds the check to what HAProxy makes of each answer: the first one that it hears, because it remembers the
// others. HAProxy is only a client of the protocol; its agents are whatever an operator writes.
func TestAgent(t *testing.T) {
	t.Parallel()
	path := program(t, "haproxy", "/usr/sbin/haproxy")
	lines := []struct {
		says    string
		haproxy string // status and weight, of 100
	}{
		{"up", "UP 100"},
		{"up 75%", "UP 75"},
		{"75%", "UP 75"},
		{"0%", "UP 0"},
		{"150%", "UP 150"},
		{"drain", "DRAIN 100"},
		{"ready 50%, up", "UP 50"},
		{"maint", "MAINT 100"},
		{"down", "DOWN 100"},
		{"down #disk is full", "DOWN 100"},
		{"stopped", "DOWN 100"},
		{"fail", "DOWN 100"},
		{"maxconn:30 up", "UP 100"},
		{"UP,25%", "UP 25"},
	}
	dir := directory(t)
	var backend strings.Builder
	server := listening(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	agents := make([]netip.AddrPort, len(lines))
	asked := make([]atomic.Int32, len(lines))
	for i, l := range lines {
		agents[i] = listening(t, func(c net.Conn) {
			asked[i].Add(1)
			_, _ = io.WriteString(c, l.says+"\n")
		})
		fmt.Fprintf(&backend, "  server s%d %s weight 100 check inter 50ms agent-check agent-port %d agent-inter 50ms\n", i, server, agents[i].Port())
	}
	conf := place(t, dir, "haproxy.cfg", "global\n  stats socket "+dir+"/stats mode 600 level admin\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n"+
		"frontend f\n  bind "+freePort(t).String()+"\n  default_backend b\nbackend b\n"+backend.String())
	s := serve(t, server, nil, path, "-db", "-f", conf)
	waitFor(t, func() bool { // an agent is asked again when what it said before has been taken
		for i := range asked {
			if asked[i].Load() < 3 {
				return false
			}
		}
		return true
	})
	stats := haproxyStats(dir + "/stats")
	for i, l := range lines {
		row := stats["s"+strconv.Itoa(i)]
		status, _, _ := strings.Cut(row["status"], " ")
		if got := status + " " + row["weight"]; got != l.haproxy {
			t.Errorf("HAProxy makes %q of %q, not %q", got, l.says, l.haproxy)
		}
		well := !strings.HasPrefix(l.haproxy, "DOWN") && !strings.HasPrefix(l.haproxy, "MAINT")
		a := ask(t, "agent", "", agents[i], "an agent; HAProxy makes "+l.haproxy+" of it", "it says `"+l.says+"`", well)
		// A server in drain keeps its weight in HAProxy, and gets no new connections here and there.
		want := strings.Fields(l.haproxy)
		switch w := a.Weight; {
		case !well:
		case want[0] == "DRAIN" && (!w.Asked || w.Value != 0),
			want[0] == "UP" && w.Asked && strconv.Itoa(w.Value) != want[1],
			want[0] == "UP" && !w.Asked && want[1] != "100":
			t.Errorf("%q asks for %+v; HAProxy: %s", l.says, w, l.haproxy)
		}
	}
	s.kill()
	ask(t, "agent", `send = "state\n"`, listening(t, func(c net.Conn) {
		if n, _ := c.Read(make([]byte, 100)); n == 6 {
			_, _ = io.WriteString(c, "up 30%\n")
		}
	}), "an agent that is sent a line", "it says `up 30%`", true)
	whole := listening(t, func(c net.Conn) { _, _ = io.WriteString(c, "up 75%\n") })
	ask(t, "agent", "", cutOff(t, whole, 4), "an agent", "its answer is cut off", false)
	ask(t, "agent", `timeout = "300ms"`, silent(t), "none", "something accepts and says nothing", false)
	ask(t, "agent", "", foreign(t), "OpenSSH's greeting", "another protocol", false)
}

// haproxyStats asks HAProxy for the state of each server.
func haproxyStats(socket string) map[string]map[string]string {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return nil
	}
	defer c.Close()
	if _, err := io.WriteString(c, "show stat\n"); err != nil {
		return nil
	}
	text, _ := io.ReadAll(c)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(strings.TrimSpace(string(text)), "# "))).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil
	}
	out := map[string]map[string]string{}
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out[m["svname"]] = m
	}
	return out
}
