package probepath

import (
	"fmt"
	"sync"
	"time"
)

// quarantine is how long no other question gets a port that one has left: longer than IPVS remembers a connection that Dial has opened, also one
// that came to nothing (SYN_RECV, a minute).
const quarantine = 2 * time.Minute

// Ports gives each question a local port of its own. The kernel leads a connection by its addresses and ports for as long as it remembers one that had
// the same: were ports shared, those of a server that does not answer would keep coming upon questions to others. So the kernel's table has
// one connection for each question, too, however often it is asked. Safe for concurrent use; the zero value is empty.
type Ports struct {
	// Free finds a port that nobody uses; set before the first call. nil: by asking the kernel.
	Free func() (uint16, error)

	mu   sync.Mutex
	of   map[string]uint16
	used map[uint16]time.Time // until when; zero: by a question in of
}

// Of is the port of a question.
func (p *Ports) Of(question string) (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if port, ok := p.of[question]; ok {
		return port, nil
	}
	if p.of == nil {
		p.of, p.used = make(map[string]uint16), make(map[uint16]time.Time)
	}
	free := p.Free
	if free == nil {
		free = freePort
	}
	const attempts = 64
	now := time.Now()
	for range attempts {
		port, err := free()
		if err != nil {
			return 0, err
		}
		if until, used := p.used[port]; used && (until.IsZero() || now.Before(until)) {
			continue
		}
		p.of[question], p.used[port] = port, time.Time{}
		return port, nil
	}
	return 0, fmt.Errorf("no local port is free for one more question: %d have one", len(p.of))
}

// Leave gives up the port of a question: another program has it, or it is not asked any more.
func (p *Ports) Leave(question string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if port, ok := p.of[question]; ok {
		delete(p.of, question)
		p.used[port] = time.Now().Add(quarantine)
	}
}

// Keep leaves the ports of all questions but these, and forgets those that were left long ago.
func (p *Ports) Keep(questions map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for question, port := range p.of {
		if !questions[question] {
			delete(p.of, question)
			p.used[port] = now.Add(quarantine)
		}
	}
	for port, until := range p.used {
		if !until.IsZero() && now.After(until) {
			delete(p.used, port)
		}
	}
}

// Has reports whether a question has the port.
func (p *Ports) Has(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, used := p.used[port]
	return used && until.IsZero()
}
