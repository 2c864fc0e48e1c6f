package fsm

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// tb is what *testing.T, *testing.B, *testing.F and *rapid.T have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is a state with the means to change it, for tests. Every step is checked against what must hold of any state.
type world struct {
	t      tb
	s      *State
	hints  Hints
	schema Schema // of the cluster that is formed
	// now is the leader's clock, if it is not zero: Hints.Now follows it and entries are stamped with it.
	now time.Time
	// encode sends commands through Encode and Decode, as the log does.
	encode bool
}

func newWorld(t tb) *world {
	return &world{t: t, s: New(), schema: MaxSchema, hints: Hints{Able: map[NodeID]bool{}, Ending: map[NodeID]bool{}, Confirmed: map[AddressKey]uint64{}}, encode: true}
}

var epochTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// apply applies a command at the next index.
func (w *world) apply(c Command) Result {
	w.t.Helper()
	c.At = epochTime.Add(time.Duration(w.s.Index) * time.Second)
	if !w.now.IsZero() {
		c.At = w.now
	}
	if c.Schema = min(w.s.Schema, MaxSchema); c.Init != nil {
		c.Schema = w.schema
	}
	if w.encode {
		b, err := Encode(c)
		if err != nil {
			return Result{Err: err}
		}
		if c, err = Decode(b); err != nil {
			w.t.Fatalf("decode of what was encoded: %v", err)
		}
	}
	next, res := w.s.Apply(w.s.Index+1, c)
	checkStep(w.t, w.s, next, c, res)
	w.s = next
	return res
}

// must is apply of a command that has to be accepted.
func (w *world) must(c Command) {
	w.t.Helper()
	if res := w.apply(c); res.Err != nil || len(res.Refused) > 0 {
		w.t.Fatalf("%s: %v, refused %v", c.Kind(), res.Err, res.Refused)
	}
}

// plan applies one plan; false means that there was none.
func (w *world) plan() bool {
	w.t.Helper()
	d, ok := Plan(w.s, w.hints)
	if ok {
		w.must(Command{Actor: "planner", Decide: &d})
	}
	return ok
}

// confirm makes the owners confirm all pending releases.
func (w *world) confirm() {
	for k, a := range w.s.Assignments {
		if a.Release != nil {
			w.hints.Confirmed[k] = a.Release.Index
		}
	}
}

// settle plans and confirms until nothing is left to do.
func (w *world) settle() {
	w.t.Helper()
	for range 20 {
		w.confirm()
		if !w.plan() {
			return
		}
	}
	w.t.Fatalf("the plan does not come to an end")
}

func (w *world) able(ids ...NodeID) {
	w.hints.Able = map[NodeID]bool{}
	for _, id := range ids {
		w.hints.Able[id] = true
	}
}

// pass lets time go by, by the leader's clock, which begins at noon; backwards too.
func (w *world) pass(d time.Duration) {
	if w.now.IsZero() {
		w.now = epochTime
	}
	w.now = w.now.Add(d)
	w.hints.Now = w.now
}

// fence takes everything from a node.
func (w *world) fence(id NodeID) {
	w.t.Helper()
	f := PlanFence(w.s, w.hints, id, w.s.Nodes[id].Epoch, w.s.Grantors.Index, "silent")
	w.must(Command{Actor: "leader", Fenced: &f})
}

