package cluster

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// verdictBed is a cluster at the newest schema, with a service of three servers by one VIP that n1 owns.
func verdictBed(nodes []fsm.NodeID, h fsm.Health) (*fsm.State, []fsm.ServerKey) {
	s := fsm.New()
	s.ClusterID, s.Schema = "c", fsm.MaxSchema
	for _, n := range nodes {
		s.Nodes[n] = fsm.Node{ID: n, Store: "s", Role: fsm.Director, Epoch: 1}
	}
	vip := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
	s.Assignments[vip.Key()] = fsm.Assignment{Key: vip.Key(), VIP: "web", Owner: "n1", Epoch: 2}
	svc := fsm.Service{Name: "web", VIP: "web", Port: 80, Forward: fsm.NAT, Health: h,
		Checks: []fsm.Check{{Type: fsm.CheckTCP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}}}
	var keys []fsm.ServerKey
	for i := range 3 {
		k := fsm.ServerKey{Service: "web", Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 80)}
		svc.Servers = append(svc.Servers, fsm.Server{Address: k.Address, Weight: 100})
		keys = append(keys, k)
		s.Servers[k] = fsm.ServerState{Verdict: fsm.Unknown, Admin: fsm.Enabled}
	}
	s.Config = fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{"web": vip}, Services: map[string]fsm.Service{"web": svc}}
	s.Config.Settings.Observers = len(nodes)
	s.Services = map[string]fsm.ServiceState{"web": {Quorum: true}}
	return s, keys
}

func allAlive(fsm.NodeID) bool { return true }

var verdictTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestPolicies(t *testing.T) {
	nodes := []fsm.NodeID{"n1", "n2", "n3"}
	for _, c := range []struct {
		policy fsm.ObserverPolicy
		is     fsm.Verdict
		sees   string // per node: + up, - down, . silent
		alive  string
		want   fsm.Verdict
	}{
		{fsm.ByAny, fsm.Unknown, "..+", "yyy", fsm.Up},
		{fsm.ByAny, fsm.Up, "--.", "yyy", ""}, // the third may see it up
		{fsm.ByAny, fsm.Up, "--+", "yyy", ""},
		{fsm.ByAny, fsm.Up, "---", "yyy", fsm.Down},
		{fsm.ByAny, fsm.Up, "--.", "yyn", fsm.Down},
		{fsm.ByAny, fsm.Up, "---", "nnn", ""},
		{fsm.ByAll, fsm.Unknown, "++.", "yyy", ""},
		{fsm.ByAll, fsm.Unknown, "+++", "yyy", fsm.Up},
		{fsm.ByAll, fsm.Unknown, "++.", "yyn", fsm.Up},
		{fsm.ByAll, fsm.Up, "-..", "yyy", fsm.Down},
		{fsm.ByAll, fsm.Up, "-..", "nyy", ""},
		{fsm.ByAll, fsm.Up, "...", "yyy", ""},
		{fsm.ByOwner, fsm.Up, "-++", "yyy", fsm.Down},
		{fsm.ByOwner, fsm.Down, "+--", "yyy", fsm.Up},
		{fsm.ByOwner, fsm.Up, ".--", "yyy", ""},
		{fsm.ByOwner, fsm.Up, "+--", "nyy", fsm.Down}, // the others stand in
		{fsm.ByMajority, fsm.Up, "-++", "yyy", ""},
	} {
		s, keys := verdictBed(nodes, fsm.Health{Observers: c.policy})
		key := keys[0]
		s.Servers[key] = fsm.ServerState{Verdict: c.is, Admin: fsm.Enabled}
		alive := map[fsm.NodeID]bool{}
		seen := sightings{}
		for i, n := range nodes {
			alive[n] = c.alive[i] == 'y'
			if c.sees[i] != '.' {
				seen[n] = map[fsm.ServerKey]Observation{key: {Server: key, Up: c.sees[i] == '+', Detail: "refused"}}
			}
		}
		got := verdictsNow(s, seen, func(n fsm.NodeID) bool { return alive[n] }, nil, verdictTime)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || got[0].Verdict != c.want) {
			t.Errorf("%s, %s, sees %s, alive %s: got %+v, want %q", c.policy, c.is, c.sees, c.alive, got, c.want)
		}
	}
}

