package vrrp_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate/vip/vrrp"
	"quorate/vip/vrrp/vrrptest"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// run runs a speaker with one router.
func run(ctx context.Context, t *testing.T, o vrrp.SpeakerOptions, config vrrp.Config) *vrrp.Speaker {
	t.Helper()
	s := vrrp.NewSpeaker(o)
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

// router runs a speaker on a new end of the cable, which writes down what it has to do.
func router(ctx context.Context, t *testing.T, c *vrrptest.Cable, config vrrp.Config, did *[]string) *vrrp.Speaker {
	t.Helper()
	return run(ctx, t, vrrp.SpeakerOptions{Wire: c.Plug(), Act: func(_ vrrp.VRID, a vrrp.Action) { *did = append(*did, a.String()) }}, config)
}

// appointed runs a node of a cluster that owns the addresses.
func appointed(ctx context.Context, t *testing.T, o vrrp.SpeakerOptions) *vrrp.Speaker {
	t.Helper()
	c := vrrp.Base()
	c.Mode = vrrp.Appointed
	s := run(ctx, t, o, c)
	if err := s.Tell(51, vrrp.Appoint, 0); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSpeakers: two hosts that elect: the better one speaks, one advert an interval; it stops, and the other takes over after its skew; it comes back, and
// preempts.
func TestSpeakers(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		var didA, didB []string
		a, b := vrrp.Base(), vrrp.Base()
		a.Source, a.Priority, a.Anyone = vrrp.Addr("192.168.1.1"), 200, true
		b.Source, b.Priority, b.Anyone = vrrp.Addr("192.168.1.2"), 100, true
		sa, sb := router(ctx, t, link, a, &didA), router(ctx, t, link, b, &didB)
		time.Sleep(3*sec + 56*sec/256 + 10*sec + ms)
		if n := link.Count(200); n != 11 || link.Count(100) != 0 {
			t.Errorf("%d and %d adverts", n, link.Count(100))
		}
		st, _ := sb.Status(51)
		if st.State != vrrp.Backup || st.ActiveRouter != a.Source || len(st.Neighbours) != 1 || st.Activity[0] != vrrp.Speaking {
			t.Errorf("the other is %+v", st)
		}
		if err := sa.Remove(51); err != nil {
			t.Fatal(err)
		}
		time.Sleep(156*sec/256 + ms)
		if link.Count(0) != 1 || link.Count(100) != 1 {
			t.Errorf("%d last words, %d adverts of the heir", link.Count(0), link.Count(100))
		}
		if err := sa.Add(a); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * sec)
		if st, _ := sb.Status(51); st.State != vrrp.Backup {
			t.Errorf("the heir is %s: %q", st.State, didB)
		}
		if want := "enter backup: started; enter active: active-down; announce: active-down; enter initialize: stopped; enter backup: started; " +
			"enter active: lower-priority; announce: lower-priority"; strings.Join(didA, "; ") != want {
			t.Errorf("did %q", didA)
		}
		if _, there := sa.Status(7); there || sa.Tell(7, vrrp.Appoint, 0) == nil {
			t.Error("a router that is not there answers")
		}
	})
}

// TestSpeakerHandsOver: from one node of a cluster to the next, a neighbour hears an unbroken row of adverts and no priority 0; when the cluster lets go it
// hears one.
func TestSpeakerHandsOver(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		var did [2][]string
		var nodes [2]*vrrp.Speaker
		for i := range nodes {
			c := vrrp.Base()
			c.Mode, c.Priority, c.Listed = vrrp.Appointed, 254, vrrp.Addrs("192.168.1.10")
			c.Source, c.Fellows = vrrp.Addr([]string{"192.168.1.1", "192.168.1.2"}[i]), vrrp.Addrs([]string{"192.168.1.2", "192.168.1.1"}[i])
			nodes[i] = router(ctx, t, link, c, &did[i])
		}
		legacy := vrrp.Base()
		legacy.Source, legacy.Priority, legacy.Anyone = vrrp.Addr("192.168.1.10"), 100, true
		var heard []string
		neighbour := router(ctx, t, link, legacy, &heard)
		tell := func(i int, k vrrp.EventKind) {
			if err := nodes[i].Tell(51, k, 0); err != nil {
				t.Fatal(err)
			}
		}
		tell(0, vrrp.Appoint)
		time.Sleep(10 * sec)
		for i := range 4 {
			tell(i%2, vrrp.HandOver)
			time.Sleep(2 * sec) // the legacy router waits 3.6 s
			tell(1-i%2, vrrp.Appoint)
			time.Sleep(5 * sec)
		}
		if st, _ := neighbour.Status(51); st.State != vrrp.Backup || link.Count(0) != 0 || len(heard) != 1 {
			t.Errorf("the neighbour is %s, it did %q; %d last words", st.State, heard, link.Count(0))
		}
		tell(0, vrrp.Release)
		time.Sleep(156*sec/256 + ms)
		if st, _ := neighbour.Status(51); st.State != vrrp.Active || link.Count(0) != 1 {
			t.Errorf("the neighbour is %s, after %d last words", st.State, link.Count(0))
		}
		time.Sleep(5 * sec)
		st, _ := nodes[1].Status(51)
		if st.State != vrrp.Backup || st.ActiveRouter != legacy.Source {
			t.Errorf("the cluster is %s, and knows %s as active", st.State, st.ActiveRouter)
		}
	})
}

