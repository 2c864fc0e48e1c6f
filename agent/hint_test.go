package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
	"quorate/lvs"
	"quorate/lvs/suspect"
)

// TestHintRate: never more often than once in a fifth of the interval, ever rarer while it goes on, and from the beginning after a pause.
func TestHintRate(t *testing.T) {
	key := fsm.ServerKey{Service: "a", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	start := time.Unix(1000, 0)
	r := hintRate{}
	var at []string
	for s := 0; s <= 600; s++ { // suspected each second
		if r.allow(key, 10*time.Second, start.Add(time.Duration(s)*time.Second)) {
			at = append(at, fmt.Sprint(s))
		}
	}
	if got, want := strings.Join(at[:7], " "), "0 2 6 14 30 62 102"; got != want || len(at) > 20 {
		t.Errorf("hints at %s, want %s and then every 40 s", strings.Join(at, " "), want)
	}
	later := start.Add(time.Hour)
	if !r.allow(key, 10*time.Second, later) || r.allow(key, 10*time.Second, later.Add(time.Second)) || !r.allow(key, 10*time.Second, later.Add(2*time.Second)) {
		t.Error("after a pause it does not begin anew")
	}
	r.keep(func(fsm.ServerKey) bool { return false })
	if len(r) > 0 {
		t.Error("a server is not forgotten")
	}
}

func TestHintRateIsBounded(t *testing.T) {
	key := fsm.ServerKey{Service: "a", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.IntRange(1, 3600).Draw(t, "interval")) * time.Second
		r, now, last := hintRate{}, time.Unix(1000, 0), time.Time{}
		for range rapid.IntRange(1, 50).Draw(t, "suspicions") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*interval)).Draw(t, "pause")))
			if !r.allow(key, interval, now) {
				if gap := now.Sub(last); gap > maxHintGap*interval {
					t.Fatalf("refused after %s, with an interval of %s", gap, interval)
				}
				continue
			}
			if gap := now.Sub(last); gap < interval/5 {
				t.Fatalf("allowed after %s, with an interval of %s", gap, interval)
			}
			last = now
		}
	})
}

// slowly is checked's cluster, whose services a and b have these checks and are on the same VIP; n1 owns it, if own is set, and both servers are up.
func slowly(t *testing.T, own bool, edit func(*fsm.Service)) *fsm.State {
	t.Helper()
	s := checked(t)
	s.Assignments = maps.Clone(s.Assignments)
	v := s.Config.VIPs["web"]
	a := fsm.Assignment{Key: v.Key(), VIP: v.Name, Address: v.Address, Interface: v.Interface, Epoch: 1}
	if own {
		a.Owner = "n1"
	}
	s.Assignments[v.Key()] = a
	services, servers := map[string]fsm.Service{}, map[fsm.ServerKey]fsm.ServerState{}
	for name, svc := range s.Config.Services {
		svc.Checks = slices.Clone(svc.Checks)
		for i := range svc.Checks {
			svc.Checks[i].Interval = time.Minute
		}
		if edit != nil {
			edit(&svc)
		}
		services[name] = svc
		for _, x := range svc.Servers {
			servers[fsm.ServerKey{Service: name, Address: x.Address}] = fsm.ServerState{Verdict: fsm.Up}
		}
	}
	s.Config.Services, s.Servers, s.Services = services, servers, nil
	return s
}

