package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// planeBed is a host with data planes that come and go.
type planeBed struct {
	*planeWorker
	ipvs, nft lvstest.Model
	loaded    map[string]bool
	said      []string     // what the planes were told: name and number of services, when it changed something
	timeouts  lvs.Timeouts // of the kernel's IPVS
	refuse    error        // its answer to changes of them
}

func newPlaneBed(loaded ...string) *planeBed {
	b := &planeBed{loaded: map[string]bool{}}
	for _, name := range loaded {
		b.loaded[name] = true
	}
	b.start(nil)
	limit := b.ipvs.Capabilities()
	limit.Plane, limit.Masquerade = "ipvs", false
	b.ipvs.Limit(limit)
	limit.Plane, limit.Masquerade, limit.Forwards = "nft", true, []string{lvs.NAT}
	b.nft.Limit(limit)
	return b
}

// start is a new process on the host, with the ledger that the last one left.
func (b *planeBed) start(l *ledger) {
	b.planeWorker = newPlaneWorker(slog.New(slog.DiscardHandler))
	b.ledger = l
	b.open = func(name string) (lvs.Plane, error) {
		if !b.loaded[name] {
			return nil, errors.New("no " + name)
		}
		if name == "ipvs" {
			return timedPlane{bedPlane{&b.ipvs, b, name}}, nil
		}
		return bedPlane{&b.nft, b, name}, nil
	}
}

type bedPlane struct {
	*lvstest.Model
	bed  *planeBed
	name string
}

// timedPlane is one whose kernel has timeouts of its own.
type timedPlane struct{ bedPlane }

func (p timedPlane) Timeouts() (lvs.Timeouts, error) { return p.bed.timeouts, nil }

func (p timedPlane) SetTimeouts(t lvs.Timeouts) error {
	if p.bed.refuse == nil {
		p.bed.timeouts = t.Or(p.bed.timeouts)
	}
	return p.bed.refuse
}

func (p bedPlane) Name() string { return p.name }

func (p bedPlane) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	st, err := p.Reconcile(scope, want)
	return st.Changed, err
}

func (p bedPlane) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	st, err := p.Model.Reconcile(scope, want)
	if st.Changed > 0 {
		p.bed.said = append(p.bed.said, fmt.Sprintf("%s %d", p.name, len(p.Table())))
	}
	return st, err
}

// carry makes the bed carry a table, as the worker does at each change and sweep.
func (b *planeBed) carry(setting string, services ...lvs.Service) string {
	managed := []netip.Addr{netip.MustParseAddr("192.0.2.10")}
	b.want(wantedTable{setting: setting, managed: managed, services: services})
	b.carryOut()
	b.compare()
	out := strings.Join(b.said, ", ")
	b.said = nil
	return out
}

// wrap puts something around each plane that is opened from now on.
func (b *planeBed) wrap(around func(lvs.Plane) lvs.Plane) {
	open := b.open
	b.open = func(name string) (lvs.Plane, error) {
		p, err := open(name)
		if err != nil {
			return nil, err
		}
		return around(p), nil
	}
}

// work lets the worker run, in a bubble of synctest, until stop is called; it has looked twice when work returns.
func (b *planeBed) work(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.run(ctx) }()
	time.Sleep(3 * compareEvery)
	synctest.Wait()
	return func() {
		cancel()
		<-ended
	}
}

func bedService(masquerade bool) lvs.Service {
	return lvs.Service{
		Addr: netip.MustParseAddr("192.0.2.10"), Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT, Masquerade: masquerade,
		Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}},
	}
}

func (b *planeBed) expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// A module that is loaded later is found, and no packet finds an empty table when the node changes to it.
func TestAutoTakesIPVSWhenItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPlaneBed("nft")
		if err := b.prepare("auto"); err != nil {
			t.Fatal(err)
		}
		b.expect(t, "at first", b.carry("auto", bedService(false)), "nft 1")
		b.loaded["ipvs"] = true
		time.Sleep(lookAgain)
		b.expect(t, "loaded later", b.carry("auto", bedService(false)), "ipvs 1, nft 0")
		b.expect(t, "and then", b.carry("auto", bedService(false)), "")
		if got := b.capabilities().Plane; got != "ipvs" {
			t.Errorf("the node says that it uses %q", got)
		}
	})
}

// "auto" does not leave a plane for one that cannot do what is wanted, and does as soon as that is no longer so.
func TestAutoKeepsThePlaneThatCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPlaneBed("nft")
		b.expect(t, "at first", b.carry("auto", bedService(true)), "nft 1")
		b.loaded["ipvs"] = true
		time.Sleep(lookAgain)
		b.expect(t, "IPVS cannot masquerade", b.carry("auto", bedService(true)), "")
		b.expect(t, "nobody masquerades any more", b.carry("auto", bedService(false)), "ipvs 1, nft 0")
	})
}

func TestPlaneFollowsTheSetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPlaneBed("nft")
		b.expect(t, "at first", b.carry("nft", bedService(false)), "nft 1")
		b.expect(t, "what is not there", b.carry("ipvs", bedService(false)), "")
		if b.err == nil {
			t.Error("nobody says that IPVS is missing")
		}
		b.loaded["ipvs"] = true
		b.expect(t, "now it is", b.carry("ipvs", bedService(false)), "ipvs 1, nft 0")
		b.expect(t, "and back", b.carry("nft", bedService(false)), "nft 1, ipvs 0")
	})
}

// What a killed agent left in the kernel is found by the next one, though the cluster has forgotten the address and the node
// has changed its data plane; what another program has put there is not.
func TestLeftoversOfAKilledAgent(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{"ipvs", "ipvs", "ipvs 1"},
		{"ipvs", "nft", "ipvs 1"},
		{"nft", "ipvs", "nft 0"},
	} {
		t.Run(c.before+" to "+c.after, func(t *testing.T) {
			b := newPlaneBed("ipvs", "nft")
			foreign := bedService(false)
			foreign.Addr = netip.MustParseAddr("192.0.2.99")
			b.ipvs.Put(foreign)
			path := filepath.Join(t.TempDir(), ledgerFile)
			b.start(mustLedger(t, path))
			b.carry(c.before, bedService(false))

			b.start(mustLedger(t, path)) // killed, and started again
			b.want(wantedTable{setting: c.after})
			b.carryOut()
			b.compare()
			b.expect(t, "after the start", strings.Join(b.said, ", "), c.want)
			if got := b.ipvs.Table(); len(got) != 1 || got[0].Addr != foreign.Addr {
				t.Errorf("IPVS holds %v", got)
			}
			if l := mustLedger(t, path); !l.scope().Empty() {
				t.Errorf("the ledger still has %v", l.scope())
			}
		})
	}
}

// The address is on disk before the service is in the kernel, so that no instant to be killed at leaves it unknown.
func TestLedgerComesFirst(t *testing.T) {
	b := newPlaneBed("ipvs")
	path := filepath.Join(t.TempDir(), ledgerFile)
	b.start(mustLedger(t, path))
	seen := ""
	open := b.open
	b.open = func(name string) (lvs.Plane, error) {
		seen = fmt.Sprint(mustLedger(t, path).Addrs)
		return open(name)
	}
	b.carry("ipvs", bedService(false))
	b.expect(t, "on disk before a plane was opened", seen, "[192.0.2.10]")
	if err := b.clear(); err != nil {
		t.Fatal(err)
	}
	if l := mustLedger(t, path); !l.scope().Empty() || len(b.ipvs.Table()) != 0 {
		t.Errorf("an agent that ended well leaves %v in the kernel and %v in the ledger", b.ipvs.Table(), l.scope())
	}
}

// A service by a firewall mark is removed by the agent that comes after one that was killed; one that another program has is not touched, also not
// when it was wanted.
func TestLedgerKeepsMarks(t *testing.T) {
	b := newPlaneBed("ipvs")
	path := filepath.Join(t.TempDir(), ledgerFile)
	by := func(mark uint32) lvs.Service {
		s := bedService(false)
		s.Mark, s.Addr, s.Port, s.Protocol, s.Destinations = mark, netip.IPv4Unspecified(), 0, "", nil
		return s
	}
	b.ipvs.Put(by(8))
	b.start(mustLedger(t, path))
	b.carry("ipvs", by(7), by(8))
	if b.err == nil || !strings.Contains(b.err.Error(), "fwmark 8") || len(b.ipvs.Table()) != 2 {
		t.Errorf("error %v, table %v", b.err, b.ipvs.Table())
	}
	b.start(mustLedger(t, path)) // killed, and started again
	b.ipvs.Forget()
	b.carry("ipvs")
	if got := b.ipvs.Table(); len(got) != 1 || got[0].Mark != 8 {
		t.Errorf("IPVS holds %v", got)
	}
	if l := mustLedger(t, path); len(l.Marks) != 0 {
		t.Errorf("the ledger still has %v", l.Marks)
	}
}

// A node that was removed from its cluster while its agent was dead cleans up; one that never carried anything does not look.
func TestRetire(t *testing.T) {
	b := newPlaneBed("ipvs")
	b.retire()
	if b.gen != 0 {
		t.Error("a node that left nothing behind touches the kernel")
	}
	path := filepath.Join(t.TempDir(), ledgerFile)
	b.start(mustLedger(t, path))
	b.carry("ipvs", bedService(false))
	b.start(mustLedger(t, path))
	b.retire()
	b.carryOut()
	b.compare()
	if got := b.ipvs.Table(); len(got) != 0 {
		t.Errorf("still there: %v", got)
	}
}

