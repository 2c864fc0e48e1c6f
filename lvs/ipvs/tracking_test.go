package ipvs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/realserver"
	"quorate/lvs/sysctl"
)

// guarded is a director with a firewall, its services and their client.
type guarded struct {
	t     *testing.T
	bed   *lvstest.Bed
	plane *Plane
	want  []lvs.Service
	book  *sysctl.Book
}

// newGuarded has no rules and no services yet. It skips where the kernel has no IPVS; it needs tables of the family inet, too: integration/qemu has both.
func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{t: t, bed: newBed(t)}
	err := g.bed.Director.Do(func() (err error) {
		g.plane, err = New()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.plane.Close() })
	g.rules("")
	return g
}

// serve adds services on a port, of both families, with one server by a method.
func (g *guarded) serve(port uint16, forward string, server *lvstest.Server, protocols ...string) {
	g.t.Helper()
	for _, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		for _, protocol := range protocols {
			g.want = append(g.want, lvs.Service{Addr: vip, Port: port, Protocol: protocol, Scheduler: "rr", Forward: forward,
				Destinations: []lvs.Destination{{Addr: server.Addr(vip), Weight: 1}}})
		}
	}
	if n := g.need(); n != nil {
		g.t.Errorf("without rules it is asked for: %v", n)
	}
}

// rules are those of the director, in a table of the family inet. What they drop they are to count: "counter drop".
func (g *guarded) rules(chains string) {
	g.t.Helper()
	nft(g.t, g.bed.Director, "flush ruleset; table inet host { "+chains+" }")
}

// lost is how many packets the rules have dropped.
func (g *guarded) lost() (n int) {
	g.t.Helper()
	for line := range strings.Lines(nft(g.t, g.bed.Director, "list ruleset")) {
		var more int
		if _, after, ok := strings.Cut(line, "counter packets "); !ok {
			continue
		} else if _, err := fmt.Sscan(after, &more); err != nil {
			g.t.Fatalf("%v: %s", err, line)
		}
		n += more
	}
	return n
}

// need is the need of connection tracking that the plane reports, with the rules as they are now.
func (g *guarded) need() *sysctl.Need {
	g.t.Helper()
	g.plane.firewall.at = time.Time{}
	var st lvs.Status
	err := g.bed.Director.Do(func() (err error) { st, err = g.plane.Reconcile(lvs.Scope{}, g.want); return err })
	if err != nil {
		g.t.Fatal(err)
	}
	i := slices.IndexFunc(st.Needs, func(n sysctl.Need) bool { return n.Name == vsConntrack })
	if i < 0 {
		return nil
	}
	return &st.Needs[i]
}

// on runs f on the director, on which the settings are.
func (g *guarded) on(f func() error) {
	g.t.Helper()
	if err := g.bed.Director.Do(f); err != nil {
		g.t.Fatal(err)
	}
}

// set sets what is needed, as the agent does where it may, and restore puts back what was there.
func (g *guarded) set(n *sysctl.Need) {
	g.t.Helper()
	g.on(func() (err error) {
		if g.book, err = sysctl.Open(filepath.Join(g.t.TempDir(), "sysctls.json")); err == nil {
			err = g.book.Set("services", n.Name, n.Want)
		}
		return err
	})
	g.is("1")
}

func (g *guarded) restore() {
	g.t.Helper()
	g.on(func() error { return g.book.Restore("services") })
	g.is("0")
}

func (g *guarded) is(want string) {
	g.t.Helper()
	g.on(func() error {
		got, err := sysctl.Read(vsConntrack)
		if got != want {
			g.t.Errorf("%s is %s, want %s", vsConntrack, got, want)
		}
		return err
	})
}

// What may fail of a connection, and how long is waited for that which is expected to. What is expected to work may take patience.
const (
	opens, ends    = "opens", "ends"
	soon, patience = time.Second, 10 * time.Second
)

