package fsm

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// script is what runs the commands of a script.
type script struct{ *world }

// args are the words after a command: plain ones, and key=value.
type args struct {
	words []string
	set   map[string]string
}

func parseArgs(fields []string) args {
	a := args{set: map[string]string{}}
	for _, f := range fields {
		if k, v, ok := strings.Cut(f, "="); ok {
			a.set[k] = v
		} else {
			a.words = append(a.words, f)
		}
	}
	return a
}

func (a args) has(word string) bool { return slices.Contains(a.words, word) }

func (a args) num(key string, otherwise uint64) uint64 {
	v, ok := a.set[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (a args) first() string {
	if len(a.words) == 0 {
		return ""
	}
	return a.words[0]
}

func (st *script) run(line, body []string) string {
	a := parseArgs(line[1:])
	id := NodeID(a.first())
	store := StoreID(a.set["store"])
	if store == "" {
		store = st.s.Nodes[id].Store
	}
	if _, ok := a.set["schema"]; !ok {
		a.set["schema"] = fmt.Sprint(max(schemaFirst, st.s.Schema))
	}
	switch line[0] {
	case "init":
		st.schema = Schema(a.num("schema", 1))
		return st.do(Command{Init: &Init{ClusterID: "c1", Node: node(a)}})
	case "node":
		return st.do(Command{PutNode: &PutNode{Node: node(a)}})
	case "facts":
		return st.do(Command{SetFacts: &SetFacts{Node: id, Store: store, Facts: node(a).Facts}})
	case "remove":
		return st.do(Command{RemoveNode: &RemoveNode{Node: id, Store: store}})
	case "drain", "resume", "leave":
		return st.do(Command{SetDrain: &SetDrain{Node: id, Draining: line[0] != "resume", Leaving: line[0] == "leave"}})
	case "grantors":
		c := SetGrantors{Prev: a.num("prev", st.s.Grantors.Index)}
		for _, w := range a.words {
			n := st.s.Nodes[NodeID(w)]
			c.Members = append(c.Members, Grantor{Node: NodeID(w), Store: n.Store})
		}
		return st.do(Command{SetGrantors: &c})
	case "schema":
		return st.do(Command{SetSchema: &SetSchema{Schema: Schema(a.num("to", 0))}})
	case "config":
		return st.do(Command{Configure: &Configure{Base: a.num("base", st.s.ConfigVersion), Force: a.has("force"), Config: config(body)}})
	case "preview":
		return st.preview(config(body))
	case "health":
		return st.do(Command{SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: server(a.words[0]), Verdict: Verdict(a.words[1]), Detail: strings.Join(a.words[2:], " ")}}}})
	case "admin":
		c := SetAdmin{Server: server(a.words[0]), Admin: Admin(a.words[1])}
		if text, ok := a.set["timeout"]; ok {
			d := span(text)
			c.Timeout = &d
		}
		return st.do(Command{SetAdmin: &c})
	case "drained":
		k := server(a.words[0])
		return st.do(Command{EndDrain: &EndDrain{[]DrainOver{{Server: k, Index: a.num("index", st.s.Servers[k].Drain), Reason: ReasonDrained, Node: NodeID(a.set["by"])}}}})
	case "drains":
		over := st.s.DrainsOver(st.now, 1000)
		if len(over) == 0 {
			return "none is over"
		}
		return st.do(Command{EndDrain: &EndDrain{over}})
	case "verdicts":
		var vs []ServerVerdict
		for k, v := range a.set {
			if k == "schema" {
				continue
			}
			vs = append(vs, ServerVerdict{Server: server(k), Verdict: Verdict(v)})
		}
		slices.SortFunc(vs, func(a, b ServerVerdict) int { return a.Server.Compare(b.Server) })
		return st.do(Command{SetHealth: &SetHealth{Verdicts: vs}})
	case "warnings":
		var out strings.Builder
		for _, p := range append(config(body).Warnings(), config(body).WarnNodes(st.s.Nodes)...) {
			fmt.Fprintln(&out, p)
		}
		return out.String()
	case "task":
		return st.task(a.first(), int(a.num("most", 10)))
	case "outbox":
		return st.outbox(a.first())
	case "deliver": // what the task of a notifier is, or with from and to something else
		t, _ := st.s.NextTask(a.first(), st.now, int(a.num("most", 10)))
		d := Delivery{Notifier: a.first(), From: t.From, To: t.To, Outcome: Outcome(a.words[1]), Error: strings.Join(a.words[2:], " "), Untold: t.Totals}
		if v, ok := a.set["from"]; ok {
			d.From = place(v)
		}
		if v, ok := a.set["to"]; ok {
			d.To = place(v)
		}
		return st.do(Command{Delivered: &Delivered{[]Delivery{d}}})
	case "empty":
		return st.do(Command{})
	case "holdoff":
		return st.do(Command{Schema: st.s.Schema, HoldOff: &HoldOff{Node: id, Epoch: Epoch(a.num("epoch", uint64(st.s.Nodes[id].Epoch))), Index: a.num("index", st.s.Index)}})
	case "foreign": // ROUTER SOURCE priority=N worse by=n1,n2, or ROUTER gone
		c := SetForeign{Router: a.first()}
		if !a.has("gone") {
			c.Foreign = &ForeignOwner{Source: netip.MustParseAddr(a.words[1]), Priority: uint8(a.num("priority", 200)), Better: !a.has("worse"), Reporters: nodeIDs(a.set["by"])}
		}
		return st.do(Command{Schema: st.s.Schema, SetForeign: &c})
	case "raise":
		return st.do(Command{Raise: &Raise{Node: id, Epoch: Epoch(a.num("epoch", uint64(st.s.Nodes[id].Epoch)))}})
	case "record":
		return st.do(Command{Actor: "n1", Record: &Record{Event: Event{Node: id, Text: strings.Join(a.words[1:], " "), Stages: Stages{Verified: int64(a.num("verified", 0))}}}})
	case "assign", "release", "cancel":
		return st.decision(line[0], a)
	case "fence":
		f := PlanFence(st.s, st.hints, id, Epoch(a.num("epoch", uint64(st.s.Nodes[id].Epoch))), a.num("set", st.s.Grantors.Index), "silent for 0.21 s at n2, n3")
		if a.has("no-moves") {
			f.Moves = nil
		}
		if text, to := a.set["moves"], NodeID(a.set["to"]); text != "" { // what the plan would not
			k := st.key(text)
			v, _ := st.s.VIPByKey(k)
			f.Moves = []Move{{Key: k, VIP: v.Name, Epoch: st.s.Assignments[k].Epoch, To: to, ToEpoch: st.s.Nodes[to].Epoch}}
		}
		return st.do(Command{Fenced: &f})
	case "able":
		st.able(nodeIDs(strings.Join(a.words, ","))...)
		return "able: " + strings.Join(a.words, " ")
	case "ending":
		st.hints.Ending = map[NodeID]bool{}
		for _, n := range nodeIDs(strings.Join(a.words, ",")) {
			st.hints.Ending[n] = true
		}
		return "ending: " + strings.Join(a.words, " ")
	case "pass":
		d, err := time.ParseDuration(a.first())
		if err != nil {
			panic(err)
		}
		st.pass(d)
		return "it is " + clock(st.now)
	case "explain":
		return st.explain(st.key(a.first()))
	case "confirm":
		return st.confirmed(a)
	case "plan":
		return st.planned(a.has("dry"))
	case "settle":
		before := len(st.s.Events)
		st.settle()
		return "ok\n" + st.eventsSince(before)
	case "state":
		return st.state(a.words...)
	case "local":
		return localText(LocalOf(st.s, id))
	case "waiting":
		var out strings.Builder
		for _, w := range Waiting(st.s, st.hints) {
			fmt.Fprintf(&out, "%s (%v) owner %q: %s\n", w.VIP, w.Key, w.Owner, w.Reason.Text)
		}
		return out.String()
	case "auditors":
		return fmt.Sprint(Auditors(st.s, st.key(a.first())))
	case "observers":
		var out []string
		for _, n := range Observers(st.s, server(a.first())) {
			if out = append(out, string(n)); ProbesThrough(st.s, server(a.first()), n) {
				out[len(out)-1] += " through"
			}
		}
		return fmt.Sprint(out)
	default:
		return "unknown command " + line[0]
	}
}

