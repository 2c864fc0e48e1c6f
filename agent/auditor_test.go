package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/api"
	"quorate/cluster"
	"quorate/fsm"
	"quorate/vip/probe"
)

// street is a link with nodes n1, n2 … on it, and an agreed state: what auditors see of the world. VIP "web" is 192.0.2.10.
type street struct {
	t  *testing.T
	mu sync.Mutex
	s  *fsm.State
	ch chan struct{}

	answer  map[netip.Addr][]probe.MAC // who answers
	deaf    map[fsm.NodeID]bool        // hears nobody
	hears   fsm.NodeID                 // hears the owner of web, who is not heard by the others
	healing bool                       // an owner that is asked to announce answers from then on
	absent  bool                       // owners say that they do not have it
	mute    bool                       // owners give no status
	nudges  int
	dead    map[fsm.NodeID]bool
}

func nodeMAC(n fsm.NodeID) probe.MAC { return probe.MAC{2, 0, 0, 0, 0, n[1]} }

func nodeAddr(n fsm.NodeID) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n[1] - '0'}) }

func newStreet(t *testing.T, nodes int) *street {
	w := &street{t: t, s: fsm.New(), ch: make(chan struct{}), answer: map[netip.Addr][]probe.MAC{}, deaf: map[fsm.NodeID]bool{}, dead: map[fsm.NodeID]bool{}}
	for i := range nodes {
		id := fsm.NodeID(fmt.Sprintf("n%d", i+1))
		n := fsm.Node{ID: id, Store: fsm.StoreID("s" + string(id[1:])), Addr: fmt.Sprintf("192.0.2.%d:7300", i+1), Role: fsm.Director, Weight: 1, Facts: fsm.Facts{
			Schema: fsm.MaxSchema, Addresses: []netip.Addr{nodeAddr(id)}, Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}}
		w.answer[nodeAddr(id)] = []probe.MAC{nodeMAC(id)}
		if i == 0 {
			w.apply(fsm.Command{Init: &fsm.Init{ClusterID: "c", Settings: fsm.DefaultSettings(), Node: n}})
		} else {
			w.apply(fsm.Command{PutNode: &fsm.PutNode{Node: n}})
		}
	}
	w.apply(fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{
		Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{"web": {Name: "web", Address: netip.PrefixFrom(web.Addr, 24)}}}}})
	return w
}

// apply commits a command.
func (w *street) apply(c fsm.Command) fsm.Result {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	c.Schema, c.At = fsm.MaxSchema, time.Now()
	next, res := w.s.Apply(w.s.Index+1, c)
	if res.Err != nil || len(res.Refused) > 0 {
		w.t.Errorf("%s: %v, %v", c.Kind(), res.Err, res.Refused)
	}
	w.s = next
	close(w.ch)
	w.ch = make(chan struct{})
	return res
}

// give makes n the owner of web, by release and assignment where it has one.
func (w *street) give(n fsm.NodeID, code fsm.ReasonCode) {
	rec := w.State().Assignments[web]
	a := fsm.Assign{Key: web, VIP: "web", Owner: n, OwnerEpoch: w.State().Nodes[n].Epoch, Epoch: rec.Epoch, Reason: fsm.Reason{Code: code}}
	if rec.Owner != "" {
		w.apply(fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{Key: web, Epoch: rec.Epoch, To: n, Reason: fsm.Reason{Code: code}}}}})
		time.Sleep(30 * time.Millisecond)
		a.ReleaseIndex = w.State().Assignments[web].Release.Index
	}
	w.apply(fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{a}}})
}

func (w *street) State() *fsm.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.s
}

func (w *street) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ch
}

// says sets who answers for web.
func (w *street) says(macs ...probe.MAC) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer[web.Addr] = macs
}

// seat is one node's place in the street.
type seat struct {
	*street
	self fsm.NodeID
}

