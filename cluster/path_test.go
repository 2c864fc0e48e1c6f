package cluster

import (
	"cmp"
	"maps"
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
				seen[n][k] = Observation{Server: k, Up: sees[i][j] == '+', Detail: "timeout"}
			}
		}
	}
	return s, seen
}

// watch looks every half second for so long and returns when the first edge came; -1 = never.
func watch(p *paths, s *fsm.State, seen sightings, alive func(fsm.NodeID) bool, from time.Time, long time.Duration) (time.Duration, []fsm.PathEdge) {
	for d := time.Duration(0); d <= long; d += 500 * time.Millisecond {
		if e := p.edges(s, seen, alive, from.Add(d)); len(e) > 0 {
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
		alive  string
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
		{"who sees them is dead", fsm.Health{}, "ynn", []string{"---", "+++", "+++"}, -1, ""},
		{"the owner is dead", fsm.Health{}, "nyy", []string{"---", "+++", "+++"}, -1, ""},
		{"one that all see down does not count", fsm.Health{}, "yyy", []string{"---", "-++", "-++"}, settle, ""},
		{"the owner's view is the verdict", fsm.Health{Observers: fsm.ByOwner}, "yyy", []string{"---", "+++", "+++"}, -1, ""},
		{"up while any sees it", fsm.Health{Observers: fsm.ByAny}, "yyy", []string{"---", "+++", "---"}, settle, "n1 n3"},
	} {
		s, seen := pathBed(c.health, c.sees...)
		var p paths
		alive := func(n fsm.NodeID) bool { return c.alive[n[1]-'1'] == 'y' }
		got, edges := watch(&p, s, seen, alive, verdictTime, time.Minute)
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
	if d, e := watch(&p, s, seen, allAlive, verdictTime, time.Minute); d >= 0 {
		t.Fatalf("after %v: %+v", d, e)
	}
	at := verdictTime.Add(2 * time.Minute)
	_, well := pathBed(fsm.Health{}, "+++", "+++", "+++")
	if d, _ := watch(&p, s, well, allAlive, at, pathClear/2); d >= 0 {
		t.Fatalf("after %v", d)
	}
	if d, _ := watch(&p, s, seen, allAlive, at.Add(3*time.Second), time.Second); d >= 0 {
		t.Fatalf("after %v", d)
	}
	d, edges := watch(&p, s, well, allAlive, at.Add(5*time.Second), time.Minute)
	if d != pathClear || len(edges) != 1 || edges[0].Cut || edges[0].Node != "n1" {
		t.Errorf("after %v: %+v", d, edges)
	}
	svc := s.Config.Services["web"]
	svc.Checks = nil
	s.Config.Services["web"] = svc
	if d, edges := watch(&p, s, seen, allAlive, at.Add(time.Hour), time.Minute); d != 0 || len(edges) != 1 || edges[0].Cut {
		t.Errorf("nothing is checked any more: after %v: %+v", d, edges)
	}
}

// While all see the same, whatever it is and however it changes, no path is at fault; and a new leader finds none at once.
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
			if e := p.edges(s, seen, allAlive, at); len(e) > 0 {
				rt.Fatalf("all see %s: %+v", one, e)
			}
		}
		s, seen := pathBed(fsm.Health{}, "---", "+++", "+++")
		p = paths{}
		if e := p.edges(s, seen, allAlive, at); len(e) > 0 {
			rt.Fatalf("at first sight: %+v", e)
		}
	})
}

// The leader is woken when what it sees has lasted, without any news; a new term begins anew.
func TestPathWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, seen := pathBed(fsm.Health{}, "---", "+++", "+++")
		var b book
		b.open(3)
		tell := func() {
			t.Helper()
			for n, m := range seen {
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
				if e := b.paths(s, allAlive); len(e) > 0 {
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
		tell()
		if got := found(); got != settle {
			t.Errorf("found after %v, want %v", got, settle)
		}
		b.open(4)
		tell()
		if got := found(); got != settle {
			t.Errorf("in a new term after %v, want %v", got, settle)
		}
		b.open(0)
		<-time.After(time.Second)
		if b.paths(s, allAlive); b.next != nil {
			t.Error("a timer runs on when nothing is seen")
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
			got := verdicts(s, seen, allAlive, nil, verdictTime)
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
