package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate/api"
	"quorate/api/apitest"
	"quorate/api/client"
	"quorate/api/crossing"
	"quorate/fsm"
)

// pass is a VIP in shadow beside a router of priority 150, the agents of its cluster, and somebody who does something in the middle of a takeover.
type pass struct {
	t      *testing.T
	world  *apitest.World
	agents []*apitest.Agent
	url    string
	ctx    context.Context
	stop   context.CancelFunc

	mu sync.Mutex
	// meanwhile is called before each request, with how many times the mode was asked to be changed and how many looks there were since. It may answer in the
	// agent's place.
	meanwhile    func(w http.ResponseWriter, set bool, sets, looks int) (answered bool)
	sets, looks  int
	live, shadow fsm.Config
}

func newPass(t *testing.T) *pass {
	t.Helper()
	p := &pass{t: t, world: apitest.NewWorld()}
	p.ctx, p.stop = context.WithCancel(t.Context())
	p.agents = p.world.Cluster("n1", "n2", "n3")
	p.world.Beside(&apitest.Legacy{Source: netip.MustParseAddr("192.0.2.5"), Priority: 150})
	p.shadow = fsm.Config{
		Routers: map[string]fsm.VirtualRouter{"VI_1": {VRID: 51, Peers: []netip.Addr{netip.MustParseAddr("192.0.2.5")}}},
		VIPs:    map[string]fsm.VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Router: "VI_1", Mode: fsm.ShadowMode}},
	}
	p.live, _ = p.shadow.WithMode("web", fsm.LiveMode)
	p.apply(p.shadow)
	agent := api.NewServer(p.agents[0].Options())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := r.Method == http.MethodPut
		p.mu.Lock()
		if set {
			p.sets, p.looks = p.sets+1, 0
		} else {
			p.looks++
		}
		sets, looks, meanwhile := p.sets, p.looks, p.meanwhile
		p.mu.Unlock()
		if meanwhile == nil || !meanwhile(w, set, sets, looks) {
			agent.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// apply has the cluster agree on a configuration, whatever it has.
func (p *pass) apply(c fsm.Config) {
	p.t.Helper()
	if _, err := p.agents[0].Propose(context.Background(), fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}}); err != nil {
		p.t.Error(err)
	}
}

func (p *pass) cross(way crossing.Way, f crossingFlags) (out string, err error) {
	p.t.Helper()
	return p.run(&app{}, way, f)
}

func (p *pass) run(a *app, way crossing.Way, f crossingFlags) (string, error) {
	p.t.Helper()
	return p.runOf("web", a, way, f)
}

