package vip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestGuard: a burst at once, then one a second, and the burst comes back with time.
func TestGuard(t *testing.T) {
	var g guard
	now := time.Unix(1000, 0)
	var at []string
	for range 8 {
		if d := g.wait(now); d > 0 {
			now = now.Add(d)
		}
		g.take(now)
		at = append(at, fmt.Sprint(now.Unix()-1000))
	}
	if got := strings.Join(at, " "); got != "0 0 0 0 0 1 2 3" {
		t.Errorf("put back at seconds %s", got)
	}
	if d := g.wait(now.Add(time.Hour)); d > 0 {
		t.Errorf("after an hour of peace: wait %v", d)
	}
}

// TestFightIsSlow: two programs that fight cost one put a second.
func TestFightIsSlow(t *testing.T) {
	for name, strike := range map[string]func(*model, netip.Prefix, string) error{"removed": (*model).otherRemoves, "changed": (*model).otherChanges} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel("eth0")
				a, told := start(t, m, nil)
				a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life), wanted("eth0", "192.0.2.11/24", life)})
				for begin := time.Now(); time.Since(begin) < 30*time.Second+retryEvery/2; time.Sleep(time.Millisecond) {
					if m.has(prefix("192.0.2.10/24"), "eth0") {
						must(t, strike(m, prefix("192.0.2.10/24"), "eth0"))
					}
					a.Keep()
					synctest.Wait()
				}
				wantStatus(t, a.Status(), "eth0 192.0.2.10/24 wanted=true actual="+fmt.Sprint(name == "changed")+" another program keeps removing it", "eth0 192.0.2.11/24 wanted=true actual=true")
				synctest.Wait()
				// The first two, what is put back, and the renewals of both. Both programs are awake in each instant, and which is first is
				// up to the scheduler: a pass may meet the other one again before it ends, and then puts twice.
				if m.puts > 2+2*(putBackBurst+31)+35 {
					t.Errorf("%d puts in 30 s", m.puts)
				}
				events := told.take()
				if n := strings.Count(events, name); n < putBackBurst || n > putBackBurst+32 {
					t.Errorf("%d events of %q", n, name)
				}
				if n := strings.Count(events, "fought"); n != 1 {
					t.Errorf("%d events of a fight", n)
				}
				for range 100 { // it ends: all is as it was
					time.Sleep(100 * time.Millisecond)
					a.Keep()
				}
				wantStatus(t, a.Status(), "eth0 192.0.2.10/24 wanted=true actual=true", "eth0 192.0.2.11/24 wanted=true actual=true")
			})
		})
	}
}

// TestStorm: a kernel that tells of changes without end costs fifty lists a second.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0")
		a, _ := start(t, m, nil)
		a.Reconcile(nil)
		synctest.Wait()
		lists := m.lists
		for range 5000 {
			time.Sleep(time.Millisecond)
			m.set(m.changed)
		}
		synctest.Wait()
		if n := m.lists - lists; n < 200 || n > 260 {
			t.Errorf("%d lists in 5 s", n)
		}
	})
}
