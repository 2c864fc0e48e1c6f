package cluster

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// pathBed is a cluster whose n1 owns the VIP of three servers that are up, and what the nodes see of them: "+++" or "--." by server.
func pathBed(h fsm.Health, sees ...string) (*fsm.State, sightings) {
	nodes := []fsm.NodeID{"n1", "n2", "n3"}[:len(sees)]
	s, keys := verdictBed(nodes, h)
	seen := sightings{}
	for i, n := range nodes {
		seen[n] = map[fsm.ServerKey]Observation{}
		for j, k := range keys {
			s.Servers[k] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled}
			if sees[i][j] != '.' {
				seen[n][k] = Observation{Server: k, Up: sees[i][j] == '+', Detail: "timeout", since: verdictTime}
			}
		}
	}
	return s, seen
}

// all are able.
var allAble = map[fsm.NodeID]bool{"n1": true, "n2": true, "n3": true, "n4": true, "n5": true}

// sinceThen is seen, from that time on.
func sinceThen(seen sightings, at time.Time) sightings {
	for _, m := range seen {
		for k, o := range m {
			o.since = at
			m[k] = o
		}
	}
	return seen
}

// watch looks every half second for so long and returns when the first edge came; -1 = never.
func watch(p *paths, s *fsm.State, seen sightings, able map[fsm.NodeID]bool, from time.Time, long time.Duration) (time.Duration, []fsm.PathEdge) {
	for d := time.Duration(0); d <= long; d += 500 * time.Millisecond {
		if e := p.edges(s, seen, able, from.Add(d)); len(e) > 0 {
			return d, e
		}
	}
	return -1, nil
}

func TestPathFault(t *testing.T) {
	settle := 2500 * time.Millisecond // interval and timeout are a second each, a tenth and pathSlack; it is looked at every half second
	for _, c := range []struct {
		what   string
		health fsm.Health
		able   string
		sees   []string
		want   time.Duration // -1 = no fault
		nodes  string        // whose; "" = n1
	}{
		{"the owner alone sees none", fsm.Health{}, "yyy", []string{"---", "+++", "+++"}, settle, ""},
		{"of two nodes", fsm.Health{}, "yy", []string{"---", "+++"}, settle, ""},
		{"it sees some", fsm.Health{}, "yyy", []string{"--+", "+++", "+++"}, -1, ""},
		{"it has not spoken of all", fsm.Health{}, "yyy", []string{"--.", "+++", "+++"}, -1, ""},
		{"another node than the owner", fsm.Health{}, "yyy", []string{"+++", "---", "+++"}, settle, "n2"},
		{"which observes only some of the servers", fsm.Health{}, "yyy", []string{"+++", "--.", "+++"}, -1, ""},
		{"nobody sees any", fsm.Health{}, "yyy", []string{"---", "---", "---"}, -1, ""},
		{"the others have not spoken", fsm.Health{}, "yyy", []string{"---", "...", "..."}, -1, ""},
		{"who sees them has no lease", fsm.Health{}, "ynn", []string{"---", "+++", "+++"}, -1, ""},
		{"the owner has none", fsm.Health{}, "nyy", []string{"---", "+++", "+++"}, -1, ""},
		{"one that all see down does not count", fsm.Health{}, "yyy", []string{"---", "-++", "-++"}, settle, ""},
		{"the owner's view is the verdict", fsm.Health{Observers: fsm.ByOwner}, "yyy", []string{"---", "+++", "+++"}, -1, ""},
		{"up while any sees it", fsm.Health{Observers: fsm.ByAny}, "yyy", []string{"---", "+++", "---"}, settle, "n1 n3"},
	} {
		s, seen := pathBed(c.health, c.sees...)
		var p paths
		able := map[fsm.NodeID]bool{}
		for n := range seen {
			able[n] = c.able[n[1]-'1'] == 'y'
		}
		got, edges := watch(&p, s, seen, able, verdictTime, time.Minute)
		var nodes []string
		for _, e := range edges {
			if nodes = append(nodes, string(e.Node)); e.VIP != "web" || !e.Cut {
				t.Errorf("%s: %+v", c.what, e)
			}
		}
		if got != c.want || got >= 0 && strings.Join(nodes, " ") != cmp.Or(c.nodes, "n1") {
			t.Errorf("%s: after %v: %+v, want after %v", c.what, got, edges, c.want)
		}
	}
}

