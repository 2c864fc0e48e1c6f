package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"quorate/vip/probe"
)

// scriptAsker is an asker whose rounds end as they are told.
type scriptAsker func(round int, heard func(string)) error

func (s scriptAsker) Ask(ctx context.Context, _ string, addrs []netip.Addr, wait time.Duration, heard func(netip.Addr, string)) error {
	n, _ := ctx.Value(askerKey{}).(*int)
	*n++
	err := s(*n, func(mac string) {
		for _, a := range addrs {
			heard(a, mac)
		}
	})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

type askerKey struct{}

// The silence that counts begins after what was heard last, and with a round that could hear.
func TestEarCountsSilence(t *testing.T) {
	const round = 100 * time.Millisecond
	for name, c := range map[string]struct {
		ask   scriptAsker
		since time.Duration // when the silence begins
	}{
		"nobody": {func(int, func(string)) error { return nil }, 0},
		"heard within the third round": {func(n int, heard func(string)) error {
			if n == 3 {
				time.Sleep(round / 2)
				heard("m")
			}
			return nil
		}, 250 * time.Millisecond},
		"deaf for two rounds": {func(n int, _ func(string)) error {
			if n < 3 {
				return errors.New("no link")
			}
			return nil
		}, 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(context.WithValue(t.Context(), askerKey{}, new(int)))
				e := newEar(c.ask, slog.New(slog.DiscardHandler))
				e.listen(map[netip.Addr]string{web.Addr: "eth0"}, round)
				done := make(chan struct{})
				begin := time.Now()
				go func() { defer close(done); _ = e.run(ctx) }()
				for range 100 {
					time.Sleep(round / 10)
					synctest.Wait()
					h := e.of(web.Addr)
					if time.Since(begin) > c.since && !h.since.IsZero() && h.since.Before(begin.Add(c.since)) {
						t.Fatalf("after %v: silent since %v, want %v", time.Since(begin), h.since.Sub(begin), c.since)
					}
				}
				if h := e.of(web.Addr); !h.silentFor(500*time.Millisecond) || h.against() != "" {
					t.Errorf("in the end: %+v", h)
				}
				stop()
				<-done
			})
		})
	}
}

// TestEarOfOneFamily: where IPv6 has nothing to ask from, IPv4 is asked for all the same; where neither could be asked, both are deaf.
func TestEarOfOneFamily(t *testing.T) {
	six := netip.MustParseAddr("2001:db8::10")
	for name, c := range map[string]struct {
		err       error
		four, six bool // was asked for
	}{
		"both":           {nil, true, true},
		"no IPv6 there":  {fmt.Errorf("%w on eth0", probe.ErrNoSource), true, false},
		"IPv4 fails too": {fmt.Errorf("%w; and %v", errors.New("hear answers on eth0: network is down"), probe.ErrNoSource), false, false},
	} {
		e := newEar(nil, slog.New(slog.DiscardHandler))
		e.listen(map[netip.Addr]string{web.Addr: "eth0", six: "eth0"}, time.Second)
		e.ended("eth0", []netip.Addr{web.Addr, six}, time.Now(), c.err)
		for a, want := range map[netip.Addr]bool{web.Addr: c.four, six: c.six} {
			if h := e.of(a); h.gone(0) != want || (h.against() == "") != want {
				t.Errorf("%s: nobody answers for %v: %t, against it %q", name, a, h.gone(0), h.against())
			}
		}
	}
}

// TestGone: whoever gives way is silent in a moment, and then the address is opened in a moment. Whoever went on answering may only be slow: of a router that has died, its
// kernel answers still, and not always at once.
func TestGone(t *testing.T) {
	const round = 100 * time.Millisecond
	for name, c := range map[string]struct {
		answers func(n int) bool // in the round n
		opens   time.Duration    // not before, and not much later
	}{
		"nobody":                 {func(int) bool { return false }, round},
		"gives way at once":      {func(n int) bool { return n == 1 }, 2 * round},
		"its kernel is left":     {func(n int) bool { return n <= 5 }, 25 * round},
		"its kernel is slow":     {func(n int) bool { return n <= 5 || n == 12 || n == 20 }, 40 * round},
		"deaf, and then stopped": {func(n int) bool { return n <= 30 }, 50 * round},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(context.WithValue(t.Context(), askerKey{}, new(int)))
				e := newEar(scriptAsker(func(n int, heard func(string)) error {
					if c.answers(n) {
						heard("m")
					}
					return nil
				}), slog.New(slog.DiscardHandler))
				e.listen(map[netip.Addr]string{web.Addr: "eth0"}, round)
				done := make(chan struct{})
				begin := time.Now()
				go func() { defer close(done); _ = e.run(ctx) }()
				for !e.of(web.Addr).gone(0) {
					time.Sleep(round / 10)
					synctest.Wait()
				}
				if took := time.Since(begin); took < c.opens || took > c.opens+2*round {
					t.Errorf("opened after %v, want %v", took, c.opens)
				}
				stop()
				<-done
			})
		})
	}
}
