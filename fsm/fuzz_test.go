package fsm

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// FuzzApply feeds lines of JSON, each a command, into Apply as they come, past Encode and Decode. Nothing may panic, every
// state must follow from the one before, fit into a snapshot, and leave the one before as it was.
func FuzzApply(f *testing.F) {
	for _, h := range histories() {
		var b bytes.Buffer
		for _, c := range h {
			line, err := json.Marshal(c)
			if err != nil {
				f.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := New()
		for i, line := range bytes.Split(data, []byte("\n")) {
			var c Command
			if i > 40 || json.Unmarshal(line, &c) != nil {
				continue
			}
			before := snapshotOf(t, s)
			next, res := s.Apply(s.Index+1, c)
			checkStep(t, s, next, c, res)
			if !bytes.Equal(before, snapshotOf(t, s)) {
				t.Fatalf("%s changed a published state", c.Kind())
			}
			after := snapshotOf(t, next)
			restored, err := Restore(bytes.NewReader(after))
			if err != nil {
				t.Fatalf("%s: %v", c.Kind(), err)
			}
			if !bytes.Equal(snapshotOf(t, restored), after) {
				t.Fatalf("%s: another state after a snapshot", c.Kind())
			}
			s = next
			useState(s)
		}
	})
}

// useState calls everything that reads a state, to see that nothing panics.
func useState(s *State) {
	h := Hints{Able: map[NodeID]bool{}, Confirmed: map[AddressKey]uint64{}}
	for _, name := range s.NotifiersByLeader() {
		s.NextTask(name, epochTime, 10)
		s.Waiting(name)
	}
	for id := range s.Nodes {
		h.Able[id] = true
		LocalOf(s, id)
		s.HoldsEnded(id)
		PlanFence(s, h, id, 1, 1, "")
	}
	for k := range s.Servers {
		Observers(s, k)
		s.QuorumOf(k.Service)
		s.HeldDown(k, epochTime)
	}
	for _, now := range []time.Time{{}, epochTime} {
		h.Now = now
		for _, v := range s.Config.VIPs {
			if _, ok := Explain(s, h, v.Key()); !ok {
				panic("a configured VIP is not explained")
			}
			s.ForeignOf(v)
			Auditors(s, v.Key())
		}
		Plan(s, h)
	}
	Waiting(s, h)
	s.DrainsOver(epochTime, 10)
	s.Admins(epochTime)
	s.Config.Warnings()
	s.Config.CheckNodes(s.Nodes)
	PreviewConfig(s, Config{}, h)
}

// FuzzRestore reads damaged snapshots. What is accepted must be usable.
func FuzzRestore(f *testing.F) {
	for _, h := range histories() {
		s := New()
		for _, c := range h {
			s, _ = s.Apply(s.Index+1, c)
		}
		f.Add(snapshotOf(f, s))
		body, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Restore(bytes.NewReader(data)); err == nil {
			useState(s)
		}
		// The checksum keeps a fuzzer out, so the same bytes once more with a header that fits.
		s, err := Restore(bytes.NewReader(sealed(data)))
		if err != nil {
			return
		}
		useState(s)
		for _, h := range histories() {
			for _, c := range h {
				s, _ = s.Apply(s.Index+1, c)
			}
		}
	})
}

// FuzzDecode reads commands as they stand in the log. What is accepted can be written again.
func FuzzDecode(f *testing.F) {
	for _, h := range histories() {
		for _, c := range h {
			b, err := Encode(c)
			if err != nil {
				continue
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode(data)
		if err != nil {
			return
		}
		b, err := json.Marshal(c)
		if err != nil {
			return // e.g. a year that JSON cannot say; Encode refuses it
		}
		if _, err := Decode(b); err != nil {
			t.Fatalf("%s\nbecame\n%s\nand that cannot be read: %v", data, b, err)
		}
	})
}

// FuzzKeys reads the text forms of keys.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "192.0.2.1@dmz", "2001:db8::1", "fe80::1%eth0@x", "http/10.0.0.1:80", "a/b/[::1]:80", "/", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a, b AddressKey
		if a.UnmarshalText([]byte(text)) == nil {
			out, _ := a.MarshalText()
			if err := b.UnmarshalText(out); err != nil || a != b {
				t.Fatalf("%q: %v became %v: %v", text, a, b, err)
			}
		}
		var c, d ServerKey
		if c.UnmarshalText([]byte(text)) == nil {
			out, _ := c.MarshalText()
			if err := d.UnmarshalText(out); err != nil || c != d {
				t.Fatalf("%q: %v became %v: %v", text, c, d, err)
			}
		}
	})
}