func TestWatched(t *testing.T) {
	server := netip.MustParseAddrPort("10.0.0.1:80")
	for _, c := range []struct {
		name string
		own  bool
		edit func(*fsm.Service)
		want string // the services of which the server is watched
		nat  int    // of how many of them the answers are counted
		past bool
	}{
		{"both", true, nil, "a b", 2, false},
		{"another node's", false, nil, "", 0, false},
		{"switched off", true, func(s *fsm.Service) { s.Health.NoPassive = s.Name == "a" }, "b", 1, false},
		{"udp", true, func(s *fsm.Service) {
			if s.Name == "a" {
				s.Protocol = fsm.UDP
			}
		}, "b", 1, false},
		{"checked each second", true, func(s *fsm.Service) {
			if s.Name == "b" {
				s.Checks[1].Interval = time.Second
			}
		}, "a", 1, false},
		{"no checks", true, func(s *fsm.Service) { s.Checks = nil }, "", 0, false},
		{"direct routing", true, func(s *fsm.Service) {
			if s.Name == "a" {
				s.Forward = fsm.DirectRouting
			}
		}, "a b", 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := watchedOn(slowly(t, c.own, c.edit), "n1", passiveLook)
			var got []string
			for _, x := range w.at(server) {
				if x.interval != time.Minute {
					t.Errorf("%v every %s", x.key, x.interval)
				}
				got = append(got, x.key.Service)
			}
			n := 0
			for _, servers := range w.by {
				n += len(servers)
			}
			if strings.Join(got, " ") != c.want || n != c.nat || w.past[server] != c.past {
				t.Errorf("watched in %q, counted in %d, past this node %t", got, n, w.past[server])
			}
		})
	}
	s := slowly(t, true, nil)
	s.Servers = nil
	if w := watchedOn(s, "n1", passiveLook); len(w.servers) > 0 {
		t.Errorf("watched though nobody knows that they are up: %v", w.servers)
	}
	w := watched{servers: map[netip.AddrPort][]watchedServer{netip.MustParseAddrPort("10.0.0.1:0"): {{}}, server: {{}}}}
	if one, other := len(w.at(server)), len(w.at(netip.MustParseAddrPort("10.0.0.1:443"))); one != 2 || other != 1 {
		t.Errorf("%d and %d servers, want 2 and 1", one, other)
	}
}

// TestHintDesk: only who carries a service may hint at its servers, and not too often.
func TestHintDesk(t *testing.T) {
	s := slowly(t, true, func(s *fsm.Service) { s.Health.NoPassive = s.Name == "b" })
	server := netip.MustParseAddrPort("10.0.0.1:80")
	a, b, none := fsm.ServerKey{Service: "a", Address: server}, fsm.ServerKey{Service: "b", Address: server}, fsm.ServerKey{Service: "x", Address: server}
	var d hintDesk
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		what  string
		q     hintQuestion
		after time.Duration
		want  int
	}{
		{"a stranger", hintQuestion{From: "n9", Servers: []fsm.ServerKey{a}}, 0, 0},
		{"nobody", hintQuestion{Servers: []fsm.ServerKey{a}}, 0, 0},
		{"a service that wants none, and none at all", hintQuestion{From: "n1", Servers: []fsm.ServerKey{b, none}}, 0, 0},
		{"the owner, who says it often", hintQuestion{From: "n1", Servers: []fsm.ServerKey{a, a, a}}, 0, 1},
		{"too soon", hintQuestion{From: "n1", Servers: []fsm.ServerKey{a}}, 11 * time.Second, 0},
		{"again", hintQuestion{From: "n1", Servers: []fsm.ServerKey{a}}, 12 * time.Second, 1},
	} {
		got, err := d.take(s, c.q, now.Add(c.after))
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %v, %v, want %d", c.what, got, err, c.want)
		}
	}
	if _, err := d.take(s, hintQuestion{From: "n1", Servers: make([]fsm.ServerKey, maxHints+1)}, now); err == nil {
		t.Error("any number of servers is taken")
	}
	s.Servers[a] = fsm.ServerState{Verdict: fsm.Down}
	if got, _ := d.take(s, hintQuestion{From: "n1", Servers: []fsm.ServerKey{a}}, now.Add(time.Hour)); len(got) > 0 {
		t.Errorf("a server that is down is probed: %v", got)
	}
}

