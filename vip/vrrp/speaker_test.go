package vrrp

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// cable is a link in memory: what one end sends the others hear.
type cable struct {
	mu   sync.Mutex
	ends []*end
	seen []Datagram // all that was sent
	cut  error      // what Send says
}

type end struct {
	cable    *cable
	mu       sync.Mutex
	inbox    []Datagram
	deadline time.Time
	woken    chan struct{}
}

func (c *cable) plug() *end {
	e := &end{cable: c, woken: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, e)
	return e
}

func (e *end) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

func (e *end) Receive() ([]Datagram, error) {
	for {
		e.mu.Lock()
		got, deadline := e.inbox, e.deadline
		e.inbox = nil
		e.mu.Unlock()
		if len(got) > 0 {
			return got, nil
		}
		var late <-chan time.Time
		if !deadline.IsZero() {
			d := time.Until(deadline)
			if d <= 0 {
				return nil, os.ErrDeadlineExceeded
			}
			late = time.After(d)
		}
		select {
		case <-e.woken:
		case <-late:
		}
	}
}

func (e *end) Send(packet []byte, _ netip.Addr) error {
	c := e.cable
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut != nil {
		return c.cut
	}
	d, r := ParseIPv4(slices.Clone(packet))
	if r != Accepted {
		return errors.New(r.String())
	}
	c.seen = append(c.seen, d)
	for _, other := range c.ends {
		if other != e {
			other.mu.Lock()
			other.inbox = append(other.inbox, d)
			other.mu.Unlock()
			other.wake()
		}
	}
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deadline = t
	e.wake()
	return nil
}

// sent is how many adverts of a priority have been sent.
func (c *cable) sent(p Priority) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.seen {
		if Priority(d.Payload[2]) == p {
			n++
		}
	}
	return n
}

// run runs a speaker with one router on a new end of the cable.
func run(ctx context.Context, t *testing.T, c *cable, config Config, did *[]string) *Speaker {
	t.Helper()
	s := NewSpeaker(SpeakerOptions{Wire: c.plug(), Act: func(_ VRID, a Action) { *did = append(*did, a.String()) }})
	if err := s.Add(config); err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	return s
}

// TestSpeakers: two hosts that elect: the better one speaks, one advert an interval; it stops, and the other takes over after its skew; it comes back, and
// preempts.
func TestSpeakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		link := &cable{}
		var didA, didB []string
		a, b := base(), base()
		a.Source, a.Priority, a.Anyone = addr("192.168.1.1"), 200, true
		b.Source, b.Priority, b.Anyone = addr("192.168.1.2"), 100, true
		sa, sb := run(ctx, t, link, a, &didA), run(ctx, t, link, b, &didB)
		time.Sleep(3*sec + 56*sec/256 + 10*sec + ms)
		if n := link.sent(200); n != 11 || link.sent(100) != 0 {
			t.Errorf("%d and %d adverts", n, link.sent(100))
		}
		st, _ := sb.Status(51)
		if st.State != Backup || st.ActiveRouter != a.Source || len(st.Neighbours) != 1 || st.Activity[0] != Speaking {
			t.Errorf("the other is %+v", st)
		}
		if err := sa.Remove(51); err != nil {
			t.Fatal(err)
		}
		time.Sleep(156*sec/256 + ms)
		if link.sent(0) != 1 || link.sent(100) != 1 {
			t.Errorf("%d last words, %d adverts of the heir", link.sent(0), link.sent(100))
		}
		if err := sa.Add(a); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * sec)
		if st, _ := sb.Status(51); st.State != Backup {
			t.Errorf("the heir is %s: %q", st.State, didB)
		}
		if want := "enter backup: started; enter active: active-down; announce: active-down; enter initialize: stopped; enter backup: started; " +
			"enter active: lower-priority; announce: lower-priority"; strings.Join(didA, "; ") != want {
			t.Errorf("did %q", didA)
		}
		if _, there := sa.Status(7); there || sa.Tell(7, Appoint, 0) == nil {
			t.Error("a router that is not there answers")
		}
	})
}