// do applies a command and prints what came of it.
func (st *script) do(c Command) string {
	c.Actor = "test"
	before := len(st.s.Events)
	res := st.apply(c)
	var out strings.Builder
	if res.Err != nil {
		fmt.Fprintf(&out, "error: %v\n", res.Err)
		if ps := (Problems)(nil); errors.As(res.Err, &ps) != errors.Is(res.Err, ErrInvalid) && len(ps) > 0 {
			out.WriteString("problems do not match ErrInvalid\n")
		}
		return out.String()
	}
	fmt.Fprintf(&out, "ok, index %d\n", st.s.Index)
	for _, r := range res.Refused {
		fmt.Fprintf(&out, "refused %v: %s\n", r.Key, r.Why)
	}
	out.WriteString(st.eventsSince(before))
	return out.String()
}

func (st *script) eventsSince(n int) string {
	var out strings.Builder
	for _, ev := range st.s.Events[n:] {
		fmt.Fprintf(&out, "  %s", ev.Kind)
		if ev.Reason != "" {
			fmt.Fprintf(&out, "/%s", ev.Reason)
		}
		fmt.Fprintf(&out, ": %s\n", ev.Text)
	}
	return out.String()
}

func (st *script) key(name string) AddressKey {
	if v, ok := st.s.Config.VIPs[name]; ok {
		return v.Key()
	}
	var k AddressKey
	if err := k.UnmarshalText([]byte(name)); err != nil {
		panic(err)
	}
	return k
}

