package lvstest

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// onDown: what each value of on_down makes of a server that goes down, and comes up again: for the connections that it has, over TCP and UDP, for those of the other server,
// and for new ones.
func (f *traffic) onDown(t *testing.T) {
	table := func(ends bool, weights ...int) []lvs.Service {
		over := f.service("rr", weights...)
		over.Ends = ends
		datagrams := over
		datagrams.Protocol = lvs.UDP
		return []lvs.Service{over, datagrams}
	}
	ipvs := f.plane.Name() == "ipvs" // which ends connections with their server in any case
	for _, c := range []struct {
		name    string
		ends    bool
		weights []int // while it is down
		stays   bool  // its connections go on
	}{
		{"keep", false, []int{0, 1}, true},
		{"drop", false, []int{-1, 1}, !ipvs},
		{"shutdown", true, []int{-1, 1}, false},
		{"shutdown of all", true, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.set(t, table(c.ends, 1, 1)...)
			conns, datagrams := f.each(t, "s1", "s2"), f.eachDatagram(t, "s1", "s2")
			f.set(t, table(c.ends, c.weights...)...)
			if c.stays {
				alive(t, conns, "s1")
			} else if err := conns["s1"].Alive(); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("an established connection to the server that is down: %v, want it reset", err)
			}
			if c.weights == nil {
				for _, network := range []string{"tcp", "udp"} {
					if _, err := f.bed.Client.Open(network, netip.AddrPortFrom(f.vip, 80), netip.Addr{}); !refused(err) {
						t.Errorf("a new connection over %s: %v, want it refused", network, err)
					}
				}
			} else {
				alive(t, conns, "s2")
				expect(t, f.count(t, "tcp", 4), map[string]int{"s2": 4})
				expect(t, f.count(t, "udp", 4), map[string]int{"s2": 4})
				f.next(t, datagrams, "s1", map[bool]string{true: "s1", false: "s2"}[c.stays])
				f.next(t, datagrams, "s2", "s2")
			}
			f.set(t, table(c.ends, 1, 1)...)
			expect(t, f.count(t, "tcp", 4), map[string]int{"s1": 2, "s2": 2})
			if c.stays {
				alive(t, conns, "s1")
			}
			if c.weights != nil {
				alive(t, conns, "s2")
			}
		})
	}
}

// eachDatagram asks over UDP, from a port after the other, until each of the named servers has answered.
func (f *traffic) eachDatagram(t *testing.T, servers ...string) map[string]*Conn {
	t.Helper()
	out := make(map[string]*Conn)
	for range 20 {
		c, err := f.bed.Client.Open("udp", netip.AddrPortFrom(f.vip, 80), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if out[c.Server] = c; len(out) == len(servers) {
			return out
		}
	}
	t.Fatalf("only %d of %v answered", len(out), servers)
	return nil
}

// next: the next datagram from where the named server has answered is answered by who.
func (f *traffic) next(t *testing.T, conns map[string]*Conn, server, who string) {
	t.Helper()
	_, err := conns[server].Write([]byte("?"))
	line := ""
	if err == nil {
		line, err = conns[server].lines.ReadString('\n')
	}
	if got, _, _ := strings.Cut(line, " "); err != nil || got != who {
		t.Errorf("the next datagram of a client of %s was answered by %q: %v, want it to be %s", server, got, err, who)
	}
}
