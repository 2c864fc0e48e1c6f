package api_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
)

// sample is a configuration: web and mail in a group, lone by itself, an HTTP service on web.
func sample() fsm.Config {
	return fsm.Config{
		Settings: fsm.DefaultSettings(),
		VIPs: map[string]fsm.VIP{
			"web":  {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Group: "front"},
			"mail": {Name: "mail", Address: netip.MustParsePrefix("2001:db8::10/64"), Group: "front"},
			"lone": {Name: "lone", Address: netip.MustParsePrefix("192.0.2.20/24")},
		},
		Groups: map[string]fsm.Group{"front": {Name: "front"}},
		Services: map[string]fsm.Service{"http": {
			Name: "http", VIP: "web", Port: 80, Protocol: fsm.TCP, Scheduler: "wrr", Forward: fsm.NAT,
			Checks: []fsm.Check{{Type: fsm.CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}},
			Servers: []fsm.Server{
				{Address: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1},
				{Address: netip.MustParseAddrPort("10.0.0.2:80"), Weight: 2},
			},
		}},
	}
}

func TestApply(t *testing.T) {
	s, agents := cluster(t)
	ctx := t.Context()
	now, err := s.unix.Config(ctx)
	if err != nil || now.Version == 0 || len(now.Config.VIPs) != 3 {
		t.Fatalf("config: %+v, %v", now, err)
	}
	same, err := s.unix.Apply(ctx, now.Config, now.Version, false)
	if err != nil || same.Changed || same.Version != now.Version {
		t.Errorf("the same again: %+v, %v", same, err)
	}

	next := now.Config
	next.VIPs = map[string]fsm.VIP{"web": next.VIPs["web"], "mail": next.VIPs["mail"]}
	plan, err := s.unix.Plan(ctx, next)
	if err != nil || plan.Base != now.Version || len(plan.Changes) != 1 || plan.Changes[0].Object != "vip.lone" || len(plan.Problems) != 0 {
		t.Fatalf("plan: %+v, %v", plan, err)
	}
	if got, _ := s.unix.Config(ctx); got.Version != now.Version {
		t.Error("a plan changed the configuration")
	}
	_, err = s.unix.Apply(ctx, next, now.Version-1, false)
	wantCode(t, err, api.CodeConflict)

	// From another agent, as the next operator would.
	two := serve(t, agents[1])
	done, err := two.unix.Apply(ctx, next, plan.Base, false)
	if err != nil || !done.Changed || done.Version <= now.Version || len(done.Changes) != 1 {
		t.Fatalf("apply: %+v, %v", done, err)
	}
	_, err = s.unix.Apply(ctx, now.Config, plan.Base, false)
	wantCode(t, err, api.CodeConflict)
	if _, err = s.unix.Apply(ctx, now.Config, plan.Base, true); err != nil {
		t.Errorf("with force: %v", err)
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	s, _ := cluster(t)
	before, err := s.unix.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrong := sample()
	wrong.VIPs["ok"] = fsm.VIP{Name: "ok", Address: netip.MustParsePrefix("192.0.2.30/24")}
	wrong.VIPs["far"] = fsm.VIP{Name: "far", Address: netip.MustParsePrefix("203.0.113.1/24")}
	svc := wrong.Services["http"]
	svc.Forward = fsm.DirectRouting
	wrong.Services["http"] = svc

	_, err = s.unix.Apply(t.Context(), wrong, before.Version, false)
	e := wantCode(t, err, api.CodeInvalidConfig)
	objects := map[string]bool{}
	for _, p := range e.Problems {
		objects[p.Object] = true
		if p.What == "" || p.Cure == "" {
			t.Errorf("a problem without words: %+v", p)
		}
	}
	if !objects["vip.far"] || !objects["service.http"] || objects["vip.ok"] {
		t.Errorf("problems: %+v", e.Problems)
	}
	plan, err := s.unix.Plan(t.Context(), wrong)
	if err != nil || len(plan.Problems) != len(e.Problems) {
		t.Errorf("plan has %d problems, apply has %d (%v)", len(plan.Problems), len(e.Problems), err)
	}
	wrong.Services["http"] = fsm.Service{Name: "http", VIP: "nowhere"}
	_, err = s.unix.Apply(t.Context(), wrong, before.Version, true)
	wantCode(t, err, api.CodeInvalidConfig)
	if after, err := s.unix.Config(t.Context()); err != nil || after.Version != before.Version {
		t.Errorf("version %d → %d (%v): something was changed", before.Version, after.Version, err)
	}
}

func TestActorIsTheUserOfTheSocket(t *testing.T) {
	s, _ := cluster(t)
	if _, err := s.tcp.DrainNode(t.Context(), "n3", 0); err != nil {
		t.Fatal(err)
	}
	var config, drain string
	for _, e := range s.State().Events {
		switch e.Kind {
		case fsm.EventConfig:
			config = e.Actor
		case fsm.EventNode:
			drain = e.Actor
		}
	}
	if !strings.HasPrefix(config, "cli:") || config == "cli:" {
		t.Errorf("over the socket the actor is %q", config)
	}
	if drain != "api:127.0.0.1" {
		t.Errorf("over TCP the actor is %q", drain)
	}
}