// TestSpeakerHandsOver: from one node of a cluster to the next, a neighbour hears an unbroken row of adverts and no priority 0; when the cluster lets go it
// hears one.
func TestSpeakerHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		link := &cable{}
		var did [2][]string
		var nodes [2]*Speaker
		for i := range nodes {
			c := base()
			c.Mode, c.Priority, c.Listed = Appointed, 254, addrs("192.168.1.10")
			c.Source, c.Fellows = addr([]string{"192.168.1.1", "192.168.1.2"}[i]), addrs([]string{"192.168.1.2", "192.168.1.1"}[i])
			nodes[i] = run(ctx, t, link, c, &did[i])
		}
		legacy := base()
		legacy.Source, legacy.Priority, legacy.Anyone = addr("192.168.1.10"), 100, true
		var heard []string
		neighbour := run(ctx, t, link, legacy, &heard)
		tell := func(i int, k EventKind) {
			if err := nodes[i].Tell(51, k, 0); err != nil {
				t.Fatal(err)
			}
		}
		tell(0, Appoint)
		time.Sleep(10 * sec)
		for i := range 4 {
			tell(i%2, HandOver)
			time.Sleep(2 * sec) // the legacy router waits 3.6 s
			tell(1-i%2, Appoint)
			time.Sleep(5 * sec)
		}
		if st, _ := neighbour.Status(51); st.State != Backup || link.sent(0) != 0 || len(heard) != 1 {
			t.Errorf("the neighbour is %s, it did %q; %d last words", st.State, heard, link.sent(0))
		}
		tell(0, Release)
		time.Sleep(156*sec/256 + ms)
		if st, _ := neighbour.Status(51); st.State != Active || link.sent(0) != 1 {
			t.Errorf("the neighbour is %s, after %d last words", st.State, link.sent(0))
		}
		time.Sleep(5 * sec)
		st, _ := nodes[1].Status(51)
		if st.State != Backup || st.ActiveRouter != legacy.Source {
			t.Errorf("the cluster is %s, and knows %s as active", st.State, st.ActiveRouter)
		}
	})
}

// TestSpeakerKeepsQuiet: what may not be claimed is not advertised, from the very advert on before which it is asked; the last word claims nothing.
func TestSpeakerKeepsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		link := &cable{}
		until := time.Now().Add(3*sec + sec/2)
		s := NewSpeaker(SpeakerOptions{Wire: link.plug(), May: func(v VRID) bool { return v == 51 && time.Now().Before(until) }})
		c := base()
		c.Mode = Appointed
		if err := errors.Join(s.Add(c), s.Tell(51, Appoint, 0)); err != nil {
			t.Fatal(err)
		}
		go s.Run(ctx)
		time.Sleep(10*sec + sec/2)
		synctest.Wait()
		st, _ := s.Status(51)
		if link.sent(150) != 4 || st.Sent != 4 || st.Kept != 7 {
			t.Errorf("%d adverts, %d sent and %d kept back", link.sent(150), st.Sent, st.Kept)
		}
		if err := s.Tell(51, Release, 0); err != nil || link.sent(0) != 1 {
			t.Errorf("%d last words: %v", link.sent(0), err)
		}
	})
}