// fails is which exchanges on a port fail, of tcp and udp over both families: "tcp opens", "tcp ends", "udp opens"; which is what is expected.
func (g *guarded) fails(port uint16, expected string) (failed string, sources map[netip.Addr]bool) {
	g.t.Helper()
	got := map[string]bool{}
	sources = map[netip.Addr]bool{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for _, s := range g.want {
		if s.Port != port {
			continue
		}
		running.Go(func() {
			source, step, err := g.exchange(s, expected)
			mu.Lock()
			defer mu.Unlock()
			if sources[source] = true; err != nil {
				got[s.Protocol+" "+step+map[bool]string{true: " 4", false: " 6"}[s.Addr.Is4()]] = true
			}
		})
	}
	running.Wait()
	for what := range got { // both families alike
		if !got[what[:len(what)-1]+"4"] || !got[what[:len(what)-1]+"6"] {
			g.t.Errorf("the families differ: %v", got)
		}
	}
	all := slices.Sorted(maps.Keys(got))
	for i, what := range all {
		all[i] = what[:len(what)-2]
	}
	return strings.Join(slices.Compact(all), ", "), sources
}

// exchange is whom the server sees, and at which step it failed.
func (g *guarded) exchange(s lvs.Service, expected string) (source netip.Addr, step string, err error) {
	within := func(step string) time.Time {
		if strings.Contains(expected, s.Protocol+" "+step) {
			return time.Now().Add(soon)
		}
		return time.Now().Add(patience)
	}
	var c net.Conn
	err = g.bed.Client.Do(func() (err error) {
		d := net.Dialer{Deadline: within(opens)}
		c, err = d.Dial(s.Protocol, netip.AddrPortFrom(s.Addr, s.Port).String())
		return err
	})
	if err != nil {
		return source, opens, err
	}
	defer c.Close()
	lines := bufio.NewReader(c)
	said := "?\n"
	for range 2 { // the greeting, and over TCP an echo: both ends have said something then
		_ = c.SetDeadline(within(opens))
		if s.Protocol == lvs.UDP || source.IsValid() {
			if _, err := c.Write([]byte(said)); err != nil {
				return source, opens, err
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return source, opens, err
		}
		if s.Protocol == lvs.TCP && source.IsValid() {
			break
		}
		_, from, _ := strings.Cut(strings.TrimSpace(line), " ")
		if source, err = netip.ParseAddr(from); err != nil {
			return source, opens, err
		}
	}
	stream, ok := c.(*net.TCPConn)
	if !ok {
		return source, "", nil
	}
	// The client has said all, which the server has to hear to end the connection.
	if err := stream.CloseWrite(); err != nil {
		return source, ends, err
	}
	_ = c.SetDeadline(within(ends))
	if _, err = lines.ReadByte(); errors.Is(err, io.EOF) {
		return source, "", nil
	}
	return source, ends, err
}

// pass lets neighbours find each other where the policy is to drop; what the policy would drop is dropped by a rule that counts.
const pass, rest = "meta l4proto { 1, 58 } accept; ", "meta l4proto { 6, 17 } counter drop; "

// TestConntrackTraffic: with rules that look at the state of connections, on any hook, connections by nat fail as the need says, and go on once it is met; what
// is asked for is asked for then only, and is put back.
func TestConntrackTraffic(t *testing.T) {
	g := newGuarded(t)
	g.serve(80, lvs.NAT, g.bed.Servers[0], lvs.TCP, lvs.UDP)
	const all = "tcp opens, udp opens"
	for _, x := range []struct{ chain, without string }{
		{"", ""},
		{"type filter hook input priority 0; " + pass + "ct state established,related accept; tcp dport 80 accept; udp dport 80 accept; " + rest, ""},
		{"type filter hook forward priority 0; " + pass + "ct state established,related accept; " + rest, all},
		{"type filter hook forward priority 0; ct state invalid counter drop; ", "tcp opens"},
		{"type filter hook input priority 0; ct state invalid counter drop; ", "tcp ends"},
		{"type filter hook input priority 0; " + pass + "ct state vmap { established : accept, related : accept }; ct state new tcp dport 80 accept; udp dport 80 accept; " + rest, "tcp ends"},
		{"type filter hook input priority 0; tcp flags & (fin|syn|rst|ack) != syn ct state new counter drop; ", "tcp opens"},
		{"type filter hook prerouting priority -150; ct state invalid counter drop; ", "tcp opens"},
		{"type filter hook output priority 0; " + pass + "ct state new,established,related accept; " + rest, all},
		{"type filter hook postrouting priority 0; " + pass + "ct state new,established,related accept; " + rest, all},
	} {
		hook, _, _ := strings.Cut(strings.TrimPrefix(x.chain, "type filter hook "), " ")
		g.rules(map[bool]string{true: "chain c { " + x.chain + "};"}[x.chain != ""])
		if got, _ := g.fails(80, x.without); got != x.without {
			t.Errorf("%s: not tracked: %q fail, want %q", x.chain, got, x.without)
		}
		if n := g.lost(); n > 0 != (x.without != "") {
			t.Errorf("%s: not tracked: %d packets are lost by the rule", x.chain, n)
		}
		n := g.need()
		if (n != nil) != (x.without != "") {
			t.Errorf("%s: asked for: %v", x.chain, n)
		}
		if n == nil {
			continue
		}
		if n.Unless != "" || n.Want != "1" || !strings.Contains(n.So, "on the hook "+hook+")") {
			t.Errorf("%s: %+v", x.chain, n)
		}
		g.set(n)
		if got, _ := g.fails(80, ""); got != "" {
			t.Errorf("%s: tracked: %q fail", x.chain, got)
		}
		if n := g.need(); n != nil {
			t.Errorf("%s: asked for again: %v", x.chain, n)
		}
		c, err := g.bed.Client.Open(lvs.TCP, netip.AddrPortFrom(lvstest.VIP4, 80), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		g.restore()
		if err := c.Alive(); err != nil {
			t.Errorf("%s: a connection that was tracked when the setting was put back: %v", x.chain, err)
		}
		c.Close()
	}
}

// TestConntrackDoesHarm: why no program is to set it where services by direct routing are beside, or rules that translate source addresses, and that what is to be done
// first helps.
func TestConntrackDoesHarm(t *testing.T) {
	g := newGuarded(t)
	direct := g.bed.Servers[2]
	g.bed.Direct(t, direct, realserver.VIP{Addr: lvstest.VIP4, Forward: lvs.DirectRouting}, realserver.VIP{Addr: lvstest.VIP6, Forward: lvs.DirectRouting})
	g.serve(80, lvs.NAT, g.bed.Servers[0], lvs.TCP)
	g.serve(lvstest.Port, lvs.DirectRouting, direct, lvs.TCP)
	setting := func(value string) {
		t.Helper()
		if err := g.bed.Director.Sysctl(strings.ReplaceAll(vsConntrack, ".", "/"), value); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, port uint16, want string) (sources map[netip.Addr]bool) {
		t.Helper()
		got, sources := g.fails(port, want)
		if got != want {
			t.Errorf("%s: on port %d %q fail, want %q", what, port, got, want)
		}
		return sources
	}
	unless := func(chains, want string) {
		t.Helper()
		if n := g.need(); n == nil || want == "" && n.Unless != "" || !strings.Contains(n.Unless, want) || !strings.Contains(n.String(), n.Unless) {
			t.Errorf("%+v, want one that says %q, with the rules\n%s", n, want, chains)
		}
	}
	invalid := "chain c { type filter hook input priority 0; ct state invalid counter drop; }; "
	notrack := fmt.Sprintf("chain r { type filter hook prerouting priority raw; ip daddr %v tcp dport %d notrack; ip6 daddr %v tcp dport %d notrack; }; ",
		lvstest.VIP4, lvstest.Port, lvstest.VIP6, lvstest.Port)
	g.rules(invalid)
	unless(invalid, fmt.Sprintf("ip daddr %v notrack", lvstest.VIP4))
	expect("not tracked", lvstest.Port, "tcp ends")
	g.rules(invalid + notrack)
	expect("its address is not tracked", lvstest.Port, "")
	setting("1")
	g.rules(invalid)
	expect("tracked", lvstest.Port, "tcp opens")
	expect("tracked", 80, "")
	g.rules(invalid + notrack)
	expect("tracked, and its address is not", lvstest.Port, "")
	expect("tracked, and the other one is not", 80, "")
	setting("0")

	forward := "chain c { type filter hook forward priority 0; ct state invalid counter drop; }; "
	g.rules(forward)
	unless(forward, "") // what is sent on by direct routing does not pass there
	setting("1")
	expect("tracked", lvstest.Port, "")
	setting("0")

	hide := forward + "chain n { type nat hook postrouting priority srcnat; oifname back masquerade; }; "
	g.rules(hide)
	unless(hide, "translate source addresses")
	g.rules("chain n { type nat hook postrouting priority srcnat; oifname back masquerade; }; ")
	if g.need() != nil {
		t.Error("asked for where no rule looks at the state")
	}
	if seen := expect("not tracked", 80, ""); seen[lvstest.DirectorBack4] || seen[lvstest.DirectorBack6] {
		t.Errorf("not tracked, and its source is translated: %v", seen)
	}
	setting("1")
	if seen := expect("tracked", 80, ""); !seen[lvstest.DirectorBack4] || !seen[lvstest.DirectorBack6] {
		t.Errorf("tracked, and its source is not translated: %v", seen)
	}
	expect("tracked", lvstest.Port, "tcp opens")
}