// beforeWeights is the last schema at which servers cannot ask for a weight.
const beforeWeights fsm.Schema = 5

// Whatever the policy: an edge needs an opinion of somebody who is alive and says so; a new leader with an empty book commits nothing; another node that
// sees a server as the verdict says changes nothing; and what was committed is committed once.
func TestVerdictLaws(t *testing.T) {
	nodes := []fsm.NodeID{"n1", "n2", "n3", "n4", "n5"}
	rapid.Check(t, func(rt *rapid.T) {
		h := fsm.Health{Observers: rapid.SampledFrom([]fsm.ObserverPolicy{fsm.ByMajority, fsm.ByAny, fsm.ByAll, fsm.ByOwner}).Draw(rt, "policy")}
		s, keys := verdictBed(nodes, h)
		s.Config.Settings.Observers = rapid.IntRange(1, len(nodes)).Draw(rt, "observers")
		if rapid.Bool().Draw(rt, "nobody owns it") {
			s.Assignments = map[fsm.AddressKey]fsm.Assignment{}
		}
		if rapid.IntRange(0, 9).Draw(rt, "an old schema") == 0 {
			s.Schema = beforeWeights
		}
		alive := map[fsm.NodeID]bool{}
		seen := sightings{}
		for _, n := range nodes {
			alive[n] = rapid.IntRange(0, 3).Draw(rt, "alive") > 0
			seen[n] = map[fsm.ServerKey]Observation{}
			for _, k := range keys {
				if rapid.IntRange(0, 3).Draw(rt, "spoke") > 0 {
					o := Observation{Server: k, Up: rapid.Bool().Draw(rt, "up"), Detail: "x"}
					if o.Up && rapid.Bool().Draw(rt, "asks") {
						o.Asked = fsm.Asked{Is: true, Percent: true, Value: rapid.IntRange(0, 100).Draw(rt, "percent")}
					}
					seen[n][k] = o
				}
			}
		}
		for _, k := range keys {
			s.Servers[k] = fsm.ServerState{Verdict: rapid.SampledFrom([]fsm.Verdict{fsm.Unknown, fsm.Up, fsm.Down}).Draw(rt, "is"), Admin: fsm.Enabled}
		}
		isAlive := func(n fsm.NodeID) bool { return alive[n] }
		if got := verdictsNow(s, sightings{}, isAlive, nil, verdictTime); len(got) > 0 {
			rt.Fatalf("of nothing: %+v", got)
		}
		edges := verdictsNow(s, seen, isAlive, nil, verdictTime)
		for _, e := range edges {
			if !slices.ContainsFunc(nodes, func(n fsm.NodeID) bool {
				o, spoke := seen[n][e.Server]
				return spoke && alive[n] && o.Up == (e.Verdict == fsm.Up)
			}) {
				rt.Fatalf("%+v, and nobody who is alive says so: %+v", e, seen)
			}
			if e.Asked.Is && s.Schema == beforeWeights {
				rt.Fatalf("%+v at schema %d", e, s.Schema)
			}
		}
		// Monotonic: one more node that agrees with an edge does not take it back, as long as it was one of those who are heard and silent.
		if len(edges) > 0 {
			e := rapid.SampledFrom(edges).Draw(rt, "edge")
			for _, n := range nodes {
				if _, spoke := seen[n][e.Server]; spoke {
					continue
				}
				more := maps.Clone(seen)
				more[n] = maps.Clone(seen[n])
				more[n][e.Server] = Observation{Server: e.Server, Up: e.Verdict == fsm.Up, Asked: e.Asked}
				if !slices.ContainsFunc(verdictsNow(s, more, isAlive, nil, verdictTime), func(x fsm.ServerVerdict) bool { return x.Server == e.Server && x.Verdict == e.Verdict }) {
					rt.Fatalf("%+v is taken back by %s, which agrees", e, n)
				}
			}
		}
		next, res := s.Apply(s.Index+1, fsm.Command{Schema: s.Schema, At: verdictTime, SetHealth: &fsm.SetHealth{Verdicts: edges}})
		if res.Err != nil {
			rt.Fatal(res.Err)
		}
		if again := verdictsNow(next, seen, isAlive, nil, verdictTime.Add(time.Hour)); len(again) > 0 {
			rt.Fatalf("again: %+v", again)
		}
	})
}

