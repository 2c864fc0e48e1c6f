package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/integration/lab"
)

// TestSeeIt: whichever agent is asked, the owner's kernel tells what it counts and who is connected.
func TestSeeIt(t *testing.T) {
	bed := newBed(t, 2, 2)
	form(t, bed)
	servers := []netip.AddrPort{bed.ServerAddr(0), bed.ServerAddr(1)}
	apply(t, bed.Directors[0], new(lab.Config).VIP("web", lab.VIP(1)).Web("web", "web", servers...))
	awaitServers(t, bed, 2)
	owned(t, bed, lab.VIP(1))
	owner, err := bed.AwaitOwner(within(t, 5*time.Second), lab.VIP(1).Addr(), nil)
	must(t, err)
	listener := netip.AddrPortFrom(lab.VIP(1).Addr(), 80)
	clients := map[netip.AddrPort]bool{}
	for range 4 {
		must(t, bed.Client.Do(func() error {
			c, err := net.DialTimeout("tcp", listener.String(), 3*time.Second)
			if err == nil {
				t.Cleanup(func() { _ = c.Close() })
				clients[c.LocalAddr().(*net.TCPAddr).AddrPort()] = true
			}
			return err
		}))
	}
	for _, d := range bed.Directors {
		must(t, lab.Await(within(t, 10*time.Second), 100*time.Millisecond, func(ctx context.Context) error {
			out, err := d.Quorate(ctx, "service", "show", "web", "-o", "json")
			var s api.Service
			if err == nil {
				err = json.Unmarshal([]byte(out), &s)
			}
			if err == nil && (s.Traffic == nil || string(s.Traffic.Node) != owner.Name || !s.Traffic.Present || s.Traffic.Connections < 4) {
				err = fmt.Errorf("%s, asked about %s: %+v", d.Name, owner.Name, s.Traffic)
			}
			return err
		}))
		left := map[netip.AddrPort]bool{}
		for c := range clients {
			left[c] = true
		}
		lines := bufio.NewScanner(strings.NewReader(says(t, d, "conn", "list", "--service", "web", "--limit", "0", "-o", "json")))
		for lines.Scan() {
			var c api.Connection
			must(t, json.Unmarshal(lines.Bytes(), &c))
			if c.Virtual != listener || c.Server != servers[0] && c.Server != servers[1] || c.State == "" {
				t.Errorf("%s: %+v", d.Name, c)
			}
			delete(left, c.Client)
		}
		if len(left) > 0 {
			t.Errorf("%s does not list %v", d.Name, left)
		}
		if out := says(t, d, "service", "top", "--once", "web"); !strings.Contains(out, owner.Name) || !strings.Contains(out, servers[0].String()) {
			t.Errorf("%s: %s", d.Name, out)
		}
		agreed := says(t, d, "service", "list", "--format", "ipvsadm")
		if !strings.Contains(agreed, "-A -t "+listener.String()) || says(t, d, "service", "list", "--format", "ipvsadm", "--node", owner.Name) != agreed {
			t.Errorf("%s: %s", d.Name, agreed)
		}
		t.Logf("%s:\n%s", d.Name, says(t, d, "service", "show", "web"))
	}
}