// Ask implements wire: answers take a millisecond.
func (p seat) Ask(ctx context.Context, q probe.Question) ([]probe.Answer, error) {
	if !sleep(ctx, time.Millisecond) {
		return nil, ctx.Err()
	}
	var out []probe.Answer
	enough := false
	p.mu.Lock()
	for _, a := range q.Addresses {
		macs := p.answer[a]
		if a == web.Addr && p.self == p.hears {
			macs = []probe.MAC{nodeMAC(p.s.Assignments[web].Owner)}
		}
		for _, m := range macs {
			if p.deaf[p.self] || m == nodeMAC(p.self) {
				continue
			}
			x := probe.Answer{Claim: probe.Claim{Addr: a, MAC: m}, At: time.Now()}
			out = append(out, x)
			enough = enough || q.Enough != nil && q.Enough(x)
		}
	}
	p.mu.Unlock()
	if !enough && !sleep(ctx, q.Wait-time.Millisecond) {
		return nil, ctx.Err()
	}
	return out, nil
}

func (p seat) Status(_ context.Context, n fsm.NodeID) (api.NodeStatus, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mute {
		return api.NodeStatus{}, errors.New("no answer")
	}
	st := api.NodeStatus{Node: n, MACs: map[string]string{"eth0": nodeMAC(n).String()}, Lease: api.Lease{Held: true}}
	if rec := p.s.Assignments[web]; rec.Owner == n {
		st.Addresses = []api.Address{{Prefix: rec.Address, Wanted: true, Present: !p.absent, Epoch: rec.Epoch, AppliedUS: 200, AnnouncedUS: 300}}
	}
	if n == "n3" {
		st.Decisions = []api.Decision{{Index: uint64(p.s.Nodes["n1"].Epoch), Node: "n1", SilentUS: 200_000, PromisedUS: 50_000, CommittedUS: 5_000}}
	}
	return st, nil
}

func (p seat) Nudge(_ context.Context, n fsm.NodeID, addrs []netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nudges++
	if p.healing {
		p.answer[addrs[0]] = []probe.MAC{nodeMAC(n)}
	}
	return nil
}

// nudged is how often owners were asked to announce.
func (w *street) nudged() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nudges
}

func (p seat) Look(ctx context.Context, n fsm.NodeID, keys []fsm.AddressKey) ([]cluster.Sight, error) {
	x := look(ctx, seat{p.street, n}, p.State(), n, keys, 100*time.Millisecond, false, true)[keys[0]]
	out := cluster.Sight{Key: keys[0], Hears: x.peers}
	for _, m := range x.macs {
		out.MACs = append(out.MACs, m.String())
	}
	return []cluster.Sight{out}, nil
}

func (p seat) Alive(n fsm.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead[n]
}

func (p seat) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) { return p.apply(c), nil }

