package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate/cluster"
	"quorate/fsm"
	"quorate/health"
	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/probepath"
)

// pathBed is a host with IPVS and paths in it.
type pathBed struct {
	*paths
	t      *testing.T
	kernel lvstest.Model
}

func newPathBed(t *testing.T, ledger string) *pathBed {
	b := &pathBed{t: t}
	caps := b.kernel.Capabilities()
	caps.Plane = "ipvs"
	b.kernel.Limit(caps)
	b.start(ledger)
	return b
}

// start is a new process on the host.
func (b *pathBed) start(ledger string) {
	b.paths = newPaths(slog.New(slog.DiscardHandler))
	b.paths.worker.ledger = mustLedger(b.t, ledger)
	bed := &planeBed{planeWorker: b.paths.worker}
	b.paths.worker.open = func(name string) (lvs.Plane, error) {
		if name != "ipvs" {
			return nil, errors.New("no " + name)
		}
		return bedPlane{&b.kernel, bed, name}, nil
	}
}

// work is what the worker and run do.
func (b *pathBed) work() {
	b.worker.carryOut()
	b.worker.compare()
	_, st, _ := b.worker.report()
	b.found(st)
}

func (b *pathBed) tries(id string) error {
	b.t.Helper()
	c, err := b.dial(b.t.Context(), health.Target{ID: id, Addr: netip.MustParseAddrPort("127.0.0.1:9")})
	if err == nil {
		c.Close()
	}
	return err
}

func drPath(server string) probepath.Path {
	return probepath.Path{Server: netip.MustParseAddr(server), Forward: lvs.DirectRouting}
}

