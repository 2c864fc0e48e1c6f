package lvstest

import (
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Flood sends datagrams from the host, as fast as it can, until the returned function is called or the test ends.
func (h *Host) Flood(t testing.TB, to netip.AddrPort) (end func()) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		stopped <- h.Do(func() error {
			c, err := net.Dial("udp", to.String())
			if err != nil {
				return err
			}
			defer c.Close()
			for {
				select {
				case <-stop:
					return nil
				default:
					c.Write([]byte("?")) // where the packets are counted and dropped it says that it may not
				}
			}
		})
	}()
	end = sync.OnceFunc(func() {
		close(stop)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

// Counted are the packets that the rules of a chain have counted, in the order of the rules.
func (h *Host) Counted(t testing.TB, chain *nftables.Chain) (n []uint64) {
	t.Helper()
	h.Nftables(t, func(c *nftables.Conn) error {
		rules, err := c.GetRules(chain.Table, chain)
		for _, r := range rules {
			for _, e := range r.Exprs {
				if counter, ok := e.(*expr.Counter); ok {
					n = append(n, counter.Packets)
				}
			}
		}
		return err
	})
	return n
}