// TestIPVSEvidence: a server that answers by way of this node is judged by counters, and only when they have been read anew; one that answers past it by the
// connections that clients have not acknowledged.
func TestIPVSEvidence(t *testing.T) {
	nat, direct := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:80")
	key := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("192.0.2.10:80")}
	w := watched{by: map[lvs.Key]map[netip.AddrPort]bool{key: {nat: true}}, past: map[netip.AddrPort]bool{direct: true}}
	var counters lvs.Counters
	var pass uint64
	connection := func(server netip.AddrPort) suspect.Connection {
		return suspect.Connection{Client: netip.MustParseAddrPort("192.0.2.1:999"), Virtual: key.Addr, Server: server}
	}
	lists := 0
	e := &ipvsEvidence{
		found: func() (lvs.Status, uint64) {
			n := counters
			return lvs.Status{Services: []lvs.ServiceStatus{{Key: key, Destinations: []lvs.DestinationStatus{{Addr: nat, Counters: &n}, {Addr: direct, Counters: &n}}}}}, pass
		},
		list: func() (suspect.Look, error) {
			lists++
			return suspect.Look{Left: map[suspect.Connection]time.Duration{connection(nat): time.Minute, connection(direct): time.Minute}}, nil
		},
	}
	look := func(want string) {
		t.Helper()
		found, _, err := e.look(w)
		if err != nil || fmt.Sprint(map[netip.AddrPort]suspect.Reason(found)) != want {
			t.Errorf("%v, %v, want %s", found, err, want)
		}
	}
	look("map[]")
	pass = 1
	look("map[10.0.0.2:80:unanswered]")
	pass, counters.Connections, counters.Traffic.InPackets = 2, 3, 4
	look("map[10.0.0.1:80:unanswered]")
	look("map[]")
	w.past, lists = nil, 0
	if look("map[]"); lists > 0 {
		t.Error("the connections are listed for nothing")
	}
}

// script is the evidence that a test gives.
type script struct {
	mu     sync.Mutex
	found  suspect.Suspects
	soon   bool
	err    error
	looks  []time.Time
	closed int
}

func (e *script) look(watched) (suspect.Suspects, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.looks = append(e.looks, time.Now())
	return e.found, e.soon, e.err
}

func (e *script) close() error { e.closed++; return nil }

// TestPassive: a suspect is probed here and by the other observers, at most as often as the rate has it; an observer that hangs keeps nobody; without a lease,
// and once the VIP is another node's, nothing is read.
func TestPassive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.state = slowly(t, true, nil)
		nodes := maps.Clone(w.state.Nodes)
		for _, id := range []fsm.NodeID{"n2", "n3"} {
			n := nodes["n1"]
			n.ID = id
			nodes[id] = n
		}
		w.state.Nodes = nodes
		server := netip.MustParseAddrPort("10.0.0.1:80")
		e := &script{found: suspect.Suspects{server: suspect.Refused, netip.MustParseAddrPort("10.0.0.9:80"): suspect.Refused}, soon: true}
		var mu sync.Mutex
		began, live, here, counted := time.Now(), true, []string{}, 0
		told := map[fsm.NodeID][]string{}
		p := &passive{self: "n1", state: w.State, live: func(fsm.Epoch) bool { mu.Lock(); defer mu.Unlock(); return live }, plane: func() string { return "model" },
			open: func(string) (evidence, error) { return e, nil },
			hint: func(k []fsm.ServerKey) { here = append(here, fmt.Sprint(time.Since(began), len(k))) },
			ask: func(ctx context.Context, n fsm.NodeID, k []fsm.ServerKey) error {
				mu.Lock()
				told[n] = append(told[n], fmt.Sprint(time.Since(began), len(k)))
				mu.Unlock()
				if n == "n3" {
					<-ctx.Done()
					return ctx.Err()
				}
				return errors.New("it does not know the question")
			},
			count: func(suspect.Reason) { counted++ }, log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.run(ctx) }()
		time.Sleep(30 * time.Second) // virtual
		synctest.Wait()
		mu.Lock()
		const want = "[0s 2 12.5s 2]" // both services; 12 s are a fifth of a minute
		if fmt.Sprint(here) != want || counted != 4 || fmt.Sprint(told["n2"]) != want || fmt.Sprint(told["n3"]) != want || len(told) != 2 {
			t.Errorf("here %v, the others %v, counted %d; want %s", here, told, counted, want)
		}
		live = false
		mu.Unlock()
		// In turns a quarter of a second and a second apart.
		if n := len(e.looks); n < 46 || n > 50 {
			t.Errorf("%d looks in 30 s", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		n := len(e.looks)
		time.Sleep(10 * time.Second)
		if synctest.Wait(); len(e.looks) != n || e.closed != 1 {
			t.Errorf("%d looks without a lease, closed %d times", len(e.looks)-n, e.closed)
		}
		cancel()
		<-done
	})
}