// TestPathsComeFirst: nothing is asked before the kernel was seen to lead it, nor when another program has taken the path out.
func TestPathsComeFirst(t *testing.T) {
	b := newPathBed(t, filepath.Join(t.TempDir(), pathsFile))
	missing := func(id string) {
		t.Helper()
		if err := b.tries(id); !errors.Is(err, health.ErrNotAsked) || !strings.Contains(err.Error(), "not in the kernel's table") {
			t.Errorf("%s: %v", id, err)
		}
	}
	there := func(id string) {
		t.Helper()
		// What follows the path is a VIP that this host has: 127.0.0.1.
		if err := b.tries(id); !errors.Is(err, health.ErrNotAsked) || !errors.Is(err, probepath.ErrLocal) {
			t.Errorf("%s: %v", id, err)
		}
	}
	b.want(map[string]probepath.Path{"a": drPath("10.0.0.1"), "b": drPath("10.0.0.2"), "c": drPath("10.0.0.2")})
	missing("a")
	b.work()
	there("a")
	there("c")
	missing("unknown")
	if n := len(b.kernel.Table()); n != 2 {
		t.Errorf("%d services, want 2: a path is for all probes of a server", n)
	}

	// A mark that is used for another path does not count before the kernel has that one.
	b.want(map[string]probepath.Path{"b": drPath("10.0.0.2"), "d": drPath("10.0.0.3")})
	missing("d")
	there("b")
	missing("a")
	b.work()
	there("d")

	b.kernel.Delete(b.table.Services()[0].Key())
	_, st, _ := b.worker.report()
	st.Services = st.Services[1:]
	b.found(st) // a look at the kernel without it, before it is put right
	asked := 0
	for _, id := range []string{"b", "d"} {
		if err := b.tries(id); errors.Is(err, probepath.ErrLocal) {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("%d of two paths are taken to be there", asked)
	}
	b.work()
	there("b")
	there("d")

	b.want(nil)
	b.work()
	if left := b.kernel.Table(); len(left) > 0 {
		t.Errorf("left in the kernel: %v", left)
	}
}

// TestPathsYield: another program's service by one of the marks stays, and the path gets another mark.
func TestPathsYield(t *testing.T) {
	b := newPathBed(t, filepath.Join(t.TempDir(), pathsFile))
	foreign := lvs.Service{Mark: lvs.FirstProbeMark, Addr: netip.IPv4Unspecified(), Scheduler: "wlc", Forward: lvs.NAT}
	b.kernel.Put(foreign)
	b.want(map[string]probepath.Path{"a": drPath("10.0.0.1")})
	b.work()
	b.work()
	if err := b.tries("a"); !errors.Is(err, probepath.ErrLocal) {
		t.Error(err)
	}
	if m := b.table.Mark(drPath("10.0.0.1")); m == lvs.FirstProbeMark || m == 0 {
		t.Errorf("mark %#x", m)
	}
	if p := b.problem(fsm.New()); p != "" {
		t.Error(p)
	}
	b.want(nil)
	b.work()
	if left := b.kernel.Table(); len(left) != 1 || left[0].Scheduler != "wlc" {
		t.Errorf("the other program's is %v", left)
	}
}

// TestPathsOfAKilledAgent: the next start removes them, also when no probe goes so any more. A node that never had any does not look.
func TestPathsOfAKilledAgent(t *testing.T) {
	ledger := filepath.Join(t.TempDir(), pathsFile)
	b := newPathBed(t, ledger)
	b.want(nil)
	if !b.worker.untouched() {
		t.Error("a node without such probes touches the kernel")
	}
	b.want(map[string]probepath.Path{"a": drPath("10.0.0.1")})
	b.work()
	b.kernel.Forget()
	b.start(ledger)
	b.want(nil)
	b.work()
	if left := b.kernel.Table(); len(left) > 0 {
		t.Errorf("left in the kernel: %v", left)
	}
	if l := mustLedger(t, ledger); !l.scope().Empty() {
		t.Errorf("the ledger still has %v", l.scope())
	}
}

// through is a state in which n2 probes a service of n1's through the forwarding path.
func through(t *testing.T) *fsm.State {
	t.Helper()
	s := fsm.New()
	s.ClusterID = "c"
	ipvs := fsm.Facts{Features: []string{lvs.FeatureThrough}}
	s.Nodes = map[fsm.NodeID]fsm.Node{"n1": {ID: "n1", Role: fsm.Director, Facts: ipvs}, "n2": {ID: "n2", Role: fsm.Director, Facts: ipvs}}
	vip := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
	s.Assignments = map[fsm.AddressKey]fsm.Assignment{vip.Key(): {VIP: "web", Owner: "n1"}}
	c := fsm.Check{Type: fsm.CheckTCP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1, Through: fsm.ThroughForwarding}
	other := c
	other.Through, other.Port = "", 9100
	s.Config = fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{"web": vip}, Services: map[string]fsm.Service{
		"web": {Name: "web", VIP: "web", Port: 80, Protocol: fsm.TCP, Scheduler: "rr", Forward: fsm.Tunnel, Checks: []fsm.Check{c, other},
			Servers: []fsm.Server{{Address: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1},
				{Address: netip.MustParseAddrPort("10.0.0.2:80"), Weight: 1, Forward: fsm.Tunnel, Encap: fsm.Encap{Type: "gue", Port: 6080, Checksum: "none"}}}},
	}}
	return s
}