func (p *pass) runOf(vip string, a *app, way crossing.Way, f crossingFlags) (string, error) {
	p.t.Helper()
	c, err := client.New(p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	var out strings.Builder
	a.out, f.limit = &out, cmp.Or(f.limit, 3*time.Second)
	err = a.cross(p.ctx, c, way, vip, f)
	return out.String(), err
}

// mode is what is agreed.
func (p *pass) mode() string {
	st := p.agents[0].State()
	return st.Config.ModeOf(st.Config.VIPs["web"]).String()
}

const soon = 4 * time.Second

// TestCrossingDisturbed: whatever happens in the middle of a takeover, its last words say in which mode the VIP is and how to go on, and that is so.
func TestCrossingDisturbed(t *testing.T) {
	unavailable := func(w http.ResponseWriter) bool {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"type":"urn:quorate:error:no-quorum","status":503,"detail":"the leader was lost"}`))
		return true
	}
	lost := func(p *pass) {
		p.agents[1].Kill()
		p.agents[2].Kill()
	}
	type meanwhile = func(w http.ResponseWriter, set bool, sets, looks int) bool
	for _, x := range []struct {
		name string
		do   func(p *pass) meanwhile
		mode string
		done bool
		says []string // the last words, or the error
		sets int
	}{
		{"interrupted before it has begun", func(p *pass) meanwhile {
			return func(http.ResponseWriter, bool, int, int) bool { p.stop(); return false }
		}, "shadow", false, []string{"interrupted: nothing is changed"}, 0},
		{"interrupted while the mode is changed", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, set bool, _, _ int) bool {
				if set {
					p.stop()
				}
				return false
			}
		}, "live", false, []string{"Interrupted: web is live and stays so, and it is not made sure of", "`quorate vrrp takeover web` looks again", "`quorate vrrp giveback web` takes it back"}, 1},
		{"interrupted while it is made sure of", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, set bool, sets, _ int) bool {
				if sets == 1 && !set {
					p.stop()
				}
				return false
			}
		}, "live", false, []string{"Interrupted: web is live and stays so", "`quorate vrrp giveback web` takes it back"}, 1},
		{"interrupted while it is undone", func(p *pass) meanwhile {
			p.world.Beside(&apitest.Legacy{Source: netip.MustParseAddr("192.0.2.5"), Priority: 254})
			return func(_ http.ResponseWriter, set bool, sets, _ int) bool {
				if set && sets == 2 {
					p.stop()
				}
				return false
			}
		}, "shadow", false, []string{"Undone: web is shadow again, but that is not made sure of"}, 2},
		{"another configuration while it is undone", func(p *pass) meanwhile {
			p.world.Beside(&apitest.Legacy{Source: netip.MustParseAddr("192.0.2.5"), Priority: 254})
			return func(_ http.ResponseWriter, set bool, sets, _ int) bool {
				if set && sets == 2 {
					c := p.live
					c.Groups = map[string]fsm.Group{"g": {Name: "g"}}
					p.apply(c)
				}
				return false
			}
		}, "shadow", false, []string{"Undone: everything is as it was before, web is shadow again"}, 3},
		{"the leader is lost after it has agreed", func(p *pass) meanwhile {
			return func(w http.ResponseWriter, set bool, _, _ int) bool {
				if set {
					p.apply(p.live)
				}
				return set && unavailable(w)
			}
		}, "live", true, []string{"Done: the takeover of web is made sure of"}, 1},
		{"the leader is lost before it has", func(*pass) meanwhile {
			return func(w http.ResponseWriter, set bool, sets, _ int) bool { return set && sets == 1 && unavailable(w) }
		}, "live", true, []string{"Done: the takeover of web is made sure of"}, 2},
		{"the leader stood still, and goes on after it was asked again", func(p *pass) meanwhile {
			return func(w http.ResponseWriter, set bool, sets, _ int) bool {
				if set && sets == 2 {
					p.apply(p.live)
				}
				return set && sets == 1 && unavailable(w)
			}
		}, "live", true, []string{"Done: the takeover of web is made sure of"}, 2},
		{"there is no leader for a while", func(*pass) meanwhile {
			return func(w http.ResponseWriter, set bool, sets, looks int) bool {
				return !set && sets == 1 && looks < 4 && unavailable(w)
			}
		}, "live", true, []string{"Done: the takeover of web is made sure of"}, 1},
		{"the quorum is lost for a while", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, _ bool, sets, looks int) bool {
				switch {
				case sets == 1 && looks == 1:
					lost(p)
				case sets == 1 && looks == 3:
					p.agents[1].Revive()
					p.agents[2].Revive()
				}
				return false
			}
		}, "live", true, []string{"Done: the takeover of web is made sure of"}, 1},
		{"the quorum is lost for good", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, set bool, sets, _ int) bool {
				if sets == 1 && !set {
					lost(p)
				}
				return false
			}
		}, "live", false, []string{"It is not known whether it was undone: look at `quorate vip show web`; `quorate vrrp giveback web` undoes it.", "no majority"}, -1},
		{"the agent is gone for good", func(*pass) meanwhile {
			return func(_ http.ResponseWriter, set bool, sets, _ int) bool {
				if sets > 0 && (!set || sets > 1) {
					panic(http.ErrAbortHandler)
				}
				return false
			}
		}, "live", false, []string{"It is not known whether it was undone: look at `quorate vip show web`; `quorate vrrp giveback web` undoes it."}, -1},
		{"another takeover in the same moment", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, set bool, _, _ int) bool {
				if set {
					p.apply(p.live)
				}
				return false
			}
		}, "live", true, []string{"web is live already: nothing is changed", "All is as it should be"}, 1},
		{"another configuration in the same moment", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, set bool, _, _ int) bool {
				if set {
					c := p.shadow
					c.Groups = map[string]fsm.Group{"g": {Name: "g"}}
					p.apply(c)
				}
				return false
			}
		}, "shadow", false, []string{"somebody applied another in between"}, 1},
		{"another configuration afterwards, which has it live", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, _ bool, sets, looks int) bool {
				if sets == 1 && looks == 1 {
					c := p.live
					c.Groups = map[string]fsm.Group{"g": {Name: "g"}}
					p.apply(c)
				}
				return false
			}
		}, "live", true, []string{"Done: the takeover of web is made sure of"}, 1},
		{"somebody takes it back", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, _ bool, sets, looks int) bool {
				if sets == 1 && looks == 1 {
					p.apply(p.shadow)
				}
				return false
			}
		}, "shadow", false, []string{"Somebody has taken it back meanwhile", "nothing more is changed"}, 1},
		{"somebody removes it", func(p *pass) meanwhile {
			return func(_ http.ResponseWriter, _ bool, sets, looks int) bool {
				if sets == 1 && looks == 1 {
					p.apply(fsm.Config{})
				}
				return false
			}
		}, "live", false, []string{"Somebody has taken it back meanwhile, or applied another configuration"}, 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			p := newPass(t)
			p.meanwhile = x.do(p)
			out, err := p.cross(crossing.Takeover, crossingFlags{wait: soon, force: true, rollback: true})
			if (err == nil) != x.done {
				t.Errorf("it ended with %v", err)
			}
			if err != nil && !errors.Is(err, errSaid) {
				out += err.Error()
			}
			for _, w := range x.says {
				if !strings.Contains(out, w) {
					t.Errorf("it does not say %q:\n%s", w, out)
				}
			}
			if last := lastLine(out); strings.Contains(last, "not known") && strings.Contains(last, "web is ") {
				t.Errorf("it knows what is not known: %s", last)
			}
			if strings.Contains(out, "%!") || strings.Contains(out, "context") {
				t.Errorf("it says:\n%s", out)
			}
			if m := p.mode(); m != x.mode || x.sets >= 0 && p.sets != x.sets {
				t.Errorf("the mode is %s after %d changes, want %s after %d:\n%s", m, p.sets, x.mode, x.sets, out)
			}
		})
	}
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// TestCrossingOfDeafAgent: an agent that takes a question and never answers keeps nobody from ending it, and what is not known is not said.
func TestCrossingOfDeafAgent(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name       string
		sets, deaf int // from which look on, after that many changes of the mode
		do         func(p *pass)
		mode       string
		says       string
	}{
		{"while it is undone", 2, 1, func(p *pass) {
			c := p.live
			c.Groups = map[string]fsm.Group{"g": {Name: "g"}}
			p.apply(c) // so that it is refused, and looked again
		}, "live", "It could not be undone: web is live"},
		{"after somebody has taken it back", 1, 2, func(p *pass) { p.apply(p.shadow) }, "", "Somebody has taken it back meanwhile"},
		{"altogether", 1, 1, func(*pass) {}, "", "It is not known whether it was undone"},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			p := newPass(t)
			p.world.Beside(&apitest.Legacy{Source: netip.MustParseAddr("192.0.2.5"), Priority: 254})
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			var once sync.Once
			p.meanwhile = func(_ http.ResponseWriter, set bool, sets, looks int) bool {
				if sets == x.sets && set == (x.sets == 2) {
					once.Do(func() { x.do(p) })
				}
				deaf := sets == x.sets && looks >= x.deaf || sets > x.sets
				if deaf {
					<-over
				}
				return deaf
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				out, err := p.run(&app{output: "json"}, crossing.Takeover, crossingFlags{wait: time.Second, force: true, rollback: true, limit: 2 * time.Second})
				var r crossed
				if jerr := json.Unmarshal([]byte(out), &r); jerr != nil || !errors.Is(err, errSaid) || r.Mode != x.mode || !strings.HasPrefix(r.Note, x.says) || strings.Contains(r.Note, "context") {
					t.Errorf("%v, %v: %s", err, jerr, out)
				}
			}()
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Error("it hangs")
			}
		})
	}
}

// TestCrossingThere: what is live already is looked at alone, also where somebody was interrupted; nothing is undone.
func TestCrossingThere(t *testing.T) {
	t.Parallel()
	p := newPass(t)
	p.apply(p.live)
	out, err := p.cross(crossing.Takeover, crossingFlags{wait: soon, rollback: true})
	if err != nil || !strings.Contains(out, "  ok answers ") || !strings.Contains(out, "All is as it should be; `quorate vrrp giveback web` takes it back.") {
		t.Errorf("%v\n%s", err, out)
	}
	p.world.Beside(&apitest.Legacy{Source: netip.MustParseAddr("192.0.2.5"), Priority: 254})
	out, err = p.cross(crossing.Takeover, crossingFlags{wait: soon, rollback: true})
	if !errors.Is(err, errSaid) || !strings.Contains(out, "-- silence  192.0.2.5 (priority 254) speaks for VI_1") || !strings.Contains(out, "Nothing is changed: web is live and stays so") || strings.Contains(out, "against it") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = p.run(&app{output: "json"}, crossing.Takeover, crossingFlags{check: true})
	var r crossed
	if jerr := json.Unmarshal([]byte(out), &r); err != nil || jerr != nil || !r.Done || r.Mode != "live" || p.sets > 0 {
		t.Errorf("%v, %v: %s", err, jerr, out)
	}
}

// TestCrossingOfMixedGroup: of what goes together but differs in its mode, a step changes what it was asked for and what has the mode of that, and no undo touches the rest.
func TestCrossingOfMixedGroup(t *testing.T) {
	t.Parallel()
	p := newPass(t)
	c := p.shadow
	web := c.VIPs["web"]
	web.Group = "g"
	c.Groups = map[string]fsm.Group{"g": {Name: "g"}}
	c.VIPs = map[string]fsm.VIP{"web": web, "api": {Name: "api", Address: netip.MustParsePrefix("192.0.2.11/24"), Group: "g"}}
	p.apply(c)
	api := c.VIPs["api"].Key()
	before := p.agents[0].State()
	stays := func(what, mode string) {
		t.Helper()
		st := p.agents[0].State()
		if a, was := st.Assignments[api], before.Assignments[api]; st.Config.Shadows(st.Config.VIPs["api"]) || a.Owner == "" || a.Release != nil || a.Epoch != was.Epoch {
			t.Errorf("%s: what was live and was not to be changed is %+v, and was %+v", what, a, was)
		}
		if m := p.mode(); m != mode {
			t.Errorf("%s: the mode is %s, want %s", what, m, mode)
		}
	}
	stays("at first", "shadow")

	// Nothing is to be done: neither is the other one taken over, nor given back.
	out, err := p.runOf("api", &app{}, crossing.Takeover, crossingFlags{wait: time.Second, rollback: true})
	if err != nil || p.sets > 0 || !strings.Contains(out, "api is live already: nothing is changed.") || !strings.Contains(out, "note: web, which goes together with it, is in mode shadow") {
		t.Errorf("%v\n%s", err, out)
	}
	stays("a takeover of what is live", "shadow")
	out, err = p.cross(crossing.Giveback, crossingFlags{wait: time.Second, rollback: true})
	if err != nil || p.sets > 0 || !strings.Contains(out, "web is shadow already: nothing is changed.") {
		t.Errorf("%v\n%s", err, out)
	}
	stays("a giveback of what is in shadow", "shadow")

	// It fails, and is undone.
	p.world.Beside(&apitest.Legacy{Source: netip.MustParseAddr("192.0.2.5"), Priority: 254})
	out, err = p.cross(crossing.Takeover, crossingFlags{wait: time.Second, force: true, rollback: true})
	if !errors.Is(err, errSaid) || !strings.Contains(out, "Undone: everything is as it was before, web is shadow again.") {
		t.Errorf("%v\n%s", err, out)
	}
	stays("a takeover that is undone", "shadow")
	if d := fsm.Diff(before.Config, p.agents[0].State().Config); len(d) > 0 {
		t.Errorf("not everything is as it was before: %v", d)
	}

	// It succeeds: that another one of the group is live speaks not against it. Both go back together, and that is said.
	p.world.Beside(&apitest.Legacy{Source: netip.MustParseAddr("192.0.2.5"), Priority: 150})
	out, err = p.cross(crossing.Takeover, crossingFlags{wait: soon, rollback: true})
	if err != nil || !strings.Contains(out, "Done: the takeover of web is made sure of; `quorate vrrp giveback web` takes it back, and api with it.") {
		t.Errorf("%v\n%s", err, out)
	}
	stays("a takeover", "live")
}

// TestCrossingWithoutTerminal: a terminal that is lost does not leave a takeover that fails as it is.
func TestCrossingWithoutTerminal(t *testing.T) {
	p := newPass(t)
	p.world.Beside(&apitest.Legacy{Source: netip.MustParseAddr("192.0.2.5"), Priority: 254})
	p.meanwhile = func(_ http.ResponseWriter, _ bool, sets, looks int) bool {
		if sets == 1 && looks == 1 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
				t.Error(err)
			}
		}
		return false
	}
	if out, err := p.cross(crossing.Takeover, crossingFlags{wait: soon, force: true, rollback: true}); !errors.Is(err, errSaid) || p.mode() != "shadow" || !strings.Contains(out, "Undone: everything is as it was before") {
		t.Errorf("the mode is %s, %v\n%s", p.mode(), err, out)
	}
}

// TestCrossingWaits: left out, the time follows the timers of the routers outside the cluster.
func TestCrossingWaits(t *testing.T) {
	t.Parallel()
	p := newPass(t)
	r := p.shadow.Routers["VI_1"]
	r.Version, r.Interval = 2, 255*time.Second
	p.shadow.Routers["VI_1"] = r
	p.apply(p.shadow)
	out, err := p.cross(crossing.Takeover, crossingFlags{rollback: true})
	if err != nil || !strings.Contains(out, "It takes up to 13m16s to be sure, by the timers of the routers outside the cluster;") {
		t.Errorf("%v\n%s", err, out)
	}
	p.apply(p.shadow)
	out, err = p.cross(crossing.Takeover, crossingFlags{rollback: true, wait: 2 * time.Minute})
	if err != nil || !strings.Contains(out, "It takes up to 2m0s to be sure; Ctrl-C") {
		t.Errorf("as it was told: %v\n%s", err, out)
	}
}

// TestCrossingRefused: what the configuration is refused for is not said to be done with --force, and is not.
func TestCrossingRefused(t *testing.T) {
	t.Parallel()
	p := newPass(t)
	r := p.shadow.Routers["VI_1"]
	r.Peers = append(r.Peers, netip.MustParseAddrPort(p.agents[0].State().Nodes["n1"].Addr).Addr())
	p.shadow.Routers["VI_1"] = r
	p.apply(p.shadow)
	out, err := p.cross(crossing.Takeover, crossingFlags{rollback: true})
	if !errors.Is(err, errSaid) || !strings.Contains(out, "against it: ") || !strings.Contains(out, "Nothing is changed: 1 reason against it. What the configuration is refused for is refused with --force, too.") {
		t.Errorf("%v\n%s", err, out)
	}
	var refused *api.Error
	if out, err = p.cross(crossing.Takeover, crossingFlags{rollback: true, force: true}); !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity || p.mode() != "shadow" {
		t.Errorf("forced: %v\n%s", err, out)
	}
}