func mustLedger(t *testing.T, path string) *ledger {
	t.Helper()
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLedgerOfAnotherBootSaysNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), ledgerFile)
	l := mustLedger(t, path)
	l.Boot = "another"
	if err := l.keep(lvs.Scope{Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}); err != nil {
		t.Fatal(err)
	}
	if l := mustLedger(t, path); !l.scope().Empty() {
		t.Errorf("addresses %v of another boot", l.scope())
	}
	if err := os.WriteFile(path, []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := openLedger(path); err == nil || l == nil || !l.scope().Empty() {
		t.Errorf("a damaged ledger: %v, %v", l, err)
	}
}

// A node says what it could use, not only what it uses.
func TestFactsListAllPlanes(t *testing.T) {
	b := newPlaneBed("nft", "ipvs")
	if err := b.prepare("auto"); err != nil {
		t.Fatal(err)
	}
	f := &facts{fence: new(fence).kind, plane: b.planeWorker, links: noLinks, log: slog.New(slog.DiscardHandler)}
	got := f.read()
	if len(got.Planes) != 2 || got.Planes[0].Name != "ipvs" || got.Planes[1].Name != "nft" || got.DataPlane != "ipvs" {
		t.Fatalf("facts %+v", got)
	}
	if p := got.Planes; len(p[0].Forwards) != 3 || len(p[1].Forwards) != 1 || !slices.Contains(p[1].Schedulers, "rr") {
		t.Errorf("planes %+v", p)
	}
}

// latePlane is late for so many times.
type latePlane struct {
	lvs.Plane
	late *atomic.Int32
}

func (p latePlane) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	if p.late.Add(-1) >= 0 {
		time.Sleep(time.Second / 3)
	}
	return p.Plane.Reconcile(scope, want)
}

// Looks that are late on a busy machine, one or two in a row, do not make the worker take the table for a dear one. One that is dear is looked at less often.
func TestDriftIsPutRightAfterLateLooks(t *testing.T) {
	for _, late := range []int32{1, 2, 1000} {
		synctest.Test(t, func(t *testing.T) {
			b := newPlaneBed("ipvs")
			var left atomic.Int32
			b.wrap(func(p lvs.Plane) lvs.Plane { return latePlane{p, &left} })
			svc := bedService(false)
			b.want(wantedTable{setting: "ipvs", managed: []netip.Addr{svc.Addr}, services: []lvs.Service{svc}})
			defer b.work(t)()
			left.Store(late)
			time.Sleep(time.Duration(late%1000) * 2 * compareEvery)
			if late == 1000 {
				time.Sleep(10 * compareEvery)
			}
			synctest.Wait()
			b.ipvs.Delete(svc.Key())
			time.Sleep(compareEvery + time.Millisecond)
			synctest.Wait()
			if right := len(b.ipvs.Table()) == 1; right != (late < 1000) || late < 1000 && left.Load() > 0 {
				t.Errorf("%d looks are late, %d of them still to come: the table is %v", late, left.Load(), b.ipvs.Table())
			}
		})
	}
}

// What another program does to the table is put right within a second, and told once in a while. Where it took something out, the kernel has forgotten
// connections.
func TestDriftIsPutRightAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPlaneBed("ipvs")
		var told []string
		b.told = func(text string) { told = append(told, text) }
		svc := bedService(false)
		b.want(wantedTable{setting: "ipvs", managed: []netip.Addr{svc.Addr}, services: []lvs.Service{svc}})
		defer b.work(t)()
		if len(told) != 0 || len(b.ipvs.Table()) != 1 {
			t.Fatalf("told %q of its own work, table %v", told, b.ipvs.Table())
		}
		for range 3 {
			other := svc
			other.Destinations = []lvs.Destination{{Addr: svc.Destinations[0].Addr, Weight: 9}}
			b.ipvs.Put(other)
			time.Sleep(compareEvery + time.Millisecond)
			if w := b.ipvs.Table()[0].Destinations[0].Weight; w != 1 {
				t.Errorf("the weight is %d", w)
			}
		}
		if len(told) != 1 || !strings.Contains(told[0], "edit destination tcp 192.0.2.10:80 10.0.0.1:80 weight 1") {
			t.Errorf("told %q", told)
		}
		if len(b.removed) > 0 {
			t.Error("for a weight connections are asked for again")
		}
		b.ipvs.Delete(svc.Key())
		time.Sleep(compareEvery + time.Millisecond)
		if len(b.ipvs.Table()) != 1 || len(b.removed) == 0 {
			t.Errorf("the table is %v, and connections are asked for: %d", b.ipvs.Table(), len(b.removed))
		}
	})
}

// A plane need not tell what it has put right.
func TestDriftText(t *testing.T) {
	for _, c := range []struct {
		st   lvs.Status
		want string
	}{
		{lvs.Status{Changed: 1}, "put right: 1 change"},
		{lvs.Status{Changed: 4}, "put right: 4 changes"},
		{lvs.Status{Changed: 2, Changes: []string{"this", "that"}}, "put right: this; that"},
		{lvs.Status{Changed: 7, Changes: []string{"this", "that"}}, "put right: this; that; and 5 more"},
	} {
		if got := driftText("nft", c.st); !strings.HasSuffix(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
