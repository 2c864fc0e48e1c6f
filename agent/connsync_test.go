package agent

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"quorate/fsm"
)

// TestSyncTableFollows: the services of connection sync are made anew when their carriers or the configuration change, and not for each edge of health; what it
// has is always what follows from the state.
func TestSyncTableFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newServerBed(t, func(*fsm.Service) {})
		var table syncTable
		var last any
		for _, x := range []struct {
			what  string
			do    func()
			fresh bool
			here  bool
		}{
			{"at first", func() {}, true, true},
			{"again", func() {}, false, true},
			{"a server is down", func() { b.verdicts(fsm.Down, 1) }, false, true},
			{"one is drained", func() { b.admin(2, fsm.Drain) }, false, true},
			{"the VIP is released", func() { b.release(t, "n2") }, true, true},
			{"another one is down", func() { b.verdicts(fsm.Down, 2) }, false, true},
			{"the VIP has gone", func() { b.assign(t, "n2", b.State().Assignments[web].Release.Index) }, true, false},
			{"configured", func() {
				cfg := b.State().Config
				svc := cfg.Services["web"]
				svc.NoSync = true
				b.do(fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: cfg.Settings, VIPs: cfg.VIPs, Services: map[string]fsm.Service{"web": svc}}}})
			}, true, false},
		} {
			time.Sleep(time.Second)
			x.do()
			s := b.State()
			got := table.of(s, "n1")
			if want := syncServices(s, fsm.LocalOf(s, "n1")); !reflect.DeepEqual(got, want) || len(got) != 1 || got[0].Here != x.here {
				t.Fatalf("%s: %+v, want %+v", x.what, got, want)
			}
			if now := any(&got[0]); (now != last) != x.fresh {
				t.Errorf("%s: made anew: %v", x.what, now != last)
			} else {
				last = now
			}
		}
	})
}
