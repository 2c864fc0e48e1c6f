package fsm

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
)

// Each move of a fence is checked by itself, and what it was for is cleared when it is refused.
func TestFencedMoves(t *testing.T) {
	w := newWorld(t)
	w.form(1, 1, 1)
	cfg := vips(6)
	w.configure(cfg)
	w.settle()
	var mine, others []AddressKey
	for _, k := range sortedKeys(w.s.Assignments) {
		if w.s.Assignments[k].Owner == "n1" {
			mine = append(mine, k)
		} else {
			others = append(others, k)
		}
	}
	if len(mine) != 2 {
		t.Fatalf("n1 owns %v", mine)
	}
	move := func(k AddressKey) Move {
		a := w.s.Assignments[k]
		return Move{Key: k, VIP: a.VIP, Epoch: a.Epoch, To: "n2", ToEpoch: w.s.Nodes["n2"].Epoch}
	}
	foreign, recordless := move(others[0]), move(others[0])
	recordless.Epoch = 0 // as if it had no record
	unknown := Move{Key: AddressKey{Addr: netip.MustParseAddr("203.0.113.9")}, To: "n2", ToEpoch: w.s.Nodes["n2"].Epoch}
	self := move(mine[0])
	self.To, self.ToEpoch = "n1", w.s.Nodes["n1"].Epoch
	stale := move(mine[0])
	stale.Epoch--
	name := move(mine[0])
	name.VIP = "nope"
	was := w.s.Assignments[others[0]]
	for _, bad := range []Move{foreign, recordless, unknown, self, stale, name} {
		next, res := w.s.Apply(w.s.Index+1, Command{Fenced: &Fenced{Node: "n1", Epoch: w.s.Nodes["n1"].Epoch, GrantorIndex: w.s.Grantors.Index, Moves: []Move{bad, move(mine[1])}}})
		if res.Err != nil || len(res.Refused) != 1 || res.Refused[0].Key != bad.Key {
			t.Errorf("%+v: %v, refused %v", bad, res.Err, res.Refused)
		}
		if a := next.Assignments[mine[0]]; a.Owner != "" || a.Epoch != Epoch(next.Index) {
			t.Errorf("%+v: %+v was not cleared", bad, a)
		}
		if a := next.Assignments[mine[1]]; a.Owner != "n2" || a.Reason != (Reason{}) {
			t.Errorf("%+v: the good move was not made: %+v", bad, a)
		}
		if a := next.Assignments[others[0]]; !reflect.DeepEqual(a, was) {
			t.Errorf("%+v: touched what another node owns: %+v", bad, a)
		}
		if len(next.Owned("n1")) != 0 || next.Nodes["n1"].Epoch != Epoch(next.Index) {
			t.Errorf("%+v: n1 is not fenced", bad)
		}
	}
}

// A Decide is judged one by one, each by the state that those before it left.
func TestDecideOneByOne(t *testing.T) {
	w := newWorld(t)
	w.form(1, 1)
	w.configure(vips(2))
	keys := []AddressKey{w.s.Config.VIPs["v0000"].Key(), w.s.Config.VIPs["v0001"].Key()}
	good := Assign{Key: keys[1], VIP: "v0001", Owner: "n2", OwnerEpoch: w.s.Nodes["n2"].Epoch}
	res := w.apply(Command{Decide: &Decide{
		Assign: []Assign{
			{Key: keys[0], VIP: "v0000", Owner: "n9"},
			{Key: keys[0], VIP: "v0000"}, // there is no record to clear
			good,
			good, // a second time
		},
		Release: []StartRelease{{Key: keys[0]}},
		Cancel:  []Cancel{{Key: keys[1]}},
	}})
	if res.Err != nil || len(res.Refused) != 5 {
		t.Errorf("%v, refused %v", res.Err, res.Refused)
	}
	if o := owners(w.s); len(o) != 1 || o[keys[1]] != "n2" {
		t.Errorf("owners: %v", o)
	}
}

