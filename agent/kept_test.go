package agent

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate/fsm"
)

// TestKeptClosedIsTold: that somebody else answers for what this node would open, and goes on, is an event: once for each MAC, and for no more than a few of them. A router that
// gives way is none.
func TestKeptClosedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := routed(t)
		told := func() []fsm.Event {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.told
		}
		w.hears(web.Addr, "02:00:00:00:00:05")
		w.assign(t, "n1", 0)
		time.Sleep(stubborn)
		synctest.Wait()
		if e := told(); len(e) > 0 {
			t.Fatalf("told of one that may give way yet: %+v", e)
		}
		if n := w.actuator.status.Load().keptClosed(); n != 1 {
			t.Errorf("%d are kept closed, want 1", n)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		e := told()
		if len(e) != 1 || e[0].VIP != "web" || e[0].Node != "n1" || e[0].Reason != fsm.ReasonForeign || !strings.Contains(e[0].Text, "02:00:00:00:00:05, answers for it") {
			t.Fatalf("told %+v", e)
		}
		for i := range 3 * maxKeptMACs {
			w.hears(web.Addr, fmt.Sprintf("02:00:00:00:01:%02x", i))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if e := told(); len(e) != maxKeptMACs {
			t.Errorf("told %d times of ever new MACs, want %d", len(e), maxKeptMACs)
		}
		c := w.actuator.status.Load()
		again := keptNews{}
		for i, at := range []time.Duration{0, routerQuiet - time.Second, routerQuiet} {
			long := map[fsm.AddressKey]asked{web: {router: "web", heard: heard{by: "m", until: time.Now(), first: time.Now().Add(-keptFor)}}}
			if got, want := len(again.told(w.State(), "n1", long, time.Now().Add(at))), []int{1, 0, 1}[i]; got != want {
				t.Errorf("told %d times after %v, want %d", got, at, want)
			}
		}
		if n := c.keptClosed(); n != 1 {
			t.Errorf("%d are kept closed, want 1", n)
		}
		w.hears(web.Addr, "")
		time.Sleep(time.Second + stubborn)
		synctest.Wait()
		if n := w.actuator.status.Load().keptClosed(); n != 0 {
			t.Errorf("%d are kept closed, and nobody answers", n)
		}
	})
}