// The end of a fault takes a while of being well, whoever owns the VIP by then; a word between begins it anew.
func TestPathFaultEnds(t *testing.T) {
	s, seen := pathBed(fsm.Health{}, "---", "+++", "+++")
	n := s.Nodes["n1"]
	n.Paths = []fsm.PathFault{{VIP: "web"}}
	s.Nodes["n1"] = n
	for k, a := range s.Assignments {
		a.Owner = "n2"
		s.Assignments[k] = a
	}
	var p paths
	if d, e := watch(&p, s, seen, allAble, verdictTime, time.Minute); d >= 0 {
		t.Fatalf("after %v: %+v", d, e)
	}
	at := verdictTime.Add(2 * time.Minute)
	_, well := pathBed(fsm.Health{}, "+++", "+++", "+++")
	if d, _ := watch(&p, s, sinceThen(well, at), allAble, at, pathClear/2); d >= 0 {
		t.Fatalf("after %v", d)
	}
	if d, _ := watch(&p, s, seen, allAble, at.Add(3*time.Second), time.Second); d >= 0 {
		t.Fatalf("after %v", d)
	}
	at = at.Add(5 * time.Second)
	d, edges := watch(&p, s, sinceThen(well, at), allAble, at, time.Minute)
	if d != pathClear || len(edges) != 1 || edges[0].Cut || edges[0].Node != "n1" {
		t.Errorf("after %v: %+v", d, edges)
	}
	svc := s.Config.Services["web"]
	svc.Checks = nil
	s.Config.Services["web"] = svc
	if d, edges := watch(&p, s, seen, allAble, at.Add(time.Hour), time.Minute); d != 0 || len(edges) != 1 || edges[0].Cut {
		t.Errorf("nothing is checked any more: after %v: %+v", d, edges)
	}
}

// While all see the same, whatever it is and for how long, no path is at fault; and none is at first sight.
func TestPathNoFaultWhenAllSeeTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var p paths
		at := verdictTime
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			one := ""
			for range 3 {
				one += rapid.SampledFrom([]string{"+", "-", "."}).Draw(rt, "sees")
			}
			s, seen := pathBed(fsm.Health{Observers: rapid.SampledFrom([]fsm.ObserverPolicy{fsm.ByMajority, fsm.ByAny, fsm.ByAll}).Draw(rt, "policy")}, one, one, one)
			at = at.Add(time.Duration(rapid.IntRange(0, 5000).Draw(rt, "pass")) * time.Millisecond)
			if e := p.edges(s, sinceThen(seen, at.Add(-time.Minute)), allAble, at); len(e) > 0 {
				rt.Fatalf("all see %s: %+v", one, e)
			}
		}
		s, seen := pathBed(fsm.Health{}, "---", "+++", "+++")
		p = paths{}
		if e := p.edges(s, sinceThen(seen, at), allAble, at); len(e) > 0 {
			rt.Fatalf("at first sight: %+v", e)
		}
	})
}

// The leader is woken when what it sees has lasted, without any news; in a new term it goes on from what the nodes say of how long that is.
func TestPathWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, seen := pathBed(fsm.Health{}, "---", "+++", "+++")
		var b book
		tell := func(long time.Duration) {
			t.Helper()
			for n, m := range seen {
				for k, o := range m {
					o.For = long
					m[k] = o
				}
				if err := b.write(n, slices.Collect(maps.Values(m)), true); err != nil {
					t.Fatal(err)
				}
			}
		}
		// found waits for the next rings until an edge comes.
		found := func() time.Duration {
			t.Helper()
			from := time.Now()
			for range 20 {
				woken := b.wake()
				if e := b.paths(s, allAble); len(e) > 0 {
					return time.Since(from)
				}
				select {
				case <-woken:
				case <-time.After(time.Minute):
					t.Fatal("nobody is woken")
				}
			}
			t.Fatal("woken for nothing again and again")
			return 0
		}
		const settle = 2100*time.Millisecond + pathSlack
		for term, long := range []time.Duration{0, settle / 2, settle, time.Hour} {
			b.open(uint64(4 + term))
			tell(long)
			if got, want := found(), max(0, settle-long); got != want {
				t.Errorf("what was seen for %v is found after %v, want %v", long, got, want)
			}
		}
		b.open(0)
		<-time.After(time.Second)
		if b.paths(s, allAble); b.next != nil {
			t.Error("a timer runs on when nothing is seen")
		}
	})
}

// Who stood for the verdict alone, because the paths of the others were cut, may be cut off after that: the faults of the others end all the same when they see the
// servers again, or the verdict would stay what that one sees.
func TestPathFaultEndsWhateverIsAgreed(t *testing.T) {
	s, seen := pathBed(fsm.Health{}, "+++", "+++", "---")
	for _, id := range []fsm.NodeID{"n1", "n2"} {
		n := s.Nodes[id]
		n.Paths = []fsm.PathFault{{VIP: "web"}}
		s.Nodes[id] = n
	}
	for k, st := range s.Servers {
		st.Verdict = fsm.Down
		s.Servers[k] = st
	}
	if v := verdictsNow(s, seen, allAlive, nil, verdictTime); len(v) > 0 {
		t.Fatalf("two whose paths are cut are heard: %+v", v)
	}
	var p paths
	d, edges := watch(&p, s, seen, allAble, verdictTime, time.Minute)
	if d != pathClear || len(edges) != 2 || edges[0].Cut || edges[1].Cut {
		t.Fatalf("after %v: %+v", d, edges)
	}
	for _, id := range []fsm.NodeID{"n1", "n2"} {
		n := s.Nodes[id]
		n.Paths = nil
		s.Nodes[id] = n
	}
	if v := verdictsNow(s, seen, allAlive, nil, verdictTime); len(v) != 3 || v[0].Verdict != fsm.Up {
		t.Errorf("then the majority decides: %+v", v)
	}
}

