package nft

import (
	"net/netip"
	"slices"
	"time"

	"quorate/lvs"
)

const (
	// countQuantum is how long a Reconcile reads tracked connections at most; a table that takes longer is read on by the next ones.
	countQuantum = 20 * time.Millisecond
	// The table is read again after so long at the soonest, and after so many times what it took.
	countPause, countShare = time.Second, 50
	// maxFlows bounds how many pairs of services and servers are told apart; a table with more, as a scan of a service of all ports can
	// make it, is not counted.
	maxFlows = 1 << 16
)

// census counts the connections that the kernel tracks, for each server. It is never more than a share of the time behind, and never
// keeps a Reconcile for long.
type census struct {
	reading *dump
	flows   map[flow]count // of the dump that is being read
	spent   time.Duration  // for it
	last    map[flow]count // of the last that was read to its end; nil = none
	next    time.Time      // for another one
	// suspects: nobody has looked for strays in last.
	suspects bool

	taken   *lvs.MatchIndex // what services by firewall mark take, and
	takenBy []lvs.Key       // which, by the numbers in taken
	matches []lvs.Match     // by the same numbers
}

type count struct{ active, inactive int }

// step reads on, for a quantum at most. An error loses what was counted: the numbers are not known then.
func (c *census) step() error {
	begin := time.Now()
	if c.reading == nil {
		if begin.Before(c.next) {
			return nil
		}
		d, err := newDump()
		if err != nil {
			return err
		}
		c.reading, c.flows, c.spent = d, make(map[flow]count), 0
	}
	for time.Since(begin) < countQuantum {
		done, err := c.reading.next(c.add)
		if err != nil || done || len(c.flows) > maxFlows {
			if c.last = nil; done {
				c.last, c.suspects = c.flows, true
			}
			c.close()
			c.spent += time.Since(begin)
			c.next = time.Now().Add(max(countPause, countShare*c.spent))
			return err
		}
	}
	c.spent += time.Since(begin)
	return nil
}

func (c *census) close() {
	if c.reading != nil {
		c.reading.close()
		c.reading, c.flows = nil, nil
	}
}

func (c *census) add(t tracked) {
	if !t.translated() {
		return
	}
	n := c.flows[t.flow()]
	if t.active() {
		n.active++
	} else {
		n.inactive++
	}
	c.flows[t.flow()] = n
}

// takes says which services by firewall mark take what, of those whose packets are marked for them, and reports whether that is new.
func (c *census) takes(services []lvs.Service) bool {
	var matches []lvs.Match
	var by []lvs.Key
	for _, s := range services {
		for _, m := range s.Matches {
			matches, by = append(matches, m), append(by, s.Key())
		}
	}
	if c.taken != nil && slices.Equal(matches, c.matches) && slices.Equal(by, c.takenBy) {
		return false
	}
	c.taken, c.matches, c.takenBy = lvs.NewMatchIndex(matches), matches, by
	return true
}

// of are the connections of each server of each service; nil when they are not known. A connection of a service by firewall mark says
// nothing of the mark: it is known by what the service takes, or where others mark the packets by its server.
func (c *census) of(services []lvs.Service) map[lvs.Key]map[netip.AddrPort]count {
	if c.last == nil {
		return nil
	}
	out := make(map[lvs.Key]map[netip.AddrPort]count, len(services))
	byMark := make(map[netip.Addr]lvs.Key)
	if c.taken == nil {
		c.takes(nil)
	}
	matched := make(map[lvs.Key]bool, len(c.takenBy))
	for _, k := range c.takenBy {
		matched[k] = true
	}
	for _, s := range services {
		servers := make(map[netip.AddrPort]count, len(s.Destinations))
		for _, d := range s.Destinations {
			servers[d.Addr] = count{}
			if s.Mark != 0 && !matched[s.Key()] {
				byMark[d.Addr.Addr()] = s.Key()
			}
		}
		out[s.Key()] = servers
	}
	for f, n := range c.last {
		proto, _ := protocolName(f.proto)
		keys := []lvs.Key{{Protocol: proto, Addr: f.vip}, {Protocol: proto, Addr: netip.AddrPortFrom(f.vip.Addr(), 0)}}
		if i, ok := c.taken.Find(proto, f.vip); ok {
			keys = []lvs.Key{c.takenBy[i]} // the mark goes before the address
		} else if k, ok := byMark[f.server.Addr()]; ok {
			keys = append(keys, k)
		}
		for _, k := range keys {
			if servers, ok := out[k]; ok {
				credit(servers, f.server, n)
				break
			}
		}
	}
	return out
}

// credit adds the count to the server, or where the port was left as it was to that which has the address. A server that is none any more
// is not shown.
func credit(servers map[netip.AddrPort]count, at netip.AddrPort, n count) {
	if _, ok := servers[at]; !ok {
		for a := range servers {
			if a.Addr() == at.Addr() {
				at, ok = a, true
				break
			}
		}
		if !ok {
			return
		}
	}
	had := servers[at]
	servers[at] = count{had.active + n.active, had.inactive + n.inactive}
}
