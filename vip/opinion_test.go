package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// TestRenewal: who keeps calling Keep keeps the address, with a put every third of the lifetime and not more.
func TestRenewal(t *testing.T) {
	for _, every := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 900 * time.Millisecond, 2 * time.Second, 2900 * time.Millisecond} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel("eth0")
				a, told := start(t, m, nil)
				a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life)})
				synctest.Wait()
				begin, puts := time.Now(), m.puts
				for time.Since(begin) < time.Minute {
					time.Sleep(every)
					if !a.Keep() {
						t.Fatal("lapsed under a caller that is in time")
					}
					synctest.Wait()
					if m.size() != 1 {
						t.Fatalf("the address is gone after %v", time.Since(begin))
					}
				}
				if e := told.take(); e != "" {
					t.Errorf("events: %s", e)
				}
				synctest.Wait()
				if n := m.puts - puts; n > 60 || every < time.Second && n < 30 {
					t.Errorf("%d renewals in a minute: want one a second at most", n)
				}
			})
		})
	}
}

// TestNothingOutlivesTheCaller: the last word holds for one lifetime, whether Run lives or is frozen.
func TestNothingOutlivesTheCaller(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprintf("frozen=%t", frozen), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, h := newModel("eth0"), newHorn()
				a := New(Options{Kernel: m, Announcer: h, Log: slog.New(slog.DiscardHandler)})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go a.Run(ctx)
				a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life)})
				time.Sleep(2500 * time.Millisecond)
				a.Keep()
				last := time.Now()
				synctest.Wait()
				if frozen {
					cancel()
				}
				time.Sleep(life - time.Millisecond)
				synctest.Wait()
				if m.size() != 1 {
					t.Errorf("gone before its time, %v after the last word", time.Since(last))
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if m.size() != 0 {
					t.Errorf("still there %v after the last word", time.Since(last))
				}
				h.take()
				time.Sleep(time.Hour)
				if x := h.take(); x != nil {
					t.Errorf("announced after that: %v", x)
				}
			})
		})
	}
}

// TestLatePutGetsTheRest: what is put only at the second try does not last longer for it.
func TestLatePutGetsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0")
		a := New(Options{Kernel: m, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go a.Run(ctx)
		x := wanted("eth0", "192.0.2.10/24", life)
		m.refuse[x.Prefix.Addr()] = errors.New("no room")
		begin := time.Now()
		a.Reconcile([]Wanted{x})
		time.Sleep(1500 * time.Millisecond)
		m.set(func() { clear(m.refuse) })
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if m.size() != 1 {
			t.Fatal("not put at the retry")
		}
		cancel() // frozen from here on
		time.Sleep(time.Until(begin.Add(life + time.Millisecond)))
		synctest.Wait()
		if m.size() != 0 {
			t.Errorf("still there %v after the caller's word", time.Since(begin))
		}
	})
}

// TestKeepRevivesNothing: what has lapsed is given up for good, also before Run has seen it.
func TestKeepRevivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0")
		a := New(Options{Kernel: m, Log: slog.New(slog.DiscardHandler)})
		a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life), wanted("eth0", "192.0.2.11/24", 2*life)})
		time.Sleep(life)
		if a.Keep() {
			t.Error("Keep says that all is kept")
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go a.Run(ctx)
		synctest.Wait()
		wantStatus(t, a.Status(), "eth0 192.0.2.11/24 wanted=true actual=true")
		if m.size() != 1 {
			t.Errorf("%d addresses", m.size())
		}
		if err := a.Run(ctx); err == nil {
			t.Error("Run runs twice")
		}
	})
}

// TestExpiredInTheKernel: a renewal that the kernel refused for too long is not blamed on another program.
func TestExpiredInTheKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0")
		a, told := start(t, m, nil)
		x := wanted("eth0", "192.0.2.10/24", life)
		a.Reconcile([]Wanted{x})
		m.set(func() { m.refuse[x.Prefix.Addr()] = errors.New("no room") })
		for range 8 {
			time.Sleep(500 * time.Millisecond)
			a.Keep()
		}
		synctest.Wait()
		if e := told.take(); e != "expired eth0 192.0.2.10/24" {
			t.Errorf("events: %q", e)
		}
	})
}