// TestSpeakerKeepsQuiet: what may not be claimed is not advertised, from the very advert on before which it is asked; the last word claims nothing.
func TestSpeakerKeepsQuiet(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		until := time.Now().Add(3*sec + sec/2)
		s := appointed(ctx, t, vrrp.SpeakerOptions{Wire: link.Plug(), May: func(v vrrp.VRID) bool { return v == 51 && time.Now().Before(until) }})
		time.Sleep(10*sec + sec/2)
		synctest.Wait()
		st, _ := s.Status(51)
		if link.Count(150) != 4 || st.Sent != 4 || st.Kept != 7 {
			t.Errorf("%d adverts, %d sent and %d kept back", link.Count(150), st.Sent, st.Kept)
		}
		if err := s.Tell(51, vrrp.Release, 0); err != nil || link.Count(0) != 1 {
			t.Errorf("%d last words: %v", link.Count(0), err)
		}
	})
}

// TestSpeakerHearsBeforeItSpeaks: who was frozen while a better router began to speak hears all that waits, also behind others' adverts, and says nothing any more. A
// flood delays it by no more than its own lateness.
func TestSpeakerHearsBeforeItSpeaks(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		end := link.Plug()
		end.Batch = 2
		c := vrrp.Base()
		c.Mode, c.Listed = vrrp.Appointed, vrrp.Addrs("192.168.1.10")
		s := run(ctx, t, vrrp.SpeakerOptions{Wire: end}, c)
		if err := s.Tell(51, vrrp.Appoint, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*sec + sec/2)
		thaw := end.Freeze()
		var did [2][]string
		other, legacy := vrrp.Base(), vrrp.Base()
		other.VRID, other.Source, other.Anyone = 52, vrrp.Addr("192.168.1.9"), true
		router(ctx, t, link, other, &did[0])
		time.Sleep(4 * sec)
		legacy.Source, legacy.Priority, legacy.Anyone = vrrp.Addr("192.168.1.10"), 200, true
		router(ctx, t, link, legacy, &did[1])
		time.Sleep(10 * sec)
		thawed := time.Now()
		thaw()
		time.Sleep(10 * sec)
		synctest.Wait()
		if late := link.By("192.168.1.1", thawed); len(late) > 0 {
			t.Errorf("it was frozen, and spoke before it had heard what waited: %v", late)
		}
		if st, _ := s.Status(51); st.State != vrrp.Backup || st.ActiveRouter != legacy.Source {
			t.Errorf("it is %s, and knows %s as active", st.State, st.ActiveRouter)
		}
	})
}

// TestSpeakerSpeaksInAFlood that never ends: each advert in its time.
func TestSpeakerSpeaksInAFlood(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		s := appointed(ctx, t, vrrp.SpeakerOptions{Wire: flooded{link.Plug(), ctx}})
		time.Sleep(10*sec + sec/2)
		synctest.Wait()
		if st, _ := s.Status(51); st.Sent != 11 || s.Unknown() < 10000 {
			t.Errorf("%d adverts sent, %d others heard", st.Sent, s.Unknown())
		}
	})
}

// flooded always has something to hear, each millisecond.
type flooded struct {
	*vrrptest.End
	ctx context.Context
}

func (f flooded) Receive() ([]vrrp.Datagram, error) {
	select {
	case <-f.ctx.Done():
	case <-time.After(ms):
	}
	return []vrrp.Datagram{{Source: vrrp.Addr("192.168.1.9"), Payload: []byte{0x31, 99, 0, 0}}}, nil
}

