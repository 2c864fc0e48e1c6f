package speak

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"quorate/vip/vrrp"
)

// toldVoice remembers what the Speaker was told.
type toldVoice []vrrp.EventKind

func (t *toldVoice) Tell(_ vrrp.VRID, k vrrp.EventKind, _ vrrp.Priority) error {
	*t = append(*t, k)
	return nil
}

// TestNotAppointedWhileItYields: the line looks after its voices at any moment, also between two things that the Speaker does; a node that is falling silent before a better claim is not
// appointed again by what it was told before.
func TestNotAppointedWhileItYields(t *testing.T) {
	r := router(51)
	r.Config.Source = netip.MustParseAddr("192.0.2.1")
	v := &voice{id: id51}
	l := &line{options: &Options{}, log: slog.New(slog.DiscardHandler), bell: make(chan struct{}, 1), voices: map[vrrp.VRID]*voice{51: v}, want: map[vrrp.VRID]*Router{51: &r}}
	m := vrrp.NewMachine(r.Config)
	var told toldVoice
	step := func(e vrrp.Event) {
		t.Helper()
		for _, a := range m.Step(e) {
			l.act(51, a)
			if err := v.settle(&told); err != nil {
				t.Fatal(err)
			}
		}
	}
	step(vrrp.Event{Kind: vrrp.Startup})
	v.order.Store(uint32(speaking))
	step(vrrp.Event{Kind: vrrp.Appoint, At: time.Second})
	told = nil // to be told twice in the middle of that does no harm
	step(vrrp.Event{Kind: vrrp.Advertised, At: 2 * time.Second, Source: netip.MustParseAddr("192.0.2.5"), Role: vrrp.Listed, Priority: 220, Interval: time.Second})
	if m.State() != vrrp.Backup || !v.hasYielded() || len(told) > 0 {
		t.Errorf("it is %s, and was told %v", m.State(), told)
	}
}

// TestLastWordOfNobody: a last word that is not said, since nothing was spoken, leaves nothing of the virtual MAC behind either.
func TestLastWordOfNobody(t *testing.T) {
	v := &voice{id: id51}
	v.order.Store(uint32(lastWord))
	v.carries.Store(true)
	var told toldVoice
	if err := v.settle(&told); err != nil {
		t.Fatal(err)
	}
	if order(v.order.Load()) != silent || v.carries.Load() || len(told) > 0 {
		t.Errorf("order %d, carries %v, told %v", v.order.Load(), v.carries.Load(), told)
	}
}
