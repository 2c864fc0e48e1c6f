package agent

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"quorate/lvs"
)

// TestTimeoutsArePutBack: whatever ends it, the kernel has the timeouts then that it had before.
func TestTimeoutsArePutBack(t *testing.T) {
	usual := lvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}
	ours := lvs.Timeouts{TCP: 2 * time.Hour, UDP: 30 * time.Second}
	for name, end := range map[string]func(b *planeBed, restart func()){
		"not wanted any more": func(b *planeBed, _ func()) { b.want(wantedTable{setting: "ipvs"}) },
		"wanted otherwise first": func(b *planeBed, _ func()) {
			b.want(wantedTable{setting: "ipvs", timeouts: lvs.Timeouts{TCPFin: time.Second}})
			b.carryOut()
			b.want(wantedTable{setting: "ipvs"})
		},
		"the agent ends":           func(b *planeBed, _ func()) { b.clear() },
		"killed and in no cluster": func(b *planeBed, restart func()) { restart(); b.prepare("auto"); b.retire() },
		"killed and started":       func(b *planeBed, restart func()) { restart(); b.want(wantedTable{setting: "ipvs"}) },
		"another plane":            func(b *planeBed, _ func()) { b.want(wantedTable{setting: "nft", timeouts: ours}) },
		"killed, another plane":    func(b *planeBed, restart func()) { restart(); b.want(wantedTable{setting: "nft", timeouts: ours}) },
	} {
		t.Run(name, func(t *testing.T) {
			b, path := newPlaneBed("ipvs", "nft"), filepath.Join(t.TempDir(), ledgerFile)
			b.timeouts = usual
			b.start(mustLedger(t, path))
			b.want(wantedTable{setting: "ipvs", timeouts: ours})
			b.carryOut()
			if want := ours.Or(usual); b.timeouts != want {
				t.Fatalf("%+v, want %+v", b.timeouts, want)
			}
			b.timeouts.TCP = time.Second // by another program
			b.compare()
			if want := ours.Or(usual); b.timeouts != want {
				t.Fatalf("after another program: %+v, want %+v", b.timeouts, want)
			}
			end(b, func() { b.start(mustLedger(t, path)) })
			b.carryOut()
			if b.timeouts != usual {
				t.Errorf("%+v, want %+v", b.timeouts, usual)
			}
			if l := mustLedger(t, path); l.before() != (lvs.Timeouts{}) {
				t.Errorf("the ledger still has %+v", l.Timeouts)
			}
		})
	}
}

// Nothing is written and nothing read where nobody asks for timeouts; a kernel that refuses is reported.
func TestTimeoutsRefused(t *testing.T) {
	b := newPlaneBed("ipvs")
	b.start(mustLedger(t, filepath.Join(t.TempDir(), ledgerFile)))
	b.refuse = errors.New("no")
	b.carry("ipvs", bedService(false))
	if err := b.failure(); err != nil {
		t.Fatal(err)
	}
	b.want(wantedTable{setting: "ipvs", timeouts: lvs.Timeouts{TCP: time.Minute}})
	b.carryOut()
	if err := b.failure(); !errors.Is(err, b.refuse) {
		t.Errorf("%v", err)
	}
	b.refuse = nil
	b.compare()
	if err := b.failure(); err != nil || b.timeouts.TCP != time.Minute {
		t.Errorf("%v, %+v", err, b.timeouts)
	}
}
