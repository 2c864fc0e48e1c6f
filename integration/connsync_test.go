package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/api"
	"quorate/integration/lab"
)

// TestConnectionsOutliveTheirDirector: with real agents, connections through a service by nat go on when the power of their director is cut,
// when that of the next one is cut 5 s after the first came back with nothing in its memory, and when they are moved as planned. Nothing is
// configured for it.
func TestConnectionsOutliveTheirDirector(t *testing.T) {
	p := paceOf()
	bed := newBed(t, 3, 2)
	form(t, bed)
	d := bed.Directors
	c := &lab.Config{CheckInterval: p.checks}
	c.Settings(p.settings()...).Group("front").
		VIP("web", lab.VIP(1), `group = "front"`).VIP("wayback", lab.VIP(2), `group = "front"`).
		RoutedWeb("web", "web", bed.ServerAddr(0), bed.ServerAddr(1))
	apply(t, d[0], c)
	wayBack(t, bed, bed.Client, lab.VIP(2).Addr())
	healthy := func(what string) { t.Helper(); synced(t, bed, p, what) }
	healthy("all is well")
	owner := func() *lab.Director {
		t.Helper()
		on, err := bed.AwaitOwner(within(t, 5*time.Second*p.times), lab.VIP(1).Addr(), nil)
		must(t, err)
		return on
	}

	k := talk(t, bed.Client, p, netip.AddrPortFrom(lab.VIP(1).Addr(), 80))
	<-time.After(3500 * time.Millisecond) // so old are the connections to be
	first := owner()
	must(t, first.PowerOff())
	k.goOn(t, "owner "+first.Name+" lost its power", 99)
	must(t, first.Reboot(within(t, 15*time.Second*p.times)))
	healthy("the first one has the connections again")
	<-time.After(5 * time.Second)
	second := owner()
	must(t, second.PowerOff())
	k.goOn(t, "owner "+second.Name+" lost its power, 5 s after the other came back", 99)
	must(t, second.Reboot(within(t, 15*time.Second*p.times)))
	must(t, bed.AwaitReady(within(t, 20*time.Second*p.times)))
	healthy("the second one has them again")
	left := k.alive
	third := owner()
	says(t, third, "vip", "move", "web", second.Name)
	k.goOn(t, "planned move", 0)
	if k.alive < left {
		t.Errorf("%d connections ended when they were moved as planned", left-k.alive)
	}
	t.Log(says(t, owner(), "status"))
}

// synced waits until the servers are well and all directors that run have each other's connections, and nothing is wrong with them.
func synced(t *testing.T, bed *lab.Bed, p pace, what string) {
	t.Helper()
	must(t, bed.AwaitStatus(within(t, 20*time.Second*p.times), what, func(st api.Status) error {
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

// wayBack makes the servers' way to a client lead through an address.
func wayBack(t *testing.T, bed *lab.Bed, client *lab.Host, through netip.Addr) {
	t.Helper()
	for i := range bed.Servers {
		h := bed.Servers[i].Host()
		must(t, h.Sysctl("net.ipv4.conf.all.accept_redirects", "0"))
		must(t, h.Sysctl("net.ipv4.conf.eth0.accept_redirects", "0"))
		links, err := h.Links()
		must(t, err)
		eth0, err := links.LinkByName("eth0")
		must(t, err)
		must(t, links.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: through.AsSlice(),
			Dst: &net.IPNet{IP: client.Addr().AsSlice(), Mask: net.CIDRMask(32, 32)}}))
	}
}

// talkers are connections that ask something again and again.
type talkers struct {
	mu    sync.Mutex
	last  []time.Time // of each: when its last exchange began that came to its end
	ended []error     // nil: it goes on
	news  chan struct{}
	alive int // when they were counted last
	end   func()
}

// talk opens connections to a service, as many as the machine bears, to its addresses by turns. They end with the test, or when it calls end.
func talk(t *testing.T, from *lab.Host, p pace, to ...netip.AddrPort) *talkers {
	t.Helper()
	k := &talkers{last: make([]time.Time, p.conns), ended: make([]error, p.conns), news: make(chan struct{}, 1), alive: p.conns}
	var done sync.WaitGroup
	stop := make(chan struct{})
	k.end = sync.OnceFunc(func() { close(stop); done.Wait() })
	t.Cleanup(k.end)
	for i := range p.conns {
		var c net.Conn
		must(t, from.Do(func() (err error) {
			c, err = net.DialTimeout("tcp", to[i%len(to)].String(), 5*time.Second*p.times)
			return err
		}))
		done.Go(func() {
			defer c.Close()
			ask(c, stop, p, func(at time.Time, err error) {
				k.mu.Lock()
				k.last[i], k.ended[i] = at, err
				k.mu.Unlock()
				select {
				case k.news <- struct{}{}:
				default:
				}
			})
		})
	}
	return k
}

// goOn waits until each connection has either ended or had an exchange that began after the call, and wants so many of a hundred to have
// had one.
func (k *talkers) goOn(t *testing.T, what string, percent int) {
	t.Helper()
	for now := time.Now(); ; <-k.news {
		waits := 0
		k.mu.Lock()
		k.alive = 0
		for i, at := range k.last {
			switch {
			case k.ended[i] != nil:
			case at.After(now):
				k.alive++
			default:
				waits++
			}
		}
		k.mu.Unlock()
		if waits == 0 {
			break
		}
	}
	t.Logf("%s: %d of %d connections go on", what, k.alive, len(k.last))
	if k.alive*100 < len(k.last)*percent {
		t.Errorf("%s: %d of %d connections go on, want %d %%; the others: %v", what, k.alive, len(k.last), percent, errors.Join(k.ended...))
	}
}

// ask sends a request every so often and reads its answer, until stop is closed or one fails; told is when each began.
func ask(c net.Conn, stop <-chan struct{}, p pace, told func(began time.Time, err error)) {
	r := bufio.NewReader(c)
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		began := time.Now()
		c.SetDeadline(began.Add(10 * time.Second * p.times))
		_, err := exchange(c, r)
		if told(began, err); err != nil {
			return
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// exchange sends one request and returns the answer: the name of the server.
func exchange(c net.Conn, r *bufio.Reader) (string, error) {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: web\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(answer.Body)
	return string(b), err
}
