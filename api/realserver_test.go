package api

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"quorate/fsm"
)

// What each server gets now, and why.
func TestServersOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(n int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), 80)
		}
		svc := fsm.Service{Name: "web", SlowStart: 10 * time.Second, Quorum: 100, Sorry: &fsm.Server{Address: at(9), Weight: 3}}
		st := fsm.New()
		now := time.Now()
		for n, x := range []fsm.ServerState{
			{Verdict: fsm.Up, Admin: fsm.Enabled},
			{Verdict: fsm.Up, Admin: fsm.Enabled, Recovered: now.Add(-4500 * time.Millisecond)},
			{Verdict: fsm.Up, Admin: fsm.Drain},
			{Verdict: fsm.Up, Admin: fsm.Drain, Deadline: now.Add(2 * time.Minute)},
			{Verdict: fsm.Up, Admin: fsm.Disabled},
			{Verdict: fsm.Up, Admin: fsm.Disabled, Why: fsm.ReasonTimeout},
			{Verdict: fsm.Up, Admin: fsm.Disabled, Why: fsm.ReasonDrained},
			{Verdict: fsm.Down, Admin: fsm.Enabled},
		} {
			svc.Servers = append(svc.Servers, fsm.Server{Address: at(n + 1), Weight: 50})
			st.Servers[fsm.ServerKey{Service: "web", Address: at(n + 1)}] = x
		}
		st.Config.Services = map[string]fsm.Service{"web": svc}
		expect := func(met bool, want ...string) {
			t.Helper()
			st.Services = map[string]fsm.ServiceState{"web": {Quorum: met, Since: now}}
			var got []string
			for _, r := range serversOf(st, svc) {
				got = append(got, fmt.Sprintf("%d %v %d %s", r.Address.Addr().As4()[3], r.In, r.Effective, r.Why))
			}
			if !slices.Equal(got, want) {
				t.Errorf("met %v:\n%q, want\n%q", met, got, want)
			}
		}
		out := []string{"3 false 0 draining", "4 false 0 draining, 2m0s left", "5 false 0 disabled", "6 false 0 disabled: its drain has lasted as long as it may",
			"7 false 0 disabled: drained, its last connection is gone", "8 false 0 "}
		expect(true, append(append([]string{"1 true 50 ", "2 true 23 ramp 46 %"}, out...), "9 false 0 sorry server: the quorum is met")...)
		expect(false, append(append([]string{"1 false 0 quorum lost", "2 false 0 quorum lost"}, out...), "9 true 1 sorry server: quorum lost")...)
		if s := summaryOf(st, svc); s.Up != 7 || s.In != 0 || !s.Sorry || s.Draining != 2 || s.Disabled != 3 || s.Quorum.Have != 100 {
			t.Errorf("%+v", s)
		}
		// One that stands alone is not ramped.
		st.Servers[fsm.ServerKey{Service: "web", Address: at(1)}] = fsm.ServerState{Verdict: fsm.Down, Admin: fsm.Enabled}
		expect(true, append(append([]string{"1 false 0 ", "2 true 50 "}, out...), "9 false 0 sorry server: the quorum is met")...)
	})
}

func TestDrainTimeout(t *testing.T) {
	for text, want := range map[string]string{"": "<nil>", "5m": "5m0s", "0s": "0s", "1ms": "refused", "25h": "refused", "-1s": "refused", "soon": "refused"} {
		d, err := drainTimeout(AdminRequest{Admin: fsm.Drain, Timeout: text})
		got := fmt.Sprint(d)
		switch {
		case err != nil:
			got = "refused"
		case d != nil:
			got = d.String()
		}
		if got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	if _, err := drainTimeout(AdminRequest{Admin: fsm.Disabled, Timeout: "5m"}); err == nil {
		t.Error("a limit without a drain was taken")
	}
}
