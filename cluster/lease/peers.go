package lease

import (
	"fmt"
	"time"

	"quorate/fsm"
)

// peers remembers how far each store has come, and shuts out one that goes back: design §3 “Grantor changes”, "Peers remember
// each store's highest promise count and log index and shut out one that goes back". Such a store has lost promises.
//
// Datagrams come late and in any order, and a boot id does not say which of two processes was the later one. But a process
// that followed another began with at least what that one had made durable. One that is behind another is therefore either
// an earlier process, of which some datagrams are still under way, or a later one whose store went back. It is ignored, and
// shut out if it goes on talking while the other has fallen silent.
type peers struct {
	stores map[fsm.Grantor]*storeMemory
}

// storeMemory is what is known of one store: of its processes, and whether it is shut out.
type storeMemory struct {
	processes []processMemory
	out       bool
}

// processMemory is what one process of a store has said.
type processMemory struct {
	boot        BootID
	least, most uint64 // promises
	applied     uint64 // highest index; its log held that
	log         uint64 // where its log ended when it began; means nothing unless known
	known       bool
	heard       time.Duration // RAW of its last message
	alone       time.Duration // RAW since when it has gone on although it is behind one that fell silent
}

const (
	// maxStores bounds the memory. It is far above the number of stores that a cluster sees in a process's life.
	maxStores = 1024
	// maxProcesses bounds how many processes of one store are told apart.
	maxProcesses = 8
	// doubtFor is for how long a process that is behind another one must go on alone until it is shut out. A datagram that
	// was held up on its way does not.
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
		s = &storeMemory{}
		p.stores[g] = s
	}
	if s.out {
		return false, nil
	}
	x := s.note(now, m)
	behind, last := "", time.Duration(0) // of those that it is behind of
	for i := range s.processes {
		o := &s.processes[i]
		if o == x {
			continue
		}
		if why := x.behind(o); why != "" {
			behind, last = why, max(last, o.heard)
		}
	}
	switch {
	case behind == "":
		return true, nil
	case x.alone <= last:
		x.alone = now.Raw
		return false, nil
	case now.Raw-x.alone < doubtFor:
		return false, nil
	}
	s.out, s.processes = true, nil
	return false, &ShutOut{Grantor: g, Why: behind}
}

// note adds what a message says to what its process has said, and returns that.
func (s *storeMemory) note(now Instant, m *Message) *processMemory {
	var x *processMemory
	for i := range s.processes {
		if s.processes[i].boot == m.Boot {
			x = &s.processes[i]
		}
	}
	if x == nil {
		x = s.room()
		*x = processMemory{boot: m.Boot, least: m.Promises}
	}
	x.least, x.most = min(x.least, m.Promises), max(x.most, m.Promises)
	x.applied = max(x.applied, m.Applied)
	if m.LogKnown {
		x.log, x.known = m.Log, true
	}
	x.heard = now.Raw
	return x
}

// room is a place for another process. When all are taken it is that of the one which was not heard for longest; but never one
// of those that came furthest, against which the others are measured.
func (s *storeMemory) room() *processMemory {
	if len(s.processes) < maxProcesses {
		s.processes = append(s.processes, processMemory{})
		return &s.processes[len(s.processes)-1]
	}
	most, applied := 0, 0
	for i := range s.processes {
		if s.processes[i].most > s.processes[most].most {
			most = i
		}
		if s.processes[i].applied > s.processes[applied].applied {
			applied = i
		}
	}
	oldest := -1
	for i := range s.processes {
		if i != most && i != applied && (oldest < 0 || s.processes[i].heard < s.processes[oldest].heard) {
			oldest = i
		}
	}
	return &s.processes[oldest]
}

// behind says in what x cannot have followed o, or "".
func (x *processMemory) behind(o *processMemory) string {
	if x.least < o.most {
		return fmt.Sprintf("it had made %d promises durable and now knows of %d", o.most, x.least)
	}
	if x.known && x.log < o.applied {
		return fmt.Sprintf("it had applied index %d and has begun again with a log that ends at %d", o.applied, x.log)
	}
	return ""
}