// TestSpeakerTellsTurns: who listens hears once that a router begins to speak, changes its priority and stops, and that also where the router here is configured anew meanwhile. Nothing
// that was learned and counted is lost by that.
func TestSpeakerTellsTurns(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		c := vrrp.Base()
		c.Mode, c.Listed = vrrp.Appointed, vrrp.Addrs("192.168.1.10")
		turns := 0
		s := run(ctx, t, vrrp.SpeakerOptions{Wire: link.Plug(), Turned: func(vrrp.VRID) { turns++ }}, c)
		legacy := vrrp.Base()
		legacy.Source, legacy.Priority, legacy.Anyone, legacy.Form = vrrp.Addr("192.168.1.10"), 200, true, vrrp.MessageOnly
		var did []string
		n := router(ctx, t, link, legacy, &did)
		time.Sleep(8*sec + sec/2)
		c.Fellows = vrrp.Addrs("192.168.1.3")
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
		if st, _ := s.Status(51); st.Form != vrrp.MessageOnly || st.Counts[vrrp.Accepted] != 6 {
			t.Errorf("configured anew it sends %s, and has counted %v", st.Form, st.Counts)
		}
		time.Sleep(sec)
		synctest.Wait()
		if st, _ := s.Status(51); turns != 1 || len(st.Neighbours) != 1 || !st.Heeded[0] || st.Counts[vrrp.Accepted] != 7 {
			t.Errorf("%d turns, %+v", turns, st)
		}
		if err := n.Tell(51, vrrp.Reprioritised, 220); err != nil {
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

// TestSpeakerTakesOverTheForm of the checksum, which the others of the cluster have learned from a router that is silent by now: who begins when that has said its last hears it from them.
func TestSpeakerTakesOverTheForm(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		node := func(source, fellow string) *vrrp.Speaker {
			c := vrrp.Base()
			c.Mode, c.Priority, c.Listed, c.Source, c.Fellows = vrrp.Appointed, 254, vrrp.Addrs("192.168.1.10"), vrrp.Addr(source), vrrp.Addrs(fellow)
			return run(ctx, t, vrrp.SpeakerOptions{Wire: link.Plug()}, c)
		}
		owner := node("192.168.1.1", "192.168.1.2")
		legacy := vrrp.Base()
		legacy.Source, legacy.Priority, legacy.Anyone, legacy.Form = vrrp.Addr("192.168.1.10"), 100, true, vrrp.MessageOnly
		var did []string
		n := router(ctx, t, link, legacy, &did)
		time.Sleep(5 * sec)
		if err := owner.Tell(51, vrrp.Appoint, 0); err != nil { // from now on the other is silent
			t.Fatal(err)
		}
		time.Sleep(5 * sec)
		heir := node("192.168.1.2", "192.168.1.1")
		time.Sleep(5 * sec)
		if err := errors.Join(owner.Tell(51, vrrp.HandOver, 0), heir.Tell(51, vrrp.Appoint, 0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		st, _ := n.Status(51)
		if st.State != vrrp.Backup || len(st.Neighbours) != 2 || st.Neighbours[0].Form != vrrp.MessageOnly || st.Neighbours[1].Form != vrrp.MessageOnly {
			t.Errorf("it hears %+v", st)
		}
		// A node that has learned nothing sends the usual form, which teaches nobody.
		c := vrrp.Base()
		c.Mode, c.Priority, c.Source = vrrp.Appointed, 254, vrrp.Addr("192.168.1.1")
		if err := errors.Join(heir.Tell(51, vrrp.HandOver, 0), owner.Remove(51), owner.Add(c), owner.Tell(51, vrrp.Appoint, 0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if st, _ := heir.Status(51); st.Form != vrrp.MessageOnly || st.Neighbours[0].Form != vrrp.PseudoHeader {
			t.Errorf("it has heard %+v, and sends %s", st.Neighbours, st.Form)
		}
	})
}

// TestSpeakerCannotSend: a link that takes nothing is said once, and once more when it does again; the machine goes on.
func TestSpeakerCannotSend(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		link.Cut(errors.New("network is down"))
		var log strings.Builder
		appointed(ctx, t, vrrp.SpeakerOptions{Wire: link.Plug(), Log: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(10*sec + sec/2)
		link.Cut(nil)
		time.Sleep(2 * sec)
		synctest.Wait()
		if n := strings.Count(log.String(), "cannot be sent"); n != 1 || strings.Count(log.String(), "sent again") != 1 {
			t.Errorf("said:\n%s", log.String())
		}
		if link.Count(150) != 2 {
			t.Errorf("%d adverts", link.Count(150))
		}
	})
}

// TestSpeakerCannotSendOne router's adverts, and those of another it can: what is said and counted is of the one, and once.
func TestSpeakerCannotSendOne(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		var log strings.Builder
		link.Bar(errors.New("no route to 192.168.1.10"), vrrp.Addr("192.168.1.10"))
		s := appointed(ctx, t, vrrp.SpeakerOptions{Wire: link.Plug(), Log: slog.New(slog.NewTextHandler(&log, nil))}) // by multicast
		c := vrrp.Base()
		c.VRID, c.Mode, c.Peers = 52, vrrp.Appointed, vrrp.Addrs("192.168.1.10", "192.168.1.11", "192.168.1.12")
		if err := errors.Join(s.Add(c), s.Tell(52, vrrp.Appoint, 0)); err != nil {
			t.Fatal(err)
		}
		said := func() string { defer log.Reset(); return log.String() }
		time.Sleep(10*sec + sec/2)
		synctest.Wait()
		st, _ := s.Status(52)
		if s.Failing(51) != nil || s.Failing(52) == nil || s.Failing(52).Error() != "no route to 192.168.1.10" || st.Sent != 11 {
			t.Errorf("one of three peers is not reached: %d sent, failing: %v and %v", st.Sent, s.Failing(51), s.Failing(52))
		}
		if text := said(); strings.Count(text, "level=") != 1 || !strings.Contains(text, `level=WARN msg="vrrp adverts do not reach all peers: those may take over" vrid=52 reason="no route to 192.168.1.10"`) {
			t.Errorf("one of three peers is not reached: said %s", text)
		}
		c.Priority++
		link.Bar(errors.New("no route"), c.Peers...)
		if err := errors.Join(s.Add(c), s.Tell(52, vrrp.Appoint, 0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*sec + sec/4)
		synctest.Wait()
		if st, _ := s.Status(52); st.Sent != 11 || s.Failing(52) == nil {
			t.Errorf("none is reached: %d sent, failing: %v", st.Sent, s.Failing(52))
		}
		if text := said(); strings.Count(text, "level=") != 1 || !strings.Contains(text, "cannot be sent: other routers will take over") {
			t.Errorf("none is reached: said %s", text)
		}
		if err := s.Tell(52, vrrp.HandOver, 0); err != nil || s.Failing(52) != nil {
			t.Errorf("one that is silent fails: %v, %v", err, s.Failing(52))
		}
		link.Bar(nil, c.Peers...)
		if err := s.Tell(52, vrrp.Appoint, 0); err != nil {
			t.Fatal(err)
		}
		if text := said(); s.Failing(52) != nil || strings.Count(text, "level=") != 1 || !strings.Contains(text, "vrrp adverts are sent again") {
			t.Errorf("all are: failing: %v, said %s", s.Failing(52), text)
		}
		if err := s.Remove(52); err != nil || s.Failing(52) != nil {
			t.Error("a router that is gone fails")
		}
	})
}

// TestSpeakerTellsDifferences of a neighbour once, with the neighbour.
func TestSpeakerTellsDifferences(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		var told []string
		c := vrrp.Base()
		run(ctx, t, vrrp.SpeakerOptions{Wire: link.Plug(), Differs: func(v vrrp.VRID, d vrrp.Difference, n vrrp.Neighbour) { told = append(told, c.Explain(d, n)) }}, c)
		var did []string
		other := vrrp.Base()
		other.Source, other.Priority, other.Interval = vrrp.Addr("192.168.1.10"), 100, 2*sec
		router(ctx, t, link, other, &did)
		time.Sleep(20 * sec)
		synctest.Wait()
		if len(told) != 1 || !strings.Contains(told[0], "advertises every 2s and we every 1s") {
			t.Errorf("told %q", told)
		}
	})
}

// TestSpeakerHearsAlso what comes on a second wire: adverts in authentication headers are counted as that, and move nothing.
func TestSpeakerHearsAlso(t *testing.T) {
	vrrptest.Scene(t, func(ctx context.Context, t *testing.T, link *vrrptest.Cable) {
		s := run(ctx, t, vrrp.SpeakerOptions{Wire: link.Plug(), Also: []vrrp.Wire{link.Open(vrrp.ConnOptions{AH: true})}}, vrrp.Base())
		out := link.Plug()
		for _, vrid := range []vrrp.VRID{51, 52} {
			if err := out.Send(vrrp.PacketInAH(t, vrid), vrrp.IPv4.Group()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if st, _ := s.Status(51); st.Counts[vrrp.InAH] != 1 || st.State != vrrp.Backup || s.Unknown() != 1 {
			t.Errorf("%s, counted %v, %d of others", st.State, st.Counts, s.Unknown())
		}
	})
}