func (st *script) decision(verb string, a args) string {
	k := st.key(a.first())
	rec := st.s.Assignments[k]
	index := uint64(0)
	if rec.Release != nil {
		index = rec.Release.Index
	}
	why := Reason{Code: ReasonCode(a.set["reason"]), Text: strings.ReplaceAll(a.set["text"], "_", " ")}
	epoch := Epoch(a.num("epoch", uint64(rec.Epoch)))
	var d Decide
	switch verb {
	case "assign":
		owner := NodeID(a.set["owner"])
		name := a.set["vip"]
		if v, ok := st.s.VIPByKey(k); ok && name == "" {
			name = v.Name
		}
		d.Assign = []Assign{{Key: k, VIP: name, Owner: owner, OwnerEpoch: Epoch(a.num("owner-epoch", uint64(st.s.Nodes[owner].Epoch))),
			Epoch: epoch, ReleaseIndex: a.num("release", index), Reason: why}}
		if text := a.set["clears"]; text != "" { // another record before, in the same decision
			k := st.key(text)
			rec := st.s.Assignments[k]
			d.Assign = append([]Assign{{Key: k, Epoch: rec.Epoch, ReleaseIndex: rec.Release.Index, Reason: why}}, d.Assign...)
		}
	case "release":
		d.Release = []StartRelease{{Key: k, Epoch: epoch, To: NodeID(a.set["to"]), Reason: why}}
	case "cancel":
		d.Cancel = []Cancel{{Key: k, ReleaseIndex: a.num("release", index), Reason: why}}
	}
	return st.do(Command{Decide: &d})
}

