package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnnounceSchedule: at once, 50, 200, 1000, 5000 ms, then every minute; cancelled when given up.
func TestAnnounceSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := newModel("eth0"), newHorn()
		a, _ := start(t, m, h)
		keep := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); {
				time.Sleep(min(500*time.Millisecond, time.Until(end)))
				a.Keep()
				synctest.Wait()
			}
		}
		s := a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life)})
		if s.Addresses[0].AnnouncedAt != time.Now() {
			t.Error("the first announcement waits for something")
		}
		keep(126 * time.Second)
		want := []string{"0s eth0 192.0.2.10", "50ms eth0 192.0.2.10", "200ms eth0 192.0.2.10", "1s eth0 192.0.2.10", "5s eth0 192.0.2.10", "1m5s eth0 192.0.2.10", "2m5s eth0 192.0.2.10"}
		if got := h.take(); !slices.Equal(got, want) {
			t.Errorf("announced at\n%q, want\n%q", got, want)
		}

		// Doing it again announces nothing; one more address has its own burst.
		a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life), wanted("eth0", "2001:db8::10/64", life)})
		keep(100 * time.Millisecond)
		want = []string{"2m6s eth0 2001:db8::10", "2m6.05s eth0 2001:db8::10"}
		if got := h.take(); !slices.Equal(got, want) {
			t.Errorf("announced at\n%q, want\n%q", got, want)
		}

		// Given up in the middle of its burst: silent from then on.
		a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life)})
		keep(50 * time.Second)
		if got := h.take(); got != nil {
			t.Errorf("announced after it was given up: %q", got)
		}
		a.Clear()
		keep(5 * time.Minute)
		if got := h.take(); got != nil {
			t.Errorf("announced after Clear: %q", got)
		}
	})
}

// late is a kernel that has an address for a while before it takes packets for it.
type late struct {
	*model
	at time.Time
}

func (l late) Accepts(string, netip.Addr) bool { return !time.Now().Before(l.at) }

// TestAnnouncedWhenPacketsAreTaken: neighbours hear of an address when the kernel takes packets for it, and after a second in any case; the burst
// follows from there.
func TestAnnouncedWhenPacketsAreTaken(t *testing.T) {
	for _, c := range []struct {
		after       time.Duration
		first, last time.Duration // when the first announcement is to come
	}{{0, 0, 0}, {15 * time.Millisecond, 15 * time.Millisecond, 22 * time.Millisecond}, {time.Hour, time.Second, 1300 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			began, h := time.Now(), newHorn()
			a, _ := start(t, late{newModel("eth0"), began.Add(c.after)}, h)
			a.Reconcile([]Wanted{wanted("eth0", "2001:db8::10/64", life)})
			for range 20 {
				time.Sleep(100 * time.Millisecond)
				a.Keep()
				synctest.Wait()
			}
			got := h.take()
			if len(got) < 2 {
				t.Fatalf("announced at %q", got)
			}
			at := func(i int) time.Duration {
				d, err := time.ParseDuration(strings.Fields(got[i])[0])
				must(t, err)
				return d
			}
			if at(0) < c.first || at(0) > c.last {
				t.Errorf("packets are taken after %v: announced at %q", c.after, got)
			}
			if c.after < time.Hour && at(1)-at(0) != announceAt[1] {
				t.Errorf("the second comes %v after the first", at(1)-at(0))
			}
		})
	}
}

// TestAnnouncedAgain: what may have made neighbours forget starts a burst anew.
func TestAnnouncedAgain(t *testing.T) {
	for name, happen := range map[string]func(*model){
		"removed by another program": func(m *model) { m.otherRemoves(prefix("192.0.2.10/24"), "eth0") },
		"carrier lost and back": func(m *model) {
			m.setLink("eth0", true, false)
			time.Sleep(passGap)
			m.setLink("eth0", true, true)
		},
		"link replaced": func(m *model) { m.unplug("eth0"); time.Sleep(passGap); m.plug("eth0") },
		"another MAC": func(m *model) {
			m.set(func() {
				m.links["eth0"].MAC = []byte{2, 0, 0, 0, 9, 9}
				m.changed()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, h := newModel("eth0"), newHorn()
				a, _ := start(t, m, h)
				a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", time.Minute)})
				time.Sleep(10 * time.Second)
				synctest.Wait()
				h.take()
				happen(m)
				time.Sleep(6 * time.Second)
				synctest.Wait()
				if got := h.take(); len(got) != len(announceAt) {
					t.Errorf("announced %q, want a whole burst", got)
				}
			})
		})
	}
}