// audited runs the auditors of all nodes, each as it is in an agent, while f goes on.
func audited(t *testing.T, nodes int, f func(w *street)) {
	synctest.Test(t, func(t *testing.T) {
		w := newStreet(t, nodes)
		w.give("n1", fsm.ReasonPlaced)
		w.says(nodeMAC("n1"))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for id := range w.State().Nodes {
			a := &auditor{self: id, view: w, wire: seat{w, id}, peers: seat{w, id}, log: slog.New(slog.DiscardHandler), misheard: func(map[finding]int) {}}
			wg.Go(func() {
				if err := a.run(ctx); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		f(w)
		cancel()
		wg.Wait()
	})
}

// told are the events with a reason that a look at the wire has, one line each.
func (w *street) told() string {
	var out []string
	for _, e := range w.State().Events {
		switch {
		case e.Kind == fsm.EventReported:
			out = append(out, fmt.Sprintf("%s %s by %s", e.Reason, e.VIP, e.Actor))
		case e.Reason == fsm.ReasonUnheard:
			out = append(out, fmt.Sprintf("%s %s from %s", e.Kind, e.Reason, e.Node))
		}
	}
	return strings.Join(out, "\n")
}

// auditors of web, the first one first, by the present state.
func (w *street) auditors() []fsm.NodeID { return fsm.Auditors(w.State(), web) }

func (w *street) want(text ...string) {
	w.t.Helper()
	if got := w.told(); got != strings.Join(text, "\n") {
		w.t.Errorf("the timeline says\n%s\nwant\n%s", got, strings.Join(text, "\n"))
	}
}

func TestAMoveIsVerified(t *testing.T) {
	audited(t, 3, func(w *street) {
		w.give("n2", fsm.ReasonRequested)
		time.Sleep(70 * time.Millisecond)
		w.says(nodeMAC("n2"))
		time.Sleep(20 * time.Second)
		w.want("verified web by " + string(w.auditors()[0]))
		e := w.State().Events[len(w.State().Events)-1]
		s := e.Stages
		if s.Suspect != 0 || s.Committed != 30_000 || s.Applied != 30_200 || s.Announced != 30_300 || s.Verified < 100_000 || s.Verified > 160_000 || e.Node != "n2" {
			t.Errorf("%s: %+v", e.Text, s)
		}
	})
}

// TestAFenceIsVerified: the stages up to the commit are the leader's, and the one that was fenced verifies nothing.
func TestAFenceIsVerified(t *testing.T) {
	audited(t, 3, func(w *street) {
		s := w.State()
		w.apply(fsm.Command{Fenced: &fsm.Fenced{Node: "n1", Epoch: s.Nodes["n1"].Epoch, GrantorIndex: s.Grantors.Index, Moves: []fsm.Move{
			{Key: web, VIP: "web", Epoch: s.Assignments[web].Epoch, To: "n2", ToEpoch: s.Nodes["n2"].Epoch, Reason: fsm.Reason{Code: fsm.ReasonFenced}}}}})
		w.says(nodeMAC("n2"))
		time.Sleep(20 * time.Second)
		w.want("verified web by n3")
		if st := w.State().Events[len(w.State().Events)-1].Stages; st.Suspect != 200_000 || st.Promised != 250_000 || st.Committed != 255_000 ||
			st.Applied != 255_200 || st.Announced != 255_300 || st.Verified < 255_300 || st.Verified > 300_000 {
			t.Errorf("%+v", st)
		}
	})
}

// TestTheNextAuditorTakesOver: the first one is dead, as nobody has found out yet.
func TestTheNextAuditorTakesOver(t *testing.T) {
	audited(t, 3, func(w *street) {
		w.give("n2", fsm.ReasonRequested)
		w.mu.Lock()
		w.deaf[fsm.Auditors(w.s, web)[0]] = true
		w.mu.Unlock()
		w.says(nodeMAC("n2"))
		time.Sleep(3 * time.Second)
		w.want("verified web by " + string(w.auditors()[1]))
	})
}

func TestAnOwnerThatIsNotHeard(t *testing.T) {
	for _, x := range []struct {
		name  string
		nodes int
		odd   func(*street)
		after time.Duration
		nudge bool
		moves bool
	}{
		{name: "announcing again helps", nodes: 3, odd: func(w *street) { w.healing = true }, nudge: true},
		{name: "nobody hears it", nodes: 3, odd: func(*street) {}, nudge: true, moves: true},
		{name: "nobody hears it, of two nodes", nodes: 2, odd: func(*street) {}, nudge: true, moves: true},
		{name: "nobody hears anything", nodes: 3, nudge: true, odd: func(w *street) {
			for id := range w.s.Nodes {
				w.deaf[id] = true
			}
		}},
		{name: "it does not have it", nodes: 3, odd: func(w *street) { w.absent = true }},
		{name: "it says nothing", nodes: 3, odd: func(w *street) { w.mute = true }},
	} {
		t.Run(x.name, func(t *testing.T) {
			audited(t, x.nodes, func(w *street) {
				w.mu.Lock()
				x.odd(w)
				w.mu.Unlock()
				w.says()
				w.give("n2", fsm.ReasonRequested)
				time.Sleep(verifyFor + nudgedFor/2)
				if n := w.nudged(); (n > 0) != x.nudge {
					t.Errorf("asked to announce %d times", n)
				}
				time.Sleep(nudgedFor + 2*time.Second)
				rec := w.State().Assignments[web]
				if moves := rec.Release != nil && rec.Release.Reason.Code == fsm.ReasonUnheard; moves != x.moves {
					t.Errorf("it is to move: %t, want %t\n%s", moves, x.moves, w.told())
				}
			})
		})
	}
}

// TestOneThatHearsIsEnough: an auditor that alone does not hear the owner has no say.
func TestOneThatHearsIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStreet(t, 4)
		w.give("n1", fsm.ReasonPlaced)
		w.says(nodeMAC("n1"))
		// Only n4 hears it.
		deafer := seat{w, "n2"}
		a := &auditor{self: "n2", view: w, wire: deafer, peers: deafer, log: slog.New(slog.DiscardHandler)}
		w.deaf["n2"], w.deaf["n3"] = true, true
		if a.nobodyHears(t.Context(), w.State(), "n1", web) {
			t.Error("n4 hears it")
		}
		w.says()
		if !a.nobodyHears(t.Context(), w.State(), "n1", web) {
			t.Error("n4 hears others, and not the owner")
		}
		w.deaf["n4"] = true
		if a.nobodyHears(t.Context(), w.State(), "n1", web) {
			t.Error("nobody hears anything: that says nothing of the owner")
		}
	})
}