// histories are sequences of commands that reach most of Apply, and one of absurd values.
func histories() [][]Command {
	n1, n2 := director("n1", 1), director("n2", 2)
	key := AddressKey{Addr: netip.MustParseAddr("192.0.2.10")}
	srv := ServerKey{"http", netip.MustParseAddrPort("10.0.0.1:80")}
	other, minute := ServerKey{"http", netip.MustParseAddrPort("10.0.0.2:80")}, time.Minute
	cfg := Config{
		Settings: DefaultSettings(),
		VIPs: map[string]VIP{
			"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Group: "g"},
			"six": {Name: "six", Address: netip.MustParsePrefix("2001:db8::10/64"), Prefer: []NodeID{"n2"}, Preempt: true},
		},
		Groups: map[string]Group{"g": {Name: "g", Prefer: []NodeID{"n1"}}},
		Services: map[string]Service{"http": {Name: "http", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: NAT,
			Checks:  []Check{{Type: CheckHTTP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1, HTTP: &HTTPCheck{HTTPRequest: HTTPRequest{Path: "/", Status: []StatusRange{{200, 299}}}}}},
			Servers: []Server{{Address: srv.Address, Weight: 1}}}},
	}
	renamed := Config{VIPs: map[string]VIP{"www": {Name: "www", Address: netip.MustParsePrefix("192.0.2.10/25")}}}
	relabelled := Config{VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Network: "dmz"}}}
	checked := Config{Settings: cfg.Settings, VIPs: cfg.VIPs, Groups: cfg.Groups, Services: cfg.Services, NodeChecks: map[string]NodeCheck{
		"haproxy": processCheck("haproxy", 0), "uplink": processCheck("uplink", -20),
	}}
	legacy := netip.MustParseAddr("192.0.2.5")
	routed := Config{VIPs: map[string]VIP{
		"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Router: "VI_1", Group: "g"},
		"db":  {Name: "db", Address: netip.MustParsePrefix("192.0.2.11/24"), Mode: ShadowMode, VRRP: &VirtualRouter{VRID: 52, Version: 2, Password: "secret", Peers: []netip.Addr{legacy}}},
	}, Groups: cfg.Groups, Routers: map[string]VirtualRouter{"VI_1": {VRID: 51, Peers: []netip.Addr{legacy}, HMACKeys: []string{"1:" + strings.Repeat("5a", 32)}}}}
	form := []Command{
		{Schema: 1, At: epochTime, Actor: "n1", Init: &Init{ClusterID: "c1", Node: n1}},
		{PutNode: &PutNode{Node: n2}},
		{Configure: &Configure{Config: cfg}},
		{Decide: &Decide{Assign: []Assign{{Key: key, VIP: "web", Owner: "n1", OwnerEpoch: 1}}}},
	}
	with := func(cs ...Command) []Command { return append(append([]Command{}, form...), cs...) }
	absurd := []Command{
		{Init: &Init{ClusterID: "c\xff", Node: Node{ID: "\xff", Weight: -1}}},
		{Schema: 99, At: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), Init: &Init{}},
		{PutNode: &PutNode{}}, {RemoveNode: &RemoveNode{}}, {SetFacts: &SetFacts{}}, {SetDrain: &SetDrain{}}, {SetGrantors: &SetGrantors{}},
		{SetSchema: &SetSchema{Schema: 1 << 31}}, {SetAdmin: &SetAdmin{}}, {SetAdmin: &SetAdmin{Admin: Drain}}, {SetHealth: &SetHealth{Verdicts: []ServerVerdict{{}}}},
		{SetForeign: &SetForeign{Router: "\xff", Foreign: &ForeignOwner{}}}, {SetForeign: &SetForeign{}},
		{SetFresh: &SetFresh{VIPs: []FreshVIP{{}}}}, {SetFresh: &SetFresh{Node: "\xff", VIPs: []FreshVIP{{Key: key, Epoch: 4, Fresh: 1 << 63}}}},
		{SetNodeHealth: &SetNodeHealth{Found: map[string]Finding{"": {}}}},
		{Decide: &Decide{Assign: []Assign{{}}, Release: []StartRelease{{}}, Cancel: []Cancel{{}}}},
		{EndDrain: &EndDrain{Drains: []DrainOver{{}}}}, {EndDrain: &EndDrain{Drains: []DrainOver{{Reason: ReasonDrained}}}},
		{Fenced: &Fenced{Moves: []Move{{}}}}, {Raise: &Raise{}}, {Record: &Record{Event: Event{Text: "\xfe"}}},
		{Raise: &Raise{}, Record: &Record{}},
		{Configure: &Configure{Force: true, Config: Config{
			Settings: Settings{Observers: -1 << 62},
			VIPs:     map[string]VIP{"": {}, "x": {Name: "y", Address: netip.PrefixFrom(netip.MustParseAddr("::"), 0)}},
			Services: map[string]Service{"s": {Servers: []Server{{Weight: -1}}, Checks: []Check{{}}}}}}},
	}
	return [][]Command{
		with(
			Command{SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: srv, Verdict: Up}}}},
			Command{SetAdmin: &SetAdmin{Server: srv, Admin: Drain}},
			Command{Decide: &Decide{Release: []StartRelease{{Key: key, Epoch: 4, To: "n2", Reason: Reason{ReasonRequested, "asked"}}}}},
			Command{Decide: &Decide{Release: []StartRelease{{Key: key, Epoch: 4, Reason: Reason{ReasonUnheard, "nobody answers"}}}}},
			Command{Schema: MaxSchema, Record: &Record{Event: Event{Node: "n1", VIP: "web", Reason: ReasonVerified, Stages: Stages{Suspect: 1, Verified: 2}}}},
			Command{Decide: &Decide{Cancel: []Cancel{{Key: key, ReleaseIndex: 7}}}},
			Command{SetGrantors: &SetGrantors{Prev: 1, Members: []Grantor{{"n1", n1.Store}, {"n2", n2.Store}}}},
			Command{Fenced: &Fenced{Node: "n1", Epoch: 1, GrantorIndex: 9, Moves: []Move{{Key: key, VIP: "web", Epoch: 4, To: "n2", ToEpoch: 2}}}},
		),
		with(
			Command{Configure: &Configure{Base: 3, Config: renamed}},
			Command{Decide: &Decide{Assign: []Assign{{Key: key, VIP: "www", Owner: "n2", OwnerEpoch: 2, Epoch: 4, ReleaseIndex: 5}}}},
			Command{Configure: &Configure{Force: true, Config: relabelled}},
			Command{Decide: &Decide{Assign: []Assign{{Key: key, Epoch: 6, ReleaseIndex: 7}}}},
			Command{SetDrain: &SetDrain{Node: "n2", Draining: true, Leaving: true}},
			Command{RemoveNode: &RemoveNode{Node: "n2", Store: n2.Store}},
			Command{SetFacts: &SetFacts{Node: "n1", Store: n1.Store, Facts: Facts{DataPlane: "ipvs"}}},
			Command{Record: &Record{Event: Event{Node: "n1", Text: "eth0 lost its carrier"}}},
			Command{},
			Command{Raise: &Raise{Node: "n1", Epoch: 1}},
		),
		{
			{Schema: 2, At: epochTime, Init: &Init{ClusterID: "c1", Node: n1}},
			{PutNode: &PutNode{Node: n2}},
			{Schema: 2, Configure: &Configure{Config: Config{Settings: Settings{Rebalance: true, MaxMoves: 1, HoldDown: time.Second}, VIPs: cfg.VIPs, Groups: cfg.Groups}}},
			{Schema: 2, Decide: &Decide{Assign: []Assign{{Key: key, VIP: "web", Owner: "n2", OwnerEpoch: 2}}}},
			{Schema: 2, Fenced: &Fenced{Node: "n2", Epoch: 2, GrantorIndex: 1, Moves: []Move{{Key: key, VIP: "web", Epoch: 4, To: "n1", ToEpoch: 1, Reason: Reason{Code: ReasonFenced}}}}},
			{Schema: 2, At: epochTime, Decide: &Decide{Back: []Back{{"n2", 5}, {"n1", 1}}, Release: []StartRelease{{Key: key, Epoch: 5, To: "n2", Reason: Reason{Code: ReasonPreempted}}}}},
		},
		{
			{Schema: 4, At: epochTime, Init: &Init{ClusterID: "c1", Node: n1}},
			{PutNode: &PutNode{Node: n2}},
			{Schema: 4, Configure: &Configure{Config: Config{VIPs: map[string]VIP{"web": {Name: "web", Address: cfg.VIPs["web"].Address, QuorumLost: HoldVIP}}}}},
			{Schema: 4, Decide: &Decide{Assign: []Assign{{Key: key, VIP: "web", Owner: "n2", OwnerEpoch: 2}}}},
			{Schema: 4, Fenced: &Fenced{Node: "n2", Epoch: 2, GrantorIndex: 1, Moves: []Move{{Key: key, VIP: "web", Epoch: 4, To: "n1", ToEpoch: 1, Reason: Reason{Code: ReasonFenced}}}}},
			{Schema: 4, HoldOff: &HoldOff{Node: "n2", Epoch: 5, Index: 4}},
			{Schema: 4, HoldOff: &HoldOff{Node: "n2", Epoch: 5, Index: 5}},
		},
		{
			{Schema: 5, At: epochTime, Init: &Init{ClusterID: "c1", Node: n1}},
			{Schema: 5, Configure: &Configure{Config: Config{VIPs: cfg.VIPs, Groups: cfg.Groups, Services: map[string]Service{"http": {Name: "http", VIP: "web", Port: 80, Protocol: TCP,
				Scheduler: "rr", Forward: NAT, Quorum: 2, Hysteresis: 1, Sorry: &Server{Address: netip.MustParseAddrPort("10.0.0.9:80"), Weight: 1}, Inhibit: true, SlowStart: time.Minute,
				DrainTimeout: time.Minute, Checks: cfg.Services["http"].Checks, Servers: []Server{{Address: srv.Address, Weight: 1}, {Address: other.Address, Weight: 2}}}}}}},
			{Schema: 5, Decide: &Decide{Assign: []Assign{{Key: key, VIP: "web", Owner: "n1", OwnerEpoch: 1}}}},
			{Schema: 5, SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: srv, Verdict: Up}, {Server: other, Verdict: Up}}}},
			{Schema: 5, SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: srv, Verdict: Down}}}},
			{Schema: 5, SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: srv, Verdict: Up}}}},
			{Schema: 5, SetAdmin: &SetAdmin{Server: other, Admin: Drain}},
			{Schema: 5, EndDrain: &EndDrain{[]DrainOver{{other, 7, ReasonTimeout, ""}}}},
			{Schema: 5, SetAdmin: &SetAdmin{Server: other, Admin: Enabled}},
			{Schema: 5, SetAdmin: &SetAdmin{Server: other, Admin: Drain, Timeout: &minute}},
		},
		{
			{Schema: 6, At: epochTime, Init: &Init{ClusterID: "c1", Node: n1}},
			{Schema: 6, Configure: &Configure{Config: Config{VIPs: cfg.VIPs, Groups: cfg.Groups, Services: map[string]Service{"http": {Name: "http", VIP: "web", Port: 80, Protocol: TCP,
				Scheduler: "rr", Forward: NAT, Health: Health{Checks: "any", Observers: ByOwner, Panic: "50%", OnDown: KeepConns, DampingAfter: 1}, Checks: cfg.Services["http"].Checks,
				Servers: []Server{{Address: srv.Address, Weight: 1}, {Address: other.Address, Weight: 2}}}}}}},
			{Schema: 6, SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: srv, Verdict: Up, Asked: Asked{Is: true, Percent: true, Value: 50}}, {Server: other, Verdict: Up}}}},
			{Schema: 6, SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: srv, Verdict: Down}, {Server: other, Verdict: Down}}}},
			{Schema: 6, SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: srv, Verdict: Up, Asked: Asked{Is: true}}}}},
			{Schema: 6, SetPaths: &SetPaths{Edges: []PathEdge{{Node: "n1", VIP: "web", Cut: true, Text: "2 of 2"}}}},
			{Schema: 6, SetPaths: &SetPaths{Edges: []PathEdge{{Node: "n1", VIP: "web"}}}},
			{Schema: 5, EndDrain: &EndDrain{[]DrainOver{{other, 10, ReasonDrained, "n1"}}}},
		},
		{
			{Schema: 6, At: epochTime, Init: &Init{ClusterID: "c1", Node: n1}},
			{Schema: 6, Configure: &Configure{Config: Config{VIPs: cfg.VIPs, Groups: cfg.Groups, Notifiers: map[string]Notifier{
				"hook": {Name: "hook", VIPs: []string{"web"}, Limit: NotifyLimit{1, time.Minute}, Webhook: &Webhook{URL: "https://hooks.example.org/q", Headers: []string{"X-A: b"}}},
				"mail": {Name: "mail", Events: []EventKind{EventAssign}, Email: &Email{Server: "[2001:db8::1]:587", From: "q@example.org", To: []string{"ops@example.org"}}},
				"run":  {Name: "run", Script: &Script{Command: []string{"/bin/true"}}}, "pipe": {Name: "pipe", FIFO: &FIFO{Path: "/run/q"}}}}}},
			{Schema: 6, Decide: &Decide{Assign: []Assign{{Key: key, VIP: "web", Owner: "n1", OwnerEpoch: 1}}}},
			{Schema: 6, Decide: &Decide{Release: []StartRelease{{Key: key, Epoch: 3}}}},
			{Schema: 6, Delivered: &Delivered{[]Delivery{{Notifier: "hook", From: Place{3, 0}, Outcome: OutcomeFailed, Error: "x"},
				{Notifier: "hook", From: Place{3, 0}, To: Place{3, 1}, Outcome: OutcomeTold}, {Notifier: "hook", From: Place{3, 1}, To: Place{4, 1}, Outcome: OutcomeSuppressed},
				{Notifier: "mail", From: Place{3, 0}, To: Place{3, 1}, Outcome: OutcomeGivenUp, Error: "refused"}}}},
			{Schema: 6, Delivered: &Delivered{[]Delivery{{Notifier: "hook", From: Place{4, 1}, Outcome: OutcomeSummarized, Untold: Untold{Suppressed: 1}}}}},
			{Schema: 6, Delivered: &Delivered{[]Delivery{{Notifier: "none"}, {Notifier: "hook", Outcome: "odd"}}}},
			{Schema: 6, Configure: &Configure{Force: true, Config: Config{VIPs: cfg.VIPs, Groups: cfg.Groups}}},
		},
		{
			{Schema: 6, At: epochTime, Init: &Init{ClusterID: "c1", Node: n1}},
			{PutNode: &PutNode{Node: n2}},
			{Schema: 6, Configure: &Configure{Config: checked}},
			{Schema: 6, SetNodeHealth: &SetNodeHealth{Node: "n1", Store: n1.Store, Found: map[string]Finding{"haproxy": {Up, ""}, "uplink": {Down, "no"}}}},
			{Schema: 6, SetNodeHealth: &SetNodeHealth{Node: "n2", Store: n2.Store, Found: map[string]Finding{"haproxy": {Down, "none"}, "gone": {Up, ""}}}},
			{Schema: 6, Fenced: &Fenced{Node: "n1", Epoch: 1, GrantorIndex: 1}},
			{Schema: 6, Configure: &Configure{Force: true, Config: cfg}},
		},
		{
			{Schema: 7, At: epochTime, Init: &Init{ClusterID: "c1", Node: n1, Settings: Settings{Mode: ShadowMode}}},
			{PutNode: &PutNode{Node: n2}},
			{Schema: 7, Configure: &Configure{Config: routed}},
			{Schema: 7, Decide: &Decide{Assign: []Assign{{Key: key, VIP: "web", Owner: "n2", OwnerEpoch: 2}}}},
			{Schema: 7, SetForeign: &SetForeign{Router: "VI_1", Foreign: &ForeignOwner{Source: legacy, Priority: 255, Better: true, Reporters: []NodeID{"n2", "n1", "n2", "n9"}}}},
			{Schema: 7, SetForeign: &SetForeign{Router: "VI_1", Foreign: &ForeignOwner{Source: legacy, Priority: 255, Better: true}}},
			{Schema: 7, SetForeign: &SetForeign{Router: "VI_1", Foreign: &ForeignOwner{Source: srv.Address.Addr(), Better: true}}},
			{Schema: 7, SetForeign: &SetForeign{Router: "none", Foreign: &ForeignOwner{}}},
			{Schema: 7, Decide: &Decide{Release: []StartRelease{{Key: key, Epoch: 4, Reason: Reason{Code: ReasonForeignOwner}}}}},
			{Schema: 7, Decide: &Decide{Assign: []Assign{{Key: key, VIP: "web", Epoch: 4, ReleaseIndex: 9}}}},
			{Schema: 7, Decide: &Decide{Assign: []Assign{{Key: key, VIP: "web", Owner: "n2", OwnerEpoch: 2, Epoch: 10}}}},
			{Schema: 7, Fenced: &Fenced{Node: "n2", Epoch: 2, GrantorIndex: 1, Moves: []Move{{Key: key, VIP: "web", Epoch: 10, To: "n1", ToEpoch: 1, Reason: Reason{Code: ReasonFenced}}}}},
			{Schema: 7, SetFresh: &SetFresh{Node: "n1", VIPs: []FreshVIP{{Key: key, Epoch: 12, Fresh: 11}}}},
			{Schema: 7, SetFresh: &SetFresh{Node: "n1", VIPs: []FreshVIP{{Key: key, Epoch: 12}}}},
			{Schema: 7, SetForeign: &SetForeign{Router: "VI_1"}},
			{Schema: 7, SetForeign: &SetForeign{Router: "VI_1", Foreign: &ForeignOwner{Source: legacy, Priority: 1, Better: true}}},
			{Schema: 7, Configure: &Configure{Force: true, Config: cfg}},
		},
		absurd,
		with(absurd...),
	}
}
