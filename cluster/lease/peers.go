package lease

import (
	"fmt"
	"slices"
	"time"

	"quorate/fsm"
)

// peers remembers how far each store has come, and shuts out one that goes back: design §3 “Grantor changes”, "Peers remember
// each store's highest promise count and log index and shut out one that goes back". Such a store has lost promises.
//
// Datagrams come late and in any order, so less than before proves something only in a process that was not seen
// earlier, and only if nothing more is heard of the process before it.
type peers struct {
	stores map[fsm.Grantor]*storeMemory
}

// storeMemory is what is known of one store.
type storeMemory struct {
	promises uint64
	applied  uint64 // highest index that it had applied, which its log therefore held
	boot     BootID
	past     []BootID // earlier processes; what is still to come from them is ignored
	doubt    struct {
		boot  BootID
		since time.Duration
	}
	out bool
}

const (
	// maxStores bounds the memory. It is far above the number of nodes that a cluster has over a process's life.
	maxStores = 1024
	// maxPast bounds how many earlier processes of one store are told from a new one.
	maxPast = 16
	// doubtFor is for how long a process that says less than an earlier one said is ignored before it is shut out. A
	// datagram of an earlier process that was held up somewhere is alone.
	doubtFor = time.Second
)

func newPeers() peers { return peers{stores: make(map[fsm.Grantor]*storeMemory)} }

// admit reports whether the message may be looked at; the second result is set when its store has just been shut out.
func (p *peers) admit(now Instant, from fsm.NodeID, m *Message) (bool, *ShutOut) {
	g := fsm.Grantor{Node: from, Store: m.Store}
	s, ok := p.stores[g]
	if !ok {
		if len(p.stores) >= maxStores {
			return false, nil
		}
		s = &storeMemory{boot: m.Boot}
		p.stores[g] = s
	}
	switch {
	case s.out:
		return false, nil
	case m.Boot == s.boot:
		s.doubt.since = now.Raw
	case slices.Contains(s.past, m.Boot):
		return false, nil
	default:
		if why := s.wentBack(m); why != "" {
			if s.doubt.boot != m.Boot {
				s.doubt.boot, s.doubt.since = m.Boot, now.Raw
			}
			if now.Raw-s.doubt.since < doubtFor {
				return false, nil
			}
			s.out = true
			return false, &ShutOut{Grantor: g, Why: why}
		}
		if len(s.past) == maxPast {
			s.past = slices.Delete(s.past, 0, 1)
		}
		s.past = append(s.past, s.boot)
		s.boot = m.Boot
	}
	s.promises = max(s.promises, m.Promises)
	s.applied = max(s.applied, m.Applied)
	return true, nil
}

// wentBack says in what a new process of the store is behind what an earlier one said, or "".
func (s *storeMemory) wentBack(m *Message) string {
	if m.Promises < s.promises {
		return fmt.Sprintf("it has made %d promises durable and now knows of %d", s.promises, m.Promises)
	}
	if m.LogKnown && m.Log < s.applied {
		return fmt.Sprintf("it had applied index %d and started again with a log that ends at %d", s.applied, m.Log)
	}
	return ""
}