// TestSpeakerTellsTurns: who listens hears once that a router begins to speak, changes its priority and stops, and that also where the router here is configured anew meanwhile.
func TestSpeakerTellsTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		link := &cable{}
		c := base()
		c.Mode, c.Listed = Appointed, addrs("192.168.1.10")
		turns := 0
		s := NewSpeaker(SpeakerOptions{Wire: link.plug(), Turned: func(VRID) { turns++ }})
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
		go s.Run(ctx)
		legacy := base()
		legacy.Source, legacy.Priority, legacy.Anyone = addr("192.168.1.10"), 200, true
		var did []string
		n := run(ctx, t, link, legacy, &did)
		time.Sleep(8*sec + sec/2)
		c.Fellows = addrs("192.168.1.3")
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
		time.Sleep(sec)
		synctest.Wait()
		if st, _ := s.Status(51); turns != 1 || len(st.Neighbours) != 1 || !st.Heeded[0] {
			t.Errorf("%d turns, %+v", turns, st)
		}
		if err := errors.Join(n.Tell(51, Reprioritised, 220)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * sec)
		if err := n.Remove(51); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if st, _ := s.Status(51); turns != 3 || st.Heeded[0] || st.Neighbours[0].Priority != 220 {
			t.Errorf("%d turns, %+v", turns, st)
		}
	})
}

// TestSpeakerCannotSend: a link that takes nothing is said once, and once more when it does again; the machine goes on.
func TestSpeakerCannotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		link := &cable{cut: errors.New("network is down")}
		var did []string
		var log strings.Builder
		s := NewSpeaker(SpeakerOptions{Wire: link.plug(), Act: func(_ VRID, a Action) { did = append(did, a.String()) }, Log: slog.New(slog.NewTextHandler(&log, nil))})
		c := base()
		c.Mode = Appointed
		if err := errors.Join(s.Add(c), s.Tell(51, Appoint, 0)); err != nil {
			t.Fatal(err)
		}
		go s.Run(ctx)
		time.Sleep(10*sec + sec/2)
		link.mu.Lock()
		link.cut = nil
		link.mu.Unlock()
		time.Sleep(2 * sec)
		synctest.Wait()
		if n := strings.Count(log.String(), "cannot be sent"); n != 1 || strings.Count(log.String(), "sent again") != 1 {
			t.Errorf("said:\n%s", log.String())
		}
		if link.sent(150) != 2 {
			t.Errorf("%d adverts", link.sent(150))
		}
	})
}

// TestSpeakerTellsDifferences of a neighbour once, with the neighbour.
func TestSpeakerTellsDifferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		link := &cable{}
		var told []string
		c := base()
		s := NewSpeaker(SpeakerOptions{Wire: link.plug(), Differs: func(v VRID, d Difference, n Neighbour) { told = append(told, c.Explain(d, n)) }})
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
		go s.Run(ctx)
		var did []string
		other := base()
		other.Source, other.Priority, other.Interval = addr("192.168.1.10"), 100, 2*sec
		run(ctx, t, link, other, &did)
		time.Sleep(20 * sec)
		synctest.Wait()
		if len(told) != 1 || !strings.Contains(told[0], "advertises every 2s and we every 1s") {
			t.Errorf("told %q", told)
		}
	})
}

// TestSpeakerHearsAlso what comes on a second wire: adverts in authentication headers are counted as that, and move nothing.
func TestSpeakerHearsAlso(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		link, wrapped := &cable{}, &cable{}
		s := NewSpeaker(SpeakerOptions{Wire: link.plug(), Also: []Wire{wrapped.plug()}})
		c := base()
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
		go s.Run(ctx)
		out := wrapped.plug()
		v2 := unhex(t, vectors[0].hex)
		for _, vrid := range []byte{51, 52} {
			v2[1] = vrid
			packet := appendIP(nil, addr("192.168.1.10"), IPv4.Group(), 1, ahLen+len(v2))
			packet[9] = protocolAH
			packet = append(append(packet, append([]byte{Protocol, 4}, make([]byte, ahLen-2)...)...), v2...)
			if err := out.Send(packet, IPv4.Group()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if st, _ := s.Status(51); st.Counts[InAH] != 1 || st.State != Backup || s.Unknown() != 1 {
			t.Errorf("%s, counted %v, %d of others", st.State, st.Counts, s.Unknown())
		}
	})
}
