package ipvs

import (
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// What Linux 6.1 wrote.
const (
	connectionsSync = `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires
TCP C0000264 E818 C000020A 0050 0A09000B 1F90 ESTABLISHED LOCAL      899
UDP C0000264 C586 C000020A 0035 0A09000B 0035 UDP         SYNC       299
TCP 2001:0db8:0000:0000:0000:0000:0000:0010 C586 2001:0db8:0000:0000:0000:0000:0000:0010 0050 0000:0000:0000:0000:0000:0000:0000:0001 0050 CLOSE       LOCAL        9
TCP C0000200 0000 C000020A 0050 0A09000B 0050 ASSURED     LOCAL      299
IP  C0000200 0000 00000007 0000 0A09000B 0000 NONE        SYNC        49
`
	connectionsPlain = `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP C0000264 E818 C000020A 0050 0A09000B 1F90 TIME_WAIT       119
UDP C0000264 0000 C000020A 13C4 0A09000B 13C4 NONE            299 sip call-1@example
`
)

func TestReadConnections(t *testing.T) {
	var got []string
	for c, err := range ReadConnections(strings.NewReader(connectionsSync + connectionsPlain[strings.IndexByte(connectionsPlain, '\n')+1:])) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintln(c.Protocol, c.Client, c.Virtual, c.Server, c.State, c.Expires, c.Origin, c.Template, c.Mark, c.Engine, c.Data))
	}
	want := []string{
		fmt.Sprintln("tcp", "192.0.2.100:59416", "192.0.2.10:80", "10.9.0.11:8080", "ESTABLISHED", 899*time.Second, "local", false, 0, "", ""),
		fmt.Sprintln("udp", "192.0.2.100:50566", "192.0.2.10:53", "10.9.0.11:53", "UDP", 299*time.Second, "sync", false, 0, "", ""),
		fmt.Sprintln("tcp", "[2001:db8::10]:50566", "[2001:db8::10]:80", "[::1]:80", "CLOSE", 9*time.Second, "local", false, 0, "", ""),
		fmt.Sprintln("tcp", "192.0.2.0:0", "192.0.2.10:80", "10.9.0.11:80", "ASSURED", 299*time.Second, "local", true, 0, "", ""),
		fmt.Sprintln("ip", "192.0.2.0:0", "0.0.0.7:0", "10.9.0.11:0", "NONE", 49*time.Second, "sync", true, 7, "", ""),
		fmt.Sprintln("tcp", "192.0.2.100:59416", "192.0.2.10:80", "10.9.0.11:8080", "TIME_WAIT", 119*time.Second, "", false, 0, "", ""),
		fmt.Sprintln("udp", "192.0.2.100:0", "192.0.2.10:5060", "10.9.0.11:5060", "NONE", 299*time.Second, "", true, 0, "sip", "call-1@example"),
	}
	if strings.Join(got, "") != strings.Join(want, "") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}

func TestReadConnectionsRefuses(t *testing.T) {
	good := strings.Split(connectionsSync, "\n")[1]
	for _, x := range [][2]string{
		{"C0000264", "C000026"}, {"C0000264", "C000026X"}, {"C0000264", "fe80::1%eth0"}, {"E818", "E81"}, {"E818", "10050"}, {"899", "-1"}, {"899", "99999999999"},
		{"LOCAL      899", ""}, {"LOCAL      899", "LOCAL"}, {"899", "899 a b c d"},
	} {
		line := strings.Replace(good, x[0], x[1], 1)
		n := 0
		for c, err := range ReadConnections(strings.NewReader("head\n" + line + "\n" + good + "\n")) {
			if n++; (err == nil) != (n == 2) {
				t.Errorf("%q: line %d: %+v, %v", line, n, c, err)
			}
		}
		if n != 2 {
			t.Errorf("%q: %d lines", line, n)
		}
	}
	for _, err := range ReadConnections(strings.NewReader("head\n" + strings.Repeat("x", 2*maxConnectionLine))) {
		if err == nil {
			t.Error("a line without an end is taken")
		}
	}
}

// endless gives the same line for ever, n times.
type endless struct {
	line string
	n    int
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := copy(b, e.line[e.at:])
	if e.at += n; e.at == len(e.line) {
		e.at, e.n = 0, e.n-1
	}
	return n, nil
}

// TestReadConnectionsIsBounded: a large table is read in the memory of one.
func TestReadConnectionsIsBounded(t *testing.T) {
	line := strings.Split(connectionsSync, "\n")[1] + "\n"
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, began := 0, time.Now()
	for _, err := range ReadConnections(&endless{line: line, n: 200_001}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if n != 200_000 {
		t.Errorf("%d connections", n)
	}
	if more := after.TotalAlloc - before.TotalAlloc; more > 1<<20 {
		t.Errorf("reading %d connections took %d bytes in all", n, more)
	} else {
		t.Logf("%d connections in %v, %d bytes allocated", n, took, more)
	}
}

// FuzzReadConnections: whatever the text, each line is either refused or means something whole.
func FuzzReadConnections(f *testing.F) {
	f.Add(connectionsSync)
	f.Add(connectionsPlain)
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		for c, err := range ReadConnections(strings.NewReader(text)) {
			if n++; err == nil && (!c.Client.IsValid() || !c.Virtual.IsValid() || !c.Server.IsValid() || c.Protocol == "" || c.State == "" || c.Expires < 0 ||
				c.Mark != 0 && !c.Template) {
				t.Fatalf("%+v", c)
			}
		}
		if n > strings.Count(text, "\n")+1 {
			t.Fatalf("%d connections in %q", n, text)
		}
	})
}

// TestConnections: who is connected to what is what the kernel says.
func TestConnections(t *testing.T) {
	b := newBed(t)
	p := b.Plane(t, open)
	var want []lvs.Service
	for _, port := range []uint16{80, 81} {
		want = append(want, lvs.Service{Addr: lvstest.VIP4, Port: port, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT,
			Destinations: []lvs.Destination{{Addr: b.Servers[0].Addr(lvstest.VIP4), Weight: 1}}})
	}
	if _, err := p.Reconcile(lvs.Scope{}, want); err != nil {
		t.Fatal(err)
	}
	open := map[netip.AddrPort]bool{}
	for range 3 {
		c, err := b.Client.Open("tcp", netip.AddrPortFrom(lvstest.VIP4, 80), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open[c.Conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()] = true
	}
	mine := lvs.ConnectionsOf(want[0], want)
	err := b.Director.Do(func() error {
		for c, err := range Connections() {
			switch {
			case err != nil:
				return err
			case !mine(c):
				t.Errorf("%+v is of no service", c)
			case !open[c.Client], c.Server != b.Servers[0].Addr(lvstest.VIP4), c.State != "ESTABLISHED", c.Origin != lvs.OriginLocal, c.Expires <= 0:
				t.Errorf("%+v is not one of %v", c, open)
			}
			delete(open, c.Client)
		}
		return nil
	})
	if err != nil || len(open) > 0 {
		t.Errorf("%v; missing are %v", err, open)
	}
}