func (st *script) confirmed(a args) string {
	if a.has("all") {
		st.confirm()
		return "ok"
	}
	k := st.key(a.first())
	rec := st.s.Assignments[k]
	index := uint64(0)
	if rec.Release != nil {
		index = rec.Release.Index
	}
	st.hints.Confirmed[k] = a.num("release", index)
	return fmt.Sprintf("%v: release %d is confirmed", k, st.hints.Confirmed[k])
}

func (st *script) planned(dry bool) string {
	d, ok := Plan(st.s, st.hints)
	if !ok {
		return "nothing to do"
	}
	var out strings.Builder
	for _, x := range d.Assign {
		fmt.Fprintf(&out, "assign %v to %q, release %d: %s: %s\n", x.Key, x.Owner, x.ReleaseIndex, x.Reason.Code, x.Reason.Text)
	}
	for _, x := range d.Release {
		fmt.Fprintf(&out, "release %v to %q: %s: %s\n", x.Key, x.To, x.Reason.Code, x.Reason.Text)
	}
	for _, x := range d.Cancel {
		fmt.Fprintf(&out, "cancel %v, release %d: %s: %s\n", x.Key, x.ReleaseIndex, x.Reason.Code, x.Reason.Text)
	}
	for _, x := range d.Back {
		fmt.Fprintf(&out, "back %s\n", x.Node)
	}
	if !dry {
		res := st.apply(Command{Decide: &d})
		if res.Err != nil || len(res.Refused) > 0 {
			fmt.Fprintf(&out, "REFUSED: %v %v\n", res.Err, res.Refused)
		}
		if _, more := Plan(st.s, st.hints); more {
			out.WriteString("and there is more\n")
		}
	}
	return out.String()
}

func (st *script) preview(c Config) string {
	pre, problems := PreviewConfig(st.s, c, st.hints)
	var out strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&out, p)
	}
	for _, ch := range pre.Changes {
		fmt.Fprintf(&out, "%s %s", ch.Op, ch.Object)
		for _, f := range ch.Fields {
			fmt.Fprintf(&out, " %s: %q → %q", f.Key, f.Old, f.New)
		}
		out.WriteString("\n")
	}
	for _, m := range pre.Moves {
		fmt.Fprintf(&out, "move %s (%v) %q → %q: %s: %s\n", m.VIP, m.Key, m.From, m.To, m.Reason.Code, m.Reason.Text)
	}
	return out.String()
}

// state prints nodes, assignments and servers.
func (st *script) state(a ...string) string {
	var out strings.Builder
	s := st.s
	var grantors []string
	for _, g := range s.Grantors.Members {
		grantors = append(grantors, string(g.Node))
	}
	fmt.Fprintf(&out, "index %d config %d grantors %v of %d\n", s.Index, s.ConfigVersion, grantors, s.Grantors.Index)
	for _, id := range slices.Sorted(maps.Keys(s.Nodes)) {
		n := s.Nodes[id]
		fmt.Fprintf(&out, "node %s epoch %d weight %d %s", id, n.Epoch, n.Weight, n.Role)
		if n.Draining {
			out.WriteString(" draining")
		}
		if n.Leaving {
			out.WriteString(" leaving")
		}
		out.WriteString(flapText(n.Flap))
		out.WriteString("\n")
	}
	for _, k := range sortedKeys(s.Assignments) {
		a := s.Assignments[k]
		fmt.Fprintf(&out, "%s (%v) owner %q epoch %d %s", a.VIP, k, a.Owner, a.Epoch, a.Reason.Code)
		if a.Release != nil {
			fmt.Fprintf(&out, ", release %d to %q %s", a.Release.Index, a.Release.To, a.Release.Reason.Code)
		}
		out.WriteString(flapText(a.Flap))
		for _, h := range a.Holders {
			fmt.Fprintf(&out, ", %s may hold it", h.Node)
			if h.Ended > 0 {
				fmt.Fprintf(&out, " since before %d", h.Ended)
			}
		}
		out.WriteString("\n")
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.Servers), ServerKey.Compare) {
		sv := s.Servers[k]
		fmt.Fprintf(&out, "server %v %s %s %s%s", k, sv.Verdict, sv.Admin, sv.Detail, sv.Why)
		if sv.Drain > 0 {
			fmt.Fprintf(&out, " drain %d", sv.Drain)
		}
		for _, x := range []struct {
			what string
			at   time.Time
		}{{"recovered", sv.Recovered}, {"until", sv.Deadline}} {
			if !x.at.IsZero() {
				fmt.Fprintf(&out, " %s %s", x.what, clock(x.at))
			}
		}
		out.WriteString("\n")
	}
	if len(a) > 0 && a[0] == "services" {
		for _, name := range slices.Sorted(maps.Keys(s.Services)) {
			q := s.QuorumOf(name)
			fmt.Fprintf(&out, "service %s quorum %v since %s: has %d of %d, met at %d, lost below %d\n", name, q.Met, clock(q.Since), q.Have, q.All, q.Reach, q.Keep)
		}
	}
	for _, at := range s.Moves {
		fmt.Fprintf(&out, "a move began at %s\n", clock(at))
	}
	return out.String()
}