// TestGoneIsSilent: an address that went with its link is not announced, whatever is left of its burst.
func TestGoneIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := newModel("eth0"), newHorn()
		a, _ := start(t, m, h)
		a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", time.Hour)})
		time.Sleep(100 * time.Millisecond)
		m.unplug("eth0")
		synctest.Wait()
		h.take()
		time.Sleep(10 * time.Minute)
		if got := h.take(); got != nil {
			t.Errorf("announced %q", got)
		}
	})
}

// TestManyAnnounced: a thousand addresses share one goroutine and one burst.
func TestManyAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := newModel("eth0"), newHorn()
		a, _ := start(t, m, h)
		var want []Wanted
		for i := range 1000 {
			want = append(want, wanted("eth0", fmt.Sprintf("10.0.%d.%d/16", i/250, i%250+1), time.Minute))
		}
		a.Reconcile(want)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		n := map[string]int{}
		for _, x := range h.take() {
			at, _, _ := strings.Cut(x, " ")
			n[at]++
		}
		if len(n) != len(announceAt) || n["0s"] != 1000 || n["50ms"] != 1000 || n["5s"] != 1000 {
			t.Errorf("announced at %v", n)
		}
	})
}

func TestAnnounceFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := newModel("eth0"), newHorn()
		h.fail = errors.New("queue full")
		a, _ := start(t, m, h)
		wantStatus(t, a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life)}), "eth0 192.0.2.10/24 wanted=true actual=true announce")
		h.mu.Lock()
		h.fail = nil
		h.mu.Unlock()
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		wantStatus(t, a.Status(), "eth0 192.0.2.10/24 wanted=true actual=true")

		h.mu.Lock()
		h.fail = ErrNoNeighbours
		h.mu.Unlock()
		// A link without neighbours is no failure.
		wantStatus(t, a.Reconcile([]Wanted{wanted("eth0", "192.0.2.11/24", life)}), "eth0 192.0.2.11/24 wanted=true actual=true")
	})
}

// TestScheduleSkipsMissedTimes: after a pause nothing is caught up.
func TestScheduleSkipsMissedTimes(t *testing.T) {
	s, k, t0 := schedule{}, key{Link: "eth0"}, time.Unix(0, 0)
	s.begin(k, t0)
	s.sent(k, t0.Add(700*time.Millisecond))
	if got := s.wakeAt().Sub(t0); got != time.Second {
		t.Errorf("next at %v", got)
	}
	s.sent(k, t0.Add(9*time.Second))
	if got := s.wakeAt().Sub(t0); got != 69*time.Second {
		t.Errorf("next at %v", got)
	}
	s.cancel(k)
	s.sent(k, t0)
	if !s.wakeAt().IsZero() {
		t.Error("scheduled after it was cancelled")
	}
}

// TestNothingAnnouncedAfterTheLease: what is due when the lease has run out is not sent, though the caller has not given the
// address up yet; with the lease back, the burst goes on.
func TestNothingAnnouncedAfterTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := newModel("eth0"), newHorn()
		begun := time.Now()
		held := func(d time.Duration) bool { return d < 100*time.Millisecond || d >= 900*time.Millisecond }
		var asked []uint64
		a := New(Options{Kernel: m, Announcer: h, Log: slog.New(slog.DiscardHandler), Live: func(epoch uint64) bool {
			asked = append(asked, epoch)
			return epoch == 7 && held(time.Since(begun))
		}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		w := wanted("eth0", "192.0.2.10/24", life)
		w.Epoch = 7
		a.Reconcile([]Wanted{w})
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		if got, want := h.take(), []string{"0s eth0 192.0.2.10", "50ms eth0 192.0.2.10"}; !slices.Equal(got, want) {
			t.Errorf("announced at %q, want %q", got, want)
		}
		if s := a.Reconcile([]Wanted{w}); len(s.Addresses) != 1 || !errors.Is(s.Addresses[0].Err, errNotLive) {
			t.Errorf("status %+v does not say why nothing was announced", s.Addresses)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := h.take(), []string{"1s eth0 192.0.2.10"}; !slices.Equal(got, want) {
			t.Errorf("announced at %q, want %q", got, want)
		}
		w.Epoch = 8 // opened anew, under an epoch without a lease
		a.Reconcile([]Wanted{w})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := h.take(); got != nil {
			t.Errorf("announced %q under an epoch without a lease", got)
		}
		if slices.Contains(asked, 0) {
			t.Error("asked for an epoch that is nobody's")
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
