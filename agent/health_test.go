package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/cluster"
	"quorate/fsm"
	"quorate/health"
)

func check(t fsm.CheckType) fsm.Check {
	return fsm.Check{Type: t, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
}

// checked is a state with two services that share a server, one of them with two checks.
func checked(t *testing.T) *fsm.State {
	w := newWorld()
	w.apply(t, fsm.Command{Init: &fsm.Init{ClusterID: "c", Settings: fsm.DefaultSettings(), Node: fsm.Node{ID: "n1", Store: "s1", Addr: "192.0.2.1:7300", Role: fsm.Director, Weight: 1, Facts: fsm.Facts{Schema: fsm.MaxSchema}}}})
	http := check(fsm.CheckHTTP)
	http.HTTP = &fsm.HTTPCheck{HTTPRequest: fsm.HTTPRequest{Path: "/", Status: []fsm.StatusRange{{From: 200, To: 299}}}}
	server := []fsm.Server{{Address: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}}
	service := fsm.Service{Name: "a", VIP: "web", Port: 80, Protocol: fsm.TCP, Scheduler: "wrr", Forward: fsm.NAT, Servers: server}
	a, b := service, service
	a.Checks = []fsm.Check{check(fsm.CheckTCP)}
	b.Name, b.Port, b.Checks = "b", 81, []fsm.Check{check(fsm.CheckTCP), http}
	return w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{
		Settings: fsm.DefaultSettings(),
		VIPs:     map[string]fsm.VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}},
		Services: map[string]fsm.Service{"a": a, "b": b},
	}}})
}

func TestObservations(t *testing.T) {
	var said []string
	var o *observer
	o = newObserver("n1", func(obs []cluster.Observation) {
		if o.mu.TryLock() {
			t.Error("two results at a time could be passed on in the wrong order")
		}
		for _, x := range obs {
			said = append(said, fmt.Sprintf("%v up=%t %s", x.Server, x.Up, x.Detail))
		}
	}, func(keys []fsm.ServerKey) {
		slices.SortFunc(keys, fsm.ServerKey.Compare)
		for _, k := range keys {
			said = append(said, fmt.Sprintf("%v forgotten", k))
		}
	})
	expect := func(what string, want ...string) {
		t.Helper()
		if fmt.Sprint(said) != fmt.Sprint(want) {
			t.Fatalf("%s: %q, want %q", what, said, want)
		}
		said = nil
	}
	s := checked(t)
	targets := o.targets(s)
	if len(targets) != 2 {
		t.Fatalf("%d probes, want 2: the check that both services have is made once", len(targets))
	}
	var tcp, http string
	for _, x := range targets {
		if strings.HasPrefix(x.ID, "tcp") {
			tcp = x.ID
		} else {
			http = x.ID
		}
	}
	o.transition(health.Transition{ID: tcp, Up: true})
	expect("one check of b is still open", "a/10.0.0.1:80 up=true ")
	o.transition(health.Transition{ID: http, Up: true})
	expect("all checks pass", "b/10.0.0.1:80 up=true ")
	o.transition(health.Transition{ID: http, Detail: "status 503"})
	expect("one check fails", "b/10.0.0.1:80 up=false status 503")
	o.transition(health.Transition{ID: tcp, Detail: "refused"})
	expect("both fail", "a/10.0.0.1:80 up=false refused", "b/10.0.0.1:80 up=false refused")
	o.transition(health.Transition{ID: "a probe of yesterday", Up: true})
	expect("not ours")

	if got := o.targets(fsm.New()); len(got) != 0 {
		t.Fatalf("probes without a configuration: %v", got)
	}
	expect("observed no longer", "a/10.0.0.1:80 forgotten", "b/10.0.0.1:80 forgotten")
	o.transition(health.Transition{ID: tcp, Up: true})
	expect("given up")
	o.targets(s)
	o.refresh()
	expect("what was known is forgotten with the probe")
}