// TestItMovesOnce: where the next owner is not heard either, something else is wrong.
func TestItMovesOnce(t *testing.T) {
	audited(t, 3, func(w *street) {
		w.says()
		w.give("n2", fsm.ReasonUnheard)
		time.Sleep(time.Minute)
		if rec := w.State().Assignments[web]; rec.Owner != "n2" || rec.Release != nil {
			t.Errorf("%+v", rec)
		}
		if !strings.Contains(w.told(), string(fsm.ReasonNoOwner)) {
			t.Errorf("no event tells of it: %s", w.told())
		}
	})
}

// TestAnOwnerThatFallsSilent: what announcing again has not mended is released to another node, once the owner is known to be what is wrong.
func TestAnOwnerThatFallsSilent(t *testing.T) {
	squatter := probe.MAC{2, 0, 0, 0, 0, 0xee}
	for _, x := range []struct {
		name  string
		odd   func(*street)
		says  []probe.MAC
		moves bool
	}{
		{name: "nobody answers", odd: func(*street) {}, moves: true},
		{name: "a stranger answers in its stead", odd: func(*street) {}, says: []probe.MAC{squatter}, moves: true},
		{name: "a stranger answers, too", odd: func(*street) {}, says: []probe.MAC{nodeMAC("n1"), squatter}},
		{name: "announcing again helps", odd: func(w *street) { w.healing = true }},
		{name: "it does not have it", odd: func(w *street) { w.absent = true }},
		{name: "one auditor hears it", odd: func(w *street) { w.hears = fsm.Auditors(w.s, web)[1] }},
	} {
		t.Run(x.name, func(t *testing.T) {
			audited(t, 3, func(w *street) {
				time.Sleep(settled + 2*lookEvery)
				w.mu.Lock()
				x.odd(w)
				w.mu.Unlock()
				w.says(x.says...)
				time.Sleep(urgeTimes * lookEvery)
				if rec := w.State().Assignments[web]; rec.Release != nil {
					t.Error("it is released before it was asked often enough to announce")
				}
				time.Sleep(5 * lookEvery) // a round that finds something takes two looks and what is between them on top
				rec := w.State().Assignments[web]
				if moves := rec.Release != nil && rec.Release.Reason.Code == fsm.ReasonUnheard; moves != x.moves {
					t.Errorf("it is to move: %t, want %t\n%s", moves, x.moves, w.told())
				}
				if rec.Release == nil {
					return
				}
				// Nobody else can have it: it stays, and is not asked for again and again.
				w.apply(fsm.Command{Decide: &fsm.Decide{Cancel: []fsm.Cancel{{Key: web, ReleaseIndex: rec.Release.Index}}}})
				time.Sleep(3 * urgeEvery)
				if rec := w.State().Assignments[web]; rec.Owner != "n1" || rec.Release != nil {
					t.Errorf("a release that was cancelled is asked for again: %+v", rec)
				}
			})
		})
	}
}

// TestUrging: each owner is asked three times before that is in vain, and one that is heard beside another is heard.
func TestUrging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a auditor
		var got strings.Builder
		look := func(epoch fsm.Epoch, f finding) {
			urge, vain := a.urges(web, epoch, f)
			fmt.Fprintf(&got, "%d %s urge %t vain %t\n", epoch, f, urge, vain)
			time.Sleep(lookEvery)
		}
		for _, f := range []finding{nobody, nobody, nobody, foreign, asAgreed, nobody} {
			look(1, f)
		}
		for _, f := range []finding{duplicate, duplicate, duplicate, duplicate, foreign} {
			look(2, f)
		}
		const want = `1 no-owner urge true vain false
1 no-owner urge true vain false
1 no-owner urge true vain false
1 foreign-owner urge false vain true
1 verified urge false vain false
1 no-owner urge true vain false
2 duplicate-owner urge true vain false
2 duplicate-owner urge true vain false
2 duplicate-owner urge true vain false
2 duplicate-owner urge false vain false
2 foreign-owner urge false vain false
`
		if got.String() != want {
			t.Errorf("%s\nwant\n%s", got.String(), want)
		}
	})
}

