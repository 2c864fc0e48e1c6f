package lab

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Probe asks an address at a fixed interval, answered or not, and remembers when answers came. It measures an outage
// to within its interval, which a TCP client, with its retransmissions, cannot.
type Probe struct {
	Target   netip.Addr
	Interval time.Duration

	wire asker
	stop chan struct{}
	once sync.Once
	wg   sync.WaitGroup

	mu     sync.Mutex
	sent   []Instant // by sequence
	failed []Instant // when one could not be sent
	why    error     // the last one
	back   []Instant // answers, in the order in which they came
	seen   map[uint16]bool
}

// asker is what a probe asks through.
type asker interface {
	// ask sends a question. One that cannot be sent is one without an answer; the error is for who wonders why.
	ask(seq uint16) error
	// hear calls note with the number of each question that is answered, possibly at the same time, until Close.
	hear(note func(seq uint16))
	Close() error
}

// maxQuestions ends a probe: sequence numbers are 16 bits wide, and an answer must name one question only.
const maxQuestions = 1 << 16

// startProbe asks every interval until Close, the end of the lab, or 65,536 questions.
func (h *Host) startProbe(target netip.Addr, interval time.Duration, wire asker) *Probe {
	p := &Probe{Target: target, Interval: interval, wire: wire, stop: make(chan struct{}), seen: map[uint16]bool{}}
	h.lab.onClose(p)
	p.wg.Go(p.send)
	p.wg.Go(func() { p.wire.hear(p.note) })
	return p
}

// Close stops the probe. What it saw stays readable.
func (p *Probe) Close() error {
	var err error
	p.once.Do(func() {
		close(p.stop)
		err = p.wire.Close()
		p.wg.Wait()
	})
	return err
}

func (p *Probe) send() {
	start := Now()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for seq := range maxQuestions {
		p.mu.Lock()
		p.sent = append(p.sent, Now())
		p.mu.Unlock()
		if err := p.wire.ask(uint16(seq)); err != nil {
			p.mu.Lock()
			p.failed, p.why = append(p.failed, Now()), err
			p.mu.Unlock()
		}
		// By the clock, not from question to question: what a busy machine holds up is made up for, so that the rate is kept.
		wait.Reset(start.Add(time.Duration(seq+1) * p.Interval).Sub(Now()))
		select {
		case <-wait.C:
		case <-p.stop:
			return
		}
	}
}

func (p *Probe) note(seq uint16) {
	at := Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.back = append(p.back, at)
	p.seen[seq] = true
}

// Gap is the longest stretch of the window without an answer.
func (p *Probe) Gap(window Span) Span {
	p.mu.Lock()
	back := slices.Clone(p.back)
	p.mu.Unlock()
	slices.Sort(back)
	return longestGap(back, window)
}

// Lost counts the questions asked in the window that were not answered.
func (p *Probe) Lost(window Span) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost := 0
	for seq, at := range p.sent {
		if at >= window.From && at < window.To && !p.seen[uint16(seq)] {
			lost++
		}
	}
	return lost
}

// Unsent counts the questions of the window that could not even be sent, and says why the last one of all could not.
func (p *Probe) Unsent(window Span) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return count(p.failed, window), p.why
}

// Sent counts the questions asked in the window.
func (p *Probe) Sent(window Span) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return count(p.sent, window)
}

// count is how many are in the window.
func count(all []Instant, window Span) (n int) {
	for _, at := range all {
		if at >= window.From && at < window.To {
			n++
		}
	}
	return n
}

// Answered reports whether an answer came at or after t.
func (p *Probe) Answered(t Instant) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.back) > 0 && p.back[len(p.back)-1] >= t
}
