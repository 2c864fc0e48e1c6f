package fsm

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestCommandKinds: every body of a command has a name, a case in Apply and a bound place in Kind.
func TestCommandKinds(t *testing.T) {
	typ := reflect.TypeFor[Command]()
	seen := 0
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Type.Kind() != reflect.Pointer {
			continue
		}
		seen++
		var c Command
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.New(f.Type.Elem()))
		if want, _, _ := strings.Cut(f.Tag.Get("json"), ","); c.Kind() != want {
			t.Errorf("%s: kind %q, want %q", f.Name, c.Kind(), want)
		}
		w := newWorld(t)
		w.encode = false
		w.form(1)
		w.apply(c) // must not panic
	}
	if seen != 21 {
		t.Errorf("%d bodies; add the new one to histories()", seen)
	}
	if k := (Command{}).Kind(); k != "empty" {
		t.Errorf("no body: %s", k)
	}
	if k := (Command{Raise: &Raise{}, Record: &Record{}}).Kind(); k != "several" {
		t.Errorf("two bodies: %s", k)
	}
}

func TestTimelineIsBounded(t *testing.T) {
	w := newWorld(t)
	w.form(1)
	early := w.s
	for i := range MaxEvents + 50 {
		w.must(Command{Record: &Record{Event: Event{Text: fmt.Sprint(i)}}})
	}
	if n := len(w.s.Events); n != MaxEvents || w.s.Events[n-1].Text != fmt.Sprint(MaxEvents+49) || w.s.Events[0].Text != "50" {
		t.Errorf("%d events, %q to %q", n, w.s.Events[0].Text, w.s.Events[n-1].Text)
	}
	if len(early.Events) != 1 {
		t.Errorf("an earlier state got %d events", len(early.Events))
	}
	many := make([]Event, MaxEvents+7)
	for i := range many {
		many[i].Index = uint64(i)
	}
	if got := w.s.Events.with(many...); len(got) != MaxEvents || got[0].Index != 7 {
		t.Errorf("more than fit at once: %d, first %d", len(got), got[0].Index)
	}
	if e := w.s.Events[10]; e.Kind != EventReported || e.At.IsZero() || e.Index == 0 {
		t.Errorf("not stamped: %+v", e)
	}
}

func TestVIPByKeyAndOwned(t *testing.T) {
	w := newWorld(t)
	w.form(1)
	c := vips(3)
	w.configure(c)
	w.settle()
	for _, v := range c.VIPs {
		if got, ok := w.s.VIPByKey(v.Key()); !ok || got.Name != v.Name {
			t.Errorf("%v: %v %v", v.Key(), got.Name, ok)
		}
	}
	if _, ok := w.s.VIPByKey(AddressKey{Addr: netip.MustParseAddr("203.0.113.1")}); ok {
		t.Error("found a VIP that is not there")
	}
	owned := w.s.Owned("n1")
	if len(owned) != 3 || !slices.IsSortedFunc(owned, AddressKey.Compare) {
		t.Errorf("owned: %v", owned)
	}
	if len(w.s.Owned("")) != 0 {
		t.Error("nobody owns something")
	}
}

func TestLinkFor(t *testing.T) {
	f := Facts{Links: []Link{
		{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{Name: "eth1", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/64")}},
	}}
	for _, c := range []struct {
		addr, name, want string
		ok               bool
	}{
		{"10.1.2.3", "", "eth1", true},
		{"10.2.2.3", "", "eth0", true},
		{"10.1.2.3", "eth0", "eth0", true},
		{"192.0.2.1", "eth0", "eth0", true},
		{"192.0.2.1", "", "", false},
		{"10.1.2.3", "eth9", "", false},
		{"2001:db8::9", "", "eth1", true},
	} {
		if got, ok := f.LinkFor(netip.MustParseAddr(c.addr), c.name); got != c.want || ok != c.ok {
			t.Errorf("%s %q: %q %v, want %q", c.addr, c.name, got, ok, c.want)
		}
	}
}

// What nodes report is put in order, so that two reports of the same are the same.
func TestFactsAreCleaned(t *testing.T) {
	p, q := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/24")
	f := Facts{Links: []Link{{Name: "b"}, {Name: "a", Prefixes: []netip.Prefix{q, {}, p, p}}}}
	got := f.cleaned(MaxSchema)
	want := []Link{{Name: "a", Prefixes: []netip.Prefix{p, q.Masked()}}, {Name: "b"}}
	if !reflect.DeepEqual(got.Links, want) || got.Schema != 1 {
		t.Errorf("%+v", got)
	}
	if f.Links[0].Name != "b" {
		t.Error("the report itself was changed")
	}
	if old := (Facts{Fence: "bpf", LeaseThread: "deadline"}).cleaned(schemaMoves); old.Fence != "" || old.LeaseThread != "" {
		t.Errorf("older members cannot read %+v", old)
	}
	if !reflect.DeepEqual(got, got.cleaned(MaxSchema)) {
		t.Error("cleaned twice is another thing")
	}
}

func TestProfiles(t *testing.T) {
	for _, p := range []Profile{LAN, Fast, WAN, ""} {
		if tm := p.Timing(); tm.Renew*5 != tm.TTL || tm.Margin <= 0 || tm.Raft <= 0 {
			t.Errorf("%q: %+v", p, tm)
		}
	}
	if Profile("").Timing() != LAN.Timing() {
		t.Error("no name is not lan")
	}
}

// A schema that every member understands is taken, and nothing newer than that before.
func TestSchema(t *testing.T) {
	w := newWorld(t)
	w.form(1, 1)
	for _, id := range []NodeID{"n1", "n2"} {
		n := w.s.Nodes[id]
		n.Facts.Schema = MaxSchema + 1
		w.must(Command{SetFacts: &SetFacts{Node: id, Store: n.Store, Facts: n.Facts}})
	}
	w.must(Command{SetSchema: &SetSchema{Schema: MaxSchema + 1}})
	if w.s.Schema != MaxSchema+1 {
		t.Fatalf("schema %d", w.s.Schema)
	}
	old := director("n3", 1)
	old.Facts.Schema = MaxSchema
	if res := w.apply(Command{PutNode: &PutNode{Node: old}}); res.Err == nil || !strings.Contains(res.Err.Error(), "upgrade quorate on n3") {
		t.Errorf("an older node joined: %v", res.Err)
	}
	if res := w.apply(Command{SetSchema: &SetSchema{Schema: MaxSchema}}); res.Err == nil {
		t.Error("the schema went back")
	}
}