// nftFacts are those of a node with interface eth0 in 192.0.2.0/24 and 2001:db8::/64, and the nft data plane.
func nftFacts() Facts {
	return Facts{Schema: MaxSchema, DataPlane: "nft", Forwards: []Forward{NAT}, Schedulers: []string{"rr", "sh", "wrr"}, Features: []string{"addresses", "ports"},
		Links: []Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.0.0/16"), netip.MustParsePrefix("2001:db8::/64")}}}}
}

func director(id NodeID, weight int) Node {
	return Node{ID: id, Store: StoreID("store-" + id), Addr: "10.0.0." + string(id) + ":7300", Role: Director, Weight: weight, Facts: nftFacts()}
}

// form makes a cluster of directors with the given weights, named n1, n2 …, all able.
func (w *world) form(weights ...int) {
	w.t.Helper()
	var ids []NodeID
	for i, weight := range weights {
		n := director(NodeID(fmt.Sprintf("n%d", i+1)), weight)
		ids = append(ids, n.ID)
		if i == 0 {
			w.must(Command{Init: &Init{ClusterID: "c1", Node: n}})
			continue
		}
		w.must(Command{PutNode: &PutNode{Node: n}})
	}
	w.able(ids...)
}

func (w *world) configure(c Config) {
	w.t.Helper()
	w.must(Command{Configure: &Configure{Force: true, Config: c}})
}

// vips is a configuration of n VIPs without groups.
func vips(n int) Config {
	c := Config{VIPs: map[string]VIP{}}
	for i := range n {
		name := fmt.Sprintf("v%04d", i)
		addr := netip.AddrFrom4([4]byte{198, 51, byte(1 + i/250), byte(1 + i%250)})
		c.VIPs[name] = VIP{Name: name, Address: netip.PrefixFrom(addr, 16)}
	}
	return c
}

// owners maps each owned address to its owner.
func owners(s *State) map[AddressKey]NodeID {
	out := map[AddressKey]NodeID{}
	for k, a := range s.Assignments {
		if a.Owner != "" {
			out[k] = a.Owner
		}
	}
	return out
}

// counts is how many addresses each node owns.
func counts(s *State) map[NodeID]int {
	out := map[NodeID]int{}
	for _, id := range owners(s) {
		out[id]++
	}
	return out
}

func snapshotOf(t tb, s *State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Snapshot(&b); err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return b.Bytes()
}

// checkStep fails unless next is a state that may follow prev.
func checkStep(t tb, prev, next *State, c Command, res Result) {
	t.Helper()
	if next.Index != prev.Index+1 {
		t.Fatalf("index %d after %d", next.Index, prev.Index)
	}
	if next.Schema < prev.Schema || next.Grantors.Index < prev.Grantors.Index || next.ConfigVersion < prev.ConfigVersion {
		t.Fatalf("%s: schema, grantor set or configuration went back", c.Kind())
	}
	for id, n := range next.Nodes {
		was, known := prev.Nodes[id]
		if n.ID != id || n.Epoch == 0 || uint64(n.Epoch) > next.Index || known && n.Epoch < was.Epoch || !known && n.Epoch != Epoch(next.Index) {
			t.Fatalf("%s: node %s: epoch %d after %d", c.Kind(), id, n.Epoch, was.Epoch)
		}
		if known && n.Store != was.Store {
			t.Fatalf("%s: node %s became another store", c.Kind(), id)
		}
	}
	for id := range prev.Nodes {
		if _, still := next.Nodes[id]; !still && (len(prev.Owned(id)) > 0 || slices.ContainsFunc(prev.Grantors.Members, func(g Grantor) bool { return g.Node == id })) {
			t.Fatalf("%s: node %s was removed while it owned or granted", c.Kind(), id)
		}
	}
	for _, g := range next.Grantors.Members {
		if next.Nodes[g.Node].Store != g.Store {
			t.Fatalf("%s: grantor %v is no member", c.Kind(), g)
		}
	}
	checkOutboxes(t, prev, next, c)
	for k, a := range next.Assignments {
		checkRecord(t, prev, next, k, a, c)
	}
	for k, a := range prev.Assignments {
		if _, still := next.Assignments[k]; !still {
			checkHolders(t, prev, next, a, Assignment{Key: k}, c)
		}
		if _, still := next.Assignments[k]; !still && a.Owner != "" && !mayTake(a, prev, next, c) {
			t.Fatalf("%s: the record of %v, owned by %s, was forgotten", c.Kind(), k, a.Owner)
		}
	}
	servers := 0
	for name, svc := range next.Config.Services {
		for _, server := range svc.Servers {
			servers++
			if _, ok := next.Servers[ServerKey{name, server.Address}]; !ok {
				t.Fatalf("%s: server %v of %s has no state", c.Kind(), server.Address, name)
			}
		}
	}
	checkServices(t, next, c)
	checkMarks(t, prev, next, c)
	if servers != len(next.Servers) {
		t.Fatalf("%s: %d servers have %d states", c.Kind(), servers, len(next.Servers))
	}
	if len(next.Events) > MaxEvents {
		t.Fatalf("%d events", len(next.Events))
	}
	if res.Err != nil && !maps.Equal(owners(prev), owners(next)) {
		t.Fatalf("%s was refused and changed owners", c.Kind())
	}
}

// checkServices fails unless each service has a state, and before the schema that has them nothing says more than older members can read.
func checkServices(t tb, next *State, c Command) {
	t.Helper()
	if next.Schema < schemaLVS {
		for k, st := range next.Servers {
			if !reflect.DeepEqual(st, ServerState{Verdict: st.Verdict, Admin: st.Admin, Detail: st.Detail, Since: st.Since}) || st.Admin == Disabled {
				t.Fatalf("%s: server %v at schema %d: %+v", c.Kind(), k, next.Schema, st)
			}
		}
		if len(next.Services) > 0 || len(next.Marks) > 0 {
			t.Fatalf("%s: services at schema %d: %v, %v", c.Kind(), next.Schema, next.Services, next.Marks)
		}
		return
	}
	for name := range next.Config.Services {
		if _, ok := next.Services[name]; !ok {
			t.Fatalf("%s: service %s has no state", c.Kind(), name)
		}
		q := next.QuorumOf(name)
		if q.next() != q.Met {
			t.Fatalf("%s: service %s: the quorum is not what follows: %+v", c.Kind(), name, q)
		}
	}
	if len(next.Config.Services) != len(next.Services) {
		t.Fatalf("%s: %d services have %d states", c.Kind(), len(next.Config.Services), len(next.Services))
	}
	for k, st := range next.Servers {
		if next.Schema < schemaHealth && (st.Falls != 0 || !st.Fell.IsZero() || st.Kept || st.Asked != Asked{} || !st.AskedAt.IsZero() || !next.Services[k.Service].Panic.IsZero()) {
			t.Fatalf("%s: server %v at schema %d: %+v", c.Kind(), k, next.Schema, st)
		}
		if st.Kept && (st.Verdict != Down || st.Admin != Enabled || next.Services[k.Service].Panic.IsZero()) || st.Verdict != Up && st.Asked.Is {
			t.Fatalf("%s: server %v: %+v", c.Kind(), k, st)
		}
		if st.Admin != Drain && (st.Drain != 0 || !st.Deadline.IsZero()) || st.Admin != Disabled && st.Why != "" || st.Verdict != Up && !st.Recovered.IsZero() {
			t.Fatalf("%s: server %v: %+v", c.Kind(), k, st)
		}
	}
}

// checkMarks fails unless each compound service, and no other one, has a firewall mark of its own that is the cluster's to give, and keeps it.
func checkMarks(t tb, prev, next *State, c Command) {
	t.Helper()
	first, last := next.Config.Settings.Marks()
	of := map[uint32]string{}
	for name, m := range next.Marks {
		if !next.Config.Services[name].Compound() || m < first || m > last || of[m] != "" {
			t.Fatalf("%s: service %s has the mark %d, with %d to %d to give, and %q", c.Kind(), name, m, first, last, of[m])
		}
		of[m] = name
	}
	for name, s := range next.Config.Services {
		was, had := prev.Marks[name]
		if s.Compound() != (next.Marks[name] != 0) || had && s.Compound() && next.Marks[name] != was && was >= first && was <= last {
			t.Fatalf("%s: service %s has the mark %d after %d", c.Kind(), name, next.Marks[name], was)
		}
	}
	for name, m := range prev.Marks {
		if now := of[m]; now != "" && now != name {
			t.Fatalf("%s: the mark %d went from %s to %s at once", c.Kind(), m, name, now)
		}
	}
}

func checkRecord(t tb, prev, next *State, k AddressKey, a Assignment, c Command) {
	t.Helper()
	was, existed := prev.Assignments[k]
	switch {
	case a.Key != k:
		t.Fatalf("%s: %v filed under %v", c.Kind(), a.Key, k)
	case uint64(a.Epoch) > next.Index || existed && a.Epoch < was.Epoch:
		t.Fatalf("%s: %v: epoch %d after %d", c.Kind(), k, a.Epoch, was.Epoch)
	case a.Owner != "" && next.Nodes[a.Owner].ID == "":
		t.Fatalf("%s: %v is owned by %s, which is no member", c.Kind(), k, a.Owner)
	case a.Owner == "" && a.Release != nil:
		t.Fatalf("%s: %v has a release and no owner", c.Kind(), k)
	case next.Tombstone(a) && a.Release == nil:
		t.Fatalf("%s: %v is no longer configured for %s, and nobody asked it to release", c.Kind(), k, a.VIP)
	case existed && was.Owner != "" && (a.Owner != was.Owner || a.Epoch != was.Epoch) && !mayTake(was, prev, next, c):
		t.Fatalf("%s: %v was taken from %s without its release", c.Kind(), k, was.Owner)
	case existed && (a.Owner != was.Owner) && a.Epoch != Epoch(next.Index):
		t.Fatalf("%s: %v changed its owner and kept its epoch", c.Kind(), k)
	}
	checkHolders(t, prev, next, was, a, c)
	checkForeign(t, next, was, a, c)
	v, _ := next.VIPByKey(k)
	switch given := a.Epoch == Epoch(next.Index); {
	case v.RouterName() == "" || a.Owner == "" || a.Shadow || a.Fresh != 0:
	case given && (was.Owner == "" || was.Shadow || was.Fresh != 0):
		t.Fatalf("%s: %v counts as open, and nobody has said that %q had opened it", c.Kind(), k, was.Owner)
	case !given && was.Fresh != 0 && (c.SetFresh == nil || c.SetFresh.Node != a.Owner):
		t.Fatalf("%s: %v counts as open, and its owner has not said so", c.Kind(), k)
	}
	if _, ok := next.VIPByKey(k); !ok && a.Owner == "" && len(a.Holders) == 0 {
		t.Fatalf("%s: %v is neither owned nor configured", c.Kind(), k)
	}
	for other, b := range next.Assignments {
		if other != k && other.Addr == k.Addr && next.lingers(b) && a.Owner != "" && a.Epoch == Epoch(next.Index) {
			t.Fatalf("%s: %v was given away while %s still owns %v", c.Kind(), k, b.Owner, other)
		}
	}
}

// checkOutboxes fails when a notifier goes back, or when an event that it wants neither waits for it nor is counted.
func checkOutboxes(t tb, prev, next *State, c Command) {
	t.Helper()
	if len(next.Backlog) > MaxBacklog {
		t.Fatalf("%s: %d events in the backlog", c.Kind(), len(next.Backlog))
	}
	for name, o := range next.Outbox {
		n := next.Config.Notifiers[name]
		if n.Name != name || n.Where() != ByLeader || !o.Said.within(o.Untold) || o.Attempts == 0 && (!o.Failing.IsZero() || o.Error != "") {
			t.Fatalf("%s: outbox %s is %+v", c.Kind(), name, o)
		}
		was, had := prev.Outbox[name]
		if !had {
			if count, _ := next.Waiting(name); count != 0 || o.Told+o.Untold.Sum() != 0 {
				t.Fatalf("%s: the new notifier %s begins with %d events, %+v", c.Kind(), name, count, o)
			}
			continue
		}
		if o.Next.Compare(was.Next) < 0 || o.Told < was.Told || !was.Untold.within(o.Untold) {
			t.Fatalf("%s: notifier %s went back from %+v to %+v", c.Kind(), name, was, o)
		}
		if c.Configure != nil { // it may want others now
			continue
		}
		waited, _ := prev.Waiting(name)
		for _, e := range next.Events {
			if e.Index == next.Index && n.Wants(e) {
				waited++
			}
		}
		// An entry with more events than the timeline holds is counted elsewhere.
		if last := next.Events; len(last) == MaxEvents && last[0].Index == next.Index {
			continue
		}
		if waits, _ := next.Waiting(name); uint64(waits)+o.Told+o.Untold.Sum() != uint64(waited)+was.Told+was.Untold.Sum() {
			t.Fatalf("%s: of %d events for %s %d wait, and %+v became %+v", c.Kind(), waited, name, waits, was, o)
		}
	}
	for name, n := range next.Config.Notifiers {
		if _, has := next.Outbox[name]; !has && n.Where() == ByLeader {
			t.Fatalf("%s: notifier %s has no outbox", c.Kind(), name)
		}
	}
}

// checkHolders fails when a node that may hold the address without a quorum was forgotten: only its own word, its confirmed
// release, its removal or new ownership do that.
func checkHolders(t tb, prev, next *State, was, is Assignment, c Command) {
	t.Helper()
	at := func(a Assignment, n NodeID) int {
		return slices.IndexFunc(a.Holders, func(h Holder) bool { return h.Node == n })
	}
	if v, ok := next.VIPByKey(is.Key); ok && is.Owner != "" && next.Config.Matches(is, v) && v.QuorumLost.outlasts() && !is.Shadow {
		if i := at(is, is.Owner); i < 0 || is.Holders[i].Ended != 0 {
			t.Fatalf("%s: %s may hold %v, and is not known to: %+v", c.Kind(), is.Owner, is.Key, is.Holders)
		}
	}
	for i, h := range is.Holders {
		if h.Ended == 0 && h.Node != is.Owner || h.Ended > next.Index || at(is, h.Node) != i || next.Schema < schemaHold {
			t.Fatalf("%s: %v of %q: holders %+v at schema %d", c.Kind(), is.Key, is.Owner, is.Holders, next.Schema)
		}
	}
	// An election that the configuration ends, or moves to another wire, may go on where nobody hears of that.
	before, after := prev.Config.fallbacks(), next.Config.fallbacks()
	if wire, was := before[is.Key]; was && after[is.Key] != wire {
		if _, recorded := prev.Assignments[is.Key]; recorded {
			for id, n := range next.Nodes {
				if i := at(is, id); n.Role == Director && (i < 0 || is.Holders[i].Ended != next.Index && is.Holders[i].Ended != 0) {
					t.Fatalf("%s: %s may still be elected for %v, and is not known to: %+v", c.Kind(), id, is.Key, is.Holders)
				}
			}
		}
	}
	for _, h := range was.Holders {
		i := at(is, h.Node)
		if i >= 0 && (is.Holders[i].Ended >= h.Ended || is.Owner == h.Node) {
			continue
		}
		_, member := next.Nodes[h.Node]
		word := c.HoldOff != nil && c.HoldOff.Node == h.Node && c.HoldOff.Epoch == prev.Nodes[h.Node].Epoch && h.Ended > 0 && c.HoldOff.Index >= h.Ended
		released := was.Owner == h.Node && c.Fenced == nil && mayTake(was, prev, next, c)
		if member && !word && !released {
			t.Fatalf("%s: %s may still hold %v, and was forgotten: %+v, then %+v", c.Kind(), h.Node, is.Key, was.Holders, is.Holders)
		}
	}
}

// checkForeign fails when a VIP gets an owner that a router outside the cluster has, when a record changes between shadow and live without a new assignment, and when
// somebody may hold in a lost quorum what is in shadow.
func checkForeign(t tb, next *State, was, is Assignment, c Command) {
	t.Helper()
	v, configured := next.VIPByKey(is.Key)
	if given := is.Owner != "" && is.Epoch != was.Epoch; given && configured && next.foreignUnits()[v.unit()] != "" {
		t.Fatalf("%s: %v was given to %s, and %v has it", c.Kind(), is.Key, is.Owner, next.Foreign)
	}
	if is.Shadow != was.Shadow && (is.Epoch == was.Epoch || is.Shadow && !next.Config.Shadows(v)) {
		t.Fatalf("%s: %v is in shadow: %v, then %v", c.Kind(), is.Key, was.Shadow, is.Shadow)
	}
	if is.Shadow && slices.ContainsFunc(is.Holders, func(h Holder) bool { return h.Ended == 0 }) {
		t.Fatalf("%s: %v is in shadow, and its holders are %+v", c.Kind(), is.Key, is.Holders)
	}
	for name, f := range next.Foreign {
		r, ok := next.Config.router(name)
		if !ok || !r.MayYieldTo(f) || f.Index == 0 || f.Index > next.Index || next.Schema < schemaVRRP {
			t.Fatalf("%s: virtual router %s has the foreign owner %+v", c.Kind(), name, f)
		}
	}
	if len(next.Foreign) == 0 && next.Foreign != nil {
		t.Fatalf("%s: an empty map of foreign owners is another state after a snapshot", c.Kind())
	}
}

// mayTake reports whether the command may end the ownership that a records: it fences the owner, or it names the release.
func mayTake(a Assignment, prev, next *State, c Command) bool {
	if c.Fenced != nil && c.Fenced.Node == a.Owner && next.Nodes[a.Owner].Epoch > prev.Nodes[a.Owner].Epoch {
		return true
	}
	return c.Decide != nil && slices.ContainsFunc(c.Decide.Assign, func(x Assign) bool {
		return x.Key == a.Key && a.Release != nil && x.ReleaseIndex == a.Release.Index && x.Epoch == a.Epoch
	})
}
