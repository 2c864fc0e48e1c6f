package agent

import (
	"net/netip"
	"testing"

	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/marker"
	"quorate/lvs/nft"
)

// emptied is a plane that looks at the kernel's firewall marks when it is emptied.
type emptied struct {
	lvs.Plane
	marks func(n int, err error)
}

func (p emptied) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	st, err := p.Plane.Reconcile(scope, want)
	if len(want) == 0 {
		have, err := nft.Marks()
		p.marks(len(have), err)
	}
	return st, err
}

// TestMarksOutliveAChangeOfPlane: the marks are the same for all planes, so they stay while one plane is emptied for another one, at the start and when the setting
// changes. They go with the service.
func TestMarksOutliveAChangeOfPlane(t *testing.T) {
	bed := lvstest.NewBed(t)
	b := newPlaneBed("nft", "ipvs")
	open, looks, during := b.open, 0, 0
	b.open = func(name string) (lvs.Plane, error) {
		p, err := open(name)
		return marker.Wrap(emptied{p, func(n int, err error) {
			if looks, during = looks+1, n; err != nil {
				t.Error(err)
			}
		}}), err
	}
	a := netip.MustParseAddr("192.0.2.10")
	s := lvs.Service{Addr: a, Mark: 7, Scheduler: "rr", Forward: lvs.NAT,
		Matches: []lvs.Match{{First: a, Last: a, Protocol: lvs.TCP, FromPort: 80, ToPort: 89}}}
	err := bed.Director.Do(func() error {
		for _, setting := range []string{"nft", "ipvs", "nft"} {
			looks = 0
			if got := b.carry(setting, s); got == "" {
				t.Errorf("%s: nothing was done", setting)
			}
			if looks == 0 || during != 1 {
				t.Errorf("%s: %d planes were emptied, %d marks were there then, want 1", setting, looks, during)
			}
			if have, err := nft.Marks(); err != nil || len(have) != 1 {
				t.Errorf("%s: the kernel has the marks %v, %v", setting, have, err)
			}
		}
		b.carry("nft")
		if have, err := nft.Marks(); err != nil || len(have) != 0 {
			t.Errorf("after the service the kernel has the marks %v, %v", have, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
