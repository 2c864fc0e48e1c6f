package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/sysctl"
)

// askingPlane has a preflight.
type askingPlane struct{ bedPlane }

func (p askingPlane) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	st, err := p.bedPlane.Reconcile(scope, want)
	st.Lacks(lvs.Preflight(want)...)
	return st, err
}

// TestTune: what the services need of the kernel is set where that is allowed, shown, and put back when it is allowed no more, when the node is in no
// cluster any more, and by the process that comes after one that was killed; where it is not allowed it is asked for and nothing is set.
func TestTune(t *testing.T) {
	lvstest.Alone(t, func() { tune(t) })
}

// tune is TestTune in a network namespace of its own.
func tune(t *testing.T) {
	const name = "net.ipv4.ip_forward"
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0); err != nil {
		t.Error(err)
		return
	}
	file := filepath.Join(t.TempDir(), bookFile)
	b := newPlaneBed("ipvs")
	begin := func() { // a process
		b.start(nil)
		b.open = func(name string) (lvs.Plane, error) { return askingPlane{bedPlane{&b.ipvs, b, name}}, nil }
		book, err := sysctl.Open(file)
		if err != nil {
			t.Error(err)
		}
		b.book = book
	}
	expect := func(what, value string, asked, tuned bool) {
		t.Helper()
		b.compare()
		_, st, err := b.report()
		now, rerr := sysctl.Read(name)
		told := strings.Contains(strings.Join(st.Problems, "\n"), "sysctl -w "+name+"=1")
		if err != nil || rerr != nil || now != value || told != asked || b.tuned() != tuned {
			t.Errorf("%s: it is %s, asked for %t, ours %t, %v, %v; want %s, %t, %t", what, now, told, b.tuned(), err, rerr, value, asked, tuned)
		}
	}
	begin()
	b.want(wantedTable{setting: "ipvs", services: []lvs.Service{bedService(false)}})
	expect("not allowed", "0", true, false)
	b.allow(true)
	expect("allowed", "1", false, true)
	expect("the next look", "1", false, true)
	b.want(wantedTable{setting: "ipvs"})
	expect("nothing is balanced now", "1", false, true)
	b.allow(false)
	expect("allowed no more", "0", false, false)

	b.want(wantedTable{setting: "ipvs", services: []lvs.Service{bedService(false)}})
	b.allow(true)
	expect("allowed again", "1", false, true)
	begin() // it was killed
	b.retire()
	expect("in no cluster", "0", false, false)

	b.allow(true)
	b.want(wantedTable{setting: "ipvs", services: []lvs.Service{bedService(false)}})
	expect("allowed at last", "1", false, true)
	a := &Agent{book: b.book}
	if err := a.restore(); err != nil {
		t.Error(err)
	}
	if now, err := sysctl.Read(name); now != "0" || err != nil {
		t.Errorf("after the end of the agent: %s, %v", now, err)
	}
}