func (st *script) explain(k AddressKey) string {
	x, ok := Explain(st.s, st.hints, k)
	if !ok {
		return "no such VIP"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s (%v) on %q since %s: %s\n", x.VIP, x.Key, x.Owner, clock(x.Since), x.Reason.Text)
	if x.Router != "" || x.Mode != LiveMode {
		fmt.Fprintf(&out, "router %q, foreign %v, %s\n", x.Router, x.Foreign, x.Mode)
	}
	for _, m := range x.Movers {
		fmt.Fprintf(&out, "would move it: %s\n", m)
	}
	for _, h := range x.Holds {
		fmt.Fprintf(&out, "held until %s: %s\n", clock(h.Until), h.Text)
	}
	fmt.Fprintf(&out, "budget: %d of %d\n", x.Budget.Used, x.Budget.Max)
	if x.Owner != "" {
		fmt.Fprintf(&out, "if %s died: %q: %s\n", x.Owner, x.Heir, x.HeirReason)
	}
	for _, n := range x.Nodes {
		fmt.Fprintf(&out, "node %s able %v %q rank %d weight %d vips %d", n.Node, n.Able, n.WhyNot, n.Rank, n.Weight, n.VIPs)
		if n.Fences > 0 {
			fmt.Fprintf(&out, " fences %d held until %s", n.Fences, clock(n.HoldDown))
		}
		out.WriteString("\n")
	}
	return out.String()
}

func clock(t time.Time) string { return t.Format(time.TimeOnly) }

// flapText is like " flap 2 at 12:00:30, away".
func flapText(f Flap) string {
	switch {
	case f == Flap{}:
		return ""
	case f.Away:
		return fmt.Sprintf(" flap %d at %s, away", f.Count, clock(f.At))
	default:
		return fmt.Sprintf(" flap %d at %s", f.Count, clock(f.At))
	}
}

func localText(l Local) string {
	var out strings.Builder
	fmt.Fprintf(&out, "epoch %d\n", l.NodeEpoch)
	for _, v := range l.VIPs {
		fmt.Fprintf(&out, "vip %s %v on %q, assignment %d\n", v.VIP.Name, v.VIP.Address, v.Link, v.AssignmentEpoch)
	}
	for _, r := range l.Releases {
		over := map[bool]string{true: ", handing it over", false: ""}[r.HandsOver && len(l.Routers) > 0]
		fmt.Fprintf(&out, "release %v (%s)%s, then confirm %d\n", r.Key, r.VIP, over, r.ReleaseIndex)
	}
	for _, v := range l.Shadow {
		fmt.Fprintf(&out, "shadow vip %s %v on %q, assignment %d\n", v.VIP.Name, v.VIP.Address, v.Link, v.AssignmentEpoch)
	}
	for _, r := range l.ShadowReleases {
		fmt.Fprintf(&out, "shadow release %v (%s), then confirm %d\n", r.Key, r.VIP, r.ReleaseIndex)
	}
	for _, r := range l.Routers {
		fmt.Fprintf(&out, "router %s vrid %d of %v on %q: %s", r.Router.Name, r.Router.VRID, r.Router.Addrs(), r.Link, cmp.Or(r.Part, "listens"))
		if r.Shadow {
			out.WriteString(", in shadow")
		}
		if r.Owner != "" {
			fmt.Fprintf(&out, "; %s has it, %s", r.Owner, r.Reason)
			if r.Fresh {
				out.WriteString(", fresh")
			}
		}
		if r.Foreign != nil {
			fmt.Fprintf(&out, "; %v has it, better %v, heard by %v since %s", r.Foreign, r.Foreign.Better, r.Foreign.Reporters, clock(r.Foreign.Since))
		}
		out.WriteString("\n")
	}
	for _, s := range l.Services {
		var servers []string
		for _, x := range s.Servers {
			text := fmt.Sprintf("{%v %d", x.Address, x.Weight)
			for _, slow := range s.Slow {
				if slow.Address == x.Address {
					text += " slow since " + clock(slow.Since)
				}
			}
			servers = append(servers, text+"}")
		}
		if s.Service.Compound() {
			fmt.Fprintf(&out, "service %s by mark %#x: %v ports %v %v\n", s.Service.Name, s.Mark, s.Addrs, s.Service.PortRanges(), servers)
			continue
		}
		fmt.Fprintf(&out, "service %s %v:%d %v\n", s.Service.Name, s.Addrs[0], s.Service.Port, servers)
	}
	return out.String()
}

// node is like `n1 weight=2 links=eth0:192.0.2.0/24,2001:db8::/64;eth1 plane=ipvs role=witness store=x addr=y`.
func node(a args) Node {
	n := director(NodeID(a.first()), int(a.num("weight", 1)))
	if v, ok := a.set["store"]; ok {
		n.Store = StoreID(v)
	}
	if v, ok := a.set["addr"]; ok {
		n.Addr = v
	}
	if v, ok := a.set["role"]; ok {
		n.Role = Role(v)
	}
	n.Facts.Schema = Schema(a.num("schema", 1))
	n.Facts.Unsynced = a.has("unsynced")
	if deaf, ok := a.set["deaf"]; ok {
		for _, name := range splitList(deaf) {
			n.Facts.NoVRRP = append(n.Facts.NoVRRP, DeafRouter{name, "on eth0: raw socket: operation not permitted"})
		}
	}
	switch a.set["plane"] {
	case "ipvs":
		n.Facts.DataPlane, n.Facts.Forwards = "ipvs", []Forward{NAT, DirectRouting, Tunnel}
		n.Facts.Schedulers = Schedulers()
		if a.has("through") {
			n.Facts.Features = []string{throughFeature}
		}
	case "none":
		n.Facts.DataPlane, n.Facts.Forwards, n.Facts.Schedulers = "none", nil, nil
	}
	if v, ok := a.set["features"]; ok {
		n.Facts.Features = splitList(v)
	}
	if addrs, ok := a.set["addresses"]; ok {
		n.Facts.Addresses = nil
		for _, x := range splitList(addrs) {
			n.Facts.Addresses = append(n.Facts.Addresses, netip.MustParseAddr(x))
		}
	}
	if links, ok := a.set["links"]; ok {
		n.Facts.Links = nil
		for _, text := range strings.Split(links, ";") {
			name, prefixes, _ := strings.Cut(text, ":")
			l := Link{Name: name}
			for _, p := range strings.Split(prefixes, ",") {
				if p != "" {
					l.Prefixes = append(l.Prefixes, netip.MustParsePrefix(p))
				}
			}
			n.Facts.Links = append(n.Facts.Links, l)
		}
	}
	return n
}
