package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quorate/cluster"
	"quorate/fsm"
	"quorate/health"
)

// TestUnreached: what this node alone sees down is a problem of its own, and says what comes of it.
func TestUnreached(t *testing.T) {
	o := newObserver("n1", func([]cluster.Observation) {}, func([]fsm.ServerKey) {})
	s := checked(t)
	var tcp string
	for _, x := range o.targets(s) {
		if strings.HasPrefix(x.ID, "tcp") {
			tcp = x.ID
		}
	}
	key := fsm.ServerKey{Service: "a", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	is := func(want string, after time.Duration) {
		t.Helper()
		got := strings.Join(o.unreached(s, time.Now().Add(after)), "\n")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	w := newWorld()
	w.state = s
	verdict := func(v fsm.Verdict) {
		s = w.apply(t, fsm.Command{SetHealth: &fsm.SetHealth{Verdicts: []fsm.ServerVerdict{{Server: key, Verdict: v}}}})
	}
	const long = time.Hour
	verdict(fsm.Up)
	is("", long)
	o.transition(health.Transition{ID: tcp, Detail: "no answer"})
	is("", long) // no client comes by this node
	s = w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: s.Config.VIPs["web"].Key(), VIP: "web", Owner: "n1", OwnerEpoch: s.Nodes["n1"].Epoch}}}})
	is("", 0) // it may be the first to see it
	is("a VIP of service a and does not reach 1 of its 1 servers that are up: 10.0.0.1:80 (no answer): connections that go to them fail", long)
	s = w.apply(t, fsm.Command{SetPaths: &fsm.SetPaths{Edges: []fsm.PathEdge{{Node: "n1", VIP: "web", Cut: true}}}})
	is("", long) // the cluster says it
	s = w.apply(t, fsm.Command{SetPaths: &fsm.SetPaths{Edges: []fsm.PathEdge{{Node: "n1", VIP: "web"}}}})
	verdict(fsm.Down)
	is("", long)
	verdict(fsm.Up)
	o.transition(health.Transition{ID: tcp, Up: true})
	is("", long)
}

// A probe that this node could not make, for want of sockets or by its own settings, is not a word on any server: nobody hears of it, and what was seen before stays. So it is no
// path that is cut either, however long it lasts.
func TestNotAskedIsNoView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []cluster.Observation
		o := newObserver("n1", func(obs []cluster.Observation) { said = append(said, obs...) }, func([]fsm.ServerKey) {})
		var answer atomic.Value
		var asked atomic.Int32
		engine := health.New(health.Options{Log: slog.New(slog.DiscardHandler), OnTransition: o.transition, Dial: func(context.Context, string, health.Target) (net.Conn, error) {
			asked.Add(1)
			return nil, answer.Load().(error)
		}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = engine.Run(ctx)
		}()
		defer func() {
			stop()
			<-done
		}()
		failing := func(what string, err error) {
			t.Helper()
			answer.Store(fmt.Errorf("%s: %w", what, err))
			said = nil
			asked.Store(0)
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if asked.Load() == 0 {
				t.Fatalf("%s: it does not ask", what)
			}
		}
		answer.Store(fmt.Errorf("not begun: %w", health.ErrNotAsked))
		engine.Set(o.targets(checked(t)))
		failing("no sockets", health.ErrNotAsked)
		if len(said) > 0 {
			t.Fatalf("it could not ask, and says %+v", said)
		}
		failing("refused", io.EOF)
		if len(said) == 0 {
			t.Fatal("it was refused, and says nothing")
		}
		failing("no sockets again", health.ErrNotAsked)
		if len(said) > 0 {
			t.Fatalf("it can no longer ask, and says %+v", said)
		}
	})
}
