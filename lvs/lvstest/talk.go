package lvstest

import (
	"net/netip"
	"sync"
	"testing"
	"time"
)

// Talkers are connections with traffic.
type Talkers struct {
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	last  []time.Time // of each: when its last exchange began that came to its end
	ended []error     // of each: why it failed
	news  chan struct{}
}

// Talk opens n connections from the client to a service; each sends a line every interval and waits for its echo. They end with the test.
func (p *Pair) Talk(t testing.TB, service netip.AddrPort, n int, interval time.Duration) *Talkers {
	t.Helper()
	k := &Talkers{stop: make(chan struct{}), last: make([]time.Time, n), ended: make([]error, n), news: make(chan struct{}, 1)}
	t.Cleanup(func() {
		close(k.stop)
		k.done.Wait()
	})
	for i := range n {
		c, err := p.Client.Open("tcp", service, netip.Addr{})
		if err != nil {
			t.Fatalf("connection %d to %v: %v", i, service, err)
		}
		k.done.Go(func() {
			defer c.Close()
			k.talk(i, c, interval)
		})
	}
	return k
}

func (k *Talkers) talk(i int, c *Conn, interval time.Duration) {
	wait := time.NewTicker(interval)
	defer wait.Stop()
	for {
		began := time.Now()
		err := c.Alive()
		k.mu.Lock()
		k.last[i], k.ended[i] = began, err
		k.mu.Unlock()
		select {
		case k.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
		select {
		case <-k.stop:
			return
		case <-wait.C:
		}
	}
}

// Alive waits until each connection has either failed or had an exchange that began after the call, and counts the latter.
func (k *Talkers) Alive() (alive int, failure error) {
	for now := time.Now(); ; <-k.news {
		waits := false
		alive = 0
		k.mu.Lock()
		for i, at := range k.last {
			switch {
			case k.ended[i] != nil:
				failure = k.ended[i]
			case at.After(now):
				alive++
			default:
				waits = true
			}
		}
		k.mu.Unlock()
		if !waits {
			return alive, failure
		}
	}
}