// TestFindings: each makes one event when it begins and one when it ends, whoever looks.
func TestFindings(t *testing.T) {
	squatter := probe.MAC{2, 0, 0, 0, 0, 0xee}
	audited(t, 3, func(w *street) {
		w.mu.Lock()
		w.absent = true // or it would be released
		w.mu.Unlock()
		time.Sleep(30 * time.Second)
		w.want()
		first := string(w.auditors()[0])
		w.says(nodeMAC("n1"), squatter)
		time.Sleep(30 * time.Second)
		w.want("duplicate-owner web by " + first)
		if n := w.nudged(); n != urgeTimes {
			t.Errorf("the owner was asked %d times to announce again", n)
		}
		w.says(squatter)
		time.Sleep(30 * time.Second)
		w.want("duplicate-owner web by "+first, "foreign-owner web by "+first)
		w.says()
		time.Sleep(30 * time.Second)
		w.want("duplicate-owner web by "+first, "foreign-owner web by "+first, "no-owner web by "+first)
		// Another auditor finds the same, and says nothing of it; and then that it is over.
		w.mu.Lock()
		gone := fsm.Auditors(w.s, web)[0]
		w.dead[gone], w.deaf[gone] = true, true
		w.mu.Unlock()
		time.Sleep(30 * time.Second)
		w.want("duplicate-owner web by "+first, "foreign-owner web by "+first, "no-owner web by "+first)
		w.says(nodeMAC("n1"))
		time.Sleep(30 * time.Second)
		w.want("duplicate-owner web by "+first, "foreign-owner web by "+first, "no-owner web by "+first, "verified web by "+string(w.auditors()[1]))
	})
}

// TestAPassingSilenceIsNothing: two looks have to agree, and what is moved meanwhile is nobody's fault.
func TestAPassingSilenceIsNothing(t *testing.T) {
	audited(t, 3, func(w *street) {
		for range 200 {
			w.says()
			time.Sleep(lookAgainAfter / 2)
			w.says(nodeMAC("n1"))
			time.Sleep(lookAgainAfter * 3 / 2)
		}
		w.want()
	})
}

func TestTurns(t *testing.T) {
	w := newStreet(t, 3)
	w.give("n1", fsm.ReasonPlaced)
	var x turns
	begin := time.Unix(1000, 0)
	self := fsm.NodeID("n3")
	if got := x.next(w.State(), self, begin); len(got) != 0 {
		t.Errorf("what was there before is verified: %+v", got)
	}
	rec := w.State().Assignments[web]
	release := func() uint64 {
		return w.apply(fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{Key: web, Epoch: w.State().Assignments[web].Epoch, To: "n2"}}}}).Index
	}
	i := release()
	x.next(w.State(), self, begin.Add(time.Second))
	w.apply(fsm.Command{Decide: &fsm.Decide{Cancel: []fsm.Cancel{{Key: web, ReleaseIndex: i}}}})
	x.next(w.State(), self, begin.Add(2*time.Second))
	i = release()
	x.next(w.State(), self, begin.Add(3*time.Second))
	w.apply(fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: web, VIP: "web", Owner: "n2", OwnerEpoch: w.State().Nodes["n2"].Epoch, Epoch: rec.Epoch, ReleaseIndex: i}}}})
	got := x.next(w.State(), self, begin.Add(4*time.Second))
	if len(got) != 1 || got[0].owner != "n2" || !got[0].asked.Equal(begin.Add(3*time.Second)) || !got[0].at.Equal(begin.Add(4*time.Second)) || got[0].fence {
		t.Errorf("%+v", got)
	}
	if got := x.next(w.State(), self, begin.Add(5*time.Second)); len(got) != 0 {
		t.Errorf("it is verified twice: %+v", got)
	}
}