// A witness owns nothing.
func TestNothingForWitness(t *testing.T) {
	w := newWorld(t)
	w.form(1)
	n := director("w1", 1)
	n.Role = Witness
	w.must(Command{PutNode: &PutNode{Node: n}})
	w.configure(vips(1))
	k := w.s.Config.VIPs["v0000"].Key()
	d := Decide{Assign: []Assign{{Key: k, VIP: "v0000", Owner: "w1", OwnerEpoch: w.s.Nodes["w1"].Epoch}}}
	if res := w.apply(Command{Decide: &d}); len(res.Refused) != 1 {
		t.Errorf("%+v", res)
	}
	w.settle()
	if a := w.s.Assignments[k]; a.Owner != "n1" {
		t.Errorf("owner %q", a.Owner)
	}
	// A director that becomes a witness gives up what it has, once another can take it.
	n1 := w.s.Nodes["n1"]
	n1.Role = Witness
	w.must(Command{PutNode: &PutNode{Node: n1}})
	w.settle()
	if a := w.s.Assignments[k]; a.Owner != "n1" {
		t.Errorf("nobody else can have it, and it went to %q", a.Owner)
	}
	w.must(Command{PutNode: &PutNode{Node: director("n2", 0)}})
	w.hints.Able["n2"] = true
	w.settle()
	if a := w.s.Assignments[k]; a.Owner != "n1" {
		t.Errorf("a node of weight 0 got it: %q", a.Owner)
	}
	w.must(Command{PutNode: &PutNode{Node: director("n2", 1)}})
	w.settle()
	if a := w.s.Assignments[k]; a.Owner != "n2" || a.Reason.Code != ReasonUnable {
		t.Errorf("owner %q, %v", a.Owner, a.Reason)
	}
}

// LocalOf lists the servers that are up, and keeps services going while their VIP is released.
func TestLocalServers(t *testing.T) {
	w := newWorld(t)
	w.form(1)
	cfg := good()
	delete(cfg.VIPs, "p2p")
	delete(cfg.Services, "dns")
	svc := cfg.Services["http"]
	svc.Scheduler = "rr"
	for i := range 3 {
		svc.Servers = append(svc.Servers, Server{Address: netip.MustParseAddrPort(fmt.Sprintf("10.0.0.2%d:80", i)), Weight: 5})
	}
	cfg.Services["http"] = svc
	w.configure(cfg)
	w.settle()
	key := func(addr string) ServerKey { return ServerKey{"http", netip.MustParseAddrPort(addr)} }
	w.must(Command{SetHealth: &SetHealth{Verdicts: []ServerVerdict{
		{Server: key("10.0.0.12:8080"), Verdict: Up}, {Server: key("10.0.0.20:80"), Verdict: Up}, {Server: key("10.0.0.21:80"), Verdict: Down, Detail: "refused"},
		{Server: key("10.0.0.22:80"), Verdict: Up}}}})
	w.must(Command{SetAdmin: &SetAdmin{Server: key("10.0.0.22:80"), Admin: Drain}})
	want := []Server{{Address: key("10.0.0.12:8080").Address}, {Address: key("10.0.0.20:80").Address, Weight: 5}, {Address: key("10.0.0.22:80").Address}}
	l := LocalOf(w.s, "n1")
	if len(l.VIPs) != 2 || len(l.Services) != 1 || !reflect.DeepEqual(l.Services[0].Servers, want) {
		t.Errorf("%+v\nwant servers %v", l, want)
	}
	if l.VIPs[0].Link != "eth0" || l.VIPs[1].VIP.Name != "dns" || l.NodeEpoch != w.s.Nodes["n1"].Epoch {
		t.Errorf("%+v", l)
	}
	k := cfg.VIPs["web"].Key()
	w.must(Command{Decide: &Decide{Release: []StartRelease{{Key: k, Epoch: w.s.Assignments[k].Epoch}}}})
	l = LocalOf(w.s, "n1")
	if len(l.VIPs) != 1 || len(l.Releases) != 1 || len(l.Services) != 1 || l.Releases[0].ReleaseIndex != w.s.Index {
		t.Errorf("while it is released: %+v", l)
	}
	if l := LocalOf(w.s, "n9"); !reflect.DeepEqual(l, Local{}) {
		t.Errorf("a stranger: %+v", l)
	}
}
