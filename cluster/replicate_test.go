package cluster

import (
	"sync"
	"testing"
	"time"
)

// A follower that refuses an entry once, while more are on their way, gets them all in the end.
func TestSimFollowerRefusesOnce(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		lead := c.leader()
		f := c.other(lead)
		log := f.current.Load().consensus.stores.Log.(*slowLog)
		for range 30 {
			log.refuse.Store(true)
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					if _, err := lead.Propose(c.within(5*time.Second), note("x")); err != nil {
						c.t.Error(err)
					}
				})
				time.Sleep(100 * time.Microsecond)
			}
			all.Wait()
			want := lead.State().Index
			c.until(5*time.Second, "the follower has it all", func() bool { return f.State().Index >= want })
		}
	})
}
