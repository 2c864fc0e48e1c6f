package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/api"
	"quorate/integration/lab"
)

// TestConnectionsOutliveTheirDirector: with real agents, connections through a service by nat go on when the power of their director is cut,
// and when that of the next one is cut 5 s after the first came back with nothing in its memory. Nothing is configured for it.
func TestConnectionsOutliveTheirDirector(t *testing.T) {
	const conns = 200
	bed := newBed(t, 3, 2)
	form(t, bed)
	d := bed.Directors
	apply(t, d[0], new(lab.Config).Group("front").
		VIP("web", lab.VIP(1), `group = "front"`).VIP("wayback", lab.VIP(2), `group = "front"`).
		RoutedWeb("web", "web", bed.ServerAddr(0), bed.ServerAddr(1)))
	for i := range bed.Servers {
		h := bed.Servers[i].Host()
		must(t, h.Sysctl("net.ipv4.conf.all.accept_redirects", "0"))
		must(t, h.Sysctl("net.ipv4.conf.eth0.accept_redirects", "0"))
		links, err := h.Links()
		must(t, err)
		eth0, err := links.LinkByName("eth0")
		must(t, err)
		must(t, links.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: lab.VIP(2).Addr().AsSlice(),
			Dst: &net.IPNet{IP: bed.Client.Addr().AsSlice(), Mask: net.CIDRMask(32, 32)}}))
	}
	healthy := func(what string) {
		t.Helper()
		must(t, bed.AwaitStatus(within(t, 20*time.Second), what, func(st api.Status) error {
			for _, v := range st.Services {
				if v.Up < 2 {
					return fmt.Errorf("service %+v", v)
				}
			}
			for _, n := range st.Nodes {
				if n.Reached && (n.Sync == nil || !n.Sync.Synced || len(n.Problems) > 0) {
					return fmt.Errorf("%s: %+v, problems %q", n.ID, n.Sync, n.Problems)
				}
			}
			return nil
		}))
	}
	healthy("all is well")
	owner := func() *lab.Director {
		t.Helper()
		on := bed.Carriers(lab.VIP(1).Addr())
		if len(on) != 1 {
			t.Fatalf("the VIP is on %d directors", len(on))
		}
		return on[0]
	}

	var failed atomic.Int32
	var done sync.WaitGroup
	stop := make(chan struct{})
	defer done.Wait()
	defer close(stop)
	for range conns {
		var c net.Conn
		must(t, bed.Client.Do(func() (err error) {
			c, err = net.DialTimeout("tcp", net.JoinHostPort(lab.VIP(1).Addr().String(), "80"), 5*time.Second)
			return err
		}))
		done.Go(func() {
			defer c.Close()
			if err := ask(c, stop); err != nil {
				failed.Add(1)
			}
		})
	}
	<-time.After(3500 * time.Millisecond) // so old are the connections to be
	first := owner()
	must(t, first.PowerOff())
	<-time.After(8 * time.Second)
	t.Logf("owner %s lost its power: %d of %d connections ended", first.Name, failed.Load(), conns)
	if n := failed.Load(); n > conns/100 {
		t.Errorf("%d of %d connections ended with their director", n, conns)
	}
	failed.Store(0)
	must(t, first.Reboot(within(t, 15*time.Second)))
	healthy("the first one has the connections again")
	<-time.After(5 * time.Second)
	second := owner()
	must(t, second.PowerOff())
	<-time.After(8 * time.Second)
	t.Logf("owner %s lost its power: %d of %d connections ended", second.Name, failed.Load(), conns)
	if n := failed.Load(); n > conns/100 {
		t.Errorf("%d of %d connections ended with the second director", n, conns)
	}
	out, err := owner().Quorate(t.Context(), "status")
	must(t, err)
	t.Log(out)
}

// ask sends a request twice a second and reads its answer, until stop is closed.
func ask(c net.Conn, stop <-chan struct{}) error {
	r := bufio.NewReader(c)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		c.SetDeadline(time.Now().Add(6 * time.Second))
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: web\r\n\r\n"); err != nil {
			return err
		}
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
	}
}