// The lower median of what those ask who see the server up; other weights wait for a second, verdicts do not.
func TestAgreedWeight(t *testing.T) {
	nodes := []fsm.NodeID{"n1", "n2", "n3"}
	s, keys := verdictBed(nodes, fsm.Health{})
	key := keys[0]
	see := func(up string, percent ...int) sightings {
		seen := sightings{}
		for i, n := range nodes {
			o := Observation{Server: key, Up: up[i] == '+'}
			if o.Up && percent[i] >= 0 {
				o.Asked = fsm.Asked{Is: true, Percent: true, Value: percent[i]}
			}
			seen[n] = map[fsm.ServerKey]Observation{key: o}
		}
		return seen
	}
	for _, c := range []struct {
		up      string
		percent []int
		want    int // -1 = none
	}{
		{"+++", []int{30, 70, 50}, 50},
		{"++-", []int{30, 70, 0}, 30},
		{"+++", []int{-1, 70, -1}, -1},
		{"+++", []int{-1, 70, 60}, 70},
		{"+++", []int{0, 0, 90}, 0},
	} {
		got := verdictsNow(s, see(c.up, c.percent...), allAlive, nil, verdictTime)
		want := fsm.Asked{Is: true, Percent: true, Value: c.want}
		if c.want < 0 {
			want = fsm.Asked{}
		}
		if len(got) != 1 || got[0].Verdict != fsm.Up || got[0].Asked != want {
			t.Errorf("%s %v: %+v", c.up, c.percent, got)
		}
	}
	s.Servers[key] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled, Asked: fsm.Asked{Is: true, Percent: true, Value: 40}, AskedAt: verdictTime}
	for wait, want := range map[time.Duration]int{0: 0, 999 * time.Millisecond: 0, time.Second: 1, -time.Hour: 1} {
		if got := verdictsNow(s, see("+++", 41, 41, 41), allAlive, nil, verdictTime.Add(wait)); len(got) != want {
			t.Errorf("after %v: %+v", wait, got)
		}
	}
	if got := verdictsNow(s, see("---"), allAlive, nil, verdictTime); len(got) != 1 || got[0].Verdict != fsm.Down {
		t.Errorf("a verdict waits: %+v", got)
	}
}

// A server that flaps comes up when its hold is over, and at once when nobody else serves.
func TestHeldVerdict(t *testing.T) {
	nodes := []fsm.NodeID{"n1", "n2", "n3"}
	s, keys := verdictBed(nodes, fsm.Health{})
	seen := sightings{}
	for _, n := range nodes {
		seen[n] = map[fsm.ServerKey]Observation{keys[0]: {Server: keys[0], Up: true}}
	}
	s.Servers[keys[0]] = fsm.ServerState{Verdict: fsm.Down, Admin: fsm.Enabled, Falls: 4, Fell: verdictTime}
	s.Servers[keys[1]] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled}
	for wait, want := range map[time.Duration]int{0: 0, 9 * time.Second: 0, 10 * time.Second: 1} {
		if got := verdictsNow(s, seen, allAlive, nil, verdictTime.Add(wait)); len(got) != want {
			t.Errorf("after %v: %+v", wait, got)
		}
	}
	s.Servers[keys[1]] = fsm.ServerState{Verdict: fsm.Down, Admin: fsm.Enabled}
	s.Services["web"] = fsm.ServiceState{}
	if got := verdictsNow(s, seen, allAlive, nil, verdictTime); len(got) != 1 {
		t.Errorf("nobody serves, and it is held: %+v", got)
	}
}
