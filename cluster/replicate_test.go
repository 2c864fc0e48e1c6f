package cluster

import (
	"errors"
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

// TestSimEntriesAfterSnapshot: a node with a snapshot, nothing of the log before it and entries after it that were never committed, follows the
// leader that has others there.
func TestSimEntriesAfterSnapshot(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		old := c.leader()
		c.net.Isolate(old.ip)
		if _, err := old.Propose(c.within(10*time.Millisecond), note("lost")); err == nil {
			c.t.Fatal("a leader without followers has committed")
		}
		r := old.current.Load().consensus.raft.Load()
		conf := r.ReloadableConfig()
		conf.TrailingLogs = 0
		if err := errors.Join(r.ReloadConfig(conf), r.Snapshot().Error()); err != nil {
			c.t.Fatal(err)
		}
		if last, first := r.LastIndex(), old.State().Index; last <= first {
			c.t.Fatalf("its log ends at %d, its snapshot at %d: nothing is between", last, first)
		}
		lead := c.leader(old)
		if _, err := lead.Propose(c.within(5*time.Second), note("kept")); err != nil {
			c.t.Fatal(err)
		}
		c.net.Heal()
		want := lead.State().Index
		c.until(5*time.Second, "the old leader has it all", func() bool { return old.State().Index >= want })
	})
}
