package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
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
	said      []string // what the planes were told: name and number of services, when it changed something
}

func newPlaneBed(loaded ...string) *planeBed {
	b := &planeBed{planeWorker: newPlaneWorker(slog.New(slog.DiscardHandler)), loaded: map[string]bool{}}
	for _, name := range loaded {
		b.loaded[name] = true
	}
	limit := b.ipvs.Capabilities()
	limit.Plane, limit.Masquerade = "ipvs", false
	b.ipvs.Limit(limit)
	limit.Plane, limit.Masquerade, limit.Forwards = "nft", true, []string{lvs.NAT}
	b.nft.Limit(limit)
	b.open = func(name string) (lvs.Plane, error) {
		if !b.loaded[name] {
			return nil, errors.New("no " + name)
		}
		if name == "ipvs" {
			return bedPlane{&b.ipvs, b, name}, nil
		}
		return bedPlane{&b.nft, b, name}, nil
	}
	return b
}

type bedPlane struct {
	*lvstest.Model
	bed  *planeBed
	name string
}

func (p bedPlane) Name() string { return p.name }

func (p bedPlane) Reconcile(managed []netip.Addr, want []lvs.Service) (lvs.Status, error) {
	st, err := p.Model.Reconcile(managed, want)
	if st.Changed > 0 {
		p.bed.said = append(p.bed.said, fmt.Sprintf("%s %d", p.name, len(p.Table())))
	}
	return st, err
}

// carry makes the bed carry a table, as the worker does at each change and sweep.
func (b *planeBed) carry(setting string, services ...lvs.Service) string {
	managed := []netip.Addr{netip.MustParseAddr("192.0.2.10")}
	b.want(setting, managed, services)
	b.reconcile(b.wanted, b.gen)
	out := strings.Join(b.said, ", ")
	b.said = nil
	return out
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

// A node says what it could use, not only what it uses.
func TestFactsListAllPlanes(t *testing.T) {
	b := newPlaneBed("nft", "ipvs")
	if err := b.prepare("auto"); err != nil {
		t.Fatal(err)
	}
	f := &facts{plane: b.planeWorker, links: noLinks, log: slog.New(slog.DiscardHandler)}
	got := f.read()
	if len(got.Planes) != 2 || got.Planes[0].Name != "ipvs" || got.Planes[1].Name != "nft" || got.DataPlane != "ipvs" {
		t.Fatalf("facts %+v", got)
	}
	if p := got.Planes; len(p[0].Forwards) != 3 || len(p[1].Forwards) != 1 || !slices.Contains(p[1].Schedulers, "rr") {
		t.Errorf("planes %+v", p)
	}
}