// A word that is missing of a few servers is no reason not to judge a path: one of ten, but not two.
func TestPathFaultOfManyServers(t *testing.T) {
	for missing, want := range []bool{true, true, false} {
		s, _ := pathBed(fsm.Health{}, "...")
		svc := s.Config.Services["web"]
		svc.Servers = nil
		seen := sightings{"n1": {}, "n2": {}}
		for i := range 10 {
			k := fsm.ServerKey{Service: "web", Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 80)}
			svc.Servers = append(svc.Servers, fsm.Server{Address: k.Address, Weight: 1})
			s.Servers[k] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled}
			seen["n2"][k] = Observation{Server: k, Up: true, since: verdictTime}
			if i >= missing {
				seen["n1"][k] = Observation{Server: k, since: verdictTime}
			}
		}
		s.Nodes["n2"] = fsm.Node{ID: "n2", Role: fsm.Director}
		s.Config.Services["web"] = svc
		var p paths
		if got, edges := watch(&p, s, seen, allAble, verdictTime, time.Minute); (got >= 0) != want {
			t.Errorf("without a word of %d of 10: after %v %+v", missing, got, edges)
		}
	}
}

// What a node reports says for how long it has seen it so: a new reason, or the same word again, is the same view; by another way it is another one.
func TestObserverSaysForHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("10.0.0.1:80")}
		var o observer
		for _, step := range []struct {
			obs  Observation
			all  bool
			want time.Duration // -1 = nothing to say
		}{
			{Observation{Server: k}, false, time.Second},
			{Observation{Server: k}, false, -1},
			{Observation{Server: k, Detail: "refused"}, false, 3 * time.Second},
			{Observation{Server: k, Detail: "refused"}, true, 4 * time.Second},
			{Observation{Server: k, Up: true}, false, time.Second},
			{Observation{Server: k, Up: true, Through: true}, false, time.Second},
			{Observation{Server: k, Up: true, Through: true}, true, 2 * time.Second},
		} {
			o.note([]Observation{step.obs})
			time.Sleep(time.Second)
			said, _ := o.take(step.all)
			got := time.Duration(-1)
			if len(said) == 1 {
				got = said[0].For
			}
			if got != step.want {
				t.Errorf("%+v: said %+v, want for %v", step, said, step.want)
			}
		}
	})
}

// What a node sees by a path that is cut counts for nothing while there is another: of two nodes it would keep every verdict as it is.
func TestVerdictsByCutPath(t *testing.T) {
	for _, c := range []struct {
		what   string
		health fsm.Health
		is     fsm.Verdict
		sees   []string
		cut    string
		want   fsm.Verdict // "" = as it was
	}{
		{"a tie of two", fsm.Health{}, fsm.Down, []string{"---", "+++"}, "", ""},
		{"one of them is blind", fsm.Health{}, fsm.Down, []string{"---", "+++"}, "n1", fsm.Up},
		{"the other one", fsm.Health{}, fsm.Down, []string{"---", "+++"}, "n2", ""},
		{"both are: better two words than none", fsm.Health{}, fsm.Down, []string{"+++", "+++"}, "n1 n2", fsm.Up},
		{"two that see agree against", fsm.Health{}, fsm.Up, []string{"+++", "---", "---"}, "n1", fsm.Down},
		{"who asks for all means all", fsm.Health{Observers: fsm.ByAll}, fsm.Up, []string{"---", "+++", "+++"}, "n1", fsm.Down},
	} {
		t.Run(c.what, func(t *testing.T) {
			s, seen := pathBed(c.health, c.sees...)
			for id := range strings.FieldsSeq(c.cut) {
				n := s.Nodes[fsm.NodeID(id)]
				n.Paths = []fsm.PathFault{{VIP: "web"}}
				s.Nodes[n.ID] = n
			}
			for k, st := range s.Servers {
				st.Verdict = c.is
				s.Servers[k] = st
			}
			got := verdictsNow(s, seen, allAlive, nil, verdictTime)
			for _, v := range got {
				if v.Verdict != c.want {
					t.Errorf("%+v, want %q", v, c.want)
				}
			}
			if (c.want == "") != (len(got) == 0) {
				t.Errorf("%+v, want %q", got, c.want)
			}
		})
	}
}