func TestTargetsThrough(t *testing.T) {
	s := through(t)
	var said []string
	o := newObserver("n2", func(obs []cluster.Observation) {
		for _, x := range obs {
			said = append(said, fmt.Sprintf("%v up=%t through=%t %s", x.Server, x.Up, x.Through, x.Detail))
		}
	}, func([]fsm.ServerKey) {})
	lines := func() string {
		var out []string
		for _, x := range o.targets(s) {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%v %v", x.Addr, x.Through)))
		}
		return strings.Join(out, "\n")
	}
	got := lines()
	for _, line := range []string{"192.0.2.10:80 {10.0.0.1:80 tun}", "192.0.2.10:80 {10.0.0.2:80 tun gue}", "10.0.0.1:9100 {invalid AddrPort }", "10.0.0.2:9100 {invalid AddrPort }"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s among\n%s", line, got)
		}
	}
	ways := o.ways()
	if len(ways) != 2 {
		t.Fatalf("%v", ways)
	}
	gue := probepath.Path{Server: netip.MustParseAddr("10.0.0.2"), Forward: lvs.Tunnel, Encap: lvs.Encap{Type: lvs.GUE, Port: 6080}}
	found := false
	for _, p := range ways {
		found = found || p == gue
	}
	if !found {
		t.Errorf("no %+v among %v", gue, ways)
	}
	// Before any server has answered on the VIP the fault may be this node's: it says nothing of those that answer at their own addresses.
	var first health.Target
	for _, x := range o.targets(s) {
		switch own := x.Through.Server == netip.MustParseAddrPort("10.0.0.2:80"); {
		case x.Through.Server == netip.MustParseAddrPort("10.0.0.1:80"):
			first = x
		default:
			o.transition(health.Transition{ID: x.ID, Up: !own, OwnOnly: own, Detail: "no answer"})
		}
	}
	if len(said) > 0 {
		t.Errorf("before any has answered: %v", said)
	}
	if p := o.unproved(); len(p) != 1 || !strings.Contains(p[0], "no server answers this node on the VIP 192.0.2.10") {
		t.Errorf("problems: %v", p)
	}
	o.transition(health.Transition{ID: first.ID, Up: true})
	if p := o.unproved(); len(p) > 0 {
		t.Errorf("problems: %v", p)
	}
	if got := strings.Join(said, "\n"); !strings.Contains(got, "web/10.0.0.1:80 up=true through=true") || !strings.Contains(got, "web/10.0.0.2:80 up=false through=true no answer") {
		t.Error(got)
	}

	// It becomes the owner: its own view is of the servers' addresses now, and is another observation.
	s.Assignments = map[fsm.AddressKey]fsm.Assignment{s.Config.VIPs["web"].Key(): {VIP: "web", Owner: "n2"}}
	if o.stands(s) {
		t.Error("another owner, and the probes would stay")
	}
	if got := lines(); strings.Contains(got, "192.0.2.10") || len(o.ways()) > 0 {
		t.Errorf("the owner probes\n%s", got)
	}
	said = nil
	for _, x := range o.targets(s) {
		o.transition(health.Transition{ID: x.ID, Up: true})
	}
	if got := strings.Join(said, "\n"); !strings.Contains(got, "web/10.0.0.2:80 up=true through=false") {
		t.Error(got)
	}
}

// A node that comes to have IPVS, or to be a server, changes who probes how; where no check goes so, nothing does.
func TestSamePaths(t *testing.T) {
	a, b := through(t), through(t)
	if !samePaths(a, b) {
		t.Error("the same state is another")
	}
	b.Nodes["n2"] = fsm.Node{ID: "n2", Role: fsm.Director}
	if samePaths(a, b) {
		t.Error("without IPVS it is the same")
	}
	b = through(t)
	n := b.Nodes["n2"]
	n.Facts.Addresses = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	b.Nodes["n2"] = n
	if samePaths(a, b) {
		t.Error("with the server's address it is the same")
	}
	svc := a.Config.Services["web"]
	svc.Checks = svc.Checks[1:]
	a.Config.Services["web"] = svc
	if !samePaths(a, b) {
		t.Error("without such checks it matters")
	}
}

// The marks are named where they are agreed not to be used, and where they are.
func TestProbeMarks(t *testing.T) {
	if fsm.FirstProbeMark != lvs.FirstProbeMark || fsm.LastProbeMark != lvs.LastProbeMark {
		t.Errorf("fsm refuses %#x to %#x, and probes have %#x to %#x", fsm.FirstProbeMark, fsm.LastProbeMark, lvs.FirstProbeMark, lvs.LastProbeMark)
	}
	if want := "through=" + string(fsm.ThroughForwarding); lvs.FeatureThrough != want {
		t.Errorf("%s, want %s", lvs.FeatureThrough, want)
	}
}
